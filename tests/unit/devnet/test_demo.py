"""What the demonstration asks, and when it says that a request ended as it should."""

from __future__ import annotations

import pytest

from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Manner, cases
from relayer.devnet.demo.chain_session import Sighting
from relayer.devnet.demo.watching import Journey

CASES = {(case.title, case.source): case for case in cases("alpha", "beta")}
DELIVERED = ("XVMCallbackDelivered", {"kind": 0, "success": True})
FAILED = ("XVMHandlerFailed", {"kind": 0, "success": True})
CONCLUDED = ("XVMCallConcluded", {"kind": 0})
CANCELLED = ("XVMCancelled", {})


def judged(title: str, *events: tuple[str, dict[str, object]]) -> tuple[list[str], bool]:
    journey = Journey(CASES[title, "alpha"], 7)
    for number, (name, fields) in enumerate(events):
        journey.take_in(Sighting(name, 7, number, 0, bytes(32), fields), float(number), 0)
    return journey.judge(), journey.is_ended


def test_twenty_requests_show_every_manner_and_every_kind_that_a_first_attempt_can_end_in() -> None:
    assert len(CASES) == 20
    assert {case.manner for case in CASES.values()} == set(Manner)
    assert {case.kind for case in CASES.values()} == {*OutcomeKind, None} - {OutcomeKind.DUPLICATE}


def test_one_lender_approves_and_the_other_one_rejects() -> None:
    lent = {case.title: case.is_lent for case in CASES.values() if case.loan}
    assert lent == {"a loan that is approved": True, "a loan that is rejected": False}


@pytest.mark.parametrize(
    ("title", "events"),
    [
        ("ordered, first", (CONCLUDED, DELIVERED)),
        ("callback fails, replayed", (CONCLUDED, FAILED, DELIVERED)),
        ("cancelled by its asker", (CANCELLED,)),
    ],
)
def test_each_manner_has_its_own_good_end(title: str, events: tuple[tuple[str, dict[str, object]], ...]) -> None:
    assert judged(title, *events) == ([], True)
    assert judged(title, *events[:-1])[1] is False


@pytest.mark.parametrize(
    ("title", "events", "fault"),
    [
        ("ordered, first", (CONCLUDED, FAILED), "no callback; it stands at 'handler failed'"),
        ("ordered, first", (CONCLUDED, FAILED, DELIVERED), "its handler failed"),
        ("ordered, first", (CONCLUDED, DELIVERED, DELIVERED), "delivered twice"),
        ("callback fails, replayed", (CONCLUDED, DELIVERED), "its handler did not fail"),
        ("cancelled by its asker", (DELIVERED,), "it stands at 'delivered'"),
        ("cancelled by its asker", (CANCELLED, DELIVERED), "it stands at 'cancelled'"),
        ("expires", (CONCLUDED, DELIVERED), "ended EXECUTED, expected EXPIRED"),
    ],
)
def test_any_other_end_is_a_fault(title: str, events: tuple[tuple[str, dict[str, object]], ...], fault: str) -> None:
    assert fault in judged(title, *events)[0]
