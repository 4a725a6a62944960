"""When a request is let expire, and by whom."""

from __future__ import annotations

from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.stages.expire import ExpireStage
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.world import POOR_FEE
from tests.unit.stages.steps import certify, mine, new_world, step


async def test_a_held_request_is_let_expire_when_the_destinations_clock_is_past_its_expiry() -> None:
    world = new_world()
    node, identifier = await certify(world, valid_seconds=200, fee=POOR_FEE)
    world.clock.seconds += 20
    await step(world, node, SubmitStage, world.b)
    assert node.store._requests[identifier].status is Status.EXECUTION_HELD
    world.clock.seconds += 1_000
    await step(world, node, ExpireStage, world.b)
    assert (EffectKind.SUBMIT_EXPIRE, identifier) not in node.store._outbox
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ExpireStage, world.b)
    assert (EffectKind.SUBMIT_EXPIRE, identifier) in node.store._outbox


async def test_a_dispatched_request_is_left_to_its_transaction() -> None:
    world = new_world()
    node, identifier = await certify(world, valid_seconds=200)
    world.clock.seconds += 20
    await step(world, node, SubmitStage, world.b)
    world.b.pool.clear()
    world.clock.seconds += 1_000
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ExpireStage, world.b)
    assert node.store._requests[identifier].status is Status.DISPATCHED
    assert (EffectKind.SUBMIT_EXPIRE, identifier) not in node.store._outbox


async def test_expiries_are_left_to_the_first_in_rank_for_a_while() -> None:
    world = new_world()
    _, identifier = await certify(world, valid_seconds=60)
    world.clock.seconds += 1_000
    mine(world, world.b)
    for node in world.nodes:
        await step(world, node, WatchStage, world.b)
        await step(world, node, ExpireStage, world.b)
    now = world.clock.now()
    due = sorted(node.store._outbox[EffectKind.SUBMIT_EXPIRE, identifier].due_at - now for node in world.nodes)
    takeover = world.settings.takeover_seconds
    assert due == [0.0, takeover, 2 * takeover, 3 * takeover]


async def test_looking_again_does_not_hasten_what_was_put_off() -> None:
    world = new_world()
    node, identifier = await certify(world, valid_seconds=60)
    world.clock.seconds += 1_000
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ExpireStage, world.b)
    first = node.store._outbox[EffectKind.SUBMIT_EXPIRE, identifier].due_at
    world.clock.seconds += 1
    await step(world, node, ExpireStage, world.b)
    assert node.store._outbox[EffectKind.SUBMIT_EXPIRE, identifier].due_at == first
