"""Running requests on Solana.

Its job: of certified requests, which are consumed, what has to go before the others (certificates, stages, lookup
tables), and the transactions that run or end them, one request each. It looks at the chain and keeps nothing: whoever
asks again gets what is next. It must not judge whether an execution pays.

Source: contracts/svm/src/destination.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.merkle import merkle_paths
from attestation.request import Request, RequestId
from attestation.statement import Execute
from relayer.domain.slot_word import EMPTY_SLOT, is_consumed
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.svm.accounts import Root, Slot, Stage
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.certifying import CertifiedRoot
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS, SLOT_RENT
from relayer.vms.svm.named_accounts import TOO_MANY_ACCOUNTS, declared_accounts, first_keys, passing_fault
from relayer.vms.svm.payloads import MAX_ACCOUNTS
from relayer.vms.svm.preparing import NO_STAGE, Plan, Progress
from relayer.vms.svm.states import States
from relayer.vms.svm.tabling import Addresses, TableLook, table_length
from relayer.vms.svm.transactions import draft_of, is_fitting

_CONSUMING_UNITS: Final = 120_000
"""Compute units of the gateway's own work: some 22,000, and 1,500 for each attempt at an address beyond the usual."""

_STANDING_ACCOUNTS: Final = 10
"""With which a consumption begins, up to the system program: the payer's and the gateway's."""

_OWN_ACCOUNTS: Final = 14
"""Of `execute`, before those that the payload declares."""


_ON_ITS_WAY: Final = TableLook()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request to be run, and where it stands in its batch."""

    identifier: RequestId
    request: Request
    place: Execute
    index: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A batch, where its root is, and the requests of it that are to be run."""

    batch: CertifiedBatch
    root: CertifiedRoot
    wanted: tuple[_Wanted, ...]


@dataclass(frozen=True, slots=True)
class _Long:
    """A step that goes by a stage. `tabled` are the accounts that its transaction names by a lookup table, if any."""

    wanted: _Wanted
    step: Instruction
    tabled: Addresses


class Executor:
    """Prepares executions and expiries."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def prepare(self, batches: Sequence[CertifiedBatch], payee: bytes, *, is_expiring: bool) -> Preparation:
        """What can be sent now. Raises `RpcUnavailable`."""
        acting, progress = self._acting, Progress()
        jobs = [self._job(batch) for batch in sorted(batches, key=lambda one: one.batch.first_height)]
        states = await acting.states.fetch([key for job in jobs for key in self._keys(job)])
        plans: list[Plan] = []
        staged: list[tuple[_Wanted, Instruction]] = []
        moving: set[RequestId] = set()
        for job in jobs:
            open_requests = self._open(job, states, progress)
            if not open_requests or not states.is_known(job.root.key):
                continue
            if not self._is_certified(job, states, open_requests, plans, progress):
                continue
            if not is_expiring:
                open_requests = self._in_turn(open_requests, states, moving, progress)
            for wanted, step in self._steps(job, open_requests, payee, is_expiring=is_expiring):
                fault = self._fault(step)
                draft = draft_of(acting.payer, [step])
                if fault:
                    progress.refuse([wanted.identifier], fault)
                elif is_fitting(draft):
                    plans.append(self._plan(wanted, draft, is_expiring=is_expiring))
                else:
                    staged.append((wanted, step))
        plans += await self._plan_staged(staged, progress, is_expiring=is_expiring)
        await acting.preparer.take_in(plans, progress)
        acting.succession.note_prepared(identifier for call in progress.calls for identifier in call.request_ids)
        return progress.result()

    def _job(self, batch: CertifiedBatch) -> _Job:
        requests = {tracked.request_id: tracked.request for tracked in batch.requests}
        wanted = tuple(
            _Wanted(statement.request_id, requests[statement.request_id], statement, index)
            for index, statement in enumerate(batch.batch.statements)
            if isinstance(statement, Execute) and statement.request_id in requests
        )
        return _Job(batch, self._acting.certifier.root_of(batch), wanted)

    def _keys(self, job: _Job) -> Iterator[Pubkey]:
        yield job.root.key
        for wanted in job.wanted:
            yield from self._slots(wanted)
            if wanted.request.predecessor is not None:
                yield self._acting.addresses.slot(wanted.request.predecessor)

    def _slots(self, wanted: _Wanted) -> list[Pubkey]:
        """Of the request, and of the first attempt that it is a retry of."""
        origin = wanted.request.first_attempt
        return [self._acting.addresses.slot(one) for one in (wanted.identifier, origin) if one is not None]

    def _open(self, job: _Job, states: States, progress: Progress) -> list[_Wanted]:
        """The requests that are not consumed; the others are settled, or unknown and left for later."""
        waiting = []
        for wanted in job.wanted:
            keys = self._slots(wanted)
            if not all(map(states.is_known, keys)):
                continue
            words = [slot.word if slot is not None else EMPTY_SLOT for slot in (states.get(Slot, key) for key in keys)]
            if is_consumed(wanted.identifier, words[0], words[-1] if len(words) > 1 else EMPTY_SLOT):
                progress.settled.append(wanted.identifier)
            else:
                waiting.append(wanted)
        return waiting

    def _in_turn(
        self, waiting: Sequence[_Wanted], states: States, moving: set[RequestId], progress: Progress
    ) -> list[_Wanted]:
        """Without those that follow a request which is `moving`: on its way, or to be sent now. They move as well."""
        turn = []
        for wanted in waiting:
            before = wanted.request.predecessor
            is_open = before is not None and states.get(Slot, self._acting.addresses.slot(before)) is None
            if is_open and before is not None and (before in moving or self._acting.succession.is_under_way(before)):
                progress.following.append(wanted.identifier)
            else:
                turn.append(wanted)
            moving.add(wanted.identifier)
        return turn

    def _is_certified(
        self, job: _Job, states: States, waiting: Sequence[_Wanted], plans: list[Plan], progress: Progress
    ) -> bool:
        """Whether the gateway counts the batch as certified; else what brings that about is planned."""
        identifiers = [wanted.identifier for wanted in waiting]
        return self._acting.certify(job.root, states.get(Root, job.root.key), identifiers, plans, progress)

    def _steps(
        self, job: _Job, waiting: Sequence[_Wanted], payee: bytes, *, is_expiring: bool
    ) -> Iterator[tuple[_Wanted, Instruction]]:
        leaves = [statement.leaf for statement in job.batch.batch.statements]
        paths = merkle_paths(leaves, [wanted.index for wanted in waiting])
        make, root = self._acting.instructions, job.root
        for wanted, path in zip(waiting, paths, strict=True):
            request, place = wanted.request, wanted.place
            if is_expiring:
                yield wanted, make.expire(request, place, payee, path, root.key, root.epoch)
            else:
                own = self._acting.addresses.own_account(request.sender) if request.own_account else None
                # What cannot be called as it stands is recorded as such, and needs no accounts.
                declared = declared_accounts(request.payload, own) or ()
                yield wanted, make.execute(request, place, payee, path, root.key, root.epoch, declared)

    def _fault(self, step: Instruction) -> str:
        passed = step.accounts[_OWN_ACCOUNTS:]
        return passing_fault(passed, self._acting.payer, first_keys(step, _STANDING_ACCOUNTS))

    def _plan(self, wanted: _Wanted, draft: bytes, *, is_expiring: bool) -> Plan:
        limit = 0 if is_expiring else wanted.request.execution_gas_limit
        return Plan(draft, _CONSUMING_UNITS + limit, SIGNATURE_LAMPORTS + SLOT_RENT, (wanted.identifier,))

    async def _plan_staged(
        self, staged: Sequence[tuple[_Wanted, Instruction]], progress: Progress, *, is_expiring: bool
    ) -> list[Plan]:
        """Of what is too long for a transaction: what is missing before it, or the transaction itself."""
        acting = self._acting
        long = [one for wanted, step in staged for one in self._long(wanted, step, progress)]
        if not long:
            return []
        states = await acting.states.fetch([acting.stager.key_of(one.step.data) for one in long])
        ready = [one for one in long if self._has_room(one, states, progress)]
        wishes: dict[Addresses, list[RequestId]] = {}
        for one in ready:
            if one.tabled:
                wishes.setdefault(one.tabled, []).append(one.wanted.identifier)
        looks = await acting.tables.look(wishes)
        for tabled, look in looks.items():
            if look.fault:
                progress.refuse(wishes[tabled], look.fault)
        plans = [plan for look in looks.values() for plan in look.plans]
        for one in ready:
            look = looks.get(one.tabled, _ON_ITS_WAY)
            if look.fault:
                continue
            state = states.get(Stage, acting.stager.key_of(one.step.data))
            pieces = acting.stager.plans(one.step.data, state, [one.wanted.identifier])
            plans += pieces
            if not pieces and (look.table is not None or not one.tabled):
                tables = [look.table] if look.table is not None else []
                draft = draft_of(acting.payer, acting.stager.using(one.step), tables)
                plans.append(self._plan(one.wanted, draft, is_expiring=is_expiring))
        return plans

    def _long(self, wanted: _Wanted, step: Instruction, progress: Progress) -> Iterator[_Long]:
        """The step as it can be sent, if it can."""
        using = self._acting.stager.using(step)
        declared = tuple(sorted({meta.pubkey for meta in step.accounts[_OWN_ACCOUNTS:]}, key=bytes))
        if is_fitting(draft_of(self._acting.payer, using)):
            yield _Long(wanted, step, ())
        elif len(using[0].accounts) > MAX_ACCOUNTS:
            progress.refuse([wanted.identifier], TOO_MANY_ACCOUNTS)
        else:
            yield _Long(wanted, step, declared)

    def _has_room(self, one: _Long, states: States, progress: Progress) -> bool:
        """Whether its stage, and what goes with it, may stand now."""
        key, data = self._acting.stager.key_of(one.step.data), one.step.data
        if not states.is_known(key):
            return False
        if not self._acting.shelf.has_room(key, len(data) + table_length(len(one.tabled))):
            progress.refuse([one.wanted.identifier], NO_STAGE)
            return False
        return True
