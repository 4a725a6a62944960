"""Logs and receipts as an endpoint gives them.

Its job: parse them strictly, and place each log within the receipt of its transaction, as statements count it: the RPC
counts in the block. It must not know what a log means.

Source: ethereum/execution-apis, `Log` and `ReceiptInfo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.evm.headers import Header, bloom_bits
from relayer.vms.evm.quantities import (
    format_data,
    parse_address,
    parse_count,
    parse_data,
    parse_hash,
    parse_quantity,
)
from relayer.vms.jsonrpc.rpc import RpcCall

_MAX_TOPICS: Final = 4
_MAX_INDEX: Final = 2**32 - 1  # statements carry indices as uint32


class Log(NamedTuple):
    """What was logged: 20-byte emitter, 32-byte topics, data."""

    emitter: bytes
    topics: tuple[bytes, ...]
    data: bytes


class MinedLog(NamedTuple):
    """A log with its place, `log_index` counted in the block."""

    log: Log
    block: BlockRef
    tx_hash: bytes
    tx_index: int
    log_index: int


class PlacedLog(NamedTuple):
    """A log with its place in its block, `log_index` counted within the receipt of its transaction."""

    log: Log
    tx_hash: bytes
    tx_index: int
    log_index: int


class LogSpan(NamedTuple):
    """Which of a block's logs stand in one receipt: `length` from `first_index` on; `watched` of them are watched."""

    tx_hash: bytes
    tx_index: int
    block_hash: bytes
    first_index: int
    length: int
    watched: int


class LogFilter:
    """Which logs are watched: of each emitter (20 bytes) those with one of its first topics (32 bytes)."""

    def __init__(self, topics_by_emitter: Mapping[bytes, frozenset[bytes]]) -> None:
        self._topics_by_emitter = topics_by_emitter
        self._written = {
            format_data(emitter): (emitter, {format_data(topic): topic for topic in topics})
            for emitter, topics in topics_by_emitter.items()
        }
        topics = frozenset(topic for _, own in self._written.values() for topic in own)
        self._criteria = {"address": list(self._written), "topics": [sorted(topics)]}

    @property
    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Every watched (emitter, first topic)."""
        return ((emitter, topic) for emitter, topics in self._topics_by_emitter.items() for topic in topics)

    def range_call(self, first: int, last: int) -> RpcCall:
        """The call for the logs of blocks first..last."""
        return RpcCall("eth_getLogs", [{"fromBlock": hex(first), "toBlock": hex(last), **self._criteria}])

    def block_call(self, block_hash: bytes) -> RpcCall:
        """The call for the logs of exactly this block (EIP-234)."""
        return RpcCall("eth_getLogs", [{"blockHash": format_data(block_hash), **self._criteria}])

    def select(self, logs: list[MinedLog]) -> list[MinedLog]:
        """The watched ones. The calls above match any emitter with any topic."""
        watched = self._topics_by_emitter
        nothing: frozenset[bytes] = frozenset()
        return [
            mined
            for mined in logs
            if mined.log.topics and mined.log.topics[0] in watched.get(mined.log.emitter, nothing)
        ]

    def parse_watched(self, item: Any) -> Log | None:
        """A log, as JSON; None if it is not watched. Raises `RpcUnavailable` if it is malformed."""
        if not isinstance(item, dict):
            raise _malformed("log")
        address, topics = item.get("address"), item.get("topics")
        if not isinstance(address, str) or not isinstance(topics, list):
            raise _malformed("log")
        own = self._written.get(address.lower())
        if own is None or not topics:
            return None
        if len(topics) > _MAX_TOPICS or not isinstance(topics[0], str):
            raise _malformed("log")
        emitter, first_topics = own
        first = first_topics.get(topics[0].lower())
        if first is None:
            return None
        return Log(emitter, (first, *map(parse_hash, topics[1:])), parse_data(item.get("data")))

    def holds_written(self, item: Any) -> bool:
        """Whether a log of a receipt, as JSON, is watched."""
        topics = item.get("topics") if isinstance(item, dict) else None
        if not topics or not isinstance(topics, list):
            return False
        own = self._written.get(str(item.get("address")).lower())
        return own is not None and str(topics[0]).lower() in own[1]


def parse_logs(answer: Any, known: Mapping[str, BlockRef]) -> list[MinedLog]:
    """The result of `eth_getLogs`. `known` are blocks by their hash as written, to which most logs belong.

    Raises `RpcUnavailable` if anything in it is malformed.
    """
    if not isinstance(answer, list):
        raise _malformed("list of logs")
    return [_parse_log(item, known) for item in answer]


def parse_whole(answer: Any, header: Header, watched: LogFilter) -> tuple[PlacedLog, ...]:
    """The watched logs of a block out of the result of `eth_getLogs` for all its logs, in order.

    Raises `RpcUnavailable` unless they are counted on from 0 without a gap, in that very block, and follow the order of
    the header's transactions: nothing was left out but, maybe, at the end.
    """
    transactions = header.transactions
    if not isinstance(answer, list) or not isinstance(transactions, list):
        raise _malformed("list of logs")
    block_hash = format_data(header.ref.hash)
    placed: list[PlacedLog] = []
    tx_text, tx_hash, tx_index, first_index = "", b"", -1, 0
    for index, item in enumerate(answer):
        log = watched.parse_watched(item)
        if item.get("logIndex") != hex(index) or item.get("blockHash") != block_hash or item.get("removed", False):
            raise _malformed("log")
        if item.get("transactionHash") != tx_text:
            earlier, tx_index = tx_index, _parse_index(item.get("transactionIndex"))
            tx_text, first_index = item.get("transactionHash"), index
            if not earlier < tx_index < len(transactions) or transactions[tx_index] != tx_text:
                raise _malformed("log")
            tx_hash = parse_hash(tx_text)
        elif item.get("transactionIndex") != hex(tx_index):
            raise _malformed("log")
        if log is not None:
            placed.append(PlacedLog(log, tx_hash, tx_index, index - first_index))
    return tuple(placed)


def bloom_of(items: Iterable[Any]) -> int:
    """The bloom of logs, as JSON. Raises `RpcUnavailable` if they are malformed."""
    bloom = 0
    for item in items:
        topics = item.get("topics")
        if not isinstance(topics, list):
            raise _malformed("log")
        for value in (parse_address(item.get("address")), *map(parse_hash, topics)):
            bloom |= bloom_bits(value)
    return bloom


def parse_span(answer: Any, watched: LogFilter) -> LogSpan:
    """Where the logs of a receipt stand in the block.

    Raises `RpcUnavailable` if it is malformed or its logs do not follow one another.
    """
    logs = answer.get("logs") if isinstance(answer, dict) else None
    if not isinstance(logs, list):
        raise _malformed("receipt")
    indices = [_parse_index(item.get("logIndex") if isinstance(item, dict) else None) for item in logs]
    first = indices[0] if indices else 0
    if indices != list(range(first, first + len(indices))):
        raise _malformed("receipt")
    return LogSpan(
        tx_hash=parse_hash(answer.get("transactionHash")),
        tx_index=_parse_index(answer.get("transactionIndex")),
        block_hash=parse_hash(answer.get("blockHash")),
        first_index=first,
        length=len(indices),
        watched=sum(map(watched.holds_written, logs)),
    )


def place_log(mined: MinedLog, span: LogSpan) -> PlacedLog:
    """The log, counted within its receipt. Raises `RpcUnavailable` if the receipt does not hold it."""
    log, block, tx_hash, tx_index, log_index = mined
    index = log_index - span.first_index
    if tx_index != span.tx_index or block.hash != span.block_hash or not 0 <= index < span.length:
        raise RpcUnavailable("an endpoint's logs and receipts contradict each other")
    return PlacedLog(log, tx_hash, tx_index, index)


def _parse_log(item: Any, known: Mapping[str, BlockRef]) -> MinedLog:
    if not isinstance(item, dict) or item.get("removed", False) is not False:
        raise _malformed("log")
    topics = item.get("topics")
    if not isinstance(topics, list) or len(topics) > _MAX_TOPICS:
        raise _malformed("log")
    return MinedLog(
        Log(parse_address(item.get("address")), tuple(map(parse_hash, topics)), parse_data(item.get("data"))),
        _parse_block(item.get("blockNumber"), item.get("blockHash"), known),
        parse_hash(item.get("transactionHash")),
        _parse_index(item.get("transactionIndex")),
        _parse_index(item.get("logIndex")),
    )


def _parse_block(number: Any, block_hash: Any, known: Mapping[str, BlockRef]) -> BlockRef:
    ref = known.get(block_hash) if isinstance(block_hash, str) else None
    if ref is not None and number == hex(ref.number):
        return ref
    return BlockRef(parse_count(number), parse_hash(block_hash))


def _parse_index(value: Any) -> int:
    index = parse_quantity(value)
    if index > _MAX_INDEX:
        raise _malformed("index")
    return index


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with a malformed {what}")
