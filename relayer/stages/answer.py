"""Answers queries: reads them at their pinned block as soon as it exists, concludes them when it is final.

Its job: one per destination chain that can be read as it was; `rounds` has the others. A read counts only when the
pin's child is final and still the child; one that is early is kept with its pin until then. A source block's answers
are born as batches when all of them are there.
SECURITY: nothing is read at a block that this node chose; the pin follows from the asking block's timestamp alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.statement import Outcome
from relayer.domain.batch import Batch, request_ids
from relayer.domain.effects import EffectKind
from relayer.domain.events import AnswerFinal
from relayer.domain.splitting import complete_batches
from relayer.domain.status import UNSERVED, Status
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer, HistoricalVm, Pin
from relayer.ports.store import Commit, Deferral, OutboxRow, PinnedAnswer
from relayer.stages.backoff import backoff_seconds
from relayer.stages.desk import REST_SECONDS, Desk
from relayer.stages.draft import Draft, birth_effects

_IDLE_SECONDS = 5.0
"""New blocks ring the bell; this is for a lost ring."""

_PINLESS_FIRST_SECONDS = 1.0
_PINLESS_CAP_SECONDS = 10.0
"""How long a query without a pin that filled a claim makes room for others: no longer, for its pin may come at once."""

_PINLESS_SHARE = 4
"""In between, one part in so many of the seconds that the two clocks are apart: late by a quarter of the wait."""

_KINDS = frozenset({EffectKind.READ_ANSWER})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one step read at final pins, and the queries as they stood when they were read."""

    answers: Mapping[RequestId, PinnedAnswer] = field(default_factory=dict)
    requests: Mapping[RequestId, TrackedRequest] = field(default_factory=dict)


class AnswerStage:
    """One per destination chain."""

    name = "answer"

    def __init__(self, desk: Desk, destination: HistoricalVm) -> None:
        self._desk = desk
        self._destination = destination

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain that is read."""
        return self._destination.caip2

    async def wait(self) -> None:
        """Until the chain has a new block, or a query arrives."""
        is_resting = self._desk.bells.answer_rest.is_resting(self.chain)
        await self._desk.bells.answer[self.chain].wait(REST_SECONDS if is_resting else _IDLE_SECONDS)

    async def run_once(self) -> bool:
        """Read what is due, then conclude what is final."""
        # Before anything is read: a pin that is found afterwards and is no higher is final already.
        final_number = self._desk.tips[self.chain].final_number
        look = self._desk.bells.answer_rest.look(self.chain)
        is_more, final = await self._read(final_number)
        await self._conclude(final_number, final)
        if not final.requests and await self._is_done():
            self._desk.bells.answer_rest.begin(self.chain, look)
        return is_more

    async def _is_done(self) -> bool:
        """Whether no query is left to be read, nor an answer to become final."""
        store = self._desk.store
        if await store.load_next_due(_KINDS, self.chain) is not None:
            return False
        return not await store.has_answers(self.chain)

    async def _read(self, final_number: int) -> tuple[bool, _Reading]:
        """Whether more is due, and what was read at final pins. What was read at others is kept for later."""
        desk, now = self._desk, self._desk.clock.now()
        rows = await desk.store.load_due_effects(_KINDS, self.chain, now, desk.settings.claim_limit)
        if not rows:
            return False, _Reading()
        requests = await desk.store.load_requests([RequestId(row.subject) for row in rows])
        wanted = [request for request in requests.values() if _is_unanswered(request)]
        answers, missing = await self._fetch_all(wanted)
        unread = {request.request_id for request in wanted} - answers.keys()
        is_full = len(rows) == desk.settings.claim_limit
        # SECURITY: queries of a source whose clock is ahead have no pin for long, and must not keep others out.
        pinless = unread - missing if is_full else set()
        final = {i: answer for i, answer in answers.items() if 0 <= answer.pin.child.number <= final_number}
        async with desk.writing:
            current = await desk.store.load_requests([*requests])
            # SECURITY: a fork may have moved a query meanwhile; then its pin is another, and it is read again.
            settled = {
                row.subject
                for row in rows
                if row.subject not in unread
                and row.subject not in final
                and _is_unmoved(requests.get(RequestId(row.subject)), current.get(RequestId(row.subject)))
            }
            commit = Commit(
                answers=tuple(answer for answer in answers.values() if answer.request_id in settled),
                done=tuple((row.kind, row.subject) for row in rows if row.subject in settled),
                deferred=(
                    *(self._again(row, now) for row in rows if row.subject in missing),
                    *(self._when_pinned(row, requests, now) for row in rows if row.subject in pinless),
                ),
            )
            if commit != Commit():
                await desk.commit(commit)
        is_moving = bool(final) or commit != Commit()
        return is_moving and is_full, _Reading(final, requests)

    async def _fetch_all(self, asking: Iterable[TrackedRequest]) -> tuple[dict[RequestId, PinnedAnswer], set[bytes]]:
        """What was read, and the ids of those that have a pin and no answer."""
        answers: dict[RequestId, PinnedAnswer] = {}
        missing: set[bytes] = set()
        clock = self._desk.tips[self.chain].timestamp
        for timestamp, requests in sorted(_by_timestamp(asking).items()):
            try:
                given = await self._fetch(timestamp, requests)
            except RpcUnavailable as error:
                # SECURITY: what one block's queries cost an endpoint must not keep the others waiting.
                _log.warning("queries_postponed", chain=self.chain, count=len(requests), reason=str(error))
                given = [None] * len(requests)
            if given is None and 0 < clock <= timestamp:
                break  # there is no pin yet, nor one for any later block: the next block rings the bell
            if given is None:
                continue  # the chain began later, or its endpoints disagree: that says nothing about the others
            for request, answer in zip(requests, given, strict=True):
                if answer is None:
                    missing.add(request.request_id)
                else:
                    answers[request.request_id] = answer
        return answers, missing

    async def _fetch(self, timestamp: int, asking: Sequence[TrackedRequest]) -> list[PinnedAnswer | None] | None:
        """What these queries of one block read, None where there is no answer; None if their pin does not exist yet."""
        pin = await self._destination.fetch_pin(timestamp)
        if pin is None:
            return None
        given = await self._destination.fetch_answers(pin.block, [request.request for request in asking])
        return [
            None if answer is None else _pinned(request, self.chain, pin, answer)
            for request, answer in zip(asking, given, strict=True)
        ]

    def _again(self, row: OutboxRow, now: float) -> Deferral:
        delay = backoff_seconds(row.attempts, self._desk.settings)
        return Deferral(row.kind, row.subject, now + delay, row.attempts + 1)

    def _when_pinned(self, row: OutboxRow, requests: Mapping[RequestId, TrackedRequest], now: float) -> Deferral:
        """Later, by how far the chain's clock is from the asking block's. It is no failed attempt."""
        apart = abs(requests[RequestId(row.subject)].source_timestamp - self._desk.tips[self.chain].timestamp)
        delay = min(max(apart / _PINLESS_SHARE, _PINLESS_FIRST_SECONDS), _PINLESS_CAP_SECONDS)
        return Deferral(row.kind, row.subject, now + delay, row.attempts)

    async def _conclude(self, final_number: int, reading: _Reading) -> None:
        """Conclude what was just read at final pins, and what was read before and has become final."""
        desk = self._desk
        if final_number < 0:
            return  # the chain has not been looked at yet
        ripe = await desk.store.load_answers(self.chain, final_number, desk.settings.claim_limit)
        if not ripe and not reading.answers:
            return
        groups = await self._load_groups([*(answer.request_id for answer in ripe), *reading.answers])
        before = await self._load_before(groups, final_number) if ripe else []
        canonical = await self._fetch_canonical({answer.pin for answer in before})
        async with desk.writing:
            commit = await self._decide(groups, before, canonical, reading)
            if commit == Commit():
                return
            await desk.commit(commit)
        desk.bells.sign.ring()

    async def _load_before(self, groups: Iterable[Sequence[TrackedRequest]], final_number: int) -> list[PinnedAnswer]:
        """What earlier steps read for these queries at pins that are final by now."""
        ids = [request.request_id for group in groups for request in group]
        answers = await self._desk.store.load_answers_of(ids)
        return [answer for answer in answers.values() if answer.pin.child.number <= final_number]

    async def _load_groups(self, ripe: Sequence[RequestId]) -> list[list[TrackedRequest]]:
        """All servable queries of each final source block that a ripe answer belongs to, in log order.

        Whatever became of them since: what a batch holds depends on the source block alone. SECURITY: orphans of
        another block with the same number are none of it.
        """
        store = self._desk.store
        requests = await store.load_requests(ripe)
        places = {(request.route, request.block.number) for request in requests.values() if _is_final(request)}
        groups = [await store.load_queries_at(route, number) for route, number in places]
        return [[request for request in group if _is_final(request)] for group in groups]

    async def _fetch_canonical(self, pins: Iterable[Pin]) -> set[Pin]:
        """Those pins that still are what they were read as, now that they are final."""
        canonical = set()
        for pin in pins:
            blocks = await self._destination.fetch_blocks(pin.child.number, pin.child.number)
            if blocks and blocks[0].ref == pin.child and blocks[0].parent_hash == pin.block.hash:
                canonical.add(pin)
        return canonical

    async def _decide(
        self,
        groups: Sequence[Sequence[TrackedRequest]],
        before: Sequence[PinnedAnswer],
        canonical: set[Pin],
        reading: _Reading,
    ) -> Commit:
        desk, now = self._desk, self._desk.clock.now()
        ids = dict.fromkeys([*(request.request_id for group in groups for request in group), *reading.answers])
        known = await desk.store.load_requests([*ids])
        # SECURITY: a fork may have moved a query meanwhile; then its pin is another, and it is read again.
        fresh = {i: a for i, a in reading.answers.items() if _is_unmoved(reading.requests.get(i), known.get(i))}
        draft = Draft(desk.routes, now, known)
        stray = [answer for answer in before if answer.pin not in canonical and answer.request_id not in fresh]
        for answer in stray:
            draft.wish(EffectKind.READ_ANSWER, known[answer.request_id], now)
        conclusions = {
            **{i: request.conclusion for i, request in known.items() if request.outcome_root and request.conclusion},
            **{answer.request_id: answer.conclusion for answer in before if answer.pin in canonical},
            **{answer.request_id: answer.conclusion for answer in fresh.values()},
        }
        candidates = [batch for group in groups for batch in self._born(group, conclusions)]
        held = await desk.store.load_batches([batch.root for batch in candidates])
        batches = [batch for batch in candidates if batch.root not in held]
        for batch in batches:
            for identifier in request_ids(batch):
                draft.apply(identifier, AnswerFinal(conclusions[identifier], batch.root))
        concluded = {identifier for batch in batches for identifier in request_ids(batch)}
        stored = {answer.request_id for answer in before}
        rest = Commit(
            batches=tuple(batches),
            # What finds no batch yet waits for the others of its block.
            answers=tuple(answer for i, answer in fresh.items() if i not in concluded),
            dropped_answers=(*(answer.request_id for answer in stray), *(i for i in concluded if i in stored)),
            done=tuple((EffectKind.READ_ANSWER, identifier) for identifier in fresh),
            effects=birth_effects(batches, now, desk.settings.split_seconds),
        )
        return draft.commit(rest)

    def _born(self, group: Sequence[TrackedRequest], conclusions: Mapping[RequestId, Conclusion]) -> list[Batch]:
        """The batches over the answers to one source block's queries.

        Where an answer is missing here, the complete subsets are born at once: other signers sign the same ones if the
        whole finds no quorum.
        """
        route = self._desk.routes.get(group[0].route)
        outcomes = {identifier: conclusion.outcome for identifier, conclusion in conclusions.items()}
        ids = [request.request_id for request in group]
        return [] if route is None else complete_batches(route, group[0].block.number, ids, outcomes)


def _is_unanswered(request: TrackedRequest) -> bool:
    """Whether an answer is still wanted. A cancelled or delivered query is answered too: its batch needs it."""
    return not request.outcome_root and request.status not in {Status.ORPHANED, Status.REJECTED}


def _is_unmoved(before: TrackedRequest | None, after: TrackedRequest | None) -> bool:
    """Whether the request still asks from the same block, and as much as before."""
    if before is None or after is None:
        return before is after
    return before.block == after.block and _is_unanswered(before) is _is_unanswered(after)


def _is_final(request: TrackedRequest) -> bool:
    return request.status not in UNSERVED


def _by_timestamp(requests: Iterable[TrackedRequest]) -> dict[int, list[TrackedRequest]]:
    by_time: dict[int, list[TrackedRequest]] = defaultdict(list)
    for request in requests:
        by_time[request.source_timestamp].append(request)
    return by_time


def _pinned(request: TrackedRequest, chain: str, pin: Pin, answer: Answer) -> PinnedAnswer:
    outcome = Outcome(
        request_id=request.request_id,
        kind=answer.kind,
        cut=answer.cut,
        return_data_hash=keccak256(answer.return_data),
        height=pin.block.number,
        block_hash=pin.block.hash,
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )
    return PinnedAnswer(request.request_id, chain, pin, Conclusion(outcome, answer.return_data, b""))
