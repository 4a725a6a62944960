"""Opening a database so that what is committed stays.

Its job: from a URL, an engine that runs work on a connection, in a transaction of its own, for SQLite (a file that only
its owner can read) and PostgreSQL. What it has written is on disk when it returns. It knows no table.

Durable means here: not lost with the process and not lost with the power. SQLite writes ahead (WAL) with
`synchronous=FULL`, one fsync a commit. NORMAL would lose the last commits with the power, which harms more than it
saves: a nonce that was recorded before sending would be given out again, and peers that follow our attestations by row
number would miss those that are written under the same numbers afterwards. A commit carries hundreds of requests, so
the fsync is no bound on throughput.

SQLite's statements run at the speed of memory, so they run where the values are made, on the event loop's thread: to
hand one to another thread costs more than to run it, and a second thread would wait for the interpreter at every row.
What can wait for a disk or for another process runs in a thread: opening, the COMMIT, and a BEGIN that finds the
database locked. So does what reads without bound.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from relayer.errors import ConfigError
from relayer.store.faults import driver_errors_told, is_locked, unavailability_told
from relayer.store.uninterrupted import uninterrupted

BUSY_SECONDS: Final = 30
"""How long a writer waits for another process's commit. Commits take milliseconds; a backup may take seconds."""

_CONNECTIONS: Final = 8
"""Open connections of one engine. SQLite has one writer, and as many readers as stages load at the same time."""

_LONG_READS: Final = _CONNECTIONS - 2
"""So many at a time: of SQLite's connections one writes, and one reads what is short."""

_CACHE_KIBIBYTES: Final = 16 * 1024
"""Page cache of one SQLite connection: the hot pages of all indexes with a million requests. It fills as the database
grows, and is never given back.
"""

_CHECKPOINT_PAGES: Final = 4_000
"""WAL pages (16 MiB) between checkpoints: a page that many commits touch is copied into the file once, not often."""

_POLL_SECONDS: Final = 0.01
_OWNER_ONLY: Final = 0o600
_WITHOUT_WAITING: Final = "PRAGMA busy_timeout=0"

_Value = TypeVar("_Value")


class Engine(Protocol):
    """A database. It belongs to one event loop; whoever opened it disposes of it, after the last call.

    Any number of engines, in any number of processes, may be open on one database. A caller that is cancelled in the
    middle of a call waits for its end. Both ways to run work raise `StoreUnavailable` if the database is locked, full
    or away, and pass on what the work raises.
    """

    @property
    def is_watched(self) -> bool:
        """Whether `write` can tell that nobody else has written."""
        ...

    async def read(self, work: Callable[[Connection], _Value], *, is_long: bool = False) -> _Value:
        """What `work` makes of a connection whose statements all see one state. It never waits for a writer.

        `is_long` says that what is read has no bound: others go on meanwhile.
        """
        ...

    async def write(self, work: Callable[[Connection, bool], _Value], *, is_long: bool = False) -> _Value:
        """Run `work` in a transaction that writes, on disk on return; nothing was written if it raises.

        `work` is also told whether it is certain that nobody else has written to this database since the last `write`
        of this engine.
        """
        ...

    async def dispose(self) -> None:
        """Close all connections."""
        ...


def open_engine(url: str, cache_kibibytes: int = _CACHE_KIBIBYTES) -> Engine:
    """An engine for `sqlite:///path/to/file` or `postgresql://user:password@host/database`. Connects on first use.

    `cache_kibibytes` is the most that each of SQLite's connections keeps of the file in memory; a server has its own.

    Raises:
        ConfigError: another kind of database, SQLite without a file, a file that cannot be made private, or PostgreSQL
            without its driver.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteEngine(parsed, cache_kibibytes)
    return ServerEngine(parsed)


class SqliteEngine:
    """Implements `Engine` over one file. One connection writes, one reads, and more do what takes long."""

    is_watched: Final = True

    def __init__(self, url: URL, cache_kibibytes: int) -> None:
        _make_private(_file_of(url))
        self._cache_kibibytes = cache_kibibytes
        self.sync_engine: Final = create_engine(
            url.set(drivername="sqlite+pysqlite"),
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
            # Transactions are begun and ended here, not by the driver nor by SQLAlchemy.
            isolation_level="AUTOCOMMIT",
            # Each connection is used by one thread at a time, but not always by the same.
            connect_args={"check_same_thread": False},
        )
        event.listen(self.sync_engine, "connect", self._prepare_connection)
        # Long reads wait for one another, never the writer for them.
        self._reading = ThreadPoolExecutor(_LONG_READS, thread_name_prefix="store-reading")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writing")
        # A fair queue within the process; the database's own waiting is by polling.
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._reader: Connection | None = None
        self._writer: Connection | None = None
        self._last_version: int | None = None
        """SQLite's count of others' commits, as the last write found it. A new connection counts anew."""

    async def read(self, work: Callable[[Connection], _Value], *, is_long: bool = False) -> _Value:
        """See `Engine`."""
        with unavailability_told():
            if not is_long:
                if self._reader is None:
                    await self._open_reader()
                assert self._reader is not None
                try:
                    return _in_snapshot(self._reader, work)
                except DBAPIError as error:
                    if not is_locked(error):
                        raise
            return await _run_in(self._reading, lambda: self._read_patiently(work))

    async def write(self, work: Callable[[Connection, bool], _Value], *, is_long: bool = False) -> _Value:
        """See `Engine`."""
        with unavailability_told():
            async with self._turn:
                return await uninterrupted(self._write(work, is_long=is_long))

    async def dispose(self) -> None:
        """Close all connections."""
        # The last connection to be closed copies what was written ahead into the file.
        await _run_in(self._writing, self._close)
        self._reading.shutdown()
        self._writing.shutdown()

    def _prepare_connection(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_waiting())
        _write_ahead(cursor)
        for pragma in (
            "PRAGMA synchronous=FULL",
            "PRAGMA foreign_keys=ON",
            f"PRAGMA cache_size=-{self._cache_kibibytes}",
            f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}",
        ):
            cursor.execute(pragma)
        cursor.close()

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None
        self.sync_engine.dispose()

    async def _open_reader(self) -> None:
        async with self._opening:
            if self._reader is None:
                self._reader = await _run_in(self._reading, self._open_impatient)

    def _open_impatient(self) -> Connection:
        connection = self.sync_engine.connect()
        _driver_of(connection).execute(_WITHOUT_WAITING)
        return connection

    def _read_patiently(self, work: Callable[[Connection], _Value]) -> _Value:
        with self.sync_engine.connect() as connection:
            return _in_snapshot(connection, work)

    async def _write(self, work: Callable[[Connection, bool], _Value], *, is_long: bool) -> _Value:
        if self._writer is None:
            self._writer = await _run_in(self._writing, self._open_impatient)
            self._last_version = None
        writer, driver = self._writer, _driver_of(self._writer)
        try:
            _begin(driver)
        except DBAPIError as error:
            if not is_locked(error):
                raise
            await _run_in(self._writing, lambda: _begin_patiently(driver))
        with driver_errors_told(), _undone_unless_written(writer):
            # SECURITY: what was remembered is believed only while nobody else has written. SQLite counts the commits of
            # other connections, and within this transaction there are none.
            (version,) = driver.execute("PRAGMA data_version").fetchone()
            is_undisturbed, self._last_version = version == self._last_version, version
            if is_long:
                result = await _run_in(self._writing, lambda: work(writer, is_undisturbed))
            else:
                result = work(writer, is_undisturbed)
            await _run_in(self._writing, lambda: driver.execute("COMMIT"))
        return result


class ServerEngine:
    """Implements `Engine` over a PostgreSQL server."""

    is_watched: Final = False

    def __init__(self, url: URL) -> None:
        if find_spec("asyncpg") is None:
            raise ConfigError(["PostgreSQL needs its driver; install asyncpg"])
        self._engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
            # READ COMMITTED, whatever the server's default: after waiting for another writer one sees what it wrote.
            isolation_level="READ COMMITTED",
            connect_args={"server_settings": {"synchronous_commit": "on"}},
        )
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def read(self, work: Callable[[Connection], _Value], *, is_long: bool = False) -> _Value:  # noqa: ARG002 - see `Engine`
        """See `Engine`."""

        async def connected() -> _Value:
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)

        with unavailability_told():
            return await uninterrupted(connected())

    async def write(self, work: Callable[[Connection, bool], _Value], *, is_long: bool = False) -> _Value:  # noqa: ARG002 - see `Engine`
        """See `Engine`. A server does not say whether others have written."""

        async def connected() -> _Value:
            async with self._engine.begin() as connection:
                return await connection.run_sync(lambda synchronous: work(synchronous, False))  # noqa: FBT003 - `Engine`

        with unavailability_told():
            return await uninterrupted(connected())

    async def dispose(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def sqlite_driver_of(connection: Connection) -> sqlite3.Connection | None:
    """The driver's own connection; None if it is no SQLite's. What it raises is told by the engine."""
    return _driver_of(connection) if connection.dialect.name == "sqlite" else None


async def _run_in(threads: ThreadPoolExecutor, work: Callable[[], _Value]) -> _Value:
    return await uninterrupted(asyncio.get_running_loop().run_in_executor(threads, work))


def _in_snapshot(connection: Connection, work: Callable[[Connection], _Value]) -> _Value:
    with driver_errors_told(), _undone_unless_written(connection):
        _driver_of(connection).execute("BEGIN")
        return work(connection)


@contextmanager
def _undone_unless_written(connection: Connection) -> Iterator[None]:
    """SQLAlchemy believes in one transaction for as long as the block runs; what it leaves uncommitted is undone."""
    transaction = connection.begin()
    try:
        yield
    finally:
        transaction.close()
        _driver_of(connection).rollback()


def _begin(driver: sqlite3.Connection) -> None:
    # A transaction that begins by reading and writes later fails when another wrote in between, without waiting. So
    # writers take their turn at the beginning.
    with driver_errors_told():
        driver.execute("BEGIN IMMEDIATE")


def _begin_patiently(driver: sqlite3.Connection) -> None:
    """Wait for whoever writes. The connection is impatient again afterwards."""
    driver.execute(_waiting())
    try:
        _begin(driver)
    finally:
        driver.execute(_WITHOUT_WAITING)


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def database_file(url: str) -> Path | None:
    """The file of a SQLite URL, None for PostgreSQL. Raises `ConfigError` as `open_engine`."""
    parsed = _parse(url)
    return _file_of(parsed) if parsed.get_backend_name() == "sqlite" else None


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError:
        # SECURITY: no `from`, no URL in the text: it may hold a password.
        raise ConfigError(["the database URL cannot be read; write sqlite:///path/to/file"]) from None
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigError([f"a database of kind {backend!r} is not supported; use sqlite or postgresql"])
    return parsed


def _file_of(url: URL) -> Path:
    if url.database in {None, "", ":memory:"}:
        raise ConfigError(["the database URL names no file; write sqlite:///path/to/file"])
    return Path(str(url.database))


def _make_private(path: Path) -> None:
    """SECURITY: the file exists, empty if need be, and is its owner's alone, before SQLite opens it.

    SQLite gives the files beside it (-wal, -shm) the same mode.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
        try:
            if stat.S_IMODE(os.fstat(descriptor).st_mode) != _OWNER_ONLY:
                os.fchmod(descriptor, _OWNER_ONLY)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError([f"{path}: the database cannot be opened: {error.strerror}"]) from error
    except ValueError:
        raise ConfigError(["the database URL names a file with a NUL byte; write sqlite:///path/to/file"]) from None


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Two that both change a new file to this mode do not wait for one another: one of them is told at once.

    Connections are opened in a thread, so that nobody else waits while this one sleeps.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def _waiting() -> str:
    return f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}"
