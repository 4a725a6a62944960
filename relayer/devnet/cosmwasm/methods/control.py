"""Control methods: what tests make the chain do. They are there only where the process is started with `--faults`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.faults import MAX_LAG_BLOCKS
from relayer.devnet.cosmwasm.methods.answering import Method
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import invalid_params

_MAX_SECONDS: Final = 10 * 365 * 86_400
_MAX_HEIGHT: Final = 2**62


def advance_time(chain: Chain, params: Params) -> Any:
    """Blocks from now on are so many seconds later."""
    chain.advance_time(_within(params, "seconds", _MAX_SECONDS))


def bound_crossvm_pass(chain: Chain, params: Params) -> Any:
    """Let each pass carry out so many calls between VMs at most; 0 for none."""
    chain.bound_crossvm_pass(_within(params, "messages", _MAX_HEIGHT))


def forge_blocks(chain: Chain, params: Params) -> Any:
    """Show other blocks from one height up to, not including, another; an empty range ends it."""
    chain.forge(range(_within(params, "first", _MAX_HEIGHT), _within(params, "behind", _MAX_HEIGHT)))


def lose_transactions(chain: Chain, params: Params) -> Any:
    """Never hear again of the next so many transactions."""
    chain.faults.transactions_to_lose = _within(params, "count", _MAX_HEIGHT)


def prune(chain: Chain, params: Params) -> Any:
    """Have no blocks and no states below a height; 0 ends it."""
    chain.faults.pruned_below = _within(params, "height", _MAX_HEIGHT)


def set_lag(chain: Chain, params: Params) -> Any:
    """Answer as a node that is so many blocks behind; 0 ends it."""
    chain.faults.lag_blocks = _within(params, "blocks", MAX_LAG_BLOCKS)


def _within(params: Params, name: str, most: int) -> int:
    value = params.integer(name)
    if value is None or not 0 <= value <= most:
        raise invalid_params(f"{name} must be 0 to {most}")
    return value


CONTROL_METHODS: Final[Mapping[str, Method]] = {
    "devnet_advanceTime": Method(("seconds",), advance_time, is_of_state=True),
    "devnet_boundCrossvmPass": Method(("messages",), bound_crossvm_pass, is_of_state=True),
    "devnet_forgeBlocks": Method(("first", "behind"), forge_blocks),
    "devnet_loseTransactions": Method(("count",), lose_transactions, is_of_state=True),
    "devnet_prune": Method(("height",), prune),
    "devnet_setLag": Method(("blocks",), set_lag, changes_view=True),
}
