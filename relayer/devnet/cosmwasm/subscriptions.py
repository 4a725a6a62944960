"""Subscriptions: who wants to hear of what, and what there is to tell of a new block.

Its job: match a block's events with what is asked for. It sends nothing: a listener takes its documents, and must not
block.

Source: rpc/core/events.go and types/event_bus.go of CometBFT 0.38.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from relayer.devnet.cosmwasm.block_json import (
    Dialect,
    Json,
    block_event_json,
    header_event_json,
    tx_event_json,
)
from relayer.devnet.cosmwasm.blocks import Block, events_of
from relayer.devnet.cosmwasm.rpc_errors import internal_error
from relayer.event_query import MalformedQuery, Query, parse_query

MAX_PER_LISTENER: Final = 5
"""Source: max_subscriptions_per_client of CometBFT's settings."""

MAX_LISTENERS: Final = 100
"""Source: max_subscription_clients."""


class Listener(Protocol):
    """Who gets the notifications."""

    def deliver(self, document: Mapping[str, Any]) -> None:
        """Take a notification; never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    identifier: Any
    query: Query


class Subscriptions:
    """All subscriptions of a node."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._by_listener: dict[Listener, dict[str, _Subscription]] = {}

    def add(self, listener: Listener, identifier: Any, text: str) -> None:
        """Tell this listener of what the query asks for, under the identifier of its call.

        Raises:
            RpcError: the text is no query, the listener has it already, or there are too many.
        """
        try:
            query = parse_query(text)
        except MalformedQuery as error:
            raise internal_error(f"failed to parse query: {error}") from None
        held = self._by_listener.get(listener, {})
        if text in held:
            raise internal_error("already subscribed")
        if len(held) >= MAX_PER_LISTENER:
            raise internal_error(f"max_subscriptions_per_client {MAX_PER_LISTENER} reached")
        if not held and len(self._by_listener) >= MAX_LISTENERS:
            raise internal_error(f"max_subscription_clients {MAX_LISTENERS} reached")
        self._by_listener[listener] = {**held, text: _Subscription(identifier, query)}

    def remove(self, listener: Listener, text: str) -> None:
        """End a subscription. Raises `RpcError`: there is none."""
        held = self._by_listener.get(listener, {})
        if text not in held:
            raise internal_error("subscription not found")
        del held[text]
        if not held:
            del self._by_listener[listener]

    def remove_all(self, listener: Listener) -> None:
        """End all of a listener's. Raises `RpcError`: there are none."""
        if listener not in self._by_listener:
            raise internal_error("subscription not found")
        del self._by_listener[listener]

    def forget(self, listener: Listener) -> None:
        """The listener is gone."""
        self._by_listener.pop(listener, None)

    def publish(self, block: Block) -> None:
        """Tell everybody of a block."""
        if not self._by_listener:
            return
        held = [
            (listener, subscription)
            for listener, subscriptions in self._by_listener.items()
            for subscription in subscriptions.values()
        ]
        for events, data in self._notices(block):
            shown = {key: values for key, values in events.items() if values}
            for listener, subscription in held:
                if subscription.query.matches(events):
                    result = {"query": subscription.query.text, "data": data, "events": shown}
                    listener.deliver({"jsonrpc": "2.0", "id": subscription.identifier, "result": result})

    def _notices(self, block: Block) -> Iterator[tuple[Mapping[str, Sequence[str]], Json]]:
        of_block = events_of(block.events)
        yield {**of_block, "tm.event": ["NewBlock"]}, block_event_json(block, self._dialect)
        yield {**of_block, "tm.event": ["NewBlockHeader"]}, header_event_json(block, self._dialect)
        for executed in block.executed:
            yield executed.events, tx_event_json(executed, self._dialect)
