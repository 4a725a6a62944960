"""What all loaders share: one snapshot a load, IN lists of bounded length.

Its job: run SELECTs. It writes nothing, and never waits for a writer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Column, CompoundSelect, RowMapping, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relayer.store.engine import reading
from relayer.store.sql_rows import chunked

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class SqlReader:
    """Reading side of a store over an engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see one state."""
        async with self._reading.connect() as connection:
            yield connection

    async def _load(self, statement: Select[Any] | CompoundSelect[Any]) -> Sequence[RowMapping]:
        """The rows of one statement."""
        async with self._snapshot() as connection:
            return await load(connection, statement)

    async def _load_in(self, statement: Select[Any], column: Column[Any], keys: Iterable[Any]) -> list[RowMapping]:
        """The rows whose `column` has one of these values, key lists in the order given."""
        rows: list[RowMapping] = []
        parts = list(chunked(keys))
        if parts:
            async with self._snapshot() as connection:
                for part in parts:
                    rows += await load(connection, statement.where(column.in_(part)))
        return rows


async def load(connection: AsyncConnection, statement: Select[Any] | CompoundSelect[Any]) -> Sequence[RowMapping]:
    """The rows of one statement on an open connection."""
    rows: Sequence[RowMapping] = (await connection.execute(statement)).mappings().all()
    return rows


def merged(parts: Sequence[Select[Any]], order: Sequence[str], limit: int, *, newest_first: bool = False) -> Any:
    """The first `limit` rows of several ordered and limited selects, by these columns.

    Each part is a walk along one stretch of an index, which ends after `limit` rows; an IN list instead would make the
    database read and sort all that is in it.
    """
    union = union_all(*(select(part.limit(limit).subquery()) for part in parts))
    columns = [union.selected_columns[name] for name in order]
    return union.order_by(*(column.desc() if newest_first else column for column in columns)).limit(limit)


def in_order(keys: Iterable[_Key], found: Mapping[_Key, _Value]) -> dict[_Key, _Value]:
    """What was found, in the order asked for."""
    return {key: found[key] for key in keys if key in found}
