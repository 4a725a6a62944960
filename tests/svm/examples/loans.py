"""A pool of the loan program's and loans from it, with both ends of each question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from solders.instruction import AccountMeta
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from attestation.request import Request
from attestation.statement import OutcomeKind
from tests.svm.examples.programs import LOAN, asking_accounts, send, writable
from tests.svm.program.ledger import PROGRAM, REMOTE_TARGET, Ledger, Sent, address, pending_address, request_of

WAITING, LENT, UNKNOWN = 1, 2, 3
REMOTE_NONE, REMOTE_LENT, REMOTE_REPAID = 0, 1, 2
UNITS_PER_LAMPORT: Final = 10
AMOUNT: Final = 10**9 + 1
COLLATERAL: Final = 10**8 + 1
RECIPIENT: Final = b"\xbb" * 20


@dataclass(frozen=True)
class Pool:
    """A lender's contract abroad, as the program knows it."""

    ledger: Ledger
    key: Pubkey

    @property
    def sender(self) -> Pubkey:
        """The address that the pool asks as."""
        return address(b"xvm", bytes(self.key), program=LOAN.address)

    def loan(self, borrower: Keypair, salt: int = 0) -> Loan:
        """A borrower's loan, there or not."""
        seeds = (b"loan", bytes(self.key), bytes(borrower.pubkey()), salt.to_bytes(8, "little"))
        return Loan(self.ledger, self, borrower, salt, address(*seeds, program=LOAN.address))

    def borrow(self, borrower: Keypair, salt: int = 0, amount: int = AMOUNT) -> tuple[Loan, Request]:
        """Locks the collateral and asks for the loan."""
        made = self.loan(borrower, salt)
        args = {"salt": salt, "amount": amount, "max_fee": 10**9, "recipient": RECIPIENT}
        return made, asked_in(send(self.ledger, LOAN, "borrow", made.asking(borrower, 1), args, [borrower]))


def open_pool(
    ledger: Ledger,
    creator: Keypair | None = None,
    lender: bytes = REMOTE_TARGET,
    units_per_lamport: int = UNITS_PER_LAMPORT,
) -> Pool:
    """Names a lender's contract."""
    who = creator or ledger.treasury
    key = address(b"pool", bytes(who.pubkey()), program=LOAN.address)
    args = {"lender": lender, "units_per_lamport": units_per_lamport}
    send(ledger, LOAN, "open_pool", {"creator": who.pubkey(), "pool": key, "gateway": PROGRAM}, args, [who])
    return Pool(ledger, key)


def asked_in(sent: Sent) -> Request:
    """The request that a transaction made."""
    return request_of(sent.event("XVMCallRequested")["request"])


@dataclass(frozen=True)
class Loan:
    """One loan."""

    ledger: Ledger
    pool: Pool
    borrower: Keypair
    salt: int
    key: Pubkey

    def state(self) -> dict[str, Any]:
        """What the program has written down."""
        return LOAN.decode_account("Loan", bytes(self.ledger.account(self.key).data))

    @property
    def is_open(self) -> bool:
        """Whether the collateral is locked."""
        return self.ledger.svm.get_account(self.key) is not None

    def pending(self, question: int) -> Pubkey:
        """Where the gateway keeps a question, counted from 1."""
        salt = (int.from_bytes(bytes(self.key)[:8], "little") + question) % 2**64
        return pending_address(self.pool.sender, salt)

    def asking(self, payer: Keypair, question: int) -> dict[str, Pubkey]:
        """Accounts of an instruction that asks."""
        places = asking_accounts(self.pool.sender, payer.pubkey(), 0)
        return {**places, "pending": self.pending(question), "pool": self.pool.key, "loan": self.key}

    def settle(self, question: int, payer: Keypair | None = None, **accounts: Pubkey) -> Request:
        """Asks how the loan stands."""
        who = payer or self.borrower
        places = {**self.asking(who, question), **accounts}
        return asked_in(send(self.ledger, LOAN, "settle", places, {"max_fee": 10**9}, [who]))

    def deliver(
        self, asked: Request, question: int, data: bytes = b"", kind: OutcomeKind = OutcomeKind.EXECUTED
    ) -> None:
        """Has an outcome certified and recorded."""
        self.ledger.deliver(self.ledger.outcome(asked, kind, data), self.pending(question))

    def callback(
        self, question: int, data: bytes = b"", *, more: list[AccountMeta] | None = None, payer: Keypair | None = None
    ) -> Sent:
        """Runs the callback as a relayer does; `payer` is who paid for the question."""
        accounts = more or [writable(self.key), writable(self.borrower.pubkey())]
        refund = (payer or self.borrower).pubkey()
        return self.ledger.callback(self.pending(question), data, handler=LOAN.address, more=accounts, refund=refund)

    def answer(
        self, asked: Request, question: int, data: bytes = b"", kind: OutcomeKind = OutcomeKind.EXECUTED
    ) -> None:
        """Records an outcome and tells it."""
        self.deliver(asked, question, data, kind)
        self.callback(question, data)

    def give_up(
        self, question: int, signer: Keypair | None = None, unsigned: Pubkey | None = None, **accounts: Pubkey
    ) -> Sent:
        """Waits no longer."""
        who = signer or self.borrower
        places = {
            "sender": self.pool.sender,
            "pending": self.pending(question),
            "refund": self.borrower.pubkey(),
            "borrower": who.pubkey(),
            "pool": self.pool.key,
            "loan": self.key,
            **accounts,
        }
        return send(self.ledger, LOAN, "give_up", places, signers=[] if unsigned else [who], unsigned=unsigned)


def told(status: int) -> bytes:
    """How the lender's contract says how a loan stands."""
    return status.to_bytes(32, "big")
