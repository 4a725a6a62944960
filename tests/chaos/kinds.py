"""Which kind of chain is which: the one place of a storm that tells them apart."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.chaos.evm_side import EvmSide
from tests.chaos.lies import EvmLiar, Liar, SvmLiar
from tests.chaos.rpc import ChainRpc
from tests.chaos.svm_side import SvmSide


def chain_urls(config: str) -> dict[str, str]:
    """URLs of the chains by name, from a relayer's configuration."""
    return {chain["name"]: chain["rpc_urls"][0] for chain in tomllib.loads(config)["chains"]}


def liars(config: str) -> dict[str, Liar]:
    """How lies are told of the chains, by name, from a relayer's configuration."""
    chains = tomllib.loads(config)["chains"]
    return {chain["name"]: SvmLiar() if _is_solana(chain) else EvmLiar() for chain in chains}


def open_sides(
    description: Mapping[str, Any], session: aiohttp.ClientSession
) -> tuple[dict[str, EvmSide], dict[str, SvmSide]]:
    """The chains of each kind by name, as the devnet's description has them."""
    evm: dict[str, EvmSide] = {}
    svm: dict[str, SvmSide] = {}
    for chain in description["chains"]:
        if _is_solana(chain):
            svm[chain["name"]] = SvmSide(chain, ChainRpc(session, chain["rpc_url"], "getSlot"))
        else:
            evm[chain["name"]] = EvmSide(chain, ChainRpc(session, chain["rpc_url"], "eth_blockNumber"))
    return evm, svm


def _is_solana(chain: Mapping[str, Any]) -> bool:
    return str(chain["caip2"]).startswith("solana:")
