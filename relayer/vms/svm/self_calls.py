"""The gateway's events in a transaction: its calls to itself.

Its job: out of a transaction as an endpoint gives it, the data of the inner instructions by which the gateway called
itself with an event's tag, in order. SECURITY: nothing else is an event: not an instruction of the transaction itself,
not what another program called, not a log line, and nothing of a transaction that failed. It must not decode events.

Source: agave's RPC, `getTransaction` with encoding `json`; Anchor's `emit_cpi!`; contracts/svm/src/borsh.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE, WeighedCall
from relayer.vms.svm.mentions import Mention
from relayer.vms.svm.slots import ANY_VERSION, COMMITMENT
from relayer.vms.svm.values import format_signature, parse_base58

EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")

MAX_EVENT_LENGTH: Final = 10_240
"""Bytes of a cross-program call's data, as the runtime allows."""

_MAX_EVENT_CHARACTERS: Final = MAX_EVENT_LENGTH * 1_366 // 1_000 + 1  # base58 writes 1.3658 characters a byte

_MAX_CALLS: Final = 256
"""In a transaction: four times what the runtime allows, lest an upgrade of it hide a block from us. SECURITY: each
takes milliseconds to read, and an endpoint that makes them up could hold us for as long as it likes."""

_WEIGHT: Final = MAX_GAS_PER_EXCHANGE // 20
"""Of a transaction: twenty travel together. SECURITY: one that a node takes long to write, or writes so that we do not
read it beside others, is asked for alone, and spoils no other. Anybody can name the gateway in such a one."""

_OUTER_HEIGHT: Final = 1
"""Stack height of a transaction's own instructions; what they call is one higher."""


def transaction_call(signature: bytes) -> WeighedCall:
    """The call for a finalized transaction."""
    options = {**COMMITMENT, **ANY_VERSION, "encoding": "json"}
    return WeighedCall(RpcCall("getTransaction", [format_signature(signature), options]), _WEIGHT)


def parse_self_calls(answer: Any, mention: Mention, gateway: Pubkey) -> list[bytes] | None:
    """The data of the gateway's events in this transaction, each without the tag; None if the endpoint has it not.

    Raises `RpcUnavailable` if it is malformed, another transaction, or one that failed.
    """
    if answer is None:
        return None
    match answer:
        case {
            "slot": mention.slot,
            "transaction": {
                "signatures": [str(signature), *_],
                "message": {"accountKeys": list(named), "instructions": list(outer)},
            },
            "meta": {"err": None, "innerInstructions": list(groups), **meta},
        }:
            pass
        case _:
            raise _malformed()
    if signature != format_signature(mention.signature):
        raise _malformed()
    keys = [*named, *_loaded(meta.get("loadedAddresses"))]
    events = []
    for caller, instruction in _inner(outer, groups):
        # SECURITY: what another program tells the gateway, or the gateway another program, is nobody's event.
        if _key(keys, caller) == str(gateway) == _key(keys, instruction.get("programIdIndex")):
            data = parse_base58(instruction.get("data"), _MAX_EVENT_CHARACTERS)
            if data.startswith(EVENT_TAG):
                events.append(data[len(EVENT_TAG) :])
    return events


def _inner(outer: list[Any], groups: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each called instruction in order, with the index of its caller's key."""
    previous, left = -1, _MAX_CALLS
    for group in groups:
        match group:
            case {"index": int(index), "instructions": list(called)} if previous < index < len(outer):
                previous = index
            case _:
                raise _malformed()
        left -= len(called)
        if left < 0:
            raise _malformed()
        programs = [_program(outer[index])]
        for instruction in called:
            height = instruction.get("stackHeight") if isinstance(instruction, dict) else None
            # Whoever is called stands one above its caller, which has called others before, or is the last called.
            if type(height) is not int or not _OUTER_HEIGHT < height <= len(programs) + 1:
                raise _malformed()
            del programs[height - 1 :]
            yield programs[-1], instruction
            programs.append(_program(instruction))


def _program(instruction: Any) -> Any:
    if not isinstance(instruction, dict):
        raise _malformed()
    return instruction.get("programIdIndex")


def _key(keys: list[Any], index: Any) -> Any:
    if type(index) is not int or not 0 <= index < len(keys):
        raise _malformed()
    return keys[index]


def _loaded(addresses: Any) -> list[Any]:
    """The keys that lookup tables gave: all that may be written, then the others."""
    match addresses:
        case None:
            return []
        case {"writable": list(writable), "readonly": list(readonly)}:
            return [*writable, *readonly]
    raise _malformed()


def _malformed() -> RpcUnavailable:
    return RpcUnavailable("an endpoint answered with a malformed transaction")
