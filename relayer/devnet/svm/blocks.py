"""Blocks and what landed in them, and the order of signatures by address: what a node's ledger remembers.

Its job: keep the newest slots, find by slot, signature and address, and forget the oldest. It executes nothing and
knows no commitment.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from relayer.devnet.svm.messages import MessageKeys
from relayer.devnet.svm.tokens import TokenBalance
from relayer.devnet.svm.transaction_errors import ErrorJson

MIN_KEPT_SLOTS: Final = 600
"""Twice what the status cache of a validator holds; above what any commitment or lag looks back to."""


@dataclass(frozen=True, slots=True, eq=False)
class Landed:
    """A transaction that was executed and paid for: where it stands, and what it did.

    Balances are in the order of `keys`.
    """

    signature: Signature
    transaction: VersionedTransaction
    keys: MessageKeys
    slot: int
    index: int
    time: int
    error: ErrorJson | None
    result: TransactionMetadata
    balances_before: Sequence[int]
    balances_after: Sequence[int]
    tokens_before: Sequence[TokenBalance]
    tokens_after: Sequence[TokenBalance]
    changed: Sequence[Pubkey]

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of all: the slot, and which of the slot's it is."""
        return self.slot, self.index


@dataclass(slots=True, eq=False)
class Block:
    """A block. The open one has no hash yet: `blockhash` is None until its slot closes. `time` is in Unix seconds."""

    slot: int
    parent_slot: int
    height: int
    previous_blockhash: Hash
    time: int
    transactions_before: int
    blockhash: Hash | None = None
    landed: list[Landed] = field(default_factory=list)


class Ledger:
    """The newest slots' blocks, oldest first, the last one open."""

    def __init__(self, first: Block, kept_slots: int, kept_transactions: int) -> None:
        """Keep so many slots; fewer, yet at least `MIN_KEPT_SLOTS`, while they hold more than so many transactions."""
        self._kept_slots = kept_slots
        self._kept_transactions = kept_transactions
        self._blocks: dict[int, Block] = {}
        self._slots: list[int] = []
        self._by_signature: dict[Signature, Landed] = {}
        self._by_address: dict[Pubkey, list[Landed]] = {}
        self.append(first)

    @property
    def open(self) -> Block:
        """The block that transactions go into now."""
        return self._blocks[self._slots[-1]]

    @property
    def first_slot(self) -> int:
        """The oldest slot that is kept."""
        return self._slots[0]

    def append(self, block: Block) -> None:
        """Open the next block, and forget the oldest beyond what is kept."""
        self._slots.append(block.slot)
        self._blocks[block.slot] = block
        while self._is_beyond(block.slot - self._slots[0]):
            self._forget(self._blocks.pop(self._slots.pop(0)))

    def land(self, landed: Landed) -> None:
        """Add to the open block."""
        self.open.landed.append(landed)
        self._by_signature[landed.signature] = landed
        for key in set(landed.keys.all):
            self._by_address.setdefault(key, []).append(landed)

    def block(self, slot: int) -> Block | None:
        """The block of a slot, if it has one that is kept."""
        return self._blocks.get(slot)

    def block_at_or_below(self, slot: int) -> Block:
        """The newest block up to a slot; the oldest one kept if all are newer."""
        return self._blocks[self._slots[max(bisect_right(self._slots, slot) - 1, 0)]]

    def blocks_between(self, first: int, last: int) -> Iterator[Block]:
        """Blocks from slot `first` to `last`, both included, oldest first."""
        for place in range(bisect_left(self._slots, first), bisect_right(self._slots, last)):
            yield self._blocks[self._slots[place]]

    def find(self, signature: Signature) -> Landed | None:
        """The transaction of this signature, if it is kept."""
        return self._by_signature.get(signature)

    def of_address(self, key: Pubkey) -> Sequence[Landed]:
        """What names or loads this account, oldest first."""
        return self._by_address.get(key, ())

    def _is_beyond(self, age_slots: int) -> bool:
        """Whether a block of this age is to be forgotten."""
        is_crowded = len(self._by_signature) > self._kept_transactions
        return age_slots >= (MIN_KEPT_SLOTS if is_crowded else self._kept_slots)

    def _forget(self, block: Block) -> None:
        for landed in block.landed:
            del self._by_signature[landed.signature]
            for key in set(landed.keys.all):
                kept = self._by_address[key]
                # The oldest of all is the oldest of each of its accounts.
                kept.pop(0)
                if not kept:
                    del self._by_address[key]
