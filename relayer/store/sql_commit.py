"""Writing a commit with few statements.

Its job: turn one `Commit` into statements on one open transaction, one executemany a table. Whoever calls it begins,
commits and rolls back. What it is told to be known is not read again; it must be exactly what is on disk.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ClauseElement, Connection, Dialect, bindparam, select

from relayer.domain.reorg import ChainCursor
from relayer.ports.store import Commit, ForeignStatements, OwnTransaction
from relayer.store import mapping
from relayer.store.columns import uint64_bytes
from relayer.store.folding import fold_changes
from relayer.store.mapping import text_of
from relayer.store.recent import WorkingSet, Written
from relayer.store.sql_moves import write_requests
from relayer.store.sql_rows import (
    Prepared,
    deleting,
    insert_in,
    inserting,
    inserting_missing,
    names_of,
    selecting,
    updating,
    upserting,
)
from relayer.store.tables import (
    ACCEPTED_SETS,
    ANSWERS,
    ATTEMPTS,
    ATTESTATIONS,
    BATCHES,
    CARRIED_REQUESTS,
    CERTIFICATES,
    CURSORS,
    EPOCHS,
    EVIDENCE,
    FEE_ENTRIES,
    FOREIGN_MENTIONS,
    FOREIGN_STATEMENTS,
    HALTS,
    OUTBOX,
    PEER_CURSORS,
    RECEIPTS,
    SEEN_BLOCKS,
    TRANSACTIONS,
)


def _wishing(dialect: Dialect) -> ClauseElement:
    statement = insert_in(dialect, OUTBOX)
    earlier = statement.excluded["due_at"]
    return statement.on_conflict_do_update(
        index_elements=["kind", "subject"], set_={"due_at": earlier}, where=earlier < OUTBOX.c.due_at
    )


_ADD_RECEIPTS: Final = upserting(RECEIPTS, ["request_id"])
_DROP_RECEIPTS: Final = deleting(RECEIPTS.c.request_id)
_ADD_ANSWERS: Final = upserting(ANSWERS, ["request_id"])
_DROP_ANSWERS: Final = deleting(ANSWERS.c.request_id)
_ADD_BATCHES: Final = inserting_missing(BATCHES)
_ADD_ATTESTATIONS: Final = inserting_missing(ATTESTATIONS)
_ADD_CERTIFICATES: Final = inserting_missing(CERTIFICATES)
_WISH: Final = Prepared(names_of(OUTBOX), _wishing)
_DEFER: Final = updating(["due_at", "attempts"], OUTBOX.c.kind, OUTBOX.c.subject)
_DONE: Final = deleting(OUTBOX.c.kind, OUTBOX.c.subject)
_RECORD: Final = upserting(TRANSACTIONS, ["chain", "sender", "nonce"], keep=["created_at"], gives=[TRANSACTIONS.c.row])
_ADD_ATTEMPTS: Final = inserting_missing(ATTEMPTS)
_CARRY: Final = inserting_missing(CARRIED_REQUESTS)
_PAY: Final = inserting(FEE_ENTRIES)
_MOVE_CURSOR: Final = upserting(CURSORS, ["chain"])
_SEEN: Final = selecting(select(SEEN_BLOCKS).where(SEEN_BLOCKS.c.chain == bindparam("chain")), ["chain"])
_SEE: Final = inserting(SEEN_BLOCKS)
_UNSEE: Final = deleting(SEEN_BLOCKS.c.chain, SEEN_BLOCKS.c.number)
_FOLLOW: Final = upserting(PEER_CURSORS, ["peer"])
_DROP_EPOCHS: Final = deleting(EPOCHS.c.gateway, EPOCHS.c.epoch)
_ADD_EPOCHS: Final = upserting(EPOCHS, ["gateway", "epoch"])
_ACCEPT: Final = upserting(ACCEPTED_SETS, ["epoch", "predecessor"])
_CONVICT: Final = inserting_missing(EVIDENCE)
_HALT: Final = upserting(HALTS, ["chain", "at"])
_MENTION: Final = inserting(FOREIGN_MENTIONS)
_OVERHEAR: Final = Prepared(
    names_of(FOREIGN_STATEMENTS),
    lambda dialect: insert_in(dialect, FOREIGN_STATEMENTS).on_conflict_do_nothing().returning(FOREIGN_STATEMENTS.c.row),
)


def write_commit(connection: Connection, commit: Commit, known: WorkingSet) -> Written:
    """Everything in `commit`. Raises `StoreConflict`: the transaction is to be rolled back then."""
    requests, next_row = write_requests(connection, fold_changes(commit), known)
    are_batches_new = _write_results(connection, commit)
    _write_outbox(connection, commit)
    for transaction in commit.transactions:
        _write_transaction(connection, transaction)
    _PAY.run(connection, [mapping.fee_values(entry) for entry in commit.fees])
    for cursor in commit.cursors:
        _write_cursor(connection, cursor)
    _FOLLOW.run(connection, list(commit.peer_cursors))
    _DROP_EPOCHS.run(connection, [(gateway, uint64_bytes(epoch)) for gateway, epoch in commit.dropped_epochs])
    _ADD_EPOCHS.run(connection, [mapping.epoch_values(epoch) for epoch in commit.epochs])
    _ACCEPT.run(connection, [mapping.accepted_values(each) for each in commit.accepted])
    for foreign in commit.foreign:
        _write_foreign(connection, foreign)
    _CONVICT.run(connection, [mapping.evidence_values(row) for row in commit.evidence])
    _HALT.run(connection, [mapping.halt_values(halt) for halt in commit.halts])
    return Written(requests, next_row, are_batches_new)


def _write_results(connection: Connection, commit: Commit) -> bool:
    """Whether none of the batches was there before."""
    _DROP_RECEIPTS.run(connection, [(identifier,) for identifier in commit.dropped_receipts])
    _ADD_RECEIPTS.run(connection, [mapping.receipt_values(receipt) for receipt in commit.receipts])
    _DROP_ANSWERS.run(connection, [(identifier,) for identifier in commit.dropped_answers])
    _ADD_ANSWERS.run(connection, [mapping.answer_values(answer) for answer in commit.answers])
    added = _ADD_BATCHES.run(connection, [mapping.batch_values(batch) for batch in commit.batches])
    _ADD_ATTESTATIONS.run(connection, [mapping.attestation_values(each) for each in commit.attestations])
    _ADD_CERTIFICATES.run(connection, [mapping.certificate_values(each) for each in commit.certificates])
    return added == len(commit.batches)


def _write_outbox(connection: Connection, commit: Commit) -> None:
    _DONE.run(connection, [(text_of(kind), subject) for kind, subject in commit.done])
    deferred = [(each.due_at, each.attempts, text_of(each.kind), each.subject) for each in commit.deferred]
    _DEFER.run(connection, deferred)
    _WISH.run(connection, [mapping.outbox_values(row) for row in commit.effects])


def _write_transaction(connection: Connection, transaction: OwnTransaction) -> None:
    row: int = _RECORD.returning(connection, mapping.transaction_values(transaction))
    _ADD_ATTEMPTS.run(connection, [mapping.attempt_values(attempt, row) for attempt in transaction.attempts])
    _CARRY.run(connection, [(identifier, row) for identifier in transaction.request_ids])


def _write_cursor(connection: Connection, cursor: ChainCursor) -> None:
    chain = cursor.chain
    _MOVE_CURSOR.run(connection, [mapping.cursor_values(cursor)])
    stored = _SEEN.rows(connection, chain)
    # Chains with slow finality have hundreds of seen blocks, and a step changes a few of them.
    before = {tuple(row.values()) for row in stored}
    after = dict.fromkeys(mapping.seen_block_values(chain, block) for block in cursor.seen)
    gone = {number for _, number, *_ in before - after.keys()}
    _UNSEE.run(connection, [(chain, number) for number in sorted(gone)])
    _SEE.run(connection, [block for block in after if block not in before])


def _write_foreign(connection: Connection, foreign: ForeignStatements) -> None:
    row = _OVERHEAR.returning(connection, mapping.foreign_values(foreign))
    if row is not None:
        mentioned = mapping.ids_in(foreign.statements)
        _MENTION.run(connection, [(foreign.signer, identifier, row) for identifier in mentioned])
