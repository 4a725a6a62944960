"""Loading what became of requests, and what was signed about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal_column, select

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.blocks import BlockRef
from relayer.domain.status import UNSERVED
from relayer.ports.signer import Attestation
from relayer.ports.store import Certificate, PinnedAnswer, Receipt
from relayer.store.columns import HIGHEST_ROW, uint64_bytes
from relayer.store.mapping import (
    text_of,
    to_answer,
    to_attestation,
    to_batch,
    to_certificate,
    to_outcome,
    to_receipt,
)
from relayer.store.recent import AttestationKey
from relayer.store.sql_reading import SqlReader, in_order
from relayer.store.sql_rows import Lookup, selecting
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

_RECEIPTS: Final = Lookup(select(RECEIPTS), RECEIPTS.c.request_id)
_RECEIPTS_AT: Final = Lookup(
    select(RECEIPTS).where(RECEIPTS.c.chain == bindparam("chain")).order_by(RECEIPTS.c.row),
    RECEIPTS.c.block_hash,
    names=["chain"],
)
_ANSWERS: Final = Lookup(select(ANSWERS), ANSWERS.c.request_id)
_ANY_ANSWER: Final = selecting(
    select(ANSWERS.c.row)
    .where(ANSWERS.c.chain == bindparam("chain"))
    .limit(literal_column("1"))
    .offset(literal_column("0")),
    ["chain"],
)
_IS_SERVED: Final = (
    # Asked of each answer in turn: a join might begin at the requests, of which there are many more.
    select(literal_column("1"))
    .where(REQUESTS.c.request_id == ANSWERS.c.request_id, REQUESTS.c.status.not_in(sorted(map(text_of, UNSERVED))))
    .exists()
)
_BATCHES: Final = Lookup(select(BATCHES), BATCHES.c.root)
_ATTESTATIONS: Final = Lookup(select(ATTESTATIONS).order_by(ATTESTATIONS.c.row), ATTESTATIONS.c.root)
_ATTESTATIONS_OF: Final = selecting(
    select(ATTESTATIONS)
    .where(ATTESTATIONS.c.signer == bindparam("signer"), ATTESTATIONS.c.row > bindparam("after"))
    .order_by(ATTESTATIONS.c.row)
    .limit(bindparam("limit"))
    .offset(literal_column("0")),
    ["signer", "after", "limit"],
)
_CERTIFICATES: Final = Lookup(
    select(CERTIFICATES).order_by(CERTIFICATES.c.epoch.desc(), CERTIFICATES.c.row), CERTIFICATES.c.root
)


class ResultLoaders(SqlReader):
    """The store's promises about receipts, answers, batches, attestations and certificates."""

    async def load_receipts(self, request_ids: Sequence[RequestId]) -> dict[RequestId, Receipt]:
        """Known receipts, by request id."""
        rows = await self._look_up(_RECEIPTS, dict.fromkeys(request_ids))
        return in_order(request_ids, {RequestId(row["request_id"]): to_receipt(row) for row in rows})

    async def load_receipts_at(self, chain: str, blocks: Sequence[BlockRef]) -> Sequence[Receipt]:
        """Receipts that stand in these blocks of a destination chain, in log order."""
        rows = await self._look_up(_RECEIPTS_AT, sorted({block.hash for block in blocks}), chain)
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
        for row in (*await self._load(receipts, is_long=True), *await self._load(answers, is_long=True)):
            outcome = to_outcome(row["outcome"])
            found.append((RequestId(row["request_id"]), BlockRef(outcome.height, outcome.block_hash)))
        return sorted(found, key=lambda place: (place[1], place[0]), reverse=True)

    async def load_answers(self, chain: str, child_up_to: int, limit: int) -> Sequence[PinnedAnswer]:
        """Answers to served requests read on `chain` whose pin's child is at or below this height, lowest first."""
        if child_up_to < 0:
            return []  # below every column's range: nothing is final yet
        is_ripe = and_(ANSWERS.c.child_number <= uint64_bytes(child_up_to), _IS_SERVED)
        return await self._answers(chain, is_ripe, limit)

    async def has_answers(self, chain: str) -> bool:
        """Whether any answer was read on `chain`."""
        return bool(await self._select(_ANY_ANSWER, chain))

    async def load_answers_of(self, request_ids: Sequence[RequestId]) -> dict[RequestId, PinnedAnswer]:
        """Those that exist, by request id."""
        rows = await self._look_up(_ANSWERS, dict.fromkeys(request_ids))
        return in_order(request_ids, {RequestId(row["request_id"]): to_answer(row) for row in rows})

    async def load_answers_above(self, chain: str, number: int) -> Sequence[PinnedAnswer]:
        """Answers read on `chain` whose pin's child is above this height, lowest first."""
        return await self._answers(chain, ANSWERS.c.child_number > uint64_bytes(number), None)

    async def load_batches(self, roots: Sequence[bytes]) -> dict[bytes, Batch]:
        """Batches by root."""
        return await self._recall(self._recent.batches, roots, _load_batches)

    async def load_attestations(self, roots: Sequence[bytes]) -> dict[bytes, Sequence[Attestation]]:
        """All attestations over these roots, by root, oldest first."""
        by_root = await self._recall(self._recent.attestations, roots, _load_attestations)
        return {root: list(signed.values()) for root, signed in by_root.items()}

    async def load_own_attestations(
        self, signer: bytes, after_row: int, limit: int
    ) -> Sequence[tuple[int, Attestation]]:
        """(row number, attestation) of one signer, oldest first."""
        rows = await self._select(_ATTESTATIONS_OF, signer, min(after_row, HIGHEST_ROW), limit)
        return [(row["row"], to_attestation(row)) for row in rows]

    async def load_certificates(self, roots: Sequence[bytes]) -> dict[bytes, Certificate]:
        """The certificate of the newest epoch, by root."""
        return await self._recall(self._recent.certificates, roots, _load_certificates)

    async def _answers(self, chain: str, where: ColumnElement[bool], limit: int | None) -> list[PinnedAnswer]:
        rows = await self._load(
            select(ANSWERS)
            .where(ANSWERS.c.chain == chain, where)
            .order_by(ANSWERS.c.child_number, ANSWERS.c.row)
            .limit(limit)
        )
        return [to_answer(row) for row in rows]


def _load_batches(connection: Connection, roots: Iterable[bytes]) -> dict[bytes, Batch]:
    return {row["root"]: to_batch(row) for row in _BATCHES.rows(connection, roots)}


def _load_attestations(
    connection: Connection, roots: Iterable[bytes]
) -> dict[bytes, dict[AttestationKey, Attestation]]:
    by_root: dict[bytes, dict[AttestationKey, Attestation]] = {}
    for attestation in map(to_attestation, _ATTESTATIONS.rows(connection, roots)):
        key = (attestation.gateway, attestation.epoch, attestation.signer)
        by_root.setdefault(attestation.root, {})[key] = attestation
    return by_root


def _load_certificates(connection: Connection, roots: Iterable[bytes]) -> dict[bytes, Certificate]:
    newest: dict[bytes, Certificate] = {}
    for row in _CERTIFICATES.rows(connection, roots):
        newest.setdefault(row["root"], to_certificate(row))
    return newest


def _log_order(receipt: Receipt) -> tuple[int, int, int]:
    outcome = receipt.conclusion.outcome
    return (outcome.height, outcome.tx_index, outcome.log_index)
