"""A loan abroad against coins here, from locking to unlocking."""

from __future__ import annotations

import pytest

from attestation.request import Mode, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import hexed
from tests.cosmwasm.contract.source_side import REMOTE_TARGET
from tests.cosmwasm.examples.loans import (
    AMOUNT,
    COLLATERAL,
    LENT,
    RECIPIENT,
    REMOTE_LENT,
    REMOTE_NONE,
    REMOTE_REPAID,
    UNKNOWN,
    WAITING,
    Pool,
    open_pool,
    told,
)


@pytest.fixture
def pool() -> Pool:
    return open_pool()


def test_collateral_is_locked_and_the_lender_is_asked(pool: Pool) -> None:
    ledger = pool.ledger
    before = ledger.balance_of(ledger.asker)
    asked = pool.borrow(ledger.asker)
    assert pool.holds == COLLATERAL
    fee = int(ledger.pending(request_id(asked))["fee"])
    assert before - ledger.balance_of(ledger.asker) == COLLATERAL + fee
    assert (asked.mode, asked.target, asked.sender) == (
        Mode.CALL,
        REMOTE_TARGET,
        ledger.interoperable(pool.contract),
    )
    words = told(1), bytes(12) + RECIPIENT, AMOUNT.to_bytes(32, "big")
    assert asked.payload == bytes.fromhex("d03283dd") + b"".join(words)
    assert pool.loan() == {
        "borrower": ledger.asker,
        "amount": str(AMOUNT),
        "collateral": str(COLLATERAL),
        "status": WAITING,
        "is_asking": True,
        "request_id": hexed(request_id(asked)),
    }


def test_a_loan_is_repaid_and_its_collateral_unlocked(pool: Pool) -> None:
    ledger = pool.ledger
    assert pool.deliver(pool.borrow(ledger.asker)) == ["XVMCallbackDelivered"]
    assert (pool.loan()["status"], pool.loan()["is_asking"]) == (LENT, False)

    asked = pool.settle(ledger.owner)
    assert (asked.mode, asked.payload) == (Mode.QUERY, bytes.fromhex("52ad0d5e") + told(1))
    before = ledger.balance_of(ledger.asker)
    assert pool.deliver(asked, data=told(REMOTE_REPAID)) == ["XVMCallbackDelivered"]
    assert ledger.balance_of(ledger.asker) == before + COLLATERAL
    assert (pool.loan(), pool.holds) == (None, 0)


@pytest.mark.parametrize("kind", [OutcomeKind.REVERTED, OutcomeKind.UNREACHED, OutcomeKind.EXPIRED])
def test_what_was_not_paid_out_is_unlocked(pool: Pool, kind: OutcomeKind) -> None:
    pool.deliver(pool.borrow(pool.ledger.asker), kind)
    assert (pool.loan(), pool.holds) == (None, 0)


@pytest.mark.parametrize("data", [told(REMOTE_LENT), told(REMOTE_NONE), told(7), b"", b"\x02", b"\xff" * 32])
def test_a_loan_that_is_lent_stays_locked_whatever_but_repaid_is_told(pool: Pool, data: bytes) -> None:
    """SECURITY: `NONE` comes from a block that is a moment too old."""
    pool.deliver(pool.borrow(pool.ledger.asker))
    assert pool.deliver(pool.settle(pool.ledger.asker), data=data) == ["XVMCallbackDelivered"]
    assert (pool.loan()["status"], pool.holds) == (LENT, COLLATERAL)
    pool.deliver(pool.settle(pool.ledger.asker), data=told(REMOTE_REPAID))
    assert pool.holds == 0


def test_giving_up_unlocks_nothing_until_the_lender_says_so(pool: Pool) -> None:
    ledger = pool.ledger
    asked = pool.borrow(ledger.asker)
    ledger.pass_deadline()
    before = ledger.balance_of(ledger.asker)
    pool.give_up(ledger.asker, asked)
    assert ledger.balance_of(ledger.asker) > before
    assert (pool.loan()["status"], pool.holds) == (UNKNOWN, COLLATERAL)
    pool.deliver(pool.settle(ledger.asker), data=told(REMOTE_NONE))
    assert (pool.loan(), pool.holds) == (None, 0)


def test_what_was_given_up_and_is_lent_stays_locked_until_repaid(pool: Pool) -> None:
    ledger = pool.ledger
    asked = pool.borrow(ledger.asker)
    ledger.pass_deadline()
    pool.give_up(ledger.asker, asked)
    pool.deliver(pool.settle(ledger.asker), data=told(REMOTE_LENT))
    assert (pool.loan()["status"], pool.holds) == (LENT, COLLATERAL)
    pool.deliver(pool.settle(ledger.asker), data=told(REMOTE_REPAID))
    assert pool.holds == 0


def test_loans_are_apart(pool: Pool) -> None:
    ledger = pool.ledger
    first, second = pool.borrow(ledger.asker), pool.borrow(ledger.owner, amount=20)
    assert first.payload[4:36] == told(1)
    assert second.payload[4:36] == told(2)
    pool.deliver(second, OutcomeKind.REVERTED)
    pool.deliver(first)
    assert pool.loan(2) is None
    assert (pool.loan(1)["status"], pool.holds) == (LENT, COLLATERAL)
