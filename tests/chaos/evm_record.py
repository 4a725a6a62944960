"""What an EVM chain told: blocks and logs, read past all nodes and proxies, reorgs followed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from eth_abi.abi import decode

from attestation.keccak import keccak256
from relayer.vms.evm import interface
from tests.chaos.rpc import ChainRpc
from tests.chaos.sightings import Called, Cancelled, Concluded, Delivered, Place, Ran, Requested, Sighting

BLOCKS_AT_ONCE = 50

_REQUEST_TYPE = (
    "(bytes,bytes,bytes,bytes,uint64,uint8,bool,bytes,uint64,uint64,uint32,uint64,uint256,uint256,bytes32,uint32,bytes)"
)


def _topic(signature: str) -> str:
    return f"0x{keccak256(signature.encode()).hex()}"


_REQUESTED = _topic(interface.CALL_REQUESTED)
_CONCLUDED = _topic(interface.CALL_CONCLUDED)
_DELIVERED = _topic(interface.CALLBACK_DELIVERED)
_HANDLER_FAILED = _topic(interface.HANDLER_FAILED)
_CANCELLED = _topic(interface.CANCELLED)
_INCREMENTED = _topic("Incremented(uint256,address,uint256,bytes)")
_CALLED = _topic("Called(uint256,bool,bytes)")
_TOPICS: dict[type[Sighting], tuple[str, ...]] = {
    Requested: (_REQUESTED,),
    Concluded: (_CONCLUDED,),
    Delivered: (_DELIVERED, _HANDLER_FAILED),
    Cancelled: (_CANCELLED,),
    Called: (_CALLED,),
}


class Block(NamedTuple):
    """One block of the chain as it is now."""

    timestamp: int
    logs: list[dict[str, Any]]


class EvmRecord:
    """Implements the port `ChainRecord`. `refresh` reads again only blocks less than `depth` under the tip."""

    def __init__(self, rpc: ChainRpc, watched: Sequence[str], start: int, depth: int) -> None:
        self._rpc = rpc
        self._watched = list(watched)
        self._next = start
        self._start = start
        self._depth = depth
        self._blocks: dict[int, Block] = {}
        self._drifts: dict[int, int] = {}
        """How far the chain's clock was behind the machine's when a block was first read."""
        self._counts: list[tuple[int, int]] = []

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read what is new, and again what may have changed."""
        tip = await self._rpc.number()
        first = self._start if from_start else max(min(self._next, tip + 1) - self._depth, self._start)
        for number in [number for number in self._blocks if number >= first]:
            del self._blocks[number]
        for start in range(first, tip + 1, BLOCKS_AT_ONCE):
            await self._read(start, min(start + BLOCKS_AT_ONCE - 1, tip))
        self._next = tip + 1
        if tip in self._blocks:
            drift = int(time.time()) - self._blocks[tip].timestamp
            for number in range(first, tip + 1):
                self._drifts.setdefault(number, drift)
        self._counts = [(place.number, int(log["data"][2:66], 16)) for place, log in self._logs(_INCREMENTED)]

    async def _read(self, first: int, last: int) -> None:
        span = {"address": self._watched, "fromBlock": hex(first), "toBlock": hex(last)}
        calls = [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        *headers, logs = await self._rpc.batch([*calls, ("eth_getLogs", [span])])
        by_number = defaultdict(list)
        for log in logs if isinstance(logs, list) else ():
            by_number[int(log["blockNumber"], 16)].append(log)
        for header in headers:
            if isinstance(header, dict):  # a reorg is under way where it is not
                number = int(header["number"], 16)
                self._blocks[number] = Block(int(header["timestamp"], 16), by_number[number])

    def ids(self, kind: type[Sighting]) -> set[bytes]:
        """By the first indexed word of such logs."""
        return {_word(log) for _, log in self._logs(*_TOPICS[kind])}

    def ended(self) -> set[bytes]:
        """Called back, whatever the handler did, or given up."""
        return self.ids(Delivered) | self.ids(Cancelled)

    def sightings(self) -> Iterator[tuple[bytes, Sighting]]:
        """All of it."""
        for place, log in self._logs(*(topic for topics in _TOPICS.values() for topic in topics)):
            yield _word(log), _sighting(place, log)
        for place, log in self._logs(_INCREMENTED):
            count, _, number, sender = decode(["uint256", "address", "uint256", "bytes"], _data(log))
            yield number.to_bytes(32, "big"), Ran(place, count, sender)

    def counts_between(self, asked: Place, told: Place) -> range:
        """One: that at the parent of the first block here that is later than the asking block."""
        del told
        later = next(number for number in sorted(self._blocks) if self._blocks[number].timestamp > asked.timestamp)
        count = next((value for number, value in reversed(self._counts) if number < later), 0)
        return range(count, count + 1)

    def _logs(self, *topics: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Those with one of these first topics, in order."""
        for number in sorted(self._blocks):
            block = self._blocks[number]
            for log in block.logs:
                if log["topics"][0] in topics:
                    clock = block.timestamp + self._drifts.get(number, 0)
                    yield Place(number, int(log["logIndex"], 16), block.timestamp, clock), log


def _sighting(place: Place, log: dict[str, Any]) -> Sighting:
    data = _data(log)
    match log["topics"][0]:
        case topic if topic == _REQUESTED:
            request, _, _ = decode([_REQUEST_TYPE, "uint256", "uint64"], data)
            _, sender, _, target, nonce, *_ = request
            return Requested(place, log["transactionHash"], sender, target, nonce, request[11], request[12] != 0)
        case topic if topic == _CONCLUDED:
            _, kind, cut, return_data, _ = decode(["bytes", "uint8", "bool", "bytes", "bytes32"], data)
            return Concluded(place, kind, cut, return_data)
        case topic if topic in {_DELIVERED, _HANDLER_FAILED}:
            kind, success, word, _ = decode(["uint8", "bool", "bytes32", "address"], data)
            return Delivered(place, kind, success, word, topic == _HANDLER_FAILED)
        case topic if topic == _CANCELLED:
            return Cancelled()
        case _:
            return Called(*decode(["bool", "bytes"], data))


def _word(log: dict[str, Any]) -> bytes:
    return bytes.fromhex(log["topics"][1][2:])


def _data(log: dict[str, Any]) -> bytes:
    return bytes.fromhex(log["data"][2:])
