"""That a chain contradicted itself, with what proves it.

Its job: the value that is kept when work on a chain stops, until an operator has looked and work goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.domain.blocks import BlockRef


@dataclass(frozen=True, slots=True)
class Halt:
    """Work on `chain` (CAIP-2) stopped at `at` (wall-clock seconds) for an error with this `code` and text.

    `held` is the block that was final here, None where the error is about no block; `found_hash` (32 bytes, or empty)
    is what enough endpoints called the block at that height when it was missed. `resumed_at` is None while it lasts.
    """

    chain: str
    code: str
    reason: str
    held: BlockRef | None
    found_hash: bytes
    at: float
    resumed_at: float | None = None
