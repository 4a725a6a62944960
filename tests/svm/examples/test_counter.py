"""The counter: an ordinary target, called by wallets and by remote senders."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from attestation.request import Request
from attestation.statement import OutcomeKind
from tests.svm.examples.programs import COUNT, COUNTER, send, writable
from tests.svm.program.ledger import (
    REMOTE_SENDER,
    SLOT,
    Ledger,
    Refused,
    inbound_request,
    keypair,
    own_account,
    payload,
)


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    send(ledger, COUNTER, "initialize", {"payer": ledger.payer.pubkey(), "counter": COUNT})
    return ledger


def count(ledger: Ledger) -> int:
    return int(state(ledger)["count"])


def state(ledger: Ledger) -> dict[str, object]:
    return COUNTER.decode_account("Counter", bytes(ledger.account(COUNT).data))


def increment(amount: int) -> bytes:
    return COUNTER.instruction_data("increment", {"amount": amount})


def request_from_afar(call: bytes, accounts: list[AccountMeta], **changes: Any) -> tuple[Request, list[AccountMeta]]:
    """A request to the counter, and its accounts as a submitter passes them."""
    passed = [AccountMeta(one.pubkey, is_signer=False, is_writable=one.is_writable) for one in accounts]
    return inbound_request(COUNTER.address, payload(call, accounts), **changes), passed


def test_it_counts_and_returns_the_count(ledger: Ledger) -> None:
    for amount, expected in ((5, 5), (2, 7)):
        sent = send(ledger, COUNTER, "increment", {"counter": COUNT}, {"amount": amount})
        assert sent.return_data == struct.pack("<Q", expected)
    assert send(ledger, COUNTER, "read", {"counter": COUNT}).return_data == struct.pack("<Q", 7)
    assert state(ledger)["last_caller"] == Pubkey.default()


def test_a_count_does_not_wrap_around(ledger: Ledger) -> None:
    send(ledger, COUNTER, "increment", {"counter": COUNT}, {"amount": 2**64 - 1})
    with pytest.raises(Refused, match="Overflow"):
        send(ledger, COUNTER, "increment", {"counter": COUNT}, {"amount": 1})


def test_there_is_one_counter(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="AlreadyInitialized"):
        send(ledger, COUNTER, "initialize", {"payer": ledger.payer.pubkey(), "counter": COUNT})


def test_a_remote_sender_is_known_by_its_own_account(ledger: Ledger) -> None:
    own = own_account(REMOTE_SENDER)
    accounts = [writable(COUNT), AccountMeta(own, is_signer=True, is_writable=False)]
    asked, passed = request_from_afar(increment(3), accounts, own_account=True)
    event = ledger.execute(asked, more=passed).event("XVMCallConcluded")
    assert (event["kind"], event["return_data"]) == (OutcomeKind.EXECUTED, struct.pack("<Q", 3))
    assert state(ledger)["last_caller"] == own


def test_a_remote_sender_that_lends_no_account_is_nobody_in_particular(ledger: Ledger) -> None:
    accounts = [writable(COUNT), AccountMeta(COUNTER.address, is_signer=False, is_writable=False)]
    asked, passed = request_from_afar(increment(3), accounts)
    ledger.execute(asked, more=passed)
    assert (count(ledger), state(ledger)["last_caller"]) == (3, Pubkey.default())


def test_who_does_not_sign_is_not_the_caller(ledger: Ledger) -> None:
    """SECURITY: anybody may be named."""
    accounts = [writable(COUNT), AccountMeta(own_account(REMOTE_SENDER), is_signer=False, is_writable=False)]
    asked, passed = request_from_afar(increment(3), accounts)
    with pytest.raises(Refused, match="MissingSigner"):
        ledger.execute(asked, more=passed)


@pytest.mark.parametrize("code", [1, 4_242])
def test_a_call_that_fails_is_not_consumed_and_expires(ledger: Ledger, code: int) -> None:
    asked = inbound_request(COUNTER.address, payload(COUNTER.instruction_data("fail", {"code": code})))
    with pytest.raises(Refused) as refused:
        ledger.execute(asked)
    assert f"custom program error: {code:#x}" in str(refused.value.logs)
    ledger.set_time(asked.expiry + 1, SLOT)
    assert ledger.execute(asked, certified=True).event("XVMCallConcluded")["kind"] == OutcomeKind.EXPIRED


def test_a_failure_without_a_number_is_a_failure(ledger: Ledger) -> None:
    with pytest.raises(Refused):
        send(ledger, COUNTER, "fail", {}, {"code": 0})


def test_it_burns_what_it_is_given(ledger: Ledger) -> None:
    few = send(ledger, COUNTER, "burn", {}, {"rounds": 10}).units
    assert send(ledger, COUNTER, "burn", {}, {"rounds": 1_010}).units - few > 80_000
    with pytest.raises(Refused):
        send(ledger, COUNTER, "burn", {}, {"rounds": 2**64 - 1})


@pytest.mark.parametrize("length", [1, 1_024])
def test_it_answers_at_length(ledger: Ledger, length: int) -> None:
    asked = inbound_request(
        COUNTER.address, payload(COUNTER.instruction_data("answer", {"length": length})), return_limit=600
    )
    event = ledger.execute(asked).event("XVMCallConcluded")
    assert (event["return_data"], event["cut"]) == (b"\xab" * min(length, 600), length > 600)


def test_another_account_is_no_counter(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="WrongOwner"):
        send(ledger, COUNTER, "increment", {"counter": keypair("other").pubkey()}, {"amount": 1})


def test_it_answers_no_more_than_the_chain_returns(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="OutOfBounds"):
        send(ledger, COUNTER, "answer", {}, {"length": 1_025})
