"""What a request knows after an event: the facts that the table of statuses does not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.request import Mode, request_id, route_of
from relayer.domain.effects import Effect, EffectKind
from relayer.domain.events import (
    AnswerFinal,
    CallbackHeld,
    CallbackSubmitted,
    Event,
    ExecuteCertified,
    ExecutionDispatched,
    ExecutionHeld,
    FeeRaised,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptOrphaned,
    ReceiptSeen,
    RequestFinal,
    RequestRejected,
    RequestReobserved,
)
from relayer.domain.lifecycle import decide, observe
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from tests.unit.domain.examples import block_ref, call, conclusion, location_at, query
from tests.unit.domain.test_lifecycle_table import request_in

CALL_ID, QUERY_ID = request_id(call()), request_id(query())


def after(request: TrackedRequest, *events: Event) -> TrackedRequest:
    """The request once all of this has happened to it."""
    for event in events:
        request = decide(request, event).request
    return request


def test_a_new_call_is_observed_and_nothing_is_to_be_done() -> None:
    decision = observe(CALL_ID, call(), route_of(call()), location_at(5), 1_005, 1_000, 500)
    assert decision.request == TrackedRequest(
        CALL_ID, call(), route_of(call()), location_at(5), 1_005, 1_000, 500, Status.OBSERVED
    )
    assert decision.request.is_call
    assert decision.request.block == block_ref(5)
    assert decision.effects == ()


def test_a_new_query_is_read_at_once() -> None:
    decision = observe(QUERY_ID, query(), route_of(query()), location_at(5), 1_005, 1_000, 500)
    assert not decision.request.is_call
    assert decision.request.status is Status.OBSERVED
    assert decision.effects == (Effect(EffectKind.READ_ANSWER, QUERY_ID),)


def test_a_final_request_knows_the_batch_it_was_born_into() -> None:
    assert after(request_in(Status.OBSERVED, Mode.CALL), RequestFinal(b"\x03" * 32)).execute_root == b"\x03" * 32


def test_a_request_seen_again_forgets_what_was_read_for_its_former_block() -> None:
    answered = replace(request_in(Status.ORPHANED, Mode.QUERY), conclusion=conclusion(QUERY_ID))
    again = after(answered, RequestReobserved(location_at(6), 1_006))
    assert (again.location, again.source_timestamp, again.conclusion) == (location_at(6), 1_006, None)


@pytest.mark.parametrize(
    ("start", "event"),
    [(Status.CERTIFIED, ExecutionHeld("paused")), (Status.ATTESTED, CallbackHeld("paused"))],
)
def test_a_reason_is_kept_while_a_request_waits_and_forgotten_when_it_moves(start: Status, event: Event) -> None:
    held = after(request_in(start, Mode.CALL), event)
    assert held.hold_reason == "paused"
    assert after(held, FeeRaised(5_000)).hold_reason == ""


def test_a_rejected_request_says_why_for_ever() -> None:
    rejected = after(request_in(Status.OBSERVED, Mode.CALL), RequestRejected("no_route"))
    assert rejected.hold_reason == "no_route"
    assert after(rejected, FeeRaised(5_000)) is rejected


def test_a_second_reason_replaces_the_first() -> None:
    held = after(request_in(Status.EXECUTION_HELD, Mode.CALL), ExecutionHeld("paused"))
    assert (held.status, held.hold_reason) == (Status.EXECUTION_HELD, "paused")


@pytest.mark.parametrize("status", [Status.OBSERVED, Status.DISPATCHED, Status.EXECUTION_HELD, Status.CALLBACK_HELD])
def test_a_fee_only_rises(status: Status) -> None:
    before = request_in(status, Mode.CALL)
    assert after(before, FeeRaised(1_001)).fee == 1_001
    assert decide(before, FeeRaised(1_000)).request is before
    assert decide(before, FeeRaised(999)).request is before


def test_the_last_transaction_of_ours_is_the_one_that_counts() -> None:
    sent = after(
        request_in(Status.CERTIFIED, Mode.CALL), ExecutionDispatched(b"\x01" * 32), ExecutionDispatched(b"\x02" * 32)
    )
    assert (sent.status, sent.execute_tx_hash) == (Status.DISPATCHED, b"\x02" * 32)
    sent = after(request_in(Status.ATTESTED, Mode.CALL), CallbackSubmitted(b"\x03" * 32))
    assert (sent.status, sent.callback_tx_hash, sent.execute_tx_hash) == (Status.SUBMITTED, b"\x03" * 32, b"")


@pytest.mark.parametrize("status", [Status.FINAL, Status.CERTIFIED, Status.EXECUTION_HELD, Status.DISPATCHED])
def test_a_receipt_that_was_only_seen_is_forgotten_when_its_block_goes(status: Status) -> None:
    before = request_in(status, Mode.CALL)
    landed = after(before, ReceiptSeen(conclusion(CALL_ID)))
    assert landed.conclusion == conclusion(CALL_ID)
    assert landed.outcome_root == b""
    undone = after(landed, ReceiptOrphaned())
    assert undone.conclusion is None
    assert undone.status is (Status.CERTIFIED if before.is_execute_certified else Status.FINAL)


def test_a_receipt_undone_before_our_certificate_waits_for_it() -> None:
    landed = after(request_in(Status.FINAL, Mode.CALL), ReceiptSeen(conclusion(CALL_ID)))
    undone = decide(landed, ReceiptOrphaned())
    assert (undone.request.status, undone.effects) == (Status.FINAL, ())
    certified = decide(undone.request, ExecuteCertified(b"\x01" * 32))
    assert certified.effects == (Effect(EffectKind.SUBMIT_EXECUTE, CALL_ID),)


def test_a_receipt_undone_after_a_certificate_that_came_late_is_executed_again() -> None:
    landed = after(
        request_in(Status.FINAL, Mode.CALL), ReceiptSeen(conclusion(CALL_ID)), ExecuteCertified(b"\x01" * 32)
    )
    undone = decide(landed, ReceiptOrphaned())
    assert (undone.request.status, undone.effects) == (
        Status.CERTIFIED,
        (Effect(EffectKind.SUBMIT_EXECUTE, CALL_ID),),
    )


def test_the_final_receipt_replaces_the_one_that_was_seen() -> None:
    landed = after(request_in(Status.FINAL, Mode.CALL), ReceiptSeen(conclusion(CALL_ID, b"fork")))
    final = after(landed, ReceiptFinal(conclusion(CALL_ID), b"\x04" * 32))
    assert (final.conclusion, final.outcome_root) == (conclusion(CALL_ID), b"\x04" * 32)


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.DELIVERED, Status.HANDLER_FAILED])
def test_facts_that_come_after_the_end_are_filled_in_once(status: Status) -> None:
    unknowing = replace(request_in(status, Mode.CALL), conclusion=None, outcome_root=b"")
    filled = after(unknowing, ReceiptFinal(conclusion(CALL_ID), b"\x04" * 32))
    assert (filled.status, filled.conclusion, filled.outcome_root) == (status, conclusion(CALL_ID), b"\x04" * 32)
    assert after(filled, ReceiptFinal(conclusion(CALL_ID, b"other"), b"\x05" * 32)) is filled


def test_a_cancelled_query_still_learns_its_answer() -> None:
    unknowing = replace(request_in(Status.CANCELLED, Mode.QUERY), conclusion=None, outcome_root=b"")
    filled = after(unknowing, AnswerFinal(conclusion(QUERY_ID), b"\x04" * 32))
    assert (filled.conclusion, filled.outcome_root) == (conclusion(QUERY_ID), b"\x04" * 32)


@pytest.mark.parametrize("status", [Status.OBSERVED, Status.ORPHANED, Status.REJECTED])
def test_security_nothing_is_concluded_about_a_request_that_is_not_final(status: Status) -> None:
    """SECURITY: a conclusion leads to a certificate that runs a callback."""
    for mode, event in (
        (Mode.CALL, ReceiptFinal(conclusion(CALL_ID), b"\x04" * 32)),
        (Mode.QUERY, AnswerFinal(conclusion(QUERY_ID), b"\x04" * 32)),
    ):
        before = request_in(status, mode)
        assert decide(before, event).request is before


@pytest.mark.parametrize("mode", Mode)
def test_a_certified_outcome_is_submitted_from_concluded_only(mode: Mode) -> None:
    for status in Status:
        effects = decide(request_in(status, mode), OutcomeCertified(b"\x02" * 32)).effects
        assert bool(effects) is (status is Status.CONCLUDED)


def test_what_is_no_event_is_a_bug_and_raises() -> None:
    with pytest.raises(AssertionError):
        decide(request_in(Status.OBSERVED, Mode.CALL), object())  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [Status.FINAL, Status.LANDED, Status.DELIVERED])
def test_a_request_is_executed_under_the_root_that_was_certified_first(status: Status) -> None:
    whole = replace(request_in(status, Mode.CALL), is_execute_certified=False)
    part = after(whole, ExecuteCertified(b"\x0a" * 32))
    assert part.execute_root == b"\x0a" * 32
    assert after(part, ExecuteCertified(b"\x0b" * 32)) is part


def test_a_part_that_was_certified_before_the_request_was_final_here_keeps_its_word() -> None:
    early = after(request_in(Status.OBSERVED, Mode.CALL), ExecuteCertified(b"\x0a" * 32), RequestFinal(b"\x03" * 32))
    assert early.execute_root == b"\x0a" * 32


@pytest.mark.parametrize("mode", Mode)
def test_a_callback_is_delivered_under_the_root_that_was_certified(mode: Mode) -> None:
    attested = after(request_in(Status.CONCLUDED, mode), OutcomeCertified(b"\x0a" * 32))
    assert attested.outcome_root == b"\x0a" * 32
    assert after(attested, OutcomeCertified(b"\x0b" * 32)) is attested
