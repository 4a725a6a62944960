"""Collateral stays where it is, whoever says what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attestation.request import request_id
from tests.cosmwasm.contract.ledger import Refused, b64, compact, hexed
from tests.cosmwasm.contract.source_side import REMOTE_TARGET, SourceLedger
from tests.cosmwasm.examples.loans import (
    AMOUNT,
    COLLATERAL,
    LENT,
    RECIPIENT,
    REMOTE_REPAID,
    WAITING,
    Pool,
    new_contract,
    open_pool,
    told,
)


@pytest.fixture
def pool() -> Pool:
    return open_pool()


def callback(request: bytes, data: bytes = b"", *, success: bool = True) -> dict[str, object]:
    return {"xvm_callback": {"request_id": hexed(request), "success": success, "return_data": b64(data)}}


def test_security_a_callback_that_the_gateway_did_not_send_is_refused(pool: Pool) -> None:
    """SECURITY: anybody can send the message."""
    ledger = pool.ledger
    asked = pool.borrow(ledger.asker)
    for sender in (ledger.asker, ledger.owner, ledger.relayer):
        with pytest.raises(Refused, match="OnlyGateway"):
            ledger.send(sender, pool.contract, callback(request_id(asked), success=False))
    assert (pool.loan()["status"], pool.holds) == (WAITING, COLLATERAL)


def test_security_the_executor_cannot_play_the_gateway(pool: Pool) -> None:
    """SECURITY: a request from elsewhere may call this contract like any other."""
    ledger = pool.ledger
    pool.deliver(pool.borrow(ledger.asker))
    asked = pool.settle(ledger.asker)
    forged = compact(callback(request_id(asked), told(REMOTE_REPAID)))
    for own_account in (False, True):
        request = ledger.request(
            nonce=int(own_account),
            payload=forged,
            target=ledger.interoperable(pool.contract),
            own_account=own_account,
        )
        assert ledger.run(request).event("XVMCallConcluded")["kind"] == "1"
    assert (pool.loan()["status"], pool.holds) == (LENT, COLLATERAL)


def test_security_one_loan_s_answer_says_nothing_of_another(pool: Pool) -> None:
    """SECURITY: a small loan that is repaid must not unlock a large one."""
    ledger = pool.ledger
    for amount in (AMOUNT, 10):
        pool.deliver(pool.borrow(ledger.asker, amount=amount))
    pool.deliver(pool.settle(ledger.asker, 2), data=told(REMOTE_REPAID))
    assert (pool.loan(1)["status"], pool.loan(2), pool.holds) == (LENT, None, COLLATERAL)


def test_security_nothing_is_withdrawn_while_it_is_lent_or_asked_about(pool: Pool) -> None:
    """SECURITY: no message but the lender's word ends a loan."""
    ledger = pool.ledger
    asked = pool.borrow(ledger.asker)
    with pytest.raises(Refused, match="StillWaiting"):
        pool.settle(ledger.asker)
    with pytest.raises(Refused, match="DeadlineNotOver"):
        pool.give_up(ledger.asker, asked)
    pool.deliver(asked)
    with pytest.raises(Refused, match="NotWaiting"):
        pool.give_up(ledger.asker, asked)
    assert pool.deliver(asked) == ["XVMOutcomeSkipped"]
    assert (pool.loan()["status"], pool.holds) == (LENT, COLLATERAL)


def test_security_only_the_borrower_gives_up_and_only_this_loan_s_question(pool: Pool) -> None:
    """SECURITY: the gateway cancels any request of this contract's, for it is the contract that asks."""
    ledger = pool.ledger
    first, second = pool.borrow(ledger.asker), pool.borrow(ledger.owner)
    ledger.pass_deadline()
    with pytest.raises(Refused, match="OnlyBorrower"):
        pool.give_up(ledger.owner, first)
    with pytest.raises(Refused, match="OtherQuestion"):
        pool.give_up(ledger.owner, first, 2)
    with pytest.raises(Refused, match="WrongFunds"):
        pool.give_up(ledger.owner, second, 2, funds=1)
    assert [pool.loan(loan)["status"] for loan in (1, 2)] == [WAITING, WAITING]
    pool.give_up(ledger.owner, second, 2)
    pool.give_up(ledger.asker, first)
    assert pool.holds == 2 * COLLATERAL


def test_security_a_loan_without_its_whole_collateral_is_none(pool: Pool) -> None:
    """SECURITY: what is not locked cannot secure anything."""
    ledger = pool.ledger
    fee = int(ledger.pending(request_id(pool.borrow(ledger.asker)))["fee"])
    with pytest.raises(Refused, match="InsufficientFunds"):
        pool.borrow(ledger.asker, funds=fee + COLLATERAL - 1)
    ledger.keeper.mint(ledger.asker, {"junk": 10**12})
    body = {"borrow": {"amount": str(AMOUNT), "recipient": hexed(RECIPIENT)}}
    paid = ledger.keeper.execute(ledger.asker, pool.contract, compact(body), funds={"junk": 10**12})
    assert "WrongFunds" in paid.log
    pool.borrow(ledger.asker, funds=fee + COLLATERAL)


@pytest.mark.parametrize("amount", ["0", str(2**128), "-1", "1.5", ""])
def test_amounts_out_of_bounds_are_refused(pool: Pool, amount: str) -> None:
    with pytest.raises(Refused, match=r"OutOfBounds|MalformedField"):
        pool.do(pool.ledger.asker, "borrow", amount=amount, recipient=hexed(RECIPIENT))
    with pytest.raises(Refused, match=r"OutOfBounds|InsufficientFunds"):
        pool.do(pool.ledger.asker, "borrow", amount=str(2**128 - 1), recipient=hexed(RECIPIENT))


def test_security_the_lender_is_named_once_by_the_creator() -> None:
    """SECURITY: whoever names the lender says what is repaid."""
    ledger = SourceLedger().open()
    contract = new_contract(ledger)
    naming = {"open": {"lender": hexed(REMOTE_TARGET)}}
    tries: list[tuple[str, Callable[[], object]]] = [
        ("OnlyCreator", lambda: ledger.send(ledger.asker, contract, naming)),
        ("NotOpen", lambda: Pool(ledger, contract).borrow(ledger.asker)),
    ]
    for refusal, attempt in tries:
        with pytest.raises(Refused, match=refusal):
            attempt()
    ledger.send(ledger.owner, contract, naming)
    with pytest.raises(Refused, match="AlreadyOpen"):
        ledger.send(ledger.owner, contract, naming)
