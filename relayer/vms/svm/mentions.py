"""Which transactions name the gateway: the signatures by its address, which are the truth.

Its job: all transactions of a range of slots that succeeded and name the gateway, page by page, as one endpoint lists
them. An endpoint that leaves one out is outvoted by others; what one says is one voice and no more. It must not look
into a transaction.

Source: agave's RPC, `getSignaturesForAddress`: newest first, at most 1,000, those before a signature's own place in
the order of all transactions.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, require_result
from relayer.vms.svm.slots import COMMITMENT, block_call, fetch_slots, is_not_there, parse_block
from relayer.vms.svm.values import parse_count, parse_signature

MAX_PAGE: Final = 1_000
"""Signatures in one answer, as nodes allow."""

_LEAST_PAGE: Final = 50
"""Asked for when the range before had few: what is listed beyond the range is for nothing."""

_MAX_PAGES: Final = 1_000
"""Of one range. SECURITY: an endpoint that makes signatures up would have us ask forever."""

_MAX_SIGNATURE_CHARACTERS: Final = 88
"""In base58. SECURITY: pages are kept until the last one has come, and an endpoint would fill our memory with them."""

_MARKS: Final = 4
"""Blocks above a range that are looked into for a signature to begin before; a cluster's blocks all have one."""


class Mention(NamedTuple):
    """A transaction that succeeded, by its slot and its 64-byte signature."""

    slot: int
    signature: bytes


class _Entry(NamedTuple):
    slot: int
    text: str
    is_success: bool


class MentionReader:
    """Lists the transactions that name one program."""

    def __init__(self, program: Pubkey) -> None:
        self._address = str(program)
        self._page: defaultdict[RpcEndpoint, int] = defaultdict(lambda: _LEAST_PAGE)

    async def read(self, endpoint: RpcEndpoint, first: int, last: int) -> list[Mention] | None:
        """Those of slots first..last in the chain's order of slots; None if the endpoint has not got to `last`.

        Raises `RpcUnavailable`.
        """
        found: list[_Entry] = []
        before, limit = "", self._page[endpoint]
        ceiling: int | None = None
        for _ in range(_MAX_PAGES):
            page = await self._fetch_page(endpoint, before, limit, last)
            if page is None:
                return None
            if page and ceiling is not None and page[0].slot > ceiling:
                raise RpcUnavailable(f"{endpoint.label} lists signatures out of order")
            found.extend(entry for entry in page if first <= entry.slot <= last)
            if len(page) < limit or page[-1].slot < first:
                break
            mark = await _fetch_mark(endpoint, last) if page[-1].slot > last and not before else None
            # What is above the range is passed over at once if a block just above it has a transaction to begin before.
            ceiling, before, limit = (last, mark, MAX_PAGE) if mark else (page[-1].slot, page[-1].text, MAX_PAGE)
        else:
            raise RpcUnavailable(f"{endpoint.label} lists no end of signatures")
        if len({entry.text for entry in found}) != len(found):
            raise RpcUnavailable(f"{endpoint.label} lists a signature twice")
        # The next range is likely to have as many, and they are listed together with what is above it.
        self._page[endpoint] = min(max(_LEAST_PAGE, 2 * len(found)), MAX_PAGE)
        return [Mention(entry.slot, parse_signature(entry.text)) for entry in reversed(found) if entry.is_success]

    async def _fetch_page(self, endpoint: RpcEndpoint, before: str, limit: int, last: int) -> list[_Entry] | None:
        # SECURITY: behind a balancer another node may answer than the one that has the block: it must be as far.
        options = {**COMMITMENT, "limit": limit, "minContextSlot": last, **({"before": before} if before else {})}
        (answer,) = await endpoint.call([RpcCall("getSignaturesForAddress", [self._address, options])])
        if is_not_there(answer):
            return None
        items = require_result(answer, endpoint)
        if not isinstance(items, list) or len(items) > limit:
            raise RpcUnavailable(f"{endpoint.label} answered with a malformed list of signatures")
        page = [_parse_entry(item) for item in items]
        if any(later.slot > earlier.slot for earlier, later in pairwise(page)):
            raise RpcUnavailable(f"{endpoint.label} lists signatures out of order")
        return page


async def _fetch_mark(endpoint: RpcEndpoint, last: int) -> str | None:
    """The first signature of a block just above this slot, before which all of the slot's transactions are."""
    for slot in await fetch_slots(endpoint, last + 1, _MARKS):
        (answer,) = await endpoint.call([block_call(slot, has_signatures=True)])
        block = parse_block(answer, slot, endpoint)
        if block is not None and block.signatures:
            parse_signature(block.signatures[0])
            return str(block.signatures[0])
    return None


def _parse_entry(item: Any) -> _Entry:
    match item:
        case {"slot": slot, "signature": str(text), "err": error} if len(text) <= _MAX_SIGNATURE_CHARACTERS:
            return _Entry(parse_count(slot), text, is_success=error is None)
    raise RpcUnavailable("an endpoint answered with a malformed list of signatures")
