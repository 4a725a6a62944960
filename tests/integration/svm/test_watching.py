"""A gateway's chain, watched through its real ports while its node does what clusters' nodes do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio

from relayer.domain.observations import CallRequested, EpochApplied, ObservedBlock
from relayer.vms.svm.chain import SvmChain
from relayer.vms.svm.connect import connect
from tests.factories import make_signer_set
from tests.integration.svm.network import MEMO, LocalChain, Network, call_payload, running_network


@pytest_asyncio.fixture
async def network() -> AsyncIterator[Network]:
    async with running_network() as running:
        yield running


@pytest_asyncio.fixture
async def chain(network: Network) -> AsyncIterator[SvmChain]:
    session, parts = await connect(network.settings(network.source))
    async with session:
        yield SvmChain(parts)


def ask(network: Network, count: int = 1) -> None:
    for _ in range(count):
        network.source.ask(network.destination, MEMO, call_payload(b"hello"))
    network.source.close_slots()


def nonces(*blocks: ObservedBlock) -> list[int]:
    return [o.request.nonce for block in blocks for o in block.observations if isinstance(o, CallRequested)]


async def control(local: LocalChain, method: str, *params: Any) -> None:
    async with aiohttp.ClientSession() as session:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with session.post(local.url, json=call) as response:
            assert "result" in await response.json()


async def test_requests_of_one_block_and_the_first_signers_are_told(network: Network, chain: SvmChain) -> None:
    ask(network, 30)
    news = await chain.fetch_news(0, 64)
    *_, block = news.blocks
    assert nonces(block) == list(range(30))
    assert [o.location.tx_index for o in block.observations] == list(range(30))
    assert [o.signer_set for o in news.blocks[0].observations if isinstance(o, EpochApplied)] == [make_signer_set()]
    assert chain.dropped_logs == 0


async def test_a_node_that_falls_behind_goes_back_and_takes_nothing_back(network: Network, chain: SvmChain) -> None:
    ask(network)
    network.source.close_slots(10)
    before = await chain.fetch_news(0, 64)
    await control(network.source, "devnet_setLag", 12)
    behind = await chain.fetch_news(before.head.tip.number, 64)
    assert behind.head.tip.number < before.head.tip.number
    assert behind.blocks == ()
    await control(network.source, "devnet_setLag", 0)
    assert await chain.fetch_news(0, 64) == before


async def test_a_block_without_statuses_is_waited_for(network: Network, chain: SvmChain) -> None:
    slot = network.source.chain.ledger.open.slot
    ask(network)
    network.source.close_slots(3)
    await control(network.source, "devnet_hideStatuses", slot, slot + 1)
    assert [block.ref.number for block in (await chain.fetch_news(0, 64)).blocks] == list(range(1, slot))
    assert (await chain.fetch_news(slot - 1, 64)).blocks == ()
    await control(network.source, "devnet_hideStatuses", 0, 0)
    assert nonces(*(await chain.fetch_news(slot - 1, 64)).blocks) == [0]


async def test_skipped_slots_are_gaps_and_no_request_falls_into_one(network: Network, chain: SvmChain) -> None:
    for _ in range(3):
        await control(network.source, "devnet_skipSlots", 7)
        ask(network)
    network.source.close_slots(2)
    blocks = (await chain.fetch_news(0, 64)).blocks
    assert nonces(*blocks) == [0, 1, 2]
    assert blocks[-1].ref.number - blocks[0].ref.number > len(blocks)
