"""The contracts that this package carries, as they were compiled.

Its job: read the committed code. It compiles nothing: the contracts' own build does, and `make check` compares.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

GATEWAY: Final = "xvm_gateway"
ACCOUNT: Final = "xvm_account"


@cache
def load_code(name: str) -> bytes:
    """The wasm of `GATEWAY` or `ACCOUNT`. Raises `FileNotFoundError` for a name that we do not carry."""
    return (files("relayer.vms.cosmwasm") / "artifacts" / f"{name}.wasm").read_bytes()
