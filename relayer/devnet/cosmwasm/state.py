"""The chain's entries: now, while a message may still fail, and as they were at the end of earlier blocks.

Its job: tables of immutable values by key, layers over them that are kept or dropped as a whole, and for each block
what its transactions replaced. Costs and meanings are others' business. None is no value.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, Final

_MAX_KEPT_VIEWS: Final = 16


class Layer:
    """What differs from the entries below it."""

    def __init__(self) -> None:
        self.tables: dict[str | bytes, dict[Any, Any]] = {}
        self._orders: dict[str | bytes, list[Any]] = {}

    def put(self, table: str | bytes, key: Any, value: Any) -> None:
        """Set, or remove by None."""
        entries = self.tables.setdefault(table, {})
        order = self._orders.get(table)
        if order is not None and key not in entries:
            insort(order, key)
        entries[key] = value

    def drop(self, table: str | bytes, key: Any) -> None:
        """Forget an entry; what is below it shows."""
        entries = self.tables[table]
        if key in entries:
            del entries[key]
            order = self._orders.get(table)
            if order is not None:
                del order[bisect_left(order, key)]

    def order(self, table: str | bytes) -> list[Any]:
        """The keys of a table, sorted. Only tables that are scanned have it, from the first scan on."""
        order = self._orders.get(table)
        if order is None:
            order = self._orders[table] = sorted(self.tables.get(table, ()))
        return order


class View:
    """Entries as they are seen through layers, the topmost last."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers

    def get(self, table: str | bytes, key: Any) -> Any:
        """The value, or None."""
        for layer in reversed(self._layers):
            entries = layer.tables.get(table)
            if entries is not None and key in entries:
                return entries[key]
        return None

    def scan(self, table: str | bytes, start: bytes | None, end: bytes | None, *, descending: bool) -> Scan:
        """From `start` on and below `end`; what changes meanwhile is seen."""
        return Scan(self, table, start, end, descending=descending)

    def orders(self, table: str | bytes) -> list[list[Any]]:
        """The sorted keys of each layer."""
        return [layer.order(table) for layer in self._layers]


class Scan:
    """A way through a table in the order of its keys."""

    def __init__(
        self, view: View, table: str | bytes, start: bytes | None, end: bytes | None, *, descending: bool
    ) -> None:
        self._view = view
        self._table = table
        self._start = start
        self._end = end
        self._descending = descending
        self._last: bytes | None = None
        self.passed_over = 0
        """Entries that are no more, so far: to pass one over takes as long as to read one."""

    def peek(self) -> tuple[bytes, bytes] | None:
        """The next entry."""
        last = self._last
        while True:
            key = self._below(last) if self._descending else self._above(last)
            if key is None:
                return None
            value = self._view.get(self._table, key)
            if value is not None:
                return key, value
            self.passed_over += 1
            self._last = last = key

    def step(self, key: bytes) -> None:
        """Go on behind this one."""
        self._last = key

    def _above(self, last: bytes | None) -> bytes | None:
        found = []
        for order in self._view.orders(self._table):
            if last is not None:
                place = bisect_right(order, last)
            else:
                place = 0 if self._start is None else bisect_left(order, self._start)
            if place < len(order):
                found.append(order[place])
        key = min(found, default=None)
        return key if key is not None and (self._end is None or key < self._end) else None

    def _below(self, last: bytes | None) -> bytes | None:
        found = []
        bound = self._end if last is None else last
        for order in self._view.orders(self._table):
            place = len(order) if bound is None else bisect_left(order, bound)
            if place:
                found.append(order[place - 1])
        key = max(found, default=None)
        return key if key is not None and (self._start is None or key >= self._start) else None


class State(View):
    """The newest entries, and the way back."""

    def __init__(self, kept_heights: int) -> None:
        self._base = Layer()
        super().__init__([self._base])
        self._replaced: deque[tuple[int, Layer]] = deque(maxlen=kept_heights + 1)
        """For each block, what stood in the place of what it wrote. The last one is of the block that is open."""
        self._views: OrderedDict[int, Layer] = OrderedDict()
        """What differs at the end of an earlier block from now, for those that were asked for last."""

    def put(self, table: str | bytes, key: Any, value: Any) -> None:
        """Set, or remove by None, in the topmost layer."""
        if len(self._layers) == 1:
            self._write_through(table, key, value)
        else:
            self._layers[-1].put(table, key, value)

    def open_layer(self) -> None:
        """What is put from now on can be dropped."""
        self._layers.append(Layer())

    def keep_layer(self) -> None:
        """What was put since becomes part of what is below."""
        for table, entries in self._layers.pop().tables.items():
            for key, value in entries.items():
                self.put(table, key, value)

    def drop_layer(self) -> None:
        """What was put since is undone."""
        self._layers.pop()

    def open_block(self, height: int) -> None:
        """What is kept from now on belongs to this block."""
        self._replaced.append((height, Layer()))
        oldest = self._replaced[0][0]
        for view in [at for at in self._views if at < oldest - 1]:
            del self._views[view]

    def heights(self) -> Sequence[int]:
        """The blocks at whose end the entries are still known: those before the open one."""
        return [height - 1 for height, _ in self._replaced]

    def at(self, height: int) -> View:
        """The entries at the end of a block. Raises `KeyError` for one that is too old, or not closed."""
        if not self._replaced or not self._replaced[0][0] - 1 <= height < self._replaced[-1][0]:
            raise KeyError(height)
        layer = self._views.get(height)
        if layer is None:
            layer = Layer()
            for block, replaced in reversed(self._replaced):
                if block <= height:
                    break
                for table, entries in replaced.tables.items():
                    layer.tables.setdefault(table, {}).update(entries)
            self._views[height] = layer
            if len(self._views) > _MAX_KEPT_VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(height)
        return View([self._base, layer])

    def _write_through(self, table: str | bytes, key: Any, value: Any) -> None:
        old = self._base.tables.get(table, {}).get(key)
        layers = list(self._views.values())
        if self._replaced:
            layers.append(self._replaced[-1][1])
        for layer in layers:
            if key not in layer.tables.get(table, ()):
                layer.put(table, key, old)
        if value is None:
            if old is not None:
                self._base.drop(table, key)
        else:
            self._base.put(table, key, value)
