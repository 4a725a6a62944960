"""Calls and results of EVM contracts, as people type and read them.

Its job: between text and ABI bytes: signatures such as `increment(uint256)`, arguments, results, revert data. It
reaches no chain.

Source: the Solidity ABI; relayer/vms/evm/artifacts/errors.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import decode, encode, is_encodable_type
from eth_abi.exceptions import ABITypeError as InvalidType
from eth_abi.exceptions import DecodingError, EncodingError, ParseError
from eth_abi.grammar import ABIType, BasicType, TupleType, normalize, parse

from attestation.address import Chain, parse_account_text
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.cli.asking import TypedCall
from relayer.cli.usage import WrongUsage
from relayer.errors import ConfigError

_SIGNATURE: Final = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]*)(\(.*\))")
_SELECTOR_LENGTH: Final = 4
_WORD: Final = 32

_PANICS: Final = {
    0x01: "a failed assertion",
    0x11: "an arithmetic overflow",
    0x12: "a division by zero",
    0x21: "an invalid enum value",
    0x31: "pop of an empty array",
    0x32: "an index out of bounds",
    0x41: "too much memory",
}

_HINTS: Final = {
    "Unrouted": "no route leads from this gateway to the target's chain, or not in this mode",
    "ExpiryOutOfBounds": "these are Unix seconds; choose another --expires-in",
    "DeadlineOutOfBounds": "choose another --deadline-blocks",
}
"""What to do about errors of the route table, whose fields alone do not tell it."""


class EvmPayloadCodec:
    """Implements `PayloadCodec`."""

    def __init__(self, call: TypedCall) -> None:
        if call.accounts:
            raise WrongUsage(["--accounts: a call here touches what it likes and lists nothing; leave it out"])
        if call.interface is not None:
            raise WrongUsage(["--idl: a call here is named by its signature alone, --fn 'name(type,type)'"])
        if (call.function is None) == (call.data is None) or (call.data is not None and call.arguments):
            raise WrongUsage(["name the call either by --fn and --args, or by --data alone"])
        self._call = call

    def encode(self, _mode: Mode) -> bytes:
        """Selector and arguments of a signature such as `transfer(address,uint256)`, or the data."""
        if self._call.function is None:
            return self._call.data or b""
        return _encode_call(self._call.function, self._call.arguments)

    @property
    def result_types(self) -> None:
        """A signature does not tell."""
        return

    def check_result_types(self, types: str) -> None:
        """Whether these can be the types of a result."""
        _parse_types(types, "--returns")

    def decode_result(self, types: str, data: bytes) -> list[Any]:
        """Values of types such as `uint256,(address,bytes)[]`, with or without brackets around them all."""
        parsed = _parse_types(types, "--returns")
        try:
            values = decode([_name(abi_type) for abi_type in parsed], data)
        except DecodingError as error:
            raise ConfigError([f"--returns: the data is none of {types}: {error}"]) from None
        return [_as_json(value) for value in values]

    def explain_failure(self, data: bytes) -> str:
        """As `explain_revert`."""
        return explain_revert(data)


def explain_revert(data: bytes) -> str:
    """What revert data says: Solidity's own errors, our contracts' by name, else hex."""
    if not data:
        return "no reason given, or out of gas"
    selector, fields = data[:_SELECTOR_LENGTH], data[_SELECTOR_LENGTH:]
    try:
        if selector == _ERROR:
            return str(decode(["string"], fields)[0])
        if selector == _PANIC:
            (code,) = decode(["uint256"], fields)
            return f"Panic 0x{code:02x}: {_PANICS.get(code, 'see the Solidity manual')}"
        if selector in _NAMED:
            return _told(_NAMED[selector], fields)
    except DecodingError:
        return f"0x{data.hex()}"
    return f"0x{data.hex()}"


def _encode_call(function: str, arguments: Sequence[str]) -> bytes:
    name, types = _parse_signature(function)
    if len(arguments) != len(types):
        raise WrongUsage([f"--args: {function} takes {len(types)} arguments, not {len(arguments)}"])
    values: list[Any] = []
    faults: list[str] = []
    for number, (abi_type, text) in enumerate(zip(types, arguments, strict=True), 1):
        try:
            value = _parse_typed(abi_type, text)
            encode([_name(abi_type)], [value])
            values.append(value)
        except (ValueError, EncodingError) as error:
            faults.append(f"--args: number {number}, {_name(abi_type)}: {error}")
    if faults:
        raise WrongUsage(faults)
    canonical = ",".join(_name(abi_type) for abi_type in types)
    selector = keccak256(f"{name}({canonical})".encode("ascii"))[:_SELECTOR_LENGTH]
    return selector + encode([_name(abi_type) for abi_type in types], values)


def _parse_signature(function: str) -> tuple[str, Sequence[ABIType]]:
    match = _SIGNATURE.fullmatch(function.replace(" ", ""))
    if match is None:
        raise WrongUsage([f"--fn: {function!r} is no signature; write it as 'name(type,type)'"])
    return match[1], _parse_types(match[2], "--fn")


def _parse_types(text: str, option: str) -> Sequence[ABIType]:
    compact = text.replace(" ", "")
    listed = _try_types(compact) if compact.startswith("(") else None
    found = listed or _try_types(f"({compact})")
    if found is None:
        raise WrongUsage([f"{option}: {text!r} is no list of ABI types, such as uint256,(address,bytes)[]"])
    components: Sequence[ABIType] = found.components
    return components


def _name(abi_type: ABIType) -> str:
    return str(abi_type.to_type_str())  # type: ignore[no-untyped-call]


def _try_types(text: str) -> TupleType | None:
    if text == "()":
        return TupleType((), None)  # type: ignore[no-untyped-call]
    try:
        parsed = parse(normalize(text))  # type: ignore[no-untyped-call]
        parsed.validate()
    except (ParseError, InvalidType):
        return None
    is_list = isinstance(parsed, TupleType) and parsed.arrlist is None
    return parsed if is_list and is_encodable_type(_name(parsed)) else None


def _parse_typed(abi_type: ABIType, text: str) -> Any:
    """An argument as typed: arrays and tuples as JSON, everything else as it is."""
    if not (abi_type.is_array or isinstance(abi_type, TupleType)):
        return _parse_value(abi_type, text)
    try:
        return _parse_value(abi_type, json.loads(text))
    except json.JSONDecodeError:
        raise ValueError("write it as JSON, such as [1,2] or '[\"0x…\",true]'") from None


def _parse_value(abi_type: ABIType, value: Any) -> Any:
    """A value as JSON or a shell has it, as the ABI library wants it. Raises `ValueError`."""
    if abi_type.is_array:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no JSON array")
        return [_parse_value(abi_type.item_type, item) for item in value]
    if isinstance(abi_type, TupleType):
        if not isinstance(value, list) or len(value) != len(abi_type.components):
            raise ValueError(f"{value!r} is no JSON array of {len(abi_type.components)} values")
        return tuple(_parse_value(inner, item) for inner, item in zip(abi_type.components, value, strict=True))
    assert isinstance(abi_type, BasicType)
    return _parse_scalar(abi_type, value)


def _parse_scalar(abi_type: BasicType, value: Any) -> Any:
    parser = _SCALARS.get(abi_type.base)
    if parser is None:
        raise ValueError("this type cannot be typed here; give the whole call as --data")
    return parser(abi_type, value)


def _parse_integer(_: BasicType, value: Any) -> int:
    if isinstance(value, str):
        return int(value, 0)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is no integer")


def _parse_bool(_: BasicType, value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def _parse_string(_: BasicType, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{value!r} is no string")


def _parse_address(_: BasicType, value: Any) -> str:
    # The checksum does not depend on the chain.
    return f"0x{parse_account_text(f'{_ANY_CHAIN}:{_parse_string(_, value)}').address.hex()}"


def _parse_bytes(abi_type: BasicType, value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{value!r} is no hex that begins with 0x")
    data = bytes.fromhex(value[2:])
    if abi_type.sub is not None and len(data) != abi_type.sub:
        raise ValueError(f"{len(data)} bytes, not {abi_type.sub}")
    return data


def _as_json(value: Any) -> Any:
    """An ABI value as JSON: integers in decimal text, for they exceed what a JSON number holds."""
    match value:
        case bool() | str():
            return value
        case int():
            return str(value)
        case bytes():
            return f"0x{value.hex()}"
        case _:
            return [_as_json(item) for item in value]


def _load_named() -> dict[bytes, dict[str, Any]]:
    document = json.loads((files("relayer.vms.evm") / "artifacts" / "errors.json").read_bytes())
    return {bytes.fromhex(selector[2:]): entry for selector, entry in document.items()}


def _told(entry: dict[str, Any], fields: bytes) -> str:
    values = decode(list(_types_in(entry["signature"])), fields)
    told = (f"{item['name']} {_as_json(value)}" for item, value in zip(entry["inputs"], values, strict=True))
    named = f"{entry['name']} ({', '.join(told)})" if values else str(entry["name"])
    hint = _HINTS.get(entry["name"])
    return named if hint is None else f"{named}: {hint}"


def _types_in(signature: str) -> Iterable[str]:
    return (_name(abi_type) for abi_type in _parse_signature(signature)[1])


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode("ascii"))[:_SELECTOR_LENGTH]


_ANY_CHAIN: Final = Chain.evm(1)
_SCALARS: Final[dict[str, Callable[[BasicType, Any], Any]]] = {
    "uint": _parse_integer,
    "int": _parse_integer,
    "bool": _parse_bool,
    "string": _parse_string,
    "address": _parse_address,
    "bytes": _parse_bytes,
}
_ERROR: Final = _selector("Error(string)")
_PANIC: Final = _selector("Panic(uint256)")
_NAMED: Final = _load_named()
