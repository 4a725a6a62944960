"""What all loaders share: one snapshot a load, IN lists of bounded length.

Its job: run SELECTs. It writes nothing, and never waits for a writer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, CompoundSelect, RowMapping, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relayer.store.engine import reading
from relayer.store.faults import unavailability_told
from relayer.store.sql_rows import chunked
from relayer.store.uninterrupted import uninterrupted

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class SqlReader:
    """Reading side of a store over an engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    async def _in_snapshot(self, work: Callable[[AsyncConnection], Awaitable[_Value]]) -> _Value:
        """What `work` makes of a connection whose statements all see one state. Raises `StoreUnavailable`."""

        async def connected() -> _Value:
            with unavailability_told():
                async with self._reading.connect() as connection:
                    return await work(connection)

        return await uninterrupted(connected())

    async def _load(self, statement: Select[Any] | CompoundSelect[Any]) -> Sequence[RowMapping]:
        """The rows of one statement."""
        return await self._in_snapshot(lambda connection: load(connection, statement))

    async def _load_in(self, statement: Select[Any], column: Column[Any], keys: Iterable[Any]) -> Sequence[RowMapping]:
        """The rows whose `column` has one of these values, lists of keys in the order given."""
        return await self._in_snapshot(lambda connection: load_in(connection, statement, column, keys))


async def load_in(
    connection: AsyncConnection, statement: Select[Any], column: Column[Any], keys: Iterable[Any]
) -> Sequence[RowMapping]:
    """The rows whose `column` has one of these values, on an open connection; lists of keys in the order given."""
    rows: list[RowMapping] = []
    for part in chunked(keys):
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
