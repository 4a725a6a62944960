"""Telling a database that is away for now from a bug.

Its job: name what waiting can mend, a lock, a full disk, a server that is gone, as `StoreUnavailable`, and pass on all
else as it is: a missing table or a broken constraint does not heal by trying again. Nothing is retried here.

SECURITY: no text here holds SQL, parameters or a URL: they may be payloads and passwords, and errors are logged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from relayer.errors import StoreUnavailable

_POSTGRESQL_PASSING: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback (deadlock, serialization), resources, object in use, shutdown, system.

Source: PostgreSQL documentation, appendix A.
"""


@contextmanager
def unavailability_told() -> Iterator[None]:
    """What the block raises because the database is locked, full or away is raised as `StoreUnavailable`."""
    try:
        yield
    except PoolTimeout:
        raise StoreUnavailable("the database has no connection free") from None
    except DBAPIError as error:
        reason = _passing_reason(error)
        if not reason:
            raise
        raise StoreUnavailable(reason) from None
    except OSError as error:
        # A server that cannot be reached is told by the network, before there is a driver's error.
        raise StoreUnavailable(f"the database cannot be reached: {error.strerror or type(error).__name__}") from None


@contextmanager
def driver_errors_told() -> Iterator[None]:
    """What SQLite's driver raises in the block is raised as SQLAlchemy would have done it, without the statement."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(None, None, error, sqlite3.Error, hide_parameters=True) from None


def is_no_database(error: DBAPIError) -> bool:
    """Whether the file is something else than a SQLite database, or a damaged one."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and _primary(code) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def is_locked(error: DBAPIError) -> bool:
    """Whether SQLite found the database held by somebody else."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and _primary(code) == sqlite3.SQLITE_BUSY


def _passing_reason(error: DBAPIError) -> str:
    """Why the database does not serve now, in words without values; empty if waiting does not mend it."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        # SQLITE_ERROR is a statement at fault, such as one about a missing table. The others' texts are SQLite's own.
        is_passing = isinstance(error, OperationalError) and _primary(code) != sqlite3.SQLITE_ERROR
        return f"the database does not serve: {error.orig}" if is_passing else ""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state[:2] in _POSTGRESQL_PASSING:
        return f"the database does not serve: SQLSTATE {state}"
    if error.connection_invalidated or (isinstance(error, OperationalError) and not state):
        return "the connection to the database is lost"
    return ""


def _primary(code: int) -> int:
    """SQLite's code without what its extended form adds."""
    return code & 0xFF
