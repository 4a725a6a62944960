"""The tables of the store and of the guard, one class each.

Its job: columns, keys and indexes. Rows are written and read by Core statements over these tables, never through ORM
sessions: facts of a thousand requests are one statement. What changes often (`requests`) is apart from what is large
and never changes (`request_bodies`), and everything that belongs to a request is keyed by its row number: rows of
neighbouring requests lie on neighbouring pages, where random 32-byte keys would touch a page each.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    literal_column,
    or_,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from relayer.domain.batch import BORN_KINDS, BatchKind
from relayer.store.columns import Blob, row_number, uint64, uint256, word
from relayer.store.waiting import OPEN_TRANSACTIONS

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class StoreTable(SQLModel):
    """A table of the store."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMES)


class GuardTable(SQLModel):
    """A table of the signing guard, which lives in a database of its own or beside the store."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMES)


def _column(kind: TypeEngine[Any], *rules: Any, **options: Any) -> Any:
    return Field(sa_column=Column(kind, *rules, **{"nullable": False, **options}))


def _row() -> Any:
    return _column(row_number(), primary_key=True)


def _request_row(**options: Any) -> Any:
    return _column(row_number(), ForeignKey("requests.row"), **options)


# Requests


class RequestRow(StoreTable, table=True):
    """What changes about a request, and what it is looked for by. `row` is the order in which it was observed.

    `steps` counts its transitions. `awaits` and `is_open` say of the status what work is selected by (`waiting`): they
    change a few times in a life, so that most steps write no index.
    """

    __tablename__ = "requests"

    row: int = _row()
    request_id: bytes = _column(word(), unique=True)
    status: str = _column(Text())
    mode: int = _column(BigInteger())
    source_chain: str = _column(Text())
    destination_chain: str = _column(Text())
    source_gateway: bytes = _column(Blob())
    destination_gateway: bytes = _column(Blob())
    sender: bytes = _column(Blob())
    route: bytes = _column(Blob())
    block_number: bytes = _column(uint64())
    block_hash: bytes = _column(Blob())
    tx_index: int = _column(BigInteger())
    log_index: int = _column(BigInteger())
    tx_hash: bytes = _column(Blob())
    source_timestamp: bytes = _column(uint64())
    fee: bytes = _column(uint256())
    deadline: bytes = _column(uint64())
    expiry: bytes = _column(uint64())
    hold_reason: str = _column(Text())
    is_execute_certified: bool = _column(Boolean())
    execute_root: bytes = _column(Blob())
    outcome_root: bytes = _column(Blob())
    execute_tx_hash: bytes = _column(Blob())
    callback_tx_hash: bytes = _column(Blob())
    returned_fee: bytes | None = _column(uint256(), nullable=True)
    steps: int = _column(BigInteger())
    awaits: str = _column(Text())
    is_open: int = _column(BigInteger())


class RequestBodyRow(StoreTable, table=True):
    """The request itself, whole (`codec.encode_request`). Up to 64 KiB, never rewritten."""

    __tablename__ = "request_bodies"

    request_row: int = _request_row(primary_key=True, autoincrement=False)
    encoded: bytes = _column(Blob())


class ConclusionRow(StoreTable, table=True):
    """What became of a request, as far as it is known. `outcome` is its statement's binary form."""

    __tablename__ = "conclusions"

    request_row: int = _request_row(primary_key=True, autoincrement=False)
    outcome: bytes = _column(Blob())
    return_data: bytes = _column(Blob())
    tx_hash: bytes = _column(Blob())


class TransitionRow(StoreTable, table=True):
    """One step of a request's life, `step` of them before it. They lie beside one another, in one tree."""

    __tablename__ = "transitions"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    request_row: int = _request_row(primary_key=True)
    step: int = _column(BigInteger(), primary_key=True)
    before: str | None = _column(Text(), nullable=True)
    after: str = _column(Text())
    cause: str = _column(Text())
    reason: str = _column(Text())
    at: float = _column(Double())


class RequestCountRow(StoreTable, table=True):
    """How many requests are in a status: kept by every commit, for counting a million rows takes long."""

    __tablename__ = "request_counts"

    source_chain: str = _column(Text(), primary_key=True)
    status: str = _column(Text(), primary_key=True)
    count: int = _column(BigInteger())


class FeeEntryRow(StoreTable, table=True):
    """One movement of a request's money."""

    __tablename__ = "fee_entries"

    row: int = _row()
    request_id: bytes = _column(word(), index=True)
    chain: str = _column(Text())
    kind: str = _column(Text())
    amount: bytes = _column(uint256())
    tx_hash: bytes = _column(Blob())
    at: float = _column(Double())


# Results


class ReceiptRow(StoreTable, table=True):
    """A destination gateway's receipt; its request may be unknown here. `block_hash` is in `outcome` as well."""

    __tablename__ = "receipts"
    __table_args__ = (Index(None, "chain", "block_hash"),)

    row: int = _row()
    request_id: bytes = _column(word(), unique=True)
    chain: str = _column(Text())
    block_hash: bytes = _column(Blob())
    outcome: bytes = _column(Blob())
    return_data: bytes = _column(Blob())
    tx_hash: bytes = _column(Blob())
    outcome_root: bytes = _column(Blob())


class AnswerRow(StoreTable, table=True):
    """The answer to a QUERY that has not concluded yet."""

    __tablename__ = "answers"
    __table_args__ = (Index(None, "chain", "child_number"),)

    row: int = _row()
    request_id: bytes = _column(word(), unique=True)
    chain: str = _column(Text())
    pin_number: bytes = _column(uint64())
    pin_hash: bytes = _column(Blob())
    child_number: bytes = _column(uint64())
    child_hash: bytes = _column(Blob())
    outcome: bytes = _column(Blob())
    return_data: bytes = _column(Blob())
    tx_hash: bytes = _column(Blob())


class BatchRow(StoreTable, table=True):
    """A batch with its statements in their binary form."""

    __tablename__ = "batches"

    root: bytes = _column(word(), primary_key=True)
    kind: str = _column(Text())
    route: bytes = _column(Blob())
    verifying_gateway: bytes = _column(Blob())
    verifying_chain: str = _column(Text())
    first_height: bytes = _column(uint64())
    statements: bytes = _column(Blob())


class AttestationRow(StoreTable, table=True):
    """One signer's signature. Peers follow this node's own ones by `row`: rows are never removed."""

    __tablename__ = "attestations"
    __table_args__ = (UniqueConstraint("root", "gateway", "epoch", "signer"), Index(None, "signer", "row"))

    row: int = _row()
    root: bytes = _column(word())
    gateway: bytes = _column(Blob())
    count: int = _column(BigInteger())
    epoch: bytes = _column(uint64())
    signer: bytes = _column(Blob())
    signature: bytes = _column(Blob())


class CertificateRow(StoreTable, table=True):
    """A quorum's certificate, as the verifying gateway takes it."""

    __tablename__ = "certificates"
    __table_args__ = (UniqueConstraint("root", "gateway", "epoch"),)

    row: int = _row()
    root: bytes = _column(word())
    gateway: bytes = _column(Blob())
    epoch: bytes = _column(uint64())
    encoded: bytes = _column(Blob())
    at: float = _column(Double())


# Work


class OutboxEntryRow(StoreTable, table=True):
    """An effect that is still to be performed. What is done is deleted: the table is as long as the queues."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index(None, "kind", "chain", "due_at"),
        Index(None, "kind", "due_at"),
    )

    row: int = _row()
    kind: str = _column(Text())
    subject: bytes = _column(Blob())
    chain: str = _column(Text())
    due_at: float = _column(Double())
    attempts: int = _column(BigInteger())


class TransactionRow(StoreTable, table=True):
    """One nonce of our own. `request_ids` are 32 bytes each, joined."""

    __tablename__ = "transactions"
    __table_args__ = (UniqueConstraint("chain", "sender", "nonce"),)

    row: int = _row()
    chain: str = _column(Text())
    sender: bytes = _column(Blob())
    nonce: bytes = _column(uint64())
    purpose: str = _column(Text())
    status: str = _column(Text())
    to: bytes = _column(Blob())
    data: bytes = _column(Blob())
    gas_limit: bytes = _column(uint64())
    value: bytes = _column(uint256())
    request_ids: bytes = _column(Blob())
    created_at: float = _column(Double())
    mined_number: bytes | None = _column(uint64(), nullable=True)
    mined_hash: bytes | None = _column(Blob(), nullable=True)
    gas_used: bytes = _column(uint64())
    cost: bytes = _column(uint256())


class AttemptRow(StoreTable, table=True):
    """One signed form of a transaction."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("transaction_row", "hash"),)

    row: int = _row()
    transaction_row: int = _column(row_number(), ForeignKey("transactions.row"))
    hash: bytes = _column(Blob())
    raw: bytes = _column(Blob())
    max_fee: bytes = _column(uint256())
    priority_fee: bytes = _column(uint256())
    sent_at: float = _column(Double())


class CarriedRequestRow(StoreTable, table=True):
    """Which transactions ever carried a request; what a transaction carries now stands in its own row."""

    __tablename__ = "carried_requests"

    request_id: bytes = _column(word(), primary_key=True)
    transaction_row: int = _column(row_number(), ForeignKey("transactions.row"), primary_key=True)


# Chains, peers, evidence


class CursorRow(StoreTable, table=True):
    """How far a chain is final here."""

    __tablename__ = "cursors"

    chain: str = _column(Text(), primary_key=True)
    final_number: bytes = _column(uint64())
    final_hash: bytes = _column(Blob())


class SeenBlockRow(StoreTable, table=True):
    """A block above the final one of its chain."""

    __tablename__ = "seen_blocks"

    chain: str = _column(Text(), primary_key=True)
    number: bytes = _column(uint64(), primary_key=True)
    hash: bytes = _column(Blob())
    parent_hash: bytes = _column(Blob())
    timestamp: bytes = _column(uint64())


class EpochRow(StoreTable, table=True):
    """A signer set that a gateway applied, whole (`codec.encode_signer_set`)."""

    __tablename__ = "epochs"

    gateway: bytes = _column(Blob(), primary_key=True)
    epoch: bytes = _column(uint64(), primary_key=True)
    signer_set: bytes = _column(Blob())
    valid_until: bytes = _column(uint64())


class AcceptedSetRow(StoreTable, table=True):
    """The signer set that the operator accepted for an epoch after another set, by that one's hash.

    It is kept whole (`codec.encode_signer_set`).
    """

    __tablename__ = "accepted_sets"

    epoch: bytes = _column(uint64(), primary_key=True)
    predecessor: bytes = _column(Blob(), primary_key=True)
    signer_set: bytes = _column(Blob())
    at: float = _column(Double())


class HaltRow(StoreTable, table=True):
    """A time at which work on a chain stopped. `resumed_at` is NULL while it lasts."""

    __tablename__ = "halts"
    __table_args__ = (UniqueConstraint("chain", "at"),)

    row: int = _row()
    chain: str = _column(Text())
    code: str = _column(Text())
    reason: str = _column(Text())
    held_number: bytes | None = _column(uint64(), nullable=True)
    held_hash: bytes | None = _column(Blob(), nullable=True)
    found_hash: bytes = _column(Blob())
    at: float = _column(Double())
    resumed_at: float | None = _column(Double(), nullable=True)


class PeerCursorRow(StoreTable, table=True):
    """Where to go on with a peer's attestations."""

    __tablename__ = "peer_cursors"

    peer: bytes = _column(Blob(), primary_key=True)
    cursor: str = _column(Text())


class ForeignStatementsRow(StoreTable, table=True):
    """What a peer signed under a root that was not born here."""

    __tablename__ = "foreign_statements"
    __table_args__ = (UniqueConstraint("root", "signer"),)

    row: int = _row()
    root: bytes = _column(word())
    signer: bytes = _column(Blob())
    statements: bytes = _column(Blob())


class ForeignMentionRow(StoreTable, table=True):
    """Which requests a foreign root speaks of."""

    __tablename__ = "foreign_mentions"

    signer: bytes = _column(Blob(), primary_key=True)
    request_id: bytes = _column(word(), primary_key=True)
    foreign_row: int = _column(row_number(), ForeignKey("foreign_statements.row"), primary_key=True)


class StoredEvidenceRow(StoreTable, table=True):
    """Evidence against a signer."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("offence", "signer", "guard_key"),)

    row: int = _row()
    offence: str = _column(Text())
    signer: bytes = _column(Blob())
    guard_key: bytes = _column(Blob())
    document: str = _column(Text())
    at: float = _column(Double())


# The guard


class GuardClaimRow(GuardTable, table=True):
    """SECURITY: the primary key is what keeps two processes of one operator from signing two leaves under one key."""

    __tablename__ = "guard_claims"

    guard_key: bytes = _column(Blob(), primary_key=True)
    leaf: bytes = _column(word())
    statement: bytes = _column(Blob())


def _table_of(row: type[SQLModel]) -> Table:
    table = inspect(row).local_table
    assert isinstance(table, Table)
    return table


REQUESTS: Final = _table_of(RequestRow)
REQUEST_BODIES: Final = _table_of(RequestBodyRow)
CONCLUSIONS: Final = _table_of(ConclusionRow)
TRANSITIONS: Final = _table_of(TransitionRow)
REQUEST_COUNTS: Final = _table_of(RequestCountRow)
FEE_ENTRIES: Final = _table_of(FeeEntryRow)
RECEIPTS: Final = _table_of(ReceiptRow)
ANSWERS: Final = _table_of(AnswerRow)
BATCHES: Final = _table_of(BatchRow)
ATTESTATIONS: Final = _table_of(AttestationRow)
CERTIFICATES: Final = _table_of(CertificateRow)
OUTBOX: Final = _table_of(OutboxEntryRow)
TRANSACTIONS: Final = _table_of(TransactionRow)
ATTEMPTS: Final = _table_of(AttemptRow)
CARRIED_REQUESTS: Final = _table_of(CarriedRequestRow)
CURSORS: Final = _table_of(CursorRow)
SEEN_BLOCKS: Final = _table_of(SeenBlockRow)
EPOCHS: Final = _table_of(EpochRow)
ACCEPTED_SETS: Final = _table_of(AcceptedSetRow)
PEER_CURSORS: Final = _table_of(PeerCursorRow)
FOREIGN_STATEMENTS: Final = _table_of(ForeignStatementsRow)
FOREIGN_MENTIONS: Final = _table_of(ForeignMentionRow)
EVIDENCE: Final = _table_of(StoredEvidenceRow)
HALTS: Final = _table_of(HaltRow)
GUARD_CLAIMS: Final = _table_of(GuardClaimRow)


# Partial indexes: what is finished is in few of them, and none names the status of what is not, which most steps
# change. A planner uses one only for a query that repeats its condition word by word, so the condition is written once,
# with its constants in the text.


def _is_one_of(column: Column[Any], names: Sequence[StrEnum]) -> ColumnElement[bool]:
    # Not IN: SQLite builds a little table for the list, for every row that is written.
    return or_(*(column == literal_column(f"'{name.value}'") for name in names))


IS_QUERY: Final = REQUESTS.c.mode == literal_column("1")
IS_OPEN: Final = REQUESTS.c.is_open == literal_column("1")
IS_SETTLED: Final = REQUESTS.c.is_open == literal_column("0")
IS_AWAITING: Final = {kind: REQUESTS.c.awaits == literal_column(f"'{kind.value}'") for kind in BORN_KINDS}
IS_OPEN_TRANSACTION: Final = _is_one_of(TRANSACTIONS.c.status, OPEN_TRANSACTIONS)


def _partial(name: str, where: ColumnElement[bool], *columns: Column[Any]) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


Index(
    "ix_requests_place",
    REQUESTS.c.source_gateway,
    REQUESTS.c.block_number,
    REQUESTS.c.tx_index,
    REQUESTS.c.log_index,
)
_partial("ix_requests_open", IS_OPEN, REQUESTS.c.source_chain, REQUESTS.c.row)
_partial("ix_requests_open_of_sender", IS_OPEN, REQUESTS.c.sender, REQUESTS.c.row)
_partial("ix_requests_settled", IS_SETTLED, REQUESTS.c.source_chain, REQUESTS.c.status, REQUESTS.c.row)
_partial("ix_requests_settled_of_sender", IS_SETTLED, REQUESTS.c.sender, REQUESTS.c.status, REQUESTS.c.row)
_partial(
    "ix_requests_queries",
    IS_QUERY,
    REQUESTS.c.route,
    REQUESTS.c.block_number,
    REQUESTS.c.tx_index,
    REQUESTS.c.log_index,
)
_partial("ix_requests_expiring", IS_AWAITING[BatchKind.EXECUTE], REQUESTS.c.destination_chain, REQUESTS.c.expiry)
_partial(
    "ix_requests_awaiting_execute",
    IS_AWAITING[BatchKind.EXECUTE],
    REQUESTS.c.destination_gateway,
    REQUESTS.c.execute_root,
)
_partial(
    "ix_requests_awaiting_outcome", IS_AWAITING[BatchKind.OUTCOME], REQUESTS.c.source_gateway, REQUESTS.c.outcome_root
)
_partial("ix_transactions_open", IS_OPEN_TRANSACTION, TRANSACTIONS.c.chain, TRANSACTIONS.c.nonce)
