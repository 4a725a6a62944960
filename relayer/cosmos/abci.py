"""Events, and a transaction's result as a block's results hash commits to it.

Source: cometbft/abci/types.proto of CometBFT 0.38.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.cosmos.protobuf import Message, blob, flag, i64, many, text, u32


@dataclass(frozen=True, slots=True)
class EventAttribute(Message):
    """`EventAttribute`. Before CometBFT 0.37 both were bytes; on the wire they are the same."""

    key: str = text(1)
    value: str = text(2)
    index: bool = flag(3)


@dataclass(frozen=True, slots=True)
class Event(Message):
    """`Event`."""

    type: str = text(1)
    attributes: tuple[EventAttribute, ...] = many(2, EventAttribute)


@dataclass(frozen=True, slots=True)
class DeterministicResult(Message):
    """What of an `ExecTxResult` every node must agree on."""

    code: int = u32(1)
    data: bytes = blob(2)
    gas_wanted: int = i64(5)
    gas_used: int = i64(6)
