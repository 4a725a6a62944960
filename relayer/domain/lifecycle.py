"""The life of a request: the only place where its status changes.

Its job: `decide(request, event)`, pure and total: every event is answered in every status, and what does not apply
changes nothing. Chains are watched independently, so events come in any order: a receipt may be known before our own
quorum, a delivery before the receipt. Later facts win over earlier statuses; no event moves a request backwards but
those that say something was lost, and an end is undone only by a chain that was rewritten below finality.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, assert_never

from attestation.request import Request, RequestId
from relayer.domain.blocks import Location
from relayer.domain.effects import Effect, EffectKind
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
from relayer.domain.status import ENDS, Status
from relayer.domain.tracked import Conclusion, TrackedRequest

_AWAITING_EXECUTION = frozenset({Status.CERTIFIED, Status.EXECUTION_HELD, Status.DISPATCHED})
_AWAITING_RECEIPT = _AWAITING_EXECUTION | {Status.FINAL}
_AWAITING_DELIVERY = frozenset({Status.ATTESTED, Status.CALLBACK_HELD, Status.SUBMITTED})


@dataclass(frozen=True, slots=True)
class Decision:
    """The request as it is now, and what is to be done. An unchanged request is the same object."""

    request: TrackedRequest
    effects: tuple[Effect, ...] = ()


def observe(
    request_id: RequestId, request: Request, route: bytes, location: Location, timestamp: int, fee: int, deadline: int
) -> Decision:
    """The first decision about a request: it is OBSERVED, and a QUERY is read as soon as its pinned block exists."""
    tracked = TrackedRequest(request_id, request, route, location, timestamp, fee, deadline)
    return Decision(tracked, () if tracked.is_call else _effect(tracked, EffectKind.READ_ANSWER))


def decide(request: TrackedRequest, event: Event) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one line an event
    """What `event` makes of `request`. Never raises; time is none of its inputs, the outbox row carries that."""
    match event:
        case RequestFinal():
            return _request_final(request, event)
        case RequestOrphaned():
            return _to(request, Status.ORPHANED) if request.status is Status.OBSERVED else Decision(request)
        case RequestReobserved():
            return _request_reobserved(request, event)
        case RequestRejected():
            is_early = request.status in {Status.OBSERVED, Status.FINAL}
            return _to(request, Status.REJECTED, reason=event.reason) if is_early else Decision(request)
        case FeeRaised():
            return _fee_raised(request, event)
        case ExecuteCertified():
            return _execute_certified(request, event)
        case ExecutionHeld():
            is_open = request.status in {Status.CERTIFIED, Status.EXECUTION_HELD}
            return _to(request, Status.EXECUTION_HELD, reason=event.reason) if is_open else Decision(request)
        case ExecutionDispatched():
            if request.status not in _AWAITING_EXECUTION:
                return Decision(request)
            return _to(request, Status.DISPATCHED, execute_tx_hash=event.tx_hash)
        case ExecutionLost():
            if request.status is not Status.DISPATCHED:
                return Decision(request)
            return _to(request, Status.CERTIFIED, EffectKind.SUBMIT_EXECUTE)
        case ExpiryPassed():
            # DISPATCHED is left alone: our transaction is under way, and executing late concludes EXPIRED as well.
            is_open = request.status in {Status.CERTIFIED, Status.EXECUTION_HELD}
            return Decision(request, _effect(request, EffectKind.SUBMIT_EXPIRE)) if is_open else Decision(request)
        case ReceiptSeen():
            if not request.is_call or request.status not in _AWAITING_RECEIPT:
                return Decision(request)
            return _to(request, Status.LANDED, conclusion=event.conclusion)
        case ReceiptOrphaned():
            return _receipt_orphaned(request)
        case ReceiptFinal():
            return _concluded(request, event.conclusion, event.outcome_root, is_answer=False)
        case AnswerFinal():
            return _concluded(request, event.conclusion, event.outcome_root, is_answer=True)
        case OutcomeCertified():
            if request.status is not Status.CONCLUDED:
                return Decision(request)
            return _to(request, Status.ATTESTED, EffectKind.SUBMIT_CALLBACK, outcome_root=event.root)
        case CallbackHeld():
            is_open = request.status in {Status.ATTESTED, Status.CALLBACK_HELD}
            return _to(request, Status.CALLBACK_HELD, reason=event.reason) if is_open else Decision(request)
        case CallbackSubmitted():
            if request.status not in _AWAITING_DELIVERY:
                return Decision(request)
            return _to(request, Status.SUBMITTED, callback_tx_hash=event.tx_hash)
        case CallbackLost():
            if request.status is not Status.SUBMITTED:
                return Decision(request)
            return _to(request, Status.ATTESTED, EffectKind.SUBMIT_CALLBACK)
        case CallbackFinal():
            return _callback_final(request, event)
        case CancelFinal():
            return _cancel_final(request, event)
        case CancelSettledFinal():
            return Decision(request) if request.status in ENDS else _to(request, Status.CANCELLED)
        case RequestForkedOff():
            return _request_forked_off(request)
        case EndForkedOff():
            return _end_forked_off(request)
        case ConclusionForkedOff():
            return _conclusion_forked_off(request)
        case _:
            assert_never(event)


def _effect(request: TrackedRequest, kind: EffectKind) -> tuple[Effect, ...]:
    return (Effect(kind, request.request_id),)


def _to(request: TrackedRequest, status: Status, *kinds: EffectKind, reason: str = "", **facts: Any) -> Decision:
    """In this status, with other values in the fields of `facts`."""
    moved = request.with_facts(status=status, hold_reason=reason, **facts)
    return Decision(moved, tuple([Effect(kind, request.request_id) for kind in kinds]) if kinds else ())


def _request_final(request: TrackedRequest, event: RequestFinal) -> Decision:
    if request.status is not Status.OBSERVED:
        return Decision(request)
    # A subset that was certified already keeps its word.
    return _to(request, Status.FINAL, execute_root=request.execute_root or event.execute_root)


def _request_reobserved(request: TrackedRequest, event: RequestReobserved) -> Decision:
    if request.status not in {Status.OBSERVED, Status.ORPHANED}:
        return Decision(request)
    moved = replace(request, location=event.location, source_timestamp=event.timestamp, conclusion=None)
    return _to(moved, Status.OBSERVED, *(() if request.is_call else (EffectKind.READ_ANSWER,)))


def _fee_raised(request: TrackedRequest, event: FeeRaised) -> Decision:
    if request.status in ENDS or event.fee <= request.fee:
        return Decision(request)
    raised = replace(request, fee=event.fee)
    if request.status is Status.EXECUTION_HELD:
        return _to(raised, Status.CERTIFIED, EffectKind.SUBMIT_EXECUTE)
    if request.status is Status.CALLBACK_HELD:
        return _to(raised, Status.ATTESTED, EffectKind.SUBMIT_CALLBACK)
    return Decision(raised)


def _execute_certified(request: TrackedRequest, event: ExecuteCertified) -> Decision:
    if not request.is_call or request.is_execute_certified:
        return Decision(request)
    certified: dict[str, Any] = {"is_execute_certified": True, "execute_root": event.root}
    if request.status is not Status.FINAL:
        # Someone else's certificate already did its work; ours is kept for the case that a reorg undoes it.
        return Decision(request.with_facts(**certified))
    return _to(request, Status.CERTIFIED, EffectKind.SUBMIT_EXECUTE, **certified)


def _receipt_orphaned(request: TrackedRequest) -> Decision:
    if request.status is not Status.LANDED:
        return Decision(request)
    open_again = replace(request, conclusion=None)
    if not request.is_execute_certified:
        return _to(open_again, Status.FINAL)
    return _to(open_again, Status.CERTIFIED, EffectKind.SUBMIT_EXECUTE)


def _concluded(request: TrackedRequest, conclusion: Conclusion, root: bytes, *, is_answer: bool) -> Decision:
    if request.is_call is is_answer or request.status in {Status.OBSERVED, Status.ORPHANED, Status.REJECTED}:
        return Decision(request)
    known: dict[str, Any] = {"conclusion": conclusion, "outcome_root": root}
    if request.status in _AWAITING_RECEIPT or request.status is Status.LANDED:
        return _to(request, Status.CONCLUDED, **known)
    if request.status is Status.CONCLUDED and is_answer and _is_of_another_round(request, conclusion):
        return _to(request, Status.CONCLUDED, **known)
    # The callback outran our view of the destination: the status stands, the facts are filled in.
    return Decision(request) if request.outcome_root else Decision(request.with_facts(**known))


def _is_of_another_round(request: TrackedRequest, conclusion: Conclusion) -> bool:
    """Whether what is held has found no quorum in its round, and this is the answer of another one."""
    return request.conclusion is not None and request.conclusion.outcome.round != conclusion.outcome.round


def _callback_final(request: TrackedRequest, event: CallbackFinal) -> Decision:
    if request.status in ENDS:
        return Decision(request)
    end = Status.HANDLER_FAILED if event.is_handler_failed else Status.DELIVERED
    if request.status is end:
        return Decision(request)
    held = request.conclusion
    if held is not None and held.outcome.round and event.return_data_hash not in {b"", held.outcome.return_data_hash}:
        # The answer of another round was delivered than the last that this node signed; which, it does not know.
        return _to(request, end, conclusion=None, outcome_root=b"")
    return _to(request, end)


def _cancel_final(request: TrackedRequest, event: CancelFinal) -> Decision:
    if request.status in ENDS or request.returned_fee is not None:
        return Decision(request)
    cancelled = replace(request, returned_fee=event.returned)
    # A CALL may have been executed: its outcome pays whoever did. An answer was given by nobody who could be paid.
    return Decision(cancelled) if request.is_call else _to(cancelled, Status.CANCELLED)


def _request_forked_off(request: TrackedRequest) -> Decision:
    """Nothing that was signed about its old place counts any more; seen again, it begins anew."""
    if request.status in {Status.ORPHANED, Status.REJECTED}:
        return Decision(request)
    bare = replace(
        request,
        is_execute_certified=False,
        conclusion=None,
        execute_root=b"",
        outcome_root=b"",
        execute_tx_hash=b"",
        callback_tx_hash=b"",
        returned_fee=None,
    )
    return _to(bare, Status.ORPHANED)


def _end_forked_off(request: TrackedRequest) -> Decision:
    """Back to the furthest place that the facts besides the end allow; a cancel without an end yet is forgotten."""
    if request.status not in {Status.DELIVERED, Status.HANDLER_FAILED, Status.CANCELLED}:
        return Decision(request if request.returned_fee is None else replace(request, returned_fee=None))
    open_again = replace(request, callback_tx_hash=b"", returned_fee=None)
    if request.conclusion is not None and request.outcome_root:
        # Rounds go on until an answer has its quorum; whether this one had is looked up by whoever tells of this.
        is_open = request.conclusion.outcome.round > 0
        return _to(open_again, Status.CONCLUDED, *((EffectKind.READ_ANSWER,) if is_open else ()))
    return _without_conclusion(open_again)


def _conclusion_forked_off(request: TrackedRequest) -> Decision:
    is_out_of_reach = request.status in ENDS or request.status is Status.HANDLER_FAILED
    if request.conclusion is None or is_out_of_reach:
        return Decision(request)
    return _without_conclusion(replace(request, callback_tx_hash=b""))


def _without_conclusion(request: TrackedRequest) -> Decision:
    open_again = replace(request, conclusion=None, outcome_root=b"")
    if not request.is_call:
        return _to(open_again, Status.FINAL, EffectKind.READ_ANSWER)
    if not request.is_execute_certified:
        return _to(open_again, Status.FINAL)
    return _to(open_again, Status.CERTIFIED, EffectKind.SUBMIT_EXECUTE)
