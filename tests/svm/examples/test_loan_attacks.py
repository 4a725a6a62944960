"""How a borrower might get at collateral that secures a debt, or somebody else at a borrower's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from attestation.statement import OutcomeKind
from tests.svm.examples.loans import (
    COLLATERAL,
    LENT,
    REMOTE_NONE,
    REMOTE_REPAID,
    UNKNOWN,
    Loan,
    Pool,
    open_pool,
    told,
)
from tests.svm.examples.programs import LOAN, send, writable
from tests.svm.program.ledger import NOW, PROBE, SLOT, Ledger, Refused, address, keypair


@pytest.fixture
def pool(ledger: Ledger) -> Pool:
    return open_pool(ledger)


def pending_of(pool: Pool, loan: Loan, question: int) -> Pubkey:
    """Where this pool's question of this loan would wait."""
    return replace(loan, pool=pool).pending(question)


def forge(ledger: Ledger, original: Pubkey, owner: Pubkey) -> Pubkey:
    """Another account that holds the same."""
    forged = keypair("forged").pubkey()
    ledger.svm.set_account(forged, Account(10**9, bytes(ledger.account(original).data), owner))
    return forged


def test_a_gateway_of_the_borrower_s_gets_no_signature(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: with the pool's signature it would ask the lender for a loan without collateral."""
    loan = pool.loan(ledger.sender)
    args = {"salt": 0, "amount": 1, "max_fee": 10**9, "recipient": bytes(20)}
    places = {**loan.asking(ledger.sender, 1), "gateway": PROBE}
    with pytest.raises(Refused, match="WrongGateway"):
        send(ledger, LOAN, "borrow", places, args, [ledger.sender])


def test_a_lender_of_the_borrower_s_says_nothing_of_another_s_loan(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: anybody may open a pool, with a lender that says that all is repaid."""
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    own = open_pool(ledger, ledger.sender)
    places = {"sender_state": address(b"sender", bytes(own.sender)), "pending": pending_of(own, loan, 2)}
    with pytest.raises(Refused, match="WrongAddress"):
        loan.settle(2, pool=own.key, sender=own.sender, **places)


def test_one_loan_s_answer_does_not_unlock_another(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: the dearer one would be unlocked by repaying the cheaper one."""
    (dear, asked_dear), (cheap, asked_cheap) = pool.borrow(ledger.sender), pool.borrow(ledger.sender, 1, amount=1)
    dear.answer(asked_dear, 1)
    cheap.answer(asked_cheap, 1)
    asked = cheap.settle(2)
    dear.settle(2)
    cheap.deliver(asked, 2, told(REMOTE_REPAID))
    with pytest.raises(Refused, match="OtherQuestion"):
        cheap.callback(2, told(REMOTE_REPAID), more=[writable(dear.key), writable(ledger.sender.pubkey())])


def test_collateral_goes_to_its_borrower(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: whoever runs the callback brings the accounts."""
    loan, asked = pool.borrow(ledger.sender)
    loan.deliver(asked, 1, b"", OutcomeKind.EXPIRED)
    with pytest.raises(Refused, match="NotBorrower"):
        loan.callback(1, more=[writable(loan.key), writable(ledger.guardian.pubkey())])
    loan.callback(1)
    assert not loan.is_open


def test_a_lent_loan_that_a_node_has_not_seen_yet_stays_locked(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: where the other chain's clock is ahead of ours, the block that is asked may be one before the loan."""
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    loan.answer(loan.settle(2), 2, told(REMOTE_NONE))
    assert (loan.state()["status"], loan.is_open) == (LENT, True)


def test_giving_up_unlocks_nothing(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: what was not answered may have been paid out."""
    loan, asked = pool.borrow(ledger.sender)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    loan.give_up(1)
    assert loan.state()["status"] == UNKNOWN
    assert ledger.balance(loan.key) > COLLATERAL


def test_a_loan_is_given_up_by_its_borrower(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: anybody else would have every loan given up at its deadline."""
    loan, asked = pool.borrow(ledger.sender)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    with pytest.raises(Refused, match="NotBorrower"):
        loan.give_up(1, ledger.guardian)
    with pytest.raises(Refused, match="MissingSigner"):
        loan.give_up(1, unsigned=ledger.sender.pubkey())


def test_a_loan_is_given_up_in_its_own_pool(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: in another nothing waits for an answer; never paid out yet, it would be unlocked, and then paid out."""
    loan, _ = pool.borrow(ledger.sender)
    own = open_pool(ledger, ledger.sender)
    with pytest.raises(Refused, match="WrongAddress"):
        loan.give_up(1, pool=own.key, sender=own.sender, pending=pending_of(own, loan, 1))


@pytest.mark.parametrize(("owner", "error"), [(PROBE, "WrongOwner"), (LOAN.address, "WrongAddress")])
def test_an_answer_goes_to_a_loan_of_the_program_s(ledger: Ledger, pool: Pool, owner: Pubkey, error: str) -> None:
    """SECURITY: whoever runs the callback brings the account."""
    loan, asked = pool.borrow(ledger.sender)
    loan.deliver(asked, 1)
    forged = forge(ledger, loan.key, owner)
    with pytest.raises(Refused, match=error):
        loan.callback(1, more=[writable(forged), writable(ledger.sender.pubkey())])


@pytest.mark.parametrize(("owner", "error"), [(PROBE, "WrongOwner"), (LOAN.address, "WrongAddress")])
def test_a_pool_is_the_program_s(ledger: Ledger, pool: Pool, owner: Pubkey, error: str) -> None:
    """SECURITY: a pool of one's own making would have prices of one's own making."""
    forged = Pool(ledger, forge(ledger, pool.key, owner))
    with pytest.raises(Refused, match=error):
        forged.borrow(ledger.sender)


def test_giving_up_one_loan_does_not_cancel_another(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: a pool asks in one name for all; what is only said to be given up could yet be paid out."""
    (loan, asked), (other, _) = pool.borrow(ledger.sender), pool.borrow(ledger.sender, 1)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    with pytest.raises(Refused, match="OtherQuestion"):
        loan.give_up(1, pending=other.pending(1))


def test_a_loan_that_is_being_asked_for_is_not_shown_to_be_given_up(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: never paid out yet, it would be unlocked, and then paid out."""
    loan, _ = pool.borrow(ledger.sender)
    with pytest.raises(Refused, match="WrongAddress"):
        loan.give_up(1, pending=keypair("nothing").pubkey())


def test_the_salts_of_a_pool_s_questions_are_nobody_s_to_take(ledger: Ledger, pool: Pool) -> None:
    """SECURITY: all loans of a pool ask as one address: whoever took another's salt would keep it from asking."""
    victim = pool.loan(ledger.sender)
    thief = pool.loan(ledger.guardian)
    args = {"salt": 0, "amount": 1, "max_fee": 10**9, "recipient": bytes(20)}
    places = {**thief.asking(ledger.guardian, 1), "pending": victim.pending(1)}
    with pytest.raises(Refused, match="WrongAddress"):
        send(ledger, LOAN, "borrow", places, args, [ledger.guardian])


def test_an_answer_is_taken_once(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    with pytest.raises(Refused, match="WrongOwner"):
        loan.callback(1)
    ledger.set_time(NOW + 10_000, SLOT + 2_001)
    with pytest.raises(Refused, match="NotWaiting"):
        loan.give_up(1)


def test_a_lender_s_address_has_room_in_its_pool(ledger: Ledger) -> None:
    """SECURITY: what is longer would be written over what lies behind the pool."""
    with pytest.raises(Refused, match="MalformedAddress"):
        open_pool(ledger, lender=bytes(81))


def test_collateral_is_worth_something(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="OutOfBounds"):
        open_pool(ledger, units_per_lamport=0)
