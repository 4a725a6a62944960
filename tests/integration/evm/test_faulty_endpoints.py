"""Endpoints that lag, forget logs, cut ranges, hang up and go backwards, before a real node: no event is lost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, Final

import psutil
import pytest
import pytest_asyncio

from attestation.request import RequestId
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import CallRequested
from relayer.domain.status import Status
from relayer.errors import RpcUnavailable
from relayer.vms.evm import registration
from tests.integration.evm.acting import fetch_tip
from tests.integration.evm.faulty_proxy import Dropped, Fault, FaultyProxy, Hints, proxy_before
from tests.integration.evm.following import Follower
from tests.integration.evm.network import Network, calldata

pytestmark = pytest.mark.anvil

BLOCKS: Final = 24


def forget_logs(rng: random.Random) -> Fault:
    """An index of logs that is behind the blocks: ranges lack some or all."""

    def spoil(call: dict[str, Any], result: Any) -> Any:
        is_range = call["method"] == "eth_getLogs" and "fromBlock" in call["params"][0]
        return result[: rng.randrange(len(result))] if is_range and result else result

    return spoil


def forget_blocks(rng: random.Random) -> Fault:
    """Now and then a block that is not there yet."""

    def spoil(call: dict[str, Any], result: Any) -> Any:
        is_block = call["method"] == "eth_getBlockByNumber"
        return None if is_block and rng.random() < 0.3 else result

    return spoil


def hang_up(rng: random.Random) -> Fault:
    """Now and then no answer at all."""

    def spoil(_call: dict[str, Any], result: Any) -> Any:
        if rng.random() < 0.15:
            raise Dropped
        return result

    return spoil


def answer_nonsense(rng: random.Random) -> Fault:
    """Now and then something of another type."""
    return lambda _call, result: rng.choice(([], "0xzz", {}, 7, "")) if rng.random() < 0.1 else result


FAULTS: Final[tuple[Callable[[random.Random], Fault], ...]] = (
    forget_logs,
    forget_blocks,
    hang_up,
    answer_nonsense,
)


@pytest_asyncio.fixture
async def proxy(network: Network) -> AsyncIterator[FaultyProxy]:
    async with proxy_before(network.source.url) as faulty:
        yield faulty


@asynccontextmanager
async def follow(network: Network, *urls: str, quorum: int, **changes: Any) -> AsyncIterator[Follower]:
    """From the tip on, through these endpoints, final at depth 2, unless said."""
    settings = network.settings(
        network.source,
        **{
            "rpc_urls": urls,
            "rpc_quorum": quorum,
            "ws_urls": (),
            "finality": FinalityRule(depth_blocks=2),
            "request_timeout_seconds": 2.0,
            **changes,
        },
    )
    chain = await registration.open_chain(settings)
    follower = Follower(chain, network.routes, network.source.web3.eth.block_number + 1)
    await follower.watch()
    try:
        yield follower
    finally:
        await chain.close()


async def watch(follower: Follower) -> bool:
    """As the runner does: a fault is met with another try. Whether this one came to its end."""
    try:
        await follower.watch()
    except RpcUnavailable:
        return False
    return True


async def asked_on(network: Network) -> set[RequestId]:
    """Every request that the chain knows, as an honest endpoint tells."""
    chain = await registration.open_chain(network.settings(network.source))
    tip = await fetch_tip(chain)
    blocks = await chain.source.fetch_blocks(max(tip.ref.number - 60, 0), tip.ref.number)
    await chain.close()
    return {o.request_id for block in blocks for o in block.observations if isinstance(o, CallRequested)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_the_only_endpoint_is_bad_and_no_event_is_lost(
    network: Network, proxy: FaultyProxy, fault: Callable[[random.Random], Fault]
) -> None:
    """What one endpoint leaves out is missed by the block's own bloom; what it tells out of turn, by the links."""
    async with follow(network, proxy.url, quorum=1) as follower:
        proxy.fault = fault(random.Random(5))
        await live_through(network, follower, proxy)


async def test_the_only_endpoint_goes_backwards_and_no_event_is_lost(network: Network, proxy: FaultyProxy) -> None:
    """A load balancer's servers are not all as far."""
    rng = random.Random(5)
    async with follow(network, proxy.url, quorum=1) as follower:
        proxy.behind = lambda: rng.randrange(6)
        await live_through(network, follower, proxy)


async def test_the_only_endpoint_gives_parts_of_what_it_is_asked_and_no_event_is_lost(
    network: Network, proxy: FaultyProxy
) -> None:
    """Batches whose last answers are missing."""
    rng = random.Random(5)
    async with follow(network, proxy.url, quorum=1) as follower:
        proxy.truncate = lambda count: rng.randrange(count + 1) if rng.random() < 0.3 else count
        await live_through(network, follower, proxy)


@pytest.mark.parametrize("fault", [forget_logs, forget_blocks], ids=lambda fault: fault.__name__)
async def test_long_ranges_come_back_truncated_and_no_event_is_lost(
    network: Network, proxy: FaultyProxy, fault: Callable[[random.Random], Fault]
) -> None:
    """After an hour of sleep: many blocks at a time, of which an endpoint gives the first ones, or logs of those."""
    async with follow(network, proxy.url, quorum=1) as follower:
        for number in range(BLOCKS):
            network.ask(calldata(network.destination.counter, "increment", number))
            network.source.mine(6)
        proxy.fault = fault(random.Random(5))
        for _ in range(BLOCKS):
            await watch(follower)
        assert proxy.faults
        proxy.fault = lambda _, answer: answer
        assert await watch(follower)
        assert len(follower.store._requests) == BLOCKS
        await assert_gap_free(network, follower)


@pytest.mark.parametrize("hints", [Hints.SWALLOWED, Hints.CUT], ids=lambda hints: hints.name.lower())
async def test_subscriptions_go_silent_or_are_cut_and_no_event_is_lost(
    network: Network, proxy: FaultyProxy, hints: Hints
) -> None:
    """Whatever becomes of the sockets, the chain is looked at; when they work again they are used again."""
    socket_url = proxy.url.replace("http", "ws")
    async with (
        follow(network, network.source.url, quorum=1, ws_urls=(socket_url,), block_time_seconds=0.1) as follower,
        follower.listening(),
    ):
        for number in range(BLOCKS):
            proxy.hints = hints if number % 8 < 6 else Hints.PASSED  # thrice they work for two blocks
            network.ask(calldata(network.destination.counter, "increment", number))
            await follower.watch_up_to(network.source.mine())
        assert proxy.faults
        assert len(follower.store._requests) == BLOCKS
        assert set(follower.store._requests) == await asked_on(network)
        await assert_gap_free(network, follower)


async def live_through(network: Network, follower: Follower, proxy: FaultyProxy) -> None:
    """Requests come while the endpoint is bad; when it is good again, all is known, and the cursor has no gap."""
    for number in range(BLOCKS):
        if number % 2 == 0:
            network.ask(calldata(network.destination.counter, "increment", number))
        network.source.mine()
        await watch(follower)
    assert proxy.faults
    proxy.fault, proxy.behind, proxy.truncate = (lambda _, answer: answer), (lambda: 0), (lambda count: count)
    network.source.mine(3)
    assert await watch(follower)
    assert set(follower.store._requests) == await asked_on(network)
    assert len(follower.store._requests) == BLOCKS // 2
    final = [
        r.status
        for r in follower.store._requests.values()
        if r.block.number <= network.source.web3.eth.block_number - 2
    ]
    assert set(final) == {Status.FINAL}
    await assert_gap_free(network, follower)


async def assert_gap_free(network: Network, follower: Follower) -> None:
    """The cursor is at the tip, its blocks are those of the chain, and each stands on the one before."""
    cursor = await follower.store.load_cursor(follower.chain.source.caip2)
    assert cursor is not None
    assert cursor.tip.number == network.source.web3.eth.block_number
    refs = [cursor.final, *(block.ref for block in cursor.seen)]
    for block, (parent, child) in zip(cursor.seen, pairwise(refs), strict=True):
        assert (block.parent_hash, child.number) == (parent.hash, parent.number + 1)
    for ref in refs:
        assert bytes(network.source.web3.eth.get_block(ref.number)["hash"]) == ref.hash


async def test_security_logs_that_one_endpoint_invents_are_believed_by_nobody(
    network: Network, proxy: FaultyProxy
) -> None:
    """SECURITY: what one endpoint says alone is not taken in, whatever else waits for it."""

    def invent(call: dict[str, Any], result: Any) -> Any:
        if call["method"] == "eth_getLogs" and result:
            return [{**log, "data": log["data"][:-1] + "1"} for log in result]
        return result

    async with follow(network, proxy.url, network.source.url, quorum=2) as follower:
        proxy.fault = invent
        network.ask(calldata(network.destination.counter, "increment", 1))
        network.source.mine(4)
        assert not await watch(follower)
        assert proxy.faults
        assert follower.store._requests == {}
        proxy.fault = lambda _, answer: answer
        assert await watch(follower)
        assert set(follower.store._requests) == await asked_on(network)


async def test_a_node_that_hangs_is_waited_for_no_longer_than_said_and_taken_in_again_when_it_wakes(
    network: Network,
) -> None:
    """SIGSTOP: the port is open and nothing answers."""
    async with follow(network, network.source.url, quorum=1) as follower:
        network.ask(calldata(network.destination.counter, "increment", 1))
        network.source.mine(3)
        chain = process_of(network)
        chain.suspend()
        try:
            # Its other threads answer until the last of them has stopped.
            while chain.status() != psutil.STATUS_STOPPED:
                pass
            assert not await watch(follower)
        finally:
            chain.resume()
        assert await watch(follower)
        assert len(follower.store._requests) == 1


def process_of(network: Network) -> psutil.Process:
    """The source chain's process, which this one started."""
    port = network.source.url.rpartition(":")[2]
    [process] = [child for child in psutil.Process().children(recursive=True) if port in " ".join(child.cmdline())]
    return process
