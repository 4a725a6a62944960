"""Who submits when: a takeover time for each rank before one's own, but for those that are known to be down."""

from __future__ import annotations

from relayer.stages.attest import AttestStage
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.world import Node, World
from tests.unit.stages.steps import hear, mine, new_world, step


async def seen_by_all(world: World) -> list[Node]:
    """The nodes by their rank for a request that all have taken in and nobody has signed."""
    identifier = world.ask(world.a, world.b)
    mine(world, world.a, 5)
    mine(world, world.b)
    for node in world.nodes:
        for chain in (world.a, world.b):
            await step(world, node, WatchStage, chain)
    asked = world.a.requests()[identifier]

    def delay(node: Node) -> float:
        return node.running.desk.rank_delay(asked.route, asked.location.block.number, world.b.gateway)

    ranked = sorted(world.nodes, key=delay)
    takeover = world.settings.takeover_seconds
    assert [delay(node) for node in ranked] == [0, takeover, 2 * takeover, 3 * takeover]
    return ranked


async def certify_and_submit(world: World, nodes: list[Node]) -> list[int]:
    """How many transactions each of these nodes sends at once when there is a certificate. No time passes."""
    for node in nodes:
        await step(world, node, AttestStage)
    await hear(world, nodes)
    for node in nodes:
        await step(world, node, SubmitStage, world.b)
    return [len(node.store._transactions) for node in nodes]


async def test_the_first_in_rank_submits_at_once_and_the_others_wait() -> None:
    world = new_world()
    ranked = await seen_by_all(world)
    assert await certify_and_submit(world, ranked) == [1, 0, 0, 0]


async def test_the_next_in_rank_submits_at_once_when_the_first_is_known_to_be_down() -> None:
    world = new_world()
    first, *others = await seen_by_all(world)
    world.kill(first)
    assert await certify_and_submit(world, others) == [1, 0, 0]
