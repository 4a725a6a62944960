"""What wasmd charges around the machine, in the transaction's gas.

Source: `DefaultGasRegisterConfig` and its methods in `x/wasm/types/gas_register.go` of CosmWasm/wasmd; sizes of what
its keeper reads and writes, in round numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayer.devnet.cosmwasm.contract_store import HAS_GAS, read_cost, write_cost
from relayer.devnet.cosmwasm.events import Attribute, Event

INSTANCE_GAS: Final = 60_000
INSTANCE_AGAIN_GAS: Final = 2_000
"""Of code that the transaction has run before, and of replies."""

COMPILE_GAS_PER_BYTE: Final = 3
UNCOMPRESS_GAS_PER_100_BYTES: Final = 15
_EVENT_GAS: Final = 20
_ATTRIBUTE_GAS: Final = 10
_FREE_ATTRIBUTE_BYTES: Final = 100

_INFO_BYTES: Final = 210
_CODE_BYTES: Final = 100
_INDEX_BYTES: Final = 60
_HISTORY_BYTES: Final = 80

READ_INFO_GAS: Final = read_cost(_INFO_BYTES)
READ_CODE_GAS: Final = read_cost(_CODE_BYTES)
READ_CONTRACT_GAS: Final = READ_INFO_GAS + READ_CODE_GAS + HAS_GAS
"""A contract, its code, and whether that is pinned."""

WRITE_INFO_GAS: Final = write_cost(_INFO_BYTES)
WRITE_CODE_GAS: Final = write_cost(_CODE_BYTES)
INSTANTIATE_GAS: Final = READ_CODE_GAS + 2 * HAS_GAS + 3 * write_cost(_INDEX_BYTES) + write_cost(_HISTORY_BYTES)


def event_gas(attributes: Iterable[Attribute], events: Iterable[Event]) -> int:
    """Of a response's attributes and custom events; the first bytes are free."""
    gas, paid_bytes = 0, -_FREE_ATTRIBUTE_BYTES
    listed = list(attributes)
    for event in events:
        gas += _EVENT_GAS + len(event.type.encode())
        listed += event.attributes
    paid_bytes += sum(len(key.encode()) + len(value.encode()) for key, value in listed)
    return gas + _ATTRIBUTE_GAS * len(listed) + max(0, paid_bytes)


def reply_gas(events: Iterable[Event]) -> int:
    """Of handing these events to `reply`, with the instance for it."""
    listed = list(events)
    attributes = [attribute for event in listed for attribute in event.attributes]
    return INSTANCE_AGAIN_GAS + sum(len(event.type.encode()) for event in listed) + event_gas(attributes, ())
