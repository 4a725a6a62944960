"""The gateway's events as it writes them, and strategies of what they tell."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
from hypothesis import strategies as st

from attestation.address import InteroperableAddress, evm_account
from attestation.json_object import hex_text
from attestation.keccak import keccak256
from attestation.request import Mode, Request, request_id, route_of
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from relayer.domain.blocks import BlockRef
from relayer.vms.cosmwasm.blocks import BlockContents, MinedEvent
from relayer.vms.cosmwasm.codec import EventCodec
from relayer.vms.cosmwasm.events import GatewayEvent
from relayer.vms.jsonrpc.stamps import Stamp
from tests.cosmwasm.adapter.comet_chain import COSMOS, GATEWAY, PREFIX, SENDER, Transaction, text_of, wasm_event

SOURCE_GATEWAY = InteroperableAddress(COSMOS, GATEWAY).to_bytes()
REMOTE_GATEWAY = evm_account(31337, b"\x66" * 20).to_bytes()
STAMP = Stamp(BlockRef(7, b"\x07" * 32), b"\x06" * 32, 1_800_000_000)
TX_HASH = b"\x51" * 32

words = st.binary(min_size=32, max_size=32)
uint64s = st.integers(0, 2**64 - 1)
uint32s = st.integers(0, 2**32 - 1)
kinds = st.integers(0, 4)


def outbound_request(**changes: Any) -> Request:
    """A request from here to the remote chain."""
    fields: dict[str, Any] = {
        "source_gateway": SOURCE_GATEWAY,
        "sender": InteroperableAddress(COSMOS, SENDER).to_bytes(),
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
    sender=st.sampled_from((20, 32))
    .flatmap(lambda length: st.binary(min_size=length, max_size=length))
    .map(lambda key: InteroperableAddress(COSMOS, key).to_bytes()),
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


def base64_text(data: bytes) -> str:
    return b64encode(data).decode()


def request_json(request: Request, **changes: Any) -> str:
    """A request as its event has it."""
    members = {
        "source_gateway": hex_text(request.source_gateway),
        "sender": hex_text(request.sender),
        "destination_gateway": hex_text(request.destination_gateway),
        "target": hex_text(request.target),
        "nonce": str(request.nonce),
        "mode": int(request.mode),
        "own_account": request.own_account,
        "payload": base64_text(request.payload),
        "execution_gas_limit": str(request.execution_gas_limit),
        "callback_gas_limit": str(request.callback_gas_limit),
        "return_limit": request.return_limit,
        "expiry": str(request.expiry),
        "ordered_after": hex_text(request.ordered_after.to_bytes(32, "big")),
        "origin": hex_text(request.origin.to_bytes(32, "big")),
        "code_hash": hex_text(request.code_hash),
        "dispute_blocks": request.dispute_blocks,
        "metadata": base64_text(request.metadata),
    }
    return orjson.dumps(members | changes).decode()


def set_json(signer_set: SignerSet) -> dict[str, Any]:
    """A signer set as messages, events and queries have it."""
    return {
        "scheme": signer_set.scheme,
        "threshold": str(signer_set.threshold),
        "valid_until": str(signer_set.valid_until),
        "grace_seconds": str(signer_set.grace_seconds),
        "signers": [
            {"key": hex_text(one.key), "weight": str(one.weight), "operator": hex_text(one.operator)}
            for one in signer_set.signers
        ],
    }


def requested_fields(request: Request, fee: int = 5_000, deadline: int = 900) -> dict[str, str]:
    _, _, sender = request.sender.partition(COSMOS.reference)
    return {
        "request_id": hex_text(request_id(request)),
        "sender": text_of(sender[1:]),
        "route_hash": hex_text(keccak256(route_of(request))),
        "request": request_json(request),
        "fee": str(fee),
        "deadline": str(deadline),
    }


def applied_fields(signer_set: SignerSet, epoch: int = 2) -> dict[str, str]:
    return {
        "epoch": str(epoch),
        "signer_set_hash": hex_text(signer_set_hash(signer_set)),
        "valid_until": str(signer_set.valid_until),
        "set": orjson.dumps(set_json(signer_set)).decode(),
    }


def asking(*nonces: int, code: int = 0) -> Transaction:
    """A transaction that asks for so many requests."""
    events = [wasm_event("XVMCallRequested", requested_fields(outbound_request(nonce=nonce))) for nonce in nonces]
    return Transaction(b"ask" + bytes(nonces), events, code)


def make_codec() -> EventCodec:
    return EventCodec(COSMOS, GATEWAY, PREFIX)


def decode(*events: tuple[str, dict[str, str]], codec: EventCodec | None = None) -> tuple[Any, ...]:
    """What a block with these events of one transaction says."""
    mined = tuple(
        MinedEvent(GatewayEvent(name, tuple(fields.items())), TX_HASH, 3, index)
        for index, (name, fields) in enumerate(events)
    )
    return (codec or make_codec()).decode(BlockContents(STAMP, mined))
