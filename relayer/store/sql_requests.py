"""Loading requests and what happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, literal_column, or_, select

from attestation.request import RequestId
from relayer.domain.batch import BatchKind
from relayer.domain.blocks import BlockRef
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import FeeEntry, RequestFilter, Transition
from relayer.store.columns import HIGHEST_ROW, number_in, uint64_bytes
from relayer.store.mapping import to_fee, to_tracked, to_transition
from relayer.store.recent import Held
from relayer.store.sql_reading import SqlReader, in_order, merged
from relayer.store.sql_rows import Lookup, selecting
from relayer.store.tables import (
    CONCLUSIONS,
    FEE_ENTRIES,
    IS_AWAITING,
    IS_OPEN,
    IS_QUERY,
    IS_SETTLED,
    REQUEST_BODIES,
    REQUEST_COUNTS,
    REQUESTS,
    TRANSITIONS,
)
from relayer.store.waiting import ENDED_ON_SOURCE, EXPIRABLE, SETTLED

_TRACKED: Final[Select[Any]] = select(
    REQUESTS,
    REQUEST_BODIES.c.encoded,
    CONCLUSIONS.c.outcome.label("conclusion_outcome"),
    CONCLUSIONS.c.return_data.label("conclusion_return_data"),
    CONCLUSIONS.c.tx_hash.label("conclusion_tx_hash"),
).select_from(
    REQUESTS.join(REQUEST_BODIES, REQUEST_BODIES.c.request_row == REQUESTS.c.row).outerjoin(
        CONCLUSIONS, CONCLUSIONS.c.request_row == REQUESTS.c.row
    )
)
HELD: Final = Lookup(_TRACKED.with_for_update(of=REQUESTS), REQUESTS.c.request_id)
"""Requests by id, which stay as they are until the transaction ends."""

_REQUESTS: Final = Lookup(_TRACKED, REQUESTS.c.request_id)
_LISTED: Final = Lookup(_TRACKED, REQUESTS.c.row)
_LOG_ORDER: Final = (REQUESTS.c.block_number, REQUESTS.c.tx_index, REQUESTS.c.log_index, REQUESTS.c.row)
_AT_PLACE: Final = Lookup(
    _TRACKED.where(REQUESTS.c.source_gateway == bindparam("gateway")).order_by(*_LOG_ORDER),
    REQUESTS.c.block_number,
    names=["gateway"],
)
_EXPIRING: Final = selecting(
    select(REQUESTS.c.request_id)
    .where(
        IS_AWAITING[BatchKind.EXECUTE],
        or_(*(REQUESTS.c.status == literal_column(f"'{status.value}'") for status in EXPIRABLE)),
        REQUESTS.c.destination_chain == bindparam("chain"),
        REQUESTS.c.expiry < bindparam("clock"),
    )
    .order_by(REQUESTS.c.expiry, REQUESTS.c.row)
    .limit(bindparam("limit"))
    .offset(literal_column("0")),
    ["chain", "clock", "limit"],
)
_COUNTS: Final = selecting(select(REQUEST_COUNTS).where(REQUEST_COUNTS.c.count > literal_column("0")))
_AWAITED: Final = {
    BatchKind.EXECUTE: (REQUESTS.c.destination_gateway, REQUESTS.c.execute_root),
    BatchKind.OUTCOME: (REQUESTS.c.source_gateway, REQUESTS.c.outcome_root),
}


class RequestLoaders(SqlReader):
    """The store's promises about requests."""

    async def load_requests(self, request_ids: Sequence[RequestId]) -> dict[RequestId, TrackedRequest]:
        """Those that exist, by id."""
        held = await self._recall(self._recent.requests, request_ids, _load_requests)
        return {identifier: found.request for identifier, found in held.items()}

    async def load_requests_at(self, source_gateway: bytes, numbers: Sequence[int]) -> Sequence[TrackedRequest]:
        """Requests of this gateway in blocks with these numbers, in log order."""
        rows = await self._look_up(_AT_PLACE, map(uint64_bytes, sorted(set(numbers))), source_gateway)
        return [to_tracked(row) for row in rows]

    async def load_queries_at(self, route: bytes, number: int) -> Sequence[TrackedRequest]:
        """All requests of a QUERY route in the source block with this number, in log order."""
        where = (IS_QUERY, REQUESTS.c.route == route, REQUESTS.c.block_number == uint64_bytes(number))
        rows = await self._load(select(REQUESTS.c.request_id).where(*where).order_by(*_LOG_ORDER))
        # By their ids: what is asked for here is at hand nearly always.
        return list((await self.load_requests([RequestId(row["request_id"]) for row in rows])).values())

    async def load_request_blocks(self, source_gateway: bytes) -> Sequence[tuple[RequestId, BlockRef]]:
        """Where the requests of this gateway stand, highest first."""
        rows = await self._load(
            select(REQUESTS.c.request_id, REQUESTS.c.block_number, REQUESTS.c.block_hash)
            .where(REQUESTS.c.source_gateway == source_gateway)
            .order_by(REQUESTS.c.block_number.desc(), REQUESTS.c.row),
            is_long=True,
        )
        return [
            (RequestId(row["request_id"]), BlockRef(number_in(row["block_number"]), row["block_hash"])) for row in rows
        ]

    async def load_ended_since(self, source_gateway: bytes, at: float) -> Sequence[RequestId]:
        """Requests of this gateway that came to an end told by their source at or after this time."""
        ends = [status.value for status in ENDED_ON_SOURCE]
        rows = await self._load(
            select(REQUESTS.c.request_id)
            .join(TRANSITIONS, TRANSITIONS.c.request_row == REQUESTS.c.row)
            .where(
                REQUESTS.c.source_gateway == source_gateway,
                or_(
                    and_(TRANSITIONS.c.after.in_(ends), TRANSITIONS.c.at >= at),
                    and_(REQUESTS.c.returned_fee.is_not(None), REQUESTS.c.status.not_in(ends)),
                ),
            )
            .group_by(REQUESTS.c.row, REQUESTS.c.request_id)
            .order_by(REQUESTS.c.row),
            is_long=True,
        )
        return [RequestId(row["request_id"]) for row in rows]

    async def load_expiring(self, destination_chain: str, clock: int, limit: int) -> Sequence[RequestId]:
        """Open CALLs to this chain whose expiry is < clock, oldest first."""
        rows = await self._select(_EXPIRING, destination_chain, uint64_bytes(clock), limit)
        return [RequestId(row["request_id"]) for row in rows]

    async def load_rows(self, request_ids: Sequence[RequestId]) -> dict[RequestId, int]:
        """The row numbers of those that exist."""
        held = await self._recall(self._recent.requests, request_ids, _load_requests)
        return {identifier: found.row for identifier, found in held.items()}

    async def list_requests(self, where: RequestFilter, limit: int) -> Sequence[tuple[int, TrackedRequest]]:
        """(row number, request), newest first."""
        above = () if where.before_row is None else (REQUESTS.c.row < min(where.before_row, HIGHEST_ROW),)
        newest = select(REQUESTS.c.row).where(*above).order_by(REQUESTS.c.row.desc()).limit(limit)
        if where != RequestFilter(before_row=where.before_row):
            stretches = await self._stretches(where)
            if not stretches:
                return []
            newest = merged([newest.where(*stretch) for stretch in stretches], ["row"], limit, newest_first=True)
        numbers = [row["row"] for row in await self._load(newest, is_long=True)]
        rows = await self._look_up(_LISTED, numbers)
        by_number = {row["row"]: to_tracked(row) for row in rows}
        return list(in_order(numbers, by_number).items())

    async def load_transitions(self, request_id: RequestId) -> Sequence[Transition]:
        """The request's life so far, oldest first."""
        rows = await self._load(
            select(TRANSITIONS)
            .join(REQUESTS, REQUESTS.c.row == TRANSITIONS.c.request_row)
            .where(REQUESTS.c.request_id == request_id)
            .order_by(TRANSITIONS.c.step)
        )
        return [to_transition(row, request_id) for row in rows]

    async def load_fees(self, request_id: RequestId) -> Sequence[FeeEntry]:
        """Every movement of the request's money, oldest first."""
        rows = await self._load(
            select(FEE_ENTRIES).where(FEE_ENTRIES.c.request_id == request_id).order_by(FEE_ENTRIES.c.row)
        )
        return [to_fee(row) for row in rows]

    async def count_by_status(self) -> dict[tuple[str, Status], int]:
        """How many requests per (source chain, status)."""
        rows = await self._select(_COUNTS)
        return {(row["source_chain"], Status(row["status"])): row["count"] for row in rows}

    async def load_unlanded_roots(
        self, kind: BatchKind, gateway: bytes, limit: int, after: bytes = b""
    ) -> Sequence[bytes]:
        """Roots for this verifying gateway in which a request still waits for its statement to be used."""
        verifying_gateway, root = _AWAITED[kind]
        rows = await self._load(
            select(root.label("root"))
            .distinct()
            .where(IS_AWAITING[kind], verifying_gateway == gateway, root > after)
            .order_by(root)
            .limit(limit),
            is_long=True,
        )
        return [row["root"] for row in rows]

    async def _stretches(self, where: RequestFilter) -> list[tuple[ColumnElement[bool], ...]]:
        """The stretches of an index, each ordered by row, that together hold what is asked for.

        Of what is open there is a bounded number: those stretches are walked past other statuses.
        """
        pairs = [
            pair
            for pair in await self.count_by_status()
            if (not where.statuses or pair[1] in where.statuses) and where.source_chain in {None, pair[0]}
        ]
        settled = sorted({pair for pair in pairs if pair[1] in SETTLED})
        of_open = sorted({pair for pair in pairs if pair[1] not in SETTLED})
        among = REQUESTS.c.status.in_(sorted({status.value for _, status in of_open}))
        if where.sender is None:
            return [
                *(
                    (IS_SETTLED, REQUESTS.c.source_chain == chain, REQUESTS.c.status == status)
                    for chain, status in settled
                ),
                *(
                    (IS_OPEN, REQUESTS.c.source_chain == chain, among)
                    for chain in sorted({chain for chain, _ in of_open})
                ),
            ]
        # As an expression, the chain is no reason to walk all that chain's requests: a sender has fewer.
        chain = () if where.source_chain is None else (REQUESTS.c.source_chain + "" == where.source_chain,)
        of_sender = (REQUESTS.c.sender == where.sender, *chain)
        return [
            *(
                (IS_SETTLED, REQUESTS.c.status == status, *of_sender)
                for status in sorted({status for _, status in settled})
            ),
            *((IS_OPEN, among, *of_sender) for _ in of_open[:1]),
        ]


def load_held(connection: Connection, lookup: Lookup, ids: Iterable[RequestId]) -> dict[RequestId, Held]:
    """Those that exist, by id."""
    return {
        RequestId(row["request_id"]): Held(row["row"], row["steps"], to_tracked(row))
        for row in lookup.rows(connection, ids)
    }


def _load_requests(connection: Connection, ids: Iterable[RequestId]) -> dict[RequestId, Held]:
    return load_held(connection, _REQUESTS, ids)
