"""What may stand on stages at a time.

Its job: to bound the rent that is lent for data which is too long for a transaction, and to end what is staged in vain.
What stands there can be tried only then: SECURITY: calls that never run would otherwise hold our money until they
expire, for a fee that is a fraction of it. It must not stage anything, nor take anything back: what is not asked for
any more is taken back in time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

MAX_BYTES: Final = 1 << 20
"""Of all data together, which take some 7.3 SOL of rent: 128 of the longest calls, and many more of the usual ones."""

PATIENCE_SECONDS: Final = 600.0
"""How long a stage is kept for a call that does not run."""

REST_SECONDS: Final = 3_600.0
"""How long it is not staged again then: to stage the longest data takes ten transactions."""

_MOST_DOUBLINGS: Final = 2
"""Of that rest. What waits for a predecessor may run at last."""

_IDLE_SECONDS: Final = 60.0
"""Since a stage was last asked for, after which it counts no more: what waits is looked at twice as often."""

_MAX_REMEMBERED: Final = 65_536
"""Stages that were of no use, of some 200 bytes; the longest ago are forgotten beyond, and at a restart."""


@dataclass(slots=True)
class _Place:
    """A stage with `length` bytes of data: since when it stands, and when it was last asked for."""

    length: int
    since: float
    asked_at: float


@dataclass(slots=True)
class _Rest:
    """How often a stage was of no use, and until when it is not tried again."""

    count: int
    until: float


class Shelf:
    """The stages of one account. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._places: OrderedDict[Pubkey, _Place] = OrderedDict()
        self._rests: OrderedDict[Pubkey, _Rest] = OrderedDict()
        self._bytes = 0
        """Of all places."""

    def has_room(self, key: Pubkey, length: int) -> bool:
        """Whether this stage may be made, filled or used now. Who may waits for it, and asks again within a minute."""
        now = self._clock()
        self._let_go(now)
        rest = self._rests.get(key)
        if rest is not None and now < rest.until:
            return False
        place = self._places.get(key)
        if place is None:
            if self._bytes + length > MAX_BYTES:
                return False
            self._bytes += length
            self._places[key] = _Place(length, now, now)
            return True
        if now - place.since > PATIENCE_SECONDS:
            self._free(key)
            self._lay_to_rest(key, now)
            return False
        place.asked_at = now
        self._places.move_to_end(key)
        return True

    def _let_go(self, now: float) -> None:
        while self._places:
            oldest = next(iter(self._places))
            if self._places[oldest].asked_at >= now - _IDLE_SECONDS:
                break
            self._free(oldest)

    def _free(self, key: Pubkey) -> None:
        self._bytes -= self._places.pop(key).length

    def _lay_to_rest(self, key: Pubkey, now: float) -> None:
        former = self._rests.pop(key, None)
        count = 0 if former is None else former.count
        self._rests[key] = _Rest(count + 1, now + REST_SECONDS * 2.0 ** min(count, _MOST_DOUBLINGS))
        while len(self._rests) > _MAX_REMEMBERED:
            self._rests.popitem(last=False)
