"""The bench itself: a devnet, a load on it, watched to its end.

Its job: the order of things. It leaves nothing behind; whoever runs it prints what is returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from attestation.request import Mode
from relayer.devnet.bench.chain_watch import ChainWatch
from relayer.devnet.bench.load import Asker, Load
from relayer.devnet.bench.memory import MemoryWatch
from relayer.devnet.bench.profile import BEGIN_SIGNAL, describe_profile, sampled_program
from relayer.devnet.bench.report import Findings, describe
from relayer.devnet.bench.usage import read_usage
from relayer.devnet.demo.chain_session import ChainSession
from relayer.devnet.network import Devnet, DevnetFailed
from relayer.devnet.processes import ProcessBook
from relayer.devnet.spec import DevnetFolder, DevnetSpec

PATIENCE_SECONDS: Final = 60.0
"""How long no callback may come, after the last request, before what is left counts as lost: a takeover and more."""

_SETTLE_BLOCKS: Final = 2
"""After the last callback is final: relayers write down how it ended, which is a part of what a request costs them."""

_REPORT_SECONDS: Final = 2.0
_HTTP_SECONDS: Final = 60.0

Report = Callable[[str], None]


def bench_once(
    spec: DevnetSpec, load: Load, report: Report, program: Sequence[str] | None = None, *, is_profiled: bool = False
) -> dict[str, Any]:
    """The bench's object, of a devnet in a temporary folder; `program` as a `Devnet` takes it.

    What is lost, doubled or wrong is counted on the chains. With `is_profiled` the relayers sample themselves, and the
    object has a `profile` more.

    Raises `DevnetFailed` if the devnet does not come up, or a chain stops answering.
    """
    with tempfile.TemporaryDirectory(prefix="xvm-bench-") as place:
        folder = DevnetFolder(Path(place) / "devnet")
        samples = [Path(place) / f"samples-{number}.json" for number in range(1, spec.relayers + 1)]
        with Devnet(folder, spec, report, program) as devnet:
            devnet.prepare()
            programs = {f"relayer-{n}": sampled_program(path) for n, path in enumerate(samples, 1)}
            description = devnet.launch(programs if is_profiled else {})
            chains = [item.pid for item in ProcessBook(folder.processes).read() if item.name.startswith("chain-")]
            sampled = [int(relayer["pid"]) for relayer in description["relayers"]] if is_profiled else []
            found = _run_load(description, chains, load, report, sampled)
        # The relayers have ended, and each has written what it sampled.
        return found | ({"profile": describe_profile(samples, load.count)} if is_profiled else {})


def _run_load(
    description: Mapping[str, Any], chains: Sequence[int], load: Load, report: Report, sampled: Sequence[int]
) -> dict[str, Any]:
    failed: list[aiohttp.ClientError] = []
    try:
        return asyncio.run(_run(description, chains, load, report, sampled))
    except* aiohttp.ClientError as errors:
        failed += [error for error in errors.exceptions if isinstance(error, aiohttp.ClientError)]
    raise DevnetFailed(f"a chain does not answer any more: {'; '.join(map(str, failed))}")


async def _run(
    description: Mapping[str, Any], chains: Sequence[int], load: Load, report: Report, sampled: Sequence[int]
) -> dict[str, Any]:
    here, there = description["chains"][:2]
    first, second = ChainSession(here), ChainSession(there)
    asker = Asker(load, first, second, here["accounts"])
    source, destination = ChainWatch(first), ChainWatch(second)
    memory = MemoryWatch(int(relayer["pid"]) for relayer in description["relayers"])
    depth = int(here["finality_depth"])
    timeout = aiohttp.ClientTimeout(total=_HTTP_SECONDS, sock_read=None)
    async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
        watching = []
        for watch in (source, destination):
            ready = asyncio.Event()
            watching.append(group.create_task(watch.run(http, ready)))
            await ready.wait()
        for pid in sampled:
            os.kill(pid, BEGIN_SIGNAL)
        before = read_usage(description["relayers"], chains)
        progress = _Progress(load, source, destination, memory, report)
        sent = await asker.send_all(http, progress.tell)
        asked_in = time.monotonic() - min(sent.values())
        await _await_callbacks(load, source, progress)
        await asyncio.sleep((depth + _SETTLE_BLOCKS) * float(here["block_time_seconds"]))
        used = read_usage(description["relayers"], chains).minus(before)
        for task in watching:
            task.cancel()
        findings = Findings(
            load=load,
            source=source.record,
            destination=destination.record,
            sent=sent,
            asked_in=asked_in,
            late=asker.late_seconds,
            depth=depth,
            relayers=len(description["relayers"]),
            used=used,
            memory=memory,
            gas_executing=await destination.fetch_gas(http, "XVMCallConcluded") if load.mode is Mode.CALL else 0,
            gas_delivering=await source.fetch_gas(http, "XVMCallbackDelivered"),
            counted=int(asker.counter.functions.count().call()),
        )
    return describe(findings)


async def _await_callbacks(load: Load, source: ChainWatch, progress: _Progress) -> None:
    delivered, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while delivered < load.count and time.monotonic() < deadline:
        source.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(source.changed.wait(), 1.0)
        progress.tell(load.count)
        if len(source.record.logs["XVMCallbackDelivered"]) > delivered:
            delivered, deadline = len(source.record.logs["XVMCallbackDelivered"]), time.monotonic() + PATIENCE_SECONDS


class _Progress:
    """A line every other second, and a look at the relayers' memory."""

    def __init__(
        self, load: Load, source: ChainWatch, destination: ChainWatch, memory: MemoryWatch, report: Report
    ) -> None:
        self._load, self._source, self._destination = load, source, destination
        self._memory, self._report = memory, report
        self._began = self._told = time.monotonic()
        memory.sample(0)

    def tell(self, sent: int) -> None:
        now = time.monotonic()
        if now - self._told < _REPORT_SECONDS:
            return
        self._told = now
        executed = len(self._destination.record.logs["XVMCallConcluded"])
        delivered = len(self._source.record.logs["XVMCallbackDelivered"])
        self._memory.sample(delivered)
        counts = f"{sent} of {self._load.count} asked, {executed} executed, {delivered} called back"
        self._report(f"{now - self._began:6.1f} s  {counts}")
