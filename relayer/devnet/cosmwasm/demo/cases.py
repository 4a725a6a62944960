"""What the demonstration asks between CosmWasm chains and others, and how each request is expected to end.

Its job: data. What a CosmWasm chain has besides the targets of every chain: `cw20` (a public token, of which accounts
abroad that ask have some in their own accounts here) and `purse` (which has none, and pays them out by a submessage).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attestation.address import Namespace
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Call, Case, Manner

TRANSFERRED: Final = 250
"""Units of the token."""

BORROWED: Final = 100_001
"""Units of the lender's token: not a whole number of coins of collateral."""

_WORDS: Final = b"Overflow: Cannot Sub with 0 and "
"""Of the token, to who has none and spends some."""


def cases(names: Sequence[str], others: Mapping[str, str]) -> tuple[Case, ...]:
    """All requests between the first of the chains and the first of each other kind, or the second of its own."""
    here, *neighbours = names
    evm = others.get(Namespace.EIP155.value)
    asked: list[Case] = []
    if evm is not None:
        asked += [*_from_evm(evm, here), *_to_evm(here, evm)]
    for namespace, other in others.items():
        if namespace != Namespace.EIP155.value:
            asked += _with_other(other, here)
    asked += [_adds("change state", here, neighbour, 2) for neighbour in neighbours[:1]]
    return tuple(asked)


def _adds(title: str, source: str, destination: str, by: int, manner: Manner = Manner.PLAIN) -> Case:
    kind = OutcomeKind.EXPIRED if manner is Manner.EXPIRING else OutcomeKind.EXECUTED
    return Case(title, source, destination, Mode.CALL, Call("counter", "increment", (by,)), kind, manner=manner)


def _moves(source: str, here: str, asker: str) -> Case:
    call = Call("cw20", "transfer", (TRANSFERRED,))
    return Case(
        "move tokens of one's own", source, here, Mode.CALL, call, OutcomeKind.EXECUTED, asker, own_account=True
    )


def _fails(title: str, source: str, here: str, call: Call, reason: bytes) -> Case:
    return Case(title, source, here, Mode.CALL, call, OutcomeKind.REVERTED, reason=reason)


def _from_evm(source: str, here: str) -> Iterator[Case]:
    yield _adds("change state", source, here, 3)
    yield _moves(source, here, "eoa")
    yield _fails("target fails, told why", source, here, Call("counter", "fail", (7,)), b"CounterFails: 7")
    yield _fails("submessage fails, told why", source, here, Call("purse", "pay", (11,)), _WORDS + b"11")
    yield _adds("expires", source, here, 1, Manner.EXPIRING)
    yield Case("read", source, here, Mode.QUERY, Call("counter", "read"), OutcomeKind.EXECUTED)


def _to_evm(here: str, destination: str) -> Iterator[Case]:
    executed, asker = OutcomeKind.EXECUTED, "loan"
    yield _adds("change state", here, destination, 10)
    yield Case("read a balance", here, destination, Mode.QUERY, Call("token", "balanceOf"), executed)
    yield Case("target reverts", here, destination, Mode.CALL, Call("counter", "fail", (7,)), OutcomeKind.REVERTED)
    yield _adds("callback fails, replayed", here, destination, 11, Manner.REPLAYED)
    yield Case(
        "borrow, collateral here", here, destination, Mode.CALL, Call("lender", "lend"), executed, asker, loan=BORROWED
    )
    yield Case(
        "paid back, collateral free",
        *(here, destination, Mode.QUERY, Call("lender", "status"), executed, asker),
        manner=Manner.SETTLING,
        loan=BORROWED,
    )


def _with_other(other: str, here: str) -> Iterator[Case]:
    yield _adds("change state", other, here, 4)
    yield _moves(other, here, "echo")
    yield Case("read", other, here, Mode.QUERY, Call("counter", "read"), OutcomeKind.EXECUTED)
    yield _adds("change state", here, other, 12)
