"""What bounds blocks: the consensus parameters of the chain."""

from __future__ import annotations

from typing import Final

BLOCK_MAX_BYTES: Final = 4_194_304
BLOCK_MAX_GAS: Final = 300_000_000
"""In the SDK's gas; as large chains have it."""
