"""Blocks wake the stages that wait for them, and no others."""

from __future__ import annotations

import asyncio

from attestation.request import Mode
from relayer.stages.answer import AnswerStage
from relayer.stages.confirm import ConfirmStage
from relayer.stages.desk import Bell, Rest
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.world import Node
from tests.unit.stages.steps import certify, mine, new_world, step


async def was_rung(bell: Bell) -> bool:
    """Whether whoever waits for it would wake at once."""
    waiting = asyncio.ensure_future(bell.wait(1_000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    is_rung = waiting.done()
    waiting.cancel()
    return is_rung


def answer_bell(node: Node) -> Bell:
    """Of the destination."""
    return node.running.desk.bells.answer["eip155:2"]


def confirm_bell(node: Node) -> Bell:
    """Of the destination."""
    return node.running.desk.bells.confirm["eip155:2"]


def test_who_looked_in_vain_rests_until_there_is_work() -> None:
    rest = Rest()
    assert not rest.is_resting("a")
    rest.begin("a", rest.look("a"))
    assert rest.is_resting("a")
    assert not rest.is_resting("b")
    rest.note("a")
    assert not rest.is_resting("a")


def test_work_that_comes_during_a_look_keeps_awake() -> None:
    rest = Rest()
    look = rest.look("a")
    rest.note("a")
    rest.begin("a", look)
    assert not rest.is_resting("a")


async def test_blocks_of_a_chain_without_work_wake_nobody_once_all_have_looked() -> None:
    world = new_world()
    node = world.nodes[0]
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert await was_rung(answer_bell(node))
    assert await was_rung(confirm_bell(node))
    for stage in (AnswerStage, ConfirmStage):
        await step(world, node, stage, world.b)
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert not await was_rung(answer_bell(node))
    assert not await was_rung(confirm_bell(node))


async def test_blocks_wake_who_waits_for_an_answer_to_become_final_until_it_is() -> None:
    world = new_world()
    node = world.nodes[0]
    for chain in (world.b, world.a):
        await step(world, node, WatchStage, chain)
    await step(world, node, AnswerStage, world.b)
    world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    await step(world, node, WatchStage, world.a)
    wakings = 0
    for _ in range(8):
        mine(world, world.a)
        mine(world, world.b)
        for chain in (world.a, world.b):
            await step(world, node, WatchStage, chain)
        if await was_rung(answer_bell(node)):
            wakings += 1
            await step(world, node, AnswerStage, world.b)
    assert 3 <= wakings < 8
    [request] = node.store._requests.values()
    assert request.conclusion is not None


async def test_blocks_wake_who_follows_a_transaction() -> None:
    world = new_world()
    node, _ = await certify(world)
    await step(world, node, ConfirmStage, world.b)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    await was_rung(confirm_bell(node))
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert await was_rung(confirm_bell(node))
