"""What is told of messages: events as CometBFT has them, type and attributes.

`crossvm_request` when a request is observed, `crossvm_response` when its outcome is final, `crossvm_timeout` when it
expired or was cancelled. A step that changes no message's state tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relayer.crossvm.messages import State

REQUEST: Final = "crossvm_request"
RESPONSE: Final = "crossvm_response"
TIMEOUT: Final = "crossvm_timeout"

_ATTRIBUTES: Final = {
    REQUEST: ("message_id", "source_vm", "target_vm", "target_contract", "sender"),
    RESPONSE: ("message_id", "status", "result"),
    TIMEOUT: ("message_id", "source_vm", "target_vm"),
}
_TYPES: Final[Mapping[State, str]] = {
    State.SUBMITTED: REQUEST,
    State.EXECUTED: RESPONSE,
    State.FAILED: RESPONSE,
    State.TIMED_OUT: TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """One event. `height` is that of the chain on which it happened, `tx_hash` the transaction's there, or empty."""

    type: str
    attributes: Mapping[str, str]
    height: int
    tx_hash: bytes


def event_of(message: Mapping[str, Any], tx_hash: bytes) -> MessageEvent | None:
    """What is told of a message (`messages.message_view`) that came into its state; None if nothing is.

    A message that comes back from a fork is submitted once more and told once more.
    """
    state = State(message["status"])
    event_type = _TYPES.get(state)
    if event_type is None:
        return None
    height = message["submitted_height"] if event_type == REQUEST else message["executed_height"]
    attributes = {name: str(message[name]) for name in _ATTRIBUTES[event_type]}
    return MessageEvent(event_type, attributes, height, tx_hash)
