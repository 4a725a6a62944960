"""A schema is brought up to date from anywhere, whole, and never by accident."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.exc import OperationalError

from relayer.domain.batch import BORN_KINDS
from relayer.domain.events import RequestFinal
from relayer.domain.lifecycle import decide
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Change, Commit, RequestFilter
from relayer.store import migrate
from relayer.store.codec import encode_request
from relayer.store.engine import open_engine
from relayer.store.mapping import request_values
from relayer.store.memory import MemoryStore
from relayer.store.migrate import Schema, is_current, upgrade
from relayer.store.sql_store import SqlStore
from relayer.store.tables import REQUESTS, GuardTable, StoreTable
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    SENDER,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    make_query,
    make_request,
    track,
    word,
)

METADATA = {Schema.STORE: StoreTable.metadata, Schema.GUARD: GuardTable.metadata}


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.mark.parametrize("schema", Schema)
async def test_a_new_database_becomes_current_and_stays_so(tmp_path: Path, schema: Schema) -> None:
    url = url_of(tmp_path / "new.db")
    await upgrade(url, schema)
    assert await is_current(url, schema)
    await upgrade(url, schema)
    assert await is_current(url, schema)


@pytest.mark.parametrize("schema", Schema)
async def test_asking_about_a_file_that_does_not_exist_does_not_make_it(tmp_path: Path, schema: Schema) -> None:
    """SECURITY: a guard that is lost must be missed, not replaced by an empty one."""
    path = tmp_path / "missing.db"
    assert not await is_current(url_of(path), schema)
    assert not path.exists()


async def test_an_empty_database_and_one_of_another_revision_are_not_current(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch()
    assert not await is_current(url_of(path))
    await upgrade(url_of(path))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE xvm_store_revision SET version_num = 'store_9999'")
    database.close()
    assert not await is_current(url_of(path))


@pytest.mark.parametrize("schema", Schema)
async def test_the_revisions_lead_to_exactly_the_tables_that_the_program_uses(tmp_path: Path, schema: Schema) -> None:
    path = tmp_path / "x.db"
    await upgrade(url_of(path), schema)
    engine = create_engine(url_of(path))
    with engine.connect() as connection:
        assert differences(connection, METADATA[schema], schema) == []
    engine.dispose()


def differences(connection: Connection, metadata: MetaData, schema: Schema) -> list[object]:
    options = {"version_table": f"xvm_{schema}_revision", "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


@pytest.mark.parametrize("schema", Schema)
async def test_the_revisions_make_the_same_indexes_with_the_same_conditions(tmp_path: Path, schema: Schema) -> None:
    """A partial index is used only for queries that repeat its condition, so the condition must not drift."""
    migrated, created = tmp_path / "migrated.db", tmp_path / "created.db"
    await upgrade(url_of(migrated), schema)
    engine = create_engine(url_of(created))
    METADATA[schema].create_all(engine)
    engine.dispose()
    assert indexes_in(migrated) == indexes_in(created)


def indexes_in(path: Path) -> set[str]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL").fetchall()
    database.close()
    return {sql for (sql,) in rows}


async def test_requests_of_an_older_schema_keep_their_lives_and_are_found_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_of(tmp_path / "old.db")
    requests = [
        replace(track(make_request(n)), status=status, execute_root=word("execute", n), outcome_root=word("outcome", n))
        for n, status in enumerate(Status)
    ]
    requests.append(replace(track(make_query(99)), status=Status.FINAL))
    await upgrade_to(monkeypatch, url, "store_0006")
    with sqlite3.connect(tmp_path / "old.db") as database:
        for row, request in enumerate(requests, start=1):
            write_as_of_0006(database, row, request)
    database.close()
    await upgrade(url)
    engine = open_engine(url)
    store, anew = SqlStore(engine), MemoryStore()
    await anew.commit(
        Commit(observed=tuple(Change(Status.OBSERVED, request, "CallRequested", NOW) for request in requests))
    )
    for request in requests:
        steps = await store.load_transitions(request.request_id)
        assert [(step.before, step.after, step.at) for step in steps] == [
            (None, Status.OBSERVED, NOW),
            (Status.OBSERVED, request.status, NOW + 1),
        ]
    for where in (RequestFilter(), RequestFilter(sender=SENDER), RequestFilter(statuses=frozenset({Status.FINAL}))):
        assert await store.list_requests(where, 100) == await anew.list_requests(where, 100)
    for kind, gateway in zip(BORN_KINDS, (DESTINATION_GATEWAY, SOURCE_GATEWAY), strict=True):
        assert await store.load_unlanded_roots(kind, gateway, 100) == await anew.load_unlanded_roots(kind, gateway, 100)
    late = (DESTINATION_CHAIN, 2**63, 100)
    assert await store.load_expiring(*late) == await anew.load_expiring(*late)
    before = requests[0]
    after = decide(before, RequestFinal(word("root"))).request
    await store.commit(Commit(changes=(Change(before.status, after, "RequestFinal", NOW + 2),)))
    assert [step.after for step in await store.load_transitions(before.request_id)][-1] is Status.FINAL
    await engine.dispose()


async def upgrade_to(monkeypatch: pytest.MonkeyPatch, url: str, revision: str) -> None:
    """What an older release made of a new file."""
    with monkeypatch.context() as older:
        newest = migrate.command.upgrade
        older.setattr(migrate.command, "upgrade", lambda config, _head: newest(config, revision))
        await upgrade(url)


def write_as_of_0006(database: sqlite3.Connection, row: int, request: TrackedRequest) -> None:
    """The request with two steps, among those of others."""
    known = {column[1] for column in database.execute("PRAGMA table_info(requests)")}
    now = zip([column.name for column in REQUESTS.columns], request_values(request, row, 2), strict=True)
    values = {name: value for name, value in now if name in known}
    insert(database, "requests", values)
    insert(database, "request_bodies", {"request_row": row, "encoded": encode_request(request.request)})
    insert(database, "request_counts", {"source_chain": SOURCE_CHAIN, "status": request.status.value, "count": 1})
    steps = ((None, Status.OBSERVED, NOW), (Status.OBSERVED, request.status, NOW + 1))
    for number, (before, after, at) in enumerate(steps):
        step = {"before": before and before.value, "after": after.value, "cause": "", "reason": "", "at": at}
        insert(database, "transitions", {"row": number * 1_000 + row, "request_row": row, **step})


def insert(database: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join("?" * len(values))
    # Of two requests in one status, the second is counted by the first.
    database.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", tuple(values.values()))  # noqa: S608


async def test_store_and_guard_may_share_a_database(tmp_path: Path) -> None:
    url = url_of(tmp_path / "both.db")
    await upgrade(url, Schema.GUARD)
    assert not await is_current(url, Schema.STORE)
    await upgrade(url, Schema.STORE)
    assert await is_current(url, Schema.STORE)
    assert await is_current(url, Schema.GUARD)


async def test_two_processes_that_start_at_once_both_find_it_current(tmp_path: Path) -> None:
    url = url_of(tmp_path / "x.db")
    await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))
    assert await is_current(url)


async def test_a_revision_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    engine = open_engine(url_of(path))
    # A table in the way of the revision's last ones.
    await engine.write(lambda connection, _: connection.execute(text("CREATE TABLE transitions (name TEXT)")))
    await engine.dispose()
    with pytest.raises(OperationalError, match="transitions already exists"):
        await upgrade(url_of(path))
    database = sqlite3.connect(path)
    assert database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("transitions",)]
    database.close()


async def test_it_runs_from_any_folder_and_changes_no_logging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    await upgrade("sqlite:///here.db")
    assert await is_current("sqlite:///here.db")
    assert (tmp_path / "here.db").exists()
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


async def test_a_percent_sign_in_the_installation_s_path_stands_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "100%(here)s"
    elsewhere.symlink_to(migrate._SCRIPTS)
    monkeypatch.setattr(migrate, "_SCRIPTS", elsewhere)
    await upgrade(url_of(tmp_path / "x.db"))
    assert await is_current(url_of(tmp_path / "x.db"))
