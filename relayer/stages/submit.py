"""Turns certified work into transactions of our own.

Its job: per chain, claim what is due, look at the chain first, bundle, price, reserve a nonce, sign, record, then send:
what is on disk can be sent again, what is not on disk was never sent. It decides about spending only; a request that is
not worth it is HELD and looked at again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.effects import EffectKind
from relayer.domain.events import CallbackHeld, CallbackSubmitted, ExecutionDispatched, ExecutionHeld
from relayer.domain.policy import SpendPolicy, gas_cost
from relayer.domain.route import Route
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import RpcUnavailable
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.store import (
    Certificate,
    Commit,
    OutboxRow,
    OwnTransaction,
    TransactionPurpose,
    TransactionStatus,
)
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall, SpendTerms
from relayer.stages.backoff import backoff_seconds
from relayer.stages.claim import KINDS, Claim, claim_submissions
from relayer.stages.desk import REST_SECONDS, Desk
from relayer.stages.draft import Draft
from relayer.stages.sending import send_recorded, sign_next

_IDLE_SECONDS = 5.0
"""Effects ring the bell and due times are waited for exactly; this is for a lost ring."""

_WANTED = {
    EffectKind.SUBMIT_EXECUTE: frozenset({Status.CERTIFIED, Status.EXECUTION_HELD}),
    EffectKind.SUBMIT_EXPIRE: frozenset({Status.CERTIFIED, Status.EXECUTION_HELD}),
    EffectKind.SUBMIT_CALLBACK: frozenset({Status.ATTESTED, Status.CALLBACK_HELD}),
}

UNFUNDED: Final = "wallet_balance_too_low"
"""The hold reason while the paying account cannot bear the most that a transaction may cost."""

WINDOW_FULL: Final = "window_full"
"""The hold reason while as many requests of the route are in flight as the operator wants."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """What goes to the chain together: one purpose, one route."""

    purpose: TransactionPurpose
    route: Route
    batches: tuple[CertifiedBatch, ...]

    @property
    def count(self) -> int:
        """How many requests it is about."""
        return sum(len(batch.requests) for batch in self.batches)

    def first(self, count: int) -> _Job:
        """The job for so many of its requests, in order."""
        batches = []
        for batch in self.batches:
            batches.append(replace(batch, requests=batch.requests[:count]))
            count -= len(batches[-1].requests)
        return replace(self, batches=tuple(batch for batch in batches if batch.requests))


class SubmitStage:
    """One per chain: executions for requests that go there, deliveries for requests that came from there."""

    name = "submit"

    def __init__(self, desk: Desk, chain: OpenChain, policy: SpendPolicy) -> None:
        self._desk = desk
        self._chain = chain
        self._policy = policy
        self._room = 1
        self._ground: set[tuple[bytes, bytes]] = set()
        """What is being laid for others: (to, data) of open transactions that carry no request."""

        self._queued: Counter[tuple[TransactionPurpose, bytes]] = Counter()
        """Requests put off since a route's window last had room."""

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain that is written to."""
        return self._chain.source.caip2

    @property
    def is_full(self) -> bool:
        """Whether as many transactions are in flight as may be."""
        return self._room < 1

    async def wait(self) -> None:
        """Until an effect is due; with too many transactions in flight, until one is mined."""
        bell = self._desk.bells.submit[self.chain]
        if self.is_full:
            await bell.wait(_IDLE_SECONDS)
            return
        due = await self._desk.store.load_next_due(KINDS, self.chain)
        seconds = REST_SECONDS if due is None else min(max(due - self._desk.clock.now(), 0.0), _IDLE_SECONDS)
        await bell.wait(seconds)

    async def run_once(self) -> bool:
        """One claim."""
        desk = self._desk
        claim = await claim_submissions(desk, self.chain, desk.clock.now())
        under_way = await desk.store.load_open_transactions(self.chain) if claim.batches or claim.rows else ()
        # What is mined is in no node's pool any more.
        queued = [each for each in under_way if each.status is TransactionStatus.SIGNED]
        self._room = self._open_limit - len(queued)
        if self._room < 1 or not (claim.batches or claim.rows):
            return False
        self._ground = {(each.to, each.data) for each in under_way if not each.request_ids}
        requests = await desk.store.load_requests([RequestId(row.subject) for row in claim.rows])
        wanted, stale = _parted(claim.rows, lambda row: _is_wanted(row, requests.get(RequestId(row.subject))))
        await self._clear(claim, stale)
        # A fork took the block of our transaction, not the transaction: it is mined again, and would be paid for twice.
        carried = _carried(under_way)
        waiting, wanted = _parted(wanted, lambda row: (row.kind is EffectKind.SUBMIT_CALLBACK, row.subject) in carried)
        await self._defer(claim, waiting, desk.settings.settle_recheck_seconds)
        await self._work(claim, wanted, requests, await self._count_in_flight(under_way))
        await claim.close(desk, _is_wanted)
        return not (claim.is_all or self.is_full)

    @property
    def _open_limit(self) -> int:
        settings = self._desk.settings
        is_sequenced = self._chain.wallet.is_sequenced
        return settings.open_transactions_limit if is_sequenced else settings.unsequenced_transactions_limit

    async def _work(
        self,
        claim: Claim,
        wanted: Sequence[OutboxRow],
        requests: dict[RequestId, TrackedRequest],
        in_flight: Mapping[tuple[bool, bytes], int],
    ) -> None:
        jobs = await self._jobs(wanted, requests)
        for job in jobs:
            if self.is_full:
                return  # what is left stays due
            fitting = self._within_window(job, in_flight)
            try:
                await self._hold_beyond(claim, job, fitting, wanted)
                await self._submit(claim, fitting, wanted)
            except RpcUnavailable as error:
                # SECURITY: what one route's requests cost an endpoint must not keep the others waiting.
                await self._postpone(claim, job, wanted, str(error))
        await self._defer_idle(claim, wanted, jobs)

    async def _count_in_flight(self, under_way: Iterable[OwnTransaction]) -> Counter[tuple[bool, bytes]]:
        """How many requests our open transactions carry, by whether they deliver, and by route."""
        carried = _carried(under_way)
        requests = await self._desk.store.load_requests([RequestId(identifier) for _, identifier in carried])
        counts: Counter[tuple[bool, bytes]] = Counter()
        for is_delivery, identifier in carried:
            request = requests.get(RequestId(identifier))
            if request is not None:
                counts[is_delivery, request.route] += 1
        return counts

    def _within_window(self, job: _Job, in_flight: Mapping[tuple[bool, bytes], int]) -> _Job:
        """The job for as many of its requests, the earliest, as the route's window has room for."""
        if job.purpose is TransactionPurpose.EXPIRE:
            return job  # it ends requests, which is what makes room
        place = (job.purpose is TransactionPurpose.DELIVER, job.route.key)
        return job.first(max(self._desk.settings.window_requests - in_flight[place], 0))

    async def _hold_beyond(self, claim: Claim, job: _Job, fitting: _Job, rows: Sequence[OutboxRow]) -> None:
        """Hold what the window has no room for."""
        place = (job.purpose, job.route.key)
        if fitting.count:
            self._queued[place] = 0
        if fitting.count == job.count:
            return
        taken = {request.request_id for batch in fitting.batches for request in batch.requests}
        beyond = {r.request_id: r for batch in job.batches for r in batch.requests if r.request_id not in taken}
        told = [identifier for identifier, request in beyond.items() if request.hold_reason != WINDOW_FULL]
        desk, now = self._desk, self._desk.clock.now()
        put_off = []
        for row in rows:
            if row.subject in beyond:
                put_off.append(replace(row, due_at=now + self._queue_seconds(place)))
                self._queued[place] += 1
        async with desk.writing:
            draft = Draft(desk.routes, now, await desk.store.load_requests(told))
            for identifier in told:
                draft.apply(identifier, _held(job, WINDOW_FULL))
            await desk.commit(draft.commit(claim.put_off(put_off)))

    def _queue_seconds(self, place: tuple[TransactionPurpose, bytes]) -> float:
        """When whoever queues now may have a turn: a window's worth of requests at a time, in their order.

        Were all of them looked at every time, a chain that stands still would keep the node busy with its queue.
        """
        settings = self._desk.settings
        turns = 1 + self._queued[place] // settings.window_requests
        return min(turns * settings.window_recheck_seconds, settings.hold_recheck_seconds)

    async def _postpone(self, claim: Claim, job: _Job, rows: Sequence[OutboxRow], reason: str) -> None:
        """Try this job's requests again later, and later each time."""
        _log.warning("submission_postponed", chain=self.chain, purpose=job.purpose, reason=reason)
        ids = {request.request_id for batch in job.batches for request in batch.requests}
        now = self._desk.clock.now()
        put_off = claim.put_off(self._after_refusal(row, now) for row in rows if row.subject in ids)
        async with self._desk.writing:
            await self._desk.commit(put_off)

    async def _clear(self, claim: Claim, rows: Sequence[OutboxRow]) -> None:
        """Take what is no longer wanted out of the outbox. A reorg may have renewed the wish since it was claimed."""
        desk = self._desk
        rows = [row for row in rows if claim.is_stored(row)]
        if not rows:
            return
        async with desk.writing:
            requests = await desk.store.load_requests([RequestId(row.subject) for row in rows])
            stale = [row for row in rows if not _is_wanted(row, requests.get(RequestId(row.subject)))]
            await desk.commit(Commit(done=claim.finish(stale)))

    async def _defer_idle(self, claim: Claim, rows: Sequence[OutboxRow], jobs: Sequence[_Job]) -> None:
        """What could not become a job (its route is halted, or not configured) must not be claimed again at once."""
        worked = {request.request_id for job in jobs for batch in job.batches for request in batch.requests}
        idle = [row for row in rows if row.subject not in worked]
        await self._defer(claim, idle, self._desk.settings.hold_recheck_seconds)

    async def _defer(self, claim: Claim, rows: Sequence[OutboxRow], seconds: float) -> None:
        if not rows:
            return
        due_at = self._desk.clock.now() + seconds
        async with self._desk.writing:
            await self._desk.commit(claim.put_off(replace(row, due_at=due_at) for row in rows))

    async def _jobs(self, rows: Sequence[OutboxRow], requests: dict[RequestId, TrackedRequest]) -> list[_Job]:
        # By id within a root: a request that is held and late has two wishes.
        wanted: dict[tuple[TransactionPurpose, bytes], dict[bytes, dict[bytes, TrackedRequest]]] = defaultdict(dict)
        for row in rows:
            request = requests[RequestId(row.subject)]
            purpose = self._purpose(row, request)
            root = request.outcome_root if purpose is TransactionPurpose.DELIVER else request.execute_root
            wanted[purpose, request.route].setdefault(root, {})[row.subject] = request
        roots = [root for by_root in wanted.values() for root in by_root]
        batches = await self._desk.store.load_batches(roots)
        certificates = await self._desk.store.load_certificates(roots)
        jobs = []
        for (purpose, route_key), by_root in wanted.items():
            route = self._desk.routes.get(route_key)
            certified = tuple(_certified(by_root, batches, certificates))
            # SECURITY: what was certified about a chain that contradicted itself may never have happened.
            if route is not None and certified and not self._desk.is_halted(route):
                jobs.append(_Job(purpose, route, certified))
        return jobs

    def _purpose(self, row: OutboxRow, request: TrackedRequest) -> TransactionPurpose:
        if row.kind is EffectKind.SUBMIT_CALLBACK:
            return TransactionPurpose.DELIVER
        is_late = request.request.expiry < self._desk.tips[self.chain].timestamp
        return TransactionPurpose.EXPIRE if is_late else TransactionPurpose.EXECUTE

    async def _prepare(self, job: _Job) -> Preparation:
        if job.purpose is TransactionPurpose.DELIVER:
            return await self._chain.source.prepare_deliver(job.batches)
        payee = self._desk.chains[job.route.source_chain].wallet.payee
        if job.purpose is TransactionPurpose.EXPIRE:
            return await self._chain.destination.prepare_expire(job.batches, payee)
        return await self._chain.destination.prepare_execute(job.batches, payee)

    async def _look(self, job: _Job) -> tuple[Preparation, SpendTerms]:
        """What can be sent now, and on which terms: asked for together, for neither depends on the other."""
        asking = asyncio.create_task(self._chain.wallet.fetch_terms())
        try:
            return await self._prepare(job), await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _submit(self, claim: Claim, job: _Job, rows: Sequence[OutboxRow]) -> None:
        if not job.batches:
            return
        preparation, terms = await self._look(job)
        ground = [call for call in preparation.groundwork if (call.to, call.data) not in self._ground]
        funds = await self._load_funds(terms.balance) if preparation.calls or ground else 0
        ids = [request.request_id for batch in job.batches for request in batch.requests]
        # A request that is held and late has two wishes, to execute and to let expire; they have one fate.
        mine: dict[bytes, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            mine[row.subject].append(row)
        desk, now = self._desk, self._desk.clock.now()
        async with desk.writing:
            draft = Draft(desk.routes, now, await desk.store.load_requests(ids))
            pause, soon = now + desk.settings.settle_recheck_seconds, now + desk.settings.groundwork_recheck_seconds
            put_off = [replace(row, due_at=pause) for identifier in preparation.settled for row in mine[identifier]]
            put_off += [replace(row, due_at=soon) for identifier in preparation.following for row in mine[identifier]]
            for identifier, reason in preparation.refused:
                draft.apply(identifier, _held(job, reason))
                put_off += [self._after_refusal(row, now) for row in mine[identifier]]
            waiting = _unnamed(ids, preparation)
            transactions: list[OwnTransaction] = []
            for call in (*ground, *preparation.calls):
                if len(transactions) == self._room:
                    break  # the rest stays due
                for_whom = call.request_ids or waiting
                most = gas_cost(call.gas_limit, terms.bid.max_fee, self._chain.wallet.fee_divisor) + call.value
                reason = self._hold_reason(job, call, for_whom, terms, draft) or ("" if most <= funds else UNFUNDED)
                if reason:
                    recheck = now + desk.settings.hold_recheck_seconds
                    for identifier in for_whom:
                        draft.apply(identifier, _held(job, reason))
                        put_off += [replace(row, due_at=recheck) for row in mine[identifier]]
                    waiting = [] if for_whom is waiting else waiting
                    continue
                transaction = await sign_next(desk, self._chain, job.purpose, call, terms, len(transactions), now)
                transactions.append(transaction)
                funds -= most
                for identifier in call.request_ids:
                    draft.apply(identifier, _sent(job, transaction.attempts[0].hash))
            if preparation.groundwork or not preparation.calls:
                again = soon if preparation.groundwork else pause
                put_off += [replace(row, due_at=again) for identifier in waiting for row in mine[identifier]]
            sent = {identifier for transaction in transactions for identifier in transaction.request_ids}
            done = claim.finish(row for row in rows if row.subject in sent)
            rest = replace(claim.put_off(put_off), done=done, transactions=tuple(transactions))
            await desk.commit(draft.commit(rest))
        self._room -= len(transactions)
        self._ground |= {(each.to, each.data) for each in transactions if not each.request_ids}
        await send_recorded(desk, self._chain, transactions)

    async def _load_funds(self, balance: int) -> int:
        """What of it lies beyond what the account's open transactions may still cost, in the chain's smallest unit."""
        waiting = await self._desk.store.load_open_transactions(self.chain)
        divisor = self._chain.wallet.fee_divisor
        return balance - sum(
            gas_cost(transaction.gas_limit, transaction.attempts[-1].max_fee, divisor) + transaction.value
            for transaction in waiting
            if transaction.status is TransactionStatus.SIGNED
        )

    def _hold_reason(
        self, job: _Job, call: PreparedCall, for_whom: Sequence[RequestId], terms: SpendTerms, draft: Draft
    ) -> str:
        """Why these requests do not pay for the call."""
        requests = [request for i in for_whom if (request := draft.get(i)) is not None]
        if job.purpose is TransactionPurpose.EXPIRE:
            return ""  # it ends requests, costs little and is paid a fixed fee
        fees = sum(request.fee_left for request in requests)
        cost = gas_cost(call.expected_gas, terms.bid.expected_fee, self._chain.wallet.fee_divisor) + call.value
        return self._policy.hold_reason(cost, self.chain, fees, job.route.source_chain)

    def _after_refusal(self, row: OutboxRow, now: float) -> OutboxRow:
        delay = backoff_seconds(row.attempts, self._desk.settings)
        return replace(row, due_at=now + delay, attempts=row.attempts + 1)


def _is_wanted(row: OutboxRow, request: TrackedRequest | None) -> bool:
    return request is not None and request.status in _WANTED[row.kind]


def _parted(
    rows: Iterable[OutboxRow], is_first: Callable[[OutboxRow], bool]
) -> tuple[list[OutboxRow], list[OutboxRow]]:
    """The rows for which it holds, and the others."""
    parts: tuple[list[OutboxRow], list[OutboxRow]] = ([], [])
    for row in rows:
        parts[0 if is_first(row) else 1].append(row)
    return parts


def _carried(under_way: Iterable[OwnTransaction]) -> set[tuple[bool, RequestId]]:
    """What our open transactions do: (whether it is a delivery, of which request)."""
    return {(t.purpose is TransactionPurpose.DELIVER, identifier) for t in under_way for identifier in t.request_ids}


def _certified(
    by_root: Mapping[bytes, Mapping[bytes, TrackedRequest]],
    batches: Mapping[bytes, Batch],
    certificates: Mapping[bytes, Certificate],
) -> Iterable[CertifiedBatch]:
    for root, requests in by_root.items():
        if root in batches and root in certificates:
            yield CertifiedBatch(batches[root], certificates[root].encoded, tuple(requests.values()))


def _unnamed(ids: Iterable[RequestId], preparation: Preparation) -> list[RequestId]:
    """The requests of which a preparation says nothing: they wait, for groundwork where there is some."""
    named = {
        *preparation.settled,
        *preparation.following,
        *(identifier for identifier, _ in preparation.refused),
        *(identifier for call in preparation.calls for identifier in call.request_ids),
    }
    return [identifier for identifier in ids if identifier not in named]


def _held(job: _Job, reason: str) -> ExecutionHeld | CallbackHeld:
    return CallbackHeld(reason) if job.purpose is TransactionPurpose.DELIVER else ExecutionHeld(reason)


def _sent(job: _Job, tx_hash: bytes) -> ExecutionDispatched | CallbackSubmitted:
    return CallbackSubmitted(tx_hash) if job.purpose is TransactionPurpose.DELIVER else ExecutionDispatched(tx_hash)
