"""What the gateway on a CosmWasm chain told in a block, as an outside program reads it.

Its job: a `NewBlock` event of CometBFT 0.38, turned into sightings and gas. It asks nobody.

Source: contracts/cosmwasm/schema/events.json; types/events.go of CometBFT 0.38.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from attestation.keccak import keccak256
from attestation.statement import OutcomeKind
from relayer.cosmos.tx import TxBody, TxRaw
from relayer.cosmos.wasm import MsgExecuteContract
from relayer.devnet.bench.records import Outcome, Sighting

_EMITTER: Final = "_contract_address"


@dataclass(slots=True)
class BlockTold:
    """Of one block: sightings, and the gas of all transactions to the gateway that asked for nothing."""

    height: int
    timestamp: int
    asked: list[Sighting] = field(default_factory=list)
    concluded: list[Sighting] = field(default_factory=list)
    delivered: list[Sighting] = field(default_factory=list)
    relayed_gas: int = 0


def read_block(event: Mapping[str, Any], gateway: str) -> BlockTold:
    """What the gateway, a contract in bech32, told in the block of this event."""
    block, results = event["block"], event["result_finalize_block"]["tx_results"]
    told = BlockTold(int(block["header"]["height"]), _unix_seconds(block["header"]["time"]))
    for text, result in zip(block["data"]["txs"], results, strict=True):
        raw = base64.b64decode(text)
        asked = len(told.asked)
        # What failed told nothing, and cost all the same.
        for kind, attributes in () if result["code"] else _events(result["events"], gateway):
            _note(told, kind, attributes, hashlib.sha256(raw).digest())
        if len(told.asked) == asked and _is_to(raw, gateway):
            told.relayed_gas += int(result["gas_used"])
    return told


def _events(events: list[Any], gateway: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for event in events:
        if event["type"].startswith("wasm-XVM"):
            attributes = {one["key"]: one.get("value", "") for one in event["attributes"]}
            if attributes[_EMITTER] == gateway:
                yield event["type"].removeprefix("wasm-"), attributes


def _note(told: BlockTold, kind: str, attributes: Mapping[str, str], transaction: bytes) -> None:
    match kind:
        case "XVMCallRequested":
            found, outcome = told.asked, None
        case "XVMCallConcluded":
            found, outcome = told.concluded, _concluded(attributes)
        case "XVMCallbackDelivered":
            found, outcome = told.delivered, _delivered(attributes)
        case _:
            return
    found.append(Sighting(_hex(attributes["request_id"]), transaction, told.height, outcome))


def _concluded(attributes: Mapping[str, str]) -> Outcome:
    kind = OutcomeKind(int(attributes["kind"]))
    return Outcome(kind, kind is OutcomeKind.EXECUTED, keccak256(base64.b64decode(attributes["return_data"])))


def _delivered(attributes: Mapping[str, str]) -> Outcome:
    kind = OutcomeKind(int(attributes["kind"]))
    return Outcome(kind, attributes["success"] == "true", _hex(attributes["return_data_hash"]))


def _is_to(raw: bytes, contract: str) -> bool:
    messages = TxBody.decode(TxRaw.decode(raw).body_bytes).messages
    return any(
        message.type_url == MsgExecuteContract.TYPE_URL
        and MsgExecuteContract.decode(message.value).contract == contract
        for message in messages
    )


def _unix_seconds(text: str) -> int:
    # Python reads no nanoseconds.
    whole = datetime.fromisoformat(text.partition(".")[0].removesuffix("Z"))
    return int(whole.replace(tzinfo=UTC).timestamp())


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
