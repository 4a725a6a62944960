"""A database is opened privately, durably, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from relayer.errors import ConfigError
from relayer.store import engine as engine_module
from relayer.store.engine import database_file, open_engine, writing


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def write_something(url: str) -> list[int]:
    """Write, and return the modes of all files while the database is open."""
    engine = open_engine(url)
    async with writing(engine).begin() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS things (name TEXT)"))
        await connection.execute(text("INSERT INTO things VALUES ('one')"))
    folder = Path(str(engine.url.database)).parent
    modes = [mode_of(path) for path in folder.iterdir()]
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
    async with engine.connect() as connection:
        pragmas = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    await engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


async def test_readers_see_one_state_while_a_writer_commits(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    count = text("SELECT count(*) FROM things")
    async with writing(engine).begin() as writer:
        await writer.execute(text("CREATE TABLE things (name TEXT)"))
    async with engine.connect() as reader:
        assert (await reader.execute(count)).scalar_one() == 0
        async with writing(engine).begin() as writer:
            await writer.execute(text("INSERT INTO things VALUES ('one')"))
        assert (await reader.execute(count)).scalar_one() == 0
    async with engine.connect() as reader:
        assert (await reader.execute(count)).scalar_one() == 1
    await engine.dispose()


async def test_a_failing_statement_shows_no_values(tmp_path: Path) -> None:
    """SECURITY: what fails is logged, and payloads do not belong into logs."""
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    async with engine.connect() as connection:
        with pytest.raises(OperationalError) as caught:
            await connection.execute(text("INSERT INTO missing VALUES (:value)"), {"value": "confidential"})
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
