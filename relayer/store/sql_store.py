"""The store in a database.

Its job: the port `Store` over SQLite or PostgreSQL: commits one at a time and whole, loads from snapshots. What is
written is in `sql_commit`, what is read in the loaders; the schema must be current (`migrate`).
"""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from relayer.ports.store import Commit
from relayer.store.engine import writing
from relayer.store.faults import unavailability_told
from relayer.store.sql_commit import write_commit
from relayer.store.sql_requests import RequestLoaders
from relayer.store.sql_results import ResultLoaders
from relayer.store.sql_work import WorkLoaders
from relayer.store.uninterrupted import uninterrupted


class SqlStore(RequestLoaders, ResultLoaders, WorkLoaders):
    """Implements `Store`. It does not own the engine: whoever opened it disposes of it, after the last call."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self._writing = writing(engine)
        # A fair queue within the process; the database's own waiting is by polling.
        self._turn = asyncio.Lock()

    async def commit(self, commit: Commit) -> None:
        """Write all of it in one transaction, on disk on return. Raises `StoreConflict`: nothing was written.

        Raises `StoreUnavailable` if the database is locked, full or away: to be tried again, for on a server that went
        in the middle it may have been written.
        A caller that is cancelled meanwhile waits for the end; the commit is then written, unless it conflicts.
        """
        async with self._turn:
            await uninterrupted(self._write(commit))

    async def _write(self, commit: Commit) -> None:
        with unavailability_told():
            async with self._writing.begin() as connection:
                await write_commit(connection, commit)
