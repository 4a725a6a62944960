"""When a batch that finds no quorum is cut, and when it is left whole."""

from __future__ import annotations

from relayer.domain.effects import EffectKind
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.split import SplitStage
from relayer.stages.watch import WatchStage
from tests.factories import SIGNING_KEYS, attest, make_signer_set
from tests.simulation.gateway import Apply
from tests.simulation.world import Node, World
from tests.unit.stages.steps import mine, new_world, step

WAIT = StageSettings().split_seconds


async def born(world: World, count: int) -> Node:
    """A node that has built and signed one batch of so many requests, and heard of nobody else."""
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    for _ in range(count):
        world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    assert len(node.store._batches) == 1
    return node


def counts(node: Node) -> list[int]:
    """The sizes of all batches of the node."""
    return sorted(batch.count for batch in node.store._batches.values())


async def test_a_batch_without_a_quorum_is_cut_down_to_single_leaves_after_a_while() -> None:
    world = new_world()
    node = await born(world, 4)
    world.clock.seconds += WAIT - 1
    await step(world, node, SplitStage)
    assert counts(node) == [4]
    world.clock.seconds += 1
    await step(world, node, SplitStage)
    assert len(counts(node)) == 7
    assert counts(node)[:4] == [1, 1, 1, 1]
    await step(world, node, AttestStage)
    assert len(world.truth.signed[node.key.key]) == 7
    assert not any(kind is EffectKind.SPLIT_BATCH for kind, _ in node.store._outbox)


async def test_a_batch_with_a_quorum_is_left_whole() -> None:
    world = new_world()
    node = await born(world, 4)
    [batch] = node.store._batches.values()
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.take_in(key.key, [attest(batch, key)])
    assert not any(kind is EffectKind.SPLIT_BATCH for kind, _ in node.store._outbox)
    world.clock.seconds += WAIT
    await step(world, node, SplitStage)
    assert counts(node) == [4]


async def test_a_single_leaf_is_never_cut() -> None:
    world = new_world()
    node = await born(world, 1)
    assert not any(kind is EffectKind.SPLIT_BATCH for kind, _ in node.store._outbox)
    world.clock.seconds += WAIT
    await step(world, node, SplitStage)
    assert counts(node) == [1]


async def test_a_part_certifies_its_own_requests_and_the_whole_may_still_certify_the_rest() -> None:
    world = new_world()
    node = await born(world, 2)
    [whole] = node.store._batches.values()
    world.clock.seconds += WAIT
    await step(world, node, SplitStage)
    await step(world, node, AttestStage)
    part = next(batch for batch in node.store._batches.values() if batch.count == 1)
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.take_in(key.key, [attest(part, key)])
    certified = {i: r.execute_root for i, r in node.store._requests.items() if r.is_execute_certified}
    [(first, root)] = certified.items()
    assert root == part.root
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.take_in(key.key, [attest(whole, key)])
    requests = node.store._requests
    assert requests[first].execute_root == part.root
    assert {r.execute_root for i, r in requests.items() if i != first} == {whole.root}
    assert all(r.is_execute_certified for r in requests.values())


async def test_a_batch_that_finds_no_quorum_under_a_new_epoch_either_is_cut_again() -> None:
    world = new_world()
    node = await born(world, 4)
    for _ in range(2):
        world.clock.seconds += WAIT
        await step(world, node, SplitStage)
        await step(world, node, AttestStage)
        world.transact(world.b, Apply(make_signer_set(SIGNING_KEYS[::-1])))
        mine(world, world.b, 4)
        await step(world, node, WatchStage, world.b)
        await step(world, node, AttestStage)
    signed = {(attestation.root, attestation.epoch) for attestation in node.store._attestations.values()}
    assert {epoch for _, epoch in signed} == {1, 2, 3}
    assert len([epoch for _, epoch in signed if epoch == 2]) == 7


async def test_nobody_waits_for_the_quorum_of_what_was_cut() -> None:
    world = new_world()
    node = await born(world, 2)
    desk = node.running.desk
    world.clock.seconds += WAIT
    for stage in (SplitStage, AttestStage):
        await step(world, node, stage)
    [whole, *parts] = sorted(node.store._batches.values(), key=lambda batch: -batch.count)
    assert desk.signed_at.keys() == {part.root for part in parts}
    for part in parts:
        for key in SIGNING_KEYS[1:3]:
            await node.running.inbox.take_in(key.key, [attest(part, key)])
    assert not desk.signed_at
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.take_in(key.key, [attest(whole, key)])
    durations = {
        sample.value
        for family in desk.metrics.quorum_duration.collect()
        for sample in family.samples
        if sample.name.endswith("_count")
    }
    assert durations == {2.0}, "of the whole, nobody knows"
