"""Blocks and the gateway's events in them, as one endpoint tells them.

Its job: one endpoint's whole and self-consistent view of the blocks from a slot on: blocks that link, with every event
of the transactions that its index lists for the gateway, each at its place. What it says is one voice and no more:
agreement among endpoints is not its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE, WeighedCall, call_by_weight
from relayer.vms.svm.mentions import Mention, MentionReader
from relayer.vms.svm.self_calls import parse_self_calls, transaction_call
from relayer.vms.svm.slots import ListedBlock, Stamp, block_call, fetch_slots, head_call, parse_block
from relayer.vms.svm.values import format_signature

MAX_TRANSACTIONS_PER_READ: Final = 2_000
"""Read at once, unless one block has more: some megabytes, and a block's worth. Anybody can name the gateway."""

_LISTED_WEIGHT: Final = MAX_GAS_PER_EXCHANGE // 4
"""Of a block with its signatures: up to half a megabyte."""


class PlacedEvent(NamedTuple):
    """An event's discriminator and fields, its transaction's 64-byte signature and index in the block, its own index.

    `log_index` counts the gateway's events of the transaction.
    """

    data: bytes
    signature: bytes
    tx_index: int
    log_index: int


class BlockContents(NamedTuple):
    """What endpoints must agree on about a block: its header, and the gateway's events in it, in order."""

    stamp: Stamp
    events: tuple[PlacedEvent, ...]


class BlockReader:
    """Reads blocks from an endpoint, with the events of one gateway."""

    def __init__(self, gateway: Pubkey) -> None:
        self._gateway = gateway
        self._mentions = MentionReader(gateway)

    async def read(self, endpoint: RpcEndpoint, first: int, count: int) -> list[BlockContents | None]:
        """The first `count` blocks from slot `first` on; None from the first on that the endpoint does not have.

        Raises `RpcUnavailable`.
        """
        contents = await self._read(endpoint, first, count)
        return [*contents, *[None] * (count - len(contents))]

    async def _read(self, endpoint: RpcEndpoint, first: int, count: int) -> list[BlockContents]:
        slots = await fetch_slots(endpoint, first, count)
        mentions = await self._mentions.read(endpoint, first, slots[-1]) if slots else None
        if mentions is None:
            return []
        slots, mentions = _cut(slots, mentions)
        blocks, transactions = await _fetch(endpoint, slots, mentions)
        contents: list[BlockContents] = []
        for block in _linked(blocks, first):
            events = await self._place(block, transactions.get(block.stamp.ref.number, []))
            if events is None:
                break
            contents.append(BlockContents(block.stamp, events))
        return contents

    async def _place(
        self, block: ListedBlock, transactions: Sequence[tuple[Mention, Any]]
    ) -> tuple[PlacedEvent, ...] | None:
        """The events in order; None if a transaction is not there yet."""
        places = {text: index for index, text in enumerate(block.signatures)} if transactions else {}
        placed: list[PlacedEvent] = []
        for mention, answer in transactions:
            # SECURITY: an endpoint may have us read for minutes; heartbeats go on, and once others agree it is left.
            await asyncio.sleep(0)
            events = parse_self_calls(answer, mention, self._gateway)
            if events is None:
                return None
            tx_index = places.get(format_signature(mention.signature))
            if tx_index is None:
                raise RpcUnavailable("an endpoint's blocks and signatures contradict each other")
            placed += [PlacedEvent(data, mention.signature, tx_index, index) for index, data in enumerate(events)]
        return tuple(sorted(placed, key=lambda event: (event.tx_index, event.log_index)))


async def _fetch(
    endpoint: RpcEndpoint, slots: Sequence[int], mentions: Sequence[Mention]
) -> tuple[list[ListedBlock | None], dict[int, list[tuple[Mention, Any]]]]:
    """The blocks of these slots, and by slot the transactions as they were answered."""
    busy = {mention.slot for mention in mentions}
    calls = [
        *(
            WeighedCall(block_call(slot, has_signatures=slot in busy), _LISTED_WEIGHT * (slot in busy))
            for slot in slots
        ),
        *(transaction_call(mention.signature) for mention in mentions),
    ]
    answers = await call_by_weight(endpoint, calls, head_call())
    blocks = [parse_block(answer, slot, endpoint) for slot, answer in zip(slots, answers, strict=False)]
    transactions: dict[int, list[tuple[Mention, Any]]] = {}
    for mention, answer in zip(mentions, answers[len(slots) :], strict=True):
        transactions.setdefault(mention.slot, []).append((mention, require_result(answer, endpoint)))
    return blocks, transactions


def _cut(slots: list[int], mentions: list[Mention]) -> tuple[list[int], list[Mention]]:
    """As many of the slots, one at least, as hold together what is read at once; each whole."""
    if len(mentions) <= MAX_TRANSACTIONS_PER_READ:
        return slots, mentions
    # The slot that goes beyond the limit is left for the next read, unless it is the first.
    end = max(mentions[MAX_TRANSACTIONS_PER_READ].slot, slots[0] + 1)
    return [slot for slot in slots if slot < end], [mention for mention in mentions if mention.slot < end]


def _linked(blocks: Sequence[ListedBlock | None], first: int) -> list[ListedBlock]:
    """The blocks as far as they are there. Raises `RpcUnavailable` unless they follow one another from `first` on."""
    linked: list[ListedBlock] = []
    for block in blocks:
        if block is None:
            break
        stamp = block.stamp
        # SECURITY: a block that is left out would take its requests with it. Each names the one before.
        is_next = stamp.parent == linked[-1].stamp.ref if linked else stamp.parent.number < max(first, 1)
        if not is_next:
            raise RpcUnavailable(f"an endpoint left out a block before {stamp.ref.number}")
        linked.append(block)
    return linked
