"""Base58 and bech32, the two text codecs of accounts that the standard library lacks. Strict, and of bounded input.

Source: the Bitcoin base58 alphabet as solana uses it; BIP-173 (not BIP-350) as Cosmos uses it.
"""

import re
from functools import cache
from typing import Final

from attestation.errors import MalformedAddress

_BASE58_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_NO_DIGIT: Final = 255
_BASE58_VALUES: Final = bytes(
    _BASE58_ALPHABET.index(character) if character in _BASE58_ALPHABET else _BASE58_NO_DIGIT
    for character in map(chr, range(256))
)
_BASE58_MAXIMUM_LENGTH: Final = 44  # 32 bytes never need more
_BASE58_PAIRS: Final = tuple(high + low for high in _BASE58_ALPHABET for low in _BASE58_ALPHABET)
_BASE58_LEAF: Final = 32  # digits that are taken one after the other; more are halved: so thousands take milliseconds

_BECH32_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES: Final = {character: value for value, character in enumerate(_BECH32_ALPHABET)}
_BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CHECKSUM_LENGTH: Final = 6
_BECH32_MAXIMUM_LENGTH: Final = 90  # BIP-173; the checksum promises nothing beyond
_BECH32_PREFIX: Final = re.compile(r"[a-z][a-z0-9]{0,30}")  # 31 + separator 1 + 32 bytes as 52 + checksum 6 = 90


def base58_encode(data: bytes) -> str:
    """Base58, each leading zero byte as a `1`."""
    zeros = len(data) - len(data.lstrip(b"\x00"))
    pairs = len(data) * 8 // 11 + 1  # a pair of digits holds more than 11 bits
    return "1" * zeros + _base58_text(int.from_bytes(data, "big"), pairs).lstrip("1")


def base58_decode(text: str, maximum_length: int = _BASE58_MAXIMUM_LENGTH) -> bytes:
    """The bytes of a base58 text of at most so many characters. Raises `MalformedAddress`."""
    if len(text) > maximum_length:
        raise MalformedAddress(f"a base58 text of {len(text)} characters is too long")
    digits = text.encode("ascii", "replace").translate(_BASE58_VALUES)
    place = digits.find(_BASE58_NO_DIGIT)
    if place >= 0:
        raise MalformedAddress(f"{text[place]!r} is not a base58 character")
    number = _base58_number(digits)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base58_text(number: int, pairs: int) -> str:
    """So many pairs of digits, the first of them zeros."""
    if 2 * pairs > _BASE58_LEAF:
        low_pairs = pairs // 2
        high, low = divmod(number, 58 ** (2 * low_pairs))
        return _base58_text(high, pairs - low_pairs) + _base58_text(low, low_pairs)
    written: list[str] = []
    for _ in range(pairs):
        number, pair = divmod(number, 58 * 58)
        written.append(_BASE58_PAIRS[pair])
    return "".join(reversed(written))


def _base58_number(digits: bytes) -> int:
    """The number of these digits: neighbours become one digit of the squared base, all at once, until one is left."""
    base, count, number = 58, 1 << len(digits).bit_length(), int.from_bytes(digits, "big")
    width = 1
    while count > 1:
        lower = _lower_lanes(width, count)
        number = (number & lower) + base * (number >> 8 * width & lower)
        base, width, count = base * base, 2 * width, count // 2
    return number


@cache
def _lower_lanes(width: int, count: int) -> int:
    """Ones in each second of `count` lanes of so many bytes, from the lowest on."""
    return int.from_bytes((bytes(width) + b"\xff" * width) * (count // 2), "big")


def bech32_encode(prefix: str, data: bytes) -> str:
    """Bech32 of whole bytes under a `prefix` of lower-case letters and digits. Raises `MalformedAddress`."""
    if _BECH32_PREFIX.fullmatch(prefix) is None:
        raise MalformedAddress(f"{prefix!r} is not a bech32 prefix")
    groups = _regroup(data)
    check = _bech32_polymod([*_expand(prefix), *groups, *bytes(_BECH32_CHECKSUM_LENGTH)]) ^ 1
    groups.extend(check >> 5 * (_BECH32_CHECKSUM_LENGTH - 1 - place) & 31 for place in range(_BECH32_CHECKSUM_LENGTH))
    return f"{prefix}1{''.join(_BECH32_ALPHABET[group] for group in groups)}"


def bech32_decode(text: str) -> tuple[str, bytes]:
    """The prefix and the bytes of a lower-case bech32 text. Raises `MalformedAddress`."""
    prefix, _, body = text.rpartition("1")
    if len(text) > _BECH32_MAXIMUM_LENGTH or _BECH32_PREFIX.fullmatch(prefix) is None:
        raise MalformedAddress(f"{text[:_BECH32_MAXIMUM_LENGTH]!r} is not bech32")
    groups: list[int] = []
    for character in body:
        value = _BECH32_VALUES.get(character)
        if value is None:
            raise MalformedAddress(f"{character!r} is not a bech32 character")
        groups.append(value)
    if len(groups) < _BECH32_CHECKSUM_LENGTH or _bech32_polymod([*_expand(prefix), *groups]) != 1:
        raise MalformedAddress(f"{text!r} fails its bech32 checksum")
    return prefix, _ungroup(groups[:-_BECH32_CHECKSUM_LENGTH])


def _regroup(data: bytes) -> list[int]:
    """Bytes as 5-bit groups, the last one padded with zero bits."""
    count = (len(data) * 8 + 4) // 5
    number = int.from_bytes(data, "big") << (count * 5 - len(data) * 8)
    return [number >> 5 * (count - 1 - place) & 31 for place in range(count)]


def _ungroup(groups: list[int]) -> bytes:
    """5-bit groups as bytes. Padding is less than one group and zero, so that each value has one text."""
    number = 0
    for group in groups:
        number = number << 5 | group
    length, padding = divmod(len(groups) * 5, 8)
    if padding >= 5 or number & ((1 << padding) - 1):  # noqa: PLR2004 -- five bits a group
        raise MalformedAddress("bech32 padding is not canonical")
    return (number >> padding).to_bytes(length, "big")


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _bech32_polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_BECH32_GENERATOR):
            if top >> place & 1:
                check ^= generator
    return check
