"""What the demonstration asks, and when it says that a request ended as it should."""

from __future__ import annotations

import pytest

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Manner
from relayer.devnet.demo.chains import Event, Sighting, find_demo_kind
from relayer.devnet.demo.watching import Journey
from relayer.devnet.evm.demo.cases import cases, is_lent
from relayer.devnet.kinds import registered_kinds

CASES = {(case.title, case.source): case for case in cases(("alpha", "beta"))}
KINDS = [kind for known in registered_kinds().values() if (kind := find_demo_kind(known.namespace)) is not None]
DELIVERED = Event.CALLED_BACK
FAILED = Event.HANDLER_FAILED
CONCLUDED = Event.CONCLUDED
CANCELLED = Event.CANCELLED


def judged(title: str, *events: Event) -> tuple[list[str], bool]:
    journey = Journey(CASES[title, "alpha"], 7)
    for number, event in enumerate(events):
        sighting = Sighting(event, 7, number, 0, bytes(32), OutcomeKind.EXECUTED, success=True)
        journey.take_in(sighting, float(number), 0)
    return journey.judge(), journey.is_ended


def test_twenty_requests_show_every_kind_that_a_first_attempt_can_end_in() -> None:
    assert len(CASES) == 20
    assert {case.kind for case in CASES.values()} == {*OutcomeKind, None} - {OutcomeKind.DUPLICATE}


def test_the_kinds_of_chains_that_are_shown_show_every_manner_together() -> None:
    assert len(KINDS) > 1
    asked = [case for kind in KINDS for case in kind.cases(("alpha", "beta"), {"eip155": "gamma"})]
    assert {case.manner for case in asked} == set(Manner)


def test_there_is_a_call_that_is_executed_on_each_route_between_the_kinds() -> None:
    own = {known.namespace: (f"{name} 1", f"{name} 2") for name, known in registered_kinds().items()}
    of = {name: namespace for namespace, names in own.items() for name in names}
    shown = set()
    for namespace, names in own.items():
        kind = find_demo_kind(namespace)
        assert kind is not None
        others = {other: first for other, (first, _) in own.items() if other != namespace}
        shown |= {
            (of[case.source], of[case.destination])
            for case in kind.cases(names, others)
            if (case.mode, case.kind, case.asker) == (Mode.CALL, OutcomeKind.EXECUTED, "echo")
        }
    assert shown == {(source, destination) for source in own for destination in own}


def test_a_chain_by_itself_has_nothing_to_show() -> None:
    for kind in KINDS:
        assert kind.cases(("alpha",), {}) == ()


def test_a_kind_of_chain_that_nobody_shows_is_none() -> None:
    assert find_demo_kind("aptos") is None


def test_one_lender_approves_and_the_other_one_rejects() -> None:
    lent = {case.title: is_lent(case) for case in CASES.values() if case.loan}
    assert lent == {"a loan that is approved": True, "a loan that is rejected": False}


@pytest.mark.parametrize(
    ("title", "events"),
    [
        ("ordered, first", (CONCLUDED, DELIVERED)),
        ("callback fails, replayed", (CONCLUDED, FAILED, DELIVERED)),
        ("cancelled by its asker", (CANCELLED,)),
    ],
)
def test_each_manner_has_its_own_good_end(title: str, events: tuple[Event, ...]) -> None:
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
def test_any_other_end_is_a_fault(title: str, events: tuple[Event, ...], fault: str) -> None:
    assert fault in judged(title, *events)[0]
