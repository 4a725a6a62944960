"""Loading what is to be done: the outbox, our own transactions, and how far chains and peers were followed."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, literal_column, select

from attestation.request import RequestId
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor
from relayer.ports.store import (
    AcceptedSet,
    Attempt,
    EvidenceRow,
    ForeignStatements,
    OutboxRow,
    OwnTransaction,
    StoredEpoch,
    TransactionStatus,
)
from relayer.store.columns import number_in, uint64_bytes
from relayer.store.mapping import (
    Loaded,
    to_accepted,
    to_attempt,
    to_cursor,
    to_epoch,
    to_evidence,
    to_foreign,
    to_halt,
    to_outbox_row,
    to_transaction,
)
from relayer.store.sql_reading import SqlReader, load
from relayer.store.sql_rows import Lookup, selecting
from relayer.store.tables import (
    ACCEPTED_SETS,
    ATTEMPTS,
    CARRIED_REQUESTS,
    CURSORS,
    EPOCHS,
    EVIDENCE,
    FOREIGN_MENTIONS,
    FOREIGN_STATEMENTS,
    HALTS,
    IS_OPEN_TRANSACTION,
    OUTBOX,
    PEER_CURSORS,
    SEEN_BLOCKS,
    TRANSACTIONS,
)
from relayer.store.waiting import SETTLED_TRANSACTIONS


def _due(*where: ColumnElement[bool]) -> Select[Any]:
    due = (OUTBOX.c.kind == bindparam("kind"), *where, OUTBOX.c.due_at <= bindparam("until"))
    return (
        select(OUTBOX)
        .where(*due)
        .order_by(OUTBOX.c.due_at, OUTBOX.c.row)
        .limit(bindparam("limit"))
        .offset(literal_column("0"))
    )


_DUE: Final = selecting(_due(OUTBOX.c.chain == bindparam("chain")), ["kind", "chain", "until", "limit"])
_DUE_ANYWHERE: Final = selecting(_due(), ["kind", "until", "limit"])
_DEPTHS: Final = selecting(
    select(OUTBOX.c.kind, OUTBOX.c.chain, func.count().label("count")).group_by(OUTBOX.c.kind, OUTBOX.c.chain)
)
_CURSOR: Final = selecting(select(CURSORS).where(CURSORS.c.chain == bindparam("chain")), ["chain"])
_SEEN: Final = selecting(
    select(SEEN_BLOCKS).where(SEEN_BLOCKS.c.chain == bindparam("chain")).order_by(SEEN_BLOCKS.c.number), ["chain"]
)
_EPOCHS: Final = selecting(
    select(EPOCHS).where(EPOCHS.c.gateway == bindparam("gateway")).order_by(EPOCHS.c.epoch), ["gateway"]
)
_PEER_CURSOR: Final = selecting(select(PEER_CURSORS.c.cursor).where(PEER_CURSORS.c.peer == bindparam("peer")), ["peer"])
_OPEN_TRANSACTIONS: Final = selecting(
    select(TRANSACTIONS)
    .where(IS_OPEN_TRANSACTION, TRANSACTIONS.c.chain == bindparam("chain"))
    .order_by(TRANSACTIONS.c.nonce, TRANSACTIONS.c.row),
    ["chain"],
)
_HELD_NONCES: Final = selecting(
    select(TRANSACTIONS.c.nonce).where(
        TRANSACTIONS.c.chain == bindparam("chain"),
        TRANSACTIONS.c.sender == bindparam("sender"),
        TRANSACTIONS.c.nonce >= bindparam("first"),
        TRANSACTIONS.c.status != literal_column(f"'{TransactionStatus.LOST.value}'"),
    ),
    ["chain", "sender", "first"],
)
_ATTEMPTS: Final = Lookup(select(ATTEMPTS).order_by(ATTEMPTS.c.row), ATTEMPTS.c.transaction_row)
_FOREIGN: Final = Lookup(
    select(FOREIGN_STATEMENTS)
    .join(FOREIGN_MENTIONS, FOREIGN_MENTIONS.c.foreign_row == FOREIGN_STATEMENTS.c.row)
    .where(FOREIGN_MENTIONS.c.signer == bindparam("signer")),
    FOREIGN_MENTIONS.c.request_id,
    names=["signer"],
)


class WorkLoaders(SqlReader):
    """The store's promises about the outbox, transactions, cursors, epochs and evidence."""

    async def load_cursor(self, chain: str) -> ChainCursor | None:
        """How far `chain` was taken in."""
        return await self._in_snapshot(lambda connection: _load_cursor(connection, chain))

    async def load_epochs(self, gateway: bytes) -> Sequence[StoredEpoch]:
        """All epochs of a verifying gateway, oldest first."""
        rows = await self._select(_EPOCHS, gateway)
        return [to_epoch(row) for row in rows]

    async def load_accepted_sets(self) -> Sequence[AcceptedSet]:
        """What the operator accepted, by epoch and predecessor."""
        ordered = select(ACCEPTED_SETS).order_by(ACCEPTED_SETS.c.epoch, ACCEPTED_SETS.c.predecessor)
        return [to_accepted(row) for row in await self._load(ordered)]

    async def load_halts(self) -> Sequence[Halt]:
        """Every time that work on a chain stopped, oldest first."""
        return [to_halt(row) for row in await self._load(select(HALTS).order_by(HALTS.c.row))]

    async def load_due_effects(
        self, kinds: frozenset[EffectKind], chain: str | None, now: float, limit: int
    ) -> Sequence[OutboxRow]:
        """Rows due at `now`, oldest due first."""
        rows = await self._earliest(kinds, chain, now, limit)
        return [to_outbox_row(row) for row in rows]

    async def load_next_due(self, kinds: frozenset[EffectKind], chain: str | None) -> float | None:
        """When the earliest such row is due, or None."""
        rows = await self._earliest(kinds, chain, sys.float_info.max, 1)
        due_at: float | None = rows[0]["due_at"] if rows else None
        return due_at

    async def count_effects(self) -> dict[tuple[str, EffectKind], int]:
        """How many open effects per (chain, kind)."""
        rows = await self._select(_DEPTHS)
        return {(row["chain"], EffectKind(row["kind"])): row["count"] for row in rows}

    async def load_open_transactions(self, chain: str) -> Sequence[OwnTransaction]:
        """SIGNED and MINED ones on a chain, by nonce."""
        return await self._in_snapshot(
            lambda connection: _with_attempts(connection, _OPEN_TRANSACTIONS.rows(connection, chain))
        )

    async def load_held_nonces(self, chain: str, sender: bytes, first: int) -> frozenset[int]:
        """Nonces from `first` on that our transactions hold."""
        rows = await self._select(_HELD_NONCES, chain, sender, uint64_bytes(first))
        return frozenset(number_in(row["nonce"]) for row in rows)

    async def load_settled_transactions(self, chain: str, above: int) -> Sequence[OwnTransaction]:
        """CONFIRMED and FAILED ones mined above this height, by nonce."""
        settled = [status.value for status in SETTLED_TRANSACTIONS]
        return await self._transactions(
            select(TRANSACTIONS)
            .where(
                TRANSACTIONS.c.chain == chain,
                TRANSACTIONS.c.status.in_(settled),
                TRANSACTIONS.c.mined_number > uint64_bytes(above),
            )
            .order_by(TRANSACTIONS.c.nonce, TRANSACTIONS.c.row),
            is_long=True,
        )

    async def load_transactions_of(self, request_id: RequestId) -> Sequence[OwnTransaction]:
        """Our own transactions that carried the request, oldest first."""
        carriers = await self._transactions(
            select(TRANSACTIONS)
            .join(CARRIED_REQUESTS, CARRIED_REQUESTS.c.transaction_row == TRANSACTIONS.c.row)
            .where(CARRIED_REQUESTS.c.request_id == request_id)
            .order_by(TRANSACTIONS.c.row)
        )
        return [transaction for transaction in carriers if request_id in transaction.request_ids]

    async def load_peer_cursor(self, key: bytes) -> str:
        """Where to go on with a peer's attestations; "" at first."""
        rows = await self._select(_PEER_CURSOR, key)
        return rows[0]["cursor"] if rows else ""

    async def load_foreign_statements(
        self, signer: bytes, request_ids: Sequence[RequestId]
    ) -> Sequence[ForeignStatements]:
        """Foreign roots of this signer with a statement about one of these requests, oldest first."""
        rows = await self._look_up(_FOREIGN, dict.fromkeys(request_ids), signer)
        by_row = {row["row"]: row for row in rows}
        return [to_foreign(by_row[number]) for number in sorted(by_row)]

    async def list_evidence(self) -> Sequence[EvidenceRow]:
        """All evidence, oldest first."""
        return [to_evidence(row) for row in await self._load(select(EVIDENCE).order_by(EVIDENCE.c.row))]

    async def _earliest(
        self, kinds: frozenset[EffectKind], chain: str | None, until: float, limit: int
    ) -> Sequence[Loaded]:
        """The first rows due, of the stretch of an index that each kind is."""
        query, where = (_DUE_ANYWHERE, ()) if chain is None else (_DUE, (chain,))

        def first_of_each(connection: Connection) -> list[Loaded]:
            return [row for kind in kinds for row in query.rows(connection, kind.value, *where, until, limit)]

        found = await self._in_snapshot(first_of_each) if kinds else []
        return sorted(found, key=_due_order)[:limit]

    async def _transactions(self, statement: Select[Any], *, is_long: bool = False) -> list[OwnTransaction]:
        return await self._in_snapshot(
            lambda connection: _with_attempts(connection, load(connection, statement)), is_long=is_long
        )


def _due_order(row: Loaded) -> tuple[float, int]:
    return (row["due_at"], row["row"])


def _load_cursor(connection: Connection, chain: str) -> ChainCursor | None:
    cursors = _CURSOR.rows(connection, chain)
    return to_cursor(cursors[0], _SEEN.rows(connection, chain)) if cursors else None


def _with_attempts(connection: Connection, rows: Sequence[Loaded]) -> list[OwnTransaction]:
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    for row in _ATTEMPTS.rows(connection, [row["row"] for row in rows]):
        attempts[row["transaction_row"]].append(to_attempt(row))
    return [to_transaction(row, attempts[row["row"]]) for row in rows]
