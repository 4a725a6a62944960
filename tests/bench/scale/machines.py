"""The parts that requests queue at: processes with one core each, and what they used up.

Its job: first come, first served, and an exact account. It knows no protocol.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[float], object]
"""What happens at a time (seconds)."""


class Timeline:
    """Events in the order of their times; of equal times in the order in which they were planned."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def at(self, time: float, act: Action) -> None:
        """Plan one."""
        heapq.heappush(self._events, (time, next(self._numbers), act))

    def run_until(self, end: float) -> None:
        """Let all happen that is due by then. What is planned for later never does."""
        while self._events and self._events[0][0] <= end:
            time, _, act = heapq.heappop(self._events)
            act(time)


@dataclass(slots=True)
class Process:
    """One process of a node. `busy_seconds` is the work it was given, `free_at` when it will have done it."""

    free_at: float = 0.0
    busy_seconds: float = 0.0
    commits: float = 0.0
    exchanges: float = 0.0
    attestations: int = 0
    signed: int = 0

    def work(self, now: float, milliseconds: float) -> float:
        """Take on work at `now`; when it is done."""
        seconds = milliseconds / 1000
        self.busy_seconds += seconds
        self.free_at = max(now, self.free_at) + seconds
        return self.free_at
