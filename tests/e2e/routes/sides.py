"""What the suite over routes needs of a chain, whatever its VM.

Its job: one vocabulary for asking, looking and attacking from outside, so that each promise is written once. A side is
an outside program: it knows its own chain by the devnet's description alone, and no relayer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol

from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind


class Refused(Exception):  # noqa: N818 - what the chain did
    """A transaction of ours was mined and failed, or its simulation did."""


class Target(StrEnum):
    """What the example target does when it is called."""

    SUCCEEDS = auto()
    """Adds one to its counter and returns it; asked by a QUERY, it tells the counter."""
    ABORTS = auto()
    """Fails."""


@dataclass(frozen=True)
class Aim:
    """A target and the call of it, in its VM's own encoding. `account` is an ERC-7930 address."""

    account: bytes
    payload: bytes


@dataclass(frozen=True)
class Ending:
    """How the gateway ended a request: `place` names the transaction in the chain's own text form."""

    kind: OutcomeKind
    is_handler_failed: bool
    place: str


@dataclass(frozen=True)
class Told:
    """What the asking contract or program wrote down in its callback."""

    success: bool
    return_data: bytes


class Side(Protocol):
    """One chain of the devnet."""

    name: str
    caip2: str
    has_catch: bool
    """Whether a target's failure is an outcome; where it is none, the call stays unexecuted and expires."""
    hasty_seconds: int
    """Less than it takes until the chain's blocks are final: a request that expires so soon is never executed."""

    def prepare(self) -> None:
        """Bring the example target and the example asker."""
        ...

    # where requests go

    def aim(self, mode: Mode, target: Target) -> Aim:
        """How a request is to be made here."""
        ...

    def count(self) -> int:
        """The example target's counter."""
        ...

    def receipt(self, request_id: RequestId) -> str | None:
        """The transaction in which the gateway concluded a CALL here, None if it did not."""
        ...

    def expects(self, mode: Mode, target: Target) -> tuple[OutcomeKind, bytes | None]:
        """How a request at this target ends, and with which return data; None where the data is the counter's."""
        ...

    def read_count(self, return_data: bytes) -> int:
        """The counter in the return data of a call that succeeded."""
        ...

    # where requests come from

    def ask(self, aim: Aim, mode: Mode, *, seconds: int = 0, is_hostile: bool = False) -> RequestId:
        """Have the example asker ask, and wait until the gateway has it.

        The request expires after `seconds`, 0: by the route's default. The handler of a hostile asker fails.
        """
        ...

    def ending(self, request_id: RequestId) -> Ending | None:
        """How it ended here; None as long as it has not."""
        ...

    def told(self, request_id: RequestId) -> Told | None:
        """What the asker wrote down; None if it was not called back."""
        ...

    def callbacks(self) -> int:
        """How often the asker was called back altogether."""
        ...

    # attacks

    def repeat(self, place: str) -> None:
        """Send what this transaction did once more, from an account of our own; whether it is taken does not matter."""
        ...

    def forge(self, place: str) -> str:
        """The same with a signature of its certificate changed; the named error with which the gateway refuses it."""
        ...
