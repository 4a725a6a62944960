"""The signing guard in a database.

Its job: the port `Guard`: one leaf per guard key, for ever, for every process of the operator that opens this
database. SECURITY: a lost or restored guard database means a new key; nothing here can tell an old copy from the last.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from attestation.statement import Statement
from attestation.statement_codec import encode_statements
from relayer.ports.signer import GuardConflict
from relayer.store.engine import writing
from relayer.store.faults import unavailability_told
from relayer.store.sql_rows import chunked, insert_missing
from relayer.store.tables import GUARD_CLAIMS
from relayer.store.uninterrupted import uninterrupted


class SqlGuard:
    """Implements `Guard`. It does not own the engine. Several, in any processes and event loops, may share a database.

    The statement is kept beside its leaf to show, years later, what was signed.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._writing = writing(engine)

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """Write all (guard key, leaf, statement), or none if one conflicts; on disk on return.

        Raises `StoreUnavailable` if the database is locked, full or away. SECURITY: nothing may be signed then.
        """
        with unavailability_told():
            return await uninterrupted(self._claim(entries))

    async def _claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> list[GuardConflict]:
        first = {key: (leaf, statement) for key, leaf, statement in reversed(entries)}
        # In one order for all: two processes that claim the same keys must not wait for each other.
        rows = [
            {"guard_key": key, "leaf": leaf, "statement": encode_statements((statement,))}
            for key, (leaf, statement) in sorted(first.items())
        ]
        async with self._writing.connect() as connection:
            # SECURITY: write first, look then. A look before the write could be out of date by the time of the write;
            # after it, whatever is there under the key is what every process will find there.
            await insert_missing(connection, GUARD_CLAIMS, rows)
            held: dict[bytes, bytes] = {}
            for part in chunked(first):
                statement = select(GUARD_CLAIMS.c.guard_key, GUARD_CLAIMS.c.leaf)
                found = await connection.execute(statement.where(GUARD_CLAIMS.c.guard_key.in_(part)))
                held |= {row.guard_key: row.leaf for row in found}
            conflicts = [GuardConflict(key, held[key], leaf) for key, leaf, _ in entries if held[key] != leaf]
            if conflicts:
                await connection.rollback()
            else:
                await connection.commit()
        return conflicts
