"""What a CosmWasm chain told: its blocks' events, read past all nodes and proxies. They stay."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from tests.chaos.rpc import ChainRpc, RpcFault
from tests.chaos.sightings import Called, Cancelled, Concluded, Delivered, Place, Ran, Requested, Sighting

_EMITTER: Final = "_contract_address"
_UNORDERED: Final = "0x" + "0" * 64


class CosmWasmRecord:
    """Implements the port `ChainRecord`. Contracts are given in bech32."""

    def __init__(self, rpc: ChainRpc, gateway: str, counter: str, askers: Collection[str], start: int) -> None:
        self._rpc = rpc
        self._gateway, self._counter, self._askers = gateway, counter, askers
        self._next = start
        self._reading = asyncio.Lock()
        """Each block is taken in once, whoever refreshes."""
        self._told: list[tuple[bytes, Sighting]] = []
        self._ids: defaultdict[type[Sighting], set[bytes]] = defaultdict(set)
        self._timestamps: dict[int, int] = {}
        self._counts: list[tuple[int, int]] = []

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read what is new, up to the first block that the node does not show at the moment."""
        del from_start  # nothing changes here
        async with self._reading:
            tip = await self._rpc.number()
            while self._next <= tip:
                height = str(self._next)
                block, results = await self._rpc.batch([("block", [height]), ("block_results", [height])])
                if isinstance(block, RpcFault) or isinstance(results, RpcFault):
                    return
                self._read(self._next, block["block"], results["txs_results"] or [])
                self._next += 1

    def ids(self, kind: type[Sighting]) -> set[bytes]:
        """Which requests it told this of."""
        return self._ids[kind]

    def ended(self) -> set[bytes]:
        """Called back, whatever the handler did, or given up."""
        return self._ids[Delivered] | self._ids[Cancelled]

    def sightings(self) -> Iterator[tuple[bytes, Sighting]]:
        """All of it."""
        yield from self._told

    def counts_between(self, asked: Place, told: Place) -> range:
        """One: that at the parent of the first block here that is later than the asking block."""
        del told
        later = next(number for number in sorted(self._timestamps) if self._timestamps[number] > asked.timestamp)
        count = next((value for number, value in reversed(self._counts) if number < later), 0)
        return range(count, count + 1)

    @property
    def runs(self) -> int:
        """How often the counter counted."""
        return len(self._counts)

    def _read(self, height: int, block: dict[str, Any], results: list[dict[str, Any]]) -> None:
        # Python reads no nanoseconds.
        whole = datetime.fromisoformat(block["header"]["time"].partition(".")[0].removesuffix("Z"))
        timestamp = self._timestamps[height] = int(whole.replace(tzinfo=UTC).timestamp())
        index = 0
        for text, result in zip(block["data"]["txs"], results, strict=True):
            transaction = hashlib.sha256(base64.b64decode(text)).hexdigest()
            ran: list[int] = []
            for event in result["events"] if result["code"] == 0 else ():
                fields = {attribute["key"]: attribute.get("value", "") for attribute in event["attributes"]}
                place = Place(height, index, timestamp, timestamp)
                self._note(place, event["type"], fields, transaction, ran)
                index += 1

    def _note(self, place: Place, kind: str, fields: dict[str, str], transaction: str, ran: list[int]) -> None:
        emitter = fields.get(_EMITTER)
        if emitter == self._counter and kind == "wasm-counted":
            ran.append(int(fields["count"]))
            self._counts.append((place.number, ran[-1]))
        elif emitter in self._askers and kind == "wasm-told":
            told = Called(fields["success"] == "true", base64.b64decode(fields["return_data"]))
            self._tell(_hex(fields["request_id"]), told)
        elif emitter == self._gateway and "request_id" in fields:
            self._note_gateway(place, kind.removeprefix("wasm-"), fields, transaction, ran)

    def _note_gateway(self, place: Place, name: str, fields: dict[str, str], transaction: str, ran: list[int]) -> None:
        identifier = _hex(fields["request_id"])
        match name:
            case "XVMCallRequested":
                request = json.loads(fields["request"])
                terms = (int(request["nonce"]), int(request["expiry"]), request["ordered_after"] != _UNORDERED)
                parties = (_hex(request["sender"]), _hex(request["target"]))
                self._tell(identifier, Requested(place, transaction, *parties, *terms))
            case "XVMCallConcluded":
                data = base64.b64decode(fields["return_data"])
                self._tell(identifier, Concluded(place, int(fields["kind"]), fields["cut"] == "true", data))
                # Of each item the target runs first, then its receipt is told.
                for count in ran:
                    self._tell(identifier, Ran(place, count, None))
                ran.clear()
            case "XVMCallbackDelivered" | "XVMHandlerFailed":
                is_failed = name == "XVMHandlerFailed"
                word = _hex(fields["outcome_hash" if is_failed else "return_data_hash"])
                success = fields["success"] == "true"
                self._tell(identifier, Delivered(place, int(fields["kind"]), success, word, is_failed))
            case "XVMCancelled":
                self._tell(identifier, Cancelled())

    def _tell(self, identifier: bytes, sighting: Sighting) -> None:
        self._told.append((identifier, sighting))
        self._ids[type(sighting)].add(identifier)


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
