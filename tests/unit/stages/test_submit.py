"""What is sent, when, and what is left in the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from attestation.request import RequestId
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.stages.claim import KINDS
from relayer.stages.confirm import ConfirmStage
from relayer.stages.expire import ExpireStage
from relayer.stages.settings import StageSettings
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.views import REQUESTS_PER_CALL
from tests.simulation.world import POOR_FEE
from tests.unit.stages.steps import certify, execution_due, mine, new_world, stage_of, step


async def test_a_wish_that_a_reorg_renews_survives_the_clearing_of_the_old_one() -> None:
    world = new_world()
    node, identifier = await certify(world)
    first = min(world.nodes, key=lambda n: execution_due(n, identifier))
    await step(world, first, SubmitStage, world.b)
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert node.store._requests[identifier].status is Status.LANDED
    world.clock.seconds += 60
    assert world.b.reorganise(1, 2, int(world.clock.now()), kept=[False])

    writing = node.running.desk.writing
    await writing.acquire()
    rewinding = asyncio.ensure_future(stage_of(node, WatchStage, world.b).run_once())
    await world._settle()
    clearing = asyncio.ensure_future(stage_of(node, SubmitStage, world.b).run_once())
    await world._settle()
    writing.release()
    await asyncio.gather(rewinding, clearing)
    assert node.store._requests[identifier].status is Status.CERTIFIED
    assert (EffectKind.SUBMIT_EXECUTE, identifier) in node.store._outbox


async def test_both_wishes_of_one_request_are_put_off_together() -> None:
    world = new_world()
    node, identifier = await certify(world, valid_seconds=120, fee=POOR_FEE)
    world.clock.seconds += 20
    await step(world, node, SubmitStage, world.b)
    assert node.store._requests[identifier].status is Status.EXECUTION_HELD
    world.clock.seconds += 200
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ExpireStage, world.b)
    other = next(n for n in world.nodes if n is not node)
    await step(world, other, WatchStage, world.b)
    await step(world, other, ExpireStage, world.b)
    world.clock.seconds += 60
    await step(world, other, SubmitStage, world.b)
    mine(world, world.b)
    assert identifier in world.b.receipts()

    # The receipt is on the chain, and this node's watcher has not come to it yet.
    wishes = [row for (_, subject), row in node.store._outbox.items() if subject == identifier]
    assert len(wishes) == 2
    await step(world, node, SubmitStage, world.b)
    now = world.clock.now()
    assert all(row.due_at > now for (_, subject), row in node.store._outbox.items() if subject == identifier)


async def test_no_endpoint_is_asked_while_the_nodes_other_stages_are_kept_from_writing() -> None:
    world = new_world()
    node, identifier = await certify(world)
    view, desk = node.running.views[world.b.caip2], node.running.desk
    asked: list[bool] = []
    rpc = node.running.rpc

    async def note_the_lock() -> None:
        asked.append(desk.writing.locked())
        await rpc()

    node.running.rpc = note_the_lock  # type: ignore[method-assign]
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert node.store._requests[identifier].status is Status.DISPATCHED
    assert view.address in {transaction.sender for transaction in world.b.pool}
    assert asked
    assert not any(asked)


async def test_an_account_that_was_used_before_goes_on_with_its_own_nonces() -> None:
    world = new_world()
    node, _ = await certify(world)
    world.b.tip.state.account_nonces[node.running.views[world.b.caip2].address] = 7
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert [transaction.nonce for transaction in world.b.pool] == [7]


async def test_several_transactions_of_one_step_have_nonces_in_a_row() -> None:
    world = new_world()
    for _ in range(2 * REQUESTS_PER_CALL):
        world.ask(world.a, world.b)
    node, _ = await certify(world)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert [transaction.nonce for transaction in world.b.pool] == [0, 1, 2]
    assert [len(t.request_ids) for t in node.store._transactions.values()] == [REQUESTS_PER_CALL, REQUESTS_PER_CALL, 1]


async def test_an_endpoint_that_once_told_too_high_a_nonce_leaves_no_gap() -> None:
    world = new_world()
    node, _ = await certify(world)
    address = node.running.views[world.b.caip2].address
    world.b.tip.state.account_nonces[address] = 7
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    del world.b.tip.state.account_nonces[address]
    await certify(world)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert sorted(transaction.nonce for transaction in world.b.pool if transaction.sender == address) == [0, 7]


async def test_what_the_window_has_no_room_for_is_held_and_goes_when_there_is() -> None:
    window = 3
    world = new_world(replace(StageSettings(), window_requests=window))
    for _ in range(window + 1):
        world.ask(world.a, world.b)
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))

    def where(status: Status) -> list[TrackedRequest]:
        return [request for request in node.store._requests.values() if request.status is status]

    await step(world, node, SubmitStage, world.b)
    assert len(where(Status.DISPATCHED)) == window
    assert {request.hold_reason for request in where(Status.EXECUTION_HELD)} == {"window_full"}
    await step(world, node, SubmitStage, world.b)
    world.clock.seconds += node.running.desk.settings.window_recheck_seconds
    await step(world, node, SubmitStage, world.b)
    assert len(where(Status.DISPATCHED)) == window

    mine(world, world.b, 5)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ConfirmStage, world.b)
    world.clock.seconds += node.running.desk.settings.window_recheck_seconds
    await step(world, node, SubmitStage, world.b)
    assert len(where(Status.CONCLUDED)) == window
    assert len(where(Status.DISPATCHED)) == 2
    assert not where(Status.EXECUTION_HELD)


async def test_the_requests_of_a_batch_are_one_wish_and_what_finds_no_room_keeps_one_of_its_own() -> None:
    world = new_world(replace(StageSettings(), open_transactions_limit=1))
    asked = [world.ask(world.a, world.b) for _ in range(REQUESTS_PER_CALL + 1)]
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))

    def wishes() -> set[tuple[EffectKind, bytes]]:
        return {place for place in node.store._outbox if place[0] in KINDS}

    assert wishes() == {(EffectKind.SUBMIT_EXECUTE_BATCH, node.store._requests[identifier].execute_root)}
    await step(world, node, SubmitStage, world.b)
    left = {i for i in (*asked, identifier) if node.store._requests[i].status is Status.CERTIFIED}
    assert len(left) == 2
    assert wishes() == {(EffectKind.SUBMIT_EXECUTE, i) for i in left}


async def test_a_request_that_a_reorg_reopens_while_its_batch_is_looked_at_keeps_a_wish() -> None:
    world = new_world()
    node, identifier = await certify(world)
    first = min(world.nodes, key=lambda n: execution_due(n, identifier))
    await step(world, first, SubmitStage, world.b)
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert node.store._requests[identifier].status is Status.LANDED
    world.clock.seconds += 60
    assert world.b.reorganise(1, 2, int(world.clock.now()), kept=[False])

    load = node.store.load_requests

    async def load_before_the_chain_forks(ids: Sequence[RequestId]) -> dict[RequestId, TrackedRequest]:
        node.store.load_requests = load  # type: ignore[method-assign]
        found = await load(ids)
        await stage_of(node, WatchStage, world.b).run_once()
        return found

    node.store.load_requests = load_before_the_chain_forks  # type: ignore[method-assign]
    await stage_of(node, SubmitStage, world.b).run_once()
    assert node.store._requests[identifier].status is Status.CERTIFIED
    assert {place for place in node.store._outbox if place[0] in KINDS} == {(EffectKind.SUBMIT_EXECUTE, identifier)}


async def test_what_queues_behind_a_full_window_comes_in_turns_and_in_order() -> None:
    window = 2
    settings = replace(StageSettings(), window_requests=window)
    world = new_world(settings)
    for _ in range(3 * window - 1):
        world.ask(world.a, world.b)
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))
    await step(world, node, SubmitStage, world.b)
    now, recheck = world.clock.now(), settings.window_recheck_seconds
    waits = [row.due_at - now for place, row in node.store._outbox.items() if place[0] is EffectKind.SUBMIT_EXECUTE]
    assert sorted(waits) == [recheck, recheck, 2 * recheck, 2 * recheck]


async def test_groundwork_is_sent_once_and_what_waits_for_it_follows_when_it_is_mined() -> None:
    world = new_world()
    world.b.proves_first = True
    for _ in range(REQUESTS_PER_CALL):
        world.ask(world.a, world.b)
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))

    def statuses() -> set[Status]:
        return {request.status for request in node.store._requests.values()}

    await step(world, node, SubmitStage, world.b)
    [proof] = world.b.pool
    assert statuses() == {Status.CERTIFIED}
    await step(world, node, SubmitStage, world.b)
    world.clock.seconds += node.running.desk.settings.groundwork_recheck_seconds
    await step(world, node, SubmitStage, world.b)
    assert world.b.pool == [proof]

    mine(world, world.b)
    await step(world, node, SubmitStage, world.b)
    assert len(world.b.pool) == 2
    assert statuses() == {Status.DISPATCHED}
    mine(world, world.b)
    assert len(world.b.receipts()) == REQUESTS_PER_CALL + 1


async def test_what_follows_a_request_that_is_on_its_way_is_looked_at_again_soon() -> None:
    world = new_world()
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))
    world.b.following = {identifier}
    await step(world, node, SubmitStage, world.b)
    [row] = [row for (kind, _), row in node.store._outbox.items() if kind is EffectKind.SUBMIT_EXECUTE]
    assert row.due_at == world.clock.now() + node.running.desk.settings.groundwork_recheck_seconds
    assert row.attempts == 0
    assert node.store._requests[identifier].status is Status.CERTIFIED
    world.b.following = set()
    world.clock.seconds += node.running.desk.settings.groundwork_recheck_seconds
    await step(world, node, SubmitStage, world.b)
    assert node.store._requests[identifier].status is Status.DISPATCHED


async def test_groundwork_that_its_requests_do_not_pay_for_is_not_laid() -> None:
    world = new_world()
    world.b.proves_first = True
    node, identifier = await certify(world, fee=POOR_FEE)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert not world.b.pool
    assert node.store._requests[identifier].status is Status.EXECUTION_HELD


async def test_what_is_mined_and_not_final_keeps_nothing_else_from_being_sent() -> None:
    world = new_world(replace(StageSettings(), open_transactions_limit=1))
    for _ in range(REQUESTS_PER_CALL):
        world.ask(world.a, world.b)
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))
    await step(world, node, SubmitStage, world.b)
    await step(world, node, SubmitStage, world.b)
    assert len(node.store._transactions) == 1
    mine(world, world.b)
    await step(world, node, ConfirmStage, world.b)
    await step(world, node, SubmitStage, world.b)
    assert [transaction.status.value for transaction in node.store._transactions.values()] == ["MINED", "SIGNED"]
