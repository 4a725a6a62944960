"""What the chains say of every request: the only measure of a storm.

Its job: put together each request's life as it stands on all chains now. It judges nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.load import Load
from tests.chaos.sides import Asked, Side
from tests.chaos.sightings import Called, Cancelled, Concluded, Delivered, Ran, Requested, Sighting


@dataclass(slots=True)
class Life:
    """All that the chains hold of one request. `source` is the name of a chain."""

    request_id: bytes
    source: str = ""
    asked: Asked | None = None
    requested: list[Requested] = field(default_factory=list)
    concluded: list[Concluded] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    cancelled: int = 0
    ran: list[Ran] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)


class Ledger:
    """All chains; `starts` are their heights when the storm begins, by name."""

    def __init__(self, load: Load, starts: Mapping[str, int], depth: int) -> None:
        self._sides = load.sides
        self.chains = {name: side.open_record(starts[name], depth + 2) for name, side in load.sides.items()}

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read all."""
        for chain in self.chains.values():
            await chain.refresh(from_start=from_start)

    def counts(self) -> tuple[int, int, int]:
        """How many requests were asked, executed somewhere, called back, as the chains are now."""
        asked, executed, told = (
            sum(len(chain.ids(kind)) for chain in self.chains.values()) for kind in (Requested, Concluded, Delivered)
        )
        return asked, executed, told

    @property
    def is_ended(self) -> bool:
        """Whether every request that stands on a chain has its end there."""
        return all(chain.ids(Requested) <= chain.ended() for chain in self.chains.values())

    def lives(self) -> dict[bytes, Life]:
        """Every request that any chain speaks of."""
        lives: dict[bytes, Life] = {}
        for name, chain in self.chains.items():
            for identifier, sighting in chain.sightings():
                life = lives.setdefault(identifier, Life(identifier))
                _take_in(life, self._sides[name], sighting)
        return lives


def _take_in(life: Life, side: Side, sighting: Sighting) -> None:
    match sighting:
        case Requested():
            life.source, life.asked = side.name, side.asked.get(sighting.transaction)
            life.requested.append(sighting)
        case Concluded():
            life.concluded.append(sighting)
        case Delivered():
            life.delivered.append(sighting)
        case Cancelled():
            life.cancelled += 1
        case Ran():
            life.ran.append(sighting)
        case Called():
            life.called.append(sighting)


def ordered_lines(lives: Iterable[Life]) -> list[list[Life]]:
    """The ordered requests of each sender on each route, in the order of asking."""
    lines: dict[tuple[str, str, bytes], list[Life]] = defaultdict(list)
    for life in lives:
        if life.asked and life.requested and life.requested[0].is_ordered:
            lines[life.source, life.asked.destination, life.requested[0].sender].append(life)
    return [sorted(line, key=lambda life: life.requested[0].nonce) for line in lines.values()]
