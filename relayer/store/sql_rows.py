"""Statements that are compiled once and run with rows as they are.

Its job: the few ways in which many rows are written or looked up by key, for SQLite and PostgreSQL, whose `ON CONFLICT`
is alike. Declared over the tables by Core, they are text by the time they run. SQLite's driver is given it as it is:
SQLAlchemy's way to it costs as much as ten rows. It knows no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import Compiled, SQLCompiler

from relayer.store.engine import sqlite_driver_of
from relayer.store.mapping import Loaded, Values

_KEYS: Final = (1, 8, 64, 512)
"""Keys of one IN list. Lists are filled up to one of these lengths, so that each text is compiled and prepared once."""

_Insert = sqlite.Insert | postgresql.Insert


class Prepared:
    """A statement that takes its parameters as a tuple, in the order of `names`."""

    def __init__(self, names: Sequence[str], clause_in: Callable[[Dialect], ClauseElement]) -> None:
        self.names: Final = tuple(names)
        self._clause_in = clause_in
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: list[Values]) -> int:
        """Once for each row; how many rows were written altogether, or -1 where the driver does not count."""
        if not rows:
            return 0
        text = self._texts.get(connection.dialect.name) or self._compile(connection.dialect)
        driver = sqlite_driver_of(connection)
        return driver.executemany(text, rows).rowcount if driver else connection.exec_driver_sql(text, rows).rowcount

    def rows(self, connection: Connection, *values: Any) -> Sequence[Loaded]:
        """What a SELECT finds."""
        text = self._texts.get(connection.dialect.name) or self._compile(connection.dialect)
        return _rows(connection, text, values)

    def returning(self, connection: Connection, row: Values) -> Any:
        """Once; the value that it returns, None if there is none."""
        found = self.rows(connection, *row)
        return next(iter(found[0].values())) if found else None

    def _compile(self, dialect: Dialect) -> str:
        compiled = self._clause_in(dialect).compile(dialect=dialect, column_keys=list(self.names))
        self._texts[dialect.name] = _text_of(compiled, self.names)
        return self._texts[dialect.name]


class Lookup:
    """A SELECT of the rows whose `column` has one of some values. Its other parameters come before, as `names`."""

    def __init__(self, statement: Select[Any], column: Column[Any], names: Sequence[str] = ()) -> None:
        self._statement = statement
        self._column = column
        self._names = tuple(names)
        self._texts: dict[tuple[str, int], str] = {}

    def rows(self, connection: Connection, keys: Iterable[Any], *others: Any) -> list[Loaded]:
        """Lists of keys in the order given; the statement's own order holds within a list."""
        found: list[Loaded] = []
        wanted = list(keys)
        for start in range(0, len(wanted), _KEYS[-1]):
            part = wanted[start : start + _KEYS[-1]]
            size = next(size for size in _KEYS if size >= len(part))
            text = self._texts.get((connection.dialect.name, size)) or self._compile(connection.dialect, size)
            filled = (*others, *part, *(part[-1:] * (size - len(part))))
            found += _rows(connection, text, filled)
        return found

    def _compile(self, dialect: Dialect, size: int) -> str:
        keys = [f"key_{n}" for n in range(size)]
        among = self._column.in_([bindparam(key, type_=self._column.type) for key in keys])
        compiled = self._statement.where(among).compile(dialect=dialect)
        self._texts[dialect.name, size] = _text_of(compiled, (*self._names, *keys))
        return self._texts[dialect.name, size]


def selecting(statement: Select[Any] | CompoundSelect[Any], names: Sequence[str] = ()) -> Prepared:
    """The rows of a SELECT, of which no parameter says how many values it has."""
    return Prepared(names, lambda _: statement)


def inserting(table: Table, names: Sequence[str] = ()) -> Prepared:
    """Rows that are not there yet: all columns but a row number that the database gives, or those with these names."""
    return Prepared(names or names_of(table), lambda _: table.insert())


def inserting_missing(table: Table) -> Prepared:
    """Rows of which some may be there, by any unique key; those are left as they are."""
    return Prepared(names_of(table), lambda dialect: insert_in(dialect, table).on_conflict_do_nothing())


def upserting(
    table: Table, key: Sequence[str], keep: Sequence[str] = (), gives: Sequence[Column[Any]] = ()
) -> Prepared:
    """Rows that replace those with the same key in all columns but `keep`. `gives` is what `returning` tells."""
    names = names_of(table)

    def clause_in(dialect: Dialect) -> ClauseElement:
        statement = insert_in(dialect, table)
        replaced = {name: statement.excluded[name] for name in names if name not in {*key, *keep}}
        whole = statement.on_conflict_do_update(index_elements=key, set_=replaced)
        return whole.returning(*gives) if gives else whole

    return Prepared(names, clause_in)


def updating(names: Sequence[str], *at: Column[Any]) -> Prepared:
    """These columns of the rows at a key, whose parts come last, named `at_...`."""
    table = at[0].table
    return Prepared(
        [*names, *(f"at_{column.name}" for column in at)],
        lambda _: update(table).where(_is_at(at)).ordered_values(*((name, bindparam(name)) for name in names)),
    )


def deleting(*at: Column[Any]) -> Prepared:
    """The rows at a key."""
    return Prepared([f"at_{column.name}" for column in at], lambda _: delete(at[0].table).where(_is_at(at)))


def insert_in(dialect: Dialect, table: Table) -> _Insert:
    """An INSERT that can say ON CONFLICT."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def names_of(table: Table) -> list[str]:
    """All columns, in order, but a row number that the database gives."""
    return [column.name for column in table.columns if column is not table.autoincrement_column]


def _rows(connection: Connection, text: str, values: Values) -> Sequence[Loaded]:
    driver = sqlite_driver_of(connection)
    if not driver:
        return connection.exec_driver_sql(text, values).mappings().all()
    cursor = driver.execute(text, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _text_of(compiled: Compiled, names: tuple[str, ...]) -> str:
    """As the driver takes it, with its parameters in the order of these names."""
    assert isinstance(compiled, SQLCompiler)
    assert tuple(compiled.positiontup or ()) == names, compiled.positiontup
    return str(compiled)


def _is_at(at: Sequence[Column[Any]]) -> ColumnElement[bool]:
    return and_(*(column == bindparam(f"at_{column.name}", type_=column.type) for column in at))
