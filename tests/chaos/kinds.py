"""Which kind of chain is which: the one place of a storm that tells them apart."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.cosmwasm_side import CosmWasmSide
from tests.chaos.evm_side import EvmSide
from tests.chaos.lies import CosmWasmLiar, EvmLiar, Liar, SvmLiar
from tests.chaos.rpc import ChainRpc
from tests.chaos.sides import Side
from tests.chaos.svm_side import SvmSide

COMETBFT_CALLS_AT_ONCE = 10
"""Of one body, as CometBFT takes them."""


@dataclass
class Sides:
    """The chains of each kind, by name."""

    evm: dict[str, EvmSide] = field(default_factory=dict)
    svm: dict[str, SvmSide] = field(default_factory=dict)
    cosmwasm: dict[str, CosmWasmSide] = field(default_factory=dict)

    @property
    def all(self) -> list[Side]:
        """Every one."""
        return [*self.evm.values(), *self.svm.values(), *self.cosmwasm.values()]


def chain_urls(config: str) -> dict[str, tuple[str, str]]:
    """URLs of the chains by name, for calls and for WebSockets, from a relayer's configuration."""
    return {chain["name"]: (chain["rpc_urls"][0], chain["ws_urls"][0]) for chain in tomllib.loads(config)["chains"]}


def liars(config: str) -> dict[str, Liar]:
    """How lies are told of the chains, by name, from a relayer's configuration."""
    kinds: dict[str, Callable[[], Liar]] = {"eip155": EvmLiar, "solana": SvmLiar, "cosmos": CosmWasmLiar}
    return {chain["name"]: kinds[_namespace(chain)]() for chain in tomllib.loads(config)["chains"]}


def open_sides(description: Mapping[str, Any], session: aiohttp.ClientSession) -> Sides:
    """The chains, as the devnet's description has them."""
    sides = Sides()
    for chain in description["chains"]:
        name, url = chain["name"], chain["rpc_url"]
        match _namespace(chain):
            case "solana":
                sides.svm[name] = SvmSide(chain, ChainRpc(session, url, "getSlot", int))
            case "cosmos":
                rpc = ChainRpc(session, url, "status", _height_of_status, COMETBFT_CALLS_AT_ONCE)
                sides.cosmwasm[name] = CosmWasmSide(chain, rpc)
            case _:
                rpc = ChainRpc(session, url, "eth_blockNumber", lambda head: int(head, 16))
                sides.evm[name] = EvmSide(chain, rpc)
    return sides


def _height_of_status(status: Mapping[str, Any]) -> int:
    return int(status["sync_info"]["latest_block_height"])


def _namespace(chain: Mapping[str, Any]) -> str:
    return str(chain["caip2"]).partition(":")[0]
