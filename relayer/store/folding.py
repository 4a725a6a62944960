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
from relayer.ports.store import Change, Commit


@dataclass(slots=True)
class Folded:
    """One request as a commit leaves it. `expected` is the status that must be on disk; None: it must not be there.

    `moves` are its transitions, with the status before each, None for the first of all.
    """

    expected: Status | None
    request: TrackedRequest
    moves: list[tuple[Status | None, Change]]


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
        folded[identifier] = Folded(None, change.request, [(None, change)])
    for change in commit.changes:
        identifier, before, after = change.request.request_id, change.before, change.request
        earlier = folded.get(identifier)
        if earlier is None:
            earlier = folded[identifier] = Folded(before, after, [])
        elif earlier.request.status is not before:
            raise conflict_of(identifier, earlier.request.status, before)
        earlier.request = after
        if before is not after.status:
            earlier.moves.append((before, change))
    return folded


def conflict_of(identifier: RequestId, found: Status | None, expected: Status | None) -> StoreConflict:
    """The error that says which request was found in which status; None means that it is not there."""
    return StoreConflict(
        f"request 0x{identifier.hex()} is {found or 'unknown'} here, the step decided on {expected or 'unknown'}"
    )
