"""Loading what became of requests, and what was signed about it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.blocks import BlockRef
from relayer.ports.signer import Attestation
from relayer.ports.store import Certificate, PinnedAnswer, Receipt
from relayer.store.columns import HIGHEST_ROW
from relayer.store.mapping import to_answer, to_attestation, to_batch, to_certificate, to_outcome, to_receipt
from relayer.store.sql_reading import SqlReader, in_order
from relayer.store.tables import (
    ANSWERS,
    ATTESTATIONS,
    BATCHES,
    CERTIFICATES,
    CONCLUSIONS,
    IS_QUERY,
    RECEIPTS,
    REQUESTS,
)


class ResultLoaders(SqlReader):
    """The store's promises about receipts, answers, batches, attestations and certificates."""

    async def load_receipts(self, request_ids: Sequence[RequestId]) -> dict[RequestId, Receipt]:
        """Known receipts, by request id."""
        rows = await self._load_in(select(RECEIPTS), RECEIPTS.c.request_id, dict.fromkeys(request_ids))
        return in_order(request_ids, {RequestId(row["request_id"]): to_receipt(row) for row in rows})

    async def load_receipts_at(self, chain: str, blocks: Sequence[BlockRef]) -> Sequence[Receipt]:
        """Receipts that stand in these blocks of a destination chain, in log order."""
        statement = select(RECEIPTS).where(RECEIPTS.c.chain == chain).order_by(RECEIPTS.c.row)
        rows = await self._load_in(statement, RECEIPTS.c.block_hash, sorted({block.hash for block in blocks}))
        wanted = frozenset(blocks)
        there = [
            receipt
            for receipt in map(to_receipt, rows)
            if BlockRef(receipt.conclusion.outcome.height, receipt.conclusion.outcome.block_hash) in wanted
        ]
        return sorted(there, key=_log_order)

    async def load_conclusion_blocks(self, chain: str) -> Sequence[tuple[RequestId, BlockRef]]:
        """Blocks of this destination chain with a receipt, or at which a concluded QUERY was read, highest first."""
        receipts = select(RECEIPTS.c.request_id, RECEIPTS.c.outcome).where(RECEIPTS.c.chain == chain)
        answers = (
            select(REQUESTS.c.request_id, CONCLUSIONS.c.outcome)
            .join(CONCLUSIONS, CONCLUSIONS.c.request_row == REQUESTS.c.row)
            .where(IS_QUERY, REQUESTS.c.destination_chain == chain)
        )
        found = []
        for row in (*await self._load(receipts), *await self._load(answers)):
            outcome = to_outcome(row["outcome"])
            found.append((RequestId(row["request_id"]), BlockRef(outcome.height, outcome.block_hash)))
        return sorted(found, key=lambda place: (place[1], place[0]), reverse=True)

    async def load_answers(self, chain: str, child_up_to: int, limit: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is at or below this height, lowest first."""
        if child_up_to < 0:
            return []  # below every column's range: nothing is final yet
        return await self._answers(chain, ANSWERS.c.child_number <= child_up_to, limit)

    async def load_answers_of(self, request_ids: Sequence[RequestId]) -> dict[RequestId, PinnedAnswer]:
        """Those that exist, by request id."""
        rows = await self._load_in(select(ANSWERS), ANSWERS.c.request_id, dict.fromkeys(request_ids))
        return in_order(request_ids, {RequestId(row["request_id"]): to_answer(row) for row in rows})

    async def load_answers_above(self, chain: str, number: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is above this height, lowest first."""
        return await self._answers(chain, ANSWERS.c.child_number > number, None)

    async def load_batches(self, roots: Sequence[bytes]) -> dict[bytes, Batch]:
        """Batches by root."""
        rows = await self._load_in(select(BATCHES), BATCHES.c.root, dict.fromkeys(roots))
        return in_order(roots, {row["root"]: to_batch(row) for row in rows})

    async def load_attestations(self, roots: Sequence[bytes]) -> dict[bytes, Sequence[Attestation]]:
        """All attestations over these roots, by root, oldest first."""
        rows = await self._load_in(
            select(ATTESTATIONS).order_by(ATTESTATIONS.c.row), ATTESTATIONS.c.root, dict.fromkeys(roots)
        )
        by_root: dict[bytes, list[Attestation]] = {}
        for row in rows:
            by_root.setdefault(row["root"], []).append(to_attestation(row))
        return in_order(roots, by_root)

    async def load_own_attestations(
        self, signer: bytes, after_row: int, limit: int
    ) -> Sequence[tuple[int, Attestation]]:
        """(row number, attestation) of one signer, oldest first."""
        rows = await self._load(
            select(ATTESTATIONS)
            .where(ATTESTATIONS.c.signer == signer, ATTESTATIONS.c.row > min(after_row, HIGHEST_ROW))
            .order_by(ATTESTATIONS.c.row)
            .limit(limit)
        )
        return [(row["row"], to_attestation(row)) for row in rows]

    async def load_certificates(self, roots: Sequence[bytes]) -> dict[bytes, Certificate]:
        """The certificate of the newest epoch, by root."""
        rows = await self._load_in(
            select(CERTIFICATES).order_by(CERTIFICATES.c.epoch.desc(), CERTIFICATES.c.row),
            CERTIFICATES.c.root,
            dict.fromkeys(roots),
        )
        newest: dict[bytes, Certificate] = {}
        for row in rows:
            newest.setdefault(row["root"], to_certificate(row))
        return in_order(roots, newest)

    async def _answers(self, chain: str, where: ColumnElement[bool], limit: int | None) -> list[PinnedAnswer]:
        rows = await self._load(
            select(ANSWERS)
            .where(ANSWERS.c.chain == chain, where)
            .order_by(ANSWERS.c.child_number, ANSWERS.c.row)
            .limit(limit)
        )
        return [to_answer(row) for row in rows]


def _log_order(receipt: Receipt) -> tuple[int, int, int]:
    outcome = receipt.conclusion.outcome
    return (outcome.height, outcome.tx_index, outcome.log_index)
