"""Values as CometBFT's JSON-RPC writes them, parsed strictly.

Its job: from untrusted JSON to bounded numbers and bytes of exact length, or `RpcUnavailable`: an endpoint that writes
anything else is not one to build on. It must not know which value it parses.

Source: cometbft/libs/json: 64-bit numbers are decimal strings, narrower ones JSON's, hashes hex in upper case, bytes
base64, times RFC 3339 in UTC.
"""

from __future__ import annotations

import re
from base64 import b64decode
from calendar import timegm
from datetime import datetime
from typing import Any, Final

from relayer.errors import RpcUnavailable

HASH_LENGTH: Final = 32

MAX_COUNT: Final = 2**63 - 1
"""Heights and numbers of things: statements and the store keep 64 bits, and sums of two must fit those too."""

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH: Final = re.compile(r"[0-9A-Fa-f]{64}")
_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z")


def parse_count(value: Any) -> int:
    """A height or a number of things, written as a decimal string: at most `MAX_COUNT`."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        count = int(value)
        # SECURITY: what is larger would raise where it is stored or signed, far from the endpoint that made it up.
        if count <= MAX_COUNT:
            return count
    raise _malformed("a count")


def parse_code(value: Any) -> int:
    """An error's code of 32 bits, written as a number; 0 is none."""
    if type(value) is not int or not 0 <= value < 2**32:
        raise _malformed("a code")
    return value


def parse_hash(value: Any) -> bytes:
    """A block's hash: 32 bytes."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return bytes.fromhex(value)
    raise _malformed("a hash")


def parse_time(value: Any) -> int:
    """A block's time in whole seconds since the Unix epoch, as contracts see it: fractions are cut."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        try:
            seconds = timegm(datetime.fromisoformat(match[1]).timetuple())
        except ValueError:
            seconds = -1
        if seconds >= 0:
            return seconds
    raise _malformed("a time")


def parse_base64(value: Any) -> bytes:
    """Bytes of any length; null is none of them."""
    if value is None:
        return b""
    if isinstance(value, str):
        try:
            return b64decode(value, validate=True)
        except ValueError:
            pass
    raise _malformed("base64")


def parse_text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise _malformed("a text")
    return value


def parse_member(value: Any, *path: str) -> Any:
    """What an object has under a name, what that has under the next, and so on; null is None."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise _malformed(f"an object with {name}")
        value = value[name]
    return value


def parse_list(value: Any) -> list[Any]:
    """A list; null is an empty one, as Go writes it."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _malformed("a list")
    return value


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with what is not {what}")
