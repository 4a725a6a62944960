"""Builders of domain values that tests share: small, typed, deterministic.

Use: `from tests.factories import make_request, observed_block, ...` (tests/conftest.py puts the repository's root on
the path). Every builder takes what a test is about and fills in the rest; the same arguments give equal values: no
randomness, no clock. Requests are told apart by `nonce`, blocks by (chain, number, fork). What a builder gives keeps
the protocol's rules; a test that wants a broken value breaks it itself, with `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from attestation.address import Chain, evm_account
from attestation.certificate import Certificate
from attestation.domain import batch_digest
from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import Mode, Request, RequestId, request_id, route_of
from attestation.schemes import BLS12381, SECP256K1, Scheme, SigningKey
from attestation.signer_set import Signer, SignerSet
from attestation.statement import Execute, Outcome, OutcomeKind, Statement
from relayer.domain.batch import Batch, BatchKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.events import Event
from relayer.domain.lifecycle import decide, observe
from relayer.domain.observations import CallConcluded, CallRequested, Observation, ObservedBlock
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.ports.signer import Attestation
from relayer.ports.store import Attempt, OwnTransaction, StoredEpoch, TransactionPurpose, TransactionStatus

SOURCE_CHAIN: Final = "eip155:31337"
DESTINATION_CHAIN: Final = "eip155:31338"
SOURCE_GATEWAY: Final = evm_account(31337, b"\x51" * 20).to_bytes()
DESTINATION_GATEWAY: Final = evm_account(31338, b"\xd5" * 20).to_bytes()
SENDER: Final = evm_account(31337, b"\x5e" * 20).to_bytes()
TARGET: Final = evm_account(31338, b"\x7a" * 20).to_bytes()
PAYEE: Final = bytes(12) + b"\xfe" * 20

CALL_ROUTE: Final = Route(
    key=SOURCE_GATEWAY + DESTINATION_GATEWAY,
    mode=Mode.CALL,
    source_chain=SOURCE_CHAIN,
    destination_chain=DESTINATION_CHAIN,
    source_gateway=SOURCE_GATEWAY,
    destination_gateway=DESTINATION_GATEWAY,
)
QUERY_ROUTE: Final = Route(
    key=SOURCE_GATEWAY + Chain.evm(31338).to_bytes(),
    mode=Mode.QUERY,
    source_chain=SOURCE_CHAIN,
    destination_chain=DESTINATION_CHAIN,
    source_gateway=SOURCE_GATEWAY,
    destination_gateway=b"",
)
ROUTES: Final = RouteTable((CALL_ROUTE, QUERY_ROUTE))

NOW: Final = 1_800_000_000.0
"""Wall-clock seconds at which tests begin."""

GENESIS_SECONDS: Final = 1_799_990_000
BLOCK_SECONDS: Final = 2

SIGNING_KEYS: Final[tuple[SigningKey, ...]] = tuple(SECP256K1.signing_key(bytes([n]) * 32) for n in range(1, 5))
"""Four operators' throwaway keys, in the order of `make_signer_set`."""

LONG_KEYS: Final[tuple[SigningKey, ...]] = tuple(BLS12381.signing_key(bytes([n]) * 32) for n in range(1, 5))
"""The same of a scheme whose keys are longer, sign no messages, and are listed with a proof."""


def word(*labels: object) -> bytes:
    """32 bytes that differ whenever the labels do."""
    return keccak256("/".join(map(str, labels)).encode())


# Blocks


def block_ref(number: int, chain: str = SOURCE_CHAIN, fork: str = "") -> BlockRef:
    """The block with this number on one fork of a chain."""
    return BlockRef(number, word("block", chain, number, fork))


def block_timestamp(number: int) -> int:
    """The timestamp of every block with this number, in seconds."""
    return GENESIS_SECONDS + BLOCK_SECONDS * number


def make_location(
    number: int, tx_index: int = 0, log_index: int = 0, chain: str = SOURCE_CHAIN, fork: str = ""
) -> Location:
    """A place of a log in `block_ref(number, chain, fork)`."""
    return Location(
        block_ref(number, chain, fork), tx_index, log_index, word("transaction", chain, number, fork, tx_index)
    )


def observed_block(
    number: int,
    *observations: Observation,
    chain: str = SOURCE_CHAIN,
    fork: str = "",
    parent_fork: str | None = None,
) -> ObservedBlock:
    """The block, standing on the one before it of the same fork, or of `parent_fork` where a fork begins."""
    parent = block_ref(number - 1, chain, fork if parent_fork is None else parent_fork)
    return ObservedBlock(block_ref(number, chain, fork), parent.hash, block_timestamp(number), observations)


# Requests


def make_request(nonce: int = 0, **changes: Any) -> Request:
    """A CALL on `CALL_ROUTE`. `changes` are fields of `Request`."""
    request = Request(
        source_gateway=SOURCE_GATEWAY,
        sender=SENDER,
        destination_gateway=DESTINATION_GATEWAY,
        target=TARGET,
        nonce=nonce,
        mode=Mode.CALL,
        own_account=False,
        payload=b"\xa9\x05\x9c\xbb" + nonce.to_bytes(32, "big"),
        execution_gas_limit=500_000,
        callback_gas_limit=300_000,
        return_limit=1_024,
        expiry=block_timestamp(1_000),
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )
    return replace(request, **changes)


def make_query(nonce: int = 0, **changes: Any) -> Request:
    """A QUERY on `QUERY_ROUTE`. `changes` are fields of `Request`."""
    return make_request(nonce, **{"mode": Mode.QUERY, "destination_gateway": b"", "expiry": 0, **changes})


def track(
    request: Request | None = None,
    *events: Event,
    location: Location | None = None,
    fee: int = 10**16,
    deadline: int = 1_000,
) -> TrackedRequest:
    """The request as it is observed at `location` (block 10, unless said), after these events."""
    request = request or make_request()
    location = location or make_location(10, log_index=request.nonce % 2**32)
    timestamp = block_timestamp(location.block.number)
    tracked = observe(request_id(request), request, route_of(request), location, timestamp, fee, deadline).request
    for event in events:
        tracked = decide(tracked, event).request
    return tracked


# What gateways log


def call_requested(
    request: Request | None = None, location: Location | None = None, fee: int = 10**16, deadline: int = 1_000
) -> CallRequested:
    """The source gateway's log of a request."""
    request = request or make_request()
    return CallRequested(request_id(request), request, route_of(request), fee, deadline, location or make_location(10))


def call_concluded(
    request: Request | None = None,
    location: Location | None = None,
    kind: OutcomeKind = OutcomeKind.EXECUTED,
    return_data: bytes = b"\x2a",
) -> CallConcluded:
    """The destination gateway's receipt of a CALL."""
    request = request or make_request()
    location = location or make_location(20, chain=DESTINATION_CHAIN)
    identifier = request_id(request)
    return CallConcluded(identifier, request.source_gateway, kind, False, return_data, PAYEE, location)  # noqa: FBT003


# What is signed


def make_outcome(
    identifier: RequestId,
    location: Location | None = None,
    kind: OutcomeKind = OutcomeKind.EXECUTED,
    return_data: bytes = b"\x2a",
) -> Outcome:
    """The outcome of a request, standing at `location` (block 20 of the destination, unless said)."""
    location = location or make_location(20, chain=DESTINATION_CHAIN)
    return Outcome(
        request_id=identifier,
        kind=kind,
        cut=False,
        return_data_hash=keccak256(return_data),
        height=location.block.number,
        block_hash=location.block.hash,
        tx_index=location.tx_index,
        log_index=location.log_index,
        payee=PAYEE,
        round=0,
    )


def make_conclusion(
    identifier: RequestId,
    location: Location | None = None,
    kind: OutcomeKind = OutcomeKind.EXECUTED,
    return_data: bytes = b"\x2a",
) -> Conclusion:
    """`make_outcome`, with its data and the transaction that holds the receipt."""
    location = location or make_location(20, chain=DESTINATION_CHAIN)
    return Conclusion(make_outcome(identifier, location, kind, return_data), return_data, location.tx_hash)


def make_execute(tracked: TrackedRequest) -> Execute:
    """The statement that this request is final where it stands."""
    place = tracked.location
    return Execute(tracked.request_id, place.block.number, place.block.hash, place.tx_index, place.log_index)


def make_batch(
    kind: BatchKind, statements: Sequence[Statement], first_height: int = 10, route: Route = CALL_ROUTE
) -> Batch:
    """These statements as one batch, verified where the kind's statements are used."""
    is_execute = kind is BatchKind.EXECUTE
    return Batch(
        kind=kind,
        root=merkle_root([statement.leaf for statement in statements]),
        route=route.key,
        verifying_gateway=route.destination_gateway if is_execute else route.source_gateway,
        verifying_chain=route.destination_chain if is_execute else route.source_chain,
        first_height=first_height,
        statements=tuple(statements),
    )


def execute_batch(*tracked: TrackedRequest, first_height: int = 10) -> Batch:
    """One Execute batch over these requests."""
    return make_batch(BatchKind.EXECUTE, [make_execute(request) for request in tracked], first_height)


def outcome_batch(*outcomes: Outcome, first_height: int = 20, route: Route = CALL_ROUTE) -> Batch:
    """One Outcome batch over these outcomes."""
    return make_batch(BatchKind.OUTCOME, outcomes, first_height, route)


# Signers


def make_signer_set(
    keys: Sequence[SigningKey] = SIGNING_KEYS, threshold: int = 3, scheme: Scheme = SECP256K1
) -> SignerSet:
    """One signer of weight 1 a key, each its own operator; valid for a long time."""
    return SignerSet(
        scheme=scheme.number,
        threshold=threshold,
        valid_until=int(NOW) + 10**8,
        grace_seconds=3_600,
        signers=tuple(
            Signer(key.listed_key(operator), 1, operator)
            for key, operator in ((key, word("operator", key.key.hex())) for key in keys)
        ),
    )


def make_epoch(gateway: bytes = SOURCE_GATEWAY, epoch: int = 1, signer_set: SignerSet | None = None) -> StoredEpoch:
    """A signer set as applied by a gateway's verifier."""
    signer_set = signer_set or make_signer_set()
    return StoredEpoch(gateway, epoch, signer_set, signer_set.valid_until)


def blank_certificate(epoch: int = 1) -> bytes:
    """Of the form that three of four signers of scheme 1 give it, without their signatures."""
    return Certificate(SECP256K1.number, epoch, bytes(4), bytes(4), 0b111, bytes(3 * 64)).to_bytes()


def attest(batch: Batch, key: SigningKey = SIGNING_KEYS[0], epoch: int = 1) -> Attestation:
    """This key's true signature over the batch."""
    digest = batch_digest(batch.verifying_gateway, batch.root, batch.count, epoch)
    return Attestation(batch.verifying_gateway, batch.root, batch.count, epoch, key.key, key.sign(digest))


# Our own transactions


def make_attempt(label: object = 0, max_fee: int = 2 * 10**9, sent_at: float = NOW) -> Attempt:
    """One signed form of a transaction, told apart by its label."""
    return Attempt(word("attempt", label), b"\x02" + word("raw", label), max_fee, 10**9, sent_at)


def make_transaction(
    nonce: int = 0,
    request_ids: Sequence[RequestId] = (),
    status: TransactionStatus = TransactionStatus.SIGNED,
    **changes: Any,
) -> OwnTransaction:
    """An execution on the destination with one attempt. `changes` are fields of `OwnTransaction`."""
    transaction = OwnTransaction(
        chain=DESTINATION_CHAIN,
        sender=b"\xee" * 20,
        nonce=nonce,
        purpose=TransactionPurpose.EXECUTE,
        status=status,
        to=b"\xd5" * 20,
        data=b"\x01\x02",
        gas_limit=700_000,
        value=0,
        request_ids=tuple(request_ids),
        attempts=(make_attempt(nonce),),
        created_at=NOW,
    )
    return replace(transaction, **changes)
