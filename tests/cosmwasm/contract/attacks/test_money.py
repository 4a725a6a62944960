"""Coins that are not owed, not paid, or paid twice."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.request import RequestId, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import DENOM, Refused, compact, hexed, word
from tests.cosmwasm.contract.source_side import ENOUGH, WEEK, SourceLedger, cancelling, retrying

OTHER = "factory/someone/uxvm"


def pay(source: SourceLedger, name: str, body: Any, funds: dict[str, int]) -> Any:
    """A message of the asker's with any coins. Raises `Refused`."""
    source.keeper.mint(source.asker, funds)
    result = source.keeper.execute(source.asker, source.gateway, compact({name: body}), funds=funds)
    if result.code:
        raise Refused(result.log)
    return result


@pytest.mark.parametrize("funds", [{OTHER: ENOUGH}, {DENOM: ENOUGH, OTHER: 1}, {"axvm": 1, DENOM: ENOUGH}])
def test_security_only_one_coin_of_the_fees_denomination_pays(source: SourceLedger, funds: dict[str, int]) -> None:
    """SECURITY: a denomination that anybody can make pays for nothing, nor does what comes along stay here."""
    requested, _ = source.ask_from(source.asker)
    source.pass_deadline()
    for name, body in (
        ("xvm_execute", source.asked()),
        ("add_fee", {"request_id": hexed(request_id(requested))}),
        ("retry", retrying(requested)),
    ):
        with pytest.raises(Refused, match="WrongFunds"):
            pay(source, name, body, funds)


def test_security_messages_that_take_no_money_refuse_it(source: SourceLedger) -> None:
    """SECURITY: coins that no record counts would be nobody's."""
    requested, _ = source.ask_from(source.asker)
    for name, body in (("cancel", cancelling(requested)), ("withdraw", {}), ("deliver", {"batches": []})):
        with pytest.raises(Refused, match="WrongFunds"):
            pay(source, name, body, {DENOM: 1})


def test_security_a_request_that_is_not_paid_is_not_made(source: SourceLedger) -> None:
    """SECURITY: an unpaid request would be executed at others' cost, and paid from others' fees."""
    with pytest.raises(Refused, match=r"InsufficientFee: [0-9]+, 0"):
        source.ask_from(source.asker, funds=0)
    requested, _ = source.ask_from(source.asker)
    with pytest.raises(Refused, match="InsufficientFee: 1, 0"):
        source.act(source.asker, "add_fee", {"request_id": hexed(request_id(requested))})


def test_security_queries_cost_what_signers_compute(source: SourceLedger) -> None:
    """SECURITY: were it free, an asker could burn all signers' time for a callback's price."""
    fees = [
        int(source.tell("quote", target=source.asked()["target"], payload_length=0, options=options))
        for options in ({"mode": 1}, {"mode": 1, "execution_gas_limit": "10000000"})
    ]
    assert fees[1] - fees[0] == (10_000_000 - 500_000) * 2 // 10


def test_security_no_outcome_is_paid_for_twice(source: SourceLedger) -> None:
    """SECURITY: a request is over once it is delivered, within a batch as across transactions."""
    requested, _ = source.ask_from(source.asker)
    source.ask_from(source.asker)
    outcome, other = source.outcome(request_id(requested)), source.outcome(request_id(requested), OutcomeKind.REVERTED)
    sent = source.deliver(outcome, outcome, other)
    assert sorted(sent.names) == ["XVMCallbackDelivered", "XVMOutcomeSkipped", "XVMOutcomeSkipped"]
    credit = source.credit_of(source.payee_account())
    source.deliver(outcome)
    assert source.credit_of(source.payee_account()) == credit


def test_security_a_credit_is_withdrawn_once(source: SourceLedger) -> None:
    """SECURITY: two withdrawals in one transaction take one credit."""
    requested, _ = source.ask_from(source.asker)
    source.ask_from(source.asker)
    source.deliver(source.outcome(request_id(requested), payee=source.keeper.addresses.parse(source.probe)))
    withdraw = source.gateway_call("withdraw", {})
    with pytest.raises(Refused, match="failed to execute message"):
        source.probe_sends(source.probe, withdraw, withdraw)
    source.probe_sends(source.probe, withdraw)
    assert source.credit_of(source.probe) == 0


def test_security_a_cancelled_fee_waits_for_who_may_have_earned_it(source: SourceLedger) -> None:
    """SECURITY: a requester cannot take back what was executed, until nobody can show it any more; and once."""
    requested, _ = source.ask_from(source.asker)
    request = {"request_id": hexed(request_id(requested))}
    with pytest.raises(Refused, match="NotCancelled"):
        source.act(source.asker, "reclaim", request)
    source.pass_deadline()
    source.act(source.asker, "cancel", cancelling(requested))
    source.keeper.advance(WEEK - 1)
    with pytest.raises(Refused, match="TooEarlyToReclaim"):
        source.act(source.asker, "reclaim", request)
    source.deliver(source.outcome(request_id(requested)))
    assert source.credit_of(source.payee_account()) == 1_200_128
    source.keeper.advance(1)
    with pytest.raises(Refused, match="NotCancelled"):
        source.act(source.asker, "reclaim", request)


@pytest.mark.parametrize("field", ["nonce", "expiry", "payload", "sender", "origin", "metadata"])
def test_security_another_request_is_not_given_up_for_this_one(source: SourceLedger, field: str) -> None:
    """SECURITY: an earlier expiry, or another's request, would free a fee before its time."""
    requested, _ = source.ask_from(source.asker, expiry=str(source.now + 5_000))
    source.pass_deadline()
    body = cancelling(requested)
    body["request"][field] = {
        "nonce": "1",
        "expiry": "0",
        "payload": "",
        "sender": hexed(source.interoperable(source.owner)),
        "origin": word(1),
        "metadata": "AAAA",
    }[field]
    with pytest.raises(Refused, match="NotPending"):
        source.act(source.asker, "cancel", body)


def test_security_a_request_is_its_askers(source: SourceLedger) -> None:
    """SECURITY: nobody else gives it up, nor before a deliverer could have brought its outcome."""
    requested, _ = source.ask_from(source.asker)
    with pytest.raises(Refused, match="DeadlineNotOver"):
        source.act(source.asker, "cancel", cancelling(requested))
    source.pass_deadline()
    for stranger in (source.owner, source.relayer, source.guardian):
        with pytest.raises(Refused, match="NotRequester"):
            source.act(stranger, "cancel", cancelling(requested))


def test_security_a_sender_cannot_drown_the_others(source: SourceLedger) -> None:
    """SECURITY: its requests in a window are limited, whatever it pays; retries count."""
    requested, _ = source.ask_from(source.asker)
    source.pass_deadline()
    source.act(source.owner, "set_sender_limit", {"window_blocks": 1_000, "max_requests": 1})
    source.act(source.asker, "retry", retrying(requested), funds=ENOUGH)
    with pytest.raises(Refused, match="SenderLimit"):
        source.ask_from(source.asker)


def test_security_uncertified_outcomes_pay_nobody(source: SourceLedger) -> None:
    """SECURITY: every field of an outcome is what was signed, and each item has its leaf."""
    requested, _ = source.ask_from(source.asker)
    true = source.outcome(request_id(requested))
    forgeries = {
        "payee": hexed(source.keeper.addresses.parse(source.probe)),
        "return_data": "AAAA",
        "kind": 1,
        "cut": True,
        "height": "71",
        "block_hash": word(1),
        "tx_index": 4,
        "log_index": 2,
        "round": 1,
        "request_id": hexed(RequestId(b"\1" * 32)),
    }
    batch = source.delivery(true)
    for field, value in forgeries.items():
        forged = {**batch, "outcomes": [{**true, field: value}]}
        with pytest.raises(Refused, match="ForgedSignature"):
            source.act(source.relayer, "deliver", {"batches": [forged]})
    for broken in (
        {"given": "0x"},
        {"given": "0x03"},
        {"outcomes": []},
        {"given": "0x02", "bare": [word(1)], "outcomes": [true] * 2},
    ):
        with pytest.raises(Refused, match=r"MalformedBatch|EmptyBatch"):
            source.act(source.relayer, "deliver", {"batches": [{**batch, **broken}]})
    source.act(source.relayer, "deliver", {"batches": [batch]})
