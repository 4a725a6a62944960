"""What may be asked, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from solders.account import Account

from attestation.address import Chain
from attestation.statement import OutcomeKind
from tests.svm.program.attacks.attacker import (
    ledger_terms,
    refused,
)
from tests.svm.program.ledger import (
    CONFIG,
    NOW,
    PROGRAM,
    REMOTE_GATEWAY,
    Ledger,
    address,
    outbound_address,
    pending_address,
)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"options": {"dispute_blocks": 1}}, "DisputesUnsupported"),
        ({"options": {"mode": 1, "ordered": True}}, "UnsupportedMode"),
        ({"options": {"mode": 2}}, "UnsupportedMode"),
        ({"options": {"mode": 1, "expiry": NOW + 100}}, "OutOfBounds"),
        ({"options": {"mode": 1, "own_account": True}}, "UnsupportedMode"),
        ({"options": {"execution_gas_limit": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"callback_gas_limit": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"return_limit": 2**32 - 1}}, "OutOfBounds"),
        ({"options": {"expiry": NOW + 59}}, "OutOfBounds"),
        ({"options": {"expiry": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"deadline_slots": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"deadline_slots": 1_999}}, "OutOfBounds"),
        ({"options": {"metadata": b"m" * 257}}, "OutOfBounds"),
        ({"target": b""}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\xff\1"}, "MalformedAddress"),
        ({"target": REMOTE_GATEWAY + b"\0"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\xff" + bytes(255) + b"\1\1"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\x3b" + bytes(59) + b"\1\1"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\x3a" + bytes(58) + b"\1\1"}, "WrongAddress"),
        ({"target": b"\0\2" + REMOTE_GATEWAY[2:]}, "MalformedAddress"),
        ({"target": REMOTE_GATEWAY[:7] + b"\x13" + b"\1" * 19}, "MalformedAddress"),
        ({"max_fee": 1}, "FeeTooHigh"),
    ],
)
def test_security_what_is_out_of_bounds_is_refused(ledger: Ledger, change: dict[str, Any], error: str) -> None:
    """SECURITY: every option at its edge, in 64 bits."""
    with refused(error):
        ledger.request(**change)


def test_security_a_closed_route_takes_nothing(ledger: Ledger) -> None:
    """SECURITY: nor one without a gateway, or without queries."""
    ledger.set_outbound(is_open=False)
    with refused("Paused"):
        ledger.request()
    ledger.set_outbound(takes_queries=False)
    with refused("UnsupportedMode"):
        ledger.request(options={"mode": 1})
    ledger.set_outbound(max_payload_bytes=3)
    with refused("OutOfBounds"):
        ledger.request()
    ledger.set_outbound()
    chain = Chain.evm(31337).to_bytes()
    args = {"chain": chain, "destination_gateway": b"", "terms": ledger_terms(ledger)}
    places = {"owner": ledger.owner.pubkey(), "outbound": outbound_address(chain)}
    ledger.call("set_outbound", places, args, signers=[ledger.owner])
    with refused("UnsupportedMode"):
        ledger.request()


def test_security_a_nonce_never_comes_again(ledger: Ledger) -> None:
    """SECURITY: an id would come again with it."""
    ledger.request()
    key = address(b"sender", bytes(ledger.sender.pubkey()))
    account = ledger.account(key)
    data = bytes(account.data[:40]) + b"\xff" * 8 + bytes(account.data[48:])
    ledger.svm.set_account(key, Account(account.lamports, data, PROGRAM))
    with refused("NonceExhausted"):
        ledger.request(1)


@pytest.mark.parametrize(
    "change",
    [
        {"max_execution_gas": 2**24 + 1},
        {"execution_price": 2**38 + 1},
        {"callback_price": 2**64 - 1},
        {"delivery_lamports": 2**56 + 1},
        {"signers_lamports": 2**64 - 1},
        {"expire_bps": 10_001},
        {"max_payload_bytes": 8_193},
        {"max_return_bytes": 8_193},
        {"deadline_slots": 99},
        {"deadline_slots": 100_001},
        {"min_expiry_seconds": 601},
        {"max_expiry_seconds": 599},
        {"execution_gas_per_byte": 1_025},
        {"execution_overhead_gas": 2**64 - 1},
        {"max_deadline_slots": 2**64 - 1},
    ],
)
def test_security_terms_keep_every_quote_within_64_bits(ledger: Ledger, change: dict[str, int]) -> None:
    """SECURITY: a product that wraps is a fee of nothing."""
    with refused("InvalidTerms"):
        ledger.set_outbound(**change)


def test_a_fee_that_is_added_is_split_as_the_fee_was(ledger: Ledger) -> None:
    ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"payer": ledger.payer.pubkey(), "pending": pending}
    event = ledger.call("add_fee", places, {"amount": 1_000_000}).event("XVMFeeAdded")
    state = ledger.state("Pending", pending)
    assert event["fee"] == 600_160 + 15_000 + 50_000 + 1_000_000
    assert state["execution_lamports"] == 600_160 + 1_000_000 * 600_160 // 615_160
    assert state["execution_lamports"] + state["callback_lamports"] == 615_160 + 1_000_000
    with refused("OutOfBounds"):
        ledger.call("add_fee", places, {"amount": 0})
    delivered_request = ledger.request(1)[1]
    other = pending_address(ledger.sender.pubkey(), 1)
    ledger.deliver(ledger.outcome(delivered_request), other)
    with refused("NotPending"):
        ledger.call("add_fee", {**places, "pending": other}, {"amount": 1})


def test_an_expired_request_gives_back_most_of_its_execution_share(ledger: Ledger) -> None:
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    ledger.deliver(ledger.outcome(asked, OutcomeKind.EXPIRED), pending)
    assert ledger.state("Config", CONFIG)["treasury_lamports"] == 60_016
    event = ledger.callback(pending).event("XVMCallbackDelivered")
    assert event["success"] is False


@pytest.mark.parametrize(("word", "success"), [(b"\0", True), (b"\1", False)])
def test_a_duplicate_tells_success_if_what_ran_did(ledger: Ledger, word: bytes, *, success: bool) -> None:
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    data = word + bytes(31)
    ledger.deliver(ledger.outcome(asked, OutcomeKind.DUPLICATE, data), pending)
    assert ledger.callback(pending, data).event("XVMCallbackDelivered")["success"] is success
