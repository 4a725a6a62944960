"""What every event makes of a request in every status, as one table a mode.

Columns are the statuses, rows the events. A cell says the status after, and after a plus what is to be done:

    .      nothing changes              R  read the answer        E  submit the expiry
    =      facts change, not the status X  submit the execution   C  submit the callback

Read along a row: where an event moves a request from. Read down a column: what a request waits for. The last columns
are ends, and hold dots only, but for HANDLER_FAILED (anyone may replay the callback) and ORPHANED (it may be seen
again). A CALL that was cancelled goes on to its outcome, which pays whoever executed it. A QUERY never comes to CER,
EXH, DIS or LAN; `decide` is total, so these cells are pinned as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

import pytest

from attestation.request import Mode, request_id, route_of
from relayer.domain.effects import EffectKind
from relayer.domain.events import (
    AnswerFinal,
    CallbackFinal,
    CallbackHeld,
    CallbackLost,
    CallbackSubmitted,
    CancelFinal,
    CancelSettledFinal,
    ConclusionForkedOff,
    EndForkedOff,
    Event,
    ExecuteCertified,
    ExecutionDispatched,
    ExecutionHeld,
    ExecutionLost,
    ExpiryPassed,
    FeeRaised,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptOrphaned,
    ReceiptSeen,
    RequestFinal,
    RequestForkedOff,
    RequestOrphaned,
    RequestRejected,
    RequestReobserved,
)
from relayer.domain.lifecycle import decide
from relayer.domain.rounds import in_round
from relayer.domain.status import ENDS, Status
from relayer.domain.tracked import TrackedRequest
from tests.unit.domain.examples import call, conclusion, location_at, query

COLUMNS: Final = {
    "OBS": Status.OBSERVED,
    "FIN": Status.FINAL,
    "CER": Status.CERTIFIED,
    "EXH": Status.EXECUTION_HELD,
    "DIS": Status.DISPATCHED,
    "LAN": Status.LANDED,
    "CON": Status.CONCLUDED,
    "ATT": Status.ATTESTED,
    "CBH": Status.CALLBACK_HELD,
    "SUB": Status.SUBMITTED,
    "DEL": Status.DELIVERED,
    "HDF": Status.HANDLER_FAILED,
    "CAN": Status.CANCELLED,
    "ORP": Status.ORPHANED,
    "REJ": Status.REJECTED,
}
EFFECTS: Final = {
    "R": EffectKind.READ_ANSWER,
    "X": EffectKind.SUBMIT_EXECUTE,
    "E": EffectKind.SUBMIT_EXPIRE,
    "C": EffectKind.SUBMIT_CALLBACK,
}

TABLES: Final = {
    Mode.CALL: """
                      OBS   FIN   CER   EXH   DIS   LAN   CON   ATT   CBH   SUB   DEL   HDF   CAN   ORP   REJ
RequestFinal          FIN   .     .     .     .     .     .     .     .     .     .     .     .     .     .
RequestOrphaned       ORP   .     .     .     .     .     .     .     .     .     .     .     .     .     .
RequestReobserved     =     .     .     .     .     .     .     .     .     .     .     .     .     OBS   .
RequestRejected       REJ   REJ   .     .     .     .     .     .     .     .     .     .     .     .     .
FeeRaised             =     =     =     CER+X =     =     =     =     ATT+C =     .     =     .     =     .
FeeRaised/lower       .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
ExecuteCertified      =     CER+X .     .     .     .     .     .     .     .     .     .     .     =     =
ExecutionHeld         .     .     EXH   =     .     .     .     .     .     .     .     .     .     .     .
ExecutionDispatched   .     .     DIS   DIS   =     .     .     .     .     .     .     .     .     .     .
ExecutionLost         .     .     .     .     CER+X .     .     .     .     .     .     .     .     .     .
ExpiryPassed          .     .     .+E   .+E   .     .     .     .     .     .     .     .     .     .     .
ReceiptSeen           .     LAN   LAN   LAN   LAN   .     .     .     .     .     .     .     .     .     .
ReceiptOrphaned       .     .     .     .     .     CER+X .     .     .     .     .     .     .     .     .
ReceiptFinal          .     CON   CON   CON   CON   CON   .     .     .     .     .     .     .     .     .
AnswerFinal           .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
AnswerFinal/round     .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
OutcomeCertified      .     .     .     .     .     .     ATT+C .     .     .     .     .     .     .     .
CallbackHeld          .     .     .     .     .     .     .     CBH   =     .     .     .     .     .     .
CallbackSubmitted     .     .     .     .     .     .     .     SUB   SUB   =     .     .     .     .     .
CallbackLost          .     .     .     .     .     .     .     .     .     ATT+C .     .     .     .     .
CallbackFinal         DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   .     DEL   .     DEL   .
CallbackFinal/failed  HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   .     .     .     HDF   .
CancelFinal           =     =     =     =     =     =     =     =     =     =     .     =     .     =     .
CancelSettledFinal    CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   .     CAN   .     CAN   .
RequestForkedOff      ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   .     .
EndForkedOff          .     .     .     .     .     .     .     .     .     .     CON   CON   CON   .     .
ConclusionForkedOff   .     .     .     .     .     CER+X CER+X CER+X CER+X CER+X .     .     .     .     .
""",
    Mode.QUERY: """
                      OBS   FIN   CER   EXH   DIS   LAN   CON   ATT   CBH   SUB   DEL   HDF   CAN   ORP   REJ
RequestFinal          FIN   .     .     .     .     .     .     .     .     .     .     .     .     .     .
RequestOrphaned       ORP   .     .     .     .     .     .     .     .     .     .     .     .     .     .
RequestReobserved     =+R   .     .     .     .     .     .     .     .     .     .     .     .     OBS+R .
RequestRejected       REJ   REJ   .     .     .     .     .     .     .     .     .     .     .     .     .
FeeRaised             =     =     =     CER+X =     =     =     =     ATT+C =     .     =     .     =     .
FeeRaised/lower       .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
ExecuteCertified      .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
ExecutionHeld         .     .     EXH   =     .     .     .     .     .     .     .     .     .     .     .
ExecutionDispatched   .     .     DIS   DIS   =     .     .     .     .     .     .     .     .     .     .
ExecutionLost         .     .     .     .     CER+X .     .     .     .     .     .     .     .     .     .
ExpiryPassed          .     .     .+E   .+E   .     .     .     .     .     .     .     .     .     .     .
ReceiptSeen           .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
ReceiptOrphaned       .     .     .     .     .     FIN   .     .     .     .     .     .     .     .     .
ReceiptFinal          .     .     .     .     .     .     .     .     .     .     .     .     .     .     .
AnswerFinal           .     CON   CON   CON   CON   CON   .     .     .     .     .     .     .     .     .
AnswerFinal/round     .     CON   CON   CON   CON   CON   =     .     .     .     .     .     .     .     .
OutcomeCertified      .     .     .     .     .     .     ATT+C .     .     .     .     .     .     .     .
CallbackHeld          .     .     .     .     .     .     .     CBH   =     .     .     .     .     .     .
CallbackSubmitted     .     .     .     .     .     .     .     SUB   SUB   =     .     .     .     .     .
CallbackLost          .     .     .     .     .     .     .     .     .     ATT+C .     .     .     .     .
CallbackFinal         DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   DEL   .     DEL   .     DEL   .
CallbackFinal/failed  HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   HDF   .     .     .     HDF   .
CancelFinal           CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   .     CAN   .     CAN   .
CancelSettledFinal    CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   CAN   .     CAN   .     CAN   .
RequestForkedOff      ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   ORP   .     .
EndForkedOff          .     .     .     .     .     .     .     .     .     .     CON   CON   CON   .     .
ConclusionForkedOff   .     .     .     .     .     FIN+R FIN+R FIN+R FIN+R FIN+R .     .     .     .     .
""",
}

_IDS = {Mode.CALL: request_id(call()), Mode.QUERY: request_id(query())}


def events_for(mode: Mode) -> dict[str, Event]:
    """One example an event, by the name of its row."""
    other = conclusion(_IDS[mode], b"another view")
    return {
        "RequestFinal": RequestFinal(b"\x03" * 32),
        "RequestOrphaned": RequestOrphaned(),
        "RequestReobserved": RequestReobserved(location_at(6), 1_006),
        "RequestRejected": RequestRejected("no_route"),
        "FeeRaised": FeeRaised(2_000),
        "FeeRaised/lower": FeeRaised(1_000),
        "ExecuteCertified": ExecuteCertified(b"\x01" * 32),
        "ExecutionHeld": ExecutionHeld("route_paused"),
        "ExecutionDispatched": ExecutionDispatched(b"\x09" * 32),
        "ExecutionLost": ExecutionLost(),
        "ExpiryPassed": ExpiryPassed(),
        "ReceiptSeen": ReceiptSeen(other),
        "ReceiptOrphaned": ReceiptOrphaned(),
        "ReceiptFinal": ReceiptFinal(other, b"\x04" * 32),
        "AnswerFinal": AnswerFinal(other, b"\x04" * 32),
        "AnswerFinal/round": AnswerFinal(in_round(other, 9), b"\x04" * 32),
        "OutcomeCertified": OutcomeCertified(b"\x02" * 32),
        "CallbackHeld": CallbackHeld("route_paused"),
        "CallbackSubmitted": CallbackSubmitted(b"\x08" * 32),
        "CallbackLost": CallbackLost(),
        "CallbackFinal": CallbackFinal(is_handler_failed=False),
        "CallbackFinal/failed": CallbackFinal(is_handler_failed=True),
        "CancelFinal": CancelFinal(400),
        "CancelSettledFinal": CancelSettledFinal(),
        "RequestForkedOff": RequestForkedOff(),
        "EndForkedOff": EndForkedOff(),
        "ConclusionForkedOff": ConclusionForkedOff(),
    }


_AFTER_FINAL = frozenset(Status) - {Status.OBSERVED, Status.ORPHANED, Status.REJECTED}
_AFTER_CERTIFICATE = _AFTER_FINAL - {Status.FINAL}
_AFTER_RECEIPT = _AFTER_CERTIFICATE - {Status.CERTIFIED, Status.EXECUTION_HELD, Status.DISPATCHED}
_AFTER_CONCLUSION = _AFTER_RECEIPT - {Status.LANDED}
_HELD = {Status.EXECUTION_HELD, Status.CALLBACK_HELD, Status.REJECTED}


def request_in(status: Status, mode: Mode) -> TrackedRequest:
    """A request with the facts that one in this status has on the straight way there."""
    request = call() if mode is Mode.CALL else query()
    is_call = mode is Mode.CALL
    return TrackedRequest(
        request_id=_IDS[mode],
        request=request,
        route=route_of(request),
        location=location_at(5),
        source_timestamp=1_005,
        fee=1_000,
        deadline=500,
        status=status,
        hold_reason="fee_below_cost" if status in _HELD else "",
        is_execute_certified=is_call and status in _AFTER_CERTIFICATE,
        conclusion=conclusion(_IDS[mode]) if status in _AFTER_RECEIPT else None,
        execute_root=b"\x01" * 32 if is_call and status in _AFTER_FINAL else b"",
        outcome_root=b"\x02" * 32 if status in _AFTER_CONCLUSION else b"",
    )


def rows_of(mode: Mode) -> dict[str, list[str]]:
    """The table's cells by the name of their row."""
    head, *lines = TABLES[mode].strip().splitlines()
    assert head.split() == list(COLUMNS)
    return {name: cells for name, *cells in (line.split() for line in lines)}


def pairs() -> list[tuple[Mode, str, str, str]]:
    """Every cell: mode, event, column, what the table says."""
    return [
        (mode, name, column, cell)
        for mode in Mode
        for name, cells in rows_of(mode).items()
        for column, cell in zip(COLUMNS, cells, strict=True)
    ]


def test_the_table_names_all_15_statuses_and_all_24_events_in_both_modes() -> None:
    assert list(COLUMNS.values()) == list(Status)
    assert len(Status) == 15
    assert len(get_args(Event)) == 24
    for mode in Mode:
        examples = events_for(mode)
        assert list(rows_of(mode)) == list(examples)
        assert {type(event) for event in examples.values()} == set(get_args(Event))
        assert all(len(cells) == len(Status) for cells in rows_of(mode).values())


@pytest.mark.parametrize(("mode", "name", "column", "cell"), pairs(), ids=str)
def test_a_request_is_where_the_table_says(mode: Mode, name: str, column: str, cell: str) -> None:
    before = request_in(COLUMNS[column], mode)
    decision = decide(before, events_for(mode)[name])
    moved, _, effects = cell.partition("+")
    assert [effect.kind for effect in decision.effects] == [EFFECTS[letter] for letter in effects]
    assert all(effect.request_id == before.request_id for effect in decision.effects)
    if moved == ".":
        assert decision.request is before
    elif moved == "=":
        assert decision.request != before
        assert decision.request.status is before.status
    else:
        assert decision.request.status is COLUMNS[moved]
        assert decision.request != before


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("end", sorted(ENDS))
def test_nothing_moves_an_end_but_a_chain_that_was_rewritten_below_finality(mode: Mode, end: Status) -> None:
    before = request_in(end, mode)
    for event in events_for(mode).values():
        if isinstance(event, RequestForkedOff | EndForkedOff):
            continue
        decision = decide(before, event)
        assert decision.request.status is end
        assert decision.effects == ()


@pytest.mark.parametrize("status", sorted({*_AFTER_FINAL, Status.ORPHANED}))
def test_a_first_certificate_only_moves_a_final_request(status: Status) -> None:
    before = replace(request_in(status, Mode.CALL), is_execute_certified=False)
    decision = decide(before, ExecuteCertified(b"\x01" * 32))
    assert decision.request.is_execute_certified
    assert decision.request.status is (Status.CERTIFIED if status is Status.FINAL else status)
    assert len(decision.effects) == (status is Status.FINAL)


def test_a_request_of_a_dead_fork_keeps_nothing_that_was_said_about_its_old_place() -> None:
    before = replace(
        request_in(Status.SUBMITTED, Mode.CALL), execute_tx_hash=b"\x08" * 32, callback_tx_hash=b"\x09" * 32
    )
    after = decide(before, RequestForkedOff()).request
    assert after == replace(observed_anew(before), status=Status.ORPHANED)


def observed_anew(request: TrackedRequest) -> TrackedRequest:
    """The request as it was when it was first seen."""
    return TrackedRequest(
        request.request_id,
        request.request,
        request.route,
        request.location,
        request.source_timestamp,
        request.fee,
        request.deadline,
    )


@pytest.mark.parametrize(
    ("mode", "is_certified", "status", "effects"),
    [
        (Mode.CALL, True, Status.CERTIFIED, [EffectKind.SUBMIT_EXECUTE]),
        (Mode.CALL, False, Status.FINAL, []),
        (Mode.QUERY, False, Status.FINAL, [EffectKind.READ_ANSWER]),
    ],
)
def test_an_end_that_outran_its_outcome_leads_back_to_before_it(
    mode: Mode, *, is_certified: bool, status: Status, effects: list[EffectKind]
) -> None:
    before = replace(
        request_in(Status.DELIVERED, mode), conclusion=None, outcome_root=b"", is_execute_certified=is_certified
    )
    decision = decide(before, EndForkedOff())
    assert decision.request.status is status
    assert [effect.kind for effect in decision.effects] == effects


def in_a_round(status: Status) -> TrackedRequest:
    """A question whose answer was last signed in a round."""
    request = request_in(status, Mode.QUERY)
    assert request.conclusion is not None
    return replace(request, conclusion=in_round(request.conclusion, 7))


@pytest.mark.parametrize("is_handler_failed", [False, True])
def test_a_delivery_of_what_was_signed_last_leaves_it_standing(*, is_handler_failed: bool) -> None:
    before = in_a_round(Status.CONCLUDED)
    assert before.conclusion is not None
    told = b"" if is_handler_failed else before.conclusion.outcome.return_data_hash
    after = decide(before, CallbackFinal(is_handler_failed, told)).request
    assert (after.conclusion, after.outcome_root) == (before.conclusion, before.outcome_root)


def test_a_delivery_of_another_rounds_answer_leaves_none_standing() -> None:
    after = decide(in_a_round(Status.CONCLUDED), CallbackFinal(False, b"\x0a" * 32)).request  # noqa: FBT003
    assert (after.status, after.conclusion, after.outcome_root) == (Status.DELIVERED, None, b"")


def test_an_answer_of_a_round_whose_end_is_gone_is_looked_for_again() -> None:
    decision = decide(in_a_round(Status.DELIVERED), EndForkedOff())
    assert decision.request.status is Status.CONCLUDED
    assert [effect.kind for effect in decision.effects] == [EffectKind.READ_ANSWER]


def test_a_receipt_of_a_dead_fork_leaves_an_uncertified_request_final() -> None:
    before = replace(request_in(Status.CONCLUDED, Mode.CALL), is_execute_certified=False)
    decision = decide(before, ConclusionForkedOff())
    assert (decision.request.status, decision.request.conclusion, decision.request.outcome_root) == (
        Status.FINAL,
        None,
        b"",
    )
    assert decision.effects == ()
