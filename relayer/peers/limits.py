"""How much one peer may ask of this node, and how an old message is told from a new one. Pure: time is an argument."""

from __future__ import annotations

import heapq
from typing import Final

MESSAGES_PER_SECOND: Final = 100.0
MESSAGES_BURST: Final = 200.0
"""An honest peer pushes once a round of signing, pings every few seconds, pages to catch up: far below this."""

BYTES_PER_SECOND: Final = float(1 << 20)
BYTES_BURST: Final = float(4 << 20)
"""Of bodies: some 7,000 attestations, 0.3 s of signature checks, a second; a whole outgoing queue fits the burst.

The same again for the answers to what a peer fetches: a hundred pages of attestations take it half a minute.
"""

MAX_CONCURRENT_VISITS: Final = 4
"""Messages of one peer that are taken in at a time: 4 MiB of bodies a peer, and no peer fills the database's queue."""

MAX_REMEMBERED: Final = 4_096
"""Messages remembered a peer: 40 s at the full rate. Beyond it the oldest are forgotten, and what is as old refused."""


class TokenBucket:
    """At most `burst` at once and `rate` a second, in units that the caller chooses."""

    __slots__ = ("_burst", "_filled_at", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._filled_at: float | None = None

    def has(self, cost: float, now: float) -> bool:
        """Whether `cost` could be taken at `now` (seconds). A clock that steps back gives nothing and takes nothing."""
        if self._filled_at is not None:
            self._level = min(self._burst, self._level + max(now - self._filled_at, 0.0) * self._rate)
        self._filled_at = now
        return self._level >= cost

    def take(self, cost: float) -> None:
        """Take what `has` just allowed, or what is known only afterwards: then the level may fall below nothing."""
        self._level -= cost


class ReplayWindow:
    """The messages of one peer that were taken lately, by digest. Bounded: see `MAX_REMEMBERED`."""

    __slots__ = ("_by_time", "_digests", "_floor", "_limit")

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._digests: set[bytes] = set()
        self._by_time: list[tuple[int, bytes]] = []
        self._floor = -1

    def __len__(self) -> int:
        return len(self._digests)

    def is_fresh(self, sent_at_milliseconds: int, digest: bytes) -> bool:
        """Whether the message was certainly not taken before."""
        # SECURITY: at or below the floor something was forgotten, and it might be this message.
        return sent_at_milliseconds > self._floor and digest not in self._digests

    def remember(self, sent_at_milliseconds: int, digest: bytes, oldest_milliseconds: int) -> None:
        """A fresh message is taken. What was sent before `oldest_milliseconds` is refused for its age anyhow."""
        self._digests.add(digest)
        heapq.heappush(self._by_time, (sent_at_milliseconds, digest))
        while self._by_time and (len(self._by_time) > self._limit or self._by_time[0][0] < oldest_milliseconds):
            sent_at, forgotten = heapq.heappop(self._by_time)
            self._digests.discard(forgotten)
            self._floor = max(self._floor, sent_at)
