"""What a commit's decisions about requests come to.

Its job: one step may move a request several times; a store has to compare once, write the last value once, and keep
every transition. Shared by all stores, so that they agree on what contradicts itself. It reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.request import RequestId
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import StoreConflict
from relayer.ports.store import Change, Commit, Transition


@dataclass(frozen=True, slots=True)
class Folded:
    """One request as a commit leaves it. `expected` is the status that must be on disk; None: it must not be there."""

    expected: Status | None
    request: TrackedRequest
    transitions: tuple[Transition, ...]


def fold_changes(commit: Commit) -> dict[RequestId, Folded]:
    """Every request that the commit observes or changes, once, in the order of first mention.

    Raises:
        StoreConflict: it observes a request twice, or a change was decided on another status than the one before left.
    """
    folded: dict[RequestId, Folded] = {}
    for change in commit.observed:
        identifier = change.request.request_id
        if identifier in folded:
            raise StoreConflict(f"request 0x{identifier.hex()} is observed twice in one commit")
        folded[identifier] = Folded(None, change.request, (_transition(None, change),))
    for change in commit.changes:
        identifier = change.request.request_id
        earlier = folded.get(identifier)
        if earlier is None:
            folded[identifier] = Folded(change.before, change.request, _moves(change))
            continue
        if earlier.request.status is not change.before:
            raise conflict_of(identifier, earlier.request.status, change.before)
        folded[identifier] = Folded(earlier.expected, change.request, earlier.transitions + _moves(change))
    return folded


def conflict_of(identifier: RequestId, found: Status | None, expected: Status | None) -> StoreConflict:
    """The error that says which request was found in which status; None means that it is not there."""
    return StoreConflict(
        f"request 0x{identifier.hex()} is {found or 'unknown'} here, the step decided on {expected or 'unknown'}"
    )


def _moves(change: Change) -> tuple[Transition, ...]:
    return () if change.before is change.request.status else (_transition(change.before, change),)


def _transition(before: Status | None, change: Change) -> Transition:
    request = change.request
    return Transition(request.request_id, before, request.status, change.cause, request.hold_reason, change.at)
