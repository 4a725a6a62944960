"""Values of the domain, made by hand: the smallest that the rules let pass."""

from __future__ import annotations

from attestation.address import Chain, evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, RequestId, request_id, route_of
from attestation.statement import Outcome, OutcomeKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.observations import CallConcluded, CallRequested, Observation, ObservedBlock
from relayer.domain.route import Route
from relayer.domain.tracked import Conclusion

SOURCE, DESTINATION, OTHER = Chain.evm(1), Chain.evm(2), Chain.evm(3)
SOURCE_GATEWAY = evm_account(1, b"\x11" * 20).to_bytes()
DESTINATION_GATEWAY = evm_account(2, b"\x22" * 20).to_bytes()
OTHER_GATEWAY = evm_account(3, b"\x33" * 20).to_bytes()

CALL_ROUTE = Route(
    key=SOURCE_GATEWAY + DESTINATION_GATEWAY,
    mode=Mode.CALL,
    source_chain=str(SOURCE),
    destination_chain=str(DESTINATION),
    source_gateway=SOURCE_GATEWAY,
    destination_gateway=DESTINATION_GATEWAY,
)
OTHER_CALL_ROUTE = Route(
    key=OTHER_GATEWAY + DESTINATION_GATEWAY,
    mode=Mode.CALL,
    source_chain=str(OTHER),
    destination_chain=str(DESTINATION),
    source_gateway=OTHER_GATEWAY,
    destination_gateway=DESTINATION_GATEWAY,
)
QUERY_ROUTE = Route(
    key=SOURCE_GATEWAY + DESTINATION.to_bytes(),
    mode=Mode.QUERY,
    source_chain=str(SOURCE),
    destination_chain=str(DESTINATION),
    source_gateway=SOURCE_GATEWAY,
    destination_gateway=b"",
)


def block_ref(number: int, fork: str = "") -> BlockRef:
    """The block at this height of the fork with this name."""
    return BlockRef(number, keccak256(f"block {number} {fork}".encode()))


def location_at(number: int, log_index: int = 0, fork: str = "") -> Location:
    """A place in the first transaction of a block."""
    return Location(block_ref(number, fork), 0, log_index, keccak256(f"tx {number} {fork}".encode()))


def call(nonce: int = 0, source_gateway: bytes = SOURCE_GATEWAY, source_chain_id: int = 1) -> Request:
    """A CALL from `source_gateway` to the destination."""
    return Request(
        source_gateway=source_gateway,
        sender=evm_account(source_chain_id, b"\x44" * 20).to_bytes(),
        destination_gateway=DESTINATION_GATEWAY,
        target=evm_account(2, b"\x55" * 20).to_bytes(),
        nonce=nonce,
        mode=Mode.CALL,
        own_account=False,
        payload=b"\x01\x02",
        execution_gas_limit=500_000,
        callback_gas_limit=300_000,
        return_limit=1024,
        expiry=10_000,
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )


def query(nonce: int = 0) -> Request:
    """A QUERY to the destination."""
    return Request(
        source_gateway=SOURCE_GATEWAY,
        sender=evm_account(1, b"\x44" * 20).to_bytes(),
        destination_gateway=b"",
        target=evm_account(2, b"\x55" * 20).to_bytes(),
        nonce=nonce,
        mode=Mode.QUERY,
        own_account=False,
        payload=b"\x01\x02",
        execution_gas_limit=500_000,
        callback_gas_limit=300_000,
        return_limit=1024,
        expiry=0,
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )


def asked(request: Request, number: int = 5, log_index: int = 0) -> CallRequested:
    """The gateway's log of a request."""
    return CallRequested(request_id(request), request, route_of(request), 1_000, 500, location_at(number, log_index))


def concluded(
    identifier: RequestId, number: int = 7, log_index: int = 0, source_gateway: bytes = SOURCE_GATEWAY
) -> CallConcluded:
    """A receipt on the destination."""
    return CallConcluded(
        request_id=identifier,
        source_gateway=source_gateway,
        kind=OutcomeKind.EXECUTED,
        cut=False,
        return_data=b"\x2a",
        payee=b"\x66" * 32,
        location=location_at(number, log_index),
    )


def conclusion(identifier: RequestId, data: bytes = b"\x2a") -> Conclusion:
    """What became of a request, at a place of its own."""
    outcome = Outcome(
        request_id=identifier,
        kind=OutcomeKind.EXECUTED,
        cut=False,
        return_data_hash=keccak256(data),
        height=7,
        block_hash=block_ref(7).hash,
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )
    return Conclusion(outcome, data, b"\x77" * 32)


def block(number: int, *observations: Observation) -> ObservedBlock:
    """A block with these logs, standing on the one before it."""
    return ObservedBlock(block_ref(number), block_ref(number - 1).hash, 1_000 + number, observations)
