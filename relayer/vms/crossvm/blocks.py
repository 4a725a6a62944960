"""Messages between VMs in a range of blocks, as one endpoint tells them.

Its job: headers that link, and what each block's transactions and the block itself told of messages. A pass at the end
of a block is no transaction: blocks without any are read, too. What it says is one voice and no more.

Source: CometBFT's RPC, `blockchain`, `block_results`, `block`: results by height, since an index of events may leave
some out. From 0.38 on a block's own events are `finalize_block_events`, before that of its two ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from relayer.crossvm.reading import Names, ToldMessage, UnreadableEvent, read_event
from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.blocks import call_for_blocks, read_hashes
from relayer.vms.cosmwasm.events import results_call
from relayer.vms.cosmwasm.headers import Header, headers_calls, parse_headers
from relayer.vms.cosmwasm.values import parse_code, parse_count, parse_list, parse_member, parse_text
from relayer.vms.jsonrpc.rpc import RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.stamps import Stamp

_OF_BLOCKS: Final = ("begin_block_events", "end_block_events", "finalize_block_events")


class PlacedMessage(NamedTuple):
    """What an event said, and the hash of its transaction: empty for what the block itself told."""

    told: ToldMessage
    tx_hash: bytes


class ToldBlock(NamedTuple):
    """A block's header and what it told of messages, in order; `unreadable` events named none, or two."""

    stamp: Stamp
    messages: tuple[PlacedMessage, ...]
    unreadable: int


class _Results(NamedTuple):
    by_transaction: tuple[tuple[int, ToldMessage], ...]
    of_block: tuple[ToldMessage, ...]
    unreadable: int


async def read_blocks(endpoint: RpcEndpoint, first: int, last: int, names: Names) -> list[ToldBlock | None]:
    """Blocks first..last, None from the first on that the endpoint does not have. Raises `RpcUnavailable`."""
    headers = parse_headers(await endpoint.call(headers_calls(first, last)), first, last)
    results = await _read_results(endpoint, headers, names)
    headers = headers[: len(results)]
    asked = [header for header, result in zip(headers, results, strict=True) if result.by_transaction]
    hashes = dict(zip(asked, await read_hashes(endpoint, asked), strict=True))
    blocks: list[ToldBlock | None] = []
    for header, result in zip(headers, results, strict=True):
        tx_hashes = hashes.get(header, ())
        if tx_hashes is None:
            break
        placed = [PlacedMessage(told, tx_hashes[index]) for index, told in result.by_transaction]
        placed += (PlacedMessage(told, b"") for told in result.of_block)
        blocks.append(ToldBlock(header.stamp, tuple(placed), result.unreadable))
    return [*blocks, *[None] * (last - first + 1 - len(blocks))]


async def _read_results(endpoint: RpcEndpoint, headers: Sequence[Header], names: Names) -> list[_Results]:
    answers = await call_for_blocks(endpoint, [results_call(header.stamp.ref.number) for header in headers])
    results: list[_Results] = []
    for header, answer in zip(headers, answers, strict=True):
        # A node has a block before it has run it, and forgets old results.
        if isinstance(answer, RpcFault):
            break
        results.append(_parse_results(answer, header, names))
    return results


def _parse_results(answer: Any, header: Header, names: Names) -> _Results:
    number = header.stamp.ref.number
    if parse_count(parse_member(answer, "height")) != number:
        raise RpcUnavailable(f"an endpoint answered with other results than those of block {number}")
    results = parse_list(parse_member(answer, "txs_results"))
    if len(results) != header.transactions:
        raise RpcUnavailable(f"an endpoint told of {len(results)} of the results of block {number}")
    found: list[tuple[int, ToldMessage]] = []
    unreadable = 0
    for index, result in enumerate(results):
        # SECURITY: a transaction that fails keeps no state: a message in it was never sent.
        if parse_code(parse_member(result, "code")) == 0:
            for told in _read(result.get("events"), names):
                unreadable += told is None
                found += [] if told is None else [(index, told)]
    of_block = [told for name in _OF_BLOCKS for told in _read(answer.get(name), names)]
    unreadable += of_block.count(None)
    return _Results(tuple(found), tuple(told for told in of_block if told is not None), unreadable)


def _read(events: Any, names: Names) -> Iterator[ToldMessage | None]:
    """What each event of a message says; None for one that cannot be read."""
    for event in parse_list(events):
        kind = parse_text(parse_member(event, "type"))
        if names.meaning_of(kind) is not None:
            attributes = parse_list(parse_member(event, "attributes"))
            try:
                yield read_event(kind, [(parse_member(each, "key"), each.get("value")) for each in attributes], names)
            except UnreadableEvent:
                yield None
