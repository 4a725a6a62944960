"""What the gateway on Solana told in a block, as an outside program reads it.

Its job: a block as the RPC writes it, turned into sightings and compute units. It asks nobody.

Source: contracts/svm/xvm_gateway.idl.json, events; agave's RPC, `getBlock` with encoding `json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from solders.signature import Signature

from attestation.keccak import keccak256
from attestation.statement import OutcomeKind
from attestation.textcodecs import base58_decode
from relayer.devnet.bench.records import Outcome, Sighting

_EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")
_MAX_DATA_CHARACTERS: Final = 14_000
"""Of 10,240 bytes, which is what a call between programs carries."""

_NAME_LENGTH: Final = 8
_ID_LENGTH: Final = 32
_HASH_LENGTH: Final = 32
_FEE: Final = slice(64, 72)
"""In what was asked, behind the request's id, its account and its route."""


def _name_of(event: str) -> bytes:
    return sha256(f"event:{event}".encode()).digest()[:_NAME_LENGTH]


_REQUESTED: Final = _name_of("XVMCallRequested")
_CONCLUDED: Final = _name_of("XVMCallConcluded")
_DELIVERED: Final = _name_of("XVMCallbackDelivered")


@dataclass(slots=True)
class BlockTold:
    """Of one block: sightings, and compute units of all transactions of the gateway that asked for nothing."""

    asked: list[Sighting] = field(default_factory=list)
    concluded: list[Sighting] = field(default_factory=list)
    delivered: list[Sighting] = field(default_factory=list)
    relayed_units: int = 0


def read_block(block: Mapping[str, Any], slot: int, gateway: str) -> BlockTold:
    """What the gateway, a program in base58, told in the block of this slot."""
    told = BlockTold()
    for transaction in block["transactions"]:
        meta = transaction["meta"]
        loaded = meta["loadedAddresses"]
        keys = [*transaction["transaction"]["message"]["accountKeys"], *loaded["writable"], *loaded["readonly"]]
        if gateway not in keys:
            continue
        signature = bytes(Signature.from_string(transaction["transaction"]["signatures"][0]))
        asked = len(told.asked)
        # What failed told nothing, and cost all the same.
        for event in () if meta["err"] else _events(meta["innerInstructions"], keys.index(gateway)):
            _note(told, event, signature, slot)
        if len(told.asked) == asked:
            told.relayed_units += int(meta["computeUnitsConsumed"])
    return told


def _events(groups: list[Any], gateway: int) -> Iterator[bytes]:
    """The gateway takes an event from nobody but itself: a call of it with the tag that succeeded is one."""
    for group in groups:
        for instruction in group["instructions"]:
            if instruction["programIdIndex"] == gateway:
                data = base58_decode(instruction["data"], _MAX_DATA_CHARACTERS)
                if data.startswith(_EVENT_TAG):
                    yield data[len(_EVENT_TAG) :]


def _note(told: BlockTold, event: bytes, signature: bytes, slot: int) -> None:
    name, fields = event[:_NAME_LENGTH], event[_NAME_LENGTH:]
    request_id, rest = fields[:_ID_LENGTH], fields[_ID_LENGTH:]
    if name == _REQUESTED:
        told.asked.append(Sighting(request_id, signature, slot, fee=int.from_bytes(rest[_FEE], "little")))
    elif name == _CONCLUDED:
        told.concluded.append(Sighting(request_id, signature, slot, _concluded(rest)))
    elif name == _DELIVERED:
        kind, success, hashed = OutcomeKind(rest[0]), bool(rest[1]), rest[2 : 2 + _HASH_LENGTH]
        told.delivered.append(Sighting(request_id, signature, slot, Outcome(kind, success, hashed)))


def _concluded(fields: bytes) -> Outcome:
    """Of source gateway, kind, cut, return data, payee."""
    _, rest = _sized(fields)
    kind = OutcomeKind(rest[0])
    returned, _ = _sized(rest[2:])
    return Outcome(kind, kind is OutcomeKind.EXECUTED, keccak256(returned))


def _sized(data: bytes) -> tuple[bytes, bytes]:
    """Bytes with their length in front, and what follows them."""
    end = 4 + int.from_bytes(data[:4], "little")
    return data[4:end], data[end:]
