"""Accounts that are not what they are shown as."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction

from attestation.address import Chain
from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    answering,
    clone,
    ledger_terms,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    EVENT_AUTHORITY,
    PROBE,
    PROGRAM,
    REMOTE_GATEWAY,
    Ledger,
    epoch_address,
    inbound_address,
    outbound_address,
    pending_address,
    root_address,
)

FORGED = {
    "config": CONFIG,
    "epoch": epoch_address(1),
    "inbound": inbound_address(REMOTE_GATEWAY),
}


@pytest.mark.parametrize("name", ["config", "epoch", "root", "inbound"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type", "short"])
def test_security_execute_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: another's account, another address, another type, one that ends early."""
    step, batch = ledger.execute_step(answering())
    ledger.certify(batch)
    key = {**FORGED, "root": root_address(batch)}[name]
    data = bytes(ledger.account(key).data)
    made = {
        "owner": lambda: (clone(ledger, key, "forged", PROBE), "WrongOwner"),
        "address": lambda: (clone(ledger, key, "forged"), "WrongAddress"),
        "type": lambda: (clone(ledger, key, "forged", data=bytes(8) + data[8:]), "WrongDiscriminator"),
        "short": lambda: (clone(ledger, key, "forged", data=data[:40]), "WrongDiscriminator"),
    }[forgery]
    forged, error = made()
    with refused(error):
        ledger.send(swap(step, key, forged))


@pytest.mark.parametrize("name", ["pending", "root", "epoch", "config"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type"])
def test_security_deliver_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: likewise."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    outcome = ledger.outcome(asked)
    batch = ledger.batch([outcome.leaf])
    ledger.certify(batch)
    key = {**FORGED, "root": root_address(batch), "pending": pending}[name]
    data = bytes(ledger.account(key).data)
    forged = clone(
        ledger,
        key,
        "forged",
        PROBE if forgery == "owner" else PROGRAM,
        bytes(8) + data[8:] if forgery == "type" else None,
    )
    error = {"owner": "WrongOwner", "address": "WrongAddress", "type": "WrongDiscriminator"}[forgery]
    with refused(error):
        if name == "pending":
            ledger.deliver(outcome, forged, certified=True)
        else:
            ledger.deliver(outcome, pending, certified=True, **{name: forged})


@pytest.mark.parametrize("name", ["outbound", "sender_state", "config"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type"])
def test_security_request_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: likewise; another chain's terms, or another sender's nonces, are none of this request's."""
    ledger.request()
    args, accounts = ledger.request_parts(1)
    key = {**accounts, "config": CONFIG}[name]
    data = bytes(ledger.account(key).data)
    forged = clone(
        ledger,
        key,
        "forged",
        PROBE if forgery == "owner" else PROGRAM,
        bytes(8) + data[8:] if forgery == "type" else None,
    )
    errors = {"owner": "WrongOwner", "address": "WrongAddress", "type": "WrongDiscriminator"}
    if name == "sender_state":
        errors["owner"] = "AlreadyInitialized"
    with refused(errors[forgery]):
        ledger.call("request", {**accounts, name: forged}, args, signers=[ledger.sender])


def test_security_another_chain_s_terms_are_not_taken(ledger: Ledger) -> None:
    """SECURITY: its gateway would be this request's."""
    other = Chain.evm(31338).to_bytes()
    args = {"chain": other, "destination_gateway": REMOTE_GATEWAY, "terms": ledger_terms(ledger)}
    ledger.call(
        "set_outbound",
        {"owner": ledger.owner.pubkey(), "outbound": outbound_address(other)},
        args,
        signers=[ledger.owner],
    )
    asked, accounts = ledger.request_parts()
    with refused("WrongAddress"):
        ledger.call("request", {**accounts, "outbound": outbound_address(other)}, asked, signers=[ledger.sender])


def test_security_an_account_does_not_stand_at_two_places(ledger: Ledger) -> None:
    """SECURITY: it would be changed as two."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    with refused("DuplicateAccount"):
        ledger.deliver(ledger.outcome(asked), pending, credit=pending)


def test_security_signers_and_writable_accounts_are_asked_for(ledger: Ledger) -> None:
    """SECURITY: a request is its sender's; what changes is declared."""
    args, accounts = ledger.request_parts()
    step = idl.instruction(PROGRAM, "request", {**BASE, **accounts}, args)
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    with refused("NotWritable"):
        ledger.send(swap(step, accounts["pending"], accounts["pending"], writable=False), signers=[ledger.sender])
    ledger.request()
    args, accounts = ledger.request_parts(1)
    step = idl.instruction(PROGRAM, "request", {**BASE, **accounts}, args)
    with refused("NotWritable"):
        ledger.send(
            swap(step, accounts["sender_state"], accounts["sender_state"], writable=False), signers=[ledger.sender]
        )


def test_security_an_event_is_told_by_the_gateway_alone(ledger: Ledger) -> None:
    """SECURITY: anybody may call the program with an event's data."""
    data = idl.EVENT_TAG + bytes(8)
    with refused("MissingSigner"):
        ledger.send(Instruction(PROGRAM, data, [AccountMeta(EVENT_AUTHORITY, is_signer=False, is_writable=False)]))
    with refused("WrongAddress"):
        ledger.send(
            Instruction(PROGRAM, data, [AccountMeta(STRANGER.pubkey(), is_signer=True, is_writable=False)]),
            signers=[STRANGER],
        )
    with refused("MissingAccounts"):
        ledger.send(Instruction(PROGRAM, data, []))
