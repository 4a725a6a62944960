"""Blocks, what their transactions did, and the newest of them by height, hash and event: what a node remembers.

Its job: keep, find, forget the oldest. It executes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from relayer.cosmos.abci import DeterministicResult, Event
from relayer.devnet.cosmwasm.headers import BlockId, Commit, Header
from relayer.devnet.cosmwasm.merkle import merkle_root

MIN_KEPT_BLOCKS: Final = 300
"""Above any lag that a fault can make."""


@dataclass(frozen=True, slots=True)
class TxResult:
    """What a transaction came to. Code 0 is success, another one is of `codespace`. Gas is the SDK's."""

    code: int
    codespace: str
    log: str
    data: bytes
    gas_wanted: int
    gas_used: int
    events: tuple[Event, ...]

    def for_hash(self) -> bytes:
        """What the next header's results hash is of."""
        return DeterministicResult(self.code, self.data, self.gas_wanted, self.gas_used).encode()


@dataclass(frozen=True, slots=True, eq=False)
class Executed:
    """A transaction in its block. `hash` is the SHA-256 of its bytes; `time_ns` the block's."""

    tx: bytes
    hash: bytes
    height: int
    index: int
    time_ns: int
    result: TxResult

    @property
    def events(self) -> dict[str, list[str]]:
        """What queries ask of: values by `type.key`, and each type alone."""
        found = events_of(self.result.events)
        found |= {"tm.event": ["Tx"], "tx.hash": [self.hash.hex().upper()], "tx.height": [str(self.height)]}
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A block. `commit` is its own, which the next one carries; `app_hash` is that of the state it leaves."""

    header: Header
    block_id: BlockId
    commit: Commit
    last_commit: Commit
    size_bytes: int
    executed: tuple[Executed, ...]
    events: tuple[Event, ...]
    app_hash: bytes

    @property
    def height(self) -> int:
        """The block's number; the first is 1."""
        return self.header.height

    def results_root(self) -> bytes:
        """What the next header holds of its results."""
        return merkle_root([executed.result.for_hash() for executed in self.executed])


class Ledger:
    """The newest blocks, oldest first."""

    def __init__(self, kept_blocks: int, kept_transactions: int) -> None:
        """Keep so many blocks; fewer, yet `MIN_KEPT_BLOCKS`, while they hold more than so many transactions."""
        self._kept_blocks = kept_blocks
        self._kept_transactions = kept_transactions
        self._blocks: dict[int, Block] = {}
        self._heights: dict[bytes, int] = {}
        self._executed: dict[bytes, Executed] = {}
        self.latest_height = 0
        self.lowest_height = 1

    def append(self, block: Block) -> None:
        """Add the next block, and forget the oldest beyond what is kept."""
        self._blocks[block.height] = block
        self._heights[block.block_id.hash] = block.height
        for executed in block.executed:
            self._executed[executed.hash] = executed
        self.latest_height = block.height
        while self._is_beyond(block.height - self.lowest_height):
            self._forget(self._blocks.pop(self.lowest_height))
            self.lowest_height += 1

    def block(self, height: int) -> Block | None:
        """The block at a height, if it is kept."""
        return self._blocks.get(height)

    def height_of(self, block_hash: bytes) -> int | None:
        """The height of the block of this hash, if it is kept."""
        return self._heights.get(block_hash)

    def find(self, tx_hash: bytes) -> Executed | None:
        """The transaction of this hash, if it is kept."""
        return self._executed.get(tx_hash)

    def executed(self, first_height: int, last_height: int) -> Iterator[Executed]:
        """All transactions of these blocks, both included, oldest first."""
        for height in range(max(first_height, self.lowest_height), last_height + 1):
            block = self._blocks.get(height)
            if block is not None:
                yield from block.executed

    def _is_beyond(self, age_blocks: int) -> bool:
        is_crowded = len(self._executed) > self._kept_transactions
        return age_blocks >= (MIN_KEPT_BLOCKS if is_crowded else self._kept_blocks)

    def _forget(self, block: Block) -> None:
        del self._heights[block.block_id.hash]
        for executed in block.executed:
            # The same bytes may have come again since: what failed before its sequence rose.
            if self._executed.get(executed.hash) is executed:
                del self._executed[executed.hash]


def events_of(events: Sequence[Event]) -> dict[str, list[str]]:
    """Values of events by `type.key`, and each type alone with no values."""
    found: dict[str, list[str]] = {}
    for event in events:
        found.setdefault(event.type, [])
        for attribute in event.attributes:
            found.setdefault(f"{event.type}.{attribute.key}", []).append(attribute.value)
    return found
