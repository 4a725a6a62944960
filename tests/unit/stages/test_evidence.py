"""How a signer that contradicts itself is found, and what it cannot do to those who look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.batch import Batch as SignedBatch
from attestation.evidence import verify_equivocation
from attestation.evidence_file import parse_evidence
from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.statement import Execute
from relayer.domain.batch import Batch
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit
from relayer.stages import evidence
from relayer.stages.attest import AttestStage
from relayer.stages.evidence import EvidenceStage
from relayer.stages.watch import WatchStage
from tests.factories import SIGNING_KEYS, attest
from tests.simulation.world import Node, World
from tests.unit.stages.steps import born, mine, new_world, step

LIAR = SIGNING_KEYS[3]


async def signed_truly(world: World) -> tuple[Node, Batch]:
    """A batch that the node has built and that the liar, as everybody, has signed."""
    node, batch = await born(world)
    await step(world, node, AttestStage)
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR)])
    return node, batch


def contradiction(batch: Batch) -> Batch:
    """Another place for the same request."""
    [statement] = batch.statements
    assert isinstance(statement, Execute)
    other = replace(statement, height=statement.height + 1)
    return replace(batch, statements=(other,), root=merkle_root([other.leaf]))


async def serve(world: World, *batches: Batch) -> None:
    """The liar gives out the statements under these roots when it is asked."""
    await world.nodes[3].store.commit(Commit(batches=batches))


async def look(world: World, node: Node) -> int:
    """How much evidence there is after the node has looked into what is overdue."""
    world.clock.seconds += 121
    await step(world, node, EvidenceStage)
    return len(node.store._evidence)


async def test_two_leaves_under_one_guard_key_are_evidence_that_anyone_can_check() -> None:
    world = new_world()
    node, batch = await signed_truly(world)
    lie = contradiction(batch)
    await serve(world, lie)
    await node.running.inbox.take_in(LIAR.key, [attest(lie, LIAR)])
    assert await look(world, node) == 1
    [row] = node.store._evidence.values()
    assert (row.offence, row.signer) == ("EQUIVOCATION", LIAR.key)
    verify_equivocation(parse_evidence(row.document), LIAR.key)


async def test_security_a_lie_is_not_hidden_behind_idle_roots() -> None:
    """SECURITY: only so many roots are looked into at a time, and who signs them chooses their order."""
    world = new_world()
    node, batch = await signed_truly(world)
    [statement] = batch.statements
    idle = [replace(statement, request_id=RequestId(bytes([1, n]) + bytes(30))) for n in range(200)]
    batches = [replace(batch, statements=(one,), root=merkle_root([one.leaf])) for one in idle]
    lies = [replace(statement, height=statement.height + n) for n in range(1, 51)]
    batches += [replace(batch, statements=(lie,), root=merkle_root([lie.leaf])) for lie in lies]
    await serve(world, *batches)
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR) for batch in batches])
    assert await look(world, node) == 1


async def test_the_contradiction_is_found_when_the_true_signature_comes_later() -> None:
    world = new_world()
    node, batch = await born(world)
    lie = contradiction(batch)
    await serve(world, lie)
    await node.running.inbox.take_in(LIAR.key, [attest(lie, LIAR)])
    assert await look(world, node) == 0
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR)])
    assert await look(world, node) == 1


async def other_truth(world: World, node: Node, first: Batch) -> Batch:
    """A second batch, of another request."""
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    [second] = [batch for batch in node.store._batches.values() if batch.root != first.root]
    return second


async def born_unsigned(world: World) -> tuple[Node, Batch]:
    """A batch that the node has built, and that the liar has not signed."""
    node, batch = await born(world)
    await step(world, node, AttestStage)
    return node, batch


async def test_security_one_lie_under_many_roots_takes_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a signer that fills the places with one lie must not equivocate unseen behind it."""
    monkeypatch.setattr(evidence, "_KEPT_PER_SIGNER", 4)
    world = new_world()
    node, first = await born_unsigned(world)
    [lie] = contradiction(first).statements
    assert isinstance(lie, Execute)
    idle = [replace(lie, request_id=RequestId(bytes([9, n]) + bytes(30))) for n in range(12)]
    fillers = [replace(first, statements=(lie, one), root=merkle_root([lie.leaf, one.leaf])) for one in idle]
    await serve(world, *fillers)
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR) for batch in fillers])
    assert await look(world, node) == 0
    assert len(node.store._foreign) == 1
    second = await other_truth(world, node, first)
    await serve(world, contradiction(second))
    await node.running.inbox.take_in(LIAR.key, [attest(contradiction(second), LIAR)])
    assert await look(world, node) == 0
    await node.running.inbox.take_in(LIAR.key, [attest(second, LIAR)])
    assert await look(world, node) == 1


async def test_security_a_lie_that_there_is_no_room_for_is_compared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: else who lies about enough requests may lie about all others, with the truth beside it."""
    monkeypatch.setattr(evidence, "_KEPT_PER_SIGNER", 0)
    world = new_world()
    node, batch = await signed_truly(world)
    await serve(world, contradiction(batch))
    await node.running.inbox.take_in(LIAR.key, [attest(contradiction(batch), LIAR)])
    assert await look(world, node) == 1


async def test_security_where_the_places_are_taken_another_lie_has_one_and_disk_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SECURITY: first come must not be all that is ever compared, nor may a signer write here without end."""
    monkeypatch.setattr(evidence, "_KEPT_PER_SIGNER", 1)
    world = new_world()
    node, first = await born_unsigned(world)
    second = await other_truth(world, node, first)
    for batch in (first, second):
        await serve(world, contradiction(batch))
        await node.running.inbox.take_in(LIAR.key, [attest(contradiction(batch), LIAR)])
        assert await look(world, node) == 0
    assert len(node.store._foreign) == 1
    await node.running.inbox.take_in(LIAR.key, [attest(second, LIAR)])
    assert await look(world, node) == 1


async def test_two_foreign_roots_can_contradict_each_other() -> None:
    world = new_world()
    node, batch = await born(world)
    first = contradiction(batch)
    second = contradiction(first)
    await serve(world, first, second)
    await node.running.inbox.take_in(LIAR.key, [attest(first, LIAR), attest(second, LIAR)])
    assert await look(world, node) == 1


async def test_a_view_of_another_chain_alone_is_no_offence() -> None:
    world = new_world()
    node, batch = await signed_truly(world)
    [statement] = batch.statements
    assert isinstance(statement, Execute)
    elsewhere = replace(statement, request_id=type(statement.request_id)(b"\x42" * 32))
    other = replace(batch, statements=(elsewhere,), root=merkle_root([elsewhere.leaf]))
    await serve(world, other)
    await node.running.inbox.take_in(LIAR.key, [attest(other, LIAR)])
    assert await look(world, node) == 0
    assert node.running.inbox.overdue() == []


async def test_statements_that_are_withheld_are_not_asked_for_again() -> None:
    world = new_world()
    node, batch = await signed_truly(world)
    await node.running.inbox.take_in(LIAR.key, [attest(contradiction(batch), LIAR)])
    assert await look(world, node) == 0
    assert node.running.inbox.overdue() == []


async def test_a_peer_that_is_down_is_asked_again() -> None:
    world = new_world()
    node, batch = await signed_truly(world)
    lie = contradiction(batch)
    await serve(world, lie)
    await node.running.inbox.take_in(LIAR.key, [attest(lie, LIAR)])
    world.kill(world.nodes[3])
    assert await look(world, node) == 0
    world.start(world.nodes[3])
    assert await look(world, node) == 1


def miscounted(batch: Batch) -> Attestation:
    """A true signature over the root with a count that is not that of its leaves."""
    gateway, root = batch.verifying_gateway, batch.root
    signature = LIAR.sign(SignedBatch(gateway, root, 7, 1).digest())
    return Attestation(gateway, root, 7, 1, LIAR.key, signature)


async def test_security_a_lie_about_the_count_of_a_foreign_root_stops_nobody() -> None:
    """SECURITY: what does not make evidence must not end the process that looks for it."""
    world = new_world()
    node, batch = await signed_truly(world)
    lie = contradiction(batch)
    await serve(world, lie)
    await node.running.inbox.take_in(LIAR.key, [miscounted(lie)])
    assert await look(world, node) == 0


async def test_security_a_lie_about_the_count_of_a_true_root_stops_nobody() -> None:
    """SECURITY: the same, where the true root is the one that is signed with a wrong count."""
    world = new_world()
    node, batch = await born(world)
    lie = contradiction(batch)
    await serve(world, lie)
    await node.running.inbox.take_in(LIAR.key, [miscounted(batch), attest(lie, LIAR)])
    assert await look(world, node) == 0
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR)])
    assert await look(world, node) == 1
