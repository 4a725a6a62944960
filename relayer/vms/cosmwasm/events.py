"""The gateway's events among all that a block's transactions told.

Its job: from a block's results, as an endpoint tells them, the events that the gateway emitted, each at its place.
Until CometBFT 0.37 nodes wrote attributes in base64, since then as they are; which it is shows in the event itself.
SECURITY: anybody's contract may emit an event of any name: what makes it the gateway's is the address that the chain
itself puts on it, under a name that contracts cannot use.

Source: CometBFT's RPC, `block_results`; wasmd's x/wasm/keeper/events.go: type `wasm-<name>`, `_contract_address` first.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import parse_base64, parse_code, parse_count, parse_list, parse_member, parse_text
from relayer.vms.jsonrpc.rpc import RpcCall

_TYPE_PREFIX: Final = "wasm-XVM"
_CUSTOM_PREFIX: Final = "wasm-"
_EMITTER: Final = "_contract_address"
_EMITTER_ENCODED: Final = b64encode(_EMITTER.encode()).decode()
"""No other key reads so: in base64 there is no underscore, and plain names of contracts' own begin with none."""


class GatewayEvent(NamedTuple):
    """An event without what the chain added: its name, as the gateway calls it, and its attributes in order."""

    name: str
    attributes: tuple[tuple[str, str], ...]


class PlacedEvent(NamedTuple):
    """An event, its transaction's index in the block, and its own among the gateway's events of that transaction."""

    event: GatewayEvent
    tx_index: int
    log_index: int


def results_call(height: int) -> RpcCall:
    """The call for what the block's transactions came to."""
    return RpcCall("block_results", {"height": str(height)})


class EventReader:
    """Finds the events of the gateway with this bech32 text; those of the `watched` names are read."""

    def __init__(self, gateway: str, watched: frozenset[str]) -> None:
        self._emitters: Final = {_EMITTER: gateway, _EMITTER_ENCODED: b64encode(gateway.encode()).decode()}
        self._types: Final = {_CUSTOM_PREFIX + name: name for name in watched}

    def read(self, answer: Any, height: int, transactions: int) -> tuple[PlacedEvent, ...]:
        """The watched events in a block's results, in order. Raises `RpcUnavailable`.

        What a failed transaction tells did not happen, and what the chain itself tells is no contract's.
        """
        if parse_count(parse_member(answer, "height")) != height:
            raise RpcUnavailable(f"an endpoint answered with other results than those of block {height}")
        results = parse_list(parse_member(answer, "txs_results"))
        if len(results) != transactions:
            raise RpcUnavailable(f"an endpoint told of {len(results)} of the {transactions} results of block {height}")
        placed: list[PlacedEvent] = []
        for tx_index, result in enumerate(results):
            # SECURITY: a transaction that fails keeps no state: a request in it was never made.
            if parse_code(parse_member(result, "code")) == 0:
                events = self._events_of_gateway(parse_member(result, "events"))
                placed += (
                    PlacedEvent(GatewayEvent(self._types[kind], _attributes(event)), tx_index, log_index)
                    for log_index, (kind, event) in enumerate(events)
                    if kind in self._types
                )
        return tuple(placed)

    def concerns(self, event: Any) -> bool:
        """Whether it is the gateway's, watched or not: all others could be left out of what `read` is given."""
        return any(self._events_of_gateway([event]))

    def read_one(self, events: Any) -> tuple[GatewayEvent, ...]:
        """The watched events among those of one transaction that succeeded, in order. Raises `RpcUnavailable`."""
        return tuple(
            GatewayEvent(self._types[kind], _attributes(event))
            for kind, event in self._events_of_gateway(events)
            if kind in self._types
        )

    def _events_of_gateway(self, events: Any) -> Iterator[tuple[str, Any]]:
        """Type and JSON of each event of the gateway that is one of ours by its name, watched or not."""
        for event in parse_list(events):
            kind = parse_text(parse_member(event, "type"))
            if kind.startswith(_TYPE_PREFIX) and self._is_gateways(event):
                yield kind, event

    def _is_gateways(self, event: Any) -> bool:
        emitters = [
            (attribute["key"], attribute.get("value"))
            for attribute in parse_list(parse_member(event, "attributes"))
            if parse_member(attribute, "key") in self._emitters
        ]
        # SECURITY: with two of them it could pass for the gateway's with one reader and not with another.
        return len(emitters) == 1 and self._emitters[emitters[0][0]] == emitters[0][1]


def _attributes(event: Any) -> tuple[tuple[str, str], ...]:
    """Without the emitter. Whether an attribute is indexed is each node's own setting, and no part of it."""
    pairs = [(parse_text(one["key"]), one.get("value")) for one in event["attributes"]]
    is_encoded = any(key == _EMITTER_ENCODED for key, _ in pairs)
    read = _decode if is_encoded else _plain
    return tuple((read(key), read(value)) for key, value in pairs if key not in {_EMITTER, _EMITTER_ENCODED})


def _plain(value: Any) -> str:
    return "" if value is None else parse_text(value)


def _decode(value: Any) -> str:
    try:
        return parse_base64(value).decode()
    except UnicodeDecodeError:
        raise RpcUnavailable("an endpoint answered with an attribute that is no text") from None
