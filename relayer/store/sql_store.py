"""The store in a database.

Its job: the port `Store` over SQLite or PostgreSQL: commits one at a time and whole, loads from snapshots, and what is
loaded again and again kept at hand (`recent`). What is written is in `sql_commit`, what is read in the loaders; the
schema must be current (`migrate`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from relayer.ports.store import Commit
from relayer.store.engine import Engine
from relayer.store.recent import WorkingSet, Written
from relayer.store.sql_commit import write_commit
from relayer.store.sql_requests import RequestLoaders
from relayer.store.sql_results import ResultLoaders
from relayer.store.sql_work import WorkLoaders
from relayer.store.watchers import Watchers

_LONG_COMMIT: Final = 4_000
"""Changes of requests from which on others go on meanwhile: of a node that catches up, a tenth of a second."""


class SqlStore(RequestLoaders, ResultLoaders, WorkLoaders):
    """Implements `Store`. It does not own the engine: whoever opened it disposes of it, after the last call."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # A fair queue within the process, up to the moment when what was written is at hand.
        self._turn = asyncio.Lock()
        self._watchers = Watchers()

    def watch(self, watcher: Callable[[Commit], None]) -> Callable[[], None]:
        """Have every later commit told once it is written."""
        return self._watchers.add(watcher)

    async def commit(self, commit: Commit) -> None:
        """Write all of it in one transaction, on disk on return. Raises `StoreConflict`: nothing was written.

        Raises `StoreUnavailable` if the database is locked, full or away: to be tried again, for on a server that went
        in the middle it may have been written.
        A caller that is cancelled meanwhile waits for the end; the commit is then written, unless it conflicts.
        """
        is_long = len(commit.observed) + len(commit.changes) > _LONG_COMMIT
        recent = self._recent

        def write(connection: Connection, is_undisturbed: bool) -> Written:  # noqa: FBT001 - as the engine calls it
            if is_long:
                # In another thread, where loads must not be disturbed; all is forgotten afterwards.
                return write_commit(connection, commit, WorkingSet())
            if not is_undisturbed:
                recent.clear()
            return write_commit(connection, commit, recent)

        async with self._turn:
            recent.begin()
            try:
                written = await self._engine.write(write, is_long=is_long)
                if is_long or not self._engine.is_watched:
                    recent.clear()
                else:
                    recent.take_in(commit, written)
            except BaseException:
                # What is at hand was refused by the disk, or it is not known here what is on disk now.
                recent.clear()
                raise
            finally:
                recent.end()
            self._watchers.tell(commit)
