"""A database that is locked, full or garbage: said in words, nothing half written, and well again afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from attestation.schemes import SECP256K1
from relayer.errors import ConfigError, StoreUnavailable
from relayer.keys.local_signer import LocalSigner
from relayer.ports.store import RequestFilter
from relayer.store import engine as engine_module
from relayer.store.engine import Engine, open_engine
from relayer.store.faults import unavailability_told
from relayer.store.guard_store import SqlGuard
from relayer.store.migrate import Schema, is_current, upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import execute_batch, track
from tests.unit.store.committing import REQUESTS_PER_COMMIT, commit_number


class Disk:
    """The room that the one connection of a test which writes has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def fill(self) -> None:
        """No page more than there are."""
        await self._allow("PRAGMA max_page_count=1")

    async def free(self) -> None:
        """Room again."""
        await self._allow("PRAGMA max_page_count=1000000")

    async def _allow(self, pragma: str) -> None:
        await self._engine.write(lambda connection, _: connection.execute(text(pragma)))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is in the middle of writing."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """With no patience for locks."""
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.02)
    url = f"sqlite:///{tmp_path}/x.db"
    for schema in Schema:
        await upgrade(url, schema)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


async def test_a_locked_database_is_unavailable_and_takes_the_commit_later(engine: Engine, tmp_path: Path) -> None:
    store = SqlStore(engine)
    with locked(tmp_path / "x.db"):
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="database is locked"):
                await store.commit(commit_number(1))
        assert await store.list_requests(RequestFilter(), 100) == []
    await store.commit(commit_number(1))
    assert len(await store.list_requests(RequestFilter(), 100)) == REQUESTS_PER_COMMIT


async def test_a_full_disk_is_unavailable_and_nothing_is_written(engine: Engine) -> None:
    store, disk = SqlStore(engine), Disk(engine)
    await disk.fill()
    for _ in range(20):
        with pytest.raises(StoreUnavailable, match="full") as caught:
            await store.commit(commit_number(1))
        assert "INSERT" not in str(caught.value)
        assert caught.value.__suppress_context__
    assert await store.list_requests(RequestFilter(), 100) == []
    assert await store.count_effects() == {}
    await disk.free()
    await store.commit(commit_number(1))
    assert len(await store.list_requests(RequestFilter(), 100)) == REQUESTS_PER_COMMIT


async def test_a_database_locked_for_readers_is_unavailable(engine: Engine, tmp_path: Path) -> None:
    store = SqlStore(engine)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE xvm_store_revision SET version_num = version_num")
    other.execute("COMMIT")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.count_by_status()
    other.close()
    assert await store.count_by_status() == {}


async def test_nothing_is_signed_while_the_guard_cannot_remember(engine: Engine, tmp_path: Path) -> None:
    """SECURITY: a signature that the guard does not remember can be contradicted later."""
    signer = LocalSigner(SECP256K1.signing_key(b"\x11" * 32), SqlGuard(engine))
    batch = execute_batch(track())
    with locked(tmp_path / "x.db"), pytest.raises(StoreUnavailable, match="database is locked"):
        await signer.sign_batch(batch, 1)
    count = text("SELECT count(*) FROM guard_claims")
    assert await engine.read(lambda connection: connection.execute(count).scalar_one()) == 0
    assert (await signer.sign_batch(batch, 1)).root == batch.root


async def test_a_statement_at_fault_stays_a_bug(engine: Engine) -> None:
    for statement, error in (
        ("SELECT * FROM missing", OperationalError),
        ("INSERT INTO guard_claims DEFAULT VALUES", IntegrityError),
    ):
        with pytest.raises(error):
            await engine.write(lambda connection, _, it=statement: connection.execute(text(it)))


async def test_a_server_that_refuses_the_connection_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached: Connection refused"), unavailability_told():
        raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize("schema", Schema)
async def test_a_file_that_is_no_database_is_named_and_left_as_it_is(tmp_path: Path, schema: Schema) -> None:
    """SECURITY: a damaged guard must not be replaced by an empty one."""
    path = tmp_path / "x.db"
    path.write_bytes(b"garbage " * 1_000)
    for look in (upgrade, is_current):
        with pytest.raises(ConfigError, match=r"x\.db: not a SQLite database"):
            await look(f"sqlite:///{path}", schema)
    assert path.read_bytes() == b"garbage " * 1_000


def test_a_file_name_with_a_nul_byte_is_refused() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        open_engine("sqlite:////tmp/a\0b")
