from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Pin
from relayer.vms.evm.agreed import EvmHeaders
from relayer.vms.jsonrpc.pins import MAX_RECENT_TIMES, PinFinder, RecentTimes
from relayer.vms.jsonrpc.stamps import Stamp
from tests.unit.evm.json_chain import GENESIS_SECONDS, JsonChain
from tests.unit.jsonrpc.scripted_node import ScriptedNode, serve_pool


def chain_with(steps: Sequence[int]) -> JsonChain:
    """Blocks after genesis, so many seconds apart."""
    chain = JsonChain()
    for step in steps:
        chain.mine(timestamp=chain.blocks[-1].timestamp + step)
    return chain


def expected_pin(chain: JsonChain, after: int) -> Pin | None:
    for parent, child in zip(chain.blocks, chain.blocks[1:], strict=False):
        if parent.timestamp <= after < child.timestamp:
            return Pin(parent.ref, child.ref)
    return None


async def find(chain: JsonChain, after: int, times: RecentTimes | None = None) -> tuple[Pin | None, int]:
    """The pin, and in how many exchanges it was found."""
    node = ScriptedNode(chain.answer)
    async with serve_pool(node, quorum=1) as pool:
        pool.members[0].is_verified = True
        pin = await PinFinder(EvmHeaders(pool), times or RecentTimes()).find(after)
    return pin, len(node.exchanges)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=80), st.integers(-3, 200), st.sets(st.integers(0, 80)))
def test_the_pin_is_the_parent_of_the_first_later_block_whatever_is_remembered(
    steps: list[int], offset: int, remembered: set[int]
) -> None:
    chain = chain_with(steps)
    after = GENESIS_SECONDS + offset
    times = RecentTimes()
    times.remember(Stamp(b.ref, b.parent_hash, b.timestamp) for b in chain.blocks if b.number in remembered)
    pin, _ = asyncio.run(find(chain, after, times))
    assert pin == expected_pin(chain, after)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=10, max_size=40), st.integers(0, 60), st.lists(st.integers(0, 90), max_size=30)
)
def test_what_is_remembered_of_another_fork_misleads_nobody(steps: list[int], offset: int, lies: list[int]) -> None:
    chain = chain_with(steps)
    after = GENESIS_SECONDS + offset
    times = RecentTimes()
    ref = BlockRef(0, bytes(32))
    times.remember(
        Stamp(BlockRef(number, ref.hash), ref.hash, GENESIS_SECONDS + time) for number, time in enumerate(lies)
    )
    pin, _ = asyncio.run(find(chain, after, times))
    assert pin == expected_pin(chain, after)


async def test_a_pin_among_remembered_blocks_costs_one_exchange() -> None:
    chain = chain_with([2] * 50)
    times = RecentTimes()
    times.remember(Stamp(block.ref, block.parent_hash, block.timestamp) for block in chain.blocks)
    pin, exchanges = await find(chain, chain.blocks[30].timestamp, times)
    assert pin == Pin(chain.blocks[30].ref, chain.blocks[31].ref)
    assert exchanges == 1


async def test_an_old_pin_costs_few_exchanges() -> None:
    chain = chain_with([1] * 50_000)
    pin, exchanges = await find(chain, chain.blocks[777].timestamp)
    assert pin == Pin(chain.blocks[777].ref, chain.blocks[778].ref)
    assert exchanges <= 8


async def test_there_is_no_pin_before_a_later_block_exists() -> None:
    chain = chain_with([5, 5])
    for after in (chain.blocks[-1].timestamp, chain.blocks[-1].timestamp + 100):
        assert (await find(chain, after))[0] is None


async def test_security_a_pin_is_agreed_by_a_quorum() -> None:
    """SECURITY: a pin at another block would have another answer signed."""
    chain = chain_with([5] * 20)
    rival = chain.fork(10)
    for _ in range(10):
        rival.mine(timestamp=rival.blocks[-1].timestamp + 4)
    after = chain.blocks[15].timestamp
    async with serve_pool(ScriptedNode(chain.answer), ScriptedNode(rival.answer), quorum=2) as pool:
        with pytest.raises(RpcUnavailable):
            await PinFinder(EvmHeaders(pool), RecentTimes()).find(after)
    nodes = [ScriptedNode(rival.answer), ScriptedNode(chain.answer), ScriptedNode(chain.answer)]
    async with serve_pool(*nodes, quorum=2) as pool:
        assert await PinFinder(EvmHeaders(pool), RecentTimes()).find(after) == expected_pin(chain, after)


async def test_blocks_of_two_forks_are_no_pin() -> None:
    chain = chain_with([5] * 5)
    rival = chain.fork(1)
    for _ in range(2):
        rival.mine(timestamp=rival.blocks[-1].timestamp + 5, salt="rival")
    times = RecentTimes()
    times.remember(Stamp(block.ref, block.parent_hash, block.timestamp) for block in rival.blocks)
    nodes = [ScriptedNode(fork.answer) for fork in (chain, chain, rival, rival)]
    async with serve_pool(*nodes, quorum=2) as pool:
        pin = await PinFinder(EvmHeaders(pool), times).find(chain.blocks[5].timestamp)
    assert pin in {None, expected_pin(rival, chain.blocks[5].timestamp)}


def test_memory_of_times_is_bounded_and_keeps_the_newest() -> None:
    times = RecentTimes()
    chain_length = MAX_RECENT_TIMES + 100
    times.remember(Stamp(BlockRef(number, b""), b"", number) for number in range(chain_length))
    assert times.guess_child(50) is None
    assert times.guess_child(chain_length - 2) == chain_length - 1
