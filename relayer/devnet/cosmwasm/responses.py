"""What contracts return, out of JSON that nothing vouches for.

Its job: `ContractResult<Response>` and `CosmosMsg` as wasmd reads them: fields that are not known are passed over,
those that are missing are empty, those of another type end the call. Bytes are base64.

Source: `types/msg.go` and `types/submessages.go` of CosmWasm/wasmvm; `handler_plugin_encoders.go` of CosmWasm/wasmd.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from relayer.devnet.cosmwasm.chain_errors import WASM_UNKNOWN_MESSAGE, ChainError
from relayer.devnet.cosmwasm.coins import Coins, coins_of_contract
from relayer.devnet.cosmwasm.events import Attribute, Event
from relayer.devnet.cosmwasm.messages import (
    ClearAdmin,
    ExecuteContract,
    InstantiateContract,
    InstantiateContract2,
    Message,
    MigrateContract,
    Send,
    UpdateAdmin,
)

MAX_PAYLOAD_BYTES: Final = 128 * 1024
_U64: Final = 2**64
_Value = TypeVar("_Value")

REPLY_ON: Final = ("always", "success", "error", "never")


class MalformedResponseError(Exception):
    """It is not what an entry point returns."""


class ContractRefusedError(Exception):
    """The contract returned an error; this is its text."""


@dataclass(frozen=True, slots=True)
class SubMessage:
    """A message that a contract wants sent, and whether it wants to hear of it."""

    id: int
    message: dict[str, Any]
    payload: bytes
    gas_limit: int | None
    reply_on: str


@dataclass(frozen=True, slots=True)
class Response:
    """Of instantiate, execute, migrate and reply."""

    messages: tuple[SubMessage, ...]
    data: bytes | None
    attributes: list[Attribute]
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Burn:
    """Coins that a contract destroys: no transaction can ask for it."""

    amount: Coins


def parse_response(data: bytes) -> Response:
    """Raises `MalformedResponseError` and `ContractRefusedError`."""
    ok = _object(_result(data))
    return Response(
        tuple(_submessage(each) for each in _list(ok, "messages")),
        None if ok.get("data") is None else _bytes(ok, "data"),
        _attributes(ok),
        [Event(_field(event, "type", str, ""), _attributes(event)) for event in map(_object, _list(ok, "events"))],
    )


def parse_query_response(data: bytes) -> bytes:
    """What a query returns. Raises `MalformedResponseError` and `ContractRefusedError`."""
    return _base64(_result(data) or "")


def parse_json(data: bytes) -> Any:
    """Raises `MalformedResponseError`."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedResponseError(str(error)) from None


def parse_message(sender: str, message: dict[str, Any]) -> Message | Burn | None:
    """A `CosmosMsg`; None for a sending of nothing. Raises `ChainError` and `MalformedResponseError`."""
    bank, wasm = message.get("bank"), message.get("wasm")
    if bank is not None:
        return _bank_message(sender, _object(bank))
    if wasm is not None:
        return _wasm_message(sender, _object(wasm))
    raise ChainError(WASM_UNKNOWN_MESSAGE, "no handler found")


def _bank_message(sender: str, bank: dict[str, Any]) -> Message | Burn | None:
    if bank.get("send") is not None:
        send = _object(bank["send"])
        if not _list(send, "amount"):
            return None
        return Send(sender, _field(send, "to_address", str, ""), _coins(send, "amount"))
    if bank.get("burn") is not None:
        return Burn(_coins(_object(bank["burn"]), "amount"))
    raise ChainError(WASM_UNKNOWN_MESSAGE, "no handler found")


def _wasm_message(sender: str, wasm: dict[str, Any]) -> Message:
    kind = next((name for name in _WASM if wasm.get(name) is not None), None)
    if kind is None:
        raise ChainError(WASM_UNKNOWN_MESSAGE, "no handler found")
    return _WASM[kind](sender, _object(wasm[kind]))


def _execute(sender: str, fields: dict[str, Any]) -> Message:
    return ExecuteContract(
        sender, _field(fields, "contract_addr", str, ""), _bytes(fields, "msg"), _coins(fields, "funds")
    )


def _instantiate(sender: str, fields: dict[str, Any]) -> Message:
    return InstantiateContract(
        sender,
        _u64(fields, "code_id"),
        _field(fields, "label", str, ""),
        _bytes(fields, "msg"),
        _field(fields, "admin", str, ""),
        _coins(fields, "funds"),
    )


def _instantiate2(sender: str, fields: dict[str, Any]) -> Message:
    return InstantiateContract2(
        sender,
        _u64(fields, "code_id"),
        _field(fields, "label", str, ""),
        _bytes(fields, "msg"),
        _bytes(fields, "salt"),
        _field(fields, "admin", str, ""),
        _coins(fields, "funds"),
    )


def _migrate(sender: str, fields: dict[str, Any]) -> Message:
    return MigrateContract(
        sender, _field(fields, "contract_addr", str, ""), _u64(fields, "new_code_id"), _bytes(fields, "msg")
    )


def _update_admin(sender: str, fields: dict[str, Any]) -> Message:
    return UpdateAdmin(sender, _field(fields, "contract_addr", str, ""), _field(fields, "admin", str, ""))


def _clear_admin(sender: str, fields: dict[str, Any]) -> Message:
    return ClearAdmin(sender, _field(fields, "contract_addr", str, ""))


_WASM: Final = {
    "execute": _execute,
    "instantiate": _instantiate,
    "instantiate2": _instantiate2,
    "migrate": _migrate,
    "clear_admin": _clear_admin,
    "update_admin": _update_admin,
}


def _result(data: bytes) -> Any:
    result = _object(parse_json(data))
    error = _field(result, "error", str, "")
    if error:
        raise ContractRefusedError(error)
    if result.get("ok") is None:
        raise MalformedResponseError("neither ok nor error")
    return result["ok"]


def _submessage(value: Any) -> SubMessage:
    fields = _object(value)
    payload = _bytes(fields, "payload")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MalformedResponseError(f"a submessage with payload larger than {MAX_PAYLOAD_BYTES} bytes")
    reply_on = _field(fields, "reply_on", str, "")
    if reply_on and reply_on not in REPLY_ON:
        raise MalformedResponseError(f"invalid reply_on value '{reply_on}'")
    gas_limit = None if fields.get("gas_limit") is None else _u64(fields, "gas_limit")
    return SubMessage(_u64(fields, "id"), _object(fields.get("msg") or {}), payload, gas_limit, reply_on)


def _attributes(fields: dict[str, Any]) -> list[Attribute]:
    listed = [_object(each) for each in _list(fields, "attributes")]
    return [(_field(each, "key", str, ""), _field(each, "value", str, "")) for each in listed]


def _coins(fields: dict[str, Any], name: str) -> Coins:
    return coins_of_contract(_object(each) for each in _list(fields, name))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedResponseError("cannot unmarshal into an object")
    return value


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    return _field(fields, name, list, [])


def _u64(fields: dict[str, Any], name: str) -> int:
    number = _field(fields, name, int, 0)
    if isinstance(number, bool) or not 0 <= number < _U64:
        raise MalformedResponseError(f"cannot unmarshal {name} into a uint64")
    return number


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    return _base64(_field(fields, name, str, ""))


def _base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise MalformedResponseError("cannot unmarshal into bytes")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedResponseError("illegal base64 data") from None


def _field(fields: dict[str, Any], name: str, kind: type[_Value], empty: _Value) -> _Value:
    value = fields.get(name)
    if value is None:
        return empty
    if not isinstance(value, kind):
        raise MalformedResponseError(f"cannot unmarshal {name}")
    return value
