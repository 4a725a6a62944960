"""Opening a database so that what is committed stays.

Its job: from a URL, an engine whose commits are on disk when they return, for SQLite (a file that only its owner can
read) and PostgreSQL. It knows no table.

Durable means here: not lost with the process and not lost with the power. SQLite writes ahead (WAL) with
`synchronous=FULL`, one fsync a commit. NORMAL would lose the last commits with the power, which harms more than it
saves: a nonce that was recorded before sending would be given out again, and peers that follow our attestations by row
number would miss those that are written under the same numbers afterwards. A commit carries hundreds of requests, so
the fsync is no bound on throughput.
"""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from relayer.errors import ConfigError

BUSY_SECONDS: Final = 30
"""How long a writer waits for another process's commit. Commits take milliseconds; a backup may take seconds."""

_CONNECTIONS: Final = 8
"""Open connections of one engine. SQLite has one writer, and as many readers as stages load at the same time."""

_CACHE_KIBIBYTES: Final = 16 * 1024
"""Page cache of one SQLite connection: the hot pages of all indexes with a million requests."""

_CHECKPOINT_PAGES: Final = 4_000
"""WAL pages (16 MiB) between checkpoints: a page that many commits touch is copied into the file once, not often."""

_OWNER_ONLY: Final = 0o600
_WRITES: Final = "xvm_writes"

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}",
    f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}",
)


def open_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite:///path/to/file` or `postgresql://user:password@host/database`. Connects on first use.

    The caller disposes of it. One engine belongs to one event loop; any number of them, in any number of processes, may
    be open on one database.

    Raises:
        ConfigError: another kind of database, SQLite without a file, a file that cannot be made private, or PostgreSQL
            without its driver.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return _open_postgresql(parsed)


def database_file(url: str) -> Path | None:
    """The file of a SQLite URL, None for PostgreSQL. Raises `ConfigError` as `open_engine`."""
    parsed = _parse(url)
    return _file_of(parsed) if parsed.get_backend_name() == "sqlite" else None


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that write.

    SQLite: a transaction that begins by reading and writes later fails when another wrote in between, without waiting.
    So writers take their turn at the beginning.
    """
    return engine.execution_options(**{_WRITES: True})


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, for transactions that only read: all statements of one see one state. They never wait."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


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


def _open_sqlite(url: URL) -> AsyncEngine:
    path = _file_of(url)
    _make_private(path)
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _open_postgresql(url: URL) -> AsyncEngine:
    if find_spec("asyncpg") is None:
        raise ConfigError(["PostgreSQL needs its driver; install asyncpg"])
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
        # READ COMMITTED, whatever the server's default: after waiting for another writer one sees what it wrote.
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": {"synchronous_commit": "on"}},
    )


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


def _prepare_connection(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, and only before writes; `_begin` does it for all.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
