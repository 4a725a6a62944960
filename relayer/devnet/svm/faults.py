"""What tests make the chain or its node do wrong. Nothing of it happens unless a control method asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LAG_SLOTS: Final = 200
"""State of older slots is kept for a view that far behind; longer than a blockhash lives."""

MAX_SKIPPED_SLOTS: Final = 150
"""At a time: within what is kept for a view that lags."""


MAX_SECONDS_AHEAD: Final = 1_000_000


@dataclass(slots=True)
class Faults:
    """What is wrong now."""

    slots_to_skip: int = 0
    """So many slots after the open one get no block; at most `MAX_SKIPPED_SLOTS`."""

    lag_slots: int = 0
    """How far the view that clients get is behind; at most `MAX_LAG_SLOTS`."""

    seconds_ahead: int = 0
    """Of the machine's clock the chain's is; at most `MAX_SECONDS_AHEAD`."""

    hidden_signatures: range = range(0)
    """Slots whose transactions are missing from the index by address."""

    hidden_statuses: range = range(0)
    """Slots whose blocks are there before the statuses of their transactions are."""

    def hides_signatures_of(self, slot: int) -> bool:
        """Whether the index by address lacks this slot."""
        return slot in self.hidden_signatures

    def hides_statuses_of(self, slot: int) -> bool:
        """Whether this slot's block cannot be shown yet."""
        return slot in self.hidden_statuses
