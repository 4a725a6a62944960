"""Rounds: whose they are, what is proposed in them, and what a node may sign of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.keccak import keccak256
from attestation.request import RequestId, request_id, route_of
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.domain.batch import request_ids
from relayer.domain.rounds import (
    MAX_QUESTIONS,
    MAX_ROOTS,
    MAX_VALUE_BYTES,
    MAX_VALUES,
    ROUND_SECONDS,
    OwnTurns,
    Proposal,
    Questions,
    RoundBook,
    in_round,
    is_in_turn,
    is_proposed_by,
    is_same_value,
    last_round,
    proposal_in,
    round_at,
    signable,
    value_read,
)
from relayer.domain.status import Status
from relayer.domain.tracked import Conclusion, TrackedRequest
from tests.unit.domain.examples import QUERY_ROUTE, location_at, query

RANKED = (b"a", b"b", b"c", b"d")
NOW = 4_000_000.0
HERE = round_at(NOW)


def tracked(nonce: int = 0, status: Status = Status.FINAL, conclusion: Conclusion | None = None) -> TrackedRequest:
    """A question, final on its source."""
    request = query(nonce)
    return TrackedRequest(
        request_id(request),
        request,
        route_of(request),
        location_at(5, nonce),
        1_005,
        1_000,
        500,
        status=status,
        conclusion=conclusion,
    )


def read(request: TrackedRequest, data: bytes = b"\x2a") -> Conclusion:
    """A value that was read of it."""
    return value_read(request.request_id, OutcomeKind.EXECUTED, data, cut=False)


def questions_of(count: int) -> Questions:
    """So many questions in one block, in log order."""
    ids = tuple(RequestId(hashlib.sha256(bytes([number])).digest()) for number in range(count))
    return Questions(QUERY_ROUTE, 5, ids)


def proposed(*requests: TrackedRequest, round_number: int = HERE, data: bytes = b"\x2a") -> Proposal:
    """A proposal of this value for all of them."""
    outcomes = [in_round(read(request, data), round_number).outcome for request in requests]
    found = proposal_in(RANKED[round_number % 4], b"\x01" * 32, outcomes)
    assert found is not None
    return found


# whose turn it is


def test_a_round_lasts_four_seconds_for_all() -> None:
    assert [round_at(now) for now in (4.0, 7.999, 8.0, 1_800_000_000.0)] == [1, 1, 2, 450_000_000]


def test_the_first_round_is_somebodys_and_the_one_before_it_nobodys() -> None:
    assert is_in_turn(1, b"b", RANKED, 4.0)
    assert not is_in_turn(0, b"a", RANKED, 4.0)


def test_what_is_read_stands_nowhere_pays_nobody_and_is_of_no_round() -> None:
    identifier = tracked().request_id
    assert value_read(identifier, OutcomeKind.REVERTED, b"x", cut=True).outcome == Outcome(
        request_id=identifier,
        kind=OutcomeKind.REVERTED,
        cut=True,
        return_data_hash=keccak256(b"x"),
        height=0,
        block_hash=bytes(32),
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )


def test_a_question_that_was_never_signed_was_last_signed_in_no_round() -> None:
    assert last_round(tracked()) == 0


@given(st.floats(1_000_000_000, 4_000_000_000, allow_nan=False), st.integers(1, 20))
def test_each_round_is_one_signers_and_the_next_one_is_the_next_ranks(now: float, signers: int) -> None:
    ranked = [bytes([rank]) for rank in range(signers)]
    [turn] = [rank for rank, key in enumerate(ranked) if is_in_turn(round_at(now), key, ranked, now)]
    later = now + ROUND_SECONDS
    assert is_in_turn(round_at(later), ranked[(turn + 1) % signers], ranked, later)


def test_a_round_may_be_one_ahead_of_ours_and_any_number_behind() -> None:
    rounds = [r for r in range(HERE - 8, HERE + 8) if is_in_turn(r, RANKED[r % 4], RANKED, NOW)]
    assert rounds == list(range(HERE - 8, HERE + 2))
    assert not is_in_turn(0, RANKED[0], RANKED, NOW)


def test_nobody_is_in_turn_before_any_signer_is_known() -> None:
    assert not is_in_turn(HERE, b"a", (), NOW)


def test_who_proposed_a_batch_follows_from_its_round() -> None:
    questions = questions_of(2)
    values = {i: in_round(value_read(i, OutcomeKind.EXECUTED, b"", cut=False), 6).outcome for i in questions.ids}
    [batch] = questions.batches(values)
    assert [is_proposed_by(key, batch, RANKED) for key in RANKED] == [False, False, True, False]
    assert not is_proposed_by(b"c", batch, ())
    [historical] = questions.batches({i: replace(outcome, round=0) for i, outcome in values.items()})
    assert not any(is_proposed_by(key, historical, RANKED) for key in RANKED)
    execute = Execute(questions.ids[0], 5, b"\x05" * 32, 0, 0)
    assert not any(is_proposed_by(key, replace(batch, statements=(execute,)), RANKED) for key in RANKED)


# what is proposed


@given(st.integers(1, 300), st.data())
def test_what_is_known_is_proposed_once_in_batches_that_all_cut_alike(count: int, data: st.DataObject) -> None:
    ids = tuple(RequestId(hashlib.sha256(number.to_bytes(4, "big")).digest()) for number in range(count))
    questions = Questions(QUERY_ROUTE, 5, ids)
    missing = data.draw(st.sets(st.sampled_from(ids), max_size=5))
    known = {i: value_read(i, OutcomeKind.EXECUTED, i, cut=False).outcome for i in ids if i not in missing}
    batches = questions.batches(known)
    assert sorted(i for batch in batches for i in request_ids(batch)) == sorted(known)
    for batch in batches:
        proposal = Proposal(RANKED[HERE % 4], batch.root, HERE, {i: known[i] for i in request_ids(batch)})
        assert proposal.fits(questions, RANKED, NOW)


@pytest.mark.parametrize(
    "chosen",
    [(0, 2), (1, 0, 2, 3, 4), (0, 1, 2, 3, 4, 4), (), (0, 1, 2, 3)],
    ids=["any two", "another order", "one twice", "none", "all but one"],
)
def test_what_no_signer_would_cut_like_this_does_not_fit(chosen: Sequence[int]) -> None:
    questions = questions_of(5)
    ids = [questions.ids[index] for index in chosen]
    outcomes = [in_round(value_read(i, OutcomeKind.EXECUTED, b"", cut=False), HERE).outcome for i in ids]
    found = proposal_in(RANKED[HERE % 4], b"\x01" * 32, outcomes)
    assert found is None or not found.fits(questions, RANKED, NOW)


def test_a_question_of_another_block_does_not_fit() -> None:
    assert not proposed(tracked()).fits(questions_of(5), RANKED, NOW)


@pytest.mark.parametrize("count", [1, 256])
def test_a_proposal_is_of_one_to_256_questions(count: int) -> None:
    ids = [RequestId(number.to_bytes(32, "big")) for number in range(count)]
    leaves = [in_round(value_read(i, OutcomeKind.EXECUTED, b"", cut=False), 7).outcome for i in ids]
    found = proposal_in(b"a", b"\x01" * 32, leaves)
    assert found == Proposal(b"a", b"\x01" * 32, 7, dict(zip(ids, leaves, strict=True)))


def test_leaves_that_are_no_outcomes_of_one_round_are_no_proposal() -> None:
    one, other = (in_round(read(tracked(nonce)), 7).outcome for nonce in range(2))
    assert proposal_in(b"a", b"\x01" * 32, (one, other)) is not None
    for leaves in (
        (),
        (one, replace(other, round=8)),
        (replace(one, round=0), replace(other, round=0)),
        (one, Execute(other.request_id, 5, b"\x05" * 32, 0, 0)),
        (one, one),
        tuple(replace(one, request_id=RequestId(n.to_bytes(32, "big"))) for n in range(257)),
    ):
        assert proposal_in(b"a", b"\x01" * 32, leaves) is None


# what may be signed


def test_a_value_that_was_read_here_may_be_signed_in_a_round_that_is_not_its_readers() -> None:
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    book.note_read(request, read(request, b"another"))
    [conclusion] = signable(proposed(request), {request.request_id: request}, book)
    assert conclusion == in_round(read(request), HERE)


def test_security_what_was_not_read_here_is_not_signable() -> None:
    """SECURITY: every field of the outcome is compared."""
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    true = in_round(read(request), HERE).outcome
    for outcome in (
        replace(true, kind=OutcomeKind.REVERTED),
        replace(true, cut=True),
        replace(true, return_data_hash=keccak256(b"other")),
        replace(true, height=1),
        replace(true, block_hash=b"\x01" * 32),
        replace(true, tx_index=1),
        replace(true, log_index=1),
        replace(true, payee=b"\x01" * 32),
    ):
        proposal = Proposal(b"a", b"\x01" * 32, HERE, {request.request_id: outcome})
        assert signable(proposal, {request.request_id: request}, book) == []


@pytest.mark.parametrize("signed_in", [HERE, HERE + 1])
def test_security_a_question_is_signed_in_rising_rounds_only(signed_in: int) -> None:
    """SECURITY: two values in one round would convict this node."""
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    later = replace(request, status=Status.CONCLUDED, conclusion=in_round(read(request, b"else"), signed_in))
    assert signable(proposed(request), {request.request_id: later}, book) == []
    assert last_round(later) == signed_in
    earlier = replace(later, conclusion=in_round(read(request, b"else"), HERE - 1))
    assert signable(proposed(request), {request.request_id: earlier}, book)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FINAL, Status.CONCLUDED}))
def test_security_what_is_not_final_or_has_its_answer_is_not_signable(status: Status) -> None:
    """SECURITY: a question that is not final yet may never have been asked."""
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    assert signable(proposed(request), {request.request_id: replace(request, status=status)}, book) == []
    assert signable(proposed(request), {}, book) == []


def test_security_what_was_read_before_a_fork_moved_the_question_is_forgotten() -> None:
    """SECURITY: a read counts from the moment on at which the question, as it stands now, was final."""
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    moved = replace(request, location=location_at(6))
    assert book.newest(moved) is None
    assert signable(proposed(moved), {moved.request_id: moved}, book) == []
    book.note_read(moved, read(moved, b"later"))
    assert book.newest(request) is None


# what is remembered


@given(st.lists(st.integers(0, 30), max_size=60))
def test_the_newest_values_are_remembered_each_once(numbers: list[int]) -> None:
    book, request = RoundBook(), tracked()
    for number in numbers:
        book.note_read(request, read(request, bytes([number])))
    newest = list(dict.fromkeys(reversed(numbers)))
    known = [n for n in newest if book.named(request, in_round(read(request, bytes([n])), 5).outcome) is not None]
    assert known == newest[:MAX_VALUES]
    assert book.newest(request) == (read(request, bytes([numbers[-1]])) if numbers else None)


def test_long_values_are_fewer() -> None:
    book, request = RoundBook(), tracked()
    for number in range(4):
        book.note_read(request, read(request, bytes([number]) * (MAX_VALUE_BYTES // 2)))
    known = [
        number
        for number in range(4)
        if book.named(request, in_round(read(request, bytes([number]) * (MAX_VALUE_BYTES // 2)), 5).outcome)
    ]
    assert known == [2, 3]
    book.note_read(request, read(request, b"\x09" * (2 * MAX_VALUE_BYTES)))
    assert book.newest(request) is not None


def test_security_the_book_is_bounded() -> None:
    """SECURITY: whoever asks without end makes this node forget, not grow."""
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    for number in range(MAX_ROOTS + 1):
        book.note_signed(number.to_bytes(32, "big"), [request.request_id])
    assert len(book.roots([request.request_id])) == MAX_ROOTS
    for nonce in range(1, MAX_QUESTIONS + 1):
        assert book.newest(request) is not None
        other = replace(request, request_id=RequestId(nonce.to_bytes(32, "big")))
        book.note_read(other, read(other))
    assert book.newest(request) is None
    assert book.roots([request.request_id]) == set()
    book.note_signed(b"\x01" * 32, [request.request_id])
    assert book.roots([request.request_id]) == set()


def test_what_has_its_answer_is_forgotten() -> None:
    book, request = RoundBook(), tracked()
    book.note_read(request, read(request))
    book.forget(request.request_id)
    book.forget(request.request_id)
    assert book.newest(request) is None


def test_what_was_signed_last_is_known_after_a_restart() -> None:
    signed = in_round(read(tracked()), 7)
    request = tracked(status=Status.CONCLUDED, conclusion=signed)
    assert RoundBook().named(request, in_round(signed, 6).outcome) == in_round(signed, 6)


def test_a_value_is_the_same_in_every_round() -> None:
    request = tracked()
    assert is_same_value(in_round(read(request), 3), read(request))
    assert not is_same_value(read(request), read(request, b"other"))
    assert not is_same_value(None, read(request))
    assert not is_same_value(read(request), None)


# how often this node proposes


def test_news_are_proposed_at_once_and_what_was_signed_when_all_have_had_a_turn() -> None:
    fresh = OwnTurns()
    assert fresh.is_due(100, 99, 4, is_news=True)
    assert not fresh.is_due(100, 97, 4, is_news=False)
    assert fresh.is_due(100, 96, 4, is_news=False)


def test_who_proposes_in_vain_lets_more_and_more_turns_pass() -> None:
    turns, proposed_in = OwnTurns(), list[int]()
    for round_number in range(0, 4 * 400, 4):
        if turns.is_due(round_number, -1_000_000, 4, is_news=True):
            proposed_in.append(round_number)
            turns = turns.after(round_number)
    gaps = [(after - before) // 4 for before, after in pairwise(proposed_in)]
    assert gaps[:8] == [1, 1, 1, 1, 2, 4, 8, 16]
    assert set(gaps[8:]) == {16}
