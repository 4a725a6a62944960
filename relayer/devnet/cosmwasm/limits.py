"""What bounds blocks, as the chain's consensus parameters say, and simulations, as a node's settings do."""

from __future__ import annotations

from typing import Final

BLOCK_MAX_BYTES: Final = 4_194_304
BLOCK_MAX_GAS: Final = 300_000_000
"""In the SDK's gas; as large chains have it."""

SIMULATION_MAX_GAS: Final = 75_000_000
"""A simulation costs nobody anything, and holds up who asks of the state meanwhile: some seconds at the worst.

Source: `query-gas-limit` of the Cosmos SDK's settings.
"""
