"""Outcomes on a CosmWasm chain: who is paid, who is told, and what a handler that fails leaves."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.keccak import keccak256
from attestation.request import RequestId, request_id
from attestation.statement import OutcomeKind
from tests.cosmwasm.contract.ledger import PAYEE, Refused, b64, compact, hexed
from tests.cosmwasm.contract.source_side import SourceLedger, cancelling, statement_of

EXECUTION, CALLBACK, SIGNERS = 1_200_128, 1_080_720, 119_042
"""The shares of a request with a payload of four bytes and every default."""

KEPT = 120_000 * 10_000 // EXECUTION + 1
"""1/10,000 of the execution share, rounded up, that concluding without running earns."""


def asked(source: SourceLedger, **options: Any) -> RequestId:
    """The id of a request by an account."""
    return request_id(source.ask_from(source.asker, **options)[0])


def asked_by_probe(source: SourceLedger, **options: Any) -> RequestId:
    """The id of a request by the probe."""
    return request_id(source.ask_by_contract(source.probe, **options))


def test_an_account_gets_its_outcome_as_an_event(source: SourceLedger) -> None:
    event = source.deliver(source.outcome(asked(source))).event("XVMCallbackDelivered")
    assert event["success"] == "true"
    assert event["kind"] == "0"
    assert event["return_data_hash"] == hexed(keccak256(b"done"))
    assert event["deliverer"] == source.relayer


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_a_contract_is_called_back_by_the_gateway(source: SourceLedger, kind: OutcomeKind) -> None:
    requested = asked_by_probe(source)
    data = b"" if kind is OutcomeKind.EXPIRED else b"\0" * 32
    sent = source.deliver(source.outcome(requested, kind, data))
    success = kind in {OutcomeKind.EXECUTED, OutcomeKind.DUPLICATE}
    assert source.callbacks_of(source.probe) == [
        {"sender": source.gateway, "request_id": hexed(requested), "success": success, "return_data": b64(data)}
    ]
    assert sent.names == ["XVMCallbackDelivered"]
    assert sent.event("XVMCallbackDelivered")["success"] == str(success).lower()
    assert source.pending(requested)["state"] == 0


@pytest.mark.parametrize(
    ("word", "success"),
    [(b"\0" + b"\1" * 31, True), (b"\1" + bytes(31), False), (bytes(31), False), (bytes(33), False)],
)
def test_a_duplicate_succeeded_if_the_attempt_it_names_did(source: SourceLedger, word: bytes, *, success: bool) -> None:
    source.deliver(source.outcome(asked_by_probe(source), OutcomeKind.DUPLICATE, word))
    assert source.callbacks_of(source.probe)[0]["success"] is success


def test_payee_deliverer_and_signers_are_paid_their_shares(source: SourceLedger) -> None:
    source.deliver(source.outcome(asked(source)), source.outcome(asked(source)))
    assert source.credit_of(source.payee_account()) == 2 * EXECUTION
    assert source.credit_of(source.relayer) == 2 * CALLBACK
    assert source.tell("signers_pool", epoch="1") == str(2 * SIGNERS)
    assert source.balance_of(source.gateway) == 2 * (EXECUTION + CALLBACK + SIGNERS)


@pytest.mark.parametrize("kind", [OutcomeKind.EXPIRED, OutcomeKind.DUPLICATE])
def test_who_ran_nothing_earns_little_and_the_asker_gets_the_rest(source: SourceLedger, kind: OutcomeKind) -> None:
    source.deliver(source.outcome(asked(source), kind))
    kept = EXECUTION * KEPT // 10_000
    assert source.credit_of(source.payee_account()) == kept
    assert source.credit_of(source.asker) == EXECUTION - kept


def test_a_payee_is_an_account_a_contract_or_else_the_treasury(source: SourceLedger) -> None:
    contract = source.keeper.addresses.parse(source.probe)
    source.deliver(
        source.outcome(asked(source), payee=contract),
        source.outcome(asked(source), payee=bytes(32)),
        source.outcome(asked(source), payee=PAYEE),
    )
    for account in (source.probe, source.treasury, source.payee_account()):
        assert source.credit_of(account) == EXECUTION


def test_credits_are_withdrawn_whole_to_whom_their_owner_says(source: SourceLedger) -> None:
    source.deliver(source.outcome(asked(source)))
    before = source.balance_of(source.relayer)
    event = source.act(source.relayer, "withdraw", {}).event("XVMWithdrawn")
    assert event == {"account": source.relayer, "to": source.relayer, "amount": str(CALLBACK)}
    assert source.balance_of(source.relayer) == before + CALLBACK
    with pytest.raises(Refused, match="NoCredit"):
        source.act(source.relayer, "withdraw", {})
    source.deliver(source.outcome(asked(source)))
    source.act(source.relayer, "withdraw", {"to": source.treasury})
    assert source.balance_of(source.treasury) == CALLBACK


def test_what_signers_earned_is_collected_for_the_treasury(source: SourceLedger) -> None:
    source.deliver(source.outcome(asked(source)))
    event = source.act(source.asker, "collect", {"epoch": "1"}).event("XVMSignersPaid")
    assert event == {"epoch": "1", "amount": str(SIGNERS)}
    assert source.credit_of(source.treasury) == SIGNERS
    with pytest.raises(Refused, match="NoCredit"):
        source.act(source.asker, "collect", {"epoch": "1"})


def test_what_is_not_pending_is_skipped_and_the_rest_goes_on(source: SourceLedger) -> None:
    done, fresh = asked(source), asked(source)
    source.deliver(source.outcome(done))
    sent = source.deliver(source.outcome(done), source.outcome(RequestId(b"\7" * 32)), source.outcome(fresh))
    assert sorted(sent.names) == ["XVMCallbackDelivered", "XVMOutcomeSkipped", "XVMOutcomeSkipped"]
    assert source.credit_of(source.relayer) == 2 * CALLBACK


def test_several_batches_with_bare_leaves_go_in_one_transaction(source: SourceLedger) -> None:
    ids = [asked(source) for _ in range(5)]
    outcomes = [source.outcome(one) for one in ids]
    leaves = [statement_of(outcome).leaf for outcome in outcomes]
    given = {
        "given": "0x05",
        "bare": [hexed(leaves[1])],
        "outcomes": [outcomes[0], outcomes[2]],
        "certificate": b64(source.certificate(leaves[:3])),
    }
    sent = source.act(source.relayer, "deliver", {"batches": [given, source.delivery(*outcomes[3:])]})
    assert [event["request_id"] for event in sent.all("XVMCallbackDelivered")] == [hexed(ids[n]) for n in (0, 2, 3, 4)]
    assert source.pending(ids[1])["state"] == 1


def test_a_handler_that_fails_is_paid_for_and_can_be_replayed_by_anyone(source: SourceLedger) -> None:
    requested = asked_by_probe(source, callback_gas_limit="200000")
    source.close(source.probe)
    outcome = source.outcome(requested)
    event = source.deliver(outcome).event("XVMHandlerFailed")
    assert event["outcome_hash"] == hexed(statement_of(outcome).struct_hash)
    assert event["deliverer"] == source.relayer
    pending = source.pending(requested)
    assert (pending["state"], pending["fee"], pending["requester"]) == (2, "0", source.probe)
    assert source.credit_of(source.relayer) > 0

    def replay(outcome: dict[str, Any], gas_limit: int = 200_000) -> Any:
        return source.act(source.asker, "retry_callback", {"outcome": outcome, "gas_limit": str(gas_limit)})

    with pytest.raises(Refused, match="HandlerFailedAgain"):
        replay(outcome)
    assert source.pending(requested)["state"] == 2
    source.close(source.probe, closed=False)
    with pytest.raises(Refused, match="CallbackGasTooLow: 199999, 200000"):
        replay(outcome, 199_999)
    with pytest.raises(Refused, match="OtherOutcome"):
        replay({**outcome, "return_data": b64(b"other")})
    assert source.deliver(outcome).names == ["XVMOutcomeSkipped"]
    delivered = replay(outcome, 2**64 - 1).event("XVMCallbackDelivered")
    assert delivered["deliverer"] == source.asker
    assert [told["success"] for told in source.callbacks_of(source.probe)] == [True]
    with pytest.raises(Refused, match="NotHandlerFailed"):
        replay(outcome)


def test_the_outcome_of_a_cancelled_request_pays_and_calls_nobody(source: SourceLedger) -> None:
    asked_for = source.ask_by_contract(source.probe)
    source.pass_deadline()
    source.probe_sends(source.probe, source.gateway_call("cancel", cancelling(asked_for)))
    sent = source.deliver(source.outcome(request_id(asked_for), OutcomeKind.EXPIRED))
    assert sent.event("XVMCancelledConcluded") == {
        "request_id": hexed(request_id(asked_for)),
        "kind": "3",
        "deliverer": source.relayer,
    }
    assert source.callbacks_of(source.probe) == []
    kept = EXECUTION * KEPT // 10_000
    assert source.credit_of(source.payee_account()) == kept
    assert source.credit_of(source.probe) == EXECUTION - kept
    assert source.credit_of(source.relayer) == 0


def test_a_handler_may_ask_again_at_once(source: SourceLedger) -> None:
    requested = asked_by_probe(source, callback_gas_limit="2000000")
    call = source.gateway_call("xvm_execute", source.asked(), 10**8)
    act = {"send": {"guarded": False, "messages": [b64(compact(call))]}}
    source.send(source.owner, source.probe, {"when_called_back": {"act": b64(compact(act))}})
    sent = source.deliver(source.outcome(requested))
    assert sorted(sent.names) == ["XVMCallRequested", "XVMCallbackDelivered"]
    assert source.tell("next_nonce", sender=source.probe) == "2"
