"""Slots and the blocks in them as an endpoint gives them, all of them finalized.

Its job: the calls for heads, for slots that have a block, and for blocks, and their answers parsed strictly. A slot
without a block was skipped; each block names the one before it. It must not interpret what is in a block.

Source: agave's RPC, `getLatestBlockhash`, `getBlocks`, `getBlocksWithLimit`, `getBlock` and its custom errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.svm.values import parse_count, parse_hash

COMMITMENT: Final = {"commitment": "finalized"}
"""What has it is never taken back: two thirds of the stake have voted on 32 slots above it."""

ANY_VERSION: Final = {"maxSupportedTransactionVersion": 255}
"""What is read of a transaction stands alike in each version. SECURITY: a node tells nothing at all of a block or a
transaction whose version is above what is asked for, and anybody may send the newest."""

MAX_SLOTS_LOOKED_BACK: Final = 500_000
"""In one call, as nodes allow; Source: MAX_GET_CONFIRMED_BLOCKS_RANGE."""

_FIRST_LOOK_BACK: Final = 64

_SLOT_SKIPPED: Final = (-32007, -32009)
_NOT_THERE: Final = frozenset({-32001, -32004, -32014, -32016, *_SLOT_SKIPPED})
"""Pruned; not finalized here; its transactions' statuses not written yet; the node is behind; no block in the slot."""


class Stamp(NamedTuple):
    """What endpoints must agree on about a block. `timestamp` in seconds."""

    ref: BlockRef
    parent: BlockRef
    timestamp: int


class ListedBlock(NamedTuple):
    """A block, and its transactions' signatures in order, as they were written: untrusted, to be compared only."""

    stamp: Stamp
    signatures: Sequence[Any]


def head_call() -> RpcCall:
    """The call for the newest finalized block."""
    return RpcCall("getLatestBlockhash", [COMMITMENT])


def parse_head(answer: Any) -> BlockRef:
    """The newest finalized block. Raises `RpcUnavailable`."""
    match answer:
        case {"context": {"slot": slot}, "value": {"blockhash": blockhash}}:
            return BlockRef(parse_count(slot), parse_hash(blockhash))
    raise _malformed("head")


def block_call(slot: int, *, has_signatures: bool = False) -> RpcCall:
    """The call for the block of a slot, with or without its transactions' signatures."""
    details = "signatures" if has_signatures else "none"
    return RpcCall("getBlock", [slot, {**COMMITMENT, **ANY_VERSION, "transactionDetails": details, "rewards": False}])


def parse_block(answer: Any, slot: int, endpoint: RpcEndpoint) -> ListedBlock | None:
    """The block of this slot, or None where the endpoint has none to show. Raises `RpcUnavailable`."""
    if answer is None or is_not_there(answer):
        return None
    if not isinstance(require_result(answer, endpoint), dict):
        raise _malformed("block")
    if answer.get("blockTime", 0) is None:
        return None  # some nodes have a block before they have its time
    parent = BlockRef(parse_count(answer.get("parentSlot")), parse_hash(answer.get("previousBlockhash")))
    ref = BlockRef(slot, parse_hash(answer.get("blockhash")))
    signatures = answer.get("signatures", ())
    if not isinstance(signatures, Sequence):
        raise _malformed("block")
    return ListedBlock(Stamp(ref, parent, parse_count(answer.get("blockTime"))), signatures)


def is_not_there(answer: Any) -> bool:
    """Whether an endpoint says that it has no such block, or is not that far."""
    return isinstance(answer, RpcFault) and answer.code in _NOT_THERE


async def fetch_slots(endpoint: RpcEndpoint, first: int, count: int) -> list[int]:
    """The first so many slots with a block from `first` on, ascending. Raises `RpcUnavailable`."""
    (answer,) = await endpoint.call([RpcCall("getBlocksWithLimit", [first, count, COMMITMENT])])
    slots = _parse_slots(require_result(answer, endpoint))
    if len(slots) > count or any(slot < first for slot in slots):
        raise RpcUnavailable(f"{endpoint.label} listed slots that nobody asked for")
    return slots


async def fetch_slot_at_or_below(endpoint: RpcEndpoint, number: int) -> int | None:
    """The highest slot with a block that is not above `number`; None if the endpoint is not that far.

    Raises `RpcUnavailable`.
    """
    looked_back = _FIRST_LOOK_BACK
    while True:
        first = max(number - looked_back + 1, 0)
        head_answer, answer = await endpoint.call([head_call(), RpcCall("getBlocks", [first, number, COMMITMENT])])
        if parse_head(require_result(head_answer, endpoint)).number < number:
            return None
        slots = _parse_slots(require_result(answer, endpoint))
        if any(not first <= slot <= number for slot in slots):
            raise RpcUnavailable(f"{endpoint.label} listed slots that nobody asked for")
        if slots:
            return slots[-1]
        if first == 0 or looked_back == MAX_SLOTS_LOOKED_BACK:
            raise RpcUnavailable(f"{endpoint.label} lists no block in {looked_back} slots")
        looked_back = min(looked_back * looked_back, MAX_SLOTS_LOOKED_BACK)


def _parse_slots(answer: Any) -> list[int]:
    if not isinstance(answer, list):
        raise _malformed("list of slots")
    slots = [parse_count(slot) for slot in answer]
    if any(later <= earlier for earlier, later in pairwise(slots)):
        raise _malformed("list of slots")
    return slots


def _malformed(what: str) -> RpcUnavailable:
    return RpcUnavailable(f"an endpoint answered with a malformed {what}")
