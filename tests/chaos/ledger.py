"""What the chains say of every request: the only measure of a storm.

Its job: read blocks and logs past all nodes and proxies, follow reorgs, and put together each request's life as it
stands on the chains now. It judges nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_abi.abi import decode

from attestation.keccak import keccak256
from relayer.vms.evm import interface
from tests.chaos.load import Asked, Load, Side

BLOCKS_AT_ONCE = 50

_REQUEST_TYPE = (
    "(bytes,bytes,bytes,bytes,uint64,uint8,bool,bytes,uint64,uint64,uint32,uint64,uint256,uint256,bytes32,uint32,bytes)"
)


def _topic(signature: str) -> str:
    return f"0x{keccak256(signature.encode()).hex()}"


REQUESTED = _topic(interface.CALL_REQUESTED)
CONCLUDED = _topic(interface.CALL_CONCLUDED)
DELIVERED = _topic(interface.CALLBACK_DELIVERED)
HANDLER_FAILED = _topic(interface.HANDLER_FAILED)
CANCELLED = _topic(interface.CANCELLED)
INCREMENTED = _topic("Incremented(uint256,address,uint256,bytes)")
CALLED = _topic("Called(uint256,bool,bytes)")


class Place(NamedTuple):
    """Where a log stands, and the seconds of its block. Places of a chain sort as its logs do."""

    number: int
    log_index: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Requested:
    """The request as it was asked on the final chain."""

    place: Place
    tx_hash: str
    sender: bytes
    target: bytes
    nonce: int
    expiry: int
    is_ordered: bool


@dataclass(frozen=True, slots=True)
class Concluded:
    """The destination gateway's receipt."""

    place: Place
    kind: int
    cut: bool
    return_data: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The source gateway's word that the callback ran, or that its handler failed."""

    place: Place
    kind: int
    success: bool
    word: bytes
    is_handler_failed: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """The target ran: its own word."""

    place: Place
    count: int
    sender: bytes


@dataclass(frozen=True, slots=True)
class Called:
    """The asking contract was called back: its own word."""

    success: bool
    return_data: bytes


@dataclass(slots=True)
class Life:
    """All that both chains hold of one request. `source` and `destination` are names of chains."""

    request_id: bytes
    source: str = ""
    destination: str = ""
    asked: Asked | None = None
    requested: list[Requested] = field(default_factory=list)
    concluded: list[Concluded] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    cancelled: int = 0
    ran: list[Ran] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)


class Block(NamedTuple):
    """One block of the chain as it is now."""

    hash: str
    timestamp: int
    logs: list[dict[str, Any]]


class ChainRecord:
    """One chain's blocks and watched logs. `refresh` reads again only blocks less than `depth` under the tip."""

    def __init__(self, side: Side, start: int, depth: int) -> None:
        self._side = side
        self._next = start
        self._start = start
        self._depth = depth
        self.blocks: dict[int, Block] = {}

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read what is new, and again what may have changed."""
        tip = await self._side.rpc.number()
        first = self._start if from_start else max(min(self._next, tip + 1) - self._depth, self._start)
        for number in [number for number in self.blocks if number >= first]:
            del self.blocks[number]
        for start in range(first, tip + 1, BLOCKS_AT_ONCE):
            await self._read(start, min(start + BLOCKS_AT_ONCE - 1, tip))
        self._next = tip + 1

    async def _read(self, first: int, last: int) -> None:
        span = {"address": self._side.watched, "fromBlock": hex(first), "toBlock": hex(last)}
        calls = [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        *headers, logs = await self._side.rpc.batch([*calls, ("eth_getLogs", [span])])
        by_number = defaultdict(list)
        for log in logs if isinstance(logs, list) else ():
            by_number[int(log["blockNumber"], 16)].append(log)
        for header in headers:
            if isinstance(header, dict):  # a reorg is under way where it is not
                number = int(header["number"], 16)
                self.blocks[number] = Block(header["hash"], int(header["timestamp"], 16), by_number[number])

    def logs(self, *topics: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Those with one of these first topics, in order."""
        for number in sorted(self.blocks):
            block = self.blocks[number]
            for log in block.logs:
                if log["topics"][0] in topics:
                    yield Place(number, int(log["logIndex"], 16), block.timestamp), log

    def ids(self, *topics: str) -> set[str]:
        """Which requests such logs speak of."""
        return {log["topics"][1] for _, log in self.logs(*topics)}

    @property
    def tip(self) -> int:
        """The newest block that was read."""
        return self._next - 1


class Ledger:
    """Both chains."""

    def __init__(self, load: Load, starts: dict[str, int], depth: int) -> None:
        self._load = load
        self.chains = {name: ChainRecord(side, starts[name], depth + 2) for name, side in load.sides.items()}

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read both."""
        for chain in self.chains.values():
            await chain.refresh(from_start=from_start)

    def counts(self) -> tuple[int, int, int]:
        """How many requests were asked, executed somewhere, called back, as the chains are now."""
        chains = self.chains.values()
        return (
            sum(len(chain.ids(REQUESTED)) for chain in chains),
            sum(len(chain.ids(CONCLUDED)) for chain in chains),
            sum(len(chain.ids(DELIVERED, HANDLER_FAILED)) for chain in chains),
        )

    @property
    def is_ended(self) -> bool:
        """Whether every request that stands on a chain has its callback there."""
        return all(
            chain.ids(REQUESTED) <= chain.ids(DELIVERED, HANDLER_FAILED, CANCELLED) for chain in self.chains.values()
        )

    def lives(self) -> dict[bytes, Life]:
        """Every request that any log of any chain speaks of."""
        lives: dict[bytes, Life] = {}
        for name, chain in self.chains.items():
            other = next(it for it in self.chains if it != name)
            for place, log in chain.logs(REQUESTED, CONCLUDED, DELIVERED, HANDLER_FAILED, CANCELLED, CALLED):
                identifier = bytes.fromhex(log["topics"][1][2:])
                life = lives.setdefault(identifier, Life(identifier))
                self._take_in(life, name, other, place, log)
            for place, log in chain.logs(INCREMENTED):
                count, _, number, sender = decode(["uint256", "address", "uint256", "bytes"], _data(log))
                identifier = number.to_bytes(32, "big")
                lives.setdefault(identifier, Life(identifier)).ran.append(Ran(place, count, sender))
        return lives

    def _take_in(self, life: Life, name: str, other: str, place: Place, log: dict[str, Any]) -> None:
        data = _data(log)
        match log["topics"][0]:
            case topic if topic == REQUESTED:
                request, _, _ = decode([_REQUEST_TYPE, "uint256", "uint64"], data)
                _, sender, _, target, nonce, *_ = request
                life.source, life.destination = name, other
                life.asked = self._load.asked.get(log["transactionHash"])
                seen = Requested(place, log["transactionHash"], sender, target, nonce, request[11], request[12] != 0)
                life.requested.append(seen)
            case topic if topic == CONCLUDED:
                _, kind, cut, return_data, _ = decode(["bytes", "uint8", "bool", "bytes", "bytes32"], data)
                life.concluded.append(Concluded(place, kind, cut, return_data))
            case topic if topic in {DELIVERED, HANDLER_FAILED}:
                kind, success, word, _ = decode(["uint8", "bool", "bytes32", "address"], data)
                life.delivered.append(Delivered(place, kind, success, word, topic == HANDLER_FAILED))
            case topic if topic == CANCELLED:
                life.cancelled += 1
            case _:
                life.called.append(Called(*decode(["bool", "bytes"], data)))


def ordered_lines(lives: Iterable[Life]) -> dict[tuple[str, bytes], list[Life]]:
    """The ordered requests of each sender from each chain, in the order of asking."""
    lines: dict[tuple[str, bytes], list[Life]] = defaultdict(list)
    for life in lives:
        if life.requested and life.requested[0].is_ordered:
            lines[life.source, life.requested[0].sender].append(life)
    return {key: sorted(line, key=lambda life: life.requested[0].nonce) for key, line in lines.items()}


def counted_at(counts: Sequence[tuple[int, int]], block_number: int) -> int:
    """A counter's value after this block; `counts` are (block number, value) in order."""
    return next((value for number, value in reversed(counts) if number <= block_number), 0)


def _data(log: dict[str, Any]) -> bytes:
    return bytes.fromhex(log["data"][2:])
