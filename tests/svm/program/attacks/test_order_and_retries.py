"""Limits, order, retries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from solders.pubkey import Pubkey

from attestation.address import Chain
from attestation.keccak import keccak256
from attestation.request import request_id
from tests.svm.program.attacks.attacker import (
    STRANGER,
    clone,
    ledger_terms,
    refused,
)
from tests.svm.program.ledger import (
    GATEWAY,
    NOW,
    PROBE,
    PROGRAM,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    SLOT,
    Ledger,
    address,
    outbound_address,
    pending_address,
    request_of,
)


def test_security_a_sender_asks_so_often_in_a_window(ledger: Ledger) -> None:
    """SECURITY: signers look at all that is asked: one sender must not keep them from everybody else's."""
    ledger.call(
        "set_sender_limit", {"owner": ledger.owner.pubkey()}, {"slots": 100, "requests": 2}, signers=[ledger.owner]
    )
    ledger.request(0)
    ledger.request(1)
    with refused("SenderLimit"):
        ledger.request(2)
    ledger.set_time(NOW, SLOT + 100)
    _, asked = ledger.request(2)
    assert asked.nonce == 2


def ask_ordered(ledger: Ledger, salt: int, expiry: int = 0, **accounts: Pubkey) -> Any:
    """An ordered request."""
    args, places = ledger.request_parts(salt, options={"ordered": True, "expiry": expiry})
    places["ordered"] = ordered_address(ledger.sender.pubkey())
    return ledger.call("request", {**places, **accounts}, args, signers=[ledger.sender]).event("XVMCallRequested")


def ordered_address(sender: Pubkey) -> Pubkey:
    """Where the sender's last ordered request on the remote route stands."""
    return address(b"ordered", bytes(sender), keccak256(GATEWAY + REMOTE_GATEWAY))


def test_security_an_ordered_request_runs_after_the_last_and_expires_no_sooner(ledger: Ledger) -> None:
    """SECURITY: if it expired first it could run although the last one still might."""
    first = ask_ordered(ledger, 0, NOW + 1_000)
    assert first["request"]["ordered_after"] == bytes(31) + b"\1"
    with refused("ExpiryBeforePredecessor"):
        ask_ordered(ledger, 1, NOW + 999)
    second = ask_ordered(ledger, 1)
    assert second["request"]["ordered_after"] == first["request_id"]
    assert second["request"]["expiry"] == NOW + 1_000
    third = ask_ordered(ledger, 2, NOW + 1_001)
    assert third["request"]["ordered_after"] == second["request_id"]
    assert ledger.state("Ordered", ordered_address(ledger.sender.pubkey()))["expiry"] == NOW + 1_001


@pytest.mark.parametrize("forgery", ["owner", "address", "type", "another sender's"])
def test_security_an_order_stands_at_its_one_address(ledger: Ledger, forgery: str) -> None:
    """SECURITY: a request would run after nothing, or after another's."""
    ask_ordered(ledger, 0)
    key = ordered_address(ledger.sender.pubkey())
    data = bytes(ledger.account(key).data)
    if forgery == "another sender's":
        with refused("WrongAddress"):
            ask_ordered(ledger, 1, ordered=ordered_address(STRANGER.pubkey()))
        return
    owner = PROBE if forgery == "owner" else PROGRAM
    forged = clone(ledger, key, "forged", owner, bytes(8) + data[8:] if forgery == "type" else None)
    with refused({"owner": "AlreadyInitialized", "address": "WrongAddress", "type": "WrongDiscriminator"}[forgery]):
        ask_ordered(ledger, 1, ordered=forged)


def cancelled(ledger: Ledger) -> Any:
    """A request that has been given up."""
    _, asked = ledger.request()
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    places = {
        "sender": ledger.sender.pubkey(),
        "pending": pending_address(ledger.sender.pubkey(), 0),
        "refund": ledger.payer.pubkey(),
    }
    ledger.call("cancel", places, signers=[ledger.sender])
    return asked


def retry(ledger: Ledger, earlier: Any, salt: int = 1, earlier_salt: int = 0, **changes: Any) -> Any:
    """Asks again."""
    options = {"execution_gas_limit": earlier.execution_gas_limit, **changes.pop("options", {})}
    sender = changes.pop("sender", ledger.sender)
    args, places = ledger.request_parts(salt, sender=sender.pubkey(), options=options, **changes)
    attempt = {"nonce": earlier.nonce, "expiry": earlier.expiry, "origin": earlier.origin.to_bytes(32, "big")}
    places["earlier"] = pending_address(ledger.sender.pubkey(), earlier_salt)
    sent = ledger.call("retry", places, {"attempt": attempt, **args}, signers=[sender])
    return request_of(sent.event("XVMCallRequested")["request"])


def test_a_retry_names_the_first_attempt(ledger: Ledger) -> None:
    first = cancelled(ledger)
    second = retry(ledger, first)
    assert second.origin == int.from_bytes(request_id(first), "big")
    assert replace(second, nonce=first.nonce, expiry=first.expiry, origin=0) == first
    ledger.set_time(second.expiry + 301, SLOT + 5_000)
    places = {"pending": pending_address(ledger.sender.pubkey(), 1), "refund": ledger.payer.pubkey()}
    ledger.call("cancel", {**places, "sender": ledger.sender.pubkey()}, signers=[ledger.sender])
    third = retry(ledger, second, salt=2, earlier_salt=1)
    assert third.origin == second.origin


def test_security_a_retry_is_the_same_request_again_and_its_requester_s(ledger: Ledger) -> None:
    """SECURITY: another call, another gateway or another sender's would run as well as the earlier attempt."""
    _, open_request = ledger.request(7)
    with refused("NotCancelled"):
        retry(ledger, open_request, earlier_salt=7)
    first = cancelled(ledger)
    for changes in (
        {"payload": b"other"},
        {"options": {"execution_gas_limit": 1}},
        {"options": {"metadata": b"x"}},
        {"options": {"own_account": True}},
        {"options": {"mode": 1}},
        {"options": {"ordered": True}},
    ):
        with refused("OtherRequest"):
            retry(ledger, first, **changes)
    with refused("OtherRequest"):
        retry(ledger, replace(first, nonce=5))
    with refused("NotRequester"):
        retry(ledger, first, sender=STRANGER)
    moved = Chain.evm(31337).to_bytes()
    args = {"chain": moved, "destination_gateway": REMOTE_SENDER, "terms": ledger_terms(ledger)}
    ledger.call(
        "set_outbound",
        {"owner": ledger.owner.pubkey(), "outbound": outbound_address(moved)},
        args,
        signers=[ledger.owner],
    )
    with refused("OtherRequest"):
        retry(ledger, first)
