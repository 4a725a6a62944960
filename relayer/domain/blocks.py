"""Where something stands on a chain.

Its job: blocks and places in them as values. A bare height is never carried: a height without its hash names one
block on each fork.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class BlockRef:
    """One block of one fork: `number` as the chain's own RPC reports it, `hash` its 32-byte block hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Location:
    """The place of a log: its block, the transaction's index in it, the log's index within that receipt."""

    block: BlockRef
    tx_index: int
    log_index: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What a chain reports now: its tip, and the highest block that the chain's finality rule calls final."""

    tip: BlockRef
    final_number: int
