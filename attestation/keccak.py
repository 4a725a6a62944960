"""Keccak-256, the one hash of the protocol. Nothing else may import the native library that computes it."""

from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 digest of `data` (Ethereum's variant, not NIST SHA3-256)."""
    digest: bytes = keccak_256(data).digest()
    return digest
