"""What a message or a query runs in: entries, meter, block, and how deep it is in others.

Source: `types/context.go` of cosmos/cosmos-sdk and of CosmWasm/wasmd's `x/wasm`.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.gas_meter import GasMeter
from relayer.devnet.cosmwasm.state import State, View


@dataclass(frozen=True, slots=True)
class Block:
    """The block that a message is in, or that a query looks at."""

    height: int
    time_ns: int
    """Since 1970."""


@dataclass(frozen=True, slots=True)
class Position:
    """A transaction's place in its block, and its hash."""

    index: int
    hash: bytes


@dataclass(slots=True)
class Context:
    """Made for each transaction, and remade for parts of it."""

    view: View
    meter: GasMeter
    block: Block
    position: Position | None
    """None in queries from outside."""

    loaded: set[bytes] | None
    """Checksums of code that this transaction has run: running it again is cheap. None in queries from outside."""

    events: list[Event]
    call_depth: int = 0
    query_depth: int = 0

    @property
    def state(self) -> State:
        """The entries, to write. Queries have none: it is an error of ours to ask."""
        if not isinstance(self.view, State):
            raise TypeError("a query cannot write")
        return self.view

    def with_events(self) -> Context:
        """The same, with a list of its own for events."""
        return self._part(self.meter, self.call_depth, self.query_depth)

    def with_meter(self, meter: GasMeter) -> Context:
        """The same, on another meter, with a list of its own for events."""
        return self._part(meter, self.call_depth, self.query_depth)

    def deeper(self, meter: GasMeter) -> Context:
        """A query within it."""
        return self._part(meter, self.call_depth, self.query_depth + 1)

    def _part(self, meter: GasMeter, call_depth: int, query_depth: int) -> Context:
        return Context(self.view, meter, self.block, self.position, self.loaded, [], call_depth, query_depth)
