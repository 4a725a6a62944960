"""What all loaders share: one snapshot a load, and what needs no load because it is at hand.

Its job: run SELECTs. It writes nothing, and never waits for a writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import CompoundSelect, Connection, RowMapping, Select, select, union_all

from relayer.store.engine import Engine
from relayer.store.mapping import Loaded
from relayer.store.recent import Recent, WorkingSet
from relayer.store.sql_rows import Lookup, Prepared

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class SqlReader:
    """Reading side of a store over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recent = WorkingSet()

    async def _in_snapshot(self, work: Callable[[Connection], _Value], *, is_long: bool = False) -> _Value:
        """What `work` makes of a connection whose statements all see one state. Raises `StoreUnavailable`.

        `is_long` is for what is as long as the node's history.
        """
        # Whoever loads again and again lets others go on in between.
        await asyncio.sleep(0)
        return await self._engine.read(work, is_long=is_long)

    async def _load(
        self, statement: Select[Any] | CompoundSelect[Any], *, is_long: bool = False
    ) -> Sequence[RowMapping]:
        """The rows of one statement."""
        return await self._in_snapshot(lambda connection: load(connection, statement), is_long=is_long)

    async def _select(self, query: Prepared, *values: Any) -> Sequence[Loaded]:
        """The rows of one statement that is run often."""
        return await self._in_snapshot(lambda connection: query.rows(connection, *values))

    async def _look_up(self, lookup: Lookup, keys: Iterable[Any], *others: Any) -> Sequence[Loaded]:
        """The rows at these keys, lists of keys in the order given."""
        wanted = list(keys)
        if not wanted:
            return ()
        return await self._in_snapshot(lambda connection: lookup.rows(connection, wanted, *others))

    async def _recall(
        self,
        kept: Recent[_Key, _Value],
        keys: Iterable[_Key],
        load_those: Callable[[Connection, Sequence[_Key]], Mapping[_Key, _Value]],
    ) -> dict[_Key, _Value]:
        """What is there under these keys, in their order: what is at hand, and what is loaded because it is not."""
        wanted = list(dict.fromkeys(keys))
        # Whoever loads again and again lets others go on in between.
        await asyncio.sleep(0)
        known = kept.known(wanted)
        while len(known) < len(wanted):
            mark = self._recent.mark
            # What a commit on its way writes is not at hand yet, and may be on disk already: not some of each.
            known = known if self._recent.is_settled else {}
            missing = [key for key in wanted if key not in known]
            loaded = await self._read_those(missing, load_those)
            if self._recent.mark != mark and self._engine.is_watched:
                known = kept.known(wanted)  # it waited, and a commit came in between
                continue
            for key in missing:
                known[key] = loaded.get(key)
                if self._engine.is_watched:
                    kept.keep(key, known[key])
        return {key: value for key in wanted if (value := known[key]) is not None}

    async def _read_those(
        self, keys: Sequence[_Key], load_those: Callable[[Connection, Sequence[_Key]], Mapping[_Key, _Value]]
    ) -> Mapping[_Key, _Value]:
        return await self._engine.read(lambda connection: load_those(connection, keys))


def load(connection: Connection, statement: Select[Any] | CompoundSelect[Any]) -> Sequence[RowMapping]:
    """The rows of one statement on an open connection."""
    return connection.execute(statement).mappings().all()


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
