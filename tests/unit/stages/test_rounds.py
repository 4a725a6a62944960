"""Steps of the stage that answers questions in rounds: what it reads, whom it asks, and what holds it up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from attestation.request import Mode, Request, RequestId
from relayer.domain.rounds import ROUND_SECONDS, round_at
from relayer.domain.status import Status
from relayer.errors import PeerMessageInvalid, PeerUnavailable, RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.ports.signer import Attestation
from relayer.stages import rounds as rounds_module
from relayer.stages.attest import AttestStage
from relayer.stages.rounds import RoundsStage
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.simulation.views import PresentView
from tests.simulation.world import Node, World
from tests.unit.stages.steps import hear, mine, stage_of, step


def new_world(settings: StageSettings | None = None) -> World:
    """The second chain has no history."""
    return World(random.Random(0), settings=settings or StageSettings(), without_history=(2,))


async def take_in(world: World, *nodes: Node) -> None:
    """Both chains, to their ends."""
    for node in nodes or world.nodes:
        for _ in range(3):
            for chain in (world.b, world.a):
                await step(world, node, WatchStage, chain)


async def ask(world: World, count: int = 1) -> list[RequestId]:
    """So many questions, final at all nodes."""
    asked = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(count)]
    mine(world, world.a, 1 + world.a.depth_blocks)
    mine(world, world.b, 1 + world.b.depth_blocks)
    await take_in(world)
    return asked


def turn_of(world: World, identifier: RequestId) -> Node:
    """Whose round it is now."""
    height = world.a.requests()[identifier].location.block.number
    route = world.a.gateway + world.b.address
    ranked = world.nodes[0].running.desk.epochs.ranked_signers(world.a.gateway, route, height)
    return next(n for n in world.nodes if n.key.key == ranked[round_at(world.clock.now()) % len(ranked)])


async def propose(world: World, identifier: RequestId) -> Node:
    """The node whose turn it is has signed its proposal; it has arrived at the others."""
    proposer = turn_of(world, identifier)
    await step(world, proposer, RoundsStage, world.b)
    await step(world, proposer, AttestStage)
    await hear(world, ())
    return proposer


def another(world: World, node: Node) -> Node:
    """Not this one."""
    return next(other for other in world.nodes if other is not node)


def status_of(node: Node, identifier: RequestId) -> Status:
    """Where the node sees a request."""
    return node.store._requests[identifier].status


def view_of(world: World, node: Node) -> PresentView:
    """Its endpoints of the chain without history."""
    view = node.running.views[world.b.caip2]
    assert isinstance(view, PresentView)
    return view


async def test_nothing_is_read_before_it_is_final_and_nothing_after_it_has_its_answer() -> None:
    world = new_world()
    node = world.nodes[0]
    identifier = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    mine(world, world.b)
    await take_in(world, node)
    await step(world, node, RoundsStage, world.b)
    assert node.running.desk.rounds.newest(node.store._requests[identifier]) is None
    await world.calm()
    assert status_of(node, identifier) is Status.DELIVERED
    assert node.running.desk.rounds.newest(node.store._requests[identifier]) is None
    assert node.running.desk.bells.answer_rest.is_resting(world.b.caip2)


async def test_a_stage_without_questions_waits_for_its_bell_and_one_with_some_looks_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = new_world()
    stage = stage_of(world.nodes[0], RoundsStage, world.b)
    monkeypatch.setattr(rounds_module, "_LOOK_SECONDS", 0.001)
    await stage.wait()
    await step(world, world.nodes[0], RoundsStage, world.b)
    waiting = asyncio.ensure_future(stage.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    world.nodes[0].running.desk.bells.answer[world.b.caip2].ring()
    await waiting


async def test_who_is_not_in_turn_reads_and_proposes_nothing() -> None:
    world = new_world()
    [identifier] = await ask(world)
    node = another(world, turn_of(world, identifier))
    await step(world, node, RoundsStage, world.b)
    assert node.running.desk.rounds.newest(node.store._requests[identifier]) is not None
    assert status_of(node, identifier) is Status.FINAL


async def test_a_proposal_is_told_to_everybody_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    [identifier] = await ask(world)
    proposer = turn_of(world, identifier)
    told: list[set[bytes]] = []

    async def push(_: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        told.append(set(first or ()))

    peers = proposer.running.desk.peers
    monkeypatch.setattr(peers, "push", push)
    await step(world, proposer, RoundsStage, world.b)
    await step(world, proposer, AttestStage)
    assert told == [set(peers.keys)]


async def test_what_one_source_block_asks_is_proposed_when_all_of_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "_READ_AT_ONCE", 1)
    world = new_world()
    identifiers = await ask(world, 3)
    proposer = turn_of(world, identifiers[0])
    for _ in range(2):
        await step(world, proposer, RoundsStage, world.b)
        assert {status_of(proposer, i) for i in identifiers} == {Status.FINAL}
    await step(world, proposer, RoundsStage, world.b)
    assert {status_of(proposer, i) for i in identifiers} == {Status.CONCLUDED}
    assert [batch.count for batch in proposer.store._batches.values()] == [3]


async def test_a_question_that_endpoints_do_not_answer_for_keeps_no_other_blocks_waiting() -> None:
    world = new_world()
    await ask(world)
    [later] = await ask(world)
    proposer = turn_of(world, later)
    view = view_of(world, proposer)
    fetch = view.fetch_present_answers

    async def fetch_some(requests: Sequence[Request]) -> Sequence[Answer | None]:
        if world.asked[0] in requests:
            raise RpcUnavailable("too heavy")
        return await fetch(requests)

    view.fetch_present_answers = fetch_some  # type: ignore[method-assign]
    await step(world, proposer, RoundsStage, world.b)
    assert status_of(proposer, later) is Status.CONCLUDED


async def test_questions_that_fill_a_claim_take_turns() -> None:
    world = new_world(replace(StageSettings(), claim_limit=2))
    first = [i for _ in range(2) for i in await ask(world)]
    for node in world.nodes:
        view_of(world, node).unreadable_payloads |= {request.payload for request in world.asked}
        await step(world, node, RoundsStage, world.b)
    [later] = await ask(world)
    proposer = turn_of(world, later)
    await step(world, proposer, RoundsStage, world.b)
    await step(world, proposer, RoundsStage, world.b)
    assert status_of(proposer, later) is Status.CONCLUDED
    assert {status_of(proposer, identifier) for identifier in first} == {Status.FINAL}


async def test_nothing_is_read_for_a_chain_that_contradicted_itself() -> None:
    world = new_world()
    [identifier] = await ask(world)
    proposer = turn_of(world, identifier)
    proposer.running.desk.halted[world.a.caip2] = None  # type: ignore[assignment]
    await step(world, proposer, RoundsStage, world.b)
    assert status_of(proposer, identifier) is Status.FINAL


async def test_a_proposal_is_signed_when_the_same_is_read_later() -> None:
    world = new_world()
    world.b.blocks_per_value = 1
    [identifier] = await ask(world)
    late = another(world, turn_of(world, identifier))
    view_of(world, late).lag_blocks = 1
    await propose(world, identifier)
    await step(world, late, RoundsStage, world.b)
    assert status_of(late, identifier) is Status.FINAL
    mine(world, world.b)
    await step(world, late, RoundsStage, world.b)
    assert status_of(late, identifier) is Status.CONCLUDED


@pytest.mark.parametrize("error", [PeerUnavailable("down"), None], ids=["down", "hanging"])
async def test_security_a_peer_that_shows_no_leaves_is_given_a_pause_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """SECURITY: one that never answers costs a part of a round, once a while."""
    monkeypatch.setattr(rounds_module, "_PEER_SECONDS", 0.01)
    world = new_world()
    [identifier] = await ask(world)
    asked: list[bytes] = []

    async def fetch_nothing(key: bytes, _: bytes) -> object:
        asked.append(key)
        if error is not None:
            raise error
        return await asyncio.Event().wait()

    proposer = await propose(world, identifier)
    node = another(world, proposer)
    peers = node.running.desk.peers
    fetch = peers.fetch_statements
    monkeypatch.setattr(peers, "fetch_statements", fetch_nothing)
    for _ in range(3):
        await step(world, node, RoundsStage, world.b)
    assert asked == [proposer.key.key]
    world.clock.seconds += 2 * ROUND_SECONDS
    monkeypatch.setattr(peers, "fetch_statements", fetch)
    await step(world, node, RoundsStage, world.b)
    assert status_of(node, identifier) is Status.CONCLUDED


async def test_a_peer_that_withholds_leaves_is_not_asked_for_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    [identifier] = await ask(world)
    asked: list[bytes] = []

    async def withhold(_: bytes, root: bytes) -> object:
        asked.append(root)
        raise PeerMessageInvalid("what root?")

    node = another(world, await propose(world, identifier))
    monkeypatch.setattr(node.running.desk.peers, "fetch_statements", withhold)
    for _ in range(3):
        await step(world, node, RoundsStage, world.b)
    assert len(asked) == 1


async def test_security_what_is_remembered_of_a_signer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a key can sign roots without end."""
    monkeypatch.setattr(rounds_module, "_KEPT_PER_SIGNER", 2)
    monkeypatch.setattr(rounds_module, "_LOOKED_PER_SIGNER", 3)
    monkeypatch.setattr(rounds_module, "MAX_QUESTIONS", 2)
    world = new_world()
    identifiers = [i for _ in range(4) for i in await ask(world)]
    for node in world.nodes:
        view_of(world, node).lag_blocks = 0
    for _ in range(12):
        await world.round()
    assert {status_of(node, i) for node in world.nodes for i in identifiers} == {Status.DELIVERED}
    for node in world.nodes:
        stage = stage_of(node, RoundsStage, world.b)
        assert max(len(peer.looked) for peer in stage._peers.values()) <= 3
        assert max(len(peer.proposals) for peer in stage._peers.values()) <= 2
        assert len(stage._read_at) <= 2
        assert len(stage._turns) <= 2


async def test_a_proposal_that_nobody_could_compare_is_dropped_after_a_minute() -> None:
    world = new_world()
    [identifier] = await ask(world)
    proposer = await propose(world, identifier)
    node = another(world, proposer)
    view_of(world, node).is_unreadable = True
    await step(world, node, RoundsStage, world.b)
    stage = stage_of(node, RoundsStage, world.b)
    assert len(stage._peers[proposer.key.key].proposals) == 1
    world.clock.seconds += 61
    await step(world, node, RoundsStage, world.b)
    assert not stage._peers[proposer.key.key].proposals


async def test_security_an_orphan_is_in_no_batch_of_the_block_that_replaced_its_own() -> None:
    """SECURITY: nodes that saw it, and nodes that did not, must cut alike."""
    world = new_world()
    mine(world, world.a)
    orphan = world.ask(world.a, world.b, mode=Mode.QUERY)
    mine(world, world.a)
    await take_in(world)
    replacements = [world.ask(world.a, world.b, mode=Mode.QUERY) for _ in range(7)]
    assert world.a.reorganise(1, 1, int(world.clock.now()), kept=[False])
    mine(world, world.a, 1 + world.a.depth_blocks)
    mine(world, world.b, 1 + world.b.depth_blocks)
    await take_in(world)
    proposer = await propose(world, replacements[0])
    assert status_of(proposer, orphan) is Status.ORPHANED
    assert [batch.count for batch in proposer.store._batches.values()] == [7]
