"""What the demonstration asks between Solana chains and others, and how each request is expected to end.

Its job: data. What a Solana chain has besides the targets of every chain: `spl` (a token, of which the asking account
abroad has some in its own account here), `mint` (that token's account, which is no program) and `memo`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attestation.address import Namespace
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Call, Case, Manner

TRANSFERRED: Final = 250
"""Units of the token."""

BORROWED: Final = 100_001
"""Units of the lender's token: not a whole number of lamports of collateral."""


def cases(names: Sequence[str], others: Mapping[str, str]) -> tuple[Case, ...]:
    """All requests between the first of the chains and the first EVM one, or the second, in the order of asking."""
    here, *neighbours = names
    there = others.get(Namespace.EIP155.value)
    with_evm = () if there is None else (*_to_here(there, here), *_from_here(here, there))
    return (*with_evm, *(_between(here, neighbour) for neighbour in neighbours[:1]))


def _between(here: str, neighbour: str) -> Case:
    return Case("change state", here, neighbour, Mode.CALL, Call("counter", "increment", (9,)), OutcomeKind.EXECUTED)


def _to_here(source: str, here: str) -> tuple[Case, ...]:
    counter = Call("counter", "increment", (6,))
    transfer = Call("spl", "transfer", (TRANSFERRED,))
    memo = Call("memo", "write", ("greetings from another chain",))
    executed, expired = OutcomeKind.EXECUTED, OutcomeKind.EXPIRED
    return (
        Case("change state", source, here, Mode.CALL, counter, executed),
        Case("move tokens of one's own", source, here, Mode.CALL, transfer, executed, "eoa", own_account=True),
        Case("write a memo", source, here, Mode.CALL, memo, executed),
        Case("target aborts", source, here, Mode.CALL, Call("counter", "fail", (7,)), expired, manner=Manner.ABORTING),
        Case("read by simulation", source, here, Mode.QUERY, Call("counter", "read"), executed),
        Case("read an account", source, here, Mode.QUERY, Call("mint", "data"), executed),
    )


def _from_here(here: str, destination: str) -> tuple[Case, ...]:
    counter = Call("counter", "increment", (8,))
    lend, status = Call("lender", "lend"), Call("lender", "status")
    executed, asker = OutcomeKind.EXECUTED, "loan"
    return (
        Case("change state", here, destination, Mode.CALL, counter, executed),
        Case("read a balance", here, destination, Mode.QUERY, Call("token", "balanceOf"), executed),
        Case("target reverts", here, destination, Mode.CALL, Call("counter", "fail", (7,)), OutcomeKind.REVERTED),
        Case("borrow, collateral here", here, destination, Mode.CALL, lend, executed, asker, loan=BORROWED),
        Case(
            "paid back, collateral free",
            *(here, destination, Mode.QUERY, status, executed, asker),
            manner=Manner.SETTLING,
            loan=BORROWED,
        ),
    )
