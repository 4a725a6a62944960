"""Questions to a chain that can only be read as it is now: who proposes, who signs, and what becomes of liars."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import pytest

from attestation.domain import batch_digest
from attestation.keccak import keccak256
from attestation.request import Mode, RequestId, request_id
from attestation.statement import Outcome, Statement
from relayer.domain.batch import Batch, outcome_batches
from relayer.domain.rounds import ROUND_SECONDS, in_round, round_at, value_read
from relayer.domain.status import Status
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryStore
from tests.simulation.chain import SimBlock
from tests.simulation.peers import Message
from tests.simulation.world import Node, World
from tests.unit.stages.steps import mine, step

PATIENCE: Final = 60
"""Rounds of the world in which everything that can be answered is."""


def new_world(seed: int = 11, chain_ids: Sequence[int] = (1, 2)) -> World:
    """The second chain has no history; finality at depth 3, all limits wide."""
    return World(random.Random(seed), settings=StageSettings(), chain_ids=chain_ids, without_history=(2,))


def ask(world: World) -> RequestId:
    """A question from the first chain to the second."""
    return world.ask(world.a, world.b, mode=Mode.QUERY)


def statuses(world: World, identifier: RequestId) -> set[Status]:
    """Where the nodes see a request."""
    return {n.store._requests[identifier].status for n in world.nodes if identifier in n.store._requests}


def outcomes_signed(world: World, node: Node) -> list[Outcome]:
    """What the node has signed, in order."""
    batches = world.truth.signed[node.key.key]
    return [statement for batch in batches for statement in batch.statements if isinstance(statement, Outcome)]


def all_signed(world: World) -> set[Outcome]:
    """What anybody has signed."""
    return {outcome for node in world.nodes for outcome in outcomes_signed(world, node)}


def proposer(world: World, identifier: RequestId, round_number: int) -> Node:
    """Whose turn it is."""
    height = world.a.requests()[identifier].location.block.number
    ranked = world.nodes[0].running.desk.epochs.ranked_signers(
        world.a.gateway, world.a.gateway + world.b.address, height
    )
    return next(node for node in world.nodes if node.key.key == ranked[round_number % len(ranked)])


async def rounds(world: World, count: int = 1) -> None:
    """So many rounds of the world."""
    for _ in range(count):
        await world.round()


async def make_final(world: World) -> None:
    """Everything asked is in a final block that all nodes have taken in; no stage but the watchers has run since."""
    mine(world, world.a, 1 + world.a.depth_blocks)
    mine(world, world.b, 1 + world.b.depth_blocks)
    for node in world.nodes:
        for _ in range(2):
            for chain in (world.b, world.a):
                await step(world, node, WatchStage, chain)


async def until(world: World, is_so: Callable[[], bool]) -> None:
    """Rounds of the world until it is so."""
    for _ in range(PATIENCE):
        if is_so():
            return
        await world.round()
    raise AssertionError("it did not come about")


def mislead(world: World, nodes: Sequence[Node], identifier: RequestId) -> None:
    """These nodes' endpoints answer a question otherwise than all others."""
    [payload] = [request.payload for request in world.asked if request_id(request) == identifier]
    for node in nodes:
        node.running.views[world.b.caip2].misread_payloads.add(payload)
        world.truth.misled.add((node.key.key, identifier))


async def test_a_value_that_stands_is_certified_in_one_round_and_delivered() -> None:
    world = new_world()
    identifiers = [ask(world) for _ in range(3)]
    await world.calm()
    assert all(statuses(world, identifier) == {Status.DELIVERED} for identifier in identifiers)
    assert len({outcome.round for outcome in all_signed(world)}) == 1
    assert all(world.truth.signed[node.key.key][0].count == 3 for node in world.nodes)


async def test_what_a_node_records_is_what_was_delivered() -> None:
    world = new_world()
    identifier = ask(world)
    await world.calm()
    [value] = {world.b.read(block.ref, world.asked[0].payload) for block in world.b.blocks}
    for node in world.nodes:
        known = node.store._requests[identifier]
        assert known.conclusion is not None
        assert (known.conclusion.outcome.kind, known.conclusion.return_data) == value
        assert known.outcome_root in node.store._batches


@pytest.mark.parametrize("blocks_per_value", [1, 2, 5])
async def test_values_that_move_are_agreed_on_by_nodes_that_see_them_at_different_times(blocks_per_value: int) -> None:
    world = new_world()
    world.b.blocks_per_value = blocks_per_value
    for lag, node in enumerate(world.nodes):
        node.running.views[world.b.caip2].lag_blocks = lag
    identifier = ask(world)
    await until(world, lambda: statuses(world, identifier) == {Status.DELIVERED})
    assert world.truth.leaves


async def test_questions_to_both_kinds_of_chains_are_answered_side_by_side() -> None:
    world = new_world(chain_ids=(1, 2, 3))
    historical = world.chains["eip155:3"]
    world.b.blocks_per_value = 3
    asked = [
        world.ask(source, destination, mode=mode)
        for source in world.chains.values()
        for destination in world.chains.values()
        if source is not destination
        for mode in Mode
    ]
    await world.calm()
    assert {status for identifier in asked for status in statuses(world, identifier)} == {Status.DELIVERED}
    in_rounds = {outcome.request_id for outcome in all_signed(world) if outcome.round}
    assert in_rounds == {
        request_id(request)
        for request in world.asked
        if request.mode is Mode.QUERY and world.b.address.removesuffix(b"\0") in request.target
    }
    assert historical.has_history


async def test_the_next_in_rank_proposes_when_the_one_before_is_down() -> None:
    world = new_world()
    identifier = ask(world)
    await make_final(world)
    absent = proposer(world, identifier, round_at(world.clock.now() + 3))
    world.kill(absent)
    await until(world, lambda: Status.DELIVERED in statuses(world, identifier))
    assert absent.key.key not in world.truth.signed
    await world.calm()
    assert statuses(world, identifier) == {Status.DELIVERED}


async def test_a_proposer_that_lies_is_signed_by_nobody_else() -> None:
    world = new_world()
    identifier = ask(world)
    await make_final(world)
    liar = proposer(world, identifier, round_at(world.clock.now() + 3))
    mislead(world, [liar], identifier)
    await until(world, lambda: statuses(world, identifier) == {Status.DELIVERED})
    lies = {outcome.return_data_hash for outcome in outcomes_signed(world, liar)}
    honest = {o.return_data_hash for n in world.nodes if n is not liar for o in outcomes_signed(world, n)}
    assert lies == {keccak256(b"otherwise")}
    assert lies.isdisjoint(honest)
    # It held another answer than was delivered, and says so no more.
    assert liar.store._requests[identifier].conclusion is None


async def test_one_question_that_two_nodes_read_otherwise_waits_alone() -> None:
    world = new_world()
    odd, *others = [ask(world) for _ in range(5)]
    mislead(world, world.nodes[:2], odd)
    await until(world, lambda: {s for other in others for s in statuses(world, other)} == {Status.DELIVERED})
    assert statuses(world, odd) <= {Status.FINAL, Status.CONCLUDED}
    assert not any(node.running.desk.metrics.guard_conflicts._value.get() for node in world.nodes)
    for node in world.nodes:
        node.running.views[world.b.caip2].misread_payloads.clear()
    await until(world, lambda: statuses(world, odd) == {Status.DELIVERED})


async def test_one_question_that_nobody_can_read_keeps_no_other_from_its_answer() -> None:
    world = new_world()
    odd, *others = [ask(world) for _ in range(5)]
    for node in world.nodes:
        node.running.views[world.b.caip2].unreadable_payloads.add(world.asked[0].payload)
    await until(world, lambda: {s for other in others for s in statuses(world, other)} == {Status.DELIVERED})
    assert statuses(world, odd) == {Status.FINAL}
    await world.calm()
    assert statuses(world, odd) == {Status.DELIVERED}


async def test_a_value_that_fewer_than_a_quorum_read_is_proposed_ever_more_seldom() -> None:
    world = new_world()
    identifier = ask(world)
    for node in world.nodes[:2]:
        node.running.views[world.b.caip2].is_unreadable = True
    await rounds(world, 400)
    proposed = {outcome.round for outcome in all_signed(world)}
    assert 2 < len(proposed) < 400 * 3 // ROUND_SECONDS // 8
    await until_delivered_after(world, identifier)


async def until_delivered_after(world: World, identifier: RequestId) -> None:
    """Once everybody reads, it does not matter which round it is: what was proposed is signed by who comes late."""
    for node in world.nodes:
        node.running.views[world.b.caip2].is_unreadable = False
    await until(world, lambda: statuses(world, identifier) == {Status.DELIVERED})


@pytest.mark.parametrize("is_store_lost", [False, True])
async def test_nodes_that_start_again_in_the_middle_go_on_without_contradicting_themselves(
    *, is_store_lost: bool
) -> None:
    world = new_world()
    world.b.blocks_per_value = 1
    for node in world.nodes[2:]:
        node.running.views[world.b.caip2].is_unreadable = True
    identifier = ask(world)
    await until(world, lambda: bool(all_signed(world)))
    await rounds(world, 2)
    for node in world.nodes:
        world.kill(node)
        if is_store_lost:
            accepted = node.store._accepted
            node.store = MemoryStore()
            await node.store.commit(Commit(accepted=tuple(accepted.values())))
        world.start(node)
    await until(world, lambda: statuses(world, identifier) == {Status.DELIVERED})
    assert not any(node.running.desk.metrics.guard_conflicts._value.get() for node in world.nodes)


async def test_a_node_that_was_down_from_beginning_to_end_comes_to_the_same_end() -> None:
    world = new_world()
    absent = world.nodes[2]
    world.kill(absent)
    identifier = ask(world)
    await until(world, lambda: statuses(world, identifier) == {Status.DELIVERED})
    await world.calm()
    assert absent.store._requests[identifier].status is Status.DELIVERED


async def test_two_rounds_with_different_values_may_both_find_their_quorum_and_one_is_delivered() -> None:
    world = new_world()
    identifier = ask(world)
    world.b.blocks_per_value = 4
    # Nobody hears of anybody, until two rounds with different values stand at all nodes.
    for _ in range(40):
        await world.round()
        if len({outcome.return_data_hash for outcome in all_signed(world)}) > 1:
            break
        world.network.on_the_way.clear()
    await world.calm()
    [delivered] = {log.return_data_hash for log in world.a.logs() if hasattr(log, "is_handler_failed")}
    for node in world.nodes:
        known = node.store._requests[identifier]
        assert known.conclusion is None or known.conclusion.outcome.return_data_hash == delivered


# What somebody with a signer's key can do, and what comes of it.


class Rogue:
    """A signer's key without its node: it shows whatever leaves it likes to whomever it likes."""

    def __init__(self, world: World, node: Node) -> None:
        self.world = world
        self.node = node
        self.leaves: dict[bytes, Batch] = {}
        self.shown: list[bytes] = []
        world.kill(node)
        world.network.nodes[node.key.key] = self

    is_alive = True

    @property
    def inbox(self) -> Rogue:
        """It hears nothing."""
        return self

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        """Nothing."""

    async def load_own_attestations(self, cursor: str, limit: int) -> AttestationPage:
        """None: it pushes."""
        del limit
        return AttestationPage((), cursor, is_end=True)

    async def load_statements(self, root: bytes) -> Sequence[Statement]:
        """What it made up."""
        self.shown.append(root)
        return self.leaves[root].statements

    def say(self, batch: Batch, to: Sequence[Node], count: int | None = None) -> None:
        """Sign a batch, of so many leaves as it says, and show it to these."""
        key, gateway, count = self.node.key, batch.verifying_gateway, count or batch.count
        signature = key.sign(batch_digest(gateway, batch.root, count, 1))
        attestation = Attestation(gateway, batch.root, count, 1, key.key, signature)
        self.leaves[batch.root] = batch
        self.world.network.on_the_way += [Message(key.key, node.key.key, (attestation,)) for node in to]


def true_outcome(world: World, identifier: RequestId, round_number: int, block: SimBlock | None = None) -> Outcome:
    """What is read at a block (the newest), in this round."""
    [payload] = [request.payload for request in world.asked if request_id(request) == identifier]
    kind, data = world.b.read((block or world.b.tip).ref, payload)
    return in_round(value_read(identifier, kind, data, cut=False), round_number).outcome


def batch_of(world: World, *outcomes: Outcome) -> Batch:
    """They stand in one source block."""
    height = world.a.requests()[outcomes[0].request_id].location.block.number
    route = world.routes.get(world.a.gateway + world.b.address)
    assert route is not None
    [batch] = outcome_batches(route, height, outcomes)
    return batch


async def rogue_of(world: World, identifier: RequestId, in_rounds: int = 3) -> tuple[Rogue, int]:
    """The proposer of a round that is to come, gone bad, and the number of its round."""
    await make_final(world)
    round_number = round_at(world.clock.now()) + in_rounds
    return Rogue(world, proposer(world, identifier, round_number)), round_number


def honest(world: World, rogue: Rogue) -> list[Node]:
    """The others."""
    return [node for node in world.nodes if node is not rogue.node]


async def test_a_proposal_of_a_signer_in_its_turn_is_signed_by_who_read_the_same() -> None:
    world = new_world()
    identifier = ask(world)
    rogue, round_number = await rogue_of(world, identifier, in_rounds=1)
    said = batch_of(world, true_outcome(world, identifier, round_number))
    rogue.say(said, honest(world, rogue))
    await rounds(world, 2)
    assert all(said.root in {b.root for b in world.truth.signed[n.key.key]} for n in honest(world, rogue))


Twist = Callable[[World, RequestId, Outcome], Outcome]


@pytest.mark.parametrize(
    "twist",
    [
        lambda _w, _i, outcome: replace(outcome, return_data_hash=keccak256(b"a lie")),
        lambda _w, _i, outcome: replace(outcome, payee=b"\x01" * 32),
        lambda _w, _i, outcome: replace(outcome, height=1),
        lambda _w, _i, outcome: replace(outcome, block_hash=b"\x01" * 32),
        lambda _w, _i, outcome: replace(outcome, cut=True),
        lambda _w, _i, outcome: replace(outcome, round=0),
        lambda _w, _i, outcome: replace(outcome, round=outcome.round + 1),
        lambda w, _i, outcome: replace(outcome, round=outcome.round + len(w.nodes)),
        lambda w, _i, outcome: replace(outcome, round=0xFFFFFFFF - 0xFFFFFFFF % len(w.nodes) + outcome.round % 4),
    ],
    ids=["a lie", "payee", "height", "block", "cut", "no round", "another's turn", "too early", "far ahead"],
)
async def test_security_what_is_not_read_here_or_not_in_turn_is_not_signed(twist: Twist) -> None:
    """SECURITY: a value, a place, a payee or a round that a proposer makes up finds no second signature."""
    world = new_world()
    identifier = ask(world)
    rogue, round_number = await rogue_of(world, identifier, in_rounds=1)
    outcome = twist(world, identifier, true_outcome(world, identifier, round_number))
    outcome = replace(outcome, round=min(outcome.round, 0xFFFFFFFF))
    said = batch_of(world, outcome)
    rogue.say(said, honest(world, rogue))
    await rounds(world, 12)
    assert said.root in rogue.shown
    assert outcome not in all_signed(world)
    assert statuses(world, identifier) >= {Status.DELIVERED}


async def test_security_a_proposal_whose_signature_is_over_another_count_is_none() -> None:
    """SECURITY: it would bind its signer to nothing; who says the opposite elsewhere could not be convicted by it."""
    world = new_world()
    identifier, _ = ask(world), ask(world)
    rogue, round_number = await rogue_of(world, identifier, in_rounds=1)
    said = batch_of(world, true_outcome(world, identifier, round_number))
    rogue.say(said, honest(world, rogue), count=2)
    await rounds(world, 12)
    assert said.root in rogue.shown
    assert said.statements[0] not in all_signed(world)


async def test_security_of_two_answers_in_one_round_a_node_signs_one() -> None:
    """SECURITY: one leaf under (id, round), though both are true: or every signer could be led to convict itself."""
    world = new_world()
    world.b.blocks_per_value = 1
    identifier = ask(world)
    rogue, _ = await rogue_of(world, identifier)
    victim, *others = honest(world, rogue)
    for node in others:
        node.running.views[world.b.caip2].is_unreadable = True
    await rounds(world, 4)
    round_number = next(
        number
        for number in range(round_at(world.clock.now()) + 1, 0xFFFFFFFF)
        if proposer(world, identifier, number) is rogue.node
    )
    while round_at(world.clock.now()) < round_number:
        world.clock.seconds += 1
    final = world.b.blocks[: world.b.final_number + 1][-3:]
    said = [true_outcome(world, identifier, round_number, block) for block in final]
    for outcome in said:
        rogue.say(batch_of(world, outcome), [victim])
    await rounds(world, 6)
    own = [outcome for outcome in outcomes_signed(world, victim) if outcome.round == round_number]
    assert len(set(said)) == 3
    assert len(own) == 1
    assert not victim.running.desk.metrics.guard_conflicts._value.get()


@pytest.mark.parametrize("is_overtaken", [False, True])
async def test_security_who_proposes_two_answers_in_one_round_is_convicted(*, is_overtaken: bool) -> None:
    """SECURITY: also by a node that has signed in later rounds since."""
    world = new_world()
    identifier = ask(world)
    rogue, round_number = await rogue_of(world, identifier, in_rounds=1)
    if is_overtaken:
        world.b.blocks_per_value = 1
        for node in honest(world, rogue)[1:]:
            node.running.views[world.b.caip2].is_unreadable = True
    world.clock.seconds += 3
    await rounds(world)
    true = true_outcome(world, identifier, round_number, world.b.blocks[world.b.final_number])
    rogue.say(batch_of(world, true), honest(world, rogue))
    rogue.say(batch_of(world, replace(true, return_data_hash=keccak256(b"a lie"))), honest(world, rogue))
    await rounds(world, 60)
    witness = honest(world, rogue)[0]
    assert true in outcomes_signed(world, witness)
    [evidence] = witness.store._evidence.values()
    assert evidence.signer == rogue.node.key.key


async def test_security_junk_costs_a_bounded_number_of_exchanges_and_keeps_no_honest_proposal_out() -> None:
    """SECURITY: a signer's unknown roots are asked for a few at a time, once each, whatever it signs."""
    world = new_world()
    identifier = ask(world)
    rogue, _ = await rogue_of(world, identifier)
    for number in range(100):
        junk = replace(true_outcome(world, identifier, 7), return_data_hash=keccak256(b"%d" % number))
        rogue.say(batch_of(world, junk), honest(world, rogue))
    await until(world, lambda: Status.DELIVERED in statuses(world, identifier))
    looks = [rogue.shown.count(root) for root in set(rogue.shown)]
    assert max(looks) <= len(honest(world, rogue))
