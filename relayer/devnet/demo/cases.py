"""What the demonstration asks, and how each request is expected to end.

Its job: data. Every kind of end that this version has stands here at least once, in both directions between the chains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from attestation.request import Mode
from attestation.statement import OutcomeKind

EXPIRY_BLOCKS = 2
"""Expiry of the request that is to expire, in source blocks from asking. It must still be ahead when the request is
mined, and be over when the request is final: the devnet needs a finality depth of two blocks."""

STARVED_CALLBACK_GAS = 30_000
"""Gas with which the asking contract cannot write its result down: that takes three new storage words and more."""

COLLATERAL = 1_500
"""What the borrower has of the other chain's token. `CollateralLoan` lends two thirds of it."""


class Manner(Enum):
    """What is unlike the other requests, in how one is asked or what is done for it."""

    PLAIN = auto()
    SIMPLE = auto()
    """Asked in the gateway's simple form."""
    EXPIRING = auto()
    """Asked too late for anybody to execute it in time."""
    ORDERED = auto()
    """Executed after the ordered one before it."""
    REPLAYED = auto()
    """Its callback gets too little gas and fails, and is replayed by hand with enough."""
    CANCELLED = auto()
    """Given up by its requester when its deadline is over, before the network can have answered."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a demonstration target, by its ABI name, with arguments. `target` is a name, see `Case`."""

    target: str
    function: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One request and its expected end.

    `source` and `destination` are chain names of the devnet. Targets are `counter` (the example target), `nobody` (an
    address without code), `gateway` (which nobody may call) and `token` (the collateral). `asker` is `echo` (a contract
    with a callback), `eoa` (an account, which gets the event alone) or `loan` (the example lender, which asks when an
    account applies for `loan` units). `kind` is None where no outcome is told.
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

    @property
    def is_lent(self) -> bool:
        """Whether the lender is to approve."""
        return 3 * self.loan <= 2 * COLLATERAL

    @property
    def needs_a_hand(self) -> bool:
        """Whether relayers alone do not bring it to its end."""
        return self.manner in {Manner.REPLAYED, Manner.CANCELLED}


def cases(first: str, second: str) -> tuple[Case, ...]:
    """All requests, in the order of asking. Most are made in both directions between two chains."""
    there, back = (first, second), (second, first)
    return (
        *(make(*way) for way in (there, back) for make in _BOTH_WAYS),
        _loan("a loan that is approved", 1_000, *there),
        _loan("a loan that is rejected", 1_001, *back),
        *(make(*there) for make in _ONE_WAY),
    )


_Make = Callable[[str, str], Case]


def _call(title: str, call: Call, kind: OutcomeKind, asker: str = "echo", manner: Manner = Manner.PLAIN) -> _Make:
    return lambda source, destination: Case(title, source, destination, Mode.CALL, call, kind, asker, manner)


def _loan(title: str, amount: int, source: str, destination: str) -> Case:
    read = Call("token", "balanceOf")
    return Case(title, source, destination, Mode.QUERY, read, OutcomeKind.EXECUTED, asker="loan", loan=amount)


def _cancelled(source: str, destination: str) -> Case:
    call = Call("counter", "count")
    return Case("cancelled by its asker", source, destination, Mode.QUERY, call, None, "eoa", Manner.CANCELLED)


def _query_reverts(source: str, destination: str) -> Case:
    return Case("query reverts", source, destination, Mode.QUERY, Call("counter", "fail", (9,)), OutcomeKind.REVERTED)


_ADD_ONE: Final = Call("counter", "increment", (1,))

_BOTH_WAYS: tuple[_Make, ...] = (
    _call("change state", Call("counter", "increment", (5,)), OutcomeKind.EXECUTED, manner=Manner.SIMPLE),
    _call("asked by an account", _ADD_ONE, OutcomeKind.EXECUTED, asker="eoa"),
    _call("target reverts", Call("counter", "fail", (7,)), OutcomeKind.REVERTED),
    _call("no code at the target", Call("nobody", "increment", (1,)), OutcomeKind.UNREACHED),
    _call("forbidden target", Call("gateway", "increment", (1,)), OutcomeKind.UNREACHED),
    _call("expires", _ADD_ONE, OutcomeKind.EXPIRED, manner=Manner.EXPIRING),
    _query_reverts,
)

_ONE_WAY: tuple[_Make, ...] = (
    _call("ordered, first", Call("counter", "increment", (2,)), OutcomeKind.EXECUTED, manner=Manner.ORDERED),
    _call("ordered, second", Call("counter", "increment", (3,)), OutcomeKind.EXECUTED, manner=Manner.ORDERED),
    _call("callback fails, replayed", Call("counter", "increment", (4,)), OutcomeKind.EXECUTED, manner=Manner.REPLAYED),
    _cancelled,
)
