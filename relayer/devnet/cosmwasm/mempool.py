"""Transactions that wait for a block, and the hashes of those that were seen.

Its job: order, bounds, and that the same bytes are taken once. Whether a transaction is good is not its concern.

Source: mempool/{clist_mempool,cache,errors}.go of CometBFT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from relayer.devnet.cosmwasm.params import MAX_TX_BYTES
from relayer.devnet.cosmwasm.transactions import Transaction

MAX_TRANSACTIONS: Final = 5_000
"""Source: `size` of CometBFT's settings."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Source: `max_txs_bytes`."""

_CACHE_SIZE: Final = 10_000


class MempoolError(Exception):
    """Why a transaction is not even looked at; the words are CometBFT's."""


@dataclass(slots=True)
class Ahead:
    """What waits of one account: how many transactions, and their fees by denomination."""

    count: int = 0
    fees: Counter[str] = field(default_factory=Counter)


class Mempool:
    """What waits, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, Transaction] = {}
        self._ahead: dict[str, Ahead] = {}
        self._seen: dict[bytes, None] = {}
        self.total_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(tuple(self._waiting.values()))

    def see(self, tx_hash: bytes, size_bytes: int) -> None:
        """Note that these bytes have come.

        Raises:
            MempoolError: they are too many, there is no room, or they came before.
        """
        if size_bytes > MAX_TX_BYTES:
            raise MempoolError(f"Tx too large. Max size is {MAX_TX_BYTES}, but got {size_bytes}")
        if len(self) >= MAX_TRANSACTIONS or self.total_bytes + size_bytes > MAX_BYTES:
            text = f"mempool is full: number of txs {len(self)} (max: {MAX_TRANSACTIONS})"
            raise MempoolError(f"{text}, total txs bytes {self.total_bytes} (max: {MAX_BYTES})")
        if tx_hash in self._seen:
            raise MempoolError("tx already exists in cache")
        self._seen[tx_hash] = None
        if len(self._seen) > _CACHE_SIZE:
            del self._seen[next(iter(self._seen))]

    def forget(self, tx_hash: bytes) -> None:
        """These bytes may come again: they were refused."""
        self._seen.pop(tx_hash, None)

    def add(self, transaction: Transaction) -> None:
        """Let a transaction wait that was found good."""
        self._waiting[transaction.hash] = transaction
        ahead = self._ahead.setdefault(transaction.signer, Ahead())
        ahead.count += 1
        ahead.fees.update(transaction.paid)
        self.total_bytes += len(transaction.raw)

    def reap(self, max_bytes: int, max_gas: int) -> list[Transaction]:
        """The oldest ones that fit into a block, in order."""
        reaped: list[Transaction] = []
        for transaction in self._waiting.values():
            max_bytes -= len(transaction.raw)
            max_gas -= transaction.fee.gas_limit
            if max_bytes < 0 or max_gas < 0:
                break
            reaped.append(transaction)
        return reaped

    def ahead_of(self, signer: str) -> Ahead:
        """What a next transaction of this account would wait behind."""
        return self._ahead.get(signer) or Ahead()

    def remove(self, tx_hash: bytes) -> None:
        """It is in a block, where its bytes stay known."""
        transaction = self._waiting.pop(tx_hash, None)
        if transaction is None:
            return
        self.total_bytes -= len(transaction.raw)
        ahead = self._ahead[transaction.signer]
        ahead.count -= 1
        ahead.fees.subtract(transaction.paid)
        if not ahead.count:
            del self._ahead[transaction.signer]

    def recheck(self, is_good: Callable[[Transaction], bool]) -> None:
        """Look at all again, each upon those before it, and drop what a block has made bad."""
        waiting = tuple(self)
        for transaction in waiting:
            self.remove(transaction.hash)
        for transaction in waiting:
            if is_good(transaction):
                self.add(transaction)
            else:
                self.forget(transaction.hash)
