"""Small things that M endpoints must say alike: headers at heights, and the tip.

Its job: the two questions about headers that several readers have. It must not interpret what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.evm.headers import header_call, parse_header
from relayer.vms.jsonrpc.endpoints import EndpointPool, Verdict
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.stamps import Reach, Stamp


class HeadReport(NamedTuple):
    """One endpoint's tip, and the height under the tag that was asked for, -1 if there is none."""

    tip: Stamp
    tagged_number: int


async def vote_stamps(pool: EndpointPool, numbers: Sequence[int]) -> tuple[Verdict[Stamp], ...]:
    """The headers at these heights as M endpoints give them. Raises `RpcUnavailable`."""
    calls = [header_call(number) for number in numbers]

    async def ask(endpoint: RpcEndpoint) -> list[Stamp | None]:
        answers = await endpoint.call(calls)
        headers = [
            parse_header(require_result(answer, endpoint), number)
            for number, answer in zip(numbers, answers, strict=True)
        ]
        return [None if header is None else header.stamp for header in headers]

    return await pool.vote(ask, at_tip=True)


def report_calls(tag: str | None) -> list[RpcCall]:
    """The calls for an endpoint's tip, and for the height under a tag."""
    return [header_call("latest")] + ([header_call(tag)] if tag else [])


def parse_report(answers: Sequence[Any], endpoint: RpcEndpoint) -> HeadReport:
    """What an endpoint answered to `report_calls`. Raises `RpcUnavailable`."""
    tip_answer, *tag_answers = answers
    tip = parse_header(require_result(tip_answer, endpoint))
    if tip is None:
        raise RpcUnavailable(f"{endpoint.label} has no tip")
    tagged = -1
    for answer in tag_answers:
        # Before a chain has finalized anything some nodes answer null and some with an error.
        header = None if isinstance(answer, RpcFault) else parse_header(answer)
        tagged = -1 if header is None else header.stamp.ref.number
    return HeadReport(tip.stamp, tagged)


async def fetch_reports(pool: EndpointPool, tag: str | None) -> list[HeadReport]:
    """Each endpoint's word on the tip and on a tag's height, of M endpoints at least. Who lags is remembered."""
    calls = report_calls(tag)

    async def ask(endpoint: RpcEndpoint) -> tuple[RpcEndpoint, HeadReport]:
        return endpoint, parse_report(await endpoint.call(calls), endpoint)

    answers = await pool.each(ask)
    pool.note_heights({endpoint: report.tip.ref.number for endpoint, report in answers})
    return [report for _, report in answers]


def common_ref(reports: Sequence[HeadReport], number: int, quorum: int) -> BlockRef | None:
    """The block at this height that so many name as their tip."""
    refs = [report.tip.ref for report in reports if report.tip.ref.number == number]
    return next((ref for ref in refs if refs.count(ref) >= quorum), None)


class EvmHeaders:
    """The headers of a pool's chain, for whoever looks for one among them."""

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool

    async def vote(self, numbers: Sequence[int]) -> tuple[Verdict[Stamp], ...]:
        """The headers at these heights as M endpoints give them."""
        return await vote_stamps(self._pool, numbers)

    async def fetch_reach(self) -> Reach:
        """From genesis on: nodes keep all headers."""
        reports = await fetch_reports(self._pool, None)
        return Reach(0, self._pool.reached(report.tip.ref.number for report in reports))
