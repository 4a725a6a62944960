"""A chain that was rewritten below finality is taken up again, and nobody contradicts himself or loses anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from attestation.request import Mode, RequestId
from attestation.statement import Execute, Outcome
from relayer.domain.blocks import BlockRef
from relayer.domain.status import Status
from relayer.errors import ResumptionRefused, RpcUnavailable
from relayer.stages.attest import AttestStage
from relayer.stages.resume import Resumption, examine_halt, resumption_commit
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.simulation.chain import SimChain
from tests.simulation.gateway import Apply, Cancel, Reclaim
from tests.simulation.views import ChainView
from tests.simulation.world import POOR_FEE, Node, World
from tests.unit.stages.steps import mine, step

DEEP = 6
"""Blocks that are undone: twice the finality depth."""


class Endpoints:
    """Always there. Implements `Gate`."""

    async def rpc(self) -> None:
        """Nothing goes wrong."""

    async def send(self) -> None:
        """Nothing goes wrong."""


class ChainWithDisputes(ChainView):
    """Its endpoints do not agree about the history."""

    async def fetch_block_ref(self, number: int) -> None:
        """No quorum."""
        raise RpcUnavailable(f"no 2 endpoints agree on block {number}")


class ChainWithLapsedSets(ChainView):
    """Its verifier accepts no set any more."""

    async def fetch_epochs(self, block: BlockRef) -> tuple[()]:  # noqa: ARG002 - of the interface
        """None."""
        return ()


def new_world() -> World:
    """Finality at depth 3, three chains."""
    return World(random.Random(5), settings=StageSettings(), chain_ids=(1, 2, 3))


def endpoints(chain: SimChain, kind: type[ChainView] = ChainView) -> ChainView:
    """What an operator's command sees of a chain."""
    return kind(chain, Endpoints(), {}, bytes(20))


async def resume(world: World, node: Node, chain: SimChain) -> Resumption:
    """Stop the node, do what `xvm chain resume` does, start it."""
    world.kill(node)
    view = endpoints(chain)
    resumption = await examine_halt(node.store, view, 1, node.key.key)
    await node.store.commit(await resumption_commit(node.store, world.routes, view, resumption, world.clock.now()))
    world.start(node)
    return resumption


async def rounds(world: World, count: int) -> None:
    """So many rounds."""
    for _ in range(count):
        await world.round()


def forget(chain: SimChain, keep: Callable[[object], bool] = lambda _: False) -> None:
    """The pool loses what the fork gave back to it."""
    chain.pool = [transaction for transaction in chain.pool if keep(transaction)]


async def break_and_halt(world: World, chain: SimChain, depth: int = DEEP, *, is_forgetful: bool = False) -> None:
    """Undo final blocks; every node halts the chain."""
    chain._drop_to(chain.tip.ref.number - depth, ())
    if is_forgetful:
        forget(chain)
    mine(world, chain, depth + 1)
    for node in world.nodes:
        await step(world, node, WatchStage, chain)
    assert all(list(node.running.desk.halted) == [chain.caip2] for node in world.nodes)


def statuses(world: World, identifier: RequestId) -> set[Status]:
    """Where the nodes see it."""
    return {node.store._requests[identifier].status for node in world.nodes}


def assert_no_contradiction(world: World) -> None:
    """No key signed two leaves under one guard key."""
    for key, batches in world.truth.signed.items():
        leaves: dict[tuple[object, ...], bytes] = {}
        for batch in batches:
            for statement in batch.statements:
                assert isinstance(statement, Execute | Outcome)
                held = leaves.setdefault((type(statement), statement.request_id), statement.leaf)
                assert held == statement.leaf, key.hex()


async def test_requests_that_are_final_after_the_resumption_are_served_as_ever() -> None:
    world = new_world()
    early = world.ask(world.a, world.b)
    await world.calm()
    await rounds(world, DEEP)
    await break_and_halt(world, world.a)
    for node in world.nodes:
        await resume(world, node, world.a)
    fresh = [world.ask(world.a, world.b), world.ask(world.b, world.a), world.ask(world.a, world.b, mode=Mode.QUERY)]
    await world.calm()
    assert [statuses(world, identifier) for identifier in (early, *fresh)] == [{Status.DELIVERED}] * 4
    assert_no_contradiction(world)


async def test_security_what_was_signed_on_the_dead_fork_is_not_signed_again_and_ends_by_cancel() -> None:
    """SECURITY: after a reorg below finality the affected ids end by cancel or retry, never by a second signature."""
    world = new_world()
    await rounds(world, 2)
    signed = world.ask(world.a, world.b)
    # Final and signed about, not executed yet.
    for chain in world.chains.values():
        mine(world, chain, 5)
    for node in world.nodes:
        for chain in world.chains.values():
            await step(world, node, WatchStage, chain)
        await step(world, node, AttestStage)
    assert len(world.truth.signed) == 4
    await break_and_halt(world, world.a, 5)
    for node in world.nodes:
        resumption = await resume(world, node, world.a)
        assert [request.request_id for request in resumption.gone] == [signed]
        assert resumption.signed == {signed}
        assert statuses(world, signed) >= {Status.ORPHANED}
    await rounds(world, 30)
    assert statuses(world, signed) == {Status.FINAL}
    assert_no_contradiction(world)
    assert all(node.running.desk.metrics.guard_conflicts._value.get() for node in world.nodes)
    world.transact(world.a, Cancel(signed))
    await rounds(world, 10)
    world.transact(world.a, Reclaim(signed))
    await world.calm()
    assert statuses(world, signed) == {Status.CANCELLED}
    assert_no_contradiction(world)


async def test_a_request_that_is_on_the_dead_fork_alone_stays_an_orphan() -> None:
    world = new_world()
    await rounds(world, 2)
    lost = world.ask(world.a, world.b)
    await rounds(world, 5)
    await break_and_halt(world, world.a, 5, is_forgetful=True)
    for node in world.nodes:
        await resume(world, node, world.a)
    await rounds(world, 20)
    assert statuses(world, lost) == {Status.ORPHANED}


async def test_a_callback_that_was_undone_is_delivered_again_by_its_own_transaction() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    await world.calm()
    place = world.a.requests()[identifier].location.block.number
    await break_and_halt(world, world.a, world.a.tip.ref.number - place, is_forgetful=True)
    assert identifier in world.a.requests()
    assert world.expected_end(world.asked[0]) is None
    sent = sum(len(node.store._transactions) for node in world.nodes)
    resumptions = [await resume(world, node, world.a) for node in world.nodes]
    assert all([request.request_id for request in r.reopened] == [identifier] for r in resumptions)
    assert sum(len(r.transactions) for r in resumptions) == 1
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert sum(len(node.store._transactions) for node in world.nodes) <= sent + 1
    assert_no_contradiction(world)


async def test_a_cancel_that_was_undone_is_forgotten_and_the_request_is_delivered() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, fee=POOR_FEE)
    await rounds(world, 8)
    world.transact(world.a, Cancel(identifier))
    await rounds(world, 8)
    left = {node.store._requests[identifier].returned_fee for node in world.nodes}
    assert left == {0}
    place = world.a.requests()[identifier].location.block.number
    await break_and_halt(world, world.a, world.a.tip.ref.number - place, is_forgetful=True)
    for node in world.nodes:
        resumption = await resume(world, node, world.a)
        assert [request.request_id for request in resumption.reopened] == [identifier]
        assert node.store._requests[identifier].returned_fee is None
    world.raise_all_fees()
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert_no_contradiction(world)


async def test_a_callback_that_stands_below_the_fork_is_found_again_and_not_paid_twice() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    await world.calm()
    await rounds(world, DEEP + 3)
    sent = sum(len(node.store._transactions) for node in world.nodes)
    await break_and_halt(world, world.a)
    for node in world.nodes:
        resumption = await resume(world, node, world.a)
        assert resumption.gone == ()
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert sum(len(node.store._transactions) for node in world.nodes) == sent


async def test_a_receipt_that_was_undone_is_not_delivered_and_its_call_runs_once_on_the_new_fork() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    while identifier not in world.b.receipts():
        await world.round()
    for _ in range(4):
        mine(world, world.b)
        for node in world.nodes:
            await step(world, node, WatchStage, world.b)
            await step(world, node, AttestStage)
        while world.network.on_the_way:
            world._deliver(0)
            await world._settle()
            world._reap()
    assert statuses(world, identifier) == {Status.ATTESTED}
    receipt = world.b.receipts()[identifier].location.block
    await break_and_halt(world, world.b, world.b.tip.ref.number - receipt.number + 1, is_forgetful=True)
    assert identifier not in world.b.receipts()
    for node in world.nodes:
        resumption = await resume(world, node, world.b)
        assert [request.request_id for request in resumption.undone] == [identifier]
        assert resumption.signed == {identifier}
    await rounds(world, 40)
    assert world.b.receipts()[identifier].location.block != receipt
    assert statuses(world, identifier) == {Status.CONCLUDED}
    assert_no_contradiction(world)
    world.transact(world.a, Cancel(identifier))
    await rounds(world, 10)
    world.transact(world.a, Reclaim(identifier))
    await rounds(world, 10)
    assert statuses(world, identifier) == {Status.CANCELLED}


async def test_an_epoch_that_was_applied_on_the_dead_fork_alone_is_forgotten() -> None:
    world = new_world()
    await rounds(world, 3)
    world.transact(world.a, Apply(replace(world.signer_set, valid_until=world.signer_set.valid_until + 1)))
    await rounds(world, 6)
    for node in world.nodes:
        assert [e.epoch for e in await node.store.load_epochs(world.a.gateway)] == [1, 2]
    await break_and_halt(world, world.a, 7, is_forgetful=True)
    for node in world.nodes:
        await resume(world, node, world.a)
        assert [e.epoch for e in await node.store.load_epochs(world.a.gateway)] == [1]


async def test_a_chain_where_every_set_has_lapsed_is_taken_up_and_none_counts_there() -> None:
    world = new_world()
    await rounds(world, 6)
    await break_and_halt(world, world.a)
    node = world.nodes[0]
    world.kill(node)
    view = endpoints(world.a, ChainWithLapsedSets)
    resumption = await examine_halt(node.store, view, 1, node.key.key)
    await node.store.commit(await resumption_commit(node.store, world.routes, view, resumption, world.clock.now()))
    assert await node.store.load_epochs(world.a.gateway) == []
    assert [halt.resumed_at is not None for halt in await node.store.load_halts()] == [True]


async def test_a_history_that_came_back_is_gone_on_with_and_nothing_is_affected() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    await world.calm()
    await rounds(world, DEEP)
    await break_and_halt(world, world.a)
    forked = world.a.blocks
    world.a.blocks = [*forked[: world.a.abandoned[0].ref.number], *world.a.abandoned]
    world.a.mine(int(world.clock.now()))
    before = [dict(node.store._requests) for node in world.nodes]
    for node in world.nodes:
        resumption = await resume(world, node, world.a)
        assert (resumption.is_rewritten, resumption.gone, resumption.reopened) == (False, (), ())
    assert [dict(node.store._requests) for node in world.nodes] == before
    world.ask(world.a, world.b)
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}


async def test_security_nothing_is_taken_up_on_a_history_that_is_not_final_or_disputed() -> None:
    """SECURITY: what follows a resumption is signed; it has to be as sure as what was signed before."""
    world = new_world()
    node = world.nodes[0]
    world.ask(world.a, world.b)
    await world.calm()
    await rounds(world, DEEP)
    with pytest.raises(ResumptionRefused, match="not halted"):
        await examine_halt(node.store, endpoints(world.a), 1, node.key.key)
    await break_and_halt(world, world.a)
    with pytest.raises(RpcUnavailable, match="agree"):
        await examine_halt(node.store, endpoints(world.a, ChainWithDisputes), 1, node.key.key)
    world.a._drop_to(world.a.tip.ref.number - 5, ())
    with pytest.raises(ResumptionRefused, match="wait until the new history is as long"):
        await examine_halt(node.store, endpoints(world.a), 1, node.key.key)


async def test_security_a_halt_survives_a_restart_even_if_the_old_history_is_back() -> None:
    """SECURITY: a chain that says one thing and then another is looked at by a person before anything is signed."""
    world = new_world()
    await rounds(world, DEEP + 2)
    await break_and_halt(world, world.a)
    world.a.blocks = [*world.a.blocks[: world.a.abandoned[0].ref.number], *world.a.abandoned]
    for node in world.nodes:
        world.kill(node)
        world.start(node)
    world.ask(world.a, world.b)
    await rounds(world, 10)
    assert world.truth.signed == {}
    assert all(list(node.running.desk.halted) == [world.a.caip2] for node in world.nodes)


async def test_answers_that_were_agreed_on_in_rounds_rest_on_no_block_of_the_chain_that_was_read() -> None:
    world = World(random.Random(5), settings=StageSettings(), chain_ids=(1, 2, 3), without_history=(2,))
    await rounds(world, DEEP)
    answered = world.ask(world.a, world.b, mode=Mode.QUERY)
    executed = world.ask(world.a, world.b)
    await world.calm()
    executed_in = world.b.receipts()[executed].location.block
    await break_and_halt(world, world.b)
    for node in world.nodes:
        resumption = await resume(world, node, world.b)
        assert resumption.undone == ()
        # As far back as the last block that anything rests on, and no further.
        assert resumption.read_from == executed_in
    fresh = world.ask(world.a, world.b, mode=Mode.QUERY)
    await world.calm()
    assert statuses(world, answered) == statuses(world, fresh) == {Status.DELIVERED}


async def test_questions_whose_delivery_is_gone_are_answered_again() -> None:
    world = World(random.Random(5), settings=StageSettings(), chain_ids=(1, 2, 3), without_history=(2,))
    await rounds(world, DEEP)
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    while not any(hasattr(log, "is_handler_failed") for log in world.a.logs()):
        await world.round()
    await rounds(world, 4)
    await break_and_halt(world, world.a, 5, is_forgetful=True)
    for node in world.nodes:
        await resume(world, node, world.a)
    assert identifier in world.a.requests()
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
