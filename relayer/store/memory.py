"""The store and the guard in memory: for tests, and for trying a node out.

Its job: keep the promises of the ports as a database does, and nothing longer than the process lives. SECURITY: a
guard in memory forgets what was signed; no node with a stake runs on one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from attestation.request import RequestId
from attestation.statement import Execute, Outcome, Statement
from relayer.domain.batch import Batch, BatchKind
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor
from relayer.domain.status import UNSERVED, Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.signer import Attestation, GuardConflict
from relayer.ports.store import (
    AcceptedSet,
    Certificate,
    Commit,
    Deferral,
    EvidenceRow,
    FeeEntry,
    ForeignStatements,
    OutboxRow,
    OwnTransaction,
    PinnedAnswer,
    Receipt,
    RequestFilter,
    StoredEpoch,
    TransactionStatus,
    Transition,
)
from relayer.store.folding import Folded, conflict_of, fold_changes
from relayer.store.places import destination_chain_of, source_chain_of
from relayer.store.waiting import ENDED_ON_SOURCE, EXPIRABLE, OPEN_TRANSACTIONS, SETTLED_TRANSACTIONS, awaited_by
from relayer.store.watchers import Watchers

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class MemoryStore:
    """Implements `Store` with dictionaries, which keep the order of first writing."""

    def __init__(self) -> None:
        self._requests: dict[RequestId, TrackedRequest] = {}
        self._rows: dict[RequestId, int] = {}
        self._transitions: defaultdict[RequestId, list[Transition]] = defaultdict(list)
        self._receipts: dict[RequestId, Receipt] = {}
        self._answers: dict[RequestId, PinnedAnswer] = {}
        self._batches: dict[bytes, Batch] = {}
        self._attestations: dict[tuple[bytes, bytes, int, bytes], Attestation] = {}
        self._certificates: dict[tuple[bytes, bytes, int], Certificate] = {}
        self._outbox: dict[tuple[EffectKind, bytes], OutboxRow] = {}
        self._transactions: dict[tuple[str, bytes, int], OwnTransaction] = {}
        self._fees: list[FeeEntry] = []
        self._cursors: dict[str, ChainCursor] = {}
        self._peer_cursors: dict[bytes, str] = {}
        self._epochs: dict[tuple[bytes, int], StoredEpoch] = {}
        self._accepted: dict[tuple[int, bytes], AcceptedSet] = {}
        self._foreign: dict[tuple[bytes, bytes], ForeignStatements] = {}
        self._evidence: dict[tuple[str, bytes, bytes], EvidenceRow] = {}
        self._halts: dict[tuple[str, float], Halt] = {}
        self._watchers = Watchers()

    async def commit(self, commit: Commit) -> None:
        """Write all of it at once. Raises `StoreConflict`."""
        folded = fold_changes(commit)
        for identifier, change in folded.items():
            known = self._requests.get(identifier)
            found = None if known is None else known.status
            if found is not change.expected:
                raise conflict_of(identifier, found, change.expected)
        # Nothing below can fail or yield to another task: the commit is whole.
        self._write_requests(folded)
        self._write_results(commit)
        self._write_outbox(commit)
        for transaction in commit.transactions:
            self._write_transaction(transaction)
        self._fees += commit.fees
        self._cursors |= {cursor.chain: cursor for cursor in commit.cursors}
        self._peer_cursors |= dict(commit.peer_cursors)
        for key in commit.dropped_epochs:
            self._epochs.pop(key, None)
        self._epochs |= {(epoch.gateway, epoch.epoch): epoch for epoch in commit.epochs}
        self._accepted |= {(each.numbered.epoch, each.predecessor): each for each in commit.accepted}
        _insert_new(self._foreign, commit.foreign, lambda foreign: (foreign.root, foreign.signer))
        _insert_new(self._evidence, commit.evidence, lambda row: (row.offence, row.signer, row.guard_key))
        self._halts |= {(halt.chain, halt.at): halt for halt in commit.halts}
        self._watchers.tell(commit)

    def watch(self, watcher: Callable[[Commit], None]) -> Callable[[], None]:
        """Have every later commit told."""
        return self._watchers.add(watcher)

    async def load_cursor(self, chain: str) -> ChainCursor | None:
        """How far `chain` was taken in."""
        return self._cursors.get(chain)

    async def load_epochs(self, gateway: bytes) -> Sequence[StoredEpoch]:
        """All epochs of a verifying gateway, oldest first."""
        known = [epoch for epoch in self._epochs.values() if epoch.gateway == gateway]
        return sorted(known, key=lambda epoch: epoch.epoch)

    async def load_accepted_sets(self) -> Sequence[AcceptedSet]:
        """What the operator accepted, by epoch and predecessor."""
        return [accepted for _, accepted in sorted(self._accepted.items())]

    async def load_halts(self) -> Sequence[Halt]:
        """Every time that work on a chain stopped, oldest first."""
        return tuple(self._halts.values())

    async def load_request_blocks(self, source_gateway: bytes) -> Sequence[tuple[RequestId, BlockRef]]:
        """Where the requests of this gateway stand, highest first."""
        found = [
            (identifier, tracked.block)
            for identifier, tracked in self._requests.items()
            if tracked.request.source_gateway == source_gateway
        ]
        return sorted(found, key=lambda place: -place[1].number)

    async def load_conclusion_blocks(self, chain: str) -> Sequence[tuple[RequestId, BlockRef]]:
        """Blocks of this destination chain with a receipt, or at which a concluded QUERY was read, highest first."""
        found = [(r.request_id, _block_of(r.conclusion.outcome)) for r in self._receipts.values() if r.chain == chain]
        found += [
            (identifier, _block_of(tracked.conclusion.outcome))
            for identifier, tracked in self._requests.items()
            if tracked.conclusion and not tracked.is_call and destination_chain_of(tracked) == chain
        ]
        return sorted(found, key=lambda place: (place[1], place[0]), reverse=True)

    async def load_ended_since(self, source_gateway: bytes, at: float) -> Sequence[RequestId]:
        """Requests of this gateway that came to an end told by their source at or after this time."""
        return [
            identifier
            for identifier, tracked in self._requests.items()
            if tracked.request.source_gateway == source_gateway
            and (
                any(step.after in ENDED_ON_SOURCE and step.at >= at for step in self._transitions[identifier])
                or (tracked.returned_fee is not None and tracked.status not in ENDED_ON_SOURCE)
            )
        ]

    async def load_requests(self, request_ids: Sequence[RequestId]) -> dict[RequestId, TrackedRequest]:
        """Those that exist, by id."""
        return _those_known(self._requests, request_ids)

    async def load_requests_at(self, source_gateway: bytes, numbers: Sequence[int]) -> Sequence[TrackedRequest]:
        """Requests of this gateway in blocks with these numbers, in log order."""
        wanted = frozenset(numbers)
        return sorted(
            (
                tracked
                for tracked in self._requests.values()
                if tracked.block.number in wanted and tracked.request.source_gateway == source_gateway
            ),
            key=_log_order,
        )

    async def load_queries_at(self, route: bytes, number: int) -> Sequence[TrackedRequest]:
        """All requests of a QUERY route in the source block with this number, in log order."""
        return sorted(
            (
                tracked
                for tracked in self._requests.values()
                if tracked.route == route and tracked.block.number == number and not tracked.is_call
            ),
            key=_log_order,
        )

    async def load_expiring(self, destination_chain: str, clock: int, limit: int) -> Sequence[RequestId]:
        """Open CALLs to this chain whose expiry is < clock, oldest first."""
        late = [
            tracked
            for tracked in self._requests.values()
            if tracked.status in EXPIRABLE
            and tracked.is_call
            and tracked.request.expiry < clock
            and destination_chain_of(tracked) == destination_chain
        ]
        late.sort(key=lambda tracked: tracked.request.expiry)
        return [tracked.request_id for tracked in late[:limit]]

    async def load_rows(self, request_ids: Sequence[RequestId]) -> dict[RequestId, int]:
        """The row numbers of those that exist."""
        return {identifier: self._rows[identifier] for identifier in request_ids if identifier in self._rows}

    async def list_requests(self, where: RequestFilter, limit: int) -> Sequence[tuple[int, TrackedRequest]]:
        """(row number, request), newest first."""
        listed = [
            (self._rows[tracked.request_id], tracked)
            for tracked in reversed(self._requests.values())
            if (not where.statuses or tracked.status in where.statuses)
            and (where.sender is None or tracked.request.sender == where.sender)
            and (where.source_chain is None or source_chain_of(tracked) == where.source_chain)
            and (where.before_row is None or self._rows[tracked.request_id] < where.before_row)
        ]
        return listed[:limit]

    async def load_transitions(self, request_id: RequestId) -> Sequence[Transition]:
        """The request's life so far, oldest first."""
        return tuple(self._transitions.get(request_id, ()))

    async def load_fees(self, request_id: RequestId) -> Sequence[FeeEntry]:
        """Every movement of the request's money, oldest first."""
        return [entry for entry in self._fees if entry.request_id == request_id]

    async def count_by_status(self) -> dict[tuple[str, Status], int]:
        """How many requests per (source chain, status)."""
        return dict(Counter((source_chain_of(tracked), tracked.status) for tracked in self._requests.values()))

    async def load_receipts(self, request_ids: Sequence[RequestId]) -> dict[RequestId, Receipt]:
        """Known receipts, by request id."""
        return _those_known(self._receipts, request_ids)

    async def load_receipts_at(self, chain: str, blocks: Sequence[BlockRef]) -> Sequence[Receipt]:
        """Receipts that stand in these blocks of a destination chain, in log order."""
        wanted = frozenset(blocks)
        there = [
            receipt
            for receipt in self._receipts.values()
            if receipt.chain == chain and _block_of(receipt.conclusion.outcome) in wanted
        ]
        return sorted(there, key=lambda receipt: _outcome_order(receipt.conclusion.outcome))

    async def load_answers(self, chain: str, child_up_to: int, limit: int) -> Sequence[PinnedAnswer]:
        """Answers to served requests read on `chain` whose pin's child is at or below this height, lowest first."""
        read = self._answers_on(chain, lambda number: number <= child_up_to)
        requests = self._requests
        served = [a for a in read if a.request_id in requests and requests[a.request_id].status not in UNSERVED]
        return served[:limit]

    async def has_answers(self, chain: str) -> bool:
        """Whether any answer was read on `chain`."""
        return any(answer.chain == chain for answer in self._answers.values())

    async def load_answers_of(self, request_ids: Sequence[RequestId]) -> dict[RequestId, PinnedAnswer]:
        """Those that exist, by request id."""
        return _those_known(self._answers, request_ids)

    async def load_answers_above(self, chain: str, number: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is above this height, lowest first."""
        return self._answers_on(chain, lambda child: child > number)

    async def load_batches(self, roots: Sequence[bytes]) -> dict[bytes, Batch]:
        """Batches by root."""
        return _those_known(self._batches, roots)

    async def load_attestations(self, roots: Sequence[bytes]) -> dict[bytes, Sequence[Attestation]]:
        """All attestations over these roots, by root, oldest first."""
        by_root: dict[bytes, list[Attestation]] = {root: [] for root in roots}
        for attestation in self._attestations.values():
            if attestation.root in by_root:
                by_root[attestation.root].append(attestation)
        return {root: found for root, found in by_root.items() if found}

    async def load_own_attestations(
        self, signer: bytes, after_row: int, limit: int
    ) -> Sequence[tuple[int, Attestation]]:
        """(row number, attestation) of one signer, oldest first."""
        own = [
            (row, attestation)
            for row, attestation in enumerate(self._attestations.values(), start=1)
            if row > after_row and attestation.signer == signer
        ]
        return own[:limit]

    async def load_certificates(self, roots: Sequence[bytes]) -> dict[bytes, Certificate]:
        """The certificate of the newest epoch, by root."""
        wanted = frozenset(roots)
        newest: dict[bytes, Certificate] = {}
        for certificate in self._certificates.values():
            held = newest.get(certificate.root)
            if certificate.root in wanted and (held is None or held.epoch < certificate.epoch):
                newest[certificate.root] = certificate
        return _those_known(newest, roots)

    async def load_unlanded_roots(
        self, kind: BatchKind, gateway: bytes, limit: int, after: bytes = b""
    ) -> Sequence[bytes]:
        """Roots for this verifying gateway in which a request still waits for its statement to be used."""
        waiting = (_awaited_root(tracked, kind, gateway) for tracked in self._requests.values())
        roots = {root for root in waiting if root > after}
        return sorted(roots)[:limit]

    async def load_due_effects(
        self, kinds: frozenset[EffectKind], chain: str | None, now: float, limit: int
    ) -> Sequence[OutboxRow]:
        """Rows due at `now`, oldest due first."""
        due = [row for row in self._effects_of(kinds, chain) if row.due_at <= now]
        return sorted(due, key=lambda row: row.due_at)[:limit]

    async def load_next_due(self, kinds: frozenset[EffectKind], chain: str | None) -> float | None:
        """When the earliest such row is due, or None."""
        return min((row.due_at for row in self._effects_of(kinds, chain)), default=None)

    async def count_effects(self) -> dict[tuple[str, EffectKind], int]:
        """How many open effects per (chain, kind)."""
        return dict(Counter((row.chain, row.kind) for row in self._outbox.values()))

    async def load_open_transactions(self, chain: str) -> Sequence[OwnTransaction]:
        """SIGNED and MINED ones on a chain, by nonce."""
        still_open = [
            transaction
            for transaction in self._transactions.values()
            if transaction.chain == chain and transaction.status in OPEN_TRANSACTIONS
        ]
        return sorted(still_open, key=lambda transaction: transaction.nonce)

    async def load_held_nonces(self, chain: str, sender: bytes, first: int) -> frozenset[int]:
        """Nonces from `first` on that our transactions hold."""
        return frozenset(
            nonce
            for (where, who, nonce), transaction in self._transactions.items()
            if (where, who) == (chain, sender) and nonce >= first and transaction.status is not TransactionStatus.LOST
        )

    async def load_settled_transactions(self, chain: str, above: int) -> Sequence[OwnTransaction]:
        """CONFIRMED and FAILED ones mined above this height, by nonce."""
        settled = [
            transaction
            for transaction in self._transactions.values()
            if transaction.chain == chain
            and transaction.status in SETTLED_TRANSACTIONS
            and transaction.mined is not None
            and transaction.mined.number > above
        ]
        return sorted(settled, key=lambda transaction: transaction.nonce)

    async def load_transactions_of(self, request_id: RequestId) -> Sequence[OwnTransaction]:
        """Our own transactions that carried the request, oldest first."""
        return [transaction for transaction in self._transactions.values() if request_id in transaction.request_ids]

    async def load_peer_cursor(self, key: bytes) -> str:
        """Where to go on with a peer's attestations; "" at first."""
        return self._peer_cursors.get(key, "")

    async def load_foreign_statements(
        self, signer: bytes, request_ids: Sequence[RequestId]
    ) -> Sequence[ForeignStatements]:
        """Foreign roots of this signer with a statement about one of these requests, oldest first."""
        wanted = frozenset(request_ids)
        return [
            foreign
            for foreign in self._foreign.values()
            if foreign.signer == signer and not wanted.isdisjoint(_ids_in(foreign.statements))
        ]

    async def list_evidence(self) -> Sequence[EvidenceRow]:
        """All evidence, oldest first."""
        return tuple(self._evidence.values())

    def _write_requests(self, folded: Mapping[RequestId, Folded]) -> None:
        for identifier, change in folded.items():
            self._rows.setdefault(identifier, len(self._rows) + 1)
            self._requests[identifier] = change.request
            self._transitions[identifier] += [
                Transition(identifier, before, move.request.status, move.cause, move.request.hold_reason, move.at)
                for before, move in change.moves
            ]

    def _write_results(self, commit: Commit) -> None:
        for identifier in commit.dropped_receipts:
            self._receipts.pop(identifier, None)
        self._receipts |= {receipt.request_id: receipt for receipt in commit.receipts}
        for identifier in commit.dropped_answers:
            self._answers.pop(identifier, None)
        self._answers |= {answer.request_id: answer for answer in commit.answers}
        _insert_new(self._batches, commit.batches, lambda batch: batch.root)
        _insert_new(self._attestations, commit.attestations, lambda a: (a.root, a.gateway, a.epoch, a.signer))
        _insert_new(self._certificates, commit.certificates, lambda c: (c.root, c.gateway, c.epoch))

    def _write_outbox(self, commit: Commit) -> None:
        for key in commit.done:
            self._outbox.pop(key, None)
        for deferral in commit.deferred:
            self._defer(deferral)
        for row in commit.effects:
            held = self._outbox.get((row.kind, row.subject))
            kept = row if held is None else replace(held, due_at=min(held.due_at, row.due_at))
            self._outbox[row.kind, row.subject] = kept

    def _defer(self, deferral: Deferral) -> None:
        key = (deferral.kind, deferral.subject)
        if key in self._outbox:
            self._outbox[key] = replace(self._outbox[key], due_at=deferral.due_at, attempts=deferral.attempts)

    def _write_transaction(self, transaction: OwnTransaction) -> None:
        key = (transaction.chain, transaction.sender, transaction.nonce)
        held = self._transactions.get(key, replace(transaction, attempts=()))
        attempts = {attempt.hash: attempt for attempt in held.attempts}
        for attempt in transaction.attempts:
            attempts.setdefault(attempt.hash, attempt)
        self._transactions[key] = replace(transaction, attempts=tuple(attempts.values()), created_at=held.created_at)

    def _answers_on(self, chain: str, is_wanted: Callable[[int], bool]) -> list[PinnedAnswer]:
        there = [
            answer for answer in self._answers.values() if answer.chain == chain and is_wanted(answer.pin.child.number)
        ]
        return sorted(there, key=lambda answer: answer.pin.child.number)

    def _effects_of(self, kinds: frozenset[EffectKind], chain: str | None) -> Iterable[OutboxRow]:
        return (row for row in self._outbox.values() if row.kind in kinds and chain in {None, row.chain})


class MemoryGuard:
    """Implements `Guard` for as long as the process lives."""

    def __init__(self) -> None:
        self._leaves: dict[bytes, bytes] = {}

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """Write all (guard key, leaf, statement), or none if one conflicts."""
        claimed: dict[bytes, bytes] = {}
        conflicts: list[GuardConflict] = []
        for guard_key, leaf, _ in entries:
            held = self._leaves.get(guard_key) or claimed.setdefault(guard_key, leaf)
            # SECURITY: a second leaf under one key is what EQUIVOCATION convicts, also within one call.
            if held != leaf:
                conflicts.append(GuardConflict(guard_key, held, leaf))
        if not conflicts:
            self._leaves |= claimed
        return conflicts


def _those_known(known: Mapping[_Key, _Value], keys: Iterable[_Key]) -> dict[_Key, _Value]:
    return {key: known[key] for key in keys if key in known}


def _insert_new(rows: dict[_Key, _Value], values: Iterable[_Value], key_of: Callable[[_Value], _Key]) -> None:
    for value in values:
        rows.setdefault(key_of(value), value)


def _log_order(tracked: TrackedRequest) -> tuple[int, int, int]:
    location = tracked.location
    return (location.block.number, location.tx_index, location.log_index)


def _outcome_order(outcome: Outcome) -> tuple[int, int, int]:
    return (outcome.height, outcome.tx_index, outcome.log_index)


def _block_of(outcome: Outcome) -> BlockRef:
    return BlockRef(outcome.height, outcome.block_hash)


def _awaited_root(tracked: TrackedRequest, kind: BatchKind, gateway: bytes) -> bytes:
    """The root of this kind for this gateway that the request waits for, or empty."""
    if awaited_by(tracked.status, tracked.request.mode) is not kind:
        return b""
    request, is_execute = tracked.request, kind is BatchKind.EXECUTE
    verifying = request.destination_gateway if is_execute else request.source_gateway
    root = tracked.execute_root if is_execute else tracked.outcome_root
    return root if verifying == gateway else b""


def _ids_in(statements: Iterable[Statement]) -> Iterable[RequestId]:
    return (statement.request_id for statement in statements if isinstance(statement, Execute | Outcome))
