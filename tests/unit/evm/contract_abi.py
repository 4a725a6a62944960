"""The committed ABIs, for tests to compare with."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson


def load_abi(contract: str) -> list[dict[str, Any]]:
    document = orjson.loads((files("relayer.vms.evm") / "artifacts" / f"{contract}.json").read_bytes())
    abi: list[dict[str, Any]] = document["abi"]
    return abi


def canonical_type(parameter: dict[str, Any]) -> str:
    """As signatures write it: tuples by their components."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(canonical_type(component) for component in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def types_of(contract: str, function: str) -> list[str]:
    """The parameter types of a function."""
    (entry,) = [entry for entry in load_abi(contract) if entry["type"] == "function" and entry["name"] == function]
    return [canonical_type(parameter) for parameter in entry["inputs"]]


def signatures(contract: str, kind: str) -> set[str]:
    """Of all functions, events or errors of a contract."""
    return {
        f"{entry['name']}({','.join(canonical_type(parameter) for parameter in entry['inputs'])})"
        for entry in load_abi(contract)
        if entry["type"] == kind
    }
