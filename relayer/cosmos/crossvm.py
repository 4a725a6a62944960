"""Messages and queries of the module by which a chain calls between its own VMs.

Public sources of that chain agree on `MsgCrossVMCall` and disagree on the rest: on the names of queries, on whether a
status is a text or a number, and on the numbers of a stored message's fields, which no source writes down. What is
declared here is what the devnet's emulation writes; clients read leniently and have a second way to ask
(`relayer.vms.crossvm`). Type URL and service are whoever asks to name; these are the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message, blob, i64, many, one, text, u32

CALL_TYPE_URL: Final = "/qorechain.crossvm.v1.MsgCrossVMCall"
"""Of `MsgCrossVMCall`, by all sources that name it."""

QUERY_SERVICE: Final = "/qorechain.crossvm.v1.Query"

MESSAGE: Final = "Message"
PENDING: Final = "Pending"
MESSAGES_BY_SENDER: Final = "MessagesBySender"
PARAMS: Final = "Params"

PENDING_NAMES: Final = (PENDING, "PendingMessages")
"""Both names are in use for what waits."""


@dataclass(frozen=True, slots=True)
class MsgCrossVMCall(Message):
    """`MsgCrossVMCall`: VMs by name, the contract as its VM writes it, the payload as its VM takes it."""

    TYPE_URL = CALL_TYPE_URL
    sender: str = text(1)
    source_vm: str = text(2)
    target_vm: str = text(3)
    target_contract: str = text(4)
    payload: bytes = blob(5)
    funds: tuple[Coin, ...] = many(6, Coin)


@dataclass(frozen=True, slots=True)
class MsgCrossVMCallResponse(Message):
    """`MsgCrossVMCallResponse`."""

    TYPE_URL = "/qorechain.crossvm.v1.MsgCrossVMCallResponse"
    message_id: str = text(1)


@dataclass(frozen=True, slots=True)
class StoredMessage(Message):
    """A message as the chain keeps it; `response` of one that was executed, `error` of one that failed."""

    id: str = text(1)
    source_vm: str = text(2)
    target_vm: str = text(3)
    sender: str = text(4)
    source_contract: str = text(5)
    target_contract: str = text(6)
    payload: bytes = blob(7)
    funds: tuple[Coin, ...] = many(8, Coin)
    status: str = text(9)
    created_height: int = i64(10)
    executed_height: int = i64(11)
    response: bytes = blob(12)
    error: str = text(13)


@dataclass(frozen=True, slots=True)
class NumberedMessage(Message):
    """The same with its status as a number."""

    id: str = text(1)
    source_vm: str = text(2)
    target_vm: str = text(3)
    sender: str = text(4)
    source_contract: str = text(5)
    target_contract: str = text(6)
    payload: bytes = blob(7)
    funds: tuple[Coin, ...] = many(8, Coin)
    status: int = u32(9)
    created_height: int = i64(10)
    executed_height: int = i64(11)
    response: bytes = blob(12)
    error: str = text(13)


@dataclass(frozen=True, slots=True)
class QueryMessageRequest(Message):
    """`QueryMessageRequest`."""

    id: str = text(1)


@dataclass(frozen=True, slots=True)
class QueryMessageResponse(Message):
    """`QueryMessageResponse`."""

    message: StoredMessage | None = one(1, StoredMessage)


@dataclass(frozen=True, slots=True)
class QueryNumberedMessageResponse(Message):
    """`QueryMessageResponse`, its status a number."""

    message: NumberedMessage | None = one(1, NumberedMessage)


@dataclass(frozen=True, slots=True)
class QueryPendingRequest(Message):
    """`QueryPendingRequest`."""


@dataclass(frozen=True, slots=True)
class QueryMessagesBySenderRequest(Message):
    """`QueryMessagesBySenderRequest`."""

    sender: str = text(1)


@dataclass(frozen=True, slots=True)
class QueryMessagesResponse(Message):
    """What lists of messages are answered with."""

    messages: tuple[StoredMessage, ...] = many(1, StoredMessage)


@dataclass(frozen=True, slots=True)
class QueryNumberedMessagesResponse(Message):
    """The same, with statuses as numbers."""

    messages: tuple[NumberedMessage, ...] = many(1, NumberedMessage)


@dataclass(frozen=True, slots=True)
class Params(Message):
    """The limits, under the names that `relayer.crossvm.limits` has."""

    max_message_size: int = i64(1)
    max_queue_size: int = i64(2)
    queue_timeout_blocks: int = i64(3)


@dataclass(frozen=True, slots=True)
class QueryParamsRequest(Message):
    """`QueryParamsRequest`."""


@dataclass(frozen=True, slots=True)
class QueryParamsResponse(Message):
    """`QueryParamsResponse`."""

    params: Params | None = one(1, Params)
