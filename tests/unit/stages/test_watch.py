"""How a chain is taken in: forks, restarts, and what other chains told before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.request import RequestId
from relayer.domain.status import Status
from relayer.errors import RpcUnavailable
from relayer.ports.chain import News
from relayer.ports.store import Commit
from relayer.stages.epochs import EpochBook
from relayer.stages.watch import WatchStage
from tests.simulation.world import Node
from tests.unit.stages.steps import mine, new_world, stage_of, step


def status_of(node: Node, identifier: RequestId) -> Status:
    """Where the node sees the request."""
    return node.store._requests[identifier].status


async def test_a_request_comes_back_with_the_very_block_that_a_fork_had_taken_away() -> None:
    world = new_world()
    node, chain = world.nodes[0], world.a
    mine(world, chain)
    identifier = world.ask(chain, world.b)
    mine(world, chain)
    await step(world, node, WatchStage, chain)
    assert status_of(node, identifier) is Status.OBSERVED

    assert chain.reorganise(1, 1, int(world.clock.now()), kept=[False])
    await step(world, node, WatchStage, chain)
    await step(world, node, WatchStage, chain)
    assert status_of(node, identifier) is Status.ORPHANED

    assert chain.return_to_abandoned(int(world.clock.now()))
    await step(world, node, WatchStage, chain)
    await step(world, node, WatchStage, chain)
    assert status_of(node, identifier) is Status.OBSERVED
    mine(world, chain, 3)
    await step(world, node, WatchStage, chain)
    assert status_of(node, identifier) is Status.FINAL


async def test_a_request_moves_with_its_transaction_to_another_block() -> None:
    world = new_world()
    node, chain = world.nodes[0], world.a
    mine(world, chain)
    identifier = world.ask(chain, world.b)
    mine(world, chain)
    await step(world, node, WatchStage, chain)
    assert chain.reorganise(1, 2, int(world.clock.now()))
    await step(world, node, WatchStage, chain)
    await step(world, node, WatchStage, chain)
    moved = node.store._requests[identifier]
    assert (moved.status, moved.location) == (Status.OBSERVED, chain.requests()[identifier].location)


async def test_endpoints_that_fell_behind_during_a_reorg_prove_no_broken_finality() -> None:
    """A missing block is no other block: only that halts a chain for good."""
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a, 8)
    await step(world, node, WatchStage, world.a)
    assert world.a.reorganise(2, 3, int(world.clock.now()))
    view = node.running.views[world.a.caip2]

    async def behind(number: int) -> None:
        """As a load balancer's slowest server answers."""

    stage = stage_of(node, WatchStage, world.a)
    honest, view.fetch_block_ref = view.fetch_block_ref, behind  # type: ignore[method-assign, assignment]
    with pytest.raises(RpcUnavailable, match="not served"):
        await stage.run_once()
    view.fetch_block_ref = honest  # type: ignore[method-assign]
    await step(world, node, WatchStage, world.a)
    await step(world, node, WatchStage, world.a)
    assert node.running.desk.halted == {}
    assert node.running.desk.tips[world.a.caip2].tip_number == world.a.tip.ref.number


async def test_security_at_a_start_what_a_former_verifier_applied_gives_way_to_what_counts() -> None:
    """SECURITY: an epoch of a verifier that counts no more would outrank those that do, and nothing would be signed."""
    world = new_world()
    node, chain = world.nodes[0], world.a
    mine(world, chain, 8)
    await step(world, node, WatchStage, chain)
    desk = node.running.desk
    (applied,) = await node.store.load_epochs(chain.gateway)
    await node.store.commit(Commit(epochs=(replace(applied, epoch=9),)))
    desk.epochs = EpochBook()
    await WatchStage(desk, node.running.views[chain.caip2], start_block=1).run_once()
    assert list(await node.store.load_epochs(chain.gateway)) == [applied]
    assert desk.epochs.newest(chain.gateway) == applied


async def test_security_what_was_seen_is_not_final_while_the_block_after_it_is_withheld() -> None:
    """SECURITY: the chain may have left it: heads alone say how high a chain is, not what it is made of."""
    world = new_world()
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    await step(world, node, WatchStage, world.a)
    world.ask(world.a, world.b)
    mine(world, world.a)
    await step(world, node, WatchStage, world.a)
    assert world.a.reorganise(1, 5, int(world.clock.now()) + 30, kept=[False])
    view = node.running.views[world.a.caip2]
    fetch_news = view.fetch_news

    async def withhold(after: int, most: int) -> News:
        return replace(await fetch_news(after, most), blocks=())

    view.fetch_news = withhold  # type: ignore[method-assign]
    await step(world, node, WatchStage, world.a)
    assert not node.store._batches
    view.fetch_news = fetch_news  # type: ignore[method-assign]
    await step(world, node, WatchStage, world.a)
    assert [request.status for request in node.store._requests.values()] == [Status.ORPHANED]
