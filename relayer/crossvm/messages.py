"""A request as a message between VMs.

| field | meaning |
| --- | --- |
| `message_id` | `crossvm-` and eight digits or more: this node's row number of the request |
| `source_vm`, `target_vm` | by name |
| `target_contract`, `sender` | as their chains write accounts |
| `payload` | text where the target's VM takes JSON, else `0x` and hex |
| `status` | `submitted`, `pending`, `executed`, `failed`, `timed_out` |
| `result` | return data, `0x` and hex; `0x` while there is none |
| `submitted_height`, `executed_height` | source block of the request, destination block of its outcome; 0: none yet |

A row number is this node's own: other nodes number the same request otherwise. The request id is the same everywhere,
and taken wherever a message id is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from attestation.address import parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.statement import OutcomeKind
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest

_MESSAGE_ID: Final = re.compile(r"crossvm-([0-9]{8,19})", re.ASCII)
_HIGHEST_ROW: Final = (1 << 63) - 1


class State(StrEnum):
    """Where a message is."""

    SUBMITTED = "submitted"
    PENDING = "pending"
    EXECUTED = "executed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


OPEN_STATES: Final = frozenset({State.SUBMITTED, State.PENDING})
"""In that chain's queue."""

_BEFORE_ITS_OUTCOME: Final = {
    Status.OBSERVED: State.SUBMITTED,
    Status.ORPHANED: State.SUBMITTED,
    Status.REJECTED: State.FAILED,
    Status.CANCELLED: State.TIMED_OUT,
}
OPEN_STATUSES: Final = frozenset(
    {
        Status.OBSERVED,
        Status.ORPHANED,
        Status.FINAL,
        Status.CERTIFIED,
        Status.EXECUTION_HELD,
        Status.DISPATCHED,
        Status.LANDED,
    }
)
"""Requests whose messages are open, besides those that were cancelled."""

_OF_OUTCOMES: Final[Mapping[OutcomeKind, State]] = {
    OutcomeKind.EXECUTED: State.EXECUTED,
    OutcomeKind.REVERTED: State.FAILED,
    OutcomeKind.UNREACHED: State.FAILED,
    OutcomeKind.DUPLICATE: State.FAILED,
    OutcomeKind.EXPIRED: State.TIMED_OUT,
}


@dataclass(frozen=True, slots=True)
class Writing:
    """How VMs and accounts are written. `vms` are names by CAIP-2 namespace, `account` takes ERC-7930 bytes."""

    vms: Mapping[str, str]
    account: Callable[[bytes], str]

    def vm(self, account: bytes) -> str:
        """The name of the VM of an account's chain; its namespace, where no installed VM serves that."""
        try:
            namespace = parse_interoperable_address(account).chain.namespace.value
        except MalformedAddress:
            return ""
        return self.vms.get(namespace, namespace)


def state_of(request: TrackedRequest) -> State:
    """Where the request is, in the five states of a message."""
    if request.status is Status.CANCELLED or (request.returned_fee is not None and request.conclusion is None):
        return State.TIMED_OUT
    # A receipt that is not final may still be another one: LANDED waits.
    if request.status in OPEN_STATUSES or request.conclusion is None:
        return _BEFORE_ITS_OUTCOME.get(request.status, State.PENDING)
    return _OF_OUTCOMES[request.conclusion.outcome.kind]


def message_id(row: int) -> str:
    """The id of the message in this row."""
    return f"crossvm-{row:08d}"


def parse_message_id(text: str) -> int | None:
    """The row that a message id names, None if it is no message id."""
    found = _MESSAGE_ID.fullmatch(text)
    row = int(found[1]) if found is not None else 0
    return row if found is not None and row <= _HIGHEST_ROW and text == message_id(row) else None


def message_view(row: int, request: TrackedRequest, writing: Writing) -> dict[str, Any]:
    """The message in JSON's own values."""
    fields, state = request.request, state_of(request)
    conclusion = None if state in OPEN_STATES else request.conclusion
    return {
        "message_id": message_id(row),
        "source_vm": writing.vm(fields.source_gateway),
        "target_vm": writing.vm(fields.target),
        "target_contract": writing.account(fields.target),
        "sender": writing.account(fields.sender),
        "payload": payload_text(fields.payload),
        "status": state.value,
        "result": "0x" + ("" if conclusion is None else conclusion.return_data.hex()),
        "submitted_height": request.block.number,
        "executed_height": 0 if conclusion is None else conclusion.outcome.height,
    }


def payload_text(payload: bytes) -> str:
    """A payload that is a JSON object as its text, any other as `0x` and hex.

    An object cannot be mistaken for a call of the VMs that take bytes: it begins with a brace, and is JSON to its end.
    """
    if payload[:1] == b"{":
        try:
            orjson.loads(payload)
            return payload.decode("utf-8")
        except (orjson.JSONDecodeError, UnicodeDecodeError):
            pass
    return "0x" + payload.hex()
