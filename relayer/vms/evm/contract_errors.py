"""Names of what our contracts revert with.

Its job: from revert data to the name in the committed `errors.json`. Names go to people and to `hold_reason`; nothing
is decided by them but what says so.

Source: relayer/vms/evm/artifacts/errors.json, made by the contracts' build; Solidity's `Error` and `Panic`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import orjson

from relayer.vms.evm.interface import SELECTOR_LENGTH, selector


def _load() -> dict[bytes, str]:
    document = orjson.loads((files("relayer.vms.evm") / "artifacts" / "errors.json").read_bytes())
    return {bytes.fromhex(key[2:]): entry["name"] for key, entry in document.items()}


_NAMES: Final = {**_load(), selector("Error(string)"): "Error", selector("Panic(uint256)"): "Panic"}

WITHOUT_REASON: Final = "RevertedWithoutReason"
"""The name of a revert or halt that gave no data."""


def error_name(data: bytes) -> str:
    """The error's name; its selector in hex if it is none of ours."""
    if len(data) < SELECTOR_LENGTH:
        return WITHOUT_REASON
    found = data[:SELECTOR_LENGTH]
    return _NAMES.get(found, f"0x{found.hex()}")
