"""A gateway's chain, watched through its real ports while its node does what nodes do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from relayer.domain.observations import CallRequested, EpochApplied, ObservedBlock
from relayer.domain.reorg import ChainCursor
from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.chain import CosmwasmChain
from relayer.vms.cosmwasm.connect import connect
from relayer.vms.cosmwasm.states import PENDING, PendingState, StateReader
from tests.certifying import track_all
from tests.factories import make_signer_set
from tests.integration.cosmwasm.network import DENOMINATION, LocalChain, Network, running_network

PAYLOAD = {"answer": {"data": "aGVsbG8="}}


@pytest.fixture(scope="module")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cosmwasm")


@pytest_asyncio.fixture
async def network(code_cache: Path) -> AsyncIterator[Network]:
    async with running_network(code_cache) as running:
        yield running


@pytest_asyncio.fixture
async def chain(network: Network) -> AsyncIterator[CosmwasmChain]:
    session, parts = await connect(network.settings(network.source))
    async with session:
        yield CosmwasmChain(parts)


def ask(network: Network, count: int = 1) -> None:
    for _ in range(count):
        network.source.ask(network.destination, network.destination.probe, PAYLOAD)
    network.source.close_blocks()


def nonces(*blocks: ObservedBlock) -> list[int]:
    return [o.request.nonce for block in blocks for o in block.observations if isinstance(o, CallRequested)]


async def control(local: LocalChain, method: str, **params: int) -> None:
    named = {name: str(value) for name, value in params.items()}
    async with aiohttp.ClientSession() as session:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": named}
        async with session.post(local.url, json=call) as response:
            assert "result" in await response.json()


async def test_requests_of_one_block_are_told_in_their_order(network: Network, chain: CosmwasmChain) -> None:
    ask(network, 12)
    news = await chain.fetch_news(0, 64)
    *_, block = news.blocks
    assert nonces(block) == list(range(12))
    assert [o.location.tx_index for o in block.observations] == list(range(12))
    assert chain.dropped_logs == 0


async def test_signers_are_told_as_of_a_block_and_when_they_are_applied(network: Network) -> None:
    session, parts = await connect(network.settings(network.destination))
    async with session:
        chain = CosmwasmChain(parts)
        tip = (await chain.fetch_head()).tip
        (first,) = await chain.fetch_epochs(tip)
        assert (first.epoch, first.signer_set) == (1, make_signer_set())
        following = make_signer_set(threshold=4)
        network.destination.rotate(following)
        (block,) = (await chain.fetch_news(tip.number, 64)).blocks
        (told,) = block.observations
        assert isinstance(told, EpochApplied)
        assert (told.epoch, told.signer_set) == (2, following)
        assert [one.epoch for one in await chain.fetch_epochs(block.ref)] == [1, 2]
        assert [one.epoch for one in await chain.fetch_epochs(tip)] == [1]


async def test_a_node_that_falls_behind_goes_back_and_takes_nothing_back(
    network: Network, chain: CosmwasmChain
) -> None:
    ask(network)
    network.source.close_blocks(10)
    before = await chain.fetch_news(0, 64)
    await control(network.source, "devnet_setLag", blocks=5)
    behind = await chain.fetch_news(before.head.tip.number, 64)
    assert behind.head.tip.number == before.head.tip.number - 5
    assert behind.blocks == ()
    await control(network.source, "devnet_setLag", blocks=0)
    assert await chain.fetch_news(0, 64) == before


async def test_security_other_blocks_at_heights_that_were_seen_show(network: Network, chain: CosmwasmChain) -> None:
    """SECURITY: what was signed as final is not final: whoever watches must see that, and halt."""
    network.source.close_blocks(5)
    told = (await chain.fetch_news(0, 64)).blocks
    cursor = ChainCursor(chain.caip2, told[0].ref).extend(told[1:]).finalise(told[-1].ref.number)
    await control(network.source, "devnet_forgeBlocks", first=3, behind=1_000)
    network.source.close_blocks()
    forged = await chain.fetch_block_ref(told[-1].ref.number)
    assert forged is not None
    assert forged != cursor.final
    news = await chain.fetch_news(cursor.tip.number, 64)
    assert not cursor.is_extended_by(news.blocks)
    assert news.blocks[0].parent_hash == forged.hash


async def test_pruned_blocks_are_named(network: Network, chain: CosmwasmChain) -> None:
    network.source.close_blocks(8)
    await control(network.source, "devnet_prune", height=6)
    with pytest.raises(RpcUnavailable, match="none below 6"):
        await chain.fetch_news(2, 64)
    assert (await chain.fetch_news(5, 64)).blocks[0].ref.number == 6


async def test_the_gateway_tells_of_its_requests(network: Network, chain: CosmwasmChain) -> None:
    ask(network, 2)
    session, parts = await connect(network.settings(network.source))
    async with session:
        states = StateReader(parts.pool, parts.identity.gateway_text)
        requests = track_all((await chain.fetch_news(0, 64)).blocks[-1])
        identifiers = [request.request_id for request in requests]
        unknown = type(identifiers[0])(bytes(32))
        assert await states.fetch_pendings([*identifiers, unknown]) == {
            **dict.fromkeys(identifiers, PendingState(PENDING, is_eoa=True)),
            unknown: PendingState(0, is_eoa=False),
        }
        assert await states.fetch_consumed(requests) == frozenset()
        assert await states.fetch_fee_denomination() == DENOMINATION


async def test_a_new_block_wakes_and_so_does_a_lost_socket_that_is_taken_up_again(network: Network) -> None:
    local = network.source
    session, parts = await connect(network.settings(local, block_time_seconds=3_600.0))
    async with session:
        stream = CosmwasmChain(parts).wake_ups()
        await anext(stream)  # the first look needs no hint
        await anext(stream)  # the answer to the subscription
        for _ in range(3):
            local.close_blocks()
            await anext(stream)
        # A socket that ends without a word wakes, for the poll takes over; the next one subscribes again.
        await control(local, "devnet_dropSockets")
        await anext(stream)
        await anext(stream)
        local.close_blocks()
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
