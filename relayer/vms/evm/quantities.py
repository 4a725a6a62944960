"""Values as Ethereum's JSON-RPC writes them, parsed strictly.

Its job: from untrusted JSON to bounded numbers and bytes of exact length, or `RpcUnavailable`: an endpoint that writes
anything else is not one to build on. It must not know which value it parses.

Source: ethereum/execution-apis, base types `uint`, `bytes`, `hash32`, `address`.
"""

from __future__ import annotations

from binascii import unhexlify
from typing import Any, Final

from relayer.errors import RpcUnavailable

HASH_LENGTH: Final = 32
ADDRESS_LENGTH: Final = 20

MAX_COUNT: Final = 2**63 - 1
"""Heights, seconds, nonces and gas: statements and the store keep 64 bits, and sums of two must fit those too."""

MAX_AMOUNT: Final = 2**256 - 1
"""Of a chain's smallest unit."""

_MAX_QUANTITY_LENGTH: Final = 2 + 64
_HASH_TEXT_LENGTH: Final = 2 + 2 * HASH_LENGTH


def parse_quantity(value: Any) -> int:
    """A number of at most 256 bits, written as `0x` and hex digits."""
    if isinstance(value, str) and value[:2] == "0x" and len(value) <= _MAX_QUANTITY_LENGTH:
        try:
            # int() would take signs, spaces, underscores and the digits of other scripts too.
            if value.isalnum() and value.isascii():
                return int(value, 16)
        except ValueError:
            pass
    raise _malformed("a quantity")


def parse_count(value: Any) -> int:
    """A height, a timestamp in seconds, a nonce or gas: at most `MAX_COUNT`."""
    count = parse_quantity(value)
    # SECURITY: what is larger would raise where it is stored or signed, far from the endpoint that made it up.
    if count > MAX_COUNT:
        raise _malformed("a count")
    return count


def parse_data(value: Any) -> bytes:
    """Bytes of any length, written as `0x` and two hex digits a byte."""
    if isinstance(value, str) and value[:2] == "0x":
        try:
            return unhexlify(value[2:])
        except ValueError:
            pass
    raise _malformed("data")


def parse_hash(value: Any) -> bytes:
    """32 bytes."""
    if isinstance(value, str) and value[:2] == "0x" and len(value) == _HASH_TEXT_LENGTH:
        try:
            return unhexlify(value[2:])
        except ValueError:
            pass
    raise _malformed("a hash")


def parse_address(value: Any) -> bytes:
    """20 bytes."""
    data = parse_data(value)
    if len(data) != ADDRESS_LENGTH:
        raise _malformed("an address")
    return data


def format_data(data: bytes) -> str:
    """`0x` and two lower-case hex digits a byte."""
    return "0x" + data.hex()


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with malformed {what}")
