"""How a node's own transactions are followed, handed over again and outbid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.request import RequestId
from relayer.domain.status import Status
from relayer.ports.store import OwnTransaction, TransactionStatus
from relayer.stages.confirm import ConfirmStage
from relayer.stages.settings import StageSettings
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.world import Node, World
from tests.unit.stages.steps import certify, mine, new_world, step


async def dispatch(world: World) -> tuple[Node, RequestId]:
    """A request whose execution one node has sent, and which is in the pool."""
    node, identifier = await certify(world)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.b)
    assert len(world.b.pool) == 1
    return node, identifier


def sole_transaction(node: Node) -> OwnTransaction:
    """The one that there is."""
    [transaction] = node.store._transactions.values()
    return transaction


async def test_what_pools_forgot_is_handed_over_again() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    [sent] = world.b.pool
    world.b.pool.clear()
    await step(world, node, ConfirmStage, world.b)
    assert world.b.pool == []
    world.clock.seconds += 16
    await step(world, node, ConfirmStage, world.b)
    assert world.b.pool == [sent]


async def test_what_an_earlier_process_signed_is_handed_over_at_once() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    [sent] = world.b.pool
    world.b.pool.clear()
    world.kill(node)
    world.clock.seconds += 1
    world.start(node)
    await step(world, node, ConfirmStage, world.b)
    assert world.b.pool == [sent]


async def test_what_waits_too_long_is_outbid() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    world.clock.seconds += 46
    await step(world, node, ConfirmStage, world.b)
    [sent] = world.b.pool
    assert sent.max_fee > 10
    assert [attempt.max_fee for attempt in sole_transaction(node).attempts] == [10, sent.max_fee]


async def test_what_an_earlier_process_signed_is_outbid_as_well() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    world.kill(node)
    world.clock.seconds += 1
    world.start(node)
    await step(world, node, ConfirmStage, world.b)
    assert len(sole_transaction(node).attempts) == 1
    world.clock.seconds += 46
    await step(world, node, ConfirmStage, world.b)
    assert len(sole_transaction(node).attempts) == 2


async def test_nothing_is_outbid_where_a_dearer_transaction_would_be_mined_as_well() -> None:
    """SECURITY: without nonces in a row, a replacement is a second transaction, and both are paid for."""
    world = new_world()
    world.b.is_sequenced = False
    node, _ = await dispatch(world)
    [sent] = world.b.pool
    world.clock.seconds += 46
    await step(world, node, ConfirmStage, world.b)
    assert world.b.pool == [sent]
    assert len(sole_transaction(node).attempts) == 1


async def test_what_cannot_be_outbid_any_more_is_handed_over_only_now_and_then() -> None:
    world = new_world(replace(StageSettings(), max_attempts=1))
    node, _ = await dispatch(world)
    world.clock.seconds += 46
    handed_over = 0
    for _ in range(30):
        world.b.pool.clear()
        world.clock.seconds += 1
        await step(world, node, ConfirmStage, world.b)
        handed_over += len(world.b.pool)
    assert handed_over == 2


async def test_a_transaction_is_confirmed_when_its_block_is_final_here() -> None:
    world = new_world()
    node, identifier = await dispatch(world)
    mine(world, world.b)
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.MINED
    mine(world, world.b, 3)
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.MINED
    await step(world, node, WatchStage, world.b)
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.CONFIRMED
    assert node.store._requests[identifier].status is Status.CONCLUDED


async def test_a_transaction_that_a_fork_took_away_is_under_way_again() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    mine(world, world.b)
    await step(world, node, ConfirmStage, world.b)
    assert world.b.reorganise(1, 1, int(world.clock.now()), kept=[False])
    world.clock.seconds += 16
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.SIGNED
    assert len(world.b.pool) == 1


async def test_what_is_mined_is_asked_about_again_when_it_is_final_or_a_fork_is_left_and_else_now_and_then() -> None:
    world = new_world()
    node, _ = await dispatch(world)
    mine(world, world.b)
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.MINED
    asked: list[float] = []
    rpc = node.running.rpc

    async def note() -> None:
        asked.append(world.clock.now())
        await rpc()

    node.running.rpc = note  # type: ignore[method-assign]

    async def is_asked_about() -> bool:
        asked.clear()
        await step(world, node, ConfirmStage, world.b)
        return bool(asked)

    assert not await is_asked_about()
    world.clock.seconds += node.running.desk.settings.resend_seconds + 1
    assert await is_asked_about()
    assert not await is_asked_about()
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    assert not await is_asked_about()
    assert world.b.reorganise(1, 2, int(world.clock.now()), kept=[False])
    await step(world, node, WatchStage, world.b)
    assert await is_asked_about()


async def test_a_failed_transaction_gives_its_request_back() -> None:
    world = new_world()
    node, identifier = await dispatch(world)
    world.b.failing = 1
    mine(world, world.b, 4)
    await step(world, node, WatchStage, world.b)
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.FAILED
    assert node.store._requests[identifier].status is Status.CERTIFIED


@pytest.mark.parametrize("is_sequenced", [False, True])
async def test_security_what_runs_when_it_is_tried_and_fails_when_it_is_mined_is_sent_ever_more_rarely(
    *, is_sequenced: bool
) -> None:
    """SECURITY: where a target's failure is our transaction's, each attempt costs us a fee, and its asker nothing."""
    world = new_world()
    world.b.is_sequenced = is_sequenced
    node, identifier = await dispatch(world)
    world.b.failing = 1_000
    for _ in range(100):
        mine(world, world.b, 4)
        await step(world, node, WatchStage, world.b)
        await step(world, node, ConfirmStage, world.b)
        world.clock.seconds += 15
        await step(world, node, SubmitStage, world.b)
    assert 3 < len(node.store._transactions) <= 14
    assert node.store._requests[identifier].status is Status.CERTIFIED


async def test_security_what_was_in_a_bundle_that_failed_goes_alone() -> None:
    """SECURITY: one that fails its bundle whenever it is mined would have its neighbours wait until they expire."""
    world = new_world()
    neighbours = {world.ask(world.a, world.b) for _ in range(2)}
    node, identifier = await dispatch(world)
    asked = neighbours | {identifier}
    assert {*sole_transaction(node).request_ids} == asked
    world.b.failing = 1
    mine(world, world.b, 4)
    for _ in range(8):
        await step(world, node, WatchStage, world.b)
        await step(world, node, ConfirmStage, world.b)
        await step(world, node, SubmitStage, world.b)
        world.clock.seconds += 1
    _, *later = node.store._transactions.values()
    assert [len(transaction.request_ids) for transaction in later] == [1, 1, 1]
    assert {identifier for transaction in later for identifier in transaction.request_ids} == asked


async def test_a_transaction_whose_nonce_is_used_up_is_lost_after_a_while() -> None:
    world = new_world()
    node, identifier = await dispatch(world)
    world.b.pool.clear()
    world.b.tip.state.account_nonces[node.running.views[world.b.caip2].address] = 1
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.SIGNED
    world.clock.seconds += 16
    await step(world, node, ConfirmStage, world.b)
    assert sole_transaction(node).status is TransactionStatus.LOST
    assert node.store._requests[identifier].status is Status.CERTIFIED
