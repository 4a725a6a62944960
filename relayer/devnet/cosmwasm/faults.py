"""What tests make the chain or its node do wrong. Nothing of it happens unless a control method asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LAG_BLOCKS: Final = 200
"""Blocks are kept for a view that far behind."""


@dataclass(slots=True)
class Faults:
    """What is wrong now."""

    lag_blocks: int = 0
    """How far the view that clients get is behind; at most `MAX_LAG_BLOCKS`."""

    forged: range = range(0)
    """Heights whose blocks are shown as other ones than they are. Those that follow each other are linked."""

    pruned_below: int = 0
    """Blocks and states below this height are gone."""

    transactions_to_lose: int = 0
    """So many transactions are taken, as clients see it, and not heard of again, unless they are sent again."""
