"""Parameters of a call, from untrusted JSON or the query of a URI to values. Whatever does not fit is -32602.

Parameters come as an object by name, as a list by place, or from a URI, where texts stand in double quotes and bytes as
0x and hexadecimal. A number may be a text. Bytes are base64 in JSON.

Source: rpc/jsonrpc/server/{http_json_handler,http_uri_handler}.go of CometBFT 0.38.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from relayer.devnet.cosmwasm.rpc_errors import invalid_params

MAX_TX_BYTES: Final = 1_048_576
"""Source: max_tx_bytes of CometBFT's mempool."""

_MAX_TEXT: Final = 4_096
_MAX_I64: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)", re.ASCII)


class Params:
    """The parameters of one call, by name."""

    def __init__(self, values: Mapping[str, Any], *, is_uri: bool = False) -> None:
        self._values = values
        self._is_uri = is_uri

    @classmethod
    def of(cls, values: Any, names: Sequence[str]) -> Params:
        """From the member `params` of a request. Raises `RpcError`."""
        if values is None:
            return cls({})
        if isinstance(values, dict):
            return cls(values)
        if not isinstance(values, list):
            raise invalid_params("params must be an object or a list")
        if values and len(values) != len(names):
            raise invalid_params(f"expected {len(names)} parameters ({list(names)}), got {len(values)}")
        return cls(dict(zip(names, values, strict=False)))

    def text(self, name: str) -> str:
        """A text; empty where there is none."""
        value = self._values.get(name)
        if value is None:
            return ""
        if self._is_uri:
            value = _unquoted(value, name)
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise invalid_params(f"{name} must be a text of at most {_MAX_TEXT} characters")
        return value

    def integer(self, name: str) -> int | None:
        """A number of 64 bits, also as a text; None where there is none, and 0 is none for no method."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            digits = value[1:-1] if self._is_uri and value[:1] == '"' == value[-1:] else value
            if not _NUMBER.fullmatch(digits):
                raise invalid_params(f"{name} must be a whole number")
            value = int(digits)
        if not isinstance(value, int) or isinstance(value, bool) or not -_MAX_I64 <= value <= _MAX_I64:
            raise invalid_params(f"{name} must be a whole number of 64 bits")
        return value

    def flag(self, name: str) -> bool:
        """A truth value; false where there is none."""
        value = self._values.get(name)
        if isinstance(value, str) and self._is_uri:
            value = {"true": True, "false": False}.get(value.strip('"'), value)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise invalid_params(f"{name} must be true or false")
        return value

    def data(self, name: str, most_bytes: int = MAX_TX_BYTES) -> bytes:
        """Bytes as base64, from a URI as hexadecimal or as a text itself; none where there are none."""
        value = self._values.get(name)
        if value is None or value == "":
            return b""
        if self._is_uri:
            return _bounded(_uri_bytes(value, name), name, most_bytes)
        if not isinstance(value, str):
            raise invalid_params(f"{name} must be base64")
        try:
            return _bounded(base64.b64decode(value, validate=True), name, most_bytes)
        except (binascii.Error, ValueError) as error:
            raise invalid_params(f"{name}: {error}") from None

    def hex_data(self, name: str, most_bytes: int = MAX_TX_BYTES) -> bytes:
        """Bytes as hexadecimal; none where there are none."""
        value = self._values.get(name)
        if value is None or value == "":
            return b""
        if self._is_uri:
            return _bounded(_uri_bytes(value, name), name, most_bytes)
        found = _HEX.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise invalid_params(f"{name} must be hexadecimal")
        return _bounded(bytes.fromhex(found[1]), name, most_bytes)


def _bounded(data: bytes, name: str, most_bytes: int) -> bytes:
    if len(data) > most_bytes:
        raise invalid_params(f"{name} has {len(data)} bytes, at most {most_bytes}")
    return data


def _unquoted(value: str, name: str) -> Any:
    """The text in a URI's double quotes."""
    try:
        return orjson.loads(value)
    except ValueError:
        raise invalid_params(f"{name} must stand in double quotes") from None


def _uri_bytes(value: str, name: str) -> bytes:
    if value[:2] == "0x":
        found = _HEX.fullmatch(value)
        if found is None:
            raise invalid_params(f"{name} must be hexadecimal")
        return bytes.fromhex(found[1])
    text = _unquoted(value, name)
    if not isinstance(text, str):
        raise invalid_params(f"{name} must be 0x and hexadecimal, or a text")
    return text.encode()
