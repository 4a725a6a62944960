"""What a run of the scale model says, as figures.

Its job: put an account in relation to time and limits, and name what is used up most. It simulates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tests.bench.scale.inputs import Costs, Scenario
from tests.bench.scale.model import Simulation

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Finding:
    """Figures of one scenario.

    `called_back_per_second` counts the last half of the time. CPU is in cores: of the busiest process, and of all of a
    node's. Exchanges, attestations, calls and megabytes are of one node and second; calls of its busiest endpoint.
    `load` says of each limit which part of it is used up at its busiest place; above 1 the network falls behind there,
    and `first` is the name of what is nearest to its limit.
    """

    called_back_per_second: float
    in_flight: int
    latency_p50: float
    latency_p99: float
    leaves_per_batch: float
    cores_busiest: float
    cores_node: float
    processes: int
    exchanges_per_second: float
    attestations_per_second: float
    commits_per_second: float
    calls_per_second: float
    megabytes_per_second: float
    load: dict[str, float]

    @property
    def first(self) -> str:
        """What breaks first."""
        return max(self.load, key=lambda name: self.load[name])


def examine(costs: Costs, scenario: Scenario) -> Finding:
    """Run a scenario and describe it."""
    simulation = Simulation(costs, scenario)
    account = simulation.run()
    seconds, nodes, limits = scenario.seconds, scenario.nodes, costs.limits
    processes = list(simulation.processes)
    busiest = max(process.busy_seconds for process in processes) / seconds
    commits = max(process.commits for process in processes) / seconds
    calls = max(account.calls.values(), default=0.0) / seconds
    rate = simulation.called_back_late / (seconds / 2)
    return Finding(
        called_back_per_second=rate,
        in_flight=account.asked - account.called_back,
        latency_p50=_percentile(account.latencies, 0.5),
        latency_p99=_percentile(account.latencies, 0.99),
        leaves_per_batch=account.leaves / max(account.batches, 1),
        cores_busiest=busiest,
        cores_node=sum(process.busy_seconds for process in processes) / seconds / nodes,
        processes=len(processes) // nodes,
        exchanges_per_second=sum(process.exchanges for process in processes) / seconds / nodes,
        attestations_per_second=sum(process.attestations for process in processes) / seconds / nodes,
        commits_per_second=commits,
        calls_per_second=calls,
        megabytes_per_second=account.called_back * costs.network.database_bytes / MEGABYTE / seconds,
        load={
            "cpu": busiest / limits.cores,
            "commits": commits / limits.commits_per_second,
            "calls": calls / limits.calls_per_second,
        },
    )


def as_object(finding: Finding) -> dict[str, object]:
    """For JSON."""
    told = {field.name: getattr(finding, field.name) for field in fields(finding)}
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in told.items()}
    return {**rounded, "load": {name: round(part, 3) for name, part in finding.load.items()}, "first": finding.first}


HEADINGS = (
    "",
    "back/s",
    "in flight",
    "p50 s",
    "p99 s",
    "leaves",
    "procs",
    "cores max",
    "cores",
    "exch/s",
    "att/s",
    "commits/s",
    "calls/s",
    "first",
)


def row(name: str, finding: Finding) -> tuple[str, ...]:
    """A line of the table, as `HEADINGS` names its columns."""
    return (
        name,
        f"{finding.called_back_per_second:.0f}",
        f"{finding.in_flight}",
        f"{finding.latency_p50:.1f}",
        f"{finding.latency_p99:.1f}",
        f"{finding.leaves_per_batch:.1f}",
        f"{finding.processes}",
        f"{finding.cores_busiest:.2f}",
        f"{finding.cores_node:.2f}",
        f"{finding.exchanges_per_second:.0f}",
        f"{finding.attestations_per_second:.0f}",
        f"{finding.commits_per_second:.0f}",
        f"{finding.calls_per_second:.1f}",
        f"{finding.first} {100 * finding.load[finding.first]:.0f} %",
    )


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0
