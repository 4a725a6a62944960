"""Messages of CosmWasm contracts, and what contracts give back, as people type and read them.

Its job: between text and bytes: the JSON of a message, results, the reasons of failures. It reaches no chain.

Source: contracts/cosmwasm/README.md; wasmd, for what it tells of failures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from attestation.request import Mode
from relayer.cli.asking import TypedCall
from relayer.cli.cosmwasm.typed_values import parse_json, typed_value
from relayer.cli.usage import WrongUsage
from relayer.errors import ConfigError

_FIELD: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)=(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_REDACTED: Final = re.compile(r"codespace: (\w+), code: (\d+)")
_SAID: Final = re.compile(r": (?:execute|query) wasm contract failed$")
_ANY: Final = "any"

_REASONS: Final = {
    ("sdk", "5"): "not enough coins",
    ("sdk", "11"): "out of gas: choose another --execution-gas",
    ("wasm", "5"): "the contract refused it; this chain keeps its words from other contracts",
    ("wasm", "22"): "there is no such contract",
}
"""What chains say to a contract that calls another one, of which they show the number alone."""


class CosmWasmPayloadCodec:
    """Implements `PayloadCodec`: a message in JSON."""

    def __init__(self, call: TypedCall) -> None:
        if call.accounts:
            raise WrongUsage(["--accounts: a call here touches what it likes and lists nothing; leave it out"])
        if (call.function is None) == (call.data is None) or (call.data is not None and call.arguments):
            raise WrongUsage(["name the call either by --fn and --args, or by --data alone"])
        if call.function is not None and _NAME.fullmatch(call.function) is None:
            raise WrongUsage([f"--fn: {call.function!r} is no message's name, such as increment"])
        self._call = call

    def encode(self, mode: Mode) -> bytes:
        """`{"name": {…}}` of a name and fields, or the data; as the contract's schema says, if one is given."""
        if self._call.interface is None:
            message = self._plain(self._call.function) if self._call.function is not None else self._given()
        else:
            message = self._checked(mode)
        return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8")

    @property
    def result_types(self) -> str:
        """Whatever form fits."""
        return _ANY

    def check_result_types(self, types: str) -> None:
        """Whether these can be the types of a result."""
        if types not in _FORMS:
            raise WrongUsage([f"--returns: {types!r} is none of {', '.join(_FORMS)}"])

    def decode_result(self, types: str, data: bytes) -> list[Any]:
        """JSON as JSON has it, text, or hex."""
        try:
            return [_FORMS[types](data)]
        except ValueError:
            raise ConfigError([f"--returns: the data is no {types}"]) from None

    def explain_failure(self, data: bytes) -> str:
        """What the chain tells of it."""
        text = _SAID.sub("", data.decode("utf-8", "replace"))
        match = _REDACTED.search(text)
        if match is not None and (match[1], match[2]) in _REASONS:
            return f"{text}: {_REASONS[match[1], match[2]]}"
        return text or "the contract refused it; of a query nobody is told why"

    def _checked(self, mode: Mode) -> Any:
        assert self._call.interface is not None
        # Loaded when it is needed: only whoever checks messages needs the library.
        try:
            from relayer.cli.cosmwasm.schema import MalformedMessage, MessageSchema  # noqa: PLC0415
        except ModuleNotFoundError as missing:
            raise ConfigError(
                [f"--schema: needs {missing.name}: install the extra cosmwasm; `make setup` has it"]
            ) from None
        schema, function = MessageSchema.load(self._call.interface, mode), self._call.function
        try:
            if function is None:
                message = self._given()
            elif self._is_whole():
                message = self._plain(function)
            else:
                message = schema.build(function, self._fields())
            schema.check(message)
        except MalformedMessage as error:
            raise WrongUsage([f"{'--data' if function is None else '--fn, --args'}: {error}"]) from None
        return message

    def _given(self) -> Any:
        """The data, which the chain takes as JSON alone."""
        try:
            return parse_json(self._call.data or b"")
        except ValueError:
            raise WrongUsage(['--data: a message here is JSON, such as \'{"increment":{"by":"5"}}\'']) from None

    def _plain(self, function: str) -> Any:
        if self._is_whole():
            return {function: typed_value(self._call.arguments[0])}
        return {function: {name: typed_value(text) for name, text in self._fields().items()}}

    def _is_whole(self) -> bool:
        """All fields as one JSON object."""
        arguments = self._call.arguments
        return len(arguments) == 1 and isinstance(typed_value(arguments[0]), dict)

    def _fields(self) -> dict[str, str]:
        fields, faults = {}, []
        for text in self._call.arguments:
            match = _FIELD.fullmatch(text)
            if match is None:
                faults.append(f"--args: {text!r}: write NAME=VALUE, or all fields as one JSON object")
            elif match[1] in fields:
                faults.append(f"--args: {match[1]} is there twice")
            else:
                fields[match[1]] = match[2]
        if faults:
            raise WrongUsage(faults)
        return fields


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _first_fitting(data: bytes) -> Any:
    for form in (parse_json, _parse_text):
        try:
            return form(data)
        except ValueError:
            continue
    return _hex(data)


def _parse_text(data: bytes) -> str:
    text = data.decode("utf-8")
    if not text.isprintable() or not text:
        raise ValueError("is not for reading")
    return text


_FORMS: Final[dict[str, Callable[[bytes], Any]]] = {
    _ANY: _first_fitting,
    "json": parse_json,
    "text": _parse_text,
    "hex": _hex,
}
