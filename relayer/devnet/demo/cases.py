"""What the demonstration asks, and how each request is expected to end.

Its job: data. Every kind of end that this version has stands here at least once, in both directions between the chains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from attestation.request import Mode
from attestation.statement import OutcomeKind

EXPIRY_BLOCKS = 2
"""Expiry of the request that is to expire, in source blocks from asking. It must still be ahead when the request is
mined, and be over when the request is final: the devnet needs a finality depth of two blocks."""


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
    address without code) and `gateway` (which nobody may call). `asker` is `echo` (a contract with a callback) or `eoa`
    (an account, which gets the event alone).
    """

    title: str
    source: str
    destination: str
    mode: Mode
    call: Call
    kind: OutcomeKind
    asker: str = "echo"
    expires: bool = False
    is_simple: bool = False


def cases(first: str, second: str) -> tuple[Case, ...]:
    """All requests, in both directions between two chains."""
    return tuple(
        make(source, destination) for source, destination in ((first, second), (second, first)) for make in _MAKE
    )


def _call(title: str, call: Call, kind: OutcomeKind, **more: bool | str) -> Callable[[str, str], Case]:
    return lambda source, destination: Case(title, source, destination, Mode.CALL, call, kind, **more)  # type: ignore[arg-type]


def _query(title: str, call: Call, kind: OutcomeKind) -> Callable[[str, str], Case]:
    return lambda source, destination: Case(title, source, destination, Mode.QUERY, call, kind)


_MAKE: tuple[Callable[[str, str], Case], ...] = (
    _call("change state", Call("counter", "increment", (5,)), OutcomeKind.EXECUTED, is_simple=True),
    _call("asked by an account", Call("counter", "increment", (1,)), OutcomeKind.EXECUTED, asker="eoa"),
    _call("target reverts", Call("counter", "fail", (7,)), OutcomeKind.REVERTED),
    _call("no code at the target", Call("nobody", "increment", (1,)), OutcomeKind.UNREACHED),
    _call("forbidden target", Call("gateway", "increment", (1,)), OutcomeKind.UNREACHED),
    _call("expires", Call("counter", "increment", (1,)), OutcomeKind.EXPIRED, expires=True),
    _query("read a value", Call("counter", "count"), OutcomeKind.EXECUTED),
    _query("query reverts", Call("counter", "fail", (9,)), OutcomeKind.REVERTED),
)
