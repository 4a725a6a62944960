"""What the demonstration asks between two EVM chains, and how each request is expected to end.

Its job: data. Every kind of end that this version has stands here at least once, in both directions between the chains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Call, Case, Manner

COLLATERAL: Final = 1_500
"""What the borrower has of the other chain's token. `CollateralLoan` lends two thirds of it."""


def is_lent(case: Case) -> bool:
    """Whether the lender is to approve this loan."""
    return 3 * case.loan <= 2 * COLLATERAL


def cases(names: Sequence[str], others: Mapping[str, str] = MappingProxyType({})) -> tuple[Case, ...]:
    """All requests, in the order of asking. Most are made in both directions between the first two chains."""
    del others
    if len(names) < 2:  # noqa: PLR2004 - from one to the other
        return ()
    first, second = names[:2]
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
