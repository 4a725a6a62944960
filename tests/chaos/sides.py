"""What a storm needs of a chain, whatever its VM.

Its job: one vocabulary for users who ask and for the count at the end. A side knows its own chain alone, past all nodes
and proxies, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.chaos.cases import Case
from tests.chaos.rpc import ChainRpc
from tests.chaos.sightings import Place, Sighting, Truth


@dataclass(frozen=True, slots=True)
class Due:
    """One request to be asked: `number` is the target's argument."""

    at: float
    source: str
    destination: str
    case: Case
    account: int
    asker: int
    number: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was sent, whether it landed or not. `sender` is the ERC-7930 account that asks."""

    case: Case
    sender: bytes
    destination: str
    number: int


@dataclass(frozen=True, slots=True)
class Aim:
    """A target and the call of it. `account` is ERC-7930; `expires_after_seconds` is 0 for the route's default."""

    account: bytes
    payload: bytes
    expires_after_seconds: int


class ChainRecord(Protocol):
    """What one chain told, as far as it was read."""

    async def refresh(self, *, from_start: bool = False) -> None:
        """Read what is new, and again what may have changed."""
        ...

    def ids(self, kind: type[Sighting]) -> set[bytes]:
        """Which requests it told this of."""
        ...

    def ended(self) -> set[bytes]:
        """Which requests that were asked here have ended."""
        ...

    def sightings(self) -> Iterator[tuple[bytes, Sighting]]:
        """All of it, by request, in order."""
        ...

    def counts_between(self, asked: Place, told: Place) -> range:
        """What a query of the counter, asked and told at these places of its source, may have read."""
        ...


class Side(Protocol):
    """One chain. `asked` holds every request that was ever sent from here, by the name of its transaction.

    `gateway` is its ERC-7930 address.
    """

    name: str
    gateway: bytes
    rpc: ChainRpc
    asked: dict[str, Asked]

    @property
    def is_all_sent(self) -> bool:
        """Whether every transaction that was sent is in a block now."""
        ...

    async def deploy(self) -> None:
        """Bring targets and those who ask."""
        ...

    async def open_to(self, others: Sequence[Side]) -> None:
        """Learn what asking there takes: all have been deployed."""
        ...

    def aim(self, case: Case, number: int) -> Aim:
        """How such a request is made here."""
        ...

    async def ask(self, due: Sequence[tuple[Due, Aim]]) -> None:
        """Send these, and again what the chain has lost, as wallets do."""
        ...

    def result(self, case: Case, number: int, count: int) -> Truth:
        """What the target here does with such a request, if it has counted so far."""
        ...

    def open_record(self, start: int, depth: int) -> ChainRecord:
        """What is told here from a height on; blocks `depth` under the tip stay."""
        ...
