"""What is committed survives the process, however it ends."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from relayer.domain.batch import BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.ports.store import RequestFilter
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import DESTINATION_CHAIN, DESTINATION_GATEWAY, SOURCE_CHAIN, attest, make_transaction
from tests.unit.store.committing import REQUESTS_PER_COMMIT, commit_number

SCRIPT = Path(__file__).with_name("committing.py")
COMMITS_BEFORE_THE_KILL = (1, 7, 40)


def commit_and_kill(url: str, commits: int) -> int:
    """Start a committing process, kill it after so many acknowledged commits, and return the last it acknowledged."""
    with subprocess.Popen([sys.executable, str(SCRIPT), url], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(commits)]
        # SIGKILL, at whatever point of the next commit it has reached by now.
        child.kill()
        acknowledged += [int(line) for line in child.stdout.read().split("\n") if line]
    return acknowledged[-1]


async def assert_whole(store: SqlStore, number: int) -> None:
    """All of this commit is there."""
    commit = commit_number(number)
    requests = {change.request.request_id: change.request for change in commit.changes}
    assert await store.load_requests([*requests]) == requests
    assert await store.load_receipts([*requests]) == {receipt.request_id: receipt for receipt in commit.receipts}
    assert await store.load_batches([commit.batches[0].root]) == {commit.batches[0].root: commit.batches[0]}
    assert await store.load_attestations([commit.batches[0].root]) == {
        commit.batches[0].root: [attest(commit.batches[0])]
    }
    for entry in commit.fees:
        assert await store.load_fees(entry.request_id) == [entry]
        assert len(await store.load_transitions(entry.request_id)) == 2
        assert await store.load_transactions_of(entry.request_id) == [make_transaction(number, [*requests])]


async def test_every_acknowledged_commit_is_there_in_full_after_kill_9_and_none_by_half(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    url = f"sqlite:///{path}"
    await upgrade(url)
    for commits in COMMITS_BEFORE_THE_KILL:
        acknowledged = commit_and_kill(url, commits)
        engine = open_engine(url)
        store = SqlStore(engine)
        cursor = await store.load_cursor(SOURCE_CHAIN)
        assert cursor is not None
        # The one that was under way may be there as well, but then in full: a newer cursor belongs to it.
        last = cursor.final.number
        assert last in {acknowledged, acknowledged + 1}
        for number in range(1, last + 1):
            await assert_whole(store, number)
        assert await store.load_peer_cursor(b"peer") == str(last)
        assert max(await store.load_held_nonces(DESTINATION_CHAIN, make_transaction().sender, 0)) == last
        assert await store.count_effects() == {(DESTINATION_CHAIN, EffectKind.SIGN_BATCH): last}
        assert await store.count_by_status() == {(SOURCE_CHAIN, Status.FINAL): last * REQUESTS_PER_COMMIT}
        assert len(await store.list_requests(RequestFilter(), 10_000)) == last * REQUESTS_PER_COMMIT
        assert len(await store.load_unlanded_roots(BatchKind.EXECUTE, DESTINATION_GATEWAY, 10_000)) == last
        await engine.dispose()
        database = sqlite3.connect(path)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        database.close()
