"""What another chain tells of messages between its VMs, read leniently.

Its job: from untrusted texts to values of one form. Sources of that chain disagree: on attributes' names, their order
and casing, on whether values are base64 or quoted, on statuses as words or numbers, on hex with or without `0x`. What
is meant is read; what could mean two things is not: then the field is empty, or the event unreadable. It is that
chain's own word all the same: nothing here proves anything.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relayer.cosmos.crossvm import NumberedMessage, StoredMessage
from relayer.crossvm.events import REQUEST, RESPONSE, TIMEOUT
from relayer.crossvm.messages import State, message_id, payload_text

MAX_ATTRIBUTES: Final = 100
MAX_ID_CHARACTERS: Final = 128
_MAX_HEIGHT: Final = 2**63 - 1
_NUMBER_DIGITS: Final = 5

_NUMBERED_ID: Final = re.compile(r"(?:crossvm-)?([0-9]{1,19})", re.ASCII | re.IGNORECASE)
_ID: Final = re.compile(r"[!-~]+", re.ASCII)
_HEX: Final = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)", re.ASCII)
_FORM: Final = re.compile(r"[^a-z0-9]")
_CONTRACTS_PREFIX: Final = "wasm"
"""With what the types of contracts' own events begin: anybody can have one say anything behind it."""

_VMS: Final = {"evm": "evm", "cosmwasm": "cosmwasm", "wasm": "cosmwasm", "svm": "svm", "solana": "svm"}
_YES: Final = {"true": State.EXECUTED, "1": State.EXECUTED, "false": State.FAILED, "0": State.FAILED}

_STATES: Final[Mapping[str, State]] = {
    "submitted": State.SUBMITTED,
    "pending": State.PENDING,
    "queued": State.PENDING,
    "executed": State.EXECUTED,
    "success": State.EXECUTED,
    "succeeded": State.EXECUTED,
    "completed": State.EXECUTED,
    "failed": State.FAILED,
    "failure": State.FAILED,
    "error": State.FAILED,
    "reverted": State.FAILED,
    "timedout": State.TIMED_OUT,
    "timeout": State.TIMED_OUT,
    "expired": State.TIMED_OUT,
}

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "message_id": ("message_id", "msg_id", "crossvm_id", "id"),
    "source_vm": ("source_vm", "src_vm", "from_vm", "origin_vm"),
    "target_vm": ("target_vm", "dest_vm", "destination_vm", "dst_vm", "to_vm"),
    "target_contract": ("target_contract", "target_address", "contract", "contract_address", "target"),
    "sender": ("sender", "from", "caller", "creator"),
    "payload": ("payload", "data", "msg"),
    "status": ("status", "state"),
    "success": ("success", "ok"),
    "result": ("result", "response", "return_data", "output"),
    "error": ("error", "error_message", "reason"),
    "submitted_height": ("submitted_height", "created_height", "queued_at_height", "height"),
    "executed_height": ("executed_height", "completed_height", "processed_height"),
}


def _form(text: str) -> str:
    return _FORM.sub("", text.lower())


class UnreadableEvent(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """An event of a message that does not say of which, or says it twice and differently."""


@dataclass(frozen=True, slots=True)
class Names:
    """What to look for. Casing, dashes, dots and underscores never count.

    `events` are types by what they mean, `fields` names by field in the order of preference, `numbered` the states
    that numbers from 0 mean.

    Raises:
        ValueError: a type of event is one that contracts can emit.
    """

    events: Mapping[str, str] = field(
        default_factory=lambda: {"crossvm_request": REQUEST, "crossvm_response": RESPONSE, "crossvm_timeout": TIMEOUT}
    )
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NAMES)
    numbered: tuple[State, ...] = tuple(State)

    def __post_init__(self) -> None:
        # SECURITY: a contract's event reads `wasm-…`: were such a type looked for, anybody could speak for the chain.
        if any(_form(name).startswith(_CONTRACTS_PREFIX) for name in self.events):
            raise ValueError("an event whose type begins with wasm is a contract's own, not the chain's")

    def meaning_of(self, event_type: str) -> str | None:
        """What an event of this type means; None if it is no message's."""
        wanted = _form(event_type)
        return next((meaning for name, meaning in self.events.items() if _form(name) == wanted), None)


DEFAULT_NAMES: Final = Names()


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """What an event says. `type` is one of `relayer.crossvm.events`; what it does not say is empty, or None."""

    type: str
    message_id: str
    source_vm: str
    target_vm: str
    target_contract: str
    sender: str
    status: State | None
    result: str

    def json(self) -> dict[str, Any]:
        """What it says, in JSON's own values."""
        told = {
            "event": self.type,
            "message_id": self.message_id,
            "source_vm": self.source_vm,
            "target_vm": self.target_vm,
            "target_contract": self.target_contract,
            "sender": self.sender,
            "status": None if self.status is None else self.status.value,
            "result": self.result,
        }
        return {name: value for name, value in told.items() if value != ""}


@dataclass(frozen=True, slots=True)
class ChainMessage:
    """A message as that chain keeps it. `status` is None where it is not understood; no height is 0."""

    message_id: str
    source_vm: str
    target_vm: str
    target_contract: str
    sender: str
    payload: str
    status: State | None
    result: str
    submitted_height: int
    executed_height: int

    def json(self) -> dict[str, Any]:
        """With exactly that chain's fields."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "status": None if self.status is None else self.status.value
        }


def read_event(event_type: str, pairs: Sequence[tuple[Any, Any]], names: Names = DEFAULT_NAMES) -> ToldMessage | None:
    """What an event says of a message; None if it is none of the types that are looked for.

    Raises:
        UnreadableEvent: it is one of them and names no message, or two.
    """
    meaning = names.meaning_of(event_type)
    if meaning is None:
        return None
    if len(pairs) > MAX_ATTRIBUTES:
        raise UnreadableEvent(f"{event_type} has {len(pairs)} attributes")
    fields = _Fields(_plain(pairs, names), names)
    name = _id(fields.text("message_id"))
    if not name:
        raise UnreadableEvent(f"{event_type} names no message, or two")
    status = {REQUEST: State.SUBMITTED, TIMEOUT: State.TIMED_OUT}.get(meaning) or fields.status()
    return ToldMessage(
        type=meaning,
        message_id=name,
        source_vm=_vm(fields.text("source_vm")),
        target_vm=_vm(fields.text("target_vm")),
        target_contract=fields.text("target_contract"),
        sender=fields.text("sender"),
        status=status,
        result=fields.result() if meaning == RESPONSE else "",
    )


def read_json(document: Any, names: Names = DEFAULT_NAMES) -> ChainMessage | None:
    """A message in JSON, whether or not it stands within another object; None if it is none."""
    if isinstance(document, dict) and isinstance(document.get("message"), dict):
        document = document["message"]
    if not isinstance(document, dict) or len(document) > MAX_ATTRIBUTES:
        return None
    pairs = [(key, _scalar_text(value)) for key, value in document.items()]
    fields = _Fields([(key, text) for key, text in pairs if text is not None], names)
    name = _id(fields.text("message_id"))
    return _message(name, fields, _hexed(fields.text("payload"))) if name else None


def read_stored(stored: StoredMessage | NumberedMessage, names: Names = DEFAULT_NAMES) -> ChainMessage | None:
    """A message in protobuf; None if it has no id."""
    response = stored.response
    fields = _Fields(
        [
            ("source_vm", stored.source_vm),
            ("target_vm", stored.target_vm),
            ("target_contract", stored.target_contract),
            ("sender", stored.sender),
            ("status", str(stored.status)),
            ("result", "0x" + response.hex() if response else ""),
            ("error", stored.error),
            ("submitted_height", str(stored.created_height)),
            ("executed_height", str(stored.executed_height)),
        ],
        Names(numbered=names.numbered),
    )
    name = _id(stored.id)
    return _message(name, fields, payload_text(stored.payload)) if name else None


class _Fields:
    """Values by what they mean, whatever they are called."""

    def __init__(self, pairs: Iterable[tuple[str, str]], names: Names) -> None:
        self._names = names
        self._values: dict[str, set[str]] = {}
        for key, value in pairs:
            self._values.setdefault(_form(key), set()).add(_unquoted(value))

    def text(self, name: str) -> str:
        """The value under the first of the field's names that is there; empty where that has several, or none is."""
        for known in self._names.fields.get(name, ()):
            values = self._values.get(_form(known))
            if values:
                # SECURITY: of two different values a reader could believe either; we believe none.
                return next(iter(values)) if len(values) == 1 else ""
        return ""

    def status(self) -> State | None:
        """As a word, as a number, or as success or not; None if it is not said, or not understood."""
        said = _form(self.text("status"))
        if said.isdecimal():
            numbered = self._names.numbered
            return numbered[int(said)] if len(said) < _NUMBER_DIGITS and int(said) < len(numbered) else None
        # Enumerations' names carry that of their type in front.
        found = {state for word, state in _STATES.items() if said == word or said.endswith(f"status{word}")}
        if len(found) == 1:
            return found.pop()
        return None if said else _YES.get(_form(self.text("success")))

    def result(self) -> str:
        """`0x` and hex where it is hex, else its text; the error's where there is no result."""
        return _hexed(self.text("result")) or self.text("error") or "0x"

    def height(self, name: str) -> int:
        """0 where there is none."""
        text = self.text(name)
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(_MAX_HEIGHT)) else 0
        return min(number, _MAX_HEIGHT)


def _message(name: str, fields: _Fields, payload: str) -> ChainMessage:
    return ChainMessage(
        message_id=name,
        source_vm=_vm(fields.text("source_vm")),
        target_vm=_vm(fields.text("target_vm")),
        target_contract=fields.text("target_contract"),
        sender=fields.text("sender"),
        payload=payload,
        status=fields.status(),
        result=fields.result(),
        submitted_height=fields.height("submitted_height"),
        executed_height=fields.height("executed_height"),
    )


def _plain(pairs: Sequence[tuple[Any, Any]], names: Names) -> list[tuple[str, str]]:
    """Attributes as texts: decoded where their keys are base64, as nodes wrote them before CometBFT 0.37."""
    texts = [(key, "" if value is None else value) for key, value in pairs]
    plain = [(key, value) for key, value in texts if isinstance(key, str) and isinstance(value, str)]
    known = {_form(name) for listed in names.fields.values() for name in listed}
    if any(_form(key) in known for key, _ in plain):
        return plain
    return list(_decoded(plain))


def _decoded(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for key, value in pairs:
        try:
            yield base64.b64decode(key, validate=True).decode(), base64.b64decode(value, validate=True).decode()
        except ValueError:
            continue


def _unquoted(text: str) -> str:
    """Events that the SDK makes of protobuf have their values in JSON."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _id(text: str) -> str:
    numbered = _NUMBERED_ID.fullmatch(text)
    if numbered is not None:
        return message_id(int(numbered[1]))
    return text if len(text) <= MAX_ID_CHARACTERS and _ID.fullmatch(text) else ""


def _vm(text: str) -> str:
    form = _form(text)
    return _VMS.get(form.removeprefix("vmtype"), text)


def _hexed(text: str) -> str:
    found = _HEX.fullmatch(text)
    return "0x" + found[1].lower() if found is not None and text else text


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    return None
