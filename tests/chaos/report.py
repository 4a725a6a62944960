"""What a storm came to, for people and for programs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.verdict import Verdict

SHOWN_FAULTS = 20
"""Of each kind; the file has all."""

_MIB = 2**20


@dataclass(slots=True)
class Report:
    """All of it. `amiss` is what else should not be: disagreement, halts, crashes, memory, missing evidence."""

    seed: int
    requests: int
    seconds: float
    took_seconds: float
    settled_seconds: float
    sent: int
    verdict: Verdict
    played: Mapping[str, int]
    dropped: Mapping[str, int]
    lies: Mapping[str, int]
    restarts: Mapping[str, int]
    peak_bytes: Mapping[str, int]
    evidence: Mapping[str, int]
    amiss: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing double, nothing wrong, and nothing else amiss."""
        return not (self.verdict.lost or self.verdict.double or self.verdict.wrong or self.amiss)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        verdict = self.verdict
        return {
            "is_good": self.is_good,
            "seed": self.seed,
            "requests": self.requests,
            "storm_seconds": self.seconds,
            "took_seconds": round(self.took_seconds, 1),
            "settled_seconds": round(self.settled_seconds, 1),
            "sent": self.sent,
            "asked": len(verdict.asked),
            "ends": {f"{kind}: {end}": count for (kind, end), count in sorted(verdict.ends.items())},
            "lost": verdict.lost,
            "double": verdict.double,
            "wrong": verdict.wrong,
            "amiss": self.amiss,
            "faults": dict(sorted(self.played.items())),
            "dropped_by_reorgs": dict(sorted(self.dropped.items())),
            "lies_told_by_endpoints": dict(sorted(self.lies.items())),
            "latency_seconds": latencies(verdict.seconds),
            "restarts": dict(sorted(self.restarts.items())),
            "peak_rss_bytes": dict(sorted(self.peak_bytes.items())),
            "evidence_against_the_byzantine_node": dict(sorted(self.evidence.items())),
        }


def latencies(seconds: Iterable[int]) -> dict[str, float]:
    """From asking to callback, by the source chain's own clock."""
    values = sorted(seconds)
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": values[-1]}


def show(report: Report, console: Console) -> None:
    """Print it, the verdict last."""
    console.print(_counted("faults played", report.played))
    console.print(_counted("dropped by reorgs", report.dropped))
    console.print(_counted("lies told by endpoints", report.lies))
    table = Table("request", "end", "count", title="requests by kind and end")
    for (kind, end), count in sorted(report.verdict.ends.items()):
        table.add_row(kind, end, str(count))
    console.print(table)
    table = Table("process", "restarts", "peak RSS, MiB", "evidence", title="processes")
    for name in sorted(report.peak_bytes):
        evidence = report.evidence.get(name)
        shown = "" if evidence is None else str(evidence)
        table.add_row(name, str(report.restarts.get(name, "")), f"{report.peak_bytes[name] / _MIB:.0f}", shown)
    console.print(table)
    told = ", ".join(f"{name} {value:g} s" for name, value in latencies(report.verdict.seconds).items())
    console.print(f"latency from asking to callback: {told}")
    console.print(
        f"all ended {report.settled_seconds:.0f} s after the last fault; the whole took {report.took_seconds:.0f} s"
    )
    verdict = report.verdict
    for what, faults in (
        ("lost", verdict.lost),
        ("double", verdict.double),
        ("wrong", verdict.wrong),
        ("amiss", report.amiss),
    ):
        for fault in faults[:SHOWN_FAULTS]:
            console.print(f"{what}: {fault}", style="red", markup=False)
    console.print(
        f"storm: seed {report.seed}: {len(verdict.asked)} requests on the final chains of {report.sent} sent; "
        f"{len(verdict.lost)} lost, {len(verdict.double)} double, {len(verdict.wrong)} wrong, "
        f"{len(report.amiss)} else amiss",
        style="green" if report.is_good else "red",
    )


def _counted(title: str, counts: Mapping[str, int]) -> Table:
    table = Table("what", "times", title=title)
    for name, count in sorted(Counter(counts).items()):
        table.add_row(name, str(count))
    return table
