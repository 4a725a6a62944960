"""Which messages came into another state by a commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from relayer.crossvm.messages import state_of
from relayer.domain.events import CancelFinal
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Commit


def moved_messages(commit: Commit) -> Iterator[TrackedRequest]:
    """The requests as they are now, in the order in which they moved."""
    for change in commit.observed:
        yield change.request
    for change in commit.changes:
        # A cancel leaves the status as it is.
        is_cancel = change.cause == CancelFinal.__name__
        if is_cancel or state_of(replace(change.request, status=change.before)) is not state_of(change.request):
            yield change.request
