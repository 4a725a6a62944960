"""What processes use up: CPU, bytes on disk, calls to endpoints, time in stages.

Its job: readings before and after, and their difference. It decides nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
from prometheus_client.parser import text_string_to_metric_families

_PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Usage:
    """A reading. CPU in seconds, the bench's own beside that of the relayers and the chains.

    `stages` is seconds by stage. All are sums over the network's relayers.
    """

    relayer_cpu: float
    chain_cpu: float
    bench_cpu: float
    rpc_calls: float
    database_bytes: int
    stages: Mapping[str, float]

    def minus(self, before: Usage) -> Usage:
        """What was used in between."""
        stages = {name: seconds - before.stages.get(name, 0.0) for name, seconds in self.stages.items()}
        return Usage(
            self.relayer_cpu - before.relayer_cpu,
            self.chain_cpu - before.chain_cpu,
            self.bench_cpu - before.bench_cpu,
            self.rpc_calls - before.rpc_calls,
            self.database_bytes - before.database_bytes,
            stages,
        )


def read_usage(relayers: Sequence[Mapping[str, Any]], chain_pids: Iterable[int]) -> Usage:
    """Of the relayers that a devnet's description lists, of its chains' processes, and of this one."""
    rpc_calls = 0.0
    stages: defaultdict[str, float] = defaultdict(float)
    for relayer in relayers:
        with urlopen(str(relayer["metrics_url"]), timeout=_PROBE_SECONDS) as answer:  # noqa: S310 - loopback, our own
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "xvm_rpc_calls_total":
                    rpc_calls += sample.value
                elif sample.name == "xvm_stage_duration_seconds_sum":
                    stages[sample.labels["stage"]] += sample.value
    return Usage(
        relayer_cpu=sum(_cpu_seconds(int(relayer["pid"])) for relayer in relayers),
        chain_cpu=sum(map(_cpu_seconds, chain_pids)),
        bench_cpu=time.process_time(),
        rpc_calls=rpc_calls,
        database_bytes=sum(_database_bytes(relayer) for relayer in relayers),
        stages=dict(stages),
    )


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _database_bytes(relayer: Mapping[str, Any]) -> int:
    folder = Path(str(relayer["database_url"]).removeprefix("sqlite:///")).parent
    return sum(path.stat().st_size for path in folder.glob("*.sqlite3*"))
