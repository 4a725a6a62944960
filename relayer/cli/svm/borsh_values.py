"""Plain values of Borsh: numbers, flags, text, bytes and addresses, as people type them and as bytes.

Its job: each of them alone. What is made of several, `borsh_types` puts together.

Source: the Borsh specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attestation.errors import MalformedAddress
from attestation.textcodecs import base58_decode

NUMBERS: Final = {f"{sign}{8 * size}": (size, sign == "i") for sign in "ui" for size in (1, 2, 4, 8, 16, 32)}
"""Integer types: their bytes, and whether they are signed."""

ADDRESS_LENGTH: Final = 32


class MalformedValue(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """A value that is none of its type, in words for who typed it, or data that is not the encoding of any."""


def encode_number(size: int, value: Any, *, is_signed: bool) -> bytes:
    """An integer, or its decimal or hex text, little-endian. Raises `MalformedValue`."""
    try:
        number = int(value, 0) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool):
        raise MalformedValue(f"{value!r} is no integer")
    try:
        return number.to_bytes(size, "little", signed=is_signed)
    except OverflowError:
        raise MalformedValue(f"{number} does not fit {size} bytes") from None


def _encode_bool(value: Any) -> bytes:
    if value in (True, "true"):
        return b"\1"
    if value in (False, "false"):
        return b"\0"
    raise MalformedValue(f"{value!r} is neither true nor false")


def _encode_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise MalformedValue(f"{value!r} is no string")
    return with_length(value.encode("utf-8"))


def parse_address(value: Any) -> bytes:
    """32 bytes in base58. Raises `MalformedValue`."""
    try:
        address = base58_decode(value) if isinstance(value, str) else b""
    except MalformedAddress:
        address = b""
    if len(address) != ADDRESS_LENGTH:
        raise MalformedValue(f"{value!r} is not {ADDRESS_LENGTH} bytes in base58")
    return address


def parse_bytes(value: Any) -> bytes:
    """Hex that begins with 0x, or numbers of a byte. Raises `MalformedValue`."""
    if isinstance(value, list):
        return b"".join(encode_number(1, one, is_signed=False) for one in value)
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise MalformedValue(f"{value!r} is no hex that begins with 0x")


def require_length(data: bytes, length: int) -> bytes:
    """The data, if they have this length. Raises `MalformedValue`."""
    if len(data) != length:
        raise MalformedValue(f"{len(data)} bytes, not {length}")
    return data


def with_length(data: bytes) -> bytes:
    """The data behind their length."""
    return len(data).to_bytes(4, "little") + data


def cut(data: bytes, at: int, length: int) -> bytes:
    """So many bytes from this place on. Raises `MalformedValue`."""
    part = data[at : at + length]
    if len(part) != length:
        raise MalformedValue("the data is cut")
    return part


def decode_bool(data: bytes, at: int) -> bool:
    """One byte, 0 or 1. Raises `MalformedValue`."""
    value = cut(data, at, 1)[0]
    if value > 1:
        raise MalformedValue("a bool is neither 0 nor 1")
    return value == 1


def decode_sized(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes with their length in front, and where they end. Raises `MalformedValue`."""
    length = int.from_bytes(cut(data, at, 4), "little")
    return cut(data, at + 4, length), at + 4 + length


def decode_text(raw: bytes) -> str:
    """UTF-8. Raises `MalformedValue`."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedValue("a string is no UTF-8") from None


def _number_encoder(size: int, *, is_signed: bool) -> Callable[[Any], bytes]:
    return lambda value: encode_number(size, value, is_signed=is_signed)


ENCODERS: Final[Mapping[str, Callable[[Any], bytes]]] = {
    **{name: _number_encoder(size, is_signed=is_signed) for name, (size, is_signed) in NUMBERS.items()},
    "bool": _encode_bool,
    "string": _encode_text,
    "bytes": lambda value: with_length(parse_bytes(value)),
    "pubkey": parse_address,
}
"""By type, each from a value as JSON has it, or a string of it. Raise `MalformedValue`."""
