"""What CosmWasm nodes do to their clients, one fault at a time, to a whole network: requests end all the same, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.chaos.plan import LieKind
from tests.chaos.small_network import ENDPOINTS, PATIENCE_SECONDS, Network, small_network
from tests.e2e.devnets import fetch

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    async with small_network(tmp_path_factory.mktemp("faults"), "cosmwasm") as opened:
        yield opened


async def halted(network: Network) -> list[set[str]]:
    """Of each relayer, the names of the chains that it has halted."""
    told: list[Any] = [await asyncio.to_thread(fetch, f"{url}/v1/status") for url in network.relayers]
    return [{chain["name"] for chain in status["chains"] if chain["halt_reason"]} for status in told]


async def test_dropped_websockets_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.MUTE)
    await network.control("devnet_dropSockets")
    await network.ask()
    await network.end()
    await network.lie(None)


async def test_a_node_that_lags_alone_or_all_of_them_for_a_while_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.OLD_HEADS)
    await network.control("devnet_setLag", 3)
    await network.ask()
    await network.subject.rpc.await_blocks(4)
    await network.control("devnet_setLag", 0)
    await network.end()
    await network.lie(None)


async def test_results_of_which_one_endpoint_leaves_events_out_cost_no_request(network: Network) -> None:
    before = network.proxy.told[LieKind.DROP_LOGS]
    await network.lie(LieKind.DROP_LOGS)
    for _ in range(2):
        await network.ask()
    await network.end()
    assert network.proxy.told[LieKind.DROP_LOGS] > before
    await network.lie(None)


async def test_transactions_that_are_lost_with_a_gap_behind_them_run_once(network: Network) -> None:
    swallow, before = LieKind.SWALLOW, network.proxy.told[LieKind.SWALLOW]
    await network.lie(swallow, endpoints=ENDPOINTS)
    await network.ask()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while network.proxy.told[swallow] < before + ENDPOINTS:  # noqa: ASYNC110 - a proxy rings no bell
            await asyncio.sleep(0.1)
    await network.lie(None)
    # What the node takes next it forgets: what follows in the same account's sequence has a gap before it.
    await network.control("devnet_loseTransactions", 2)
    await network.ask()
    await network.end()


async def test_heights_that_are_pruned_for_a_while_cost_no_request(network: Network) -> None:
    await network.control("devnet_prune", await network.subject.rpc.number())
    await network.ask()
    await network.subject.rpc.await_blocks(3)
    await network.control("devnet_prune", 0)
    await network.end()


async def test_another_header_hash_for_a_height_halts_that_chain_and_no_other(network: Network) -> None:
    tip = await network.subject.rpc.number()
    await network.control("devnet_forgeBlocks", tip - 8, tip + 1000)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(names != {network.subject.name} for names in await halted(network)):  # noqa: ASYNC110 - nor a relayer
            await asyncio.sleep(0.3)
    await network.others[0].rpc.await_blocks(2)
    assert await halted(network) == [{network.subject.name}] * len(network.relayers)
