"""The contract's JSON Schemas, as far as they go: whether a value conforms, and values that do."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from tests.cosmwasm.contract.ledger import CONTRACTS

_TYPES: Final = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None)}

_NAMED: Final = {
    "Uint64": st.integers(0, 2**64 - 1).map(str),
    "Uint96": st.integers(0, 2**96 - 1).map(str),
    "Uint128": st.integers(0, 2**128 - 1).map(str),
    "Base64": st.binary(max_size=40).map(lambda data: b64encode(data).decode()),
}
_PLAIN: Final[dict[str, Callable[[Any], st.SearchStrategy[Any]]]] = {
    "string": lambda schema: st.from_regex(schema["pattern"], fullmatch=True),
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


@cache
def load(name: str) -> Any:
    """A committed schema."""
    return json.loads((CONTRACTS / "schema" / f"{name}.json").read_text())


def fault(schema: Any, value: Any, root: Any) -> str:
    """What of a value does not conform; empty if all of it does."""
    schema = _resolved(schema, root)
    if "oneOf" in schema:
        fits = sum(not fault(one, value, root) for one in schema["oneOf"]) == 1
    elif "enum" in schema:
        fits = value in schema["enum"]
    elif type(value) is not _TYPES[schema["type"]]:
        fits = False
    elif isinstance(value, str):
        fits = bool(re.search(schema.get("pattern", ""), value)) and len(value) >= schema.get("minLength", 0)
    elif isinstance(value, list):
        return next(filter(None, (fault(schema["items"], one, root) for one in value)), "")
    elif isinstance(value, dict):
        return _object_fault(schema, value, root)
    else:
        fits = schema["type"] != "integer" or schema["minimum"] <= value <= schema["maximum"]
    return "" if fits else repr(value)


def _object_fault(schema: Any, value: dict[str, Any], root: Any) -> str:
    """The same of an object."""
    if set(schema["required"]) - set(value) or set(value) - set(schema["properties"]):
        return f"{sorted(value)}: not the properties"
    members = ((key, fault(schema["properties"][key], one, root)) for key, one in value.items())
    return next((f"{key}: {wrong}" for key, wrong in members if wrong), "")


def values(schema: Any, root: Any, accounts: list[str]) -> st.SearchStrategy[Any]:
    """Values that conform, and that the types' names promise."""
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    if name == "Account":
        return st.sampled_from(accounts)
    if name in _NAMED:
        return _NAMED[name]
    schema = _resolved(schema, root)
    if "oneOf" in schema:
        return st.one_of([values(one, root, accounts) for one in schema["oneOf"]])
    if schema["type"] == "array":
        return st.lists(values(schema["items"], root, accounts), max_size=2)
    if schema["type"] == "object":
        members = {key: values(one, root, accounts) for key, one in schema["properties"].items()}
        required = {key: members.pop(key) for key in schema["required"]}
        return st.fixed_dictionaries(required, optional=members)
    return _PLAIN[schema["type"]](schema)


def _resolved(schema: Any, root: Any) -> Any:
    """What a reference stands for."""
    name = schema.get("$ref")
    return root["definitions"][name.rsplit("/", 1)[-1]] if name else schema
