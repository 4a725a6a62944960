"""The signing guard in a database.

Its job: the port `Guard`: one leaf per guard key, for ever, for every process of the operator that opens this
database. SECURITY: a lost or restored guard database means a new key; nothing here can tell an old copy from the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from attestation.statement import Statement
from attestation.statement_codec import encode_statements
from relayer.ports.signer import GuardConflict
from relayer.store.engine import Engine
from relayer.store.sql_rows import Lookup, inserting_missing
from relayer.store.tables import GUARD_CLAIMS

GUARD_CACHE_KIBIBYTES: Final = 4 * 1024
"""Page cache of a guard's connection. Keys are hashes, so that the next ones land anywhere in an index that soon
outgrows any cache: all that is to be at hand is the way there, a quarter of a mebibyte a million claims.
"""

_CLAIM: Final = inserting_missing(GUARD_CLAIMS)
_HELD: Final = Lookup(select(GUARD_CLAIMS), GUARD_CLAIMS.c.guard_key)


class SqlGuard:
    """Implements `Guard`. It does not own the engine. Several, in any processes and event loops, may share a database.

    The statement is kept beside its leaf to show, years later, what was signed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """Write all (guard key, leaf, statement), or none if one conflicts; on disk on return.

        Raises `StoreUnavailable` if the database is locked, full or away. SECURITY: nothing may be signed then.
        """
        try:
            await self._engine.write(lambda connection, _: _claim(connection, entries))
        except _Contradicted as contradicted:
            return contradicted.conflicts
        return ()


class _Contradicted(Exception):  # noqa: N818 - what happened; it never leaves this module
    """Undoes the transaction."""

    def __init__(self, conflicts: Sequence[GuardConflict]) -> None:
        super().__init__()
        self.conflicts = conflicts


def _claim(connection: Connection, entries: Sequence[tuple[bytes, bytes, Statement]]) -> None:
    first = {key: (leaf, statement) for key, leaf, statement in reversed(entries)}
    # In one order for all: two processes that claim the same keys must not wait for each other.
    rows = [(key, leaf, encode_statements((statement,))) for key, (leaf, statement) in sorted(first.items())]
    # SECURITY: write first, look then. A look before the write could be out of date by the time of the write; after it,
    # whatever is there under the key is what every process will find there: these leaves, if all rows were written.
    if _CLAIM.run(connection, rows) == len(rows):
        held = {key: leaf for key, (leaf, _) in first.items()}
    else:
        held = {row["guard_key"]: row["leaf"] for row in _HELD.rows(connection, first)}
    conflicts = [GuardConflict(key, held[key], leaf) for key, leaf, _ in entries if held[key] != leaf]
    if conflicts:
        raise _Contradicted(conflicts)
