"""What a Solana chain told: the gateway's events and what it called, block by block, past all nodes and proxies.

What is confirmed on a devnet's chain stays, so that every block is read once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

from solders.pubkey import Pubkey

from attestation.statement import OutcomeKind
from attestation.textcodecs import base58_decode
from tests.chaos.rpc import ChainRpc, RpcFault
from tests.chaos.sightings import Called, Cancelled, Concluded, Delivered, Place, Ran, Requested, Sighting
from tests.svm.program import idl

SLOTS_AT_ONCE: Final = 50

AGE_SECONDS: Final = 25
"""What a node calls finalized is younger than that: its finality, the devnet's lag, a stall, clocks that are apart."""

_MAX_DATA_CHARACTERS: Final = 20_000
_ID_LENGTH: Final = 32
_SKIPPED_SLOT: Final = -32007
_TERMS: Final = {
    "encoding": "json",
    "transactionDetails": "full",
    "rewards": False,
    "maxSupportedTransactionVersion": 0,
    "commitment": "confirmed",
}
_COUNTER, _ASKER = idl.EXAMPLES["counter"], idl.EXAMPLES["asker"]
_INCREMENT: Final = bytes(_COUNTER.instructions["increment"]["discriminator"])
_CALLBACK: Final = bytes(_ASKER.instructions["xvm_callback"]["discriminator"])
_UNORDERED: Final = bytes(_ID_LENGTH)


class SvmRecord:
    """Implements the port `ChainRecord`. `is_hostile` says of an asking transaction that its handler will refuse."""

    def __init__(self, rpc: ChainRpc, gateway: Pubkey, start: int, is_hostile: Callable[[str], bool]) -> None:
        self._rpc = rpc
        self._gateway = str(gateway)
        self._next = start
        self._reading = asyncio.Lock()
        """Each block is taken in once, whoever refreshes."""
        self._is_hostile = is_hostile
        self._told: list[tuple[bytes, Sighting]] = []
        self._ids: defaultdict[type[Sighting], set[bytes]] = defaultdict(set)
        self._recorded: Counter[bytes] = Counter()
        self._outcomes: list[tuple[bytes, Delivered]] = []
        self._hostile: set[bytes] = set()
        self._runs: list[int] = []

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read what is new, up to the first block that the node does not show at the moment."""
        del from_start  # nothing changes here
        async with self._reading:
            await self._read_on()

    async def _read_on(self) -> None:
        tip = await self._rpc.number()
        while self._next <= tip:
            last = min(self._next + SLOTS_AT_ONCE - 1, tip)
            slots = await self._rpc.call("getBlocks", self._next, last, {"commitment": "confirmed"})
            for slot, block in zip(
                slots, await self._rpc.batch([("getBlock", [s, _TERMS]) for s in slots]), strict=True
            ):
                if isinstance(block, RpcFault):
                    return
                self._read(slot, block)
                self._next = slot + 1
            self._next = last + 1

    def ids(self, kind: type[Sighting]) -> set[bytes]:
        """Which requests it told this of."""
        return self._ids[kind]

    def ended(self) -> set[bytes]:
        """Called back, given up, or recorded for a handler that will never take it."""
        return self._ids[Called] | self._ids[Cancelled] | self._ids[Delivered] | (self._hostile & self._recorded.keys())

    def sightings(self) -> Iterator[tuple[bytes, Sighting]]:
        """All of it. What is recorded and not called back is a handler's failure; so is what is recorded again."""
        yield from self._told
        seen: set[bytes] = set()
        for identifier, outcome in self._outcomes:
            if identifier in seen or identifier not in self._ids[Delivered]:
                yield identifier, outcome
            seen.add(identifier)

    def counts_between(self, asked: Place, told: Place) -> range:
        """All that were final, at one node or another, in between."""
        first = sum(clock < asked.clock - AGE_SECONDS for clock in self._runs)
        return range(first, sum(clock <= told.clock + AGE_SECONDS for clock in self._runs) + 1)

    @property
    def runs(self) -> int:
        """How often the counter counted."""
        return len(self._runs)

    def _read(self, slot: int, block: dict[str, Any]) -> None:
        for position, transaction in enumerate(block["transactions"]):
            meta = transaction["meta"]
            if meta["err"] is None:
                place = Place(slot, position, block["blockTime"], block["blockTime"])
                self._take_in(place, transaction["transaction"], meta)

    def _take_in(self, place: Place, transaction: dict[str, Any], meta: dict[str, Any]) -> None:
        loaded = meta["loadedAddresses"]
        keys = [*transaction["message"]["accountKeys"], *loaded["writable"], *loaded["readonly"]]
        ran: list[int] = []
        for inner in meta["innerInstructions"]:
            for instruction in inner["instructions"]:
                program = keys[instruction["programIdIndex"]]
                if program not in {self._gateway, str(_COUNTER.address), str(_ASKER.address)}:
                    continue
                data = base58_decode(instruction["data"], _MAX_DATA_CHARACTERS)
                if program == self._gateway and data.startswith(idl.EVENT_TAG):
                    self._note(place, *idl.decode_event(data), transaction["signatures"][0], ran)
                elif program == str(_COUNTER.address) and data.startswith(_INCREMENT):
                    self._runs.append(place.clock)
                    ran.append(len(self._runs))
                elif program == str(_ASKER.address) and data.startswith(_CALLBACK):
                    self._note_callback(data[len(_CALLBACK) :])

    def _note(self, place: Place, name: str, fields: dict[str, Any], transaction: str, ran: list[int]) -> None:
        if name == "XVMEpochApplied":
            return
        identifier = bytes(fields["request_id"])
        match name:
            case "XVMCallRequested":
                request = fields["request"]
                is_ordered = bytes(request["ordered_after"]) != _UNORDERED
                sender, target = bytes(request["sender"]), bytes(request["target"])
                terms = (request["nonce"], request["expiry"], is_ordered)
                self._tell(identifier, Requested(place, transaction, sender, target, *terms))
                if self._is_hostile(transaction):
                    self._hostile.add(identifier)
            case "XVMCallConcluded":
                receipt = Concluded(place, fields["kind"], fields["cut"], bytes(fields["return_data"]))
                self._tell(identifier, receipt)
                for count in ran:
                    self._tell(identifier, Ran(place, count, None))
                ran.clear()
            case "XVMOutcomeRecorded":
                self._recorded[identifier] += 1
                kind, word = fields["kind"], bytes(fields["return_data_hash"])
                outcome = Delivered(place, kind, kind == OutcomeKind.EXECUTED, word, is_handler_failed=True)
                self._outcomes.append((identifier, outcome))
            case "XVMCallbackDelivered":
                word = bytes(fields["return_data_hash"])
                told = Delivered(place, fields["kind"], fields["success"], word, is_handler_failed=False)
                self._tell(identifier, told)
            case "XVMCancelled":
                self._tell(identifier, Cancelled())

    def _note_callback(self, arguments: bytes) -> None:
        length = int.from_bytes(arguments[_ID_LENGTH + 1 : _ID_LENGTH + 5], "little")
        return_data = arguments[_ID_LENGTH + 5 :]
        assert len(return_data) == length
        self._tell(arguments[:_ID_LENGTH], Called(bool(arguments[_ID_LENGTH]), return_data))

    def _tell(self, identifier: bytes, sighting: Sighting) -> None:
        self._told.append((identifier, sighting))
        self._ids[type(sighting)].add(identifier)
