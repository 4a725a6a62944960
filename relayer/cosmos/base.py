"""Messages that those of all modules are made of: an `Any`, a coin, a moment.

Source: google/protobuf/{any,timestamp}.proto; cosmos/base/v1beta1/coin.proto of the Cosmos SDK.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from relayer.cosmos.protobuf import Message, blob, i64, text, u32


@dataclass(frozen=True, slots=True)
class AnyMessage(Message):
    """`google.protobuf.Any`: a message's bytes, and the URL that names its type."""

    type_url: str = text(1)
    value: bytes = blob(2)

    @classmethod
    def of(cls, message: Message) -> Self:
        """The `Any` that holds a message which has a type URL."""
        return cls(message.TYPE_URL, message.encode())


@dataclass(frozen=True, slots=True)
class Coin(Message):
    """`cosmos.base.v1beta1.Coin`: a decimal amount of the smallest unit of a denomination."""

    denom: str = text(1)
    amount: str = text(2)


@dataclass(frozen=True, slots=True)
class Timestamp(Message):
    """`google.protobuf.Timestamp`: Unix seconds and nanoseconds."""

    seconds: int = i64(1)
    nanos: int = u32(2)
