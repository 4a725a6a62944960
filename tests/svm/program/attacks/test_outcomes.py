"""Outcomes of requests from here, and who is paid for them."""

from __future__ import annotations

from solders.account import Account

from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    clone,
    delivered,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    PROGRAM,
    Ledger,
    address,
    epoch_address,
    pending_address,
    root_address,
)


def test_security_an_outcome_is_certified_and_its_request_s_and_comes_once(ledger: Ledger) -> None:
    """SECURITY: or anybody could say what came of a request, or be paid twice."""
    _, first = ledger.request()
    _, second = ledger.request(1)
    one, two = (pending_address(ledger.sender.pubkey(), salt) for salt in (0, 1))
    outcome = ledger.outcome(first)
    with refused("OtherRequest"):
        ledger.deliver(outcome, two)
    batch = ledger.batch([outcome.leaf])
    other = ledger.outcome(second)
    with refused("NotInBatch"):
        ledger.deliver(other, two, certified=True, root=root_address(batch))
    ledger.deliver(outcome, one, certified=True)
    with refused("NotPending"):
        ledger.deliver(outcome, one, certified=True)


def test_security_an_outcome_is_of_a_kind_that_there_is(ledger: Ledger) -> None:
    """SECURITY: what nobody knows is not recorded, whoever signed it; nor is a credit what stands in its place."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    outcome = ledger.outcome(asked)
    credit = address(b"credit", outcome.payee)
    ledger.svm.set_account(credit, Account(10**9, bytes(48), PROGRAM))
    with refused("WrongDiscriminator"):
        ledger.deliver(outcome, pending)
    object.__setattr__(outcome, "kind", 5)
    with refused("MalformedInstruction"):
        ledger.deliver(outcome, pending)


def test_security_a_payee_is_paid_at_its_own_credit(ledger: Ledger) -> None:
    """SECURITY: whoever delivers would name itself; and the credit is its beneficiary's to withdraw."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    payee = ledger.treasury.pubkey()
    mine, theirs = (address(b"credit", bytes(key)) for key in (STRANGER.pubkey(), payee))
    for beneficiary, credit in ((STRANGER.pubkey(), mine), (payee, theirs)):
        ledger.call("open_credit", {"payer": ledger.payer.pubkey(), "beneficiary": beneficiary, "credit": credit})
    outcome = ledger.outcome(asked, payee=bytes(payee))
    with refused("WrongAddress"):
        ledger.deliver(outcome, pending, credit=mine)
    ledger.deliver(outcome, pending, certified=True)
    rent = ledger.svm.minimum_balance_for_rent_exemption(idl.account_length("Credit"))
    assert ledger.balance(theirs) == rent + 600_160
    with refused("NotRequester"):
        ledger.call("withdraw", {"beneficiary": STRANGER.pubkey(), "credit": theirs}, signers=[STRANGER])
    step = idl.instruction(PROGRAM, "withdraw", {"beneficiary": payee, "credit": theirs}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, payee, payee, signer=False))
    forged = clone(ledger, theirs, "forged credit")
    with refused("WrongAddress"):
        ledger.call("withdraw", {"beneficiary": payee, "credit": forged}, signers=[ledger.treasury])
    before = ledger.balance(payee)
    ledger.call("withdraw", {"beneficiary": payee, "credit": theirs}, signers=[ledger.treasury])
    assert (ledger.balance(payee), ledger.balance(theirs)) == (before + 600_160, rent)


def test_security_what_is_collected_goes_to_the_treasury(ledger: Ledger) -> None:
    """SECURITY: anybody may call."""
    delivered(ledger)
    places = {"epoch": epoch_address(1), "treasury": STRANGER.pubkey()}
    with refused("WrongAddress"):
        ledger.call("collect", places)
    before = ledger.balance(ledger.treasury.pubkey())
    ledger.call("collect", {**places, "treasury": ledger.treasury.pubkey()})
    assert ledger.balance(ledger.treasury.pubkey()) == before + 600_160 + 30_000
    ledger.call("collect", {**places, "treasury": ledger.treasury.pubkey()})
    assert ledger.balance(ledger.treasury.pubkey()) == before + 630_160
