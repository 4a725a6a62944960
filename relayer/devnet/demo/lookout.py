"""When each event of the gateways was first seen.

Its job: look at all chains together, whatever else is being done, so that times and heights of different chains belong
together. It knows no request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relayer.devnet.demo.chains import DemoChain, Sighting


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of the gateway on `chain`, seen `at` (monotonic seconds) when the chains had these last blocks."""

    chain: str
    sighting: Sighting
    at: float
    tips: Mapping[str, int]


class Lookout:
    """Looks at these chains. `began` is on its clock, which is monotonic."""

    def __init__(self, chains: Sequence[DemoChain]) -> None:
        self._chains = chains
        self._seen: list[Seen] = []
        self.began = time.monotonic()

    def look(self) -> None:
        """Note what is new on all chains."""
        found = [(chain.name, chain.fetch_sightings()) for chain in self._chains]
        tips, now = {chain.name: chain.seen_block for chain in self._chains}, time.monotonic()
        self._seen += [Seen(name, sighting, now, tips) for name, sightings in found for sighting in sightings]

    def take(self) -> list[Seen]:
        """What was noted since the last call, in order."""
        taken, self._seen = self._seen, []
        return taken
