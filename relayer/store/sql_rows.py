"""The four ways in which rows are written, each one statement for any number of rows.

Its job: executemany over Core statements for SQLite and PostgreSQL, whose `ON CONFLICT` is alike. It knows no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Table, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from relayer.store.mapping import Values

KEYS_PER_STATEMENT: Final = 4_096
"""Keys of one IN list. SQLite takes 32,766 variables in a statement, PostgreSQL's protocol as many."""

_Item = TypeVar("_Item")


def insert_into(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, in the connection's dialect."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


async def insert_all(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Rows that are not there yet."""
    if rows:
        await connection.execute(table.insert(), rows)


async def insert_missing(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Rows of which some may be there, by any unique key; those are left as they are."""
    if rows:
        await connection.execute(insert_into(connection, table).on_conflict_do_nothing(), rows)


async def upsert(
    connection: AsyncConnection, table: Table, key: Sequence[str], rows: Sequence[Values], keep: Sequence[str] = ()
) -> None:
    """Rows that replace those with the same key, in all columns given but `keep`."""
    if not rows:
        return
    statement = insert_into(connection, table)
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in {*key, *keep}}
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=replaced), rows)


async def delete_keys(connection: AsyncConnection, column: Column[Any], keys: Sequence[Any], *also: Any) -> None:
    """Rows whose `column` has one of these values, and for which all of `also` holds."""
    for part in chunked(keys):
        await connection.execute(delete(column.table).where(*also, column.in_(part)))


def chunked(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """The items in lists that fit one statement."""
    everything = list(items)
    for start in range(0, len(everything), KEYS_PER_STATEMENT):
        yield everything[start : start + KEYS_PER_STATEMENT]
