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

from relayer.devnet.bench.load import Load
from relayer.devnet.bench.memory import MemoryWatch
from relayer.devnet.bench.pace import Pacer
from relayer.devnet.bench.profile import BEGIN_SIGNAL, describe_profile, sampled_program
from relayer.devnet.bench.records import ChainRecord
from relayer.devnet.bench.report import Findings, describe
from relayer.devnet.bench.route import Route
from relayer.devnet.bench.sides import BenchSide, open_side
from relayer.devnet.bench.usage import read_usage
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
    spec: DevnetSpec,
    route: Route,
    load: Load,
    report: Report,
    program: Sequence[str] | None = None,
    *,
    is_profiled: bool = False,
) -> dict[str, Any]:
    """The bench's object, of a devnet in a temporary folder, which must have the route's chains.

    `program` is as a `Devnet` takes it.

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
            found = _run_load(description, chains, route, load, report, sampled)
        # The relayers have ended, and each has written what it sampled.
        return found | ({"profile": describe_profile(samples, load.count)} if is_profiled else {})


def _run_load(
    description: Mapping[str, Any],
    chains: Sequence[int],
    route: Route,
    load: Load,
    report: Report,
    sampled: Sequence[int],
) -> dict[str, Any]:
    failed: list[aiohttp.ClientError] = []
    try:
        return asyncio.run(_run(description, chains, route, load, report, sampled))
    except* aiohttp.ClientError as errors:
        failed += [error for error in errors.exceptions if isinstance(error, aiohttp.ClientError)]
    raise DevnetFailed(f"a chain does not answer any more: {'; '.join(map(str, failed))}")


async def _run(
    description: Mapping[str, Any],
    chains: Sequence[int],
    route: Route,
    load: Load,
    report: Report,
    sampled: Sequence[int],
) -> dict[str, Any]:
    here, there = route.chains_of(description)
    source, destination = open_side(route.source, here), open_side(route.destination, there)
    pacer = Pacer(load, source)
    memory = MemoryWatch(int(relayer["pid"]) for relayer in description["relayers"])
    timeout = aiohttp.ClientTimeout(total=_HTTP_SECONDS, sock_read=None)
    async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
        aim = await destination.bring_target(http, load.mode)
        await source.prepare_asking(http, load, aim)
        watching = []
        for side in (source, destination):
            ready = asyncio.Event()
            watching.append(group.create_task(side.watch(http, ready)))
            await ready.wait()
        for pid in sampled:
            os.kill(pid, BEGIN_SIGNAL)
        before = read_usage(description["relayers"], chains)
        progress = _Progress(load, source.record, destination.record, memory, report)
        sent = await pacer.send_all(http, progress.tell)
        asked_in = time.monotonic() - min(sent.values())
        await _await_callbacks(load, source, progress)
        await asyncio.sleep((int(here["finality_depth"]) + _SETTLE_BLOCKS) * float(here["block_time_seconds"]))
        used = read_usage(description["relayers"], chains).minus(before)
        for task in watching:
            task.cancel()
        findings = Findings(
            load=load,
            route=str(route),
            answer_hash=aim.answer_hash,
            source=source.record,
            destination=destination.record,
            sent=sent,
            asked_in=asked_in,
            late=pacer.late_seconds,
            relayers=len(description["relayers"]),
            used=used,
            memory=memory,
            gas_executing=await destination.fetch_relayed_gas(http),
            gas_delivering=await source.fetch_relayed_gas(http),
            counted=await destination.fetch_count(http),
        )
    return describe(findings)


async def _await_callbacks(load: Load, source: BenchSide, progress: _Progress) -> None:
    delivered, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while delivered < load.count and time.monotonic() < deadline:
        source.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(source.changed.wait(), 1.0)
        progress.tell(load.count)
        if len(source.record.delivered) > delivered:
            delivered, deadline = len(source.record.delivered), time.monotonic() + PATIENCE_SECONDS


class _Progress:
    """A line every other second, and a look at the relayers' memory."""

    def __init__(
        self, load: Load, source: ChainRecord, destination: ChainRecord, memory: MemoryWatch, report: Report
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
        executed = len(self._destination.concluded)
        delivered = len(self._source.delivered)
        self._memory.sample(delivered)
        counts = f"{sent} of {self._load.count} asked, {executed} executed, {delivered} called back"
        self._report(f"{now - self._began:6.1f} s  {counts}")
