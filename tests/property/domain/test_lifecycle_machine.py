"""Whatever happens, in whatever order: what a request's life never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
    RequestOrphaned,
    RequestRejected,
    RequestReobserved,
)
from relayer.domain.lifecycle import Decision, decide, observe
from relayer.domain.rounds import in_round
from relayer.domain.status import ENDS, Status
from relayer.domain.tracked import TrackedRequest
from tests.unit.domain.examples import call, conclusion, location_at, query

PROGRESS: Final = {
    Status.ORPHANED: 0,
    Status.OBSERVED: 1,
    Status.FINAL: 2,
    Status.CERTIFIED: 3,
    Status.EXECUTION_HELD: 3,
    Status.DISPATCHED: 4,
    Status.LANDED: 5,
    Status.CONCLUDED: 6,
    Status.ATTESTED: 7,
    Status.CALLBACK_HELD: 7,
    Status.SUBMITTED: 8,
    Status.HANDLER_FAILED: 9,
    Status.DELIVERED: 10,
    Status.CANCELLED: 10,
    Status.REJECTED: 10,
}
"""How far a request has come. HELD and what it is held from are one place."""

LOSSES: Final = (RequestOrphaned, ReceiptOrphaned, ExecutionLost, CallbackLost)
"""The events that say that something is gone."""

FITTING: Final = {
    Mode.CALL: {EffectKind.SUBMIT_EXECUTE, EffectKind.SUBMIT_EXPIRE, EffectKind.SUBMIT_CALLBACK},
    Mode.QUERY: {EffectKind.READ_ANSWER, EffectKind.SUBMIT_CALLBACK},
}

_WORDS = st.sampled_from([b"\x01" * 32, b"\x02" * 32])
_REASONS = st.sampled_from(["paused", "fee_below_cost"])
_CONCLUSIONS = st.sampled_from([conclusion(request_id(call()), data) for data in (b"", b"\x2a")])
_ROUNDS = st.builds(in_round, _CONCLUSIONS, st.integers(1, 3))
_PLACES = st.sampled_from([location_at(4), location_at(5), location_at(6)])

_PROGRESSES: st.SearchStrategy[Event] = st.one_of(
    st.builds(RequestFinal, _WORDS),
    st.builds(RequestReobserved, _PLACES, st.integers(1_000, 1_010)),
    st.just(ExecuteCertified(b"\x01" * 32)),
    st.builds(ExecutionHeld, _REASONS),
    st.builds(ExecutionDispatched, _WORDS),
    st.just(ExpiryPassed()),
    st.builds(ReceiptSeen, _CONCLUSIONS),
    st.builds(ReceiptFinal, _CONCLUSIONS, _WORDS),
    st.builds(AnswerFinal, st.one_of(_CONCLUSIONS, _ROUNDS), _WORDS),
    st.just(OutcomeCertified(b"\x02" * 32)),
    st.builds(CallbackHeld, _REASONS),
    st.builds(CallbackSubmitted, _WORDS),
)
_LOSSES_OF_ALL_KINDS: st.SearchStrategy[Event] = st.sampled_from([loss() for loss in LOSSES])
_RAISES: st.SearchStrategy[Event] = st.builds(FeeRaised, st.integers(0, 5_000))
_CANCELS: st.SearchStrategy[Event] = st.builds(CancelFinal, st.integers(0, 1_000))
_ENDINGS: st.SearchStrategy[Event] = st.one_of(
    st.builds(RequestRejected, _REASONS),
    st.builds(CallbackFinal, st.booleans(), st.sampled_from([b"", b"\x0a" * 32])),
    st.just(CancelSettledFinal()),
)


def first_decision(mode: Mode) -> Decision:
    """A request that was just seen."""
    request = call() if mode is Mode.CALL else query()
    return observe(request_id(request), request, route_of(request), location_at(5), 1_005, 1_000, 500)


_RECEIPT = conclusion(request_id(call()))
NEXT_STEPS: Final[dict[Status, tuple[Event, ...]]] = {
    Status.OBSERVED: (RequestFinal(b"\x01" * 32),),
    Status.ORPHANED: (RequestReobserved(location_at(6), 1_006),),
    Status.FINAL: (ExecuteCertified(b"\x01" * 32), ReceiptSeen(_RECEIPT), AnswerFinal(_RECEIPT, b"\x02" * 32)),
    Status.CERTIFIED: (ExecutionHeld("paused"), ExecutionDispatched(b"\x03" * 32), ReceiptSeen(_RECEIPT)),
    Status.EXECUTION_HELD: (FeeRaised(4_000), ExecutionDispatched(b"\x03" * 32), ExpiryPassed()),
    Status.DISPATCHED: (ExecutionLost(), ReceiptSeen(_RECEIPT)),
    Status.LANDED: (ReceiptOrphaned(), ReceiptFinal(_RECEIPT, b"\x02" * 32)),
    Status.CONCLUDED: (OutcomeCertified(b"\x02" * 32),),
    Status.ATTESTED: (CallbackHeld("paused"), CallbackSubmitted(b"\x04" * 32)),
    Status.CALLBACK_HELD: (FeeRaised(4_500), CallbackSubmitted(b"\x04" * 32)),
    Status.SUBMITTED: (CallbackLost(), CallbackFinal(is_handler_failed=True)),
}
"""What usually comes next. Blind chance alone seldom leads far."""


class Life(RuleBasedStateMachine):
    """One request, to which anything happens."""

    def __init__(self) -> None:
        super().__init__()
        self.request: TrackedRequest | None = None
        self.history: list[Event] = []
        self.wished: set[EffectKind] = set()

    @initialize(mode=st.sampled_from(Mode))
    def is_asked(self, mode: Mode) -> None:
        first = first_decision(mode)
        self.request = first.request
        self.wished |= {effect.kind for effect in first.effects}

    @rule(event=_PROGRESSES)
    def it_gets_on(self, event: Event) -> None:
        self._happens(event)

    @rule(event=_LOSSES_OF_ALL_KINDS)
    def something_is_lost(self, event: Event) -> None:
        self._happens(event)

    @rule(event=_RAISES)
    def somebody_pays_more(self, event: Event) -> None:
        self._happens(event)

    @precondition(lambda self: len(self.history) >= 5)
    @rule(event=_CANCELS)
    def its_asker_takes_it_back(self, event: Event) -> None:
        self._happens(event)

    @rule(choice=st.integers(0, 2))
    def it_takes_a_usual_step(self, choice: int) -> None:
        assert self.request is not None
        steps = NEXT_STEPS.get(self.request.status, (ExpiryPassed(),))
        self._happens(steps[choice % len(steps)])

    @precondition(lambda self: len(self.history) >= 15)
    @rule(event=_ENDINGS)
    def it_ends(self, event: Event) -> None:
        self._happens(event)

    def _happens(self, event: Event) -> None:
        assert self.request is not None
        before = self.request
        decision = decide(before, event)
        self.request = decision.request
        self.history.append(event)
        self.wished |= {effect.kind for effect in decision.effects}

        assert all(effect.request_id == before.request_id for effect in decision.effects)
        if before.status in ENDS:
            assert decision.request.status is before.status
            assert decision.effects == ()
        if PROGRESS[decision.request.status] < PROGRESS[before.status]:
            assert isinstance(event, LOSSES)
        # What identifies a request, and what was asked, never changes.
        assert (
            replace(
                decision.request,
                location=before.location,
                source_timestamp=before.source_timestamp,
                fee=before.fee,
                status=before.status,
                hold_reason=before.hold_reason,
                is_execute_certified=before.is_execute_certified,
                conclusion=before.conclusion,
                execute_root=before.execute_root,
                outcome_root=before.outcome_root,
                execute_tx_hash=before.execute_tx_hash,
                callback_tx_hash=before.callback_tx_hash,
                returned_fee=before.returned_fee,
            )
            == before
        )
        # Roots name what was signed: they are set once, and again only to the subset that found a quorum.
        if not isinstance(event, ExecuteCertified):
            assert before.execute_root in {b"", decision.request.execute_root}
        # An answer of another round takes the place of one without a quorum, or falls when another one is delivered.
        is_of_round = before.conclusion is not None and before.conclusion.outcome.round > 0
        is_other_round = isinstance(event, AnswerFinal) and before.status is Status.CONCLUDED
        is_other_end = isinstance(event, CallbackFinal) and is_of_round and decision.request.conclusion is None
        if not (isinstance(event, OutcomeCertified) or is_other_round or is_other_end):
            assert before.outcome_root in {b"", decision.request.outcome_root}
        assert decision.request.fee >= before.fee
        # A cancel is told once, and undone by nothing that happens above finality.
        assert before.returned_fee in {None, decision.request.returned_fee}
        assert decision.request.fee_left >= 0
        if isinstance(event, CancelFinal) and before.is_call:
            assert decision.request.status is before.status
            assert decision.effects == ()

    @invariant()
    def effects_fit_the_mode(self) -> None:
        if self.request is not None:
            assert self.wished <= FITTING[self.request.request.mode]

    @invariant()
    def statuses_and_facts_agree(self) -> None:
        request = self.request
        if request is None:
            return
        if request.status in {Status.CERTIFIED, Status.EXECUTION_HELD, Status.DISPATCHED}:
            assert request.is_execute_certified
            assert request.is_call
        if request.status is Status.LANDED:
            assert request.is_call
            assert request.conclusion is not None
        if request.status in {Status.CONCLUDED, Status.ATTESTED, Status.CALLBACK_HELD, Status.SUBMITTED}:
            assert request.outcome_root
            assert request.conclusion is not None
        held = {Status.EXECUTION_HELD, Status.CALLBACK_HELD, Status.REJECTED}
        assert bool(request.hold_reason) is (request.status in held)

    def teardown(self) -> None:
        """A replay of the same events gives the same request."""
        if self.request is not None:
            replayed = first_decision(self.request.request.mode).request
            for event in self.history:
                replayed = decide(replayed, event).request
            assert replayed == self.request


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
