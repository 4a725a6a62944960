"""Bringing outcomes home to Solana.

Its job: of certified outcomes, which are waited for, what has to go before the others, and the transactions that record
an outcome and run its callback: together where they fit and run. A handler that fails takes nothing with it: then the
outcome is recorded alone, and anybody may run the callback later. It looks at the chain and keeps only addresses. It
must not judge whether a delivery pays.

Source: contracts/svm/src/source.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.merkle import merkle_paths
from attestation.request import RequestId
from attestation.statement import Outcome
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.svm.accounts import Credit, Pending, PendingState, Root, Stage
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.certifying import CertifiedRoot
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.named_accounts import (
    MALFORMED_CALLBACK_ACCOUNTS,
    callback_accounts,
    first_keys,
    passing_fault,
)
from relayer.vms.svm.pendings import PendingFinder
from relayer.vms.svm.preparing import NO_STAGE, OVERSIZE, Plan, Progress
from relayer.vms.svm.simulation import Finding
from relayer.vms.svm.states import States
from relayer.vms.svm.transactions import draft_of, is_fitting

_RECORDING_UNITS: Final = 80_000
_CALLBACK_UNITS: Final = 60_000
_CREDIT_UNITS: Final = 40_000
"""Compute units of the gateway's own work: some 20,000 and 12,000, and 1,500 for each attempt at an address."""

_CALLBACK_PLACE: Final = 1
"""Of the callback, in a transaction that records the outcome first."""

_STANDING_ACCOUNTS: Final = 5
"""With which `callback` begins: the payer's and the gateway's."""

_FAILED_WHEN_MINED: Final = "handler_failed_when_mined"

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An outcome to be brought, and where it stands in its batch."""

    tracked: TrackedRequest
    outcome: Outcome
    index: int
    pending: Pubkey

    @property
    def identifier(self) -> RequestId:
        return self.tracked.request_id


@dataclass(frozen=True, slots=True)
class _Job:
    """A batch, where its root is, and the outcomes of it that are to be brought."""

    batch: CertifiedBatch
    root: CertifiedRoot
    wanted: tuple[_Wanted, ...]


@dataclass(frozen=True, slots=True)
class _Ending:
    """What is left to do for one request: to record its outcome, to call back, or one after the other."""

    wanted: _Wanted
    recording: Instruction | None
    callback: Instruction | None

    @property
    def steps(self) -> list[Instruction]:
        """In their order."""
        return [step for step in (self.recording, self.callback) if step is not None]

    @property
    def without_callback(self) -> _Ending:
        """To record the outcome alone."""
        return _Ending(self.wanted, self.recording, None)


class Deliverer:
    """Prepares deliveries."""

    def __init__(self, acting: Acting, pendings: PendingFinder) -> None:
        self._acting = acting
        self._pendings = pendings
        self._credit = acting.addresses.credit(bytes(acting.payer))
        self._has_credit = False

    async def prepare(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """What can be sent now. Raises `RpcUnavailable`."""
        acting, progress = self._acting, Progress()
        places = await self._pendings.find([request for batch in batches for request in batch.requests])
        jobs = [self._job(batch, places) for batch in batches]
        keys = [key for job in jobs for key in (job.root.key, *(wanted.pending for wanted in job.wanted))]
        states = await acting.states.fetch([*keys, self._credit])
        plans: list[Plan] = []
        endings = [ending for job in jobs for ending in self._endings(job, states, plans, progress)]
        pairs: list[tuple[_Ending, Plan]] = []
        long: list[_Ending] = []
        for ending in endings:
            draft = draft_of(acting.payer, ending.steps)
            if not is_fitting(draft):
                long.append(ending)
            elif len(ending.steps) > 1:
                pairs.append((ending, _plan(ending, draft)))
            else:
                plans.append(_plan(ending, draft))
        plans += await self._plan_long(long, pairs, progress)
        plans += await self._plan_pairs(await self._without_failed(pairs, plans), progress)
        await acting.preparer.take_in(plans, progress)
        return progress.result()

    def _job(self, batch: CertifiedBatch, places: dict[RequestId, Pubkey]) -> _Job:
        tracked = {request.request_id: request for request in batch.requests}
        wanted = tuple(
            _Wanted(tracked[statement.request_id], statement, index, places[statement.request_id])
            for index, statement in enumerate(batch.batch.statements)
            if isinstance(statement, Outcome) and statement.request_id in tracked and statement.request_id in places
        )
        return _Job(batch, self._acting.certifier.root_of(batch), wanted)

    def _endings(self, job: _Job, states: States, plans: list[Plan], progress: Progress) -> Iterator[_Ending]:
        """What is left to do for the requests of a batch that are still waited for."""
        recorded: list[tuple[_Wanted, Pending]] = []
        waiting: list[tuple[_Wanted, Pending]] = []
        for wanted in job.wanted:
            if not states.is_known(wanted.pending):
                continue
            state = states.get(Pending, wanted.pending)
            # An address may be used again once its request has ended.
            if state is None or state.request_id != wanted.identifier or state.state is PendingState.CONCLUDED:
                progress.settled.append(wanted.identifier)
            else:
                (recorded if state.state is PendingState.DELIVERED else waiting).append((wanted, state))
        yield from self._recorded_endings(recorded, progress)
        waiting = self._without_unpayable(waiting, states, plans)
        if waiting and states.is_known(job.root.key):
            ids = [wanted.identifier for wanted, _ in waiting]
            if self._acting.certify(job.root, states.get(Root, job.root.key), ids, plans, progress):
                yield from self._waiting_endings(job, waiting)

    def _recorded_endings(self, recorded: Sequence[tuple[_Wanted, Pending]], progress: Progress) -> Iterator[_Ending]:
        for wanted, state in recorded:
            callback, fault = self._callback(wanted, state)
            if fault:
                progress.refuse([wanted.identifier], fault)
            else:
                yield _Ending(wanted, None, callback)

    def _waiting_endings(self, job: _Job, waiting: Sequence[tuple[_Wanted, Pending]]) -> Iterator[_Ending]:
        leaves = [statement.leaf for statement in job.batch.batch.statements]
        paths = merkle_paths(leaves, [wanted.index for wanted, _ in waiting])
        for (wanted, state), path in zip(waiting, paths, strict=True):
            recording = self._acting.instructions.deliver(
                wanted.outcome, path, job.root.key, job.root.epoch, wanted.pending
            )
            # Who cancelled is not called. Who wants us to pass on what we must not is paid for all the same, and
            # called by others: else an asker could have its executor go without its pay.
            is_cancelled = state.state is PendingState.CANCELLED
            callback, fault = (None, "") if is_cancelled else self._callback(wanted, state)
            if fault:
                _tell(wanted, fault)
            yield _Ending(wanted, recording, callback)

    def _without_unpayable(
        self, waiting: Sequence[tuple[_Wanted, Pending]], states: States, plans: list[Plan]
    ) -> list[tuple[_Wanted, Pending]]:
        """Without those whose pay would be the treasury's, for we have no credit yet; it is opened first."""
        self._has_credit = self._has_credit or states.get(Credit, self._credit) is not None
        ours = [wanted.identifier for wanted, _ in waiting if wanted.outcome.payee == bytes(self._acting.payer)]
        if self._has_credit or not ours:
            return list(waiting)
        draft = draft_of(self._acting.payer, [self._acting.instructions.open_credit(self._acting.payer)])
        opening = Plan(draft, _CREDIT_UNITS, SIGNATURE_LAMPORTS, tuple(ours), is_groundwork=True)
        if all(plan.draft != draft for plan in plans):
            plans.append(opening)
        return [(wanted, state) for wanted, state in waiting if wanted.identifier not in ours]

    def _callback(self, wanted: _Wanted, state: Pending) -> tuple[Instruction | None, str]:
        """The step that calls back, or why it cannot be ours."""
        acting, tracked = self._acting, wanted.tracked
        assert tracked.conclusion is not None, "a request whose outcome is certified has a conclusion"
        handler = state.callback_program if state.callback_program != Pubkey.default() else None
        passed = callback_accounts(tracked.request.metadata) if handler is not None else []
        if passed is None:
            return None, MALFORMED_CALLBACK_ACCOUNTS
        step = acting.instructions.callback(
            wanted.pending, state.payer, handler, tracked.conclusion.return_data, passed
        )
        fault = passing_fault(passed, acting.payer, first_keys(step, _STANDING_ACCOUNTS))
        return (None, fault) if fault else (step, "")

    async def _without_failed(
        self, pairs: Sequence[tuple[_Ending, Plan]], plans: list[Plan]
    ) -> list[tuple[_Ending, Plan]]:
        """Without those whose handler failed when it was called: to record their outcomes alone is planned."""
        tried = [ending.wanted.tracked for ending, _ in pairs if ending.wanted.tracked.callback_tx_hash]
        # SECURITY: a handler that runs only when it is tried would keep the executor from its pay, at our expense.
        places = await self._acting.fates.fetch_failed_places(
            {tracked.callback_tx_hash: tracked.request.callback_gas_limit for tracked in tried}
        )
        going: list[tuple[_Ending, Plan]] = []
        for ending, plan in pairs:
            if places.get(ending.wanted.tracked.callback_tx_hash) != _CALLBACK_PLACE:
                going.append((ending, plan))
                continue
            _tell(ending.wanted, _FAILED_WHEN_MINED)
            alone = ending.without_callback
            plans.append(_plan(alone, draft_of(self._acting.payer, alone.steps)))
        return going

    async def _plan_pairs(self, pairs: Sequence[tuple[_Ending, Plan]], progress: Progress) -> list[Plan]:
        """Take in what runs as it is; where only the handler fails, plan to record the outcome alone."""
        preparer = self._acting.preparer
        failing: list[tuple[_Ending, Plan, Finding]] = []
        findings = await preparer.try_all([plan for _, plan in pairs])
        for (ending, plan), finding in zip(pairs, findings, strict=True):
            if not finding.error:
                progress.calls.append(preparer.call_of(plan, finding))
            elif finding.failed_at == _CALLBACK_PLACE:
                failing.append((ending, plan, finding))
            else:
                progress.refuse(plan.serves, finding.error)
        # SECURITY: one endpoint that calls handlers failing would have everybody's requests end uncalled.
        trials = [preparer.trial_of(plan) for _, plan, _ in failing]
        places = await self._acting.simulator.fetch_agreed_places(trials)
        alone = []
        for (ending, plan, finding), place in zip(failing, places, strict=True):
            if place == _CALLBACK_PLACE and ending.recording is not None:
                _tell(ending.wanted, finding.error)
                alone.append(ending.without_callback)
            else:
                progress.refuse(plan.serves, finding.error)
        return [_plan(ending, draft_of(self._acting.payer, ending.steps)) for ending in alone]

    async def _plan_long(
        self, endings: Sequence[_Ending], pairs: list[tuple[_Ending, Plan]], progress: Progress
    ) -> list[Plan]:
        """Of what does not fit one transaction: the callback's data in pieces, then the outcome with its callback.

        What was recorded alone counts as called in vain, and no relayer would call again: it is for handlers that fail.
        """
        acting = self._acting
        plans: list[Plan] = []
        staged: list[tuple[_Ending, bytes, bytes]] = []
        for ending in endings:
            if ending.callback is None:
                progress.refuse([ending.wanted.identifier], OVERSIZE)
                continue
            recording = [] if ending.recording is None else [ending.recording]
            draft = draft_of(acting.payer, [*recording, *acting.stager.using(ending.callback)])
            if is_fitting(draft):
                staged.append((ending, bytes(ending.callback.data), draft))
            elif ending.recording is not None:
                first = ending.without_callback
                plans.append(replace(_plan(first, draft_of(acting.payer, first.steps)), is_groundwork=True))
            else:
                progress.refuse([ending.wanted.identifier], OVERSIZE)
        states = await acting.states.fetch([acting.stager.key_of(data) for _, data, _ in staged])
        for ending, data, draft in staged:
            key = acting.stager.key_of(data)
            if not states.is_known(key):
                continue
            if not acting.shelf.has_room(key, len(data)):
                progress.refuse([ending.wanted.identifier], NO_STAGE)
                continue
            pieces = acting.stager.plans(data, states.get(Stage, key), [ending.wanted.identifier])
            if pieces or ending.recording is None:
                plans += pieces or [_plan(ending, draft)]
            else:
                pairs.append((ending, _plan(ending, draft)))
        return plans


def _plan(ending: _Ending, draft: bytes) -> Plan:
    request = ending.wanted.tracked.request
    units = _RECORDING_UNITS if ending.recording is not None else 0
    if ending.callback is not None:
        units += _CALLBACK_UNITS + request.callback_gas_limit
    return Plan(draft, units, SIGNATURE_LAMPORTS, (ending.wanted.identifier,))


def _tell(wanted: _Wanted, reason: str) -> None:
    _log.warning("callback_left_to_others", request_id=wanted.identifier.hex(), reason=reason)
