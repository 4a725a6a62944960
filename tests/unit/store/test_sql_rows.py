"""Statements are text by the time they run, for both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from relayer.store import guard_store, sql_commit, sql_moves, sql_requests, sql_results, sql_work
from relayer.store.sql_rows import Lookup, Prepared

MODULES = (guard_store, sql_commit, sql_moves, sql_requests, sql_results, sql_work)
STATEMENTS = {
    f"{module.__name__}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Prepared | Lookup)
}


@pytest.mark.parametrize("dialect", [sqlite.dialect(), asyncpg.dialect()], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_takes_its_values_in_the_order_of_its_names(name: str, dialect: Dialect) -> None:
    """`_compile` says no to a text whose parameters stand in another order: values would land in other columns."""
    statement = STATEMENTS[name]
    if isinstance(statement, Prepared):
        text, count = statement._compile(dialect), len(statement.names)
    else:
        text, count = statement._compile(dialect, 8), len(statement._names) + 8
    places = text.count("?") if dialect.name == "sqlite" else len({word for word in text.split() if "$" in word})
    assert places == count
