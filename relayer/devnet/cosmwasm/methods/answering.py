"""What all methods share: their shape, and the block that an answer is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from relayer.devnet.cosmwasm.blocks import Block
from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import height_above, height_not_positive, height_pruned, internal_error

COMETBFT_VERSIONS: Final = {"0.34": "0.34.29", "0.38": "0.38.17"}
"""The releases of CometBFT whose answers these are modelled on."""

_MAX_PER_PAGE: Final = 100
_PER_PAGE: Final = 30


@dataclass(frozen=True, slots=True)
class Method:
    """A method: the names of its parameters by place, and what it does with them."""

    params: tuple[str, ...]
    answer: Callable[[Chain, Params], Any]
    is_of_state: bool = False
    """Whether it looks into the state, or at very much: then it runs where transactions do."""

    changes_view: bool = False
    """Whether more may be seen behind it."""


def block_of(chain: Chain, params: Params) -> Block:
    """The block of the height that a call gives, the newest without one.

    Raises:
        RpcError: there is no such block, not yet, or not any more.
    """
    latest, lowest = chain.view_height, chain.lowest_height
    height = params.integer("height")
    if height is None:
        height = latest
    elif height <= 0:
        raise height_not_positive(height)
    if height > latest or not latest:
        raise height_above(height, latest)
    block = chain.block(height) if height >= lowest else None
    if block is None:
        raise height_pruned(height, lowest)
    return block


def page_of(params: Params, total: int) -> range:
    """Which of so many items a call asks for. Raises `RpcError`."""
    per_page = params.integer("per_page")
    per_page = _PER_PAGE if per_page is None or per_page < 1 else min(per_page, _MAX_PER_PAGE)
    pages = max(1, -(-total // per_page))
    page = params.integer("page")
    if page is None:
        page = 1
    if not 1 <= page <= pages:
        raise internal_error(f"page should be within [1, {pages}] range, given {page}")
    return range((page - 1) * per_page, min(page * per_page, total))
