"""What only a database has to prove: other processes, cancelled tasks, restarts."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from attestation.request import RequestId
from relayer.domain.events import RequestFinal, RequestOrphaned
from relayer.domain.lifecycle import decide
from relayer.errors import StoreConflict
from relayer.ports.store import Change, Commit, RequestFilter
from relayer.store.engine import Engine, open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import NOW, SOURCE_CHAIN, execute_batch, make_request, track, word
from tests.unit.store.committing import REQUESTS_PER_COMMIT, commit_number


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    return url


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    engine = open_engine(url)
    yield engine
    await engine.dispose()


async def test_a_reopened_file_gives_the_same_answers(url: str) -> None:
    before: list[object] = []
    after: list[object] = []
    for answers in (before, after):
        engine = open_engine(url)
        store = SqlStore(engine)
        if answers is before:
            for number in range(1, 6):
                await store.commit(commit_number(number))
        batch = commit_number(3).batches[0]
        answers += [
            await store.list_requests(RequestFilter(), 100),
            await store.load_cursor(SOURCE_CHAIN),
            await store.load_batches([batch.root]),
            await store.load_attestations([batch.root]),
            await store.count_by_status(),
            await store.count_effects(),
            await store.load_peer_cursor(b"peer"),
        ]
        await engine.dispose()
    assert before == after


async def test_of_two_stores_on_one_file_only_one_moves_a_request_on(url: str, engine: Engine) -> None:
    """SECURITY: a second process that was started by mistake must not pay for the same request."""
    other_engine = open_engine(url)
    one, other = SqlStore(engine), SqlStore(other_engine)
    requests = [track(make_request(nonce)) for nonce in range(30)]
    await one.commit(Commit(observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in requests)))
    for request in requests:
        final, orphaned = decide(request, RequestFinal(word("root"))), decide(request, RequestOrphaned())
        results = await asyncio.gather(
            one.commit(Commit(changes=(Change(request.status, final.request, "RequestFinal", NOW),))),
            other.commit(Commit(changes=(Change(request.status, orphaned.request, "RequestOrphaned", NOW),))),
            return_exceptions=True,
        )
        assert sorted(type(result) for result in results if result is not None) == [StoreConflict]
        assert len(await one.load_transitions(request.request_id)) == 2
    await other_engine.dispose()


async def cancelled_after(steps: int, work: Coroutine[Any, Any, object]) -> None:
    """Start, let the loop turn so many times, cancel, and wait for the end."""
    task = asyncio.create_task(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_commit_that_is_cancelled_at_any_moment_is_written_whole_or_not_at_all(engine: Engine) -> None:
    store = SqlStore(engine)
    for moment in range(1, 200, 5):
        commit = commit_number(moment)
        await cancelled_after(moment, store.commit(commit))
        there = await store.load_requests([change.request.request_id for change in commit.changes])
        receipts = await store.load_receipts([receipt.request_id for receipt in commit.receipts])
        batches = await store.load_batches([commit.batches[0].root])
        assert (len(there), len(receipts), len(batches)) in {(0, 0, 0), (REQUESTS_PER_COMMIT, REQUESTS_PER_COMMIT, 1)}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What is forgotten in a cycle stays until the test is over."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
async def test_what_is_cancelled_leaves_no_lock_and_no_snapshot_behind(engine: Engine, url: str) -> None:
    """An abandoned connection would hold up everybody's writes, or the write-ahead log, until garbage is collected."""
    store = SqlStore(engine)
    ids: list[RequestId] = []
    for number in range(1, 31):
        await store.commit(commit_number(number))
        ids += [change.request.request_id for change in commit_number(number).changes]
    for moment in range(1, 200, 5):
        await cancelled_after(moment, store.commit(commit_number(100 + moment)))
        await cancelled_after(moment, store.load_requests(ids))
        await store.commit(commit_number(1_000 + moment))
        other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
        is_busy = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        other.close()
        assert not is_busy


async def test_loads_and_commits_run_side_by_side(engine: Engine) -> None:
    store = SqlStore(engine)
    ids = [change.request.request_id for n in range(1, 9) for change in commit_number(n).changes]
    counts: list[int] = []

    async def watch() -> None:
        while len(await store.load_requests(ids)) < len(ids):
            counts.append(len(await store.load_requests(ids)))

    async def write() -> None:
        for number in range(1, 9):
            await store.commit(commit_number(number))

    await asyncio.gather(watch(), write(), watch(), watch())
    assert all(count % REQUESTS_PER_COMMIT == 0 for count in counts)


async def test_a_conflict_names_the_request_and_both_statuses(engine: Engine) -> None:
    store, request = SqlStore(engine), track()
    final = decide(request, RequestFinal(execute_batch(request).root)).request
    with pytest.raises(StoreConflict, match=f"0x{request.request_id.hex()} is unknown here, .* decided on OBSERVED"):
        await store.commit(Commit(changes=(Change(request.status, final, "RequestFinal", NOW),)))
