"""The addresses that contracts get.

Source: `x/wasm/keeper/addresses.go` of wasmd; `instantiate2_address` of cosmwasm-std; the Cosmos SDK's ADR 028.
"""

from __future__ import annotations

import hashlib
from typing import Final

_KIND: Final = hashlib.sha256(b"module").digest()
_MODULE: Final = b"wasm\0"


def classic_address(code_id: int, instance_id: int) -> bytes:
    """The 32 bytes of a contract's address, by its number among all."""
    return _wasm_address(code_id.to_bytes(8, "big") + instance_id.to_bytes(8, "big"))


def predictable_address(checksum: bytes, creator: bytes, salt: bytes, message: bytes = b"") -> bytes:
    """The same of a contract made by instantiate2, whose code has this SHA-256; `message` with `fix_msg` alone."""
    parts = (checksum, creator, salt, message)
    return _wasm_address(b"".join(len(part).to_bytes(8, "big") + part for part in parts))


def _wasm_address(key: bytes) -> bytes:
    return hashlib.sha256(_KIND + _MODULE + key).digest()
