"""The gateway's events, written by its IDL, and strategies of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from attestation.address import InteroperableAddress, evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id, route_of
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from relayer.domain.blocks import BlockRef
from relayer.vms.svm.blocks import BlockContents, PlacedEvent
from relayer.vms.svm.codec import EventCodec
from relayer.vms.svm.slots import Stamp
from tests.svm.program import idl
from tests.svm.program.ledger import GATEWAY, PROGRAM, REMOTE_GATEWAY, SOLANA, set_args

STAMP = Stamp(BlockRef(7, b"\x07" * 32), BlockRef(5, b"\x05" * 32), 1_800_000_000)
SIGNATURE = b"\x51" * 64
SENDER = InteroperableAddress(SOLANA, b"\x5e" * 32).to_bytes()

words = st.binary(min_size=32, max_size=32)
uint64s = st.integers(0, 2**64 - 1)
uint32s = st.integers(0, 2**32 - 1)
kinds = st.integers(0, 4)


def event_data(name: str, fields: dict[str, Any]) -> bytes:
    """An event without its tag, as the IDL has it."""
    (entry,) = (one for one in idl.IDL["events"] if one["name"] == name)
    return bytes(entry["discriminator"]) + idl.encode({"defined": {"name": name}}, fields)


def request_args(request: Request) -> dict[str, Any]:
    """A request as its event has it."""
    fields = {name: getattr(request, name) for name in Request.__slots__}
    return fields | {
        "mode": int(request.mode),
        "ordered_after": request.ordered_after.to_bytes(32, "big"),
        "origin": request.origin.to_bytes(32, "big"),
    }


def requested_fields(request: Request, fee: int = 5_000, deadline: int = 900) -> dict[str, Any]:
    return {
        "request_id": request_id(request),
        "pending": b"\x99" * 32,
        "route_hash": keccak256(route_of(request)),
        "fee": fee,
        "deadline": deadline,
        "request": request_args(request),
    }


def outbound_request(**changes: Any) -> Request:
    """A request from here to the remote chain."""
    fields: dict[str, Any] = {
        "source_gateway": GATEWAY,
        "sender": SENDER,
        "destination_gateway": REMOTE_GATEWAY,
        "target": evm_account(31337, b"\x7a" * 20).to_bytes(),
        "nonce": 3,
        "mode": Mode.CALL,
        "own_account": False,
        "payload": b"\x12\x34\x56\x78",
        "execution_gas_limit": 50_000,
        "callback_gas_limit": 300_000,
        "return_limit": 1_024,
        "expiry": 1_800_000_600,
        "ordered_after": 0,
        "origin": 0,
        "code_hash": bytes(32),
        "dispute_blocks": 0,
        "metadata": b"",
    }
    return Request(**{**fields, **changes})


outbound_requests = st.builds(
    outbound_request,
    sender=words.map(lambda key: InteroperableAddress(SOLANA, key).to_bytes()),
    target=st.binary(min_size=20, max_size=20).map(lambda key: evm_account(31337, key).to_bytes()),
    nonce=uint64s,
    own_account=st.booleans(),
    payload=st.binary(max_size=300),
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=uint32s,
    expiry=uint64s,
    ordered_after=st.integers(0, 2**256 - 1),
    origin=st.integers(0, 2**256 - 1),
    code_hash=words,
    dispute_blocks=uint32s,
    metadata=st.binary(max_size=64),
)
signer_sets = st.builds(
    SignerSet,
    scheme=st.integers(0, 255),
    threshold=uint64s,
    valid_until=uint64s,
    grace_seconds=uint64s,
    signers=st.lists(st.builds(Signer, st.binary(max_size=64), uint64s, words), max_size=6).map(tuple),
)


def applied_fields(signer_set: SignerSet, epoch: int = 2) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "signer_set_hash": signer_set_hash(signer_set),
        "valid_until": signer_set.valid_until,
        "signer_set": set_args(signer_set),
    }


def make_codec() -> EventCodec:
    return EventCodec(SOLANA, bytes(PROGRAM))


def decode(*events: bytes, codec: EventCodec | None = None) -> tuple[Any, ...]:
    """What a block with these events of one transaction says."""
    placed = tuple(PlacedEvent(data, SIGNATURE, 3, index) for index, data in enumerate(events))
    return (codec or make_codec()).decode(BlockContents(STAMP, placed))
