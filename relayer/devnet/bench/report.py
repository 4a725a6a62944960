"""What a bench found, as one JSON object.

Its job: count on the chains' logs, and put times and costs into figures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.bench.chain_watch import ChainRecord, Entry, return_data_hash
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.memory import MemoryWatch
from relayer.devnet.bench.usage import Usage

QUERY_ANSWER_HASH: Final = keccak256((32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\xab".ljust(32, b"\0"))
"""Of what the load's query must be told: one byte, 0xab, ABI-encoded."""

_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a bench has seen. Times are monotonic seconds; `counted` is what the target counted.

    `asked_in` is how many seconds it took to send the load, `late` how late the latest request was sent.
    """

    load: Load
    source: ChainRecord
    destination: ChainRecord
    sent: Mapping[bytes, float]
    asked_in: float
    late: float
    depth: int
    relayers: int
    used: Usage
    memory: MemoryWatch
    gas_executing: int
    gas_delivering: int
    counted: int


def describe(found: Findings) -> dict[str, Any]:
    """The bench's object."""
    asked = {entry.request_id: entry for entry in found.source.logs["XVMCallRequested"]}
    concluded = _first_of(found.destination.logs["XVMCallConcluded"])
    delivered = _first_of(found.source.logs["XVMCallbackDelivered"])
    done = {identifier: found.source.blocks[entry.block] for identifier, entry in delivered.items()}
    sent_at = {identifier: found.sent[entry.tx_hash] for identifier, entry in asked.items()}
    is_call = found.load.mode is Mode.CALL
    count = found.load.count
    growth = found.memory.growth
    return {
        "mode": found.load.mode.name.lower(),
        "requests": count,
        "lost": count - len(delivered),
        "duplicated": _duplicated(found, len(concluded)),
        "wrong": sum(not _is_right(found, entry, concluded) for entry in delivered.values()),
        "asked_per_second": round(count / found.asked_in, 1) if found.load.rate else None,
        "asked_late_seconds": round(found.late, 3) if found.load.rate else None,
        "requests_per_second": round(_throughput(found, list(done.values())), 1),
        "drain_seconds": round(max(done.values(), default=0.0) - max(found.sent.values()), 3) if done else None,
        "latency_seconds": _percentiles(done[i] - sent_at[i] for i in done),
        "executed_seconds": _percentiles(
            found.destination.blocks[entry.block] - sent_at[i] for i, entry in concluded.items()
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


def _first_of(entries: Sequence[Entry]) -> dict[bytes, Entry]:
    first: dict[bytes, Entry] = {}
    for entry in entries:
        first.setdefault(entry.request_id, entry)
    return first


def _duplicated(found: Findings, executed: int) -> int:
    """Second executions and callbacks by the logs, and what the target counted beyond its executions."""
    logs = (*found.destination.logs["XVMCallConcluded"],), (*found.source.logs["XVMCallbackDelivered"],)
    second = sum(times - 1 for entries in logs for times in Counter(e.request_id for e in entries).values())
    return second + (abs(found.counted - executed) if found.load.mode is Mode.CALL else 0)


def _is_right(found: Findings, delivered: Entry, concluded: Mapping[bytes, Entry]) -> bool:
    kind, success = (int.from_bytes(delivered.data[place : place + _WORD], "big") for place in (0, _WORD))
    told = delivered.data[2 * _WORD : 3 * _WORD]
    if (kind, success) != (OutcomeKind.EXECUTED, 1):
        return False
    if found.load.mode is Mode.QUERY:
        return told == QUERY_ANSWER_HASH
    receipt = concluded.get(delivered.request_id)
    return receipt is not None and told == return_data_hash(receipt)


def _overheads(
    found: Findings, asked: Mapping[bytes, Entry], concluded: Mapping[bytes, Entry], delivered: Mapping[bytes, Entry]
) -> Iterable[float]:
    """Of each request: from the block that makes a leg possible to our transaction in the pool, over its legs."""
    source, destination, depth = found.source, found.destination, found.depth
    moments = sorted((at, height) for height, at in destination.timestamps.items())
    for identifier, entry in delivered.items():
        possible = source.blocks[asked[identifier].block + depth]
        if found.load.mode is Mode.CALL:
            receipt = concluded.get(identifier)
            if receipt is None:
                continue  # never executed: counted as wrong
            final = destination.blocks[receipt.block + depth]
            yield (destination.pooled_at(receipt) - possible) + (source.pooled_at(entry) - final)
        else:
            # The answer is read at the last block that is not younger than the request's, once its child is final.
            place = bisect_right(moments, (source.timestamps[asked[identifier].block], math.inf))
            child = destination.blocks[moments[place][1] + depth]
            yield source.pooled_at(entry) - max(possible, child)


def _percentiles(values: Iterable[float], digits: int = 3) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0}
    return {
        name: round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], digits)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
