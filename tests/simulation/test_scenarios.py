"""Single troubles, told step by step: what the storms do by chance, where a reader can follow it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from attestation.request import Mode, RequestId, request_id
from attestation.statement import OutcomeKind
from relayer.domain.observations import CallbackDelivered
from relayer.domain.status import Status
from relayer.ports.store import TransactionStatus
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.simulation.gateway import FAILING_HANDLER, FIRST_ORDERED, Apply, Cancel, Reclaim, Replay
from tests.simulation.views import GAS_PER_REQUEST
from tests.simulation.world import BLOCK_SECONDS, GRACE_SECONDS, POOR_FEE, RICH_FEE, Node, World
from tests.unit.stages.steps import mine, step


def new_world(settings: StageSettings | None = None) -> World:
    """Finality at depth 3, all limits wide."""
    return World(random.Random(11), settings=settings or StageSettings())


def statuses(world: World, identifier: RequestId) -> set[Status]:
    """Where the nodes see a request; a node that does not know it is not among them."""
    return {n.store._requests[identifier].status for n in world.nodes if identifier in n.store._requests}


def kind_of(world: World, identifier: RequestId) -> OutcomeKind:
    """What became of a request, by all nodes alike."""
    [kind] = {
        conclusion.outcome.kind
        for node in world.nodes
        if (conclusion := node.store._requests[identifier].conclusion) is not None
    }
    return kind


def sent_by(node: Node) -> int:
    """How many transactions a node has signed."""
    return len(node.store._transactions)


def mislead(world: World, nodes: Sequence[Node], identifier: RequestId) -> None:
    """These nodes' endpoints answer a query otherwise than all others."""
    [payload] = [request.payload for request in world.asked if request_id(request) == identifier]
    for node in nodes:
        node.running.views[world.b.caip2].misread_payloads.add(payload)
        world.truth.misled.add((node.key.key, identifier))


async def rounds(world: World, count: int) -> None:
    """So many rounds."""
    for _ in range(count):
        await world.round()


async def test_a_call_is_executed_once_and_its_callback_runs_once_by_the_first_in_rank() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert sum(sent_by(node) for node in world.nodes) == 2


async def test_nobody_pays_again_for_what_a_fork_takes_back_and_mines_again() -> None:
    world = World(random.Random(11), depth_blocks=12, settings=StageSettings())
    identifier = world.ask(world.a, world.b)
    while statuses(world, identifier) != {Status.LANDED}:
        await world.round()
    await rounds(world, 4)  # until nobody is about to take over
    depth = world.b.tip.ref.number + 1 - world.b.receipts()[identifier].location.block.number
    executed = [transaction for block in world.b.blocks[-depth:] for transaction in block.transactions]
    assert world.b.reorganise(depth, depth, int(world.clock.now()), kept=[False] * len(executed))
    await world.round(is_mining=False)
    world.b.pool += executed
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert sum(sent_by(node) for node in world.nodes) == 2


async def test_certificates_come_about_though_every_push_is_lost() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    for _ in range(60):
        await world.round()
        world.network.on_the_way.clear()
    assert statuses(world, identifier) == {Status.DELIVERED}


async def test_a_node_that_was_down_from_beginning_to_end_comes_to_the_same_story() -> None:
    world = new_world()
    absent = world.nodes[2]
    world.kill(absent)
    identifiers = [world.ask(world.a, world.b), world.ask(world.a, world.b, mode=Mode.QUERY)]
    await rounds(world, 60)
    assert all(statuses(world, identifier) == {Status.DELIVERED} for identifier in identifiers)
    await world.calm()
    assert all(absent.store._requests[identifier].status is Status.DELIVERED for identifier in identifiers)


async def test_a_receipt_that_comes_before_its_request_waits_for_it() -> None:
    world = new_world()
    late = world.nodes[1]
    late.running.views[world.a.caip2].lag_blocks = 1_000
    identifier = world.ask(world.a, world.b)
    await rounds(world, 40)
    assert identifier not in late.store._requests
    assert identifier in late.store._receipts
    assert late.store._receipts[identifier].outcome_root
    await world.calm()
    assert late.store._requests[identifier].status is Status.DELIVERED
    assert sent_by(late) == 0


async def test_a_query_reads_at_the_parent_of_the_first_later_block() -> None:
    world = new_world()
    await rounds(world, 3)
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    await world.calm()
    conclusion = world.nodes[0].store._requests[identifier].conclusion
    assert conclusion is not None
    asked_at = world.a.blocks[world.a.requests()[identifier].location.block.number].observed.timestamp
    pin = world.b.blocks[conclusion.outcome.height]
    assert pin.ref.hash == conclusion.outcome.block_hash
    assert pin.observed.timestamp <= asked_at < world.b.blocks[conclusion.outcome.height + 1].observed.timestamp


async def test_a_query_waits_for_a_chain_that_makes_no_blocks() -> None:
    world = new_world()
    await rounds(world, 3)
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    for _ in range(10):
        world.clock.seconds += 3
        world.a.mine(int(world.clock.now()))
        await world.work()
    assert statuses(world, identifier) == {Status.FINAL}
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}


async def test_one_node_without_the_state_keeps_nobody_from_an_answer() -> None:
    world = new_world()
    blind = world.nodes[3]
    blind.running.views[world.b.caip2].is_unreadable = True
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    await rounds(world, 60)
    assert statuses(world, identifier) == {Status.DELIVERED}
    assert blind.store._requests[identifier].conclusion is None
    await world.calm()


async def test_one_query_that_half_of_the_nodes_cannot_read_keeps_no_other_from_its_answer() -> None:
    world = new_world()
    odd, *others = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(5)]
    for node in world.nodes[:2]:
        node.running.views[world.b.caip2].unreadable_payloads.add(world.asked[0].payload)
    await rounds(world, 60)
    assert world.a.requests()[odd].location.block == world.a.requests()[others[0]].location.block
    assert {status for other in others for status in statuses(world, other)} == {Status.DELIVERED}
    assert statuses(world, odd) <= {Status.FINAL, Status.CONCLUDED}
    await world.calm()
    assert statuses(world, odd) == {Status.DELIVERED}


async def test_one_node_that_reads_one_query_otherwise_delays_nothing() -> None:
    # The odd node cuts its own batch if a late rank's delivery is not final within the time that batches are given.
    world = new_world(replace(StageSettings(), split_seconds=60.0))
    ids = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(5)]
    mislead(world, world.nodes[:1], ids[0])
    await rounds(world, 20)
    assert {status for identifier in ids for status in statuses(world, identifier)} == {Status.DELIVERED}
    # The other three are a quorum for the whole batch: nobody had to cut it.
    assert all({batch.count for batch in node.store._batches.values()} == {5} for node in world.nodes)


async def test_one_query_that_two_nodes_read_otherwise_waits_alone() -> None:
    world = new_world()
    odd, *others = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(5)]
    mislead(world, world.nodes[:2], odd)
    while statuses(world, odd) != {Status.CONCLUDED}:
        await world.round()
    concluded_at, split_seconds = world.clock.now(), world.settings.split_seconds
    while {status for other in others for status in statuses(world, other)} != {Status.DELIVERED}:
        await world.round()
    # Beside the split: a round to sign, one to submit (of each rank), and finality.
    assert world.clock.now() - concluded_at <= split_seconds + 10 * BLOCK_SECONDS
    await rounds(world, 40)
    assert statuses(world, odd) == {Status.CONCLUDED}
    # Nobody has contradicted itself, and its asker has a way out.
    assert not any(node.running.desk.metrics.guard_conflicts._value.get() for node in world.nodes)
    world.transact(world.a, Cancel(odd))
    await rounds(world, 10)
    assert statuses(world, odd) == {Status.CANCELLED}


async def test_an_ordered_request_runs_once_the_one_before_it_has_expired_unexecuted() -> None:
    world = new_world()
    first = world.ask(world.a, world.b, fee=POOR_FEE, valid_seconds=60, ordered_after=FIRST_ORDERED)
    second = world.ask(world.a, world.b, ordered_after=int.from_bytes(first, "big"))
    await rounds(world, 12)
    assert Status.EXECUTION_HELD in statuses(world, first) & statuses(world, second)
    await world.come_right()
    assert (kind_of(world, first), kind_of(world, second)) == (OutcomeKind.EXPIRED, OutcomeKind.EXECUTED)


async def test_an_ordered_request_expires_with_the_one_before_it() -> None:
    world = new_world()
    first = world.ask(world.a, world.b, fee=POOR_FEE, valid_seconds=60, ordered_after=FIRST_ORDERED)
    second = world.ask(world.a, world.b, valid_seconds=60, ordered_after=int.from_bytes(first, "big"))
    await rounds(world, 14)
    await world.come_right()
    assert kind_of(world, first) is kind_of(world, second) is OutcomeKind.EXPIRED


async def test_what_does_not_pay_is_held_and_expires() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, fee=POOR_FEE, valid_seconds=60)
    await rounds(world, 14)
    assert statuses(world, identifier) == {Status.EXECUTION_HELD}
    await rounds(world, 30)
    assert statuses(world, identifier) == {Status.CALLBACK_HELD}
    world.raise_all_fees()
    await world.calm()
    assert kind_of(world, identifier) is OutcomeKind.EXPIRED


async def test_what_does_not_pay_is_executed_once_somebody_pays() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, fee=POOR_FEE)
    await rounds(world, 10)
    assert statuses(world, identifier) == {Status.EXECUTION_HELD}
    world.raise_all_fees()
    await world.calm()
    assert kind_of(world, identifier) is OutcomeKind.EXECUTED
    assert {node.store._requests[identifier].fee for node in world.nodes} == {POOR_FEE + RICH_FEE}


async def test_a_request_that_its_asker_takes_back_is_cancelled_everywhere() -> None:
    world = new_world()
    call = world.ask(world.a, world.b, fee=POOR_FEE)
    query = world.ask(world.a, world.b, fee=POOR_FEE, mode=Mode.QUERY)
    await rounds(world, 12)
    world.transact(world.a, Cancel(call))
    world.transact(world.a, Cancel(query))
    await rounds(world, 12)
    assert statuses(world, query) == {Status.CANCELLED}
    # Nobody is paid enough to execute it, and somebody could have: until its asker takes back the rest, it is open.
    assert statuses(world, call) == {Status.EXECUTION_HELD}
    world.transact(world.a, Reclaim(call))
    await world.calm()
    assert statuses(world, call) == statuses(world, query) == {Status.CANCELLED}


async def test_who_executed_a_call_that_was_cancelled_is_paid_and_nothing_is_called() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    world.transact(world.a, Cancel(identifier))
    await world.calm()
    assert statuses(world, identifier) == {Status.CANCELLED}
    assert kind_of(world, identifier) is OutcomeKind.EXECUTED
    payee = world.b.receipts()[identifier].payee
    assert world.a.tip.state.credits[identifier, payee] == RICH_FEE - RICH_FEE // 2
    assert not any(isinstance(log, CallbackDelivered) for log in world.a.logs())


async def test_a_cancelled_call_that_expired_gives_its_asker_the_execution_share_back() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, valid_seconds=2)
    world.transact(world.a, Cancel(identifier))
    await world.calm()
    assert statuses(world, identifier) == {Status.CANCELLED}
    assert kind_of(world, identifier) is OutcomeKind.EXPIRED
    assert world.a.tip.state.credits[identifier, world.asked[0].sender] == RICH_FEE // 4


async def test_a_cancelled_call_whose_delivery_no_longer_pays_is_held_until_its_asker_takes_the_rest() -> None:
    world = new_world()
    # The whole fee covers a delivery, what a cancel leaves of it does not.
    identifier = world.ask(world.a, world.b, fee=GAS_PER_REQUEST * 3 // 2)
    while identifier not in world.b.receipts():
        await world.round()
    # All see the cancel before the receipt is final: else one may have sent the delivery already.
    world.transact(world.a, Cancel(identifier))
    mine(world, world.a, 5)
    for node in world.nodes:
        await step(world, node, WatchStage, world.a)
    await rounds(world, 30)
    assert statuses(world, identifier) == {Status.CALLBACK_HELD}
    world.transact(world.a, Reclaim(identifier))
    await world.calm()
    assert statuses(world, identifier) == {Status.CANCELLED}


async def test_a_failed_callback_can_be_run_again_by_anyone() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, metadata=FAILING_HANDLER)
    await world.calm()
    assert statuses(world, identifier) == {Status.HANDLER_FAILED}
    world.transact(world.a, Replay(identifier))
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}


async def test_the_next_in_rank_takes_over_when_the_first_is_down() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    while not any(sent_by(node) for node in world.nodes):
        await world.round(is_mining=len(world.a.blocks) < 6)
    [first] = [node for node in world.nodes if sent_by(node)]
    world.kill(first)
    world.b.pool.clear()
    await rounds(world, 40)
    others = [node for node in world.nodes if node is not first]
    assert {node.store._requests[identifier].status for node in others} == {Status.DELIVERED}
    await world.calm()


async def test_an_execution_that_runs_out_of_gas_is_tried_again() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    world.b.failing = 2
    await rounds(world, 40)
    await world.calm()
    assert kind_of(world, identifier) is OutcomeKind.EXECUTED
    failed = [
        transaction
        for node in world.nodes
        for transaction in node.store._transactions.values()
        if transaction.status is TransactionStatus.FAILED
    ]
    assert len(failed) == 2


async def test_a_fork_that_undoes_an_execution_has_it_executed_again() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b)
    while identifier not in world.b.receipts():
        await world.round()
    assert statuses(world, identifier) >= {Status.LANDED}
    assert world.b.reorganise(1, 2, int(world.clock.now()), kept=[False])
    await world.work()
    assert Status.LANDED not in statuses(world, identifier)
    await world.calm()
    assert kind_of(world, identifier) is OutcomeKind.EXECUTED


async def test_requests_more_than_one_claim_holds_are_all_served() -> None:
    world = World(random.Random(5))
    for _ in range(3 * world.settings.claim_limit):
        world.ask(world.a, world.b)
        world.ask(world.b, world.a, mode=Mode.QUERY)
    await world.calm()


async def test_a_batch_between_two_epochs_is_signed_again_under_the_newer() -> None:
    world = new_world()
    await world.round()
    identifier = world.ask(world.a, world.b)
    for node in world.nodes[2:]:
        node.running.views[world.a.caip2].lag_blocks = 1_000
    await rounds(world, 6)
    world.transact(world.b, Apply(make_signer_set(SIGNING_KEYS[::-1])))
    await rounds(world, 6)
    epochs = {attestation.epoch for node in world.nodes for attestation in node.store._attestations.values()}
    assert epochs == {1, 2}
    assert statuses(world, identifier) == {Status.FINAL}
    await world.calm()


async def test_a_certificate_whose_epoch_lapsed_is_made_anew() -> None:
    world = new_world()
    identifier = world.ask(world.a, world.b, fee=POOR_FEE)
    await rounds(world, 10)
    assert statuses(world, identifier) == {Status.EXECUTION_HELD}
    world.transact(world.b, Apply(replace(make_signer_set(SIGNING_KEYS[::-1]), grace_seconds=GRACE_SECONDS)))
    await rounds(world, 10 + GRACE_SECONDS // 3)
    world.raise_all_fees()
    await world.calm()
    assert kind_of(world, identifier) is OutcomeKind.EXECUTED


async def test_a_signer_that_joins_signs_and_one_that_leaves_does_not() -> None:
    world = World(random.Random(11), settings=StageSettings(), observers=1)
    left, joined = world.nodes[0], world.nodes[-1]
    keys = [node.key for node in world.nodes if node is not left]
    for chain in world.chains.values():
        world.transact(chain, Apply(replace(make_signer_set(keys), grace_seconds=GRACE_SECONDS)))
    await rounds(world, 10)
    world.truth.signed.clear()
    world.ask(world.a, world.b)
    await world.calm()
    assert set(world.truth.signed) == {key.key for key in keys}
    assert joined.key.key in world.truth.signed
    assert left.key.key not in world.truth.signed
