"""The tree whose root stands for a list in a header.

Source: crypto/merkle/tree.go of CometBFT, which is RFC 6962 with SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """32 bytes. The left half of a list is the largest power of two below its length."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()
