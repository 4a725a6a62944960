"""Where a QUERY reads: the parent of the first block that is later than the asking one.

Its job: find that block by timestamp, quickly where it is a recent one and in few exchanges where it is old. What was
seen before only says where to look: SECURITY: the pin itself, both of its blocks and their link, is always agreed by M
endpoints. Timestamps of a chain never fall.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from relayer.ports.destination_vm import Pin
from relayer.vms.jsonrpc.stamps import Headers, Stamp, fetch_stamps

MAX_RECENT_TIMES: Final = 4096
"""Timestamps kept: queries ask about what just happened; an hour of the fastest blocks is enough, and small."""

_PROBES: Final = 16
"""Headers read in one exchange of the search: four bisections for the latency of one."""


class RecentTimes:
    """Timestamps (s) of recent blocks by height. A hint: blocks may have left the chain since."""

    def __init__(self) -> None:
        self._by_number: OrderedDict[int, int] = OrderedDict()
        self._newest = -1

    def remember(self, stamps: Iterable[Stamp]) -> None:
        """Keep what was read, forget the oldest."""
        for stamp in stamps:
            self._by_number[stamp.ref.number] = stamp.timestamp
            self._by_number.move_to_end(stamp.ref.number)
            self._newest = max(self._newest, stamp.ref.number)
        while len(self._by_number) > MAX_RECENT_TIMES:
            self._by_number.popitem(last=False)

    def guess_child(self, after_timestamp: int) -> int | None:
        """The height that seems to be the first later one, if all from its parent to the newest are remembered."""
        times = self._by_number
        # It is almost always among the newest.
        for number in range(self._newest, 0, -1):
            before = times.get(number - 1)
            if before is None or times.get(number, after_timestamp) <= after_timestamp:
                return None
            if before <= after_timestamp:
                return number
        return None


class PinFinder:
    """Finds pins among the blocks of a chain."""

    def __init__(self, headers: Headers, times: RecentTimes) -> None:
        self._headers = headers
        self._times = times

    async def find(self, after_timestamp: int) -> Pin | None:
        """The pin, or None while no block is later (or the chain itself began later).

        Raises `RpcUnavailable`.
        """
        guess = self._times.guess_child(after_timestamp)
        if guess is not None:
            pin = await self._confirm(guess, after_timestamp)
            if pin is not None:
                return pin
        child = await self._search(after_timestamp)
        return None if child is None else await self._confirm(child, after_timestamp)

    async def _confirm(self, child: int, after_timestamp: int) -> Pin | None:
        """The pin with its child at this height, if M endpoints say so; None if it is elsewhere by now."""
        before, after = (verdict.value for verdict in await self._headers.vote([child - 1, child]))
        if before is None or after is None or after.parent_hash != before.ref.hash:
            return None
        if not before.timestamp <= after_timestamp < after.timestamp:
            return None
        self._times.remember((before, after))
        return Pin(before.ref, after.ref)

    async def _search(self, after_timestamp: int) -> int | None:
        """The height of the first later block."""
        first, tip = await self._headers.fetch_reach()
        # The answer is almost always near the tip: first in steps that double, then in equal ones.
        offsets = (0, *(1 << power for power in range(_PROBES - 2)))
        probes = sorted({max(tip - offset, first) for offset in offsets})
        not_later = first - 1
        while True:
            stamps = await fetch_stamps(self._headers, probes)
            later = next((s.ref.number for s in stamps if s.timestamp > after_timestamp), None)
            not_later = max((s.ref.number for s in stamps if s.timestamp <= after_timestamp), default=not_later)
            if later is None:
                return None
            if later - not_later == 1:
                return later if not_later >= first else None
            step = -(-(later - not_later) // _PROBES)
            probes = [*range(not_later + step, later, step), later]
