"""A schema is brought up to date from anywhere, whole, and never by accident."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.exc import OperationalError

from relayer.store import migrate
from relayer.store.engine import open_engine
from relayer.store.migrate import Schema, is_current, upgrade
from relayer.store.tables import GuardTable, StoreTable

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
