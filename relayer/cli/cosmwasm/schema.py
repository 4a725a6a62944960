"""How a contract is called, as cosmwasm-schema writes it, and whether a message is as it says.

Its job: from the JSON file of a contract's schema to a message's fields, so that a wrong one is named before anything
is asked. A plain JSON Schema of the message is taken as well. SECURITY: a file never has anything fetched.

Source: cosmwasm-schema's IDL; JSON Schema draft 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from attestation.request import Mode
from relayer.cli.cosmwasm.typed_values import parse_json, typed_value
from relayer.cli.text_file import read_text
from relayer.errors import ConfigError

MAX_SCHEMA_CHARACTERS: Final = 4 << 20
"""The largest public contracts' have some hundred thousand."""

_PARTS: Final = {Mode.CALL: "execute", Mode.QUERY: "query"}
_DEFINITIONS: Final = ("definitions", "$defs")
_OF_THE_SAME_VALUE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_MAX_REFERENCES: Final = 16
"""From one definition to the next."""

Schema = Mapping[str, Any]


class MalformedMessage(ValueError):  # noqa: N818 - errors of this project are named by the fault alone
    """The message is not as the schema says; the text says where."""


class MessageSchema:
    """The messages of one kind that a contract takes."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._variants = dict(_variants(root))

    @classmethod
    def load(cls, path: Path, mode: Mode) -> Self:
        """From the file: what a CALL or a QUERY may say. Raises `ConfigError`."""
        try:
            document = parse_json(read_text(path, MAX_SCHEMA_CHARACTERS))
            if not isinstance(document, dict):
                raise ConfigError([f"{path}: is no JSON Schema"])
            root = document.get(_PARTS[mode], {}) if "contract_name" in document else document
            if not root:
                raise ConfigError([f"{path}: the contract takes no {_PARTS[mode]} messages"])
            Draft7Validator.check_schema(root)
            schema = cls(root)
        except (SchemaError, ValueError, AttributeError, TypeError, RecursionError):
            raise ConfigError([f"{path}: is no schema of cosmwasm-schema's, and no JSON Schema"]) from None
        if schema.goes_round():
            raise ConfigError([f"{path}: says of a value that it is what it is: a definition names itself"])
        return schema

    def goes_round(self) -> bool:
        """Whether the schema says of a value that it is what it is.

        SECURITY: who follows such a schema comes to no end, and where a library has raised the interpreter's bound of
        nested calls, the process dies of it.
        """
        done: set[int] = set()
        for start in _schemas(self._root):
            path: dict[int, Iterator[Schema]] = {id(start): self._same_value(start)}
            while path:
                here = next(reversed(path))
                step = next(path[here], None)
                if step is None:
                    done.add(here)
                    del path[here]
                elif id(step) in path:
                    return True
                elif id(step) not in done:
                    path[id(step)] = self._same_value(step)
        return False

    def _same_value(self, schema: Schema) -> Iterator[Schema]:
        """Schemas that the very value must meet which this one is for."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield from _only_schemas([self._named(reference)])
        for word in _OF_THE_SAME_VALUE:
            inner = schema.get(word, ())
            yield from _only_schemas(inner if isinstance(inner, list) else [inner])
        dependent = schema.get("dependencies", {})
        yield from _only_schemas(dependent.values() if isinstance(dependent, Mapping) else ())

    def _named(self, reference: str) -> Any:
        """What lies in the file under a reference."""
        found: Any = self._root
        for step in reference.removeprefix("#").removeprefix("/").split("/") if reference != "#" else ():
            found = found.get(step, {}) if isinstance(found, Mapping) else {}
        return found

    def build(self, name: str, typed: Mapping[str, str]) -> Any:
        """The message of this name with these fields, each as its type wants it. Raises `MalformedMessage`."""
        variant = self._variant(name)
        if variant.get("type") == "string":
            if typed:
                raise MalformedMessage(f"{name} takes no fields")
            return name
        fields = self._resolved(variant["properties"][name]).get("properties", {})
        return {name: {key: self._value(fields.get(key, {}), text) for key, text in typed.items()}}

    def check(self, message: Any) -> None:
        """Return if the message is as the schema says. Raises `MalformedMessage`."""
        schema: Schema = self._root
        if self._variants:
            name = message if isinstance(message, str) else next(iter(message), "") if isinstance(message, dict) else ""
            # Of the one variant that is meant: among all of them no fault would be told but that none fits.
            schema = {**self._variant(name), **{key: self._root[key] for key in _DEFINITIONS if key in self._root}}
        try:
            fault = best_match(Draft7Validator(schema, registry=Registry()).iter_errors(message))
        except (Unresolvable, RecursionError):
            raise MalformedMessage("the schema names what is not in it") from None
        if fault is not None:
            raise MalformedMessage(_told(fault))

    def _variant(self, name: str) -> Schema:
        found = self._variants.get(name)
        if found is None:
            raise MalformedMessage(f"{name!r} is none of its messages: {', '.join(self._variants) or 'it names none'}")
        return found

    def _value(self, schema: Schema | bool, text: str) -> Any:
        """What was typed: text where the type is text, else JSON."""
        parsed = typed_value(text)
        if isinstance(parsed, str) or not self._takes_text(schema):
            return parsed
        return None if parsed is None else text

    def _takes_text(self, schema: Schema | bool) -> bool:
        resolved = self._resolved(schema)
        kinds = resolved.get("type", ())
        if "string" in ([kinds] if isinstance(kinds, str) else kinds):
            return True
        inner = [each for word in ("anyOf", "oneOf", "allOf") for each in resolved.get(word, ())]
        return any(self._takes_text(each) for each in inner)

    def _resolved(self, schema: Schema | bool) -> Schema:
        """Behind its references, as far as they lie in the file. True, which is a schema too, says as much as none."""
        for _ in range(_MAX_REFERENCES):
            if isinstance(schema, bool):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            schema = self._named(reference)
        return {}


def _schemas(root: Schema) -> Iterator[Schema]:
    """All objects in the file: each may be named as a schema."""
    waiting: list[Any] = [root]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def _only_schemas(found: Iterable[Any]) -> Iterator[Schema]:
    yield from (each for each in found if isinstance(each, Mapping))


def _variants(root: Schema) -> Iterator[tuple[str, Schema]]:
    """The messages that a schema names: each an object of one field, or a bare word."""
    for branch in root.get("oneOf", root.get("anyOf", ())):
        if branch.get("type") == "string":
            yield from ((str(word), branch) for word in branch.get("enum", ()))
        else:
            named = branch.get("properties", {})
            yield from ((str(name), branch) for name in branch.get("required", ()) if name in named)


def _told(fault: ValidationError) -> str:
    place = ".".join(str(step) for step in fault.absolute_path)
    return f"{place}: {fault.message}" if place else str(fault.message)
