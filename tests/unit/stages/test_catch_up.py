"""How a node comes by what lost pushes would have told it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.ports.store import Commit
from relayer.stages.attest import AttestStage
from relayer.stages.catch_up import CatchUpStage
from relayer.stages.desk import Bell
from relayer.stages.watch import WatchStage
from tests.factories import SIGNING_KEYS, attest, execute_batch, track
from tests.simulation.peers import PAGE_LENGTH
from tests.simulation.world import Node, World
from tests.unit.stages.steps import mine, new_world, stage_of, step


async def watch(world: World, node: Node) -> None:
    """Both chains."""
    for chain in (world.b, world.a):
        await step(world, node, WatchStage, chain)


async def sign(world: World, node: Node, count: int) -> None:
    """So many batches, signed by this node; no push arrives."""
    for _ in range(count):
        world.ask(world.a, world.b)
        mine(world, world.a)
    mine(world, world.a, 4)
    await watch(world, node)
    await step(world, node, AttestStage)
    world.network.on_the_way.clear()


async def test_all_pages_of_a_peer_are_read_in_one_round() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    count = 2 * PAGE_LENGTH + 1
    await sign(world, peer, count)
    await watch(world, node)
    await step(world, node, CatchUpStage)
    assert len(node.store._attestations) == count


async def test_the_cursor_does_not_pass_what_is_not_stored() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    await sign(world, peer, 1)
    await step(world, node, WatchStage, world.b)
    await step(world, node, CatchUpStage)
    assert await node.store.load_peer_cursor(peer.key.key) == ""

    world.kill(node)
    world.start(node)
    await watch(world, node)
    await step(world, node, CatchUpStage)
    assert len(node.store._attestations) == 1
    assert await node.store.load_peer_cursor(peer.key.key) != ""


async def test_a_page_of_roots_that_are_the_peers_alone_is_passed_after_a_while() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    await watch(world, node)
    alone = replace(execute_batch(track()), verifying_gateway=world.b.gateway)
    lie = attest(alone, SIGNING_KEYS[1])
    await peer.store.commit(Commit(attestations=(lie,)))
    await sign(world, peer, PAGE_LENGTH)
    await watch(world, node)
    await step(world, node, CatchUpStage)
    assert await node.store.load_peer_cursor(peer.key.key) == ""
    assert len(node.store._attestations) == PAGE_LENGTH - 1
    world.clock.seconds += 121
    await step(world, node, CatchUpStage)
    assert len(node.store._attestations) == PAGE_LENGTH


async def test_a_peer_that_is_down_is_asked_again_from_the_same_place() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    await sign(world, peer, 1)
    await watch(world, node)
    world.kill(peer)
    await step(world, node, CatchUpStage)
    assert len(node.store._attestations) == 0
    world.start(peer)
    await step(world, node, CatchUpStage)
    assert len(node.store._attestations) == 1


class PatientBell(Bell):
    """Its time is over at once; it counts how often it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    async def wait(self, seconds: float) -> None:
        del seconds
        self.waits += 1


async def test_peers_are_asked_seldom_unless_something_may_be_missing() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    stage, bell = stage_of(node, CatchUpStage), PatientBell()
    node.running.desk.bells.catch_up = bell

    async def waits() -> int:
        bell.waits = 0
        await stage.wait()
        return bell.waits

    await watch(world, node)
    await step(world, node, CatchUpStage)
    assert await waits() == 1, "the peers came up"
    seldom = await waits()
    assert seldom > 3
    world.kill(world.nodes[2])
    assert await waits() == seldom
    world.start(world.nodes[2])
    assert await waits() == 1, "one is back"

    await sign(world, peer, 1)
    await watch(world, node)
    await step(world, node, CatchUpStage)
    assert 1 < await waits() < seldom, "there was news"
    await step(world, node, CatchUpStage)
    assert await waits() == seldom

    await step(world, node, AttestStage)
    assert await waits() == seldom
    world.clock.seconds += world.settings.catch_up_seconds
    assert 1 < (late := await waits()) < seldom, "a quorum is late"
    await step(world, node, CatchUpStage)
    assert late < await waits() < seldom, "and the last round did not bring it"
    world.clock.seconds += 1_000
    node.running.desk.signed_at[bytes(32)] = world.clock.now()
    assert await waits() == seldom, "nor did those since"


async def test_pages_beyond_a_round_are_asked_for_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayer.stages.catch_up._PAGES_PER_ROUND", 1)
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    stage, bell = stage_of(node, CatchUpStage), PatientBell()
    node.running.desk.bells.catch_up = bell
    await sign(world, peer, 2 * PAGE_LENGTH)
    await watch(world, node)
    await stage.wait()
    await step(world, node, CatchUpStage)
    bell.waits = 0
    await stage.wait()
    assert (bell.waits, len(node.store._attestations)) == (1, PAGE_LENGTH)


async def test_a_page_that_must_be_read_again_is_asked_for_soon() -> None:
    world = new_world()
    node, peer = world.nodes[0], world.nodes[1]
    stage, bell = stage_of(node, CatchUpStage), PatientBell()
    node.running.desk.bells.catch_up = bell
    await step(world, node, WatchStage, world.b)
    await step(world, node, CatchUpStage)
    await stage.wait()
    await sign(world, peer, 1)
    await step(world, node, CatchUpStage)
    bell.waits = 0
    await stage.wait()
    assert bell.waits == 1
