"""What clusters do to their clients, one fault at a time, to a whole network: requests end all the same, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.plan import EXPIRING_SLOTS, LieKind
from tests.chaos.small_network import ENDPOINTS, PATIENCE_SECONDS, Network, small_network

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    async with small_network(tmp_path_factory.mktemp("faults"), "svm") as opened:
        yield opened


async def test_dropped_websockets_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.MUTE)
    await network.control("devnet_dropSockets")
    await network.ask()
    await network.end()
    await network.lie(None)


async def test_a_node_that_lags_alone_or_all_of_them_for_a_while_cost_no_request(network: Network) -> None:
    await network.lie(LieKind.OLD_HEADS)
    await network.control("devnet_setLag", 20)
    await network.ask()
    await network.subject.rpc.await_blocks(5)
    await network.control("devnet_setLag", 0)
    await network.end()
    await network.lie(None)


@pytest.mark.parametrize("kind", [LieKind.DROP_LOGS, LieKind.TRUNCATE])
async def test_signatures_that_one_endpoint_leaves_out_cost_no_request(network: Network, kind: LieKind) -> None:
    before = network.proxy.told[kind]
    await network.lie(kind)
    await network.ask()
    await network.end()
    assert network.proxy.told[kind] > before
    await network.lie(None)


async def test_skipped_slots_cost_no_request(network: Network) -> None:
    for _ in range(3):
        await network.control("devnet_skipSlots", 40)
        await network.ask()
        await network.subject.rpc.await_blocks(3)
    await network.end()


async def test_a_transaction_that_is_lost_is_signed_anew_when_its_blockhash_has_expired_and_runs_once(
    network: Network,
) -> None:
    swallow, before = LieKind.SWALLOW, network.proxy.told[LieKind.SWALLOW]
    await network.lie(swallow, endpoints=ENDPOINTS)
    await network.ask()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while network.proxy.told[swallow] < before + ENDPOINTS:  # noqa: ASYNC110 - a proxy rings no bell
            await asyncio.sleep(0.1)
    # What was signed so far can land no more, whoever sends it again.
    await network.control("devnet_advanceSlots", EXPIRING_SLOTS)
    await network.lie(None)
    await network.end()
