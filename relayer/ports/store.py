"""What a relayer remembers, and the one way to change it.

Its job: `commit` takes everything that one step of one stage decided and writes it in ONE transaction: statuses by
compare-and-set, transitions, batches, outbox. Nothing else writes. Loading never locks. A database and the in-memory
store pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from attestation.request import RequestId
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.signer_set_file import NumberedSet
from attestation.statement import Statement
from relayer.domain.batch import Batch, BatchKind
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor
from relayer.domain.status import Status
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.ports.destination_vm import Pin
from relayer.ports.signer import Attestation


@dataclass(frozen=True, slots=True)
class Change:
    """A request that `decide` moved. `before` is the status decided on: a mismatch on disk is a `StoreConflict`.

    `cause` is the event's name; `at` wall-clock seconds. With `before` equal to the status after, no transition row is
    written, only the request.
    """

    before: Status
    request: TrackedRequest
    cause: str
    at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """A destination gateway's receipt, kept by request id, also for requests that are not observed yet.

    `chain` is the destination (CAIP-2). `outcome_root` is empty while the receipt is not final.
    """

    request_id: RequestId
    chain: str
    conclusion: Conclusion
    outcome_root: bytes = b""


@dataclass(frozen=True, slots=True)
class PinnedAnswer:
    """The answer to a QUERY and the pin it was read at. Not final before `pin.child` is."""

    request_id: RequestId
    chain: str
    pin: Pin
    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An effect that is still to be performed, not before `due_at` (wall-clock seconds).

    `subject` is a request id, or for kinds that end in BATCH a batch root; `chain` (CAIP-2) is where it acts. One
    row per (kind, subject): writing it again leaves one row as it was, due at the earlier of the two times.
    """

    kind: EffectKind
    subject: bytes
    chain: str
    due_at: float
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Deferral:
    """An effect to be looked at again later. One that is no longer in the outbox stays out of it."""

    kind: EffectKind
    subject: bytes
    due_at: float
    attempts: int


class TransactionStatus(StrEnum):
    """Where one of our own transactions is. Persisted: names are only ever added.

    SIGNED is on disk and perhaps sent; MINED in a block that is not final; the others are ends: CONFIRMED final and
    successful, FAILED final and reverted, LOST its nonce was used by another transaction.
    """

    SIGNED = "SIGNED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    LOST = "LOST"


class TransactionPurpose(StrEnum):
    """What one of our own transactions does. Persisted: names are only ever added."""

    EXECUTE = "EXECUTE"
    EXPIRE = "EXPIRE"
    DELIVER = "DELIVER"
    CANCEL_NONCE = "CANCEL_NONCE"
    ROTATE = "ROTATE"
    DEPOSIT = "DEPOSIT"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed form of a transaction: the first, or a replacement at a higher price. `raw` is as sent."""

    hash: bytes
    raw: bytes
    max_fee: int
    priority_fee: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class OwnTransaction:
    """One of our own transactions: a nonce of our account on a chain, and all attempts to fill it, oldest first.

    `to`, `data`, `gas_limit` and `value` allow to sign a replacement; `mined` is the block it was last seen in. Written
    again, all is replaced but `created_at` and `attempts`: attempts with new hashes are appended to those on disk.
    """

    chain: str
    sender: bytes
    nonce: int
    purpose: TransactionPurpose
    status: TransactionStatus
    to: bytes
    data: bytes
    gas_limit: int
    value: int
    request_ids: tuple[RequestId, ...]
    attempts: tuple[Attempt, ...]
    created_at: float
    mined: BlockRef | None = None
    gas_used: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum's certificate over a batch root, for one epoch, as encoded for the verifying gateway."""

    root: bytes
    gateway: bytes
    epoch: int
    encoded: bytes
    at: float


@dataclass(frozen=True, slots=True)
class FeeEntry:
    """One movement of a request's money, in the smallest unit of `chain`: what was paid for gas, what was offered.

    `kind` is one of `offered`, `added`, `spent_execute`, `spent_deliver`.
    """

    request_id: RequestId
    chain: str
    kind: str
    amount: int
    tx_hash: bytes
    at: float


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """A signer set that a gateway's verifier has applied in a final block."""

    gateway: bytes
    epoch: int
    signer_set: SignerSet
    valid_until: int


@dataclass(frozen=True, slots=True)
class AcceptedSet:
    """The signer set that this node's operator accepted for an epoch, and when (wall-clock seconds).

    `predecessor` is the hash (32 bytes) of the present set that the operator was shown to be replaced.
    """

    numbered: NumberedSet
    predecessor: bytes
    at: float

    def replaces(self, newest: StoredEpoch) -> bool:
        """Whether it is for the gateway whose newest applied epoch this is.

        SECURITY: another gateway counts the same epochs with other sets. What the operator threw out here long ago must
        not come to power there because the number fits.
        """
        return self.numbered.epoch == newest.epoch + 1 and self.predecessor == signer_set_hash(newest.signer_set)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """Evidence against a signer, self-contained JSON in `document`. `offence` is the protocol's name for it."""

    offence: str
    signer: bytes
    guard_key: bytes
    document: str
    at: float


@dataclass(frozen=True, slots=True)
class ForeignStatements:
    """Statements that a peer signed under a root that this node did not build. Kept to compare, never to act on."""

    root: bytes
    signer: bytes
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one step writes, at once or not at all. Empty parts are nothing.

    A request may be observed and then changed, or changed repeatedly, in one commit: each `before` is compared with
    what the one before left. What is removed (dropped, done) goes first, then deferrals, then what is added.

    observed           new requests, each with its first transition; one that is there already is a StoreConflict
    changes            requests that moved, by compare-and-set on `before`, in order
    receipts           upserted by request id;   dropped_receipts  deleted by request id
    answers            upserted by request id;   dropped_answers   deleted by request id
    batches            inserted, one that is there already is left as it is
    attestations       inserted, one per (root, gateway, epoch, signer); a repeated one is left as it is
    certificates       inserted, one per (root, gateway, epoch); a repeated one is left as it is
    effects            outbox rows to add;  done (kind, subject) to remove;  deferred to look at again
    transactions       upserted by (chain, sender, nonce), attempts appended by hash
    fees               appended
    cursors            replaced by chain, with the blocks seen
    peer_cursors       (peer key, cursor) replaced by key
    epochs             upserted by (gateway, epoch)
    accepted           upserted by (epoch, predecessor)
    foreign            inserted, one per (root, signer); a repeated one is left as it is
    dropped_epochs     (gateway, epoch) deleted
    evidence           inserted, one per (offence, signer, guard key); a repeated one is left as it is
    halts              upserted by (chain, at)
    """

    observed: tuple[Change, ...] = ()
    changes: tuple[Change, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    dropped_receipts: tuple[RequestId, ...] = ()
    answers: tuple[PinnedAnswer, ...] = ()
    dropped_answers: tuple[RequestId, ...] = ()
    batches: tuple[Batch, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    effects: tuple[OutboxRow, ...] = ()
    done: tuple[tuple[EffectKind, bytes], ...] = ()
    deferred: tuple[Deferral, ...] = ()
    transactions: tuple[OwnTransaction, ...] = ()
    fees: tuple[FeeEntry, ...] = ()
    cursors: tuple[ChainCursor, ...] = ()
    peer_cursors: tuple[tuple[bytes, str], ...] = ()
    epochs: tuple[StoredEpoch, ...] = ()
    accepted: tuple[AcceptedSet, ...] = ()
    foreign: tuple[ForeignStatements, ...] = ()
    dropped_epochs: tuple[tuple[bytes, int], ...] = ()
    evidence: tuple[EvidenceRow, ...] = ()
    halts: tuple[Halt, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a request's life. `before` is None for the first."""

    request_id: RequestId
    before: Status | None
    after: Status
    cause: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests to list: all conditions that are set must hold. `sender` is ERC-7930."""

    statuses: frozenset[Status] = field(default_factory=frozenset)
    sender: bytes | None = None
    source_chain: str | None = None
    before_row: int | None = None


class Store(Protocol):
    """One node's memory. `commit` is the only writer; one process writes to a store at a time.

    Loading methods return values in the order said, dicts in the order asked for. Equal positions fall back on the
    order in which they were written.
    """

    async def commit(self, commit: Commit) -> None:
        """Write all of it in one transaction, durable on return.

        Raises:
            StoreConflict: a compare-and-set failed; nothing was written.
        """
        ...

    def watch(self, watcher: Callable[[Commit], None]) -> Callable[[], None]:
        """Have every later commit told once it is written, in their order; what is given back ends it.

        The watcher is called by the loop of whoever commits. It returns at once and raises nothing.
        """
        ...

    # chains
    async def load_cursor(self, chain: str) -> ChainCursor | None:
        """How far `chain` (CAIP-2) was taken in, or None at the very first start."""
        ...

    async def load_epochs(self, gateway: bytes) -> Sequence[StoredEpoch]:
        """All epochs of a verifying gateway, oldest first."""
        ...

    async def load_accepted_sets(self) -> Sequence[AcceptedSet]:
        """Every signer set that the operator accepted, by epoch and predecessor, ascending."""
        ...

    async def load_halts(self) -> Sequence[Halt]:
        """Every time that work on a chain stopped, oldest first, ended ones too."""
        ...

    # what rests on a chain's blocks; these read whole tables, for an operator's command and no stage
    async def load_request_blocks(self, source_gateway: bytes) -> Sequence[tuple[RequestId, BlockRef]]:
        """Where the requests of this gateway stand, highest first."""
        ...

    async def load_conclusion_blocks(self, chain: str) -> Sequence[tuple[RequestId, BlockRef]]:
        """Blocks of this destination chain with a receipt, or at which a concluded QUERY was read, highest first."""
        ...

    async def load_ended_since(self, source_gateway: bytes, at: float) -> Sequence[RequestId]:
        """Requests of this gateway that came to DELIVERED, HANDLER_FAILED or CANCELLED at or after this time.

        And all that were cancelled and have not ended: when they were is not written down.
        """
        ...

    async def load_settled_transactions(self, chain: str, above: int) -> Sequence[OwnTransaction]:
        """CONFIRMED and FAILED ones mined above this height, by nonce."""
        ...

    # requests
    async def load_requests(self, request_ids: Sequence[RequestId]) -> dict[RequestId, TrackedRequest]:
        """Those that exist, by id."""
        ...

    async def load_requests_at(self, source_gateway: bytes, numbers: Sequence[int]) -> Sequence[TrackedRequest]:
        """Requests of this gateway whose source block has one of these numbers, in log order."""
        ...

    async def load_queries_at(self, route: bytes, number: int) -> Sequence[TrackedRequest]:
        """All requests of a QUERY route in the source block with this number, in log order."""
        ...

    async def load_expiring(self, destination_chain: str, clock: int, limit: int) -> Sequence[RequestId]:
        """CALLs to this chain, CERTIFIED or EXECUTION_HELD, whose expiry is < clock (s); oldest first."""
        ...

    async def load_rows(self, request_ids: Sequence[RequestId]) -> dict[RequestId, int]:
        """The row numbers, as `list_requests` has them, of those that exist."""
        ...

    async def list_requests(self, where: RequestFilter, limit: int) -> Sequence[tuple[int, TrackedRequest]]:
        """For people: (row number, request), newest first; `where.before_row` pages on."""
        ...

    async def load_transitions(self, request_id: RequestId) -> Sequence[Transition]:
        """The request's life so far, oldest first."""
        ...

    async def load_fees(self, request_id: RequestId) -> Sequence[FeeEntry]:
        """Every movement of the request's money, oldest first."""
        ...

    async def count_by_status(self) -> dict[tuple[str, Status], int]:
        """How many requests per (source chain, status); pairs without any are left out."""
        ...

    # receipts and answers
    async def load_receipts(self, request_ids: Sequence[RequestId]) -> dict[RequestId, Receipt]:
        """Known receipts, by request id."""
        ...

    async def load_receipts_at(self, chain: str, blocks: Sequence[BlockRef]) -> Sequence[Receipt]:
        """Receipts that stand in these blocks of a destination chain, in log order."""
        ...

    async def load_answers(self, chain: str, child_up_to: int, limit: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is at or below this height, lowest first.

        Only those whose request is not `UNSERVED`: SECURITY: a source whose finality stands still must not keep others'
        answers waiting. A height of -1 means that nothing is final yet.
        """
        ...

    async def has_answers(self, chain: str) -> bool:
        """Whether any answer was read on `chain`, whatever its height and its request's status."""
        ...

    async def load_answers_of(self, request_ids: Sequence[RequestId]) -> dict[RequestId, PinnedAnswer]:
        """Those that exist, by request id. An answer is dropped when its request concludes."""
        ...

    async def load_answers_above(self, chain: str, number: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is above this height, lowest first (a reorg may undo them)."""
        ...

    # batches, attestations, certificates
    async def load_batches(self, roots: Sequence[bytes]) -> dict[bytes, Batch]:
        """Batches by root."""
        ...

    async def load_attestations(self, roots: Sequence[bytes]) -> dict[bytes, Sequence[Attestation]]:
        """All attestations over these roots, by root, every epoch and signer, oldest first; none of a root without."""
        ...

    async def load_own_attestations(
        self, signer: bytes, after_row: int, limit: int
    ) -> Sequence[tuple[int, Attestation]]:
        """(row number, attestation) of one signer, oldest first, after this row number (0: from the oldest)."""
        ...

    async def load_certificates(self, roots: Sequence[bytes]) -> dict[bytes, Certificate]:
        """The certificate of the newest epoch, by root."""
        ...

    async def load_unlanded_roots(
        self, kind: BatchKind, gateway: bytes, limit: int, after: bytes = b""
    ) -> Sequence[bytes]:
        """Roots for this verifying gateway in which a request still waits for its statement to be used.

        Ascending, above `after`: the last one pages on. A CALL waits for its Execute until its receipt is final, a
        request for its Outcome until a final block of its source says that it was used.
        """
        ...

    # outbox
    async def load_due_effects(
        self, kinds: frozenset[EffectKind], chain: str | None, now: float, limit: int
    ) -> Sequence[OutboxRow]:
        """Rows due at `now`, oldest due first; `chain` None means every chain."""
        ...

    async def load_next_due(self, kinds: frozenset[EffectKind], chain: str | None) -> float | None:
        """When the earliest such row is due, or None."""
        ...

    async def count_effects(self) -> dict[tuple[str, EffectKind], int]:
        """How many open effects per (chain, kind): the queue depths."""
        ...

    # own transactions
    async def load_open_transactions(self, chain: str) -> Sequence[OwnTransaction]:
        """SIGNED and MINED ones on a chain, by nonce."""
        ...

    async def load_held_nonces(self, chain: str, sender: bytes, first: int) -> frozenset[int]:
        """Nonces from `first` on that our transactions hold: all but those of LOST ones, which others used."""
        ...

    async def load_transactions_of(self, request_id: RequestId) -> Sequence[OwnTransaction]:
        """Our own transactions that carried the request, oldest first."""
        ...

    # peers and evidence
    async def load_peer_cursor(self, key: bytes) -> str:
        """Where to go on with a peer's attestations; "" at first."""
        ...

    async def load_foreign_statements(
        self, signer: bytes, request_ids: Sequence[RequestId]
    ) -> Sequence[ForeignStatements]:
        """Foreign roots of this signer with a statement about one of these requests, each with all its statements."""
        ...

    async def list_evidence(self) -> Sequence[EvidenceRow]:
        """All evidence, oldest first."""
        ...
