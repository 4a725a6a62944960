"""What a bench found, as one JSON object.

Its job: count on what the chains' gateways told, and put times and costs into figures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.memory import MemoryWatch
from relayer.devnet.bench.records import ChainRecord, Outcome, Sighting
from relayer.devnet.bench.usage import Usage


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a bench has seen. Times are monotonic seconds; `counted` is what the target counted.

    `route` is as it was asked for, `answer_hash` of what a query must be answered. `asked_in` is how many seconds it
    took to send the load, `late` how late the latest request was sent.
    """

    load: Load
    route: str
    answer_hash: bytes
    source: ChainRecord
    destination: ChainRecord
    sent: Mapping[bytes, float]
    asked_in: float
    late: float
    relayers: int
    used: Usage
    memory: MemoryWatch
    gas_executing: int
    gas_delivering: int
    counted: int


def describe(found: Findings) -> dict[str, Any]:
    """The bench's object."""
    asked = _first_of(found.source.asked)
    concluded = _first_of(found.destination.concluded)
    delivered = _first_of(found.source.delivered)
    done = {identifier: found.source.blocks[callback.block] for identifier, callback in delivered.items()}
    sent_at = {identifier: found.sent[request.transaction] for identifier, request in asked.items()}
    is_call = found.load.mode is Mode.CALL
    count = found.load.count
    growth = found.memory.growth
    return {
        "mode": found.load.mode.name.lower(),
        "route": found.route,
        "requests": count,
        "lost": count - len(delivered),
        "duplicated": _duplicated(found, len(concluded)),
        "wrong": sum(callback.outcome != _expected(found, callback, concluded) for callback in delivered.values()),
        "asked_per_second": round(count / found.asked_in, 1) if found.load.rate else None,
        "asked_late_seconds": round(found.late, 3) if found.load.rate else None,
        "requests_per_second": round(_throughput(found, list(done.values())), 1),
        "drain_seconds": round(max(done.values(), default=0.0) - max(found.sent.values()), 3) if done else None,
        "latency_seconds": _percentiles(done[i] - sent_at[i] for i in done),
        "executed_seconds": _percentiles(
            found.destination.blocks[receipt.block] - sent_at[i] for i, receipt in concluded.items()
        ),
        "overhead_ms": _percentiles((1000 * seconds for seconds in _overheads(found, asked, concluded, delivered)), 1),
        "cpu_ms_per_request_per_node": round(1000 * found.used.relayer_cpu / count / found.relayers, 3),
        "cpu_ms_per_request_chains": round(1000 * found.used.chain_cpu / count, 3),
        "cpu_ms_per_request_bench": round(1000 * found.used.bench_cpu / count, 3),
        "gas_per_callback": found.gas_delivering // max(1, len(delivered)),
        "gas_per_execute": found.gas_executing // max(1, len(concluded)) if is_call else 0,
        "rpc_calls_per_request": round(found.used.rpc_calls / count / found.relayers, 3),
        "database_bytes_per_request": round(found.used.database_bytes / count / found.relayers),
        "memory_bytes": {
            "peak": found.memory.peak_bytes,
            "per_1000_requests": None if growth is None else round(growth),
        },
        "stages": {
            name: round(1000 * seconds / count / found.relayers, 3)
            for name, seconds in sorted(found.used.stages.items(), key=lambda item: -item[1])
        },
    }


def _throughput(found: Findings, done: Sequence[float]) -> float:
    """Callbacks a second: of a held rate from the first block with callbacks to the last, of a burst from its start.

    What came in the first block took the time before it, which is not counted: so it is not counted either.
    """
    if not done:
        return 0.0
    first, last = min(done), max(done)
    if found.load.burst or first == last:
        return len(done) / (last - min(found.sent.values()))
    return sum(moment > first for moment in done) / (last - first)


def _first_of(sightings: Sequence[Sighting]) -> dict[bytes, Sighting]:
    first: dict[bytes, Sighting] = {}
    for sighting in sightings:
        first.setdefault(sighting.request_id, sighting)
    return first


def _duplicated(found: Findings, executed: int) -> int:
    """Second executions and callbacks that the gateways told, and what the target counted beyond its executions."""
    told = (found.destination.concluded, found.source.delivered)
    second = sum(times - 1 for sightings in told for times in Counter(s.request_id for s in sightings).values())
    return second + (abs(found.counted - executed) if found.load.mode is Mode.CALL else 0)


def _expected(found: Findings, delivered: Sighting, concluded: Mapping[bytes, Sighting]) -> Outcome | None:
    """What the callback must have been told."""
    if found.load.mode is Mode.QUERY:
        return Outcome(OutcomeKind.EXECUTED, is_success=True, return_data_hash=found.answer_hash)
    receipt = concluded.get(delivered.request_id)
    if receipt is None or receipt.outcome is None or not receipt.outcome.is_success:
        return None
    return receipt.outcome


def _overheads(
    found: Findings,
    asked: Mapping[bytes, Sighting],
    concluded: Mapping[bytes, Sighting],
    delivered: Mapping[bytes, Sighting],
) -> Iterable[float]:
    """Of each request: from the block that makes a leg possible to our transaction in the pool, over its legs."""
    source, destination = found.source, found.destination
    moments = sorted((at, height) for height, at in destination.timestamps.items())
    for identifier, callback in delivered.items():
        possible = source.finals[asked[identifier].block]
        if found.load.mode is Mode.CALL:
            receipt = concluded.get(identifier)
            if receipt is None:
                continue  # never executed: counted as wrong
            final = destination.finals[receipt.block]
            yield (destination.pooled_at(receipt) - possible) + (source.pooled_at(callback) - final)
        elif moments:
            # The answer is read at the last block that is not younger than the request's, once its child is final.
            place = bisect_right(moments, (source.timestamps[asked[identifier].block], math.inf))
            child = destination.finals[moments[place][1]]
            yield source.pooled_at(callback) - max(possible, child)
        else:
            yield source.pooled_at(callback) - possible


def _percentiles(values: Iterable[float], digits: int = 3) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0}
    return {
        name: round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], digits)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
