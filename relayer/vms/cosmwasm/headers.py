"""Block headers as an endpoint gives them, and how far it is.

Its job: parse `status` and `blockchain` strictly, and the questions about headers that M endpoints must answer alike.
Whatever is told here is one endpoint's word until it was voted on.

Source: CometBFT's RPC, the same from 0.34 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import HASH_LENGTH, parse_count, parse_hash, parse_list, parse_member, parse_time
from relayer.vms.jsonrpc.endpoints import EndpointPool, Verdict
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.stamps import Reach, Stamp

STATUS_CALL: Final = RpcCall("status", {})
"""Answered at once, without work."""

PAGE: Final = 20
"""Headers that one `blockchain` gives at most."""

NO_BLOCK: Final = BlockRef(0, bytes(HASH_LENGTH))
"""What stands before a chain's first block, which names no parent: heights begin at 1."""


class Header(NamedTuple):
    """One block. `transactions` is how many it has."""

    stamp: Stamp
    transactions: int


class HeadReport(NamedTuple):
    """One endpoint's newest block, and the lowest height that it has."""

    tip: BlockRef
    first: int


def parse_report(answer: Any, endpoint: RpcEndpoint) -> HeadReport:
    """What an endpoint answered to `STATUS_CALL`. Raises `RpcUnavailable`."""
    sync = parse_member(require_result(answer, endpoint), "sync_info")
    number = parse_count(parse_member(sync, "latest_block_height"))
    if not number:
        raise RpcUnavailable(f"{endpoint.label} has no block yet")
    tip = BlockRef(number, parse_hash(parse_member(sync, "latest_block_hash")))
    return HeadReport(tip, parse_count(parse_member(sync, "earliest_block_height")))


def headers_calls(first: int, last: int) -> list[RpcCall]:
    """The calls for the headers first..last, a page each. `first` is above 0, where the method means another thing."""
    pages = ((low, min(low + PAGE - 1, last)) for low in range(first, last + 1, PAGE))
    return [RpcCall("blockchain", {"minHeight": str(low), "maxHeight": str(high)}) for low, high in pages]


def parse_headers(answers: Iterable[Any], first: int, last: int) -> list[Header]:
    """The headers from `first` on, linked, up to the first that the endpoint does not have.

    Raises `RpcUnavailable` if they are malformed, others than asked for, or do not follow each other.
    """
    headers: list[Header] = []
    for answer in answers:
        page = [] if isinstance(answer, RpcFault) else _parse_page(answer)
        if page and not first <= page[0].stamp.ref.number <= page[-1].stamp.ref.number <= last:
            raise RpcUnavailable("an endpoint answered with other headers than it was asked for")
        # A page that begins later is of a node that does not have those before, or gives fewer at once.
        if page and page[0].stamp.ref.number != first + len(headers):
            break
        _require_linked([*headers[-1:], *page[:1]])
        headers += page
    return headers


async def vote_stamps(pool: EndpointPool, numbers: Sequence[int]) -> tuple[Verdict[Stamp], ...]:
    """The headers at these heights as M endpoints give them. Raises `RpcUnavailable`."""
    calls = [call for number in numbers for call in headers_calls(number, number)]

    async def ask(endpoint: RpcEndpoint) -> list[Stamp | None]:
        answers = await endpoint.call(calls)
        headers = [parse_headers([answer], number, number) for number, answer in zip(numbers, answers, strict=True)]
        return [header[0].stamp if header else None for header in headers]

    return await pool.vote(ask)


async def fetch_reports(pool: EndpointPool) -> list[HeadReport]:
    """Each endpoint's word on how far it is, of M endpoints at least. Who lags is remembered."""

    async def ask(endpoint: RpcEndpoint) -> tuple[RpcEndpoint, HeadReport]:
        (answer,) = await endpoint.call([STATUS_CALL])
        return endpoint, parse_report(answer, endpoint)

    answers = await pool.each(ask)
    pool.note_heights({endpoint: report.tip.number for endpoint, report in answers})
    return [report for _, report in answers]


def reach_of(reports: Sequence[HeadReport], pool: EndpointPool) -> Reach:
    """Between which heights M endpoints have the blocks. SECURITY: none of them alone can widen it."""
    first = -pool.reached(-report.first for report in reports)
    return Reach(max(first, 1), pool.reached(report.tip.number for report in reports))


class CosmwasmHeaders:
    """The headers of a pool's chain, for whoever looks for one among them."""

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool

    async def vote(self, numbers: Sequence[int]) -> tuple[Verdict[Stamp], ...]:
        """The headers at these heights as M endpoints give them."""
        known = await vote_stamps(self._pool, [number for number in numbers if number > 0])
        verdicts = iter(known)
        return tuple(next(verdicts) if number > 0 else Verdict(None, is_disputed=False) for number in numbers)

    async def fetch_reach(self) -> Reach:
        """From the lowest height on that M endpoints have kept."""
        return reach_of(await fetch_reports(self._pool), self._pool)


def _parse_page(answer: Any) -> list[Header]:
    """Ascending: a node writes the highest first."""
    metas = parse_list(parse_member(answer, "block_metas"))
    # SECURITY: what nobody asked for would be parsed in vain, as much of it as fits a body.
    if len(metas) > PAGE:
        raise RpcUnavailable("an endpoint answered with more headers than it was asked for")
    headers = [_parse_header(meta) for meta in reversed(metas)]
    _require_linked(headers)
    return headers


def _require_linked(headers: Sequence[Header]) -> None:
    for parent, child in pairwise(header.stamp for header in headers):
        # SECURITY: blocks do not change here. Who tells some that do not follow each other is not to be believed.
        if child.ref.number != parent.ref.number + 1 or child.parent_hash != parent.ref.hash:
            raise RpcUnavailable("an endpoint answered with headers that do not follow each other")


def _parse_header(meta: Any) -> Header:
    header = parse_member(meta, "header")
    parent = parse_member(header, "last_block_id", "hash")
    stamp = Stamp(
        ref=BlockRef(parse_count(parse_member(header, "height")), parse_hash(parse_member(meta, "block_id", "hash"))),
        # A chain's first block has none.
        parent_hash=NO_BLOCK.hash if parent == "" else parse_hash(parent),
        timestamp=parse_time(parse_member(header, "time")),
    )
    return Header(stamp, parse_count(parse_member(meta, "num_txs")))
