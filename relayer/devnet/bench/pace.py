"""Sends a load in time.

Its job: say when how many requests are due, and note when they went. It does not know how a chain is asked.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

import aiohttp

from relayer.devnet.bench.load import Load
from relayer.devnet.bench.sides import BenchSide

_SENDS_PER_EXCHANGE: Final = 200
_SENDS_PER_SECOND: Final = 20
"""Exchanges a second at a held rate: fine enough that blocks fill evenly."""


class Pacer:
    """Sends one load from one side. `late_seconds` is how late at a held rate the latest request was sent."""

    def __init__(self, load: Load, source: BenchSide) -> None:
        self._load = load
        self._source = source
        self.late_seconds = 0.0

    async def send_all(self, http: aiohttp.ClientSession, report: Callable[[int], None]) -> dict[bytes, float]:
        """Send everything at the load's pace: transaction hash → the moment (monotonic) at which it was sent.

        Raises `CallReverted` if the chain takes one not.
        """
        sent: dict[bytes, float] = {}
        began = time.monotonic()
        while len(sent) < self._load.count:
            due = self._load.count
            if self._load.rate:
                due = min(due, math.ceil((time.monotonic() - began) * self._load.rate))
            count = min(due - len(sent), _SENDS_PER_EXCHANGE)
            if not count:
                await asyncio.sleep(1 / _SENDS_PER_SECOND)
                continue
            at = time.monotonic()
            if self._load.rate:
                self.late_seconds = max(self.late_seconds, at - began - len(sent) / self._load.rate)
            hashes = await self._source.ask(http, len(sent), count)
            sent.update(dict.fromkeys(hashes, at))
            report(len(sent))
            if self._load.rate and count < _SENDS_PER_EXCHANGE:
                await asyncio.sleep(max(0.0, at + 1 / _SENDS_PER_SECOND - time.monotonic()))
        return sent
