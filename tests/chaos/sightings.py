"""What chains tell of a request, in words that no VM owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from attestation.statement import OutcomeKind


class Place(NamedTuple):
    """Where a chain told something. Places of a chain sort as what it told does.

    `timestamp` is its block's by the chain's clock, which reorgs set back; `clock` is about when by the machine's.
    """

    number: int
    index: int
    timestamp: int
    clock: int


@dataclass(frozen=True, slots=True)
class Requested:
    """The request as it was asked on the final chain. `transaction` is its name in the chain's own text form."""

    place: Place
    transaction: str
    sender: bytes
    target: bytes
    nonce: int
    expiry: int
    is_ordered: bool


@dataclass(frozen=True, slots=True)
class Concluded:
    """The destination gateway's receipt."""

    place: Place
    kind: int
    cut: bool
    return_data: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The source gateway's word that the callback ran, or that its handler failed."""

    place: Place
    kind: int
    success: bool
    word: bytes
    is_handler_failed: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The requester gave it up."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The target ran, and counted so far. `sender` is who it was told calls; None where it is told nobody."""

    place: Place
    count: int
    sender: bytes | None


@dataclass(frozen=True, slots=True)
class Called:
    """Who asked was called back, and told this."""

    success: bool
    return_data: bytes


Sighting = Requested | Concluded | Delivered | Cancelled | Ran | Called


@dataclass(frozen=True, slots=True)
class Truth:
    """How a request must have ended."""

    kind: OutcomeKind
    cut: bool
    return_data: bytes
