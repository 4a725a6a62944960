"""How queries are answered: at the block that the asking block's time names, for asking blocks that are final."""

from __future__ import annotations

import random
from dataclasses import replace

from attestation.request import Mode, RequestId
from attestation.statement import Outcome
from relayer.domain.batch import BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.stages.answer import AnswerStage
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.simulation.world import Node, World
from tests.unit.stages.steps import mine, new_world, stage_of, step


async def watch(world: World, node: Node) -> None:
    """Both chains, as far as there is anything new."""
    for chain in (world.a, world.b):
        for _ in range(3):
            await step(world, node, WatchStage, chain)


def outcomes_signed(world: World, node: Node) -> list[RequestId]:
    """What the node has signed outcomes about."""
    return [
        statement.request_id
        for batch in world.truth.signed[node.key.key]
        if batch.kind is BatchKind.OUTCOME
        for statement in batch.statements
        if isinstance(statement, Outcome)
    ]


async def test_a_query_is_answered_once_its_block_and_its_pin_are_final() -> None:
    world = new_world()
    node = world.nodes[0]
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    for _ in range(6):
        mine(world, world.a)
        mine(world, world.b)
        await watch(world, node)
        await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == [identifier]


async def test_security_an_orphaned_query_is_in_no_batch_of_the_block_that_replaced_its_own() -> None:
    """SECURITY: the orphan's block is not final, and never will be."""
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    orphan = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    await step(world, node, AnswerStage, world.b)
    assert orphan in node.store._answers

    replacements = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(3)]
    assert world.a.reorganise(1, 1, int(world.clock.now()), kept=[False])
    for _ in range(6):
        mine(world, world.a)
        mine(world, world.b)
        await watch(world, node)
        await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert node.store._requests[orphan].status is Status.ORPHANED
    requests = node.store._requests
    assert {requests[i].block.number for i in replacements} == {requests[orphan].block.number}
    assert outcomes_signed(world, node) == replacements
    assert len(world.truth.signed[node.key.key]) == 1


async def test_security_an_answer_read_for_a_former_block_of_a_query_is_not_signed() -> None:
    """SECURITY: the pin follows from the time of the block that is final, not of one that a fork has taken away."""
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    query = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    await step(world, node, AnswerStage, world.b)
    assert query in node.store._answers

    mine(world, world.b, 2)
    assert world.a.reorganise(1, 1, int(world.clock.now()))
    node.running.views[world.b.caip2].is_unreadable = True
    for _ in range(6):
        mine(world, world.a)
        mine(world, world.b)
        await watch(world, node)
        await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == []

    node.running.views[world.b.caip2].is_unreadable = False
    world.clock.seconds += 3
    await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == [query]


async def test_security_an_answer_under_way_while_its_query_moves_to_another_block_is_read_again() -> None:
    """SECURITY: the same, when the fork comes between the reading and the writing."""
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    query = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)

    view = node.running.views[world.b.caip2]
    fetch_answers = view.fetch_answers

    async def fetch_while_the_source_forks(*arguments: object) -> object:
        answers = await fetch_answers(*arguments)  # type: ignore[arg-type]
        mine(world, world.b, 2)
        assert world.a.reorganise(1, 1, int(world.clock.now()))
        await stage_of(node, WatchStage, world.a).run_once()
        await stage_of(node, WatchStage, world.a).run_once()
        return answers

    view.fetch_answers = fetch_while_the_source_forks  # type: ignore[method-assign, assignment]
    await stage_of(node, AnswerStage, world.b).run_once()
    del view.fetch_answers
    assert query not in node.store._answers
    assert (EffectKind.READ_ANSWER, query) in node.store._outbox


async def test_security_an_answer_read_on_a_fork_that_the_watcher_never_saw_is_not_signed() -> None:
    """SECURITY: a pin counts if it still is one when it is final."""
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    query = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    await watch(world, node)
    mine(world, world.b)
    await step(world, node, AnswerStage, world.b)
    read = node.store._answers[query]
    assert world.b.reorganise(1, 2, int(world.clock.now()))
    for _ in range(6):
        mine(world, world.a)
        mine(world, world.b)
        await watch(world, node)
    assert node.store._answers[query] == read
    await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == []
    await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == [query]


async def test_security_an_answer_is_not_signed_before_its_own_pin_is_final() -> None:
    """SECURITY: that another answer to the same block's queries is ripe makes it no riper."""
    world = new_world(replace(StageSettings(), claim_limit=1))
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    first, second = (world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(2))
    mine(world, world.a)
    await watch(world, node)
    mine(world, world.b)
    await step(world, node, AnswerStage, world.b)
    assert set(node.store._answers) == {first}

    # The block in which the first was read goes, unseen, and the pin with it: three slow blocks come before it now.
    asked_at = world.a.tip.observed.timestamp
    assert world.b.reorganise(1, 1, 0)
    for _ in range(2):
        world.b.mine(0)
    assert world.b.tip.observed.timestamp <= asked_at
    mine(world, world.b)
    mine(world, world.a, 4)
    await step(world, node, AnswerStage, world.b)
    assert set(node.store._answers) == {first, second}
    while node.running.desk.tips[world.b.caip2].final_number < node.store._answers[first].pin.child.number:
        await watch(world, node)
        mine(world, world.b)
    assert node.running.desk.tips[world.b.caip2].final_number < node.store._answers[second].pin.child.number
    await step(world, node, AnswerStage, world.b)
    await step(world, node, AttestStage)
    assert outcomes_signed(world, node) == []


async def test_an_answer_read_at_a_final_pin_is_concluded_at_once() -> None:
    world = World(random.Random(0), settings=StageSettings(), depth_blocks=0)
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    query = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    await step(world, node, AnswerStage, world.b)
    assert node.store._requests[query].status is Status.CONCLUDED
    assert not node.store._answers
    assert (EffectKind.READ_ANSWER, query) not in node.store._outbox


async def test_an_answer_at_a_final_pin_waits_for_its_own_source_block_to_be_final() -> None:
    world = new_world()
    node = world.nodes[0]
    mine(world, world.a)
    mine(world, world.b)
    await watch(world, node)
    query = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b, 6)
    await watch(world, node)
    await step(world, node, AnswerStage, world.b)
    assert node.store._requests[query].status is Status.OBSERVED
    assert query in node.store._answers
    assert (EffectKind.READ_ANSWER, query) not in node.store._outbox
    mine(world, world.a, 3)
    await watch(world, node)
    await step(world, node, AnswerStage, world.b)
    assert node.store._requests[query].status is Status.CONCLUDED
    assert not node.store._answers
