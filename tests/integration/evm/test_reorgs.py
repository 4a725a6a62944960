"""Forks of a real node, as the watcher takes them: above finality an event, below it a halt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio

from relayer.domain.finality import FinalityRule
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import ReorgBelowFinality
from relayer.vms.evm import registration
from tests.integration.evm.following import Follower
from tests.integration.evm.network import Network, calldata

pytestmark = pytest.mark.anvil

DEPTH = 3


@pytest_asyncio.fixture
async def follower(network: Network) -> AsyncIterator[Follower]:
    """A node that follows the source chain, which is final three blocks below its tip."""
    settings = network.settings(network.source, finality=FinalityRule(depth_blocks=DEPTH))
    chain = await registration.open_chain(settings)
    following = Follower(chain, network.routes, network.source.web3.eth.block_number + 1)
    await following.watch()
    yield following
    await chain.close()


def ask(network: Network) -> str:
    """A request in the pool; its transaction."""
    network.ask(calldata(network.destination.counter, "increment", 1))
    content = network.source.rpc("txpool_content")["pending"]
    [by_nonce] = content.values()
    [transaction] = by_nonce.values()
    return str(transaction["hash"])


def only(follower: Follower) -> TrackedRequest:
    """The one request that the node knows."""
    [request] = follower.store._requests.values()
    return request


async def test_a_request_on_a_fork_that_dies_is_orphaned_and_no_batch_is_born_of_it(
    network: Network, follower: Follower
) -> None:
    ask(network)
    network.source.mine(2)
    await follower.watch()
    assert only(follower).status is Status.OBSERVED
    network.source.rpc("anvil_reorg", 2, [])
    network.source.mine()
    await follower.watch()
    assert only(follower).status is Status.ORPHANED
    network.source.mine(DEPTH + 1)
    await follower.watch()
    assert only(follower).status is Status.ORPHANED
    assert follower.store._batches == {}
    assert follower.store._outbox == {}


async def test_a_request_that_is_mined_again_is_signed_about_at_its_new_place_alone(
    network: Network, follower: Follower
) -> None:
    raw = network.source.rpc("eth_getRawTransactionByHash", ask(network))
    network.source.mine(2)
    await follower.watch()
    old = only(follower).location
    network.source.rpc("anvil_reorg", 2, [[raw, 1]])
    network.source.mine()
    await follower.watch()
    assert only(follower).status is Status.OBSERVED
    assert only(follower).location.block != old.block
    network.source.mine(DEPTH + 1)
    await follower.watch()
    assert only(follower).status is Status.FINAL
    [batch] = follower.store._batches.values()
    [statement] = batch.statements
    assert statement.block_hash == only(follower).location.block.hash  # type: ignore[union-attr]


async def test_the_cursor_has_no_gap_whatever_the_chain_did_between_two_looks(
    network: Network, follower: Follower
) -> None:
    for depth, length in ((1, 1), (2, 5), (2, 0), (1, 9)):
        network.source.mine(3)
        await follower.watch()
        network.source.rpc("anvil_reorg", depth, [])
        network.source.mine(length + 1)
        await follower.watch()
        cursor = await follower.store.load_cursor(follower.chain.source.caip2)
        assert cursor is not None
        refs = [cursor.final, *(block.ref for block in cursor.seen)]
        for block, (parent, child) in zip(cursor.seen, pairwise(refs), strict=True):
            assert (block.parent_hash, child.number) == (parent.hash, parent.number + 1)
        for ref in refs:
            assert bytes(network.source.web3.eth.get_block(ref.number)["hash"]) == ref.hash


async def test_security_a_fork_below_finality_is_told_with_both_hashes(network: Network, follower: Follower) -> None:
    """SECURITY: what was final is another block now; nothing may be signed about this chain any more."""
    network.source.mine(DEPTH + 4)
    await follower.watch()
    cursor = await follower.store.load_cursor(follower.chain.source.caip2)
    assert cursor is not None
    network.source.rpc("anvil_reorg", DEPTH + 3, [])
    network.source.mine()
    with pytest.raises(ReorgBelowFinality) as halt:
        await follower.watch()
    found = bytes(network.source.web3.eth.get_block(cursor.final.number)["hash"])
    assert (halt.value.number, halt.value.held_hash) == (cursor.final.number, cursor.final.hash)
    assert halt.value.found_hash == found
    assert found != cursor.final.hash
