"""What was lent comes back when nobody needs it any more, and not before."""

from __future__ import annotations

from attestation.request import RequestId
from relayer.domain.status import Status
from relayer.ports.store import TransactionPurpose, TransactionStatus
from relayer.stages.attest import AttestStage
from relayer.stages.confirm import ConfirmStage
from relayer.stages.deposits import DepositStage
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.chain import SimChain
from tests.simulation.views import REQUESTS_PER_CALL
from tests.simulation.world import Node, World
from tests.unit.stages.steps import certify, execution_due, hear, mine, new_world, step


async def look(world: World, node: Node, chain: SimChain) -> None:
    """One look of the node's at what is lent."""
    view = node.running.views[chain.caip2]
    assert view.deposits is not None
    await world.step(node.running, DepositStage(node.running.desk, view, view.deposits))


async def executed(world: World) -> tuple[Node, RequestId]:
    """A CALL whose root is proven and whose execution is mined, not final; the node that sent both."""
    world.b.proves_first = True
    _, identifier = await certify(world)
    node = min(world.nodes, key=lambda n: execution_due(n, identifier))
    await step(world, node, SubmitStage, world.b)
    mine(world, world.b)
    world.clock.seconds += node.running.desk.settings.groundwork_recheck_seconds
    await step(world, node, SubmitStage, world.b)
    mine(world, world.b)
    await step(world, node, WatchStage, world.b)
    return node, identifier


async def finalise(world: World, node: Node, chain: SimChain) -> None:
    mine(world, chain, chain.depth_blocks)
    await step(world, node, WatchStage, chain)
    await step(world, node, ConfirmStage, chain)


async def test_a_deposit_comes_back_when_the_batch_is_done_with() -> None:
    world = new_world()
    node, identifier = await executed(world)
    await finalise(world, node, world.b)
    assert node.store._requests[identifier].status is Status.CONCLUDED
    await look(world, node, world.b)
    mine(world, world.b)
    assert world.b.tip.state.proven == set()
    await finalise(world, node, world.b)
    sent = [each for each in node.store._transactions.values() if each.purpose is TransactionPurpose.DEPOSIT]
    assert [(each.status, each.request_ids) for each in sent] == [(TransactionStatus.CONFIRMED, ())]


async def test_a_look_sends_nothing_while_what_the_last_one_sent_is_under_way() -> None:
    world = new_world()
    node, _ = await executed(world)
    await finalise(world, node, world.b)
    await look(world, node, world.b)
    await look(world, node, world.b)
    assert len(world.b.pool) == 1


async def test_what_only_a_block_that_is_not_final_says_is_not_done() -> None:
    """SECURITY: the execution may be forked off, and everybody would have to prove the root again."""
    world = new_world()
    node, identifier = await executed(world)
    assert node.store._requests[identifier].status is Status.LANDED
    await look(world, node, world.b)
    assert not world.b.pool


async def test_a_batch_of_which_one_request_waits_keeps_its_deposit() -> None:
    """SECURITY: it is needed by whoever runs that request, which need not be who lent."""
    world = new_world()
    for _ in range(REQUESTS_PER_CALL):
        world.ask(world.a, world.b)
    node, _ = await executed(world)
    statuses = {request.status for request in node.store._requests.values()}
    assert statuses == {Status.LANDED}
    await finalise(world, node, world.b)
    held = next(iter(node.store._requests))
    node.store._requests[held] = node.store._requests[held].with_facts(status=Status.EXECUTION_HELD)
    await look(world, node, world.b)
    assert not world.b.pool


async def test_a_batch_of_which_one_request_is_unknown_keeps_its_deposit() -> None:
    """SECURITY: it may still be waiting."""
    world = new_world()
    node, identifier = await executed(world)
    await finalise(world, node, world.b)
    del node.store._requests[identifier]
    await look(world, node, world.b)
    assert not world.b.pool


async def test_what_was_lent_for_an_unknown_batch_comes_back_after_its_epoch() -> None:
    world = new_world()
    node, _ = await executed(world)
    node.store._batches.clear()
    await look(world, node, world.b)
    assert not world.b.pool
    valid_until = world.b.tip.state.epochs.applied[1].valid_until
    world.clock.seconds = valid_until
    await look(world, node, world.b)
    assert not world.b.pool
    world.clock.seconds = valid_until + 1
    await look(world, node, world.b)
    assert len(world.b.pool) == 1


async def test_a_chain_that_nobody_lends_to_has_no_deposits() -> None:
    world = new_world()
    assert all(view.deposits is None for view in world.nodes[0].running.views.values())


async def test_where_requests_come_from_a_deposit_comes_back_when_their_outcomes_are_delivered() -> None:
    world = new_world()
    world.a.proves_first = True
    node, identifier = await executed(world)
    mine(world, world.b, world.b.depth_blocks)
    for each in world.nodes:
        await step(world, each, WatchStage, world.b)
        await step(world, each, AttestStage)
    await hear(world, world.nodes)
    world.clock.seconds += 60
    await step(world, node, SubmitStage, world.a)
    mine(world, world.a)
    assert node.store._requests[identifier].outcome_root in world.a.tip.state.proven
    await look(world, node, world.a)
    assert not world.a.pool
    await step(world, node, SubmitStage, world.a)
    mine(world, world.a)
    await finalise(world, node, world.a)
    assert node.store._requests[identifier].status is Status.DELIVERED
    await look(world, node, world.a)
    mine(world, world.a)
    assert world.a.tip.state.proven == set()
