"""Random commits over a few requests, roots, blocks and peers: small pools, so that they meet all the time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from attestation.address import evm_account
from attestation.request import RequestId
from attestation.signer_set_file import NumberedSet
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor, SeenBlock
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.destination_vm import Pin
from relayer.ports.signer import Attestation
from relayer.ports.store import (
    AcceptedSet,
    Certificate,
    Commit,
    Deferral,
    EvidenceRow,
    FeeEntry,
    ForeignStatements,
    OutboxRow,
    PinnedAnswer,
    Receipt,
    TransactionPurpose,
    TransactionStatus,
)
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    block_ref,
    execute_batch,
    make_attempt,
    make_conclusion,
    make_epoch,
    make_execute,
    make_location,
    make_outcome,
    make_query,
    make_request,
    make_signer_set,
    make_transaction,
    outcome_batch,
    track,
    word,
)

OTHER_SENDER: Final = evm_account(31337, b"\x0f" * 20).to_bytes()
OTHER_GATEWAY: Final = evm_account(10, b"\x01" * 20).to_bytes()
REQUESTS: Final = (
    track(make_request(0)),
    track(make_request(1, sender=OTHER_SENDER, expiry=50)),
    track(make_request(2, expiry=2**64 - 1)),
    track(make_request(3, source_gateway=OTHER_GATEWAY)),
    track(make_query(4)),
    track(make_query(5)),
    track(make_request(6, source_gateway=b"junk")),
)
IDS: Final = tuple(request.request_id for request in REQUESTS)
CHAINS: Final = (SOURCE_CHAIN, DESTINATION_CHAIN)
GATEWAYS: Final = (SOURCE_GATEWAY, DESTINATION_GATEWAY)
ROOTS: Final = (b"", word("root", 1), word("root", 2))
SIGNERS: Final = tuple(key.key for key in SIGNING_KEYS[:2])
BATCHES: Final = (
    execute_batch(*REQUESTS[:3]),
    execute_batch(REQUESTS[0]),
    outcome_batch(*(make_outcome(i) for i in IDS[:2])),
)
FORKS: Final = ("", "b")
BLOCKS: Final = tuple(block_ref(number, chain, fork) for number in (10, 11, 12) for chain in CHAINS for fork in FORKS)

ids = st.sampled_from(IDS)
chains = st.sampled_from(CHAINS)
roots = st.sampled_from(ROOTS)
batches = st.sampled_from(BATCHES)
signers = st.sampled_from(SIGNERS)
kinds = st.sampled_from(EffectKind)
statuses = st.sampled_from(Status)
times = st.integers(0, 8).map(lambda n: NOW + n / 2)
uint64s = st.sampled_from((0, 1, 50, 51, 2**63 - 1, 2**63, 2**64 - 1))
uint256s = st.sampled_from((0, 10**18, 2**63, 2**128, 2**256 - 1))
blobs = st.sampled_from((b"", b"\x00", b"\x2a" * 40))


def some(values: st.SearchStrategy[Any], at_most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=at_most).map(tuple)


def one_in(number: int) -> st.SearchStrategy[bool]:
    return st.sampled_from((*[False] * (number - 1), True))


@st.composite
def conclusions(draw: st.DrawFn, identifier: RequestId) -> Any:
    location = make_location(
        draw(st.integers(10, 12)), draw(st.integers(0, 1)), 0, DESTINATION_CHAIN, draw(st.sampled_from(FORKS))
    )
    return make_conclusion(identifier, location, draw(st.sampled_from(OutcomeKind)), draw(blobs))


@st.composite
def tracked(draw: st.DrawFn) -> TrackedRequest:
    """A request in any state, whether `decide` would ever put it there or not."""
    request = draw(st.sampled_from(REQUESTS))
    return replace(
        request,
        location=make_location(
            draw(st.integers(10, 12)), draw(st.integers(0, 1)), request.request.nonce, fork=draw(st.sampled_from(FORKS))
        ),
        source_timestamp=draw(uint64s),
        fee=draw(uint256s),
        deadline=draw(uint64s),
        status=draw(statuses),
        hold_reason=draw(st.sampled_from(("", "fee_below_cost"))),
        is_execute_certified=draw(st.booleans()),
        conclusion=draw(st.none() | conclusions(request.request_id)),
        execute_root=draw(roots),
        outcome_root=draw(roots),
        execute_tx_hash=draw(blobs),
        callback_tx_hash=draw(blobs),
        returned_fee=draw(st.none() | uint256s),
    )


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    identifier = draw(ids)
    return Receipt(identifier, draw(chains), draw(conclusions(identifier)), draw(roots))


@st.composite
def answers(draw: st.DrawFn) -> PinnedAnswer:
    identifier = draw(ids)
    pin = Pin(draw(st.sampled_from(BLOCKS)), BlockRef(draw(uint64s), word("child")))
    return PinnedAnswer(identifier, draw(chains), pin, draw(conclusions(identifier)))


@st.composite
def transactions(draw: st.DrawFn) -> Any:
    return make_transaction(
        draw(st.sampled_from((0, 1, 2**64 - 1))),
        draw(st.lists(ids, unique=True, max_size=3)),
        draw(st.sampled_from(TransactionStatus)),
        chain=draw(chains),
        purpose=draw(st.sampled_from(TransactionPurpose)),
        attempts=tuple(make_attempt(label, draw(uint256s)) for label in draw(st.lists(st.integers(0, 3), max_size=3))),
        created_at=draw(times),
        mined=draw(st.none() | st.sampled_from(BLOCKS)),
        cost=draw(uint256s),
    )


@st.composite
def cursors(draw: st.DrawFn) -> ChainCursor:
    first = draw(st.integers(5, 7))
    seen = tuple(
        SeenBlock(block_ref(number, fork=draw(st.sampled_from(FORKS))), word("parent"), draw(uint64s))
        for number in range(first + 1, first + 1 + draw(st.integers(0, 4)))
    )
    return ChainCursor(draw(chains), block_ref(first), seen)


attestations = st.builds(
    lambda batch, signer, epoch, signature: Attestation(
        batch.verifying_gateway, batch.root, batch.count, epoch, signer, signature
    ),
    batches,
    signers,
    st.integers(1, 2),
    blobs,
)
certificates = st.builds(
    lambda batch, epoch, encoded: Certificate(batch.root, batch.verifying_gateway, epoch, encoded, NOW),
    batches,
    st.integers(1, 3),
    blobs,
)
foreign = st.builds(
    lambda n, signer: ForeignStatements(word("foreign", n), signer, tuple(map(make_execute, REQUESTS[n : n + 2]))),
    st.integers(0, 3),
    signers,
)
rests = st.builds(
    Commit,
    receipts=some(receipts()),
    dropped_receipts=some(ids),
    answers=some(answers()),
    dropped_answers=some(ids),
    batches=some(batches),
    attestations=some(attestations, 4),
    certificates=some(certificates),
    effects=some(st.builds(OutboxRow, kinds, ids, chains, times, st.integers(0, 3)), 4),
    done=some(st.tuples(kinds, ids), 3),
    deferred=some(st.builds(Deferral, kinds, ids, times, st.integers(0, 3))),
    transactions=some(transactions()),
    fees=some(st.builds(FeeEntry, ids, chains, st.sampled_from(("offered", "added")), uint256s, blobs, times)),
    cursors=some(cursors(), 1),
    peer_cursors=some(st.tuples(signers, st.sampled_from(("", "1", "2")))),
    epochs=some(
        st.builds(
            lambda g, e, v: replace(make_epoch(g, e), valid_until=v),
            st.sampled_from(GATEWAYS),
            st.integers(1, 3),
            uint64s,
        )
    ),
    accepted=some(
        st.builds(
            lambda epoch, predecessor, at: AcceptedSet(NumberedSet(epoch, make_signer_set()), predecessor, at),
            st.integers(1, 3),
            st.sampled_from((bytes(32), b"\x01" * 32)),
            times,
        )
    ),
    dropped_epochs=some(st.tuples(st.sampled_from(GATEWAYS), st.integers(1, 3))),
    halts=some(
        st.builds(
            Halt,
            chains,
            st.just("reorg_below_finality"),
            st.sampled_from(("", "block 7")),
            st.sampled_from((None, *BLOCKS)),
            blobs,
            times,
            st.none() | times,
        )
    ),
    foreign=some(foreign),
    evidence=some(
        st.builds(EvidenceRow, st.just("EQUIVOCATION"), signers, blobs, st.sampled_from(("{}", "[]")), times)
    ),
)
