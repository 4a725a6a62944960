"""How fast the store is: `python tests/bench/store_bench.py [requests] [rows there already] [requests a commit]`.

Takes requests through a whole life, 500 a commit as a stage does, on a SQLite file that may already hold finished
requests, then times what stages and people load. Prints figures, asserts nothing: machines differ.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from relayer.domain.batch import BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.events import (
    CallbackFinal,
    CallbackSubmitted,
    Event,
    ExecuteCertified,
    ExecutionDispatched,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptSeen,
    RequestFinal,
)
from relayer.domain.lifecycle import decide
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Change, Commit, OutboxRow, Receipt, RequestFilter
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    NOW,
    SENDER,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    make_conclusion,
    make_location,
    make_request,
    track,
    word,
)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _observed(first: int, count: int) -> list[TrackedRequest]:
    return [
        track(make_request(first + n), location=make_location((first + n) // 500, log_index=n)) for n in range(count)
    ]


def _events(request: TrackedRequest) -> list[Event]:
    number, index = request.block.number, request.location.log_index
    conclusion = make_conclusion(request.request_id, make_location(number, 0, index, DESTINATION_CHAIN))
    execute_root, outcome_root = word("execute", number), word("outcome", number)
    return [
        RequestFinal(execute_root),
        ExecuteCertified(b"\x01" * 32),
        ExecutionDispatched(word("tx", number)),
        ReceiptSeen(conclusion),
        ReceiptFinal(conclusion, outcome_root),
        OutcomeCertified(b"\x02" * 32),
        CallbackSubmitted(word("callback", number)),
        CallbackFinal(is_handler_failed=False),
    ]


def _commits(first: int, count: int) -> tuple[list[Commit], int]:
    """The commits of a whole life of `count` requests, with outbox and receipts, and how many transitions they hold."""
    requests = _observed(first, count)
    lives = [_events(request) for request in requests]
    commits = [Commit(observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in requests))]
    transitions = count
    open_effects: list[tuple[EffectKind, bytes]] = []
    for step in zip(*lives, strict=True):
        decisions = [decide(request, event) for request, event in zip(requests, step, strict=True)]
        changes = tuple(
            Change(request.status, decision.request, type(event).__name__, NOW)
            for request, decision, event in zip(requests, decisions, step, strict=True)
        )
        effects = tuple(
            OutboxRow(effect.kind, effect.request_id, DESTINATION_CHAIN, NOW) for d in decisions for effect in d.effects
        )
        receipts = tuple(
            Receipt(request.request_id, DESTINATION_CHAIN, event.conclusion)
            for request, event in zip(requests, step, strict=True)
            if isinstance(event, ReceiptSeen)
        )
        commits.append(Commit(changes=changes, effects=effects, receipts=receipts, done=tuple(open_effects)))
        open_effects = [(effect.kind, effect.subject) for effect in effects]
        requests = [decision.request for decision in decisions]
        transitions += count
    return commits, transitions


def _finished(first: int, count: int) -> Commit:
    """Requests that are finished already, to fill a database with."""
    done = []
    for request in _observed(first, count):
        tracked = request
        for event in _events(request):
            tracked = decide(tracked, event).request
        done.append(tracked)
    return Commit(
        observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in done),
        receipts=tuple(
            Receipt(r.request_id, DESTINATION_CHAIN, r.conclusion, r.outcome_root) for r in done if r.conclusion
        ),
    )


async def _timed(name: str, load: Callable[[], Awaitable[Any]], times: int = 20) -> None:
    started = perf_counter()
    for _ in range(times):
        result = await load()
    size = len(result) if hasattr(result, "__len__") else result
    _say(f"  {name:<44} {(perf_counter() - started) / times * 1000:9.2f} ms  -> {size}")


async def _time_loads(store: SqlStore, some: Sequence[TrackedRequest]) -> None:
    ids = [request.request_id for request in some]
    kinds = frozenset({EffectKind.SUBMIT_EXECUTE, EffectKind.SUBMIT_CALLBACK})
    loads: dict[str, Callable[[], Awaitable[Any]]] = {
        "load_requests, 500": lambda: store.load_requests(ids),
        "load_requests, 1": lambda: store.load_requests(ids[:1]),
        "load_requests_at, one block": lambda: store.load_requests_at(SOURCE_GATEWAY, [some[0].block.number]),
        "load_receipts, 500": lambda: store.load_receipts(ids),
        "load_expiring": lambda: store.load_expiring(DESTINATION_CHAIN, int(NOW), 1024),
        "load_unlanded_roots": lambda: store.load_unlanded_roots(BatchKind.OUTCOME, SOURCE_GATEWAY, 1024),
        "load_due_effects": lambda: store.load_due_effects(kinds, DESTINATION_CHAIN, NOW, 1024),
        "load_next_due": lambda: store.load_next_due(kinds, None),
        "count_by_status": store.count_by_status,
        "list_requests, newest 50": lambda: store.list_requests(RequestFilter(), 50),
        "list_requests, by sender": lambda: store.list_requests(RequestFilter(sender=SENDER), 50),
        "list_requests, a rare status": lambda: store.list_requests(
            RequestFilter(statuses=frozenset({Status.CERTIFIED}), source_chain=SOURCE_CHAIN), 50
        ),
        "load_transitions": lambda: store.load_transitions(ids[0]),
    }
    for name, load in loads.items():
        await _timed(name, load)


def _size_of(folder: str) -> int:
    return Path(folder, "store.db").stat().st_size


async def main(count: int, there: int, size: int) -> None:
    """Fill, run, print."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        await upgrade(url)
        engine = open_engine(url)
        store = SqlStore(engine)
        started = perf_counter()
        for first in range(0, there, 5_000):
            await store.commit(_finished(first, min(5_000, there - first)))
        _say(f"filled with {there} finished requests in {perf_counter() - started:.1f} s")
        seconds, cpu_seconds, transitions, written = 0.0, 0.0, 0, 0
        for first in range(there, there + count, size):
            commits, steps = _commits(first, size)
            started, cpu_started = perf_counter(), process_time()
            for commit in commits:
                await store.commit(commit)
            seconds += perf_counter() - started
            cpu_seconds += process_time() - cpu_started
            transitions += steps
            written += len(commits)
        _say(f"{transitions} transitions in {written} commits of {size}: {transitions / seconds:,.0f} transitions/s,")
        _say(f"  {seconds / written * 1000:.1f} ms a commit, fsync, outbox and receipts included;")
        _say(
            f"  {transitions / cpu_seconds:,.0f} transitions per second of CPU, for machines that do other work as well"
        )
        tail = _observed(there + count, 500)
        certified = [replace(decide(decide(r, e[0]).request, e[1]).request) for r, e in ((r, _events(r)) for r in tail)]
        await store.commit(
            Commit(
                observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in certified),
                effects=tuple(
                    OutboxRow(EffectKind.SUBMIT_EXECUTE, r.request_id, DESTINATION_CHAIN, NOW) for r in certified
                ),
            )
        )
        await _time_loads(store, certified)
        await engine.dispose()
        _say(f"database: {_size_of(folder) / 2**20:,.0f} MiB")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(numbers + [20_000, 0, 500][len(numbers) :])))
