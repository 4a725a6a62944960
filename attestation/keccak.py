"""Keccak-256, the one hash of the protocol. Nothing else may import a library that computes it.

safe-pysha3 is six times as fast as pycryptodome, and has wheels for Linux only.
"""

import sys
from collections.abc import Callable
from functools import lru_cache
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


_REMEMBERED_COUNT: Final = 4096
_REMEMBERED_LENGTH: Final = 64
"""Digests remembered, and the longest data of theirs: addresses of an EVM are 26 to 58 bytes, and all of it is half a
megabyte. What is longer is a payload, which seldom comes twice and which strangers would fill the memory with."""


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 digest of `data` (Ethereum's variant, not NIST SHA3-256)."""
    return _keccak_256(data).digest()


_remembered: Final = lru_cache(_REMEMBERED_COUNT)(keccak256)


def keccak256_of_repeated(data: bytes) -> bytes:
    """The same digest, remembered if `data` is short: for what comes again and again, such as a gateway's address."""
    return _remembered(data) if len(data) <= _REMEMBERED_LENGTH else keccak256(data)
