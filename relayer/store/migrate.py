"""Bringing a database's schema up to this program's.

Its job: apply the packaged revisions, programmatically: no file in the working directory, no logging set up. Store and
guard are two schemas with a history each, so that they may share a PostgreSQL database or be two SQLite files.
Revisions only ever follow one another: what is released is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from relayer.errors import ConfigError
from relayer.store.engine import database_file, open_engine
from relayer.store.faults import is_no_database
from relayer.store.tables import GuardTable, StoreTable


class Schema(StrEnum):
    """What a database is for."""

    STORE = "store"
    GUARD = "guard"


_SCRIPTS: Final = Path(__file__).parent / "migrations"
_METADATA: Final[dict[Schema, MetaData]] = {Schema.STORE: StoreTable.metadata, Schema.GUARD: GuardTable.metadata}


async def upgrade(url: str, schema: Schema = Schema.STORE) -> None:
    """Make the schema current, creating the database file if need be. All or nothing; what is current stays as it is.

    Raises `ConfigError` if the database cannot be opened or is none, `StoreUnavailable` if it does not serve now.
    """
    engine = open_engine(url)
    try:
        with _openings_told(url):
            await engine.write(lambda connection, _: _upgrade(connection, schema), is_long=True)
    finally:
        await engine.dispose()


async def is_current(url: str, schema: Schema = Schema.STORE) -> bool:
    """Whether the schema is exactly what this program expects; False for a file that does not exist, which stays so.

    A guard that is not current is not to be made so on the way: SECURITY: a new, empty guard under an old key lets the
    operator contradict itself. Raises as `upgrade`.
    """
    path = database_file(url)
    if path is not None and not path.exists():
        return False
    engine = open_engine(url)
    try:
        with _openings_told(url):
            revision = await engine.read(lambda connection: _revision_of(connection, schema))
        return revision == _scripts(schema).get_current_head()
    finally:
        await engine.dispose()


@contextmanager
def _openings_told(url: str) -> Iterator[None]:
    """What is wrong with the database, in words for whoever configured it."""
    try:
        yield
    except DBAPIError as error:
        if not is_no_database(error):
            raise
        fault = "not a SQLite database, or a damaged one; bring back the file as it was last used, or name another"
        raise ConfigError([f"{database_file(url)}: {fault}"]) from None


def _upgrade(connection: Connection, schema: Schema) -> None:
    config = Config(attributes=_attributes(connection, schema))
    # Config reads values as templates: a percent sign in the path of the installation stands for itself.
    config.set_main_option("script_location", _escaped(_SCRIPTS))
    config.set_main_option("version_locations", _escaped(_versions(schema)))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, "head")


def _attributes(connection: Connection, schema: Schema) -> dict[str, Any]:
    return {"connection": connection, "metadata": _METADATA[schema], "version_table": _version_table(schema)}


def _revision_of(connection: Connection, schema: Schema) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(schema)})
    return context.get_current_revision()


def _scripts(schema: Schema) -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS), version_locations=[str(_versions(schema))])


def _versions(schema: Schema) -> Path:
    return _SCRIPTS / "versions" / schema.value


def _version_table(schema: Schema) -> str:
    return f"xvm_{schema.value}_revision"


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
