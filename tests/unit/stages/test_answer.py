"""How queries are answered: at the block that the asking block's time names, for asking blocks that are final."""

from __future__ import annotations

import random
from dataclasses import replace

from attestation.request import Mode, RequestId
from attestation.statement import Outcome
from relayer.domain.batch import BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.ports.destination_vm import Pin
from relayer.stages.answer import AnswerStage
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.simulation.chain import SimChain
from tests.simulation.world import Node, World
from tests.unit.stages.steps import mine, new_world, stage_of, step


async def watch(world: World, node: Node) -> None:
    """Both chains, as far as there is anything new."""
    for chain in (world.a, world.b):
        for _ in range(3):
            await step(world, node, WatchStage, chain)


async def take_in(world: World, node: Node, chain: SimChain) -> None:
    """All that the chain has."""
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


async def test_security_answers_to_a_source_that_stands_still_keep_no_other_source_waiting() -> None:
    """SECURITY: a claim's worth of answers whose queries are never final would end every other route's queries."""
    world = new_world(replace(StageSettings(), claim_limit=4), chain_ids=(1, 2, 3))
    still, moving, asked = world.chains.values()
    node = world.nodes[0]
    for chain in (still, moving, asked):
        await step(world, node, WatchStage, chain)
    waiting = [world.ask(still, asked, mode=Mode.QUERY) for _ in range(4)]
    mine(world, still)
    await step(world, node, WatchStage, still)
    mine(world, asked, 5)
    await take_in(world, node, asked)
    await step(world, node, AnswerStage, asked)
    assert set(node.store._answers) == set(waiting)

    query = world.ask(moving, asked, mode=Mode.QUERY)
    mine(world, moving)
    await step(world, node, WatchStage, moving)
    mine(world, asked)
    await take_in(world, node, asked)
    await step(world, node, AnswerStage, asked)
    assert query in node.store._answers
    mine(world, moving, 5)
    await take_in(world, node, moving)
    mine(world, asked, 5)
    await take_in(world, node, asked)
    await step(world, node, AnswerStage, asked)
    assert node.store._requests[query].status is Status.CONCLUDED

    mine(world, still, 5)
    await take_in(world, node, still)
    await step(world, node, AnswerStage, asked)
    assert {node.store._requests[identifier].status for identifier in waiting} == {Status.CONCLUDED}


async def ask_ahead(count: int) -> tuple[World, Node, list[RequestId], RequestId]:
    """So many queries that are final on a chain whose clock is far ahead, and then one on another chain."""
    world = new_world(replace(StageSettings(), claim_limit=4), chain_ids=(1, 2, 3))
    ahead, punctual, asked = world.chains.values()
    node = world.nodes[0]
    for chain in (ahead, punctual, asked):
        await step(world, node, WatchStage, chain)
    early = [world.ask(ahead, asked, mode=Mode.QUERY) for _ in range(count)]
    for _ in range(5):
        world.clock.seconds += 3
        ahead.mine(int(world.clock.now()) + 1_000)
    await take_in(world, node, ahead)
    query = world.ask(punctual, asked, mode=Mode.QUERY)
    mine(world, punctual, 5)
    await take_in(world, node, punctual)
    mine(world, asked, 5)
    await take_in(world, node, asked)
    return world, node, early, query


async def test_security_queries_of_a_source_whose_clock_is_ahead_keep_no_other_source_waiting() -> None:
    """SECURITY: a claim's worth of queries without a pin would be claimed again and again."""
    world, node, early, query = await ask_ahead(4)
    *_, asked = world.chains.values()
    before = node.store._outbox.copy()
    assert await stage_of(node, AnswerStage, asked).run_once(), "others come at once"
    await step(world, node, AnswerStage, asked)
    assert node.store._requests[query].status is Status.CONCLUDED
    for identifier in early:
        row, earlier = (rows[EffectKind.READ_ANSWER, identifier] for rows in (node.store._outbox, before))
        assert earlier.due_at < world.clock.now() < row.due_at <= world.clock.now() + 10
        assert row.attempts == earlier.attempts

    world.clock.seconds += 1_000
    mine(world, asked, 5)
    await take_in(world, node, asked)
    for _ in range(2):
        await step(world, node, AnswerStage, asked)
    assert {node.store._requests[identifier].status for identifier in early} == {Status.CONCLUDED}


async def test_a_query_without_a_pin_stays_due_while_there_is_room_for_others() -> None:
    world, node, early, query = await ask_ahead(2)
    before = {identifier: node.store._outbox[EffectKind.READ_ANSWER, identifier] for identifier in early}
    *_, asked = world.chains.values()
    await step(world, node, AnswerStage, asked)
    assert node.store._requests[query].status is Status.CONCLUDED
    assert {identifier: node.store._outbox[EffectKind.READ_ANSWER, identifier] for identifier in early} == before


async def test_a_query_from_before_the_chain_began_keeps_no_later_one_waiting() -> None:
    world, node, early, query = await ask_ahead(2)
    *_, asked = world.chains.values()
    view = node.running.views[asked.caip2]
    fetch_pin = view.fetch_pin
    oldest = node.store._requests[query].source_timestamp
    later = world.ask(world.b, asked, mode=Mode.QUERY)
    mine(world, world.b, 5)
    mine(world, asked, 5)
    for chain in (world.b, asked):
        await take_in(world, node, chain)

    async def fetch_none_for_the_oldest(after_timestamp: int) -> Pin | None:
        return None if after_timestamp == oldest else await fetch_pin(after_timestamp)

    view.fetch_pin = fetch_none_for_the_oldest  # type: ignore[method-assign]
    await step(world, node, AnswerStage, asked)
    statuses = [node.store._requests[identifier].status for identifier in (query, later, *early)]
    assert statuses == [Status.FINAL, Status.CONCLUDED, Status.FINAL, Status.FINAL]


async def test_where_one_query_has_no_pin_yet_none_is_looked_for_from_later_blocks() -> None:
    world, node, early, query = await ask_ahead(2)
    ahead, _, asked = world.chains.values()
    world.ask(ahead, asked, mode=Mode.QUERY)
    ahead.mine(ahead.tip.observed.timestamp + 3)
    await take_in(world, node, ahead)
    view = node.running.views[asked.caip2]
    fetch_pin = view.fetch_pin
    looked_for: list[int] = []

    async def fetch_and_note(after_timestamp: int) -> Pin | None:
        looked_for.append(after_timestamp)
        return await fetch_pin(after_timestamp)

    view.fetch_pin = fetch_and_note  # type: ignore[method-assign]
    await step(world, node, AnswerStage, asked)
    requests = node.store._requests
    assert looked_for == [requests[identifier].source_timestamp for identifier in (query, early[0])]
