"""Keccak-256, the one hash of the protocol. Nothing else may import the native library that computes it."""

from collections.abc import Callable
from typing import Final, Protocol, cast

from sha3 import keccak_256  # pyright: ignore[reportUnknownVariableType] -- the library ships no types


class _Hash(Protocol):
    def digest(self) -> bytes: ...


_keccak_256: Final = cast("Callable[[bytes], _Hash]", keccak_256)


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 digest of `data` (Ethereum's variant, not NIST SHA3-256)."""
    return _keccak_256(data).digest()
