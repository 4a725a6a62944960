"""Where a contract will be that is instantiated under a salt.

Source: `BuildContractAddressPredictable` of wasmd; `instantiate2_address` of cosmwasm-std; the Cosmos SDK's ADR 028.
"""

from __future__ import annotations

import hashlib
from typing import Final

_KIND: Final = hashlib.sha256(b"module").digest()
_MODULE: Final = b"wasm\0"


def predictable_address(checksum: bytes, creator: bytes, salt: bytes, message: bytes = b"") -> bytes:
    """The 32 bytes of the address of a contract whose code has this SHA-256. `message` matters with `fix_msg` alone."""
    key = b"".join(len(part).to_bytes(8, "big") + part for part in (checksum, creator, salt, message))
    return hashlib.sha256(_KIND + _MODULE + key).digest()
