"""What one step of a stage has decided so far, until it is committed.

Its job: run `decide`, remember every status on the way for the compare-and-set, and turn effects into outbox rows with
a place and a time. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, assert_never

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.effects import EffectKind
from relayer.domain.events import Event, RequestRejected
from relayer.domain.lifecycle import Decision, decide
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Change, Commit, OutboxRow

OF_BATCH: Final[Mapping[EffectKind, EffectKind]] = MappingProxyType(
    {
        EffectKind.SUBMIT_EXECUTE: EffectKind.SUBMIT_EXECUTE_BATCH,
        EffectKind.SUBMIT_CALLBACK: EffectKind.SUBMIT_CALLBACK_BATCH,
    }
)
"""What is wished for once for a whole batch: hundreds of requests that become due together are one row."""


class Draft:
    """Decisions about the requests given and those observed since. `now` is wall-clock seconds."""

    def __init__(self, routes: RouteTable, now: float, known: Mapping[RequestId, TrackedRequest] | None = None) -> None:
        self._routes = routes
        self._now = now
        self._current: dict[RequestId, TrackedRequest] = dict(known or {})
        self._observed: list[Change] = []
        self._changes: list[Change] = []
        self._effects: dict[tuple[EffectKind, bytes], OutboxRow] = {}

    def get(self, request_id: RequestId) -> TrackedRequest | None:
        """The request as the decisions so far leave it."""
        return self._current.get(request_id)

    def observe(self, decision: Decision) -> None:
        """Take in a request that is new to this node."""
        request = decision.request
        self._current[request.request_id] = request
        self._observed.append(Change(request.status, request, "CallRequested", self._now))
        self._schedule(decision, self._now)

    def observe_rejected(self, request: TrackedRequest, event: RequestRejected) -> None:
        """Take in a request that can never end here, for people to see; nothing is done about it."""
        rejected = decide(request, event).request
        self._current[request.request_id] = rejected
        self._observed.append(Change(rejected.status, rejected, type(event).__name__, self._now))

    def apply(
        self, request_id: RequestId, event: Event, due_at: float | None = None, root: bytes = b""
    ) -> TrackedRequest | None:
        """Decide; effects become due at `due_at` (now if None). A request that is not known here is left alone.

        With the root of a batch whose requests all go through this, their submissions are one wish of the batch.
        """
        before = self._current.get(request_id)
        if before is None:
            return None
        decision = decide(before, event)
        if decision.request is not before:
            self._current[request_id] = decision.request
            self._changes.append(Change(before.status, decision.request, type(event).__name__, self._now))
        self._schedule(decision, self._now if due_at is None else due_at, root)
        return decision.request

    def wish(self, kind: EffectKind, request: TrackedRequest, due_at: float, root: bytes = b"") -> None:
        """Put an effect of this request, or of the batch with this root, (back) into the outbox."""
        row = OutboxRow(kind, root or request.request_id, self._place(kind, request), due_at)
        earlier = self._effects.get((row.kind, row.subject))
        if earlier is None or row.due_at < earlier.due_at:
            self._effects[row.kind, row.subject] = row

    def commit(self, rest: Commit) -> Commit:
        """Everything decided, together with the rest of what the step writes."""
        return replace(
            rest,
            observed=(*self._observed, *rest.observed),
            changes=(*self._changes, *rest.changes),
            effects=(*self._effects.values(), *rest.effects),
        )

    def _schedule(self, decision: Decision, due_at: float, root: bytes = b"") -> None:
        for effect in decision.effects:
            of_batch = OF_BATCH.get(effect.kind) if root else None
            if of_batch is None:
                self.wish(effect.kind, decision.request, due_at)
            else:
                self.wish(of_batch, decision.request, due_at, root)

    def _place(self, kind: EffectKind, request: TrackedRequest) -> str:
        route = self._routes.get(request.route)
        if route is None:
            raise LookupError("an effect on a request without a route: only rejected requests have none")
        return _chain_of(kind, route)


def birth_effects(batches: Sequence[Batch], now: float, split_seconds: float | None) -> tuple[OutboxRow, ...]:
    """What is to be done about new batches: sign them now, and sign their parts if they find no quorum in time.

    `split_seconds` is None for parts.
    """
    effects = [OutboxRow(EffectKind.SIGN_BATCH, batch.root, batch.verifying_chain, now) for batch in batches]
    if split_seconds is not None:
        effects += [
            OutboxRow(EffectKind.SPLIT_BATCH, batch.root, batch.verifying_chain, now + split_seconds)
            for batch in batches
            if batch.count > 1
        ]
    return tuple(effects)


def _chain_of(kind: EffectKind, route: Route) -> str:
    match kind:
        case (
            EffectKind.READ_ANSWER
            | EffectKind.SUBMIT_EXECUTE
            | EffectKind.SUBMIT_EXPIRE
            | EffectKind.SUBMIT_EXECUTE_BATCH
        ):
            return route.destination_chain
        case EffectKind.SUBMIT_CALLBACK | EffectKind.SUBMIT_CALLBACK_BATCH:
            return route.source_chain
        case EffectKind.SIGN_BATCH | EffectKind.SPLIT_BATCH:
            raise LookupError("a batch is signed and split, not a request")
        case _:
            assert_never(kind)
