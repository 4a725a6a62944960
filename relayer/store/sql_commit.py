"""Writing a commit with few statements.

Its job: turn one `Commit` into statements on one open transaction: a bulk read of the requests that move, then one
executemany a table. Whoever calls it begins, commits and rolls back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from attestation.request import RequestId
from relayer.domain.effects import EffectKind
from relayer.domain.reorg import ChainCursor
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Commit, Deferral, ForeignStatements, OutboxRow, OwnTransaction
from relayer.store import mapping
from relayer.store.codec import encode_request
from relayer.store.folding import Folded, conflict_of, fold_changes
from relayer.store.mapping import LOCATION_COLUMNS, Values
from relayer.store.places import source_chain_of
from relayer.store.sql_rows import chunked, delete_keys, insert_all, insert_into, insert_missing, upsert
from relayer.store.tables import (
    ACCEPTED_SETS,
    ANSWERS,
    ATTEMPTS,
    ATTESTATIONS,
    BATCHES,
    CARRIED_REQUESTS,
    CERTIFICATES,
    CONCLUSIONS,
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
    REQUEST_BODIES,
    REQUEST_COUNTS,
    REQUESTS,
    SEEN_BLOCKS,
    TRANSACTIONS,
    TRANSITIONS,
)

_HELD: Final = (
    select(
        REQUESTS.c.row,
        REQUESTS.c.request_id,
        REQUESTS.c.status,
        *(REQUESTS.c[name] for name in LOCATION_COLUMNS),
        CONCLUSIONS.c.outcome.label("conclusion_outcome"),
        CONCLUSIONS.c.tx_hash.label("conclusion_tx_hash"),
    )
    .select_from(REQUESTS.outerjoin(CONCLUSIONS, CONCLUSIONS.c.request_row == REQUESTS.c.row))
    .with_for_update(of=REQUESTS)
)
_AT_ROW: Final = REQUESTS.c.row == bindparam("at_row")
_MOVE: Final = update(REQUESTS).where(_AT_ROW)
_DEFER: Final = (
    update(OUTBOX)
    .where(OUTBOX.c.kind == bindparam("at_kind"), OUTBOX.c.subject == bindparam("at_subject"))
    .values(due_at=bindparam("due_at"), attempts=bindparam("attempts"))
)


async def write_commit(connection: AsyncConnection, commit: Commit) -> None:
    """Everything in `commit`. Raises `StoreConflict`: the transaction is to be rolled back then."""
    await _write_requests(connection, fold_changes(commit))
    await _write_results(connection, commit)
    await _write_outbox(connection, commit)
    for transaction in commit.transactions:
        await _write_transaction(connection, transaction)
    await insert_all(connection, FEE_ENTRIES, [mapping.fee_values(entry) for entry in commit.fees])
    for cursor in commit.cursors:
        await _write_cursor(connection, cursor)
    peers = [{"peer": key, "cursor": cursor} for key, cursor in commit.peer_cursors]
    await upsert(connection, PEER_CURSORS, ["peer"], peers)
    for gateway, epoch in commit.dropped_epochs:
        await delete_keys(connection, EPOCHS.c.epoch, [epoch], EPOCHS.c.gateway == gateway)
    epochs = [mapping.epoch_values(epoch) for epoch in commit.epochs]
    await upsert(connection, EPOCHS, ["gateway", "epoch"], epochs)
    accepted = [mapping.accepted_values(each) for each in commit.accepted]
    await upsert(connection, ACCEPTED_SETS, ["epoch", "predecessor"], accepted)
    for foreign in commit.foreign:
        await _write_foreign(connection, foreign)
    await insert_missing(connection, EVIDENCE, [mapping.evidence_values(row) for row in commit.evidence])
    await upsert(connection, HALTS, ["chain", "at"], [mapping.halt_values(halt) for halt in commit.halts])


async def _write_requests(connection: AsyncConnection, folded: Mapping[RequestId, Folded]) -> None:
    if not folded:
        return
    held = await _load_held(connection, folded)
    # SECURITY: the statuses are compared inside the transaction that writes: on SQLite it is the only writer, on
    # PostgreSQL it holds these rows. No two steps can both move a request on from one status.
    for identifier, change in folded.items():
        found = Status(held[identifier]["status"]) if identifier in held else None
        if found is not change.expected:
            raise conflict_of(identifier, found, change.expected)
    fresh = [change.request for identifier, change in folded.items() if identifier not in held]
    await insert_all(connection, REQUESTS, [_new_request(request) for request in fresh])
    rows = {identifier: row["row"] for identifier, row in held.items()}
    rows |= await _load_rows(connection, [request.request_id for request in fresh])
    bodies = [
        {"request_row": rows[request.request_id], "encoded": encode_request(request.request)} for request in fresh
    ]
    await insert_all(connection, REQUEST_BODIES, bodies)
    await _move(connection, [folded[identifier].request for identifier in held], held)
    await _write_conclusions(connection, [change.request for change in folded.values()], rows, held)
    steps = [
        mapping.transition_values(transition, rows[identifier])
        for identifier, change in folded.items()
        for transition in change.transitions
    ]
    await insert_all(connection, TRANSITIONS, steps)
    await _count(connection, folded.values())


async def _load_held(connection: AsyncConnection, ids: Iterable[RequestId]) -> dict[RequestId, RowMapping]:
    held: dict[RequestId, RowMapping] = {}
    for part in chunked(ids):
        found = await connection.execute(_HELD.where(REQUESTS.c.request_id.in_(part)))
        held |= {row["request_id"]: row for row in found.mappings()}
    return held


async def _load_rows(connection: AsyncConnection, ids: Iterable[RequestId]) -> dict[RequestId, int]:
    rows: dict[RequestId, int] = {}
    for part in chunked(ids):
        found = await connection.execute(
            select(REQUESTS.c.request_id, REQUESTS.c.row).where(REQUESTS.c.request_id.in_(part))
        )
        rows |= {RequestId(identifier): row for identifier, row in found}
    return rows


def _new_request(request: TrackedRequest) -> Values:
    return {
        **mapping.request_values(request),
        **mapping.location_values(request.location),
        **mapping.progress_values(request),
    }


async def _move(
    connection: AsyncConnection, requests: Iterable[TrackedRequest], held: Mapping[RequestId, RowMapping]
) -> None:
    moves: list[Values] = []
    relocations: list[Values] = []
    for request in requests:
        row = held[request.request_id]
        moves.append({"at_row": row["row"], **mapping.progress_values(request)})
        # Apart, because columns of an index are costly to write, and only a reorg changes these.
        if mapping.location_key(request.location) != tuple(row[name] for name in LOCATION_COLUMNS):
            relocations.append({"at_row": row["row"], **mapping.location_values(request.location)})
    for rows in (moves, relocations):
        if rows:
            await connection.execute(_MOVE, rows)


async def _write_conclusions(
    connection: AsyncConnection,
    requests: Iterable[TrackedRequest],
    rows: Mapping[RequestId, int],
    held: Mapping[RequestId, RowMapping],
) -> None:
    """Only those that differ from what is there: return data can be large, and most steps leave it alone."""
    undone: list[int] = []
    known: list[Values] = []
    for request in requests:
        row = held.get(request.request_id)
        before = None if row is None else row["conclusion_outcome"]
        if request.conclusion is None:
            if before is not None:
                undone.append(rows[request.request_id])
            continue
        values = mapping.conclusion_values(request.conclusion)
        # The outcome commits to the return data by hash: it need not be read to see that it is the same.
        if row is None or values["outcome"] != before or values["tx_hash"] != row["conclusion_tx_hash"]:
            known.append({"request_row": rows[request.request_id], **values})
    await delete_keys(connection, CONCLUSIONS.c.request_row, undone)
    await upsert(connection, CONCLUSIONS, ["request_row"], known)


async def _count(connection: AsyncConnection, changes: Iterable[Folded]) -> None:
    differences: Counter[tuple[str, Status]] = Counter()
    for change in changes:
        chain = source_chain_of(change.request)
        differences[chain, change.request.status] += 1
        if change.expected is not None:
            differences[chain, change.expected] -= 1
    rows = [
        {"source_chain": chain, "status": status.value, "count": difference}
        for (chain, status), difference in differences.items()
        if difference
    ]
    if not rows:
        return
    statement = insert_into(connection, REQUEST_COUNTS)
    total = REQUEST_COUNTS.c.count + statement.excluded["count"]
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["source_chain", "status"], set_={"count": total}), rows
    )


async def _write_results(connection: AsyncConnection, commit: Commit) -> None:
    await delete_keys(connection, RECEIPTS.c.request_id, commit.dropped_receipts)
    receipts = [mapping.receipt_values(receipt) for receipt in commit.receipts]
    await upsert(connection, RECEIPTS, ["request_id"], receipts)
    await delete_keys(connection, ANSWERS.c.request_id, commit.dropped_answers)
    answers = [mapping.answer_values(answer) for answer in commit.answers]
    await upsert(connection, ANSWERS, ["request_id"], answers)
    await insert_missing(connection, BATCHES, [mapping.batch_values(batch) for batch in commit.batches])
    attestations = [mapping.attestation_values(attestation) for attestation in commit.attestations]
    await insert_missing(connection, ATTESTATIONS, attestations)
    certificates = [mapping.certificate_values(certificate) for certificate in commit.certificates]
    await insert_missing(connection, CERTIFICATES, certificates)


async def _write_outbox(connection: AsyncConnection, commit: Commit) -> None:
    done: defaultdict[EffectKind, list[bytes]] = defaultdict(list)
    for kind, subject in commit.done:
        done[kind].append(subject)
    for kind, subjects in done.items():
        await delete_keys(connection, OUTBOX.c.subject, subjects, OUTBOX.c.kind == kind.value)
    if commit.deferred:
        await connection.execute(_DEFER, [_deferral_values(deferral) for deferral in commit.deferred])
    if commit.effects:
        await _wish(connection, commit.effects)


def _deferral_values(deferral: Deferral) -> Values:
    return {
        "at_kind": deferral.kind.value,
        "at_subject": deferral.subject,
        "due_at": deferral.due_at,
        "attempts": deferral.attempts,
    }


async def _wish(connection: AsyncConnection, effects: Iterable[OutboxRow]) -> None:
    statement = insert_into(connection, OUTBOX)
    earlier = statement.excluded["due_at"]
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "subject"], set_={"due_at": earlier}, where=earlier < OUTBOX.c.due_at
        ),
        [mapping.outbox_values(row) for row in effects],
    )


async def _write_transaction(connection: AsyncConnection, transaction: OwnTransaction) -> None:
    values = mapping.transaction_values(transaction)
    statement = insert_into(connection, TRANSACTIONS)
    key = ["chain", "sender", "nonce"]
    replaced = {name: statement.excluded[name] for name in values if name not in {*key, "created_at"}}
    written = await connection.execute(
        statement.values(values).on_conflict_do_update(index_elements=key, set_=replaced).returning(TRANSACTIONS.c.row)
    )
    row: int = written.scalar_one()
    attempts = [mapping.attempt_values(attempt, row) for attempt in transaction.attempts]
    await insert_missing(connection, ATTEMPTS, attempts)
    carried = [{"request_id": identifier, "transaction_row": row} for identifier in transaction.request_ids]
    await insert_missing(connection, CARRIED_REQUESTS, carried)


async def _write_cursor(connection: AsyncConnection, cursor: ChainCursor) -> None:
    final = {"chain": cursor.chain, "final_number": cursor.final.number, "final_hash": cursor.final.hash}
    await upsert(connection, CURSORS, ["chain"], [final])
    stored = await connection.execute(
        select(*SEEN_BLOCKS.c["number", "hash", "parent_hash", "timestamp"]).where(SEEN_BLOCKS.c.chain == cursor.chain)
    )
    # Chains with slow finality have hundreds of seen blocks, and a step changes a few of them.
    before = {(row.number, row.hash, row.parent_hash, row.timestamp) for row in stored}
    after = {(block.ref.number, block.ref.hash, block.parent_hash, block.timestamp): block for block in cursor.seen}
    gone = {key[0] for key in before - after.keys()}
    await delete_keys(connection, SEEN_BLOCKS.c.number, sorted(gone), SEEN_BLOCKS.c.chain == cursor.chain)
    added = [mapping.seen_block_values(cursor.chain, after[key]) for key in after.keys() - before]
    await insert_all(connection, SEEN_BLOCKS, added)


async def _write_foreign(connection: AsyncConnection, foreign: ForeignStatements) -> None:
    written = await connection.execute(
        insert_into(connection, FOREIGN_STATEMENTS)
        .values(mapping.foreign_values(foreign))
        .on_conflict_do_nothing()
        .returning(FOREIGN_STATEMENTS.c.row)
    )
    row = written.scalar_one_or_none()
    if row is not None:
        mentions = [
            {"signer": foreign.signer, "request_id": identifier, "foreign_row": row}
            for identifier in mapping.ids_in(foreign.statements)
        ]
        await insert_all(connection, FOREIGN_MENTIONS, mentions)
