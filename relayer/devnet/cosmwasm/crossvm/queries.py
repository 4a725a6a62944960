"""Queries of the module by gRPC path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from relayer.cosmos import crossvm as proto
from relayer.cosmos.protobuf import Message
from relayer.crossvm.messages import parse_message_id
from relayer.devnet.cosmwasm.crossvm.queue import QueueView
from relayer.devnet.cosmwasm.keeper import Keeper

MAX_LISTED: Final = 1_000
"""As many as can wait."""

Paths = Mapping[str, tuple[type[Message], Callable[[Any, int | None], Message]]]


def crossvm_paths(keeper: Keeper) -> Paths:
    """Request and handler by path; none of a chain without the module. Handlers raise `ValueError` and `KeyError`."""
    module = keeper.crossvm
    if module is None:
        return {}
    settings = module.settings

    def messages(at: int | None) -> QueueView:
        found = keeper.crossvm_messages(at)
        assert found is not None, "the module is there"
        return found

    def message(asked: proto.QueryMessageRequest, at: int | None) -> Message:
        number = parse_message_id(asked.id)
        found = None if number is None else messages(at).find(number)
        if found is None:
            raise ValueError(f"rpc error: code = NotFound desc = message {asked.id[:80]} not found")
        return proto.QueryMessageResponse(found.stored())

    def pending(asked: proto.QueryPendingRequest, at: int | None) -> Message:
        del asked
        return proto.QueryMessagesResponse(tuple(found.stored() for found in messages(at).waiting()))

    def by_sender(asked: proto.QueryMessagesBySenderRequest, at: int | None) -> Message:
        keeper.addresses.parse(asked.sender)
        found = messages(at).of_sender(asked.sender, MAX_LISTED)
        return proto.QueryMessagesResponse(tuple(each.stored() for each in found))

    def params(asked: proto.QueryParamsRequest, at: int | None) -> Message:
        del asked, at
        told = proto.Params(settings.max_message_size, settings.max_queue_size, settings.queue_timeout_blocks)
        return proto.QueryParamsResponse(told)

    handlers: Paths = {
        proto.MESSAGE: (proto.QueryMessageRequest, message),
        proto.MESSAGES_BY_SENDER: (proto.QueryMessagesBySenderRequest, by_sender),
        proto.PARAMS: (proto.QueryParamsRequest, params),
        **dict.fromkeys(proto.PENDING_NAMES, (proto.QueryPendingRequest, pending)),
    }
    return {f"{proto.QUERY_SERVICE}/{name}": handler for name, handler in handlers.items()}
