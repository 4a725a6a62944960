"""Loans on a chain in this process: the contract of the collateral, and the gateway that tells it outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from attestation.request import Request, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import DENOM, code, hexed
from tests.cosmwasm.contract.source_side import REMOTE_TARGET, SourceLedger, asked_in, cancelling

UNITS_PER_COIN: Final = 10
AMOUNT: Final = 10_001
COLLATERAL: Final = 1_001
RECIPIENT: Final = b"\x0b" * 20
ENOUGH: Final = 10**9

WAITING, LENT, UNKNOWN = 1, 2, 3
REMOTE_NONE, REMOTE_LENT, REMOTE_REPAID = 0, 1, 2


def told(number: int) -> bytes:
    """What the lender's contract returns."""
    return number.to_bytes(32, "big")


@dataclass(frozen=True)
class Pool:
    """The contract, with its lender named."""

    ledger: SourceLedger
    contract: str

    def do(self, sender: str, name: str, *, funds: int = ENOUGH, **body: Any) -> Request:
        """A message by which it asks; the request. Raises `Refused`."""
        return asked_in(self.ledger.send(sender, self.contract, {name: body}, funds=funds))

    def borrow(self, sender: str, *, funds: int = ENOUGH, amount: int = AMOUNT) -> Request:
        """Asks for a loan."""
        return self.do(sender, "borrow", funds=funds, amount=str(amount), recipient=hexed(RECIPIENT))

    def settle(self, sender: str, loan: int = 1) -> Request:
        """Asks how a loan stands."""
        return self.do(sender, "settle", loan=str(loan))

    def give_up(self, sender: str, asked: Request, loan: int = 1, *, funds: int = 0) -> None:
        """Waits no longer. Raises `Refused`."""
        body = {"loan": str(loan), **cancelling(asked)}
        self.ledger.send(sender, self.contract, {"give_up": body}, funds=funds)

    def deliver(self, asked: Request, kind: OutcomeKind = OutcomeKind.EXECUTED, data: bytes = b"") -> list[str]:
        """Has the gateway tell an outcome; the names of its events."""
        return self.ledger.deliver(self.ledger.outcome(request_id(asked), kind, data)).names

    def loan(self, loan: int = 1) -> Any:
        """What is kept of a loan; None if it has ended."""
        return self.ledger.ask(self.contract, {"loan": {"loan": str(loan)}})

    @property
    def holds(self) -> int:
        """Coins in the contract."""
        return self.ledger.balance_of(self.contract)


def new_contract(ledger: SourceLedger) -> str:
    """The contract before its lender is named."""
    stored = ledger.keeper.store_code(ledger.owner, code("loan"))
    terms = {"gateway": ledger.gateway, "units_per_coin": str(UNITS_PER_COIN)}
    return ledger.keeper.instantiate(ledger.owner, stored, terms)


def open_pool() -> Pool:
    """On a chain of its own."""
    ledger = SourceLedger().open()
    contract = new_contract(ledger)
    ledger.send(ledger.owner, contract, {"open": {"lender": hexed(REMOTE_TARGET)}})
    ledger.keeper.mint(ledger.relayer, {DENOM: ENOUGH})
    return Pool(ledger, contract)
