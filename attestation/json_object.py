"""Strict JSON of this package's files: what a text means is one thing to everybody. It knows no file.

Bytes and 256-bit values are lower-case hex with 0x, uint64 decimal strings, narrower integers numbers. Unknown, missing
and repeated names are refused.
"""

import json
import re
from typing import Any, Final, TypeVar, cast

from attestation.errors import MalformedJson

_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")

_DEEPEST: Final = 32
"""Levels of nesting. Our files have six at most."""

_T = TypeVar("_T")


class JsonObject:
    """A JSON object whose members are read by name and type. All methods raise `MalformedJson`."""

    def __init__(self, name: str, value: object) -> None:
        if not isinstance(value, dict):
            raise MalformedJson(f"{name} is not an object")
        self._name = name
        self._members = cast("dict[str, object]", value)

    def require_names(self, *names: str) -> None:
        """These members and no others."""
        if self._members.keys() != set(names):
            raise MalformedJson(f"{self._name} has not the members {', '.join(names)} and no others")

    def value(self, name: str, type_: type[_T]) -> _T:
        """A member of exactly this type."""
        value = self._members.get(name)
        # The type itself, not isinstance: to Python, true is an integer.
        if type(value) is not type_:
            raise MalformedJson(f"{self._name}.{name} is not a JSON {type_.__name__}")
        return value

    def member(self, name: str) -> "JsonObject":
        """A member that is an object."""
        return JsonObject(f"{self._name}.{name}", self._members.get(name))

    def members(self, name: str) -> "tuple[JsonObject, ...]":
        """A member that is a list of objects."""
        items = cast("list[object]", self.value(name, list))
        return tuple(JsonObject(f"{self._name}.{name}[{place}]", item) for place, item in enumerate(items))

    def hex_bytes(self, name: str) -> bytes:
        """A member that is hex."""
        return self._parse_hex(name, self._members.get(name))

    def hex_list(self, name: str) -> tuple[bytes, ...]:
        """A member that is a list of hex."""
        items = cast("list[object]", self.value(name, list))
        return tuple(self._parse_hex(name, item) for item in items)

    def uint64(self, name: str) -> int:
        """A member that is a decimal string of at most 20 digits."""
        digits = self.value(name, str)
        if _DECIMAL.fullmatch(digits) is None:
            raise MalformedJson(f"{self._name}.{name} is not a decimal number")
        return int(digits)

    def _parse_hex(self, name: str, digits: object) -> bytes:
        if not isinstance(digits, str) or _HEX.fullmatch(digits) is None:
            raise MalformedJson(f"{self._name}.{name} is not lower-case hex")
        return bytes.fromhex(digits[2:])


def parse_object(name: str, text: str) -> JsonObject:
    """The object that the whole text is. Raises `MalformedJson`."""
    # SECURITY: where a library has raised the interpreter's recursion limit, the parser dies of deep nesting.
    if _depth(text) > _DEEPEST:
        raise MalformedJson(f"{name} is nested deeper than {_DEEPEST} levels")
    try:
        return JsonObject(name, json.loads(text, object_pairs_hook=_refuse_repeated_names))
    # RecursionError: a nesting that is too deep fits the length of a file. ValueError: JSON that does not parse, and
    # numbers longer than Python reads.
    except (ValueError, RecursionError) as error:
        raise MalformedJson(str(error)) from error


def format_json(document: dict[str, Any]) -> str:
    """The text of a file: two blanks a level, names in the order given."""
    return json.dumps(document, indent=2)


def hex_text(data: bytes) -> str:
    """0x and lower-case hex."""
    return f"0x{data.hex()}"


def _refuse_repeated_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    # SECURITY: parsers differ in which of two equal names they keep, so one file could say two things.
    if len(document) != len(pairs):
        raise MalformedJson("a name stands twice in one object")
    return document


def _depth(text: str) -> int:
    """How deep arrays and objects are nested, whether they are closed or not."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
