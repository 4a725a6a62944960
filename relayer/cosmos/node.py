"""What a node says of its own settings.

Source: cosmos/base/node/v1beta1/query.proto of the Cosmos SDK 0.50.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.protobuf import Message, text, u64

CONFIG: Final = "/cosmos.base.node.v1beta1.Service/Config"


@dataclass(frozen=True, slots=True)
class ConfigRequest(Message):
    """`ConfigRequest`."""


@dataclass(frozen=True, slots=True)
class ConfigResponse(Message):
    """`ConfigResponse`; `minimum_gas_price` is a decimal and a denomination, several of them with commas between."""

    minimum_gas_price: str = text(1)
    pruning_keep_recent: str = text(2)
    pruning_interval: str = text(3)
    halt_height: int = u64(4)
