"""The contracts that this package carries, as they were compiled.

Its job: read the committed artifacts. It compiles nothing: the contracts' own build does, and `make check` compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Artifact:
    """One contract: its ABI as JSON values, the creation code, and how many bytes the deployed code has."""

    name: str
    abi: list[dict[str, Any]]
    creation_code: bytes
    deployed_length: int


@cache
def load_artifact(name: str) -> Artifact:
    """The contract with this name, such as `XvmGateway`. Raises `FileNotFoundError` for a name that we do not carry."""
    document = orjson.loads((files("relayer.vms.evm") / "artifacts" / f"{name}.json").read_bytes())
    return Artifact(
        name=name,
        abi=document["abi"],
        creation_code=bytes.fromhex(document["bytecode"][2:]),
        deployed_length=len(document["deployedBytecode"]) // 2 - 1,
    )
