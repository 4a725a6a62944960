"""Types of Borsh as people name them, and their values as people type and read them.

Its job: between text or JSON and bytes: `u64`, `(pubkey,vec<u8>)`, `[u8;32]`, and what an IDL defines. It knows no
program.

Source: the Borsh specification; Anchor's IDL, version 0.1.0, and the one before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attestation.textcodecs import base58_encode
from relayer.cli.svm.borsh_values import (
    ADDRESS_LENGTH,
    ENCODERS,
    NUMBERS,
    MalformedValue,
    cut,
    decode_bool,
    decode_sized,
    decode_text,
    parse_bytes,
    require_length,
    with_length,
)

Kind = str | Mapping[str, Any]
"""A type as an IDL's JSON has it: `"u64"`, `{"vec": "u8"}`, `{"array": ["u8", 32]}`, `{"defined": {"name": "Terms"}}`.

`{"tuple": [...]}` is ours, for results of several values.
"""

_ALIASES: Final = {"publicKey": "pubkey"}
_PLAIN: Final = frozenset(ENCODERS)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_:]*")
_GENERIC: Final = ("vec", "option", "coption")
_MAX_DEPTH: Final = 32
"""Of types within types: an IDL may define one by itself."""

_MAX_COUNT: Final = 1 << 16
"""Items of a vector or an array that is read; each takes a byte at least, and nothing that is read here is as long."""


@dataclass(frozen=True, slots=True)
class BorshTypes:
    """The types that `defined` adds to Borsh's own, by name, each as an IDL's `type`."""

    defined: Mapping[str, Mapping[str, Any]]

    def parse(self, text: str) -> Kind:
        """A type as typed. Raises `MalformedValue`."""
        compact = "".join(text.split())
        kind, end = self._parse(compact, 0, 0)
        if end != len(compact):
            raise MalformedValue(f"{compact[end:]!r} behind a type")
        return kind

    def require(self, kind: Kind, depth: int = 0) -> None:
        """Whether an IDL's type is one that can be written and read. Raises `MalformedValue`."""
        match _plain(kind):
            case str(name) if name in _PLAIN:
                return
            case {"vec": item} | {"option": item} | {"coption": item} | {"array": [item, int()]} if depth < _MAX_DEPTH:
                self.require(item, depth + 1)
            case {"tuple": [*items]} if depth < _MAX_DEPTH:
                for item in items:
                    self.require(item, depth + 1)
            case {"defined": defined} if _defined_name(defined) in self.defined:
                return
            case other:
                raise MalformedValue(f"{other!r} is no type that is known here")

    def read_text(self, kind: Kind, text: str) -> bytes:
        """Encode an argument as typed: what is made of parts as JSON, everything else as it is."""
        match _plain(kind):
            case str() | {"array": ["u8", int()]} | {"vec": "u8"}:
                return self.encode(kind, text)
            case _:
                try:
                    value = json.loads(text)
                except json.JSONDecodeError:
                    # Variants without fields, and addresses in options, are easily typed bare.
                    value = text
                return self.encode(kind, value)

    def encode(self, kind: Kind, value: Any, depth: int = 0) -> bytes:  # noqa: PLR0911 - a case a kind
        """Encode a value as JSON has it. Raises `MalformedValue`."""
        if depth > _MAX_DEPTH:
            raise MalformedValue("types within types without end")
        match _plain(kind):
            case str(name) if name in _PLAIN:
                return ENCODERS[name](value)
            case {"array": ["u8", int(length)]}:
                return require_length(parse_bytes(value), length)
            case {"vec": "u8"}:
                return with_length(parse_bytes(value))
            case {"array": [item, int(length)]}:
                return b"".join(self.encode(item, one, depth + 1) for one in _list(value, length))
            case {"vec": item}:
                items = _list(value, None)
                return len(items).to_bytes(4, "little") + b"".join(self.encode(item, one, depth + 1) for one in items)
            case {"option": item}:
                return b"\0" if value is None else b"\1" + self.encode(item, value, depth + 1)
            case {"tuple": [*items]}:
                values = _list(value, len(items))
                return b"".join(self.encode(*pair, depth + 1) for pair in zip(items, values, strict=True))
            case {"defined": defined}:
                return self._encode_defined(_defined_name(defined), value, depth + 1)
            case other:
                raise MalformedValue(f"{other!r} cannot be typed here; give the whole call as --data")

    def decode(self, kind: Kind, data: bytes) -> Any:
        """The value that all of `data` encodes, as JSON has it. Raises `MalformedValue`."""
        value, end = self.decode_from(kind, data)
        if end != len(data):
            raise MalformedValue(f"{len(data) - end} bytes follow")
        return value

    def decode_from(self, kind: Kind, data: bytes, at: int = 0, depth: int = 0) -> tuple[Any, int]:  # noqa: C901, PLR0911, PLR0912 - a case a kind
        """The value at this place, and where it ends. Integers in decimal text, bytes in hex, addresses in base58."""
        if depth > _MAX_DEPTH:
            raise MalformedValue("types within types without end")
        match _plain(kind):
            case str(name) if name in NUMBERS:
                size, is_signed = NUMBERS[name]
                return str(int.from_bytes(cut(data, at, size), "little", signed=is_signed)), at + size
            case "bool":
                return decode_bool(data, at), at + 1
            case "pubkey":
                return base58_encode(cut(data, at, ADDRESS_LENGTH)), at + ADDRESS_LENGTH
            case "string":
                raw, end = decode_sized(data, at)
                return decode_text(raw), end
            case "bytes" | {"vec": "u8"}:
                raw, end = decode_sized(data, at)
                return f"0x{raw.hex()}", end
            case {"array": ["u8", int(length)]}:
                return f"0x{cut(data, at, length).hex()}", at + length
            case {"array": [item, int(length)]}:
                # SECURITY: an IDL may name any number, and items that take no byte.
                if not 0 <= length <= _MAX_COUNT:
                    raise MalformedValue(f"an array of {length} items")
                return self._decode_items([item] * length, data, at, depth)
            case {"vec": item}:
                count = int.from_bytes(cut(data, at, 4), "little")
                if count > min(_MAX_COUNT, len(data)):
                    raise MalformedValue(f"a list of {count} items in {len(data)} bytes")
                return self._decode_items([item] * count, data, at + 4, depth)
            case {"option": item}:
                if not decode_bool(data, at):
                    return None, at + 1
                return self.decode_from(item, data, at + 1, depth + 1)
            case {"coption": item}:
                # Of a fixed length, unlike Borsh's: what is not there is zeros.
                is_there = int.from_bytes(cut(data, at, 4), "little") == 1
                value, end = self.decode_from(item, data, at + 4, depth + 1)
                return value if is_there else None, end
            case {"tuple": [*items]}:
                return self._decode_items(items, data, at, depth)
            case {"defined": defined}:
                return self._decode_defined(_defined_name(defined), data, at, depth + 1)
            case other:
                raise MalformedValue(f"{other!r} is no type that is known here")

    def _parse(self, text: str, at: int, depth: int) -> tuple[Kind, int]:
        if depth > _MAX_DEPTH:
            raise MalformedValue("types within types without end")
        if text[at : at + 1] == "(":
            return self._parse_tuple(text, at + 1, depth)
        if text[at : at + 1] == "[":
            item, end = self._parse(text, at + 1, depth + 1)
            found = re.compile(r";([0-9]{1,6})\]").match(text, end)
            if found is None:
                raise MalformedValue(f"{text[at:]!r} is no array; write it as [u8;32]")
            return {"array": [item, int(found[1])]}, found.end()
        named = _NAME.match(text, at)
        if named is None:
            raise MalformedValue(f"{text[at:]!r} is no type")
        name, end = named[0], named.end()
        if text[end : end + 1] == "<" and name.lower() in _GENERIC:
            item, end = self._parse(text, end + 1, depth + 1)
            if text[end : end + 1] != ">":
                raise MalformedValue(f"{text[at:]!r} has no end")
            return {name.lower(): item}, end + 1
        kind: Kind = _ALIASES.get(name, name)
        if kind not in _PLAIN:
            kind = {"defined": {"name": name}}
        self.require(kind)
        return kind, end

    def _parse_tuple(self, text: str, at: int, depth: int) -> tuple[Kind, int]:
        items: list[Kind] = []
        while text[at : at + 1] != ")":
            item, at = self._parse(text, at, depth + 1)
            items.append(item)
            if text[at : at + 1] == ",":
                at += 1
            elif text[at : at + 1] != ")":
                raise MalformedValue("a list of types has no end")
        return {"tuple": items}, at + 1

    def _encode_defined(self, name: str, value: Any, depth: int) -> bytes:
        match self._definition(name):
            case {"kind": "struct", **rest}:
                return self._encode_fields(name, rest.get("fields") or [], value, depth)
            case {"kind": "enum", "variants": [*variants]}:
                chosen, fields = _variant(name, value)
                for number, variant in enumerate(variants):
                    if variant["name"].lower() == chosen.lower():
                        return bytes([number]) + self._encode_fields(chosen, variant.get("fields") or [], fields, depth)
                known = ", ".join(variant["name"] for variant in variants)
                raise MalformedValue(f"{chosen!r} is no {name}; they are {known}")
            case {"kind": "type", "alias": alias}:
                return self.encode(alias, value, depth)
            case _:
                raise MalformedValue(f"{name} is of no kind that is known here")

    def _encode_fields(self, name: str, fields: Sequence[Any], value: Any, depth: int) -> bytes:
        if not fields:
            return b""
        if not _are_named(fields):
            values = _list(value, len(fields))
            return b"".join(self.encode(*pair, depth) for pair in zip(fields, values, strict=True))
        if not isinstance(value, dict) or set(value) != {field["name"] for field in fields}:
            wanted = ", ".join(field["name"] for field in fields)
            raise MalformedValue(f"{name} is a JSON object with {wanted}")
        return b"".join(self.encode(field["type"], value[field["name"]], depth) for field in fields)

    def _decode_defined(self, name: str, data: bytes, at: int, depth: int) -> tuple[Any, int]:
        match self._definition(name):
            case {"kind": "struct", **rest}:
                return self._decode_fields(rest.get("fields") or [], data, at, depth)
            case {"kind": "enum", "variants": [*variants]}:
                number = cut(data, at, 1)[0]
                if number >= len(variants):
                    raise MalformedValue(f"{name} has no variant {number}")
                fields = variants[number].get("fields") or []
                if not fields:
                    return variants[number]["name"], at + 1
                value, end = self._decode_fields(fields, data, at + 1, depth)
                return {variants[number]["name"]: value}, end
            case {"kind": "type", "alias": alias}:
                return self.decode_from(alias, data, at, depth)
            case _:
                raise MalformedValue(f"{name} is of no kind that is known here")

    def _decode_fields(self, fields: Sequence[Any], data: bytes, at: int, depth: int) -> tuple[Any, int]:
        if not _are_named(fields):
            return self._decode_items(fields, data, at, depth)
        found = {}
        for field in fields:
            found[field["name"]], at = self.decode_from(field["type"], data, at, depth)
        return found, at

    def _decode_items(self, items: Sequence[Kind], data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        values = []
        for item in items:
            value, at = self.decode_from(item, data, at, depth + 1)
            values.append(value)
        return values, at

    def _definition(self, name: str) -> Mapping[str, Any]:
        if name not in self.defined:
            raise MalformedValue(f"{name} is not defined")
        return self.defined[name]


def kind_text(kind: Kind) -> str:
    """A type as it is typed."""
    match _plain(kind):
        case str(name):
            return name
        case {"array": [item, length]}:
            return f"[{kind_text(item)};{length}]"
        case {"tuple": [*items]}:
            return f"({','.join(map(kind_text, items))})"
        case {"defined": defined}:
            return _defined_name(defined)
        case other:
            ((name, item),) = other.items()
            return f"{name}<{kind_text(item)}>"


def _plain(kind: Kind) -> Kind:
    return _ALIASES.get(kind, kind) if isinstance(kind, str) else kind


def _defined_name(defined: Any) -> str:
    """Newer IDLs name a type in an object, older ones bare."""
    return str(defined["name"] if isinstance(defined, dict) and "name" in defined else defined)


def _are_named(fields: Sequence[Any]) -> bool:
    return isinstance(fields[0], dict) and "name" in fields[0]


def _variant(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return value, []
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    raise MalformedValue(f"write {name} as its variant's name, or as a JSON object of that and its fields")


def _list(value: Any, length: int | None) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedValue(f"{value!r} is no JSON array")
    if length is not None and len(value) != length:
        raise MalformedValue(f"{len(value)} values, not {length}")
    return value
