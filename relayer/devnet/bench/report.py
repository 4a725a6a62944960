"""What a bench found, as one JSON object.

Its job: count on the chains' logs, and put times and costs into figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.bench.chain_watch import ChainWatch, Entry, return_data_hash
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.usage import Usage

QUERY_ANSWER_HASH: Final = keccak256((32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\xab".ljust(32, b"\0"))
"""Of what the load's query must be told: one byte, 0xab, ABI-encoded."""

_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a bench has seen. Times are monotonic seconds; `count` is the target's counter."""

    load: Load
    source: ChainWatch
    destination: ChainWatch
    sent: Mapping[bytes, float]
    depth: int
    relayers: int
    used: Usage
    gas_executing: int
    gas_delivering: int
    counted: int


def describe(found: Findings) -> dict[str, Any]:
    """The bench's object."""
    asked = {entry.request_id: entry for entry in found.source.logs["XVMCallRequested"]}
    concluded = _first_of(found.destination.logs["XVMCallConcluded"])
    delivered = _first_of(found.source.logs["XVMCallbackDelivered"])
    began = min(found.sent.values())
    done = {identifier: found.source.blocks[entry.block] for identifier, entry in delivered.items()}
    sent_at = {identifier: found.sent[entry.tx_hash] for identifier, entry in asked.items()}
    took = max(done.values(), default=began) - began
    is_call = found.load.mode is Mode.CALL
    count = found.load.count
    return {
        "mode": found.load.mode.name.lower(),
        "requests": count,
        "lost": count - len(delivered),
        "duplicated": _duplicated(found, len(concluded)),
        "wrong": sum(not _is_right(found, entry, concluded) for entry in delivered.values()),
        "requests_per_second": round(len(delivered) / took, 1) if took else 0.0,
        "latency_seconds": _percentiles(done[i] - sent_at[i] for i in done),
        "executed_seconds": _percentiles(
            found.destination.blocks[entry.block] - sent_at[i] for i, entry in concluded.items()
        ),
        "overhead_ms": _percentiles((1000 * seconds for seconds in _overheads(found, asked, concluded, delivered)), 1),
        "cpu_ms_per_request_per_node": round(1000 * found.used.relayer_cpu / count / found.relayers, 3),
        "cpu_ms_per_request_chains": round(1000 * found.used.chain_cpu / count, 3),
        "gas_per_callback": found.gas_delivering // max(1, len(delivered)),
        "gas_per_execute": found.gas_executing // max(1, len(concluded)) if is_call else 0,
        "rpc_calls_per_request": round(found.used.rpc_calls / count / found.relayers, 3),
        "database_bytes_per_request": round(found.used.database_bytes / count / found.relayers),
        "peak_memory_bytes": found.used.peak_bytes,
        "stages": {
            name: round(1000 * seconds / count / found.relayers, 3)
            for name, seconds in sorted(found.used.stages.items(), key=lambda item: -item[1])
        },
    }


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
    for identifier, entry in delivered.items():
        possible = source.blocks.get(asked[identifier].block + depth)
        pooled = source.pooled.get(entry.tx_hash)
        if possible is None or pooled is None:
            continue
        if found.load.mode is Mode.QUERY:
            moment = source.timestamps[asked[identifier].block]
            child = next((n for n, at in sorted(destination.timestamps.items()) if at > moment), None)
            if child is not None and child + depth in destination.blocks:
                yield pooled - max(possible, destination.blocks[child + depth])
            continue
        receipt = concluded[identifier]
        executing, final = destination.pooled.get(receipt.tx_hash), destination.blocks.get(receipt.block + depth)
        if executing is not None and final is not None:
            yield (executing - possible) + (pooled - final)


def _percentiles(values: Iterable[float], digits: int = 3) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0}
    return {
        name: round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], digits)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
