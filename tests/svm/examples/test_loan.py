"""A loan abroad against lamports here, from locking to unlocking."""

from __future__ import annotations

import pytest

from attestation.request import Mode
from attestation.statement import OutcomeKind
from tests.svm.examples.loans import (
    AMOUNT,
    COLLATERAL,
    LENT,
    RECIPIENT,
    REMOTE_LENT,
    REMOTE_NONE,
    REMOTE_REPAID,
    UNKNOWN,
    WAITING,
    Loan,
    Pool,
    open_pool,
    told,
)
from tests.svm.program.ledger import NOW, REMOTE_TARGET, SLOT, Ledger, Refused


@pytest.fixture
def pool(ledger: Ledger) -> Pool:
    return open_pool(ledger)


def rent(loan: Loan) -> int:
    return loan.ledger.svm.minimum_balance_for_rent_exemption(len(loan.ledger.account(loan.key).data))


def test_collateral_is_locked_and_the_lender_is_asked(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    assert ledger.balance(loan.key) == rent(loan) + COLLATERAL
    assert (asked.mode, asked.target, asked.sender[-32:]) == (Mode.CALL, REMOTE_TARGET, bytes(pool.sender))
    words = bytes(loan.key), bytes(12) + RECIPIENT, AMOUNT.to_bytes(32, "big")
    assert asked.payload == bytes.fromhex("d03283dd") + b"".join(words)
    assert asked.metadata == b"xvmcb1\x02" + bytes(loan.key) + b"\x01" + bytes(ledger.sender.pubkey()) + b"\x01"
    assert loan.state()["status"] == WAITING


def test_a_loan_is_repaid_and_its_collateral_unlocked(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    assert loan.state()["status"] == LENT

    asked = loan.settle(2)
    assert (asked.mode, asked.payload) == (Mode.QUERY, bytes.fromhex("52ad0d5e") + bytes(loan.key))
    loan.deliver(asked, 2, told(REMOTE_REPAID))
    locked, before = ledger.balance(loan.key), ledger.balance(ledger.sender.pubkey())
    pending = ledger.balance(loan.pending(2))
    loan.callback(2, told(REMOTE_REPAID))
    assert not loan.is_open
    # what is left of the question comes back as well, but for the callback's share
    assert ledger.balance(ledger.sender.pubkey()) == before + locked + pending - 15_000


@pytest.mark.parametrize("kind", [OutcomeKind.REVERTED, OutcomeKind.UNREACHED, OutcomeKind.EXPIRED])
def test_a_loan_that_is_not_paid_out_is_unlocked(ledger: Ledger, pool: Pool, kind: OutcomeKind) -> None:
    loan, asked = pool.borrow(ledger.sender)
    before = ledger.balance(ledger.sender.pubkey())
    loan.answer(asked, 1, b"", kind)
    assert not loan.is_open
    assert ledger.balance(ledger.sender.pubkey()) > before + COLLATERAL


def test_a_loan_that_is_owed_stays_locked_and_can_be_asked_about_again(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    loan.answer(loan.settle(2), 2, told(REMOTE_LENT))
    assert (loan.is_open, loan.state()["is_asking"]) == (True, False)
    loan.answer(loan.settle(3), 3, told(REMOTE_REPAID))
    assert not loan.is_open


@pytest.mark.parametrize("kind", [OutcomeKind.REVERTED, OutcomeKind.UNREACHED])
def test_a_question_that_fails_leaves_the_loan_as_it_was(ledger: Ledger, pool: Pool, kind: OutcomeKind) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    loan.answer(loan.settle(2), 2, told(REMOTE_REPAID), kind)
    assert (loan.state()["status"], loan.state()["is_asking"]) == (LENT, False)


def test_a_loan_without_an_answer_is_unlocked_when_it_is_known_never_to_have_been(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    ledger.set_time(asked.expiry + 300, SLOT + 2_001)
    with pytest.raises(Refused, match="ExpiryNotOver"):
        loan.give_up(1)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    loan.give_up(1)
    assert (loan.state()["status"], loan.is_open) == (UNKNOWN, True)
    loan.answer(loan.settle(2), 2, told(REMOTE_NONE))
    assert not loan.is_open


def test_a_loan_without_an_answer_may_have_been_paid_out(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    loan.give_up(1)
    loan.answer(loan.settle(2), 2, told(REMOTE_LENT))
    assert (loan.state()["status"], loan.is_open) == (LENT, True)
    loan.answer(loan.settle(3), 3, told(REMOTE_REPAID))
    assert not loan.is_open


def test_a_question_without_an_answer_is_given_up_and_asked_again(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    loan.settle(2)
    with pytest.raises(Refused, match="StillWaiting"):
        loan.settle(3)
    ledger.set_time(NOW + 1_000, SLOT + 2_001)
    loan.give_up(2)
    assert loan.state()["status"] == LENT
    loan.answer(loan.settle(3), 3, told(REMOTE_REPAID))
    assert not loan.is_open


def test_anybody_may_pay_for_asking(ledger: Ledger, pool: Pool) -> None:
    loan, asked = pool.borrow(ledger.sender)
    loan.answer(asked, 1)
    asked = loan.settle(2, ledger.guardian)
    loan.deliver(asked, 2, told(REMOTE_REPAID))
    loan.callback(2, told(REMOTE_REPAID), payer=ledger.guardian)
    assert not loan.is_open


def test_borrowers_and_loans_do_not_stand_in_each_other_s_way(ledger: Ledger, pool: Pool) -> None:
    loans = [pool.borrow(ledger.sender), pool.borrow(ledger.sender, 1), pool.borrow(ledger.guardian)]
    assert [asked.nonce for _, asked in loans] == [0, 1, 2]
    for loan, asked in reversed(loans):
        loan.answer(asked, 1)
        assert loan.state()["status"] == LENT
