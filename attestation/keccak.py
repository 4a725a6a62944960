"""Keccak-256, the one hash of the protocol. Nothing else may import a library that computes it.

safe-pysha3 is six times as fast as pycryptodome, and has wheels for Linux only.
"""

import sys
from collections.abc import Callable
from typing import Final, Protocol, cast


class _Hash(Protocol):
    def digest(self) -> bytes: ...


if sys.platform == "linux":
    from sha3 import keccak_256  # pyright: ignore[reportUnknownVariableType] -- the library ships no types

    _keccak_256: Final = cast("Callable[[bytes], _Hash]", keccak_256)
else:
    from Crypto.Hash import keccak

    def _keccak_256(data: bytes) -> _Hash:
        return keccak.new(data=data, digest_bits=256)


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 digest of `data` (Ethereum's variant, not NIST SHA3-256)."""
    return _keccak_256(data).digest()
