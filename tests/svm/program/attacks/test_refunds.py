"""Cancelling and reclaiming: by whom, when, to whom."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    pause,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    NOW,
    PROGRAM,
    SLOT,
    Ledger,
    pending_address,
)


def test_security_cancel_is_the_requester_s_after_deadline_and_expiry(ledger: Ledger) -> None:
    """SECURITY: or it could be executed and cancelled, or a deliverer would go unpaid."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"sender": ledger.sender.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}

    def cancel(who: Any = ledger.sender, **changes: Pubkey) -> Any:
        return ledger.call("cancel", {**places, **changes}, signers=[who])

    with refused("DeadlineNotOver"):
        cancel()
    ledger.set_time(NOW, SLOT + 2_001)
    with refused("ExpiryNotOver"):
        cancel()
    ledger.set_time(asked.expiry + 300, SLOT + 2_001)
    with refused("ExpiryNotOver"):
        cancel()
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    with refused("NotRequester"):
        cancel(STRANGER, sender=STRANGER.pubkey())
    with refused("WrongAddress"):
        cancel(refund=STRANGER.pubkey())
    step = idl.instruction(PROGRAM, "cancel", {**BASE, **places}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    assert cancel().event("XVMCancelled")["returned"] == 35_000
    with refused("NotPending"):
        cancel()
    with refused("TooEarlyToReclaim"):
        ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey()})
    # a later certificate pays the payee, and ends it
    event = ledger.deliver(ledger.outcome(asked), pending).event("XVMOutcomeRecorded")
    assert event["was_cancelled"] is True
    with refused("NotDelivered"):
        ledger.callback(pending)
    with refused("WrongAddress"):
        ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey(), "refund": STRANGER.pubkey()})
    ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey()})
    assert ledger.svm.get_account(pending) is None


def test_security_a_deadline_stands_still_while_callbacks_are_paused(ledger: Ledger) -> None:
    """SECURITY: or a pause would let requesters take back what deliverers have earned."""
    ledger.request(options={"mode": 1})
    pending = pending_address(ledger.sender.pubkey(), 0)
    pause(ledger, ledger.guardian, direction=2)
    places = {"sender": ledger.sender.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}
    ledger.set_time(NOW, SLOT + 2_500)
    with refused("DeadlineNotOver"):
        ledger.call("cancel", places, signers=[ledger.sender])
    ledger.set_time(NOW, SLOT + 2_501)
    ledger.call("cancel", places, signers=[ledger.sender])


def test_security_reclaim_waits_for_who_may_have_earned(ledger: Ledger) -> None:
    """SECURITY: a pending request cannot be reclaimed; one whose handler fails, after 7 days."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"payer": ledger.payer.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}
    ledger.set_time(NOW + 30 * 86_400, SLOT)
    with refused("NotPending"):
        ledger.call("reclaim", places)
    ledger.set_time(NOW, SLOT)
    ledger.deliver(ledger.outcome(asked), pending)
    ledger.set_time(NOW + 7 * 86_400 - 1, SLOT)
    with refused("TooEarlyToReclaim"):
        ledger.call("reclaim", places)
    ledger.set_time(NOW + 7 * 86_400, SLOT)
    ledger.call("reclaim", places)
