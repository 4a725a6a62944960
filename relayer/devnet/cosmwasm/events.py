"""Events: what transactions leave behind for those who watch.

Source: `x/wasm/keeper/events.go` of CosmWasm/wasmd.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from relayer.devnet.cosmwasm.chain_errors import WASM_INVALID_EVENT, ChainError

CONTRACT_ADDRESS: Final = "_contract_address"
_RESERVED: Final = "_"
_SHORTEST_TYPE: Final = 3

Attribute = tuple[str, str]


@dataclass(slots=True)
class Event:
    """A type, and attributes in order. A key may occur more than once."""

    type: str
    attributes: list[Attribute]

    def values(self, key: str) -> list[str]:
        """Of the attributes with this key."""
        return [value for name, value in self.attributes if name == key]


def contract_events(contract: str, attributes: list[Attribute], custom: Iterable[Event]) -> list[Event]:
    """What a contract's response becomes. Raises `ChainError`."""
    events = []
    if attributes:
        events.append(Event("wasm", _attributes(contract, attributes)))
    for event in custom:
        name = event.type.strip()
        if len(name.encode()) < _SHORTEST_TYPE:
            raise ChainError(WASM_INVALID_EVENT, f"Event type too short: '{name}'")
        events.append(Event(f"wasm-{name}", _attributes(contract, event.attributes)))
    return events


def _attributes(contract: str, pairs: list[Attribute]) -> list[Attribute]:
    attributes = [(CONTRACT_ADDRESS, contract)]
    for untrimmed_key, untrimmed_value in pairs:
        key = untrimmed_key.strip()
        if not key:
            raise ChainError(WASM_INVALID_EVENT, f"Empty attribute key. Value: {untrimmed_value}")
        # SECURITY: no contract can speak in another's name: `_contract_address` is the chain's.
        if key.startswith(_RESERVED):
            raise ChainError(WASM_INVALID_EVENT, f"Attribute key starts with reserved prefix _: '{key}'")
        attributes.append((key, untrimmed_value.strip()))
    return attributes
