"""Blocks and the watched logs in them, as one endpoint tells them.

Its job: one endpoint's whole and self-consistent view of a range of blocks: headers that link, logs that stand in those
very blocks, none left out as far as blooms and receipts can tell. What it says is one voice and no more: agreement
among endpoints is not its business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.evm.headers import BloomFilter, Header, header_call, parse_header
from relayer.vms.evm.logs import (
    LogFilter,
    LogSpan,
    MinedLog,
    PlacedLog,
    bloom_of,
    parse_logs,
    parse_span,
    parse_whole,
    place_log,
)
from relayer.vms.evm.quantities import format_data
from relayer.vms.jsonrpc.rpc import ResponseTooLarge, RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.stamps import Stamp

MAX_SINGLE_RECEIPTS: Final = 64
"""Receipts of one block that are asked for one by one; beyond it the block's receipts come in one piece."""

_OWN_PART: Final = 8
"""Where a block is at most so many times what of it is ours, all logs of the next block are asked for, not ours alone:
together they show where each stands in its transaction. Else that takes each transaction's receipt, a dear thing."""

_MAX_BLOOMED_LOGS: Final = 100
"""Logs that a bloom tells apart: of more, one can be missing without a bit of it."""

_MAX_REFUSALS: Final = 3
"""Times in a row that an endpoint may refuse to tell all logs of a block: one that lags does so now and then."""

_NOT_ASKED: Final = RpcFault(0, "not asked")
"""Stands for the answer to a call for the logs of the whole range."""


class BlockContents(NamedTuple):
    """What endpoints must agree on about a block: its header, and the watched logs in it, in order."""

    stamp: Stamp
    logs: tuple[PlacedLog, ...]


class BlockReader:
    """Reads ranges of blocks from an endpoint, with the logs that `watched` names."""

    def __init__(self, watched: LogFilter) -> None:
        self._watched = watched
        self._bloom = BloomFilter(watched.pairs)
        self._mostly_ours: set[RpcEndpoint] = set()
        self._refusals: Counter[RpcEndpoint] = Counter()

    async def read(self, endpoint: RpcEndpoint, first: int, last: int) -> list[BlockContents | None]:
        """Blocks first..last, None from the first on that the endpoint does not have (or not on one fork).

        Raises `RpcUnavailable`.
        """
        _, contents = await self.read_beside(endpoint, (), first, last)
        return contents

    async def read_beside(
        self, endpoint: RpcEndpoint, calls: Sequence[RpcCall], first: int, last: int
    ) -> tuple[list[Any], list[BlockContents | None]]:
        """As `read`, with the answers to these calls in the same exchange."""
        try:
            answers, known = await self._read(endpoint, calls, first, last)
        except ResponseTooLarge:
            if first == last:
                raise
            return await endpoint.call(calls), await self._read_in_parts(endpoint, first, last)
        return answers, [*known, *[None] * (last - first + 1 - len(known))]

    async def _read_in_parts(self, endpoint: RpcEndpoint, first: int, last: int) -> list[BlockContents | None]:
        middle = (first + last) // 2
        lower = await self.read(endpoint, first, middle)
        if lower[-1] is None:
            return [*lower, *[None] * (last - middle)]
        upper = await self.read(endpoint, middle + 1, last)
        is_linked = upper[0] is not None and upper[0].stamp.parent_hash == lower[-1].stamp.ref.hash
        return [*lower, *(upper if is_linked else [None] * (last - middle))]

    async def _read(
        self, endpoint: RpcEndpoint, beside: Sequence[RpcCall], first: int, last: int
    ) -> tuple[list[Any], list[BlockContents]]:
        if endpoint not in self._mostly_ours or self._refusals[endpoint] >= _MAX_REFUSALS:
            return await self._read_once(endpoint, beside, first, last, is_whole=False)
        try:
            return await self._read_once(endpoint, beside, first, last, is_whole=True)
        except RpcUnavailable as error:
            if isinstance(error, ResponseTooLarge) and first < last:
                raise  # parts of it may well be told whole
        # SECURITY: anyone can fill a block with logs that no node tells in one answer. Asked for all of them again and
        # again, endpoints would never get us past that block; our own logs are few.
        self._mostly_ours.discard(endpoint)
        told = await self._read_once(endpoint, beside, first, last, is_whole=False)
        self._refusals[endpoint] += 1  # only now: one that is down refuses nothing
        return told

    async def _read_once(
        self, endpoint: RpcEndpoint, beside: Sequence[RpcCall], first: int, last: int, *, is_whole: bool
    ) -> tuple[list[Any], list[BlockContents]]:
        numbers = range(first, last + 1)
        contents_calls = (
            [_all_logs_call(number) for number in numbers] if is_whole else [self._watched.range_call(first, last)]
        )
        answers = await endpoint.call([*beside, *map(header_call, numbers), *contents_calls])
        beside_answers, header_answers, contents_answers = (
            answers[: len(beside)],
            answers[len(beside) : -len(contents_calls)],
            answers[-len(contents_calls) :],
        )
        headers = _linked(
            parse_header(require_result(answer, endpoint), number)
            for answer, number in zip(header_answers, numbers, strict=True)
        )
        if not headers:
            return beside_answers, []
        if is_whole:
            placed = await self._place_whole(endpoint, headers, contents_answers)
            rest = [header for header in headers if header.ref not in placed]
            placed |= await self._place_by_logs(endpoint, rest, _NOT_ASKED) if rest else {}
        else:
            placed = await self._place_by_logs(endpoint, headers, contents_answers[0])
        return beside_answers, [BlockContents(header.stamp, placed[header.ref]) for header in headers]

    async def _place_whole(
        self, endpoint: RpcEndpoint, headers: Sequence[Header], answers: Sequence[Any]
    ) -> dict[BlockRef, tuple[PlacedLog, ...]]:
        """By all logs of the blocks. Those of which it does not show that they are all are left to `_place_by_logs`."""
        placed: dict[BlockRef, tuple[PlacedLog, ...]] = {}
        doubtful: list[tuple[Header, Sequence[Any], tuple[PlacedLog, ...]]] = []
        for header, answer in zip(headers, answers, strict=False):
            if isinstance(answer, RpcFault):
                self._refusals[endpoint] += 1
                continue
            self._refusals[endpoint] = 0
            try:
                own = parse_whole(answer, header, self._watched)
                is_all = header.is_empty or (len(answer) <= _MAX_BLOOMED_LOGS and _is_bloomed(header, answer))
            except RpcUnavailable:
                continue
            self._note_share(endpoint, len(own), len(answer))
            if is_all:
                placed[header.ref] = own
            elif answer:
                doubtful.append((header, answer, own))
        receipts = await endpoint.call([_receipt_call(header.transactions[-1]) for header, _, _ in doubtful])
        for (header, items, own), receipt in zip(doubtful, receipts, strict=True):
            if _ends_with(header, items, require_result(receipt, endpoint), self._watched):
                placed[header.ref] = own
        return placed

    async def _place_by_logs(
        self, endpoint: RpcEndpoint, headers: Sequence[Header], log_answer: Any
    ) -> dict[BlockRef, tuple[PlacedLog, ...]]:
        """By our logs and the receipts of their transactions."""
        logs = await self._read_logs(endpoint, headers, log_answer)
        spans = await self._read_spans(endpoint, logs)
        for header in headers:
            if isinstance(header.transactions, list):
                own_count = len({mined.tx_hash for mined in logs[header.ref]})
                self._note_share(endpoint, own_count, len(header.transactions))
        return {
            ref: tuple(place_log(mined, spans[mined.tx_hash]) for mined in mined_in_block)
            for ref, mined_in_block in logs.items()
        }

    def _note_share(self, endpoint: RpcEndpoint, own_count: int, count: int) -> None:
        """How the next block is read best from this endpoint, going by this one. An empty block tells nothing.

        SECURITY: what one endpoint says must not decide how others are asked: they may not be able to answer that.
        """
        if not count:
            return
        if count <= own_count * _OWN_PART:
            self._mostly_ours.add(endpoint)
        else:
            self._mostly_ours.discard(endpoint)

    async def _read_logs(
        self, endpoint: RpcEndpoint, headers: Sequence[Header], log_answer: Any
    ) -> dict[BlockRef, list[MinedLog]]:
        refs = {header.ref.number: header.ref for header in headers}
        written = {format_data(ref.hash): ref for ref in refs.values()}
        logs: dict[BlockRef, list[MinedLog]] = {ref: [] for ref in refs.values()}
        # A fault is how nodes say that the range is too wide or the answer too long: then each block is asked for.
        if not isinstance(log_answer, RpcFault):
            for mined in self._watched.select(parse_logs(log_answer, written)):
                ref = refs.get(mined.block.number)
                # Blocks that came after the headers were read are the next range's.
                if ref is not None:
                    logs[ref].append(_require_in(mined, ref))
        # A node may know a block before its log index does, and a balancer may ask two nodes.
        suspects = [header.ref for header in headers if not logs[header.ref] and self._bloom.may_hold(header)]
        answers = await endpoint.call([self._watched.block_call(ref.hash) for ref in suspects])
        for ref, answer in zip(suspects, answers, strict=True):
            found = self._watched.select(parse_logs(require_result(answer, endpoint), written))
            logs[ref] = [_require_in(mined, ref) for mined in found]
        for mined_in_block in logs.values():
            mined_in_block.sort(key=lambda mined: mined.log_index)
        return logs

    async def _read_spans(self, endpoint: RpcEndpoint, logs: dict[BlockRef, list[MinedLog]]) -> dict[bytes, LogSpan]:
        singles: list[bytes] = []
        whole: list[BlockRef] = []
        for ref, mined_in_block in logs.items():
            hashes = list(dict.fromkeys(mined.tx_hash for mined in mined_in_block))
            if len(hashes) > MAX_SINGLE_RECEIPTS:
                whole.append(ref)
            else:
                singles.extend(hashes)
        spans: dict[bytes, LogSpan] = {}
        answers = await endpoint.call([_receipts_call(ref.number) for ref in whole])
        for ref, answer in zip(whole, answers, strict=True):
            if isinstance(answer, RpcFault):
                # The node does not have this younger method.
                singles.extend(dict.fromkeys(mined.tx_hash for mined in logs[ref]))
            else:
                spans.update(self._spans_of_block(answer, logs[ref]))
        answers = await endpoint.call([_receipt_call(format_data(tx)) for tx in singles])
        for tx, answer in zip(singles, answers, strict=True):
            spans[tx] = parse_span(require_result(answer, endpoint), self._watched)
        self._require_complete(logs, spans)
        return spans

    def _spans_of_block(self, answer: Any, mined_in_block: Sequence[MinedLog]) -> dict[bytes, LogSpan]:
        if not isinstance(answer, list):
            raise RpcUnavailable("an endpoint answered with malformed receipts")
        spans = [parse_span(item, self._watched) for item in answer]
        if sum(span.watched for span in spans) != len(mined_in_block):
            raise RpcUnavailable("an endpoint's receipts hold other logs than it named")
        return {span.tx_hash: span for span in spans}

    @staticmethod
    def _require_complete(logs: Mapping[BlockRef, Sequence[MinedLog]], spans: Mapping[bytes, LogSpan]) -> None:
        counts = Counter(mined.tx_hash for mined_in_block in logs.values() for mined in mined_in_block)
        for tx, count in counts.items():
            span = spans.get(tx)
            if span is None or span.tx_hash != tx or span.watched != count:
                raise RpcUnavailable("an endpoint's receipts hold other logs than it named")


def _linked(headers: Any) -> list[Header]:
    """The headers up to the first that is missing or does not follow the one before."""
    linked: list[Header] = []
    for header in headers:
        if header is None or (linked and header.stamp.parent_hash != linked[-1].ref.hash):
            break
        linked.append(header)
    return linked


def _require_in(mined: MinedLog, ref: BlockRef) -> MinedLog:
    # SECURITY: a log of another fork, or of no block at all, must not be taken for this block's.
    if mined.block is not ref and mined.block != ref:
        raise RpcUnavailable("an endpoint answered from two forks")
    return mined


def _is_bloomed(header: Header, items: Sequence[Any]) -> bool:
    """Whether these are the logs of which the header's bloom was made. A bloom of zeros says nothing."""
    return bool(header.bloom) and bloom_of(items) == header.bloom


def _ends_with(header: Header, items: Sequence[Any], receipt: Any, watched: LogFilter) -> bool:
    """Whether the last of these logs is the last of the block, by the receipt of its last transaction."""
    span = parse_span(receipt, watched)
    if span.block_hash != header.ref.hash or format_data(span.tx_hash) != header.transactions[-1]:
        return False
    if not span.length:
        return _is_bloomed(header, items)  # the last transaction logged nothing
    return span.first_index + span.length == len(items)


def _all_logs_call(number: int) -> RpcCall:
    return RpcCall("eth_getLogs", [{"fromBlock": hex(number), "toBlock": hex(number)}])


def _receipt_call(tx_hash: str) -> RpcCall:
    return RpcCall("eth_getTransactionReceipt", [tx_hash])


def _receipts_call(number: int) -> RpcCall:
    return RpcCall("eth_getBlockReceipts", [hex(number)])
