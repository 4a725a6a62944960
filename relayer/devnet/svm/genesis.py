"""What the name of a Solana chain of the devnet makes its genesis hash."""

from __future__ import annotations

import hashlib


def genesis_hash(name: str) -> bytes:
    """32 bytes, by which clients know a cluster; other names have other ones."""
    return hashlib.sha256(f"genesis of {name}".encode()).digest()
