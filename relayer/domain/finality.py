"""When a block is final.

Its job: turn a chain's finality rule into a height. SECURITY: nothing non-final is ever signed; every path to a
signature goes through `final_number`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FinalityTag(StrEnum):
    """The block tags by which a chain itself says what is final."""

    SAFE = "safe"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """Exactly one of: a depth in blocks under the tip, or a block tag that the chain reports.

    `depth_blocks` = 0 means that the tip itself is final (chains with instant finality).
    """

    depth_blocks: int | None = None
    tag: FinalityTag | None = None

    def __post_init__(self) -> None:
        if (self.depth_blocks is None) == (self.tag is None):
            raise ValueError("a finality rule is either a depth or a tag")
        if self.depth_blocks is not None and self.depth_blocks < 0:
            raise ValueError("finality depth cannot be negative")

    def final_number(self, tip_number: int, tagged_number: int | None) -> int:
        """The highest final block number, -1 when there is none yet. `tagged_number` is needed for a tag rule only."""
        if self.depth_blocks is not None:
            return max(tip_number - self.depth_blocks, -1)
        if tagged_number is None:
            return -1
        # A tag above the tip is an endpoint contradicting itself: the tip bounds it.
        return min(tagged_number, tip_number)
