"""Our requests in that chain's states, ids and events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import Chain, InteroperableAddress, Namespace
from attestation.statement import OutcomeKind
from relayer.crossvm.changes import moved_messages
from relayer.crossvm.events import event_of
from relayer.crossvm.messages import (
    OPEN_STATES,
    OPEN_STATUSES,
    State,
    Writing,
    message_id,
    message_view,
    parse_message_id,
    payload_text,
    state_of,
)
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Change, Commit
from tests.factories import NOW, make_conclusion, make_request, track

WRITING = Writing({"eip155": "evm", "cosmos": "cosmwasm"}, lambda account: f"<{account[-2:].hex()}>")
WITHOUT_OUTCOME = {
    Status.OBSERVED: State.SUBMITTED,
    Status.ORPHANED: State.SUBMITTED,
    Status.FINAL: State.PENDING,
    Status.CERTIFIED: State.PENDING,
    Status.EXECUTION_HELD: State.PENDING,
    Status.DISPATCHED: State.PENDING,
    Status.LANDED: State.PENDING,
    Status.REJECTED: State.FAILED,
    Status.CANCELLED: State.TIMED_OUT,
}
OUTCOMES = {
    OutcomeKind.EXECUTED: State.EXECUTED,
    OutcomeKind.REVERTED: State.FAILED,
    OutcomeKind.UNREACHED: State.FAILED,
    OutcomeKind.DUPLICATE: State.FAILED,
    OutcomeKind.EXPIRED: State.TIMED_OUT,
}
AFTER_OUTCOME = sorted(set(Status) - WITHOUT_OUTCOME.keys())


def _concluded(status: Status, kind: OutcomeKind = OutcomeKind.EXECUTED) -> TrackedRequest:
    request = track()
    return replace(request, status=status, conclusion=make_conclusion(request.request_id, kind=kind))


@pytest.mark.parametrize("status", sorted(WITHOUT_OUTCOME))
def test_a_request_without_an_outcome_is_submitted_pending_or_over(status: Status) -> None:
    assert state_of(replace(track(), status=status)) is WITHOUT_OUTCOME[status]


@pytest.mark.parametrize("status", AFTER_OUTCOME)
@pytest.mark.parametrize("kind", OutcomeKind)
def test_an_outcome_is_executed_failed_or_timed_out_from_its_conclusion_on(status: Status, kind: OutcomeKind) -> None:
    assert state_of(_concluded(status, kind)) is OUTCOMES[kind]


def test_a_receipt_that_is_not_final_is_no_result() -> None:
    message = message_view(1, _concluded(Status.LANDED), WRITING)
    assert (message["status"], message["result"], message["executed_height"]) == ("pending", "0x", 0)


def test_what_was_cancelled_has_timed_out_at_once() -> None:
    assert state_of(replace(track(), status=Status.CERTIFIED, returned_fee=1)) is State.TIMED_OUT
    assert state_of(replace(_concluded(Status.CANCELLED), returned_fee=1)) is State.TIMED_OUT


@pytest.mark.parametrize("status", Status)
def test_the_statuses_of_the_queue_are_those_of_open_messages(status: Status) -> None:
    request = _concluded(status) if status in AFTER_OUTCOME else replace(track(), status=status)
    assert (status in OPEN_STATUSES) == (state_of(request) in OPEN_STATES)


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_message_ids_come_back(row: int) -> None:
    assert parse_message_id(message_id(row)) == row


def test_a_message_id_has_eight_digits_or_more() -> None:
    assert message_id(42) == "crossvm-00000042"
    assert message_id(123_456_789) == "crossvm-123456789"


@pytest.mark.parametrize(
    "text",
    ["", "42", "crossvm-42", "crossvm-0000004x", "crossvm-000000042", "crossvm-00000042\n", "crossvm-" + "9" * 19],
)
def test_what_is_no_message_id_names_no_row(text: str) -> None:
    assert parse_message_id(text) is None


def test_a_message_has_exactly_that_chains_fields() -> None:
    request = _concluded(Status.DELIVERED)
    assert message_view(42, request, WRITING) == {
        "message_id": "crossvm-00000042",
        "source_vm": "evm",
        "target_vm": "evm",
        "target_contract": f"<{request.request.target[-2:].hex()}>",
        "sender": f"<{request.request.sender[-2:].hex()}>",
        "payload": "0x" + request.request.payload.hex(),
        "status": "executed",
        "result": "0x2a",
        "submitted_height": 10,
        "executed_height": 20,
    }


def test_vms_go_by_their_names_and_others_by_their_namespaces() -> None:
    here = InteroperableAddress(Chain(Namespace.COSMOS, b"chain-1"), b"\1" * 32).to_bytes()
    elsewhere = InteroperableAddress(Chain.numbered(Namespace.APTOS, 7), b"\1" * 32).to_bytes()
    message = message_view(1, track(make_request(target=here, sender=elsewhere)), WRITING)
    assert message["target_vm"] == "cosmwasm"
    assert WRITING.vm(elsewhere) == "aptos"
    assert WRITING.vm(b"no address") == ""


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'{"transfer":{"amount":"1"}}', '{"transfer":{"amount":"1"}}'),
        (b"\xa9\x05\x9c\xbb", "0xa9059cbb"),
        (b"", "0x"),
        (b"{", "0x7b"),
        (b'{"a":"\xff"}', "0x7b2261223a22ff227d"),
        (b"[1]", "0x5b315d"),
    ],
)
def test_json_objects_are_shown_as_text_and_all_else_as_hex(payload: bytes, text: str) -> None:
    assert payload_text(payload) == text


# Events


def _event(request: TrackedRequest) -> tuple[str, dict[str, str]] | None:
    event = event_of(message_view(7, request, WRITING), b"\1")
    return None if event is None else (event.type, dict(event.attributes))


def test_a_request_a_response_and_a_timeout_have_their_attributes() -> None:
    asked = track()
    about = {"message_id": "crossvm-00000007", "source_vm": "evm", "target_vm": "evm"}
    target, sender = (f"<{account[-2:].hex()}>" for account in (asked.request.target, asked.request.sender))
    assert _event(asked) == ("crossvm_request", {**about, "target_contract": target, "sender": sender})
    said = {"message_id": "crossvm-00000007", "status": "executed", "result": "0x2a"}
    assert _event(_concluded(Status.CONCLUDED)) == ("crossvm_response", said)
    failed = _event(_concluded(Status.CONCLUDED, OutcomeKind.REVERTED))
    assert failed == ("crossvm_response", {**said, "status": "failed"})
    assert _event(_concluded(Status.CONCLUDED, OutcomeKind.EXPIRED)) == ("crossvm_timeout", about)


def test_a_message_that_waits_tells_nothing() -> None:
    assert _event(replace(track(), status=Status.CERTIFIED)) is None


def test_a_commit_tells_of_each_message_that_came_into_another_state_once() -> None:
    asked = track()
    final = replace(asked, status=Status.FINAL)
    concluded, attested = _concluded(Status.CONCLUDED), _concluded(Status.ATTESTED)
    commit = Commit(
        observed=(Change(asked.status, asked, "CallRequested", NOW),),
        changes=(
            Change(Status.OBSERVED, final, "RequestFinal", NOW),
            Change(Status.FINAL, replace(asked, status=Status.CERTIFIED), "ExecuteCertified", NOW),
            Change(Status.LANDED, concluded, "ReceiptFinal", NOW),
            Change(Status.CONCLUDED, attested, "OutcomeCertified", NOW),
        ),
    )
    assert list(moved_messages(commit)) == [asked, final, concluded]


def test_a_cancel_is_told_though_no_status_changes_and_what_follows_it_is_not() -> None:
    cancelled = replace(track(), status=Status.CERTIFIED, returned_fee=5)
    told = Commit(changes=(Change(Status.CERTIFIED, cancelled, "CancelFinal", NOW),))
    assert list(moved_messages(told)) == [cancelled]
    ended = replace(cancelled, status=Status.CANCELLED)
    assert not list(moved_messages(Commit(changes=(Change(Status.CERTIFIED, ended, "CancelSettledFinal", NOW),))))
