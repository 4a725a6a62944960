"""How a request of the demonstration is described, whatever the VMs between which it goes.

Its job: the words. What is asked between chains of a kind stands with that kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from attestation.request import Mode
from attestation.statement import OutcomeKind


class Manner(Enum):
    """What is unlike the other requests, in how one is asked or what is done for it."""

    PLAIN = auto()
    SIMPLE = auto()
    """Asked in the gateway's simple form."""
    EXPIRING = auto()
    """Asked too late for anybody to execute it in time."""
    ABORTING = auto()
    """Fails where a failure is no outcome: nobody executes it, and it expires, after a time in which it was tried."""
    ORDERED = auto()
    """Executed after the ordered one before it."""
    REPLAYED = auto()
    """Its callback gets too little gas and fails, and is replayed by hand with enough."""
    SETTLING = auto()
    """Asked when the others have ended and the loan that it asks about is paid back."""
    CANCELLED = auto()
    """Given up by its requester when its deadline is over, before the network can have answered."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a demonstration target, by its name, with arguments. `target` is a name, see `Case`."""

    target: str
    function: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One request and its expected end.

    `source` and `destination` are chain names of the devnet. Targets are `counter` (the example target), `token` (an
    example token, of which the asking account has some), `nobody` (an address without code), `gateway` (which nobody
    may call), and what only one kind of chains has. `asker` is `echo` (a contract or program with a callback), `eoa`
    (an account, which gets the event alone) or `loan` (the example lender or borrower, which asks for `loan` units).
    `kind` is None where no outcome is told. `reason` is part of what the asker is told of a failure.
    """

    title: str
    source: str
    destination: str
    mode: Mode
    call: Call
    kind: OutcomeKind | None
    asker: str = "echo"
    manner: Manner = Manner.PLAIN
    loan: int = 0
    own_account: bool = False
    reason: bytes = b""

    @property
    def needs_a_hand(self) -> bool:
        """Whether relayers alone do not bring it to its end."""
        return self.manner in {Manner.REPLAYED, Manner.CANCELLED}
