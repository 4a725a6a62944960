"""Loading what is to be done: the outbox, our own transactions, and how far chains and peers were followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, func, select

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
from relayer.store.sql_reading import SqlReader, load, merged
from relayer.store.sql_rows import Lookup
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
        rows = await self._load(select(EPOCHS).where(EPOCHS.c.gateway == gateway).order_by(EPOCHS.c.epoch))
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
        rows = await self._earliest(kinds, chain, limit, OUTBOX.c.due_at <= now)
        return [to_outbox_row(row) for row in rows]

    async def load_next_due(self, kinds: frozenset[EffectKind], chain: str | None) -> float | None:
        """When the earliest such row is due, or None."""
        rows = await self._earliest(kinds, chain, 1)
        due_at: float | None = rows[0]["due_at"] if rows else None
        return due_at

    async def count_effects(self) -> dict[tuple[str, EffectKind], int]:
        """How many open effects per (chain, kind)."""
        rows = await self._load(
            select(OUTBOX.c.kind, OUTBOX.c.chain, func.count().label("count")).group_by(OUTBOX.c.kind, OUTBOX.c.chain)
        )
        return {(row["chain"], EffectKind(row["kind"])): row["count"] for row in rows}

    async def load_open_transactions(self, chain: str) -> Sequence[OwnTransaction]:
        """SIGNED and MINED ones on a chain, by nonce."""
        return await self._transactions(
            select(TRANSACTIONS)
            .where(IS_OPEN_TRANSACTION, TRANSACTIONS.c.chain == chain)
            .order_by(TRANSACTIONS.c.nonce, TRANSACTIONS.c.row)
        )

    async def load_held_nonces(self, chain: str, sender: bytes, first: int) -> frozenset[int]:
        """Nonces from `first` on that our transactions hold."""
        rows = await self._load(
            select(TRANSACTIONS.c.nonce).where(
                TRANSACTIONS.c.chain == chain,
                TRANSACTIONS.c.sender == sender,
                TRANSACTIONS.c.nonce >= uint64_bytes(first),
                TRANSACTIONS.c.status != TransactionStatus.LOST.value,
            )
        )
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
        rows = await self._load(select(PEER_CURSORS.c.cursor).where(PEER_CURSORS.c.peer == key))
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
        self, kinds: frozenset[EffectKind], chain: str | None, limit: int, *where: ColumnElement[bool]
    ) -> Sequence[RowMapping]:
        if not kinds:
            return []
        there = () if chain is None else (OUTBOX.c.chain == chain,)
        stretches = [
            select(OUTBOX).where(OUTBOX.c.kind == kind.value, *there, *where).order_by(OUTBOX.c.due_at, OUTBOX.c.row)
            for kind in sorted(kinds)
        ]
        return await self._load(merged(stretches, ["due_at", "row"], limit))

    async def _transactions(self, statement: Select[Any], *, is_long: bool = False) -> list[OwnTransaction]:
        return await self._in_snapshot(lambda connection: _load_transactions(connection, statement), is_long=is_long)


def _load_cursor(connection: Connection, chain: str) -> ChainCursor | None:
    cursors = load(connection, select(CURSORS).where(CURSORS.c.chain == chain))
    blocks = select(SEEN_BLOCKS).where(SEEN_BLOCKS.c.chain == chain).order_by(SEEN_BLOCKS.c.number)
    return to_cursor(cursors[0], load(connection, blocks)) if cursors else None


def _load_transactions(connection: Connection, statement: Select[Any]) -> list[OwnTransaction]:
    rows = load(connection, statement)
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    for row in _ATTEMPTS.rows(connection, [row["row"] for row in rows]):
        attempts[row["transaction_row"]].append(to_attempt(row))
    return [to_transaction(row, attempts[row["row"]]) for row in rows]
