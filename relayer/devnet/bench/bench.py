"""The bench itself: a load on a devnet that is up, watched to its end.

Its job: the order of things. Whoever runs it brings the devnet up and prints what is returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import aiohttp

from attestation.request import Mode
from relayer.devnet.bench.chain_watch import ChainWatch
from relayer.devnet.bench.load import Asker, Load
from relayer.devnet.bench.report import Findings, describe
from relayer.devnet.bench.usage import read_usage
from relayer.devnet.demo.chain_session import ChainSession

PATIENCE_SECONDS: Final = 120.0
"""How long after the last request callbacks are waited for: a network that works needs a few blocks."""

_REPORT_SECONDS: Final = 2.0
_HTTP_SECONDS: Final = 60.0

Report = Callable[[str], None]


def run_bench(description: Mapping[str, Any], chain_pids: Iterable[int], load: Load, report: Report) -> dict[str, Any]:
    """Run it; the bench's object. What is lost, doubled or wrong is counted on the chains."""
    return asyncio.run(_run(description, list(chain_pids), load, report))


async def _run(description: Mapping[str, Any], chain_pids: list[int], load: Load, report: Report) -> dict[str, Any]:
    first, second, *_ = (ChainSession(chain) for chain in description["chains"])
    asker = Asker(load, first, second)
    source, destination = ChainWatch(first), ChainWatch(second)
    timeout = aiohttp.ClientTimeout(total=_HTTP_SECONDS, sock_read=None)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        watching = []
        for watch in (source, destination):
            ready = asyncio.Event()
            watching.append(asyncio.create_task(watch.run(http, ready)))
            await ready.wait()
        before = read_usage(description["relayers"], chain_pids)
        progress = _Progress(load, source, destination, report)
        sent = await asker.send_all(http, progress.tell)
        await _await_callbacks(load, source, progress)
        used = read_usage(description["relayers"], chain_pids).minus(before)
        for task in watching:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        findings = Findings(
            load,
            source,
            destination,
            sent,
            int(description["chains"][0]["finality_depth"]),
            len(description["relayers"]),
            used,
            await destination.fetch_gas(http, "XVMCallConcluded") if load.mode is Mode.CALL else 0,
            await source.fetch_gas(http, "XVMCallbackDelivered"),
            int(asker.counter.functions.count().call()),
        )
    return describe(findings)


async def _await_callbacks(load: Load, source: ChainWatch, progress: _Progress) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(source.logs["XVMCallbackDelivered"]) < load.count and time.monotonic() < deadline:
        source.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(source.changed.wait(), 1.0)
        progress.tell(load.count)


class _Progress:
    """A line every other second."""

    def __init__(self, load: Load, source: ChainWatch, destination: ChainWatch, report: Report) -> None:
        self._load, self._source, self._destination, self._report = load, source, destination, report
        self._began = self._told = time.monotonic()

    def tell(self, sent: int) -> None:
        now = time.monotonic()
        if now - self._told < _REPORT_SECONDS:
            return
        self._told = now
        executed = len(self._destination.logs["XVMCallConcluded"])
        delivered = len(self._source.logs["XVMCallbackDelivered"])
        counts = f"{sent} of {self._load.count} asked, {executed} executed, {delivered} called back"
        self._report(f"{now - self._began:6.1f} s  {counts}")
