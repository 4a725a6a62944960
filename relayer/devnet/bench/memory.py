"""What the relayers' memory does under a load: how large it gets, and whether it grows with what was done.

Its job: samples, and a straight line through them. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import psutil

MIN_SAMPLES: Final = 10
"""Fewer make no line."""

_WARM_SHARE: Final = 3
"""One third of the requests is warm-up: caches fill, the allocator takes what it will need."""


class MemoryWatch:
    """Resident memory of processes, in bytes, each time `sample` is called."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._done: list[int] = []
        self._sizes: list[list[int]] = [[] for _ in self._processes]

    def sample(self, done: int) -> None:
        """Look now, when so many requests have been called back."""
        self._done.append(done)
        for sizes, process in zip(self._sizes, self._processes, strict=True):
            sizes.append(process.memory_info().rss)

    @property
    def peak_bytes(self) -> int:
        """The largest that was seen, of any process; 0 before the first sample."""
        return max((size for sizes in self._sizes for size in sizes), default=0)

    @property
    def growth(self) -> float | None:
        """Bytes per 1,000 requests after the warm-up, of the process that grows most; None with too few samples."""
        warm = max(self._done, default=0) // _WARM_SHARE
        # What stands still at the end would make any line flatter than it is.
        places = [place for place, done in enumerate(self._done) if warm <= done and self._is_news(place)]
        if len(places) < MIN_SAMPLES:
            return None
        done = [self._done[place] for place in places]
        return max(1000 * _slope(done, [sizes[place] for place in places]) for sizes in self._sizes)

    def _is_news(self, place: int) -> bool:
        return place == 0 or self._done[place] > self._done[place - 1]


def _slope(across: Sequence[float], up: Sequence[float]) -> float:
    """Of the straight line with the smallest squares."""
    count = len(across)
    middle, height = sum(across) / count, sum(up) / count
    spread = sum((x - middle) ** 2 for x in across)
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread
