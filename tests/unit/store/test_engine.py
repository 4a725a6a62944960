"""A database is opened privately, durably, or not at all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from relayer.errors import ConfigError
from relayer.store import engine as engine_module
from relayer.store.engine import Engine, database_file, open_engine
from relayer.store.guard_store import GUARD_CACHE_KIBIBYTES


async def run(engine: Engine, *statements: str) -> None:
    """In one transaction."""
    await engine.write(lambda connection, _: [connection.execute(text(statement)) for statement in statements])


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def write_something(url: str) -> list[int]:
    """Write, and return the modes of all files while the database is open."""
    engine = open_engine(url)
    await run(engine, "CREATE TABLE IF NOT EXISTS things (name TEXT)", "INSERT INTO things VALUES ('one')")
    path = database_file(url)
    assert path is not None
    modes = [mode_of(path) for path in path.parent.iterdir()]
    await engine.dispose()
    return modes


async def test_the_database_and_the_files_beside_it_are_their_owner_s_alone(tmp_path: Path) -> None:
    """SECURITY: payloads, peers and own transactions are nobody else's business, whatever the umask."""
    before = os.umask(0)
    try:
        assert await write_something(f"sqlite:///{tmp_path}/new.db") == [0o600] * 3
    finally:
        os.umask(before)


async def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    """SECURITY: as above, for a file that was copied carelessly."""
    path = tmp_path / "old.db"
    path.touch(mode=0o666)
    path.chmod(0o666)
    assert await write_something(f"sqlite:///{path}") == [0o600] * 3


async def test_commits_are_synced_to_disk_and_written_ahead(tmp_path: Path) -> None:
    """SECURITY: a nonce or a guard key that the power took would be used a second time."""
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")

    def pragmas(connection: Connection, _: object = None) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names}

    found = [await engine.read(pragmas), await engine.read(pragmas, is_long=True), await engine.write(pragmas)]
    await engine.dispose()
    assert found == [{"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}] * 3


async def test_each_connection_keeps_no_more_of_the_file_in_memory_than_it_may(tmp_path: Path) -> None:
    def cache_size(connection: Connection, _: object = None) -> object:
        return connection.execute(text("PRAGMA cache_size")).scalar_one()

    for engine, kibibytes in (
        (open_engine(f"sqlite:///{tmp_path}/store.db"), 16 * 1024),
        (open_engine(f"sqlite:///{tmp_path}/guard.db", GUARD_CACHE_KIBIBYTES), 4 * 1024),
    ):
        found = [await engine.read(cache_size), await engine.read(cache_size, is_long=True)]
        found.append(await engine.write(cache_size))
        await engine.dispose()
        assert found == [-kibibytes] * 3  # SQLite's way to say kibibytes, and not pages


async def test_readers_see_one_state_while_a_writer_commits(tmp_path: Path) -> None:
    engine, other = open_engine(f"sqlite:///{tmp_path}/x.db"), open_engine(f"sqlite:///{tmp_path}/x.db")
    await run(engine, "CREATE TABLE things (name TEXT)")
    loop, has_looked, is_written = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def look_twice(connection: Connection) -> list[int]:
        first = count_things(connection)
        loop.call_soon_threadsafe(has_looked.set)
        assert is_written.wait(timeout=60)
        return [first, count_things(connection)]

    reading = asyncio.create_task(engine.read(look_twice, is_long=True))
    await has_looked.wait()
    await run(other, "INSERT INTO things VALUES ('one')")
    is_written.set()
    assert await reading == [0, 0]
    assert await engine.read(count_things) == 1
    for each in (engine, other):
        await each.dispose()


async def test_a_commit_waits_for_no_long_reads(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    await run(engine, "CREATE TABLE things (name TEXT)")
    is_written = threading.Event()

    def look_late(connection: Connection) -> int:
        assert is_written.wait(timeout=60)
        return count_things(connection)

    # More than an engine lets run at a time.
    reading = [asyncio.create_task(engine.read(look_late, is_long=True)) for _ in range(20)]
    await asyncio.sleep(0)
    await run(engine, "INSERT INTO things VALUES ('one')")
    is_written.set()
    assert await asyncio.gather(*reading) == [1] * 20
    await engine.dispose()


def count_things(connection: Connection) -> int:
    number: int = connection.execute(text("SELECT count(*) FROM things")).scalar_one()
    return number


async def test_a_writer_is_told_whether_others_have_written_since_it_last_did(tmp_path: Path) -> None:
    """SECURITY: what a store remembers of requests is compared with decisions only while it is all there is."""
    url = f"sqlite:///{tmp_path}/x.db"
    engine, other = open_engine(url), open_engine(url)
    assert not await engine.write(lambda _, is_undisturbed: is_undisturbed)  # the first: nobody knows
    await run(engine, "CREATE TABLE things (name TEXT)")
    assert await engine.write(lambda _, is_undisturbed: is_undisturbed)
    await engine.read(count_things)
    await other.read(count_things)
    assert await engine.write(lambda _, is_undisturbed: is_undisturbed)
    await run(other, "INSERT INTO things VALUES ('one')")
    assert not await engine.write(lambda _, is_undisturbed: is_undisturbed)
    await run(engine, "INSERT INTO things VALUES ('two')")
    assert await engine.write(lambda _, is_undisturbed: is_undisturbed)
    assert not await other.write(lambda _, is_undisturbed: is_undisturbed)
    for each in (engine, other):
        await each.dispose()


async def test_what_raises_is_undone_and_the_next_is_written(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    await run(engine, "CREATE TABLE things (name TEXT)")

    def fail(connection: Connection, _: object) -> None:
        connection.execute(text("INSERT INTO things VALUES ('one')"))
        raise LookupError

    with pytest.raises(LookupError):
        await engine.write(fail)
    assert await engine.read(count_things) == 0
    await run(engine, "INSERT INTO things VALUES ('two')")
    assert await engine.read(count_things) == 1
    await engine.dispose()


async def test_others_go_on_while_a_writer_waits_for_another_process(tmp_path: Path) -> None:
    """A lock elsewhere must not stop heartbeats here."""
    path = tmp_path / "x.db"
    engine = open_engine(f"sqlite:///{path}")
    await run(engine, "CREATE TABLE things (name TEXT)")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(run(engine, "INSERT INTO things VALUES ('one')"))
    for _ in range(1_000):
        await asyncio.sleep(0)
        assert await engine.read(count_things) == 0
    assert not writing.done()
    holder.execute("COMMIT")
    holder.close()
    await writing
    assert await engine.read(count_things) == 1
    await engine.dispose()


async def test_a_failing_statement_shows_no_values(tmp_path: Path) -> None:
    """SECURITY: what fails is logged, and payloads do not belong into logs."""
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    statement = text("INSERT INTO missing VALUES (:value)")
    with pytest.raises(OperationalError) as caught:
        await engine.write(lambda connection, _: connection.execute(statement, {"value": "confidential"}))
    await engine.dispose()
    assert "confidential" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("mysql://root@host/db", "mysql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("no url at all", "cannot be read"),
    ],
)
def test_other_databases_are_refused_with_what_to_write_instead(url: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        open_engine(url)
    with pytest.raises(ConfigError, match=fault):
        database_file(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing/x\.db: the database cannot be opened: No such file"):
        open_engine(f"sqlite:///{tmp_path}/missing/x.db")


def test_a_fault_in_the_url_does_not_show_the_password() -> None:
    """SECURITY: errors are logged."""
    with pytest.raises(ConfigError) as caught:
        open_engine("postgresql//relayer:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def test_postgresql_without_its_driver_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="asyncpg"):
        open_engine("postgresql://relayer@host/db")


def test_postgresql_has_no_file() -> None:
    assert database_file("postgresql://relayer@host/db") is None
