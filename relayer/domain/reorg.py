"""The part of a chain that is seen and not final yet, as this node follows it.

Its job: say whether new blocks extend what was seen, what becomes final, and what a reorg undoes. Pure; it fetches
nothing and decides about no request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relayer.domain.blocks import BlockRef
from relayer.domain.observations import ObservedBlock


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """A block that was taken in and is not final yet. `timestamp` in seconds."""

    ref: BlockRef
    parent_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class ChainCursor:
    """How far a chain (CAIP-2) has been taken in: all final blocks up to `final`, and `seen` above it, linked."""

    chain: str
    final: BlockRef
    seen: tuple[SeenBlock, ...] = ()

    @property
    def tip(self) -> BlockRef:
        """The newest block taken in."""
        return self.seen[-1].ref if self.seen else self.final

    def is_extended_by(self, blocks: Sequence[ObservedBlock]) -> bool:
        """Whether the first of these linked blocks stands on our tip. Some chains skip numbers: the hash tells."""
        first = blocks[0]
        return first.ref.number > self.tip.number and first.parent_hash == self.tip.hash

    def extend(self, blocks: Sequence[ObservedBlock]) -> ChainCursor:
        """With these blocks on top; the caller has checked that they stand there."""
        new = tuple(SeenBlock(block.ref, block.parent_hash, block.timestamp) for block in blocks)
        return replace(self, seen=self.seen + new)

    def newly_final(self, final_number: int) -> tuple[SeenBlock, ...]:
        """The seen blocks that this height makes final, ascending."""
        return tuple(block for block in self.seen if block.ref.number <= final_number)

    def finalise(self, final_number: int) -> ChainCursor:
        """With everything up to this height final."""
        final = self.newly_final(final_number)
        return replace(self, final=final[-1].ref, seen=self.seen[len(final) :]) if final else self

    def above(self, number: int) -> tuple[SeenBlock, ...]:
        """The seen blocks above a height: what a rewind to it drops."""
        return tuple(block for block in self.seen if block.ref.number > number)

    def rewind(self, number: int) -> ChainCursor:
        """Without them."""
        return replace(self, seen=tuple(block for block in self.seen if block.ref.number <= number))
