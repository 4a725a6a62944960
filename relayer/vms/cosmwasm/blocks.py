"""Blocks and the gateway's events in them, as one endpoint tells them.

Its job: one endpoint's whole and self-consistent view of a range of blocks: headers that link, with every event of the
gateway that the results of their transactions tell, each at its place. What it says is one voice and no more: agreement
among endpoints is not its business.

Source: CometBFT's RPC, `blockchain`, `block_results`, `block`. Results are asked for by height: an index of events may
leave some out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import structlog

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.events import EventReader, GatewayEvent, PlacedEvent, results_call
from relayer.vms.cosmwasm.headers import STATUS_CALL, Header, headers_calls, parse_headers
from relayer.vms.cosmwasm.long_results import LongResults
from relayer.vms.cosmwasm.values import parse_base64, parse_hash, parse_list, parse_member
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.stamps import Stamp
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE, UNANSWERED, WeighedCall, call_by_weight

_BLOCK_WEIGHT: Final = MAX_GAS_PER_EXCHANGE // 4
"""Of a block's results, or its transactions: some megabytes at the most on a busy chain."""

_log = structlog.get_logger(__name__)


class MinedEvent(NamedTuple):
    """An event of the gateway in its block. `tx_hash` is the SHA-256 of the transaction's bytes."""

    event: GatewayEvent
    tx_hash: bytes
    tx_index: int
    log_index: int


class BlockContents(NamedTuple):
    """What endpoints must agree on about a block: its header, and the gateway's events in it, in order."""

    stamp: Stamp
    events: tuple[MinedEvent, ...]


class BlockReader:
    """Reads blocks from an endpoint, with the gateway's events that `events` finds."""

    def __init__(self, events: EventReader) -> None:
        self._events = events

    async def read(self, endpoint: RpcEndpoint, first: int, last: int) -> list[BlockContents | None]:
        """Blocks first..last, None from the first on that the endpoint does not have, or has not executed.

        `first` is above 0. Raises `RpcUnavailable`.
        """
        _, contents = await self.read_beside(endpoint, (), first, last)
        return contents

    async def read_beside(
        self, endpoint: RpcEndpoint, calls: Sequence[RpcCall], first: int, last: int
    ) -> tuple[list[Any], list[BlockContents | None]]:
        """As `read`, and what the endpoint answers to some calls, asked in the same exchange as the headers."""
        answers = await endpoint.call([*calls, *headers_calls(first, last)])
        headers = parse_headers(answers[len(calls) :], first, last)
        contents = await self._read(endpoint, headers)
        return answers[: len(calls)], [*contents, *[None] * (last - first + 1 - len(contents))]

    async def _read(self, endpoint: RpcEndpoint, headers: Sequence[Header]) -> list[BlockContents]:
        placed = await self._read_events(endpoint, headers)
        headers = headers[: len(placed)]
        eventful = [header for header, events in zip(headers, placed, strict=True) if events]
        hashes = dict(zip(eventful, await read_hashes(endpoint, eventful), strict=True))
        contents: list[BlockContents] = []
        for header, events in zip(headers, placed, strict=True):
            tx_hashes = hashes.get(header, ())
            if tx_hashes is None:
                break
            mined = (MinedEvent(event, tx_hashes[tx], tx, log) for event, tx, log in events)
            contents.append(BlockContents(header.stamp, tuple(mined)))
        return contents

    async def _read_events(self, endpoint: RpcEndpoint, headers: Sequence[Header]) -> list[tuple[PlacedEvent, ...]]:
        """The events in each block, up to the first whose results the endpoint does not have."""
        calls = [results_call(header.stamp.ref.number) for header in headers if header.transactions]
        answers = iter(await call_for_blocks(endpoint, calls))
        placed: list[tuple[PlacedEvent, ...]] = []
        for header in headers:
            answer, number = next(answers) if header.transactions else None, header.stamp.ref.number
            if answer is UNANSWERED:
                answer = await self._read_at_length(endpoint, number)
            # A node has a block before it has run it, and forgets old results.
            if isinstance(answer, RpcFault):
                break
            placed.append(self._events.read(answer, number, header.transactions) if header.transactions else ())
        return placed

    async def _read_at_length(self, endpoint: RpcEndpoint, number: int) -> Any:
        """A block's results without other contracts' events, or a fault.

        SECURITY: anybody can have a block tell more than an answer may hold. It must be read all the same, as whoever
        asks in it is served, and what comes after it is read.
        """
        results = LongResults(self._events.concerns)
        try:
            await endpoint.pour(results_call(number), results.add)
            return results.finish()
        except RpcUnavailable as error:
            _log.warning("results_unreadable", endpoint=endpoint.label, block=number, reason=str(error))
            return UNANSWERED


async def read_hashes(endpoint: RpcEndpoint, headers: Sequence[Header]) -> list[tuple[bytes, ...] | None]:
    """The hashes of each block's transactions, None where the endpoint does not have the block any more."""
    calls = [RpcCall("block", {"height": str(header.stamp.ref.number)}) for header in headers]
    answers = await call_for_blocks(endpoint, calls)
    return [
        None if isinstance(answer, RpcFault) else _parse_hashes(answer, header)
        for header, answer in zip(headers, answers, strict=True)
    ]


def _parse_hashes(answer: Any, header: Header) -> tuple[bytes, ...]:
    if parse_hash(parse_member(answer, "block_id", "hash")) != header.stamp.ref.hash:
        raise RpcUnavailable("an endpoint answered with another block than it was asked for")
    transactions = parse_list(parse_member(answer, "block", "data", "txs"))
    if len(transactions) != header.transactions:
        raise RpcUnavailable("an endpoint answered with a block of another length than its header says")
    return tuple(sha256(parse_base64(transaction)).digest() for transaction in transactions)


async def call_for_blocks(endpoint: RpcEndpoint, calls: Sequence[RpcCall]) -> list[Any]:
    """The answers to calls that each give a block's transactions, or what came of them. Raises `RpcUnavailable`."""
    weighed = [WeighedCall(call, _BLOCK_WEIGHT) for call in calls]
    return await call_by_weight(endpoint, weighed, STATUS_CALL) if weighed else []
