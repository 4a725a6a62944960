"""What is believed of what peers say, what is kept, and for how long."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from attestation.keccak import keccak256
from relayer.domain.batch import Batch
from relayer.errors import PeerMessageInvalid, StoreConflict
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit
from relayer.stages.attest import AttestStage
from relayer.stages.inbox import GATHER_SECONDS, Inbox
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from tests.factories import SIGNING_KEYS, attest, execute_batch, track
from tests.simulation.world import OBSERVER_KEY, Node, World
from tests.unit.stages.steps import born, mine, new_world, step

PEER = SIGNING_KEYS[1]


def invented(world: World, number: int) -> Attestation:
    """The peer's true signature over a root that no chain gave birth to."""
    batch = replace(execute_batch_of(world), root=keccak256(b"invented %d" % number))
    return attest(batch, PEER)


def execute_batch_of(world: World) -> Batch:
    """Some batch for the destination's gateway."""
    return replace(execute_batch(track()), verifying_gateway=world.b.gateway)


def rejected(node: Node) -> dict[str, float]:
    """How many attestations were refused, by reason."""
    metric = node.running.desk.metrics.attestations_rejected
    return {
        sample.labels["reason"]: sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


async def test_what_is_pushed_short_of_a_quorum_waits_to_be_written_with_more() -> None:
    world = new_world()
    node, batch = await born(world)
    await step(world, node, AttestStage)
    inbox, commits = node.running.inbox, node.running.commits
    await inbox.receive_attestations(PEER.key, [attest(batch, PEER)])
    assert not inbox.is_urgent
    await inbox.receive_attestations(SIGNING_KEYS[2].key, [attest(batch, SIGNING_KEYS[2])])
    assert inbox.is_urgent
    assert node.running.commits == commits
    await inbox.settle()
    assert node.running.commits == commits + 1
    assert [*await node.store.load_certificates([batch.root])] == [batch.root]


async def test_what_comes_after_a_quorum_is_written_a_while_later() -> None:
    world = new_world()
    node, batch = await born(world)
    await step(world, node, AttestStage)
    inbox, late = node.running.inbox, attest(batch, SIGNING_KEYS[3])
    for key in SIGNING_KEYS[1:3]:
        await inbox.receive_attestations(key.key, [attest(batch, key)])
    await inbox.settle()
    await inbox.receive_attestations(late.signer, [late])
    assert not inbox.is_urgent
    world.clock.seconds += GATHER_SECONDS
    assert inbox.is_urgent
    await inbox.settle()
    assert late in (await node.store.load_attestations([batch.root]))[batch.root]


async def test_what_peers_pushed_before_a_batch_was_signed_here_is_written_with_its_signature() -> None:
    world = new_world()
    node, batch = await born(world)
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.receive_attestations(key.key, [attest(batch, key)])
    commits = node.running.commits
    await step(world, node, AttestStage)
    assert node.running.commits == commits + 1
    assert [*await node.store.load_certificates([batch.root])] == [batch.root]


async def test_security_what_is_pushed_is_verified_and_of_one_sender_only_so_much_is_gathered() -> None:
    """SECURITY: nothing unverified counts towards a quorum, and a peer can sign roots without end."""
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=3))
    node, batch = await born(world)
    await step(world, node, AttestStage)
    inbox = node.running.inbox
    forged = [replace(attest(batch, key), signature=bytes(64)) for key in SIGNING_KEYS[1:]]
    for attestation in forged:
        await inbox.receive_attestations(attestation.signer, [attestation])
    await inbox.receive_attestations(SIGNING_KEYS[2].key, [attest(batch, PEER)])
    assert not inbox.is_urgent
    assert rejected(node) == {"ForgedSignature": 3.0, "WrongSigner": 1.0}
    for number in range(10):
        await inbox.receive_attestations(PEER.key, [invented(world, number)])
    await inbox.settle()
    world.clock.seconds += 1_000
    assert len(inbox.overdue()) == 3


async def test_a_push_whose_writing_failed_is_written_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    node, batch = await born(world)
    pushed = attest(batch, PEER)
    await node.running.inbox.receive_attestations(PEER.key, [pushed])

    async def fail(_commit: Commit) -> None:
        raise StoreConflict("somebody was first")

    with monkeypatch.context() as broken:
        broken.setattr(node.running.desk.store, "commit", fail)
        with pytest.raises(StoreConflict):
            await node.running.inbox.settle()
    await node.running.inbox.settle()
    assert await node.store.load_attestations([batch.root]) == {batch.root: [pushed]}


async def test_an_attestation_over_a_batch_of_ours_is_stored() -> None:
    world = new_world()
    node, batch = await born(world)
    attestation = attest(batch, PEER)
    assert await node.running.inbox.take_in(PEER.key, [attestation]) == []
    assert await node.store.load_attestations([batch.root]) == {batch.root: [attestation]}


async def test_an_early_attestation_counts_once_its_batch_is_born() -> None:
    world = new_world()
    node, other = world.nodes[0], world.nodes[1]
    for watcher in (node, other):
        await step(world, watcher, WatchStage, world.b)
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, other, WatchStage, world.a)
    [batch] = other.store._batches.values()
    early = attest(batch, PEER)
    assert await node.running.inbox.take_in(PEER.key, [early]) == [early]
    assert await node.store.load_attestations([batch.root]) == {}
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    assert early in (await node.store.load_attestations([batch.root]))[batch.root]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signer": SIGNING_KEYS[2].key}, "WrongSigner"),
        ({"signature": bytes(64)}, "ForgedSignature"),
        ({"signature": bytes(63)}, "MalformedSignature"),
        ({"count": 2}, "ForgedSignature"),
        ({"count": 0}, "MalformedBatch"),
        ({"root": bytes(32)}, "MalformedBatch"),
        ({"epoch": 2}, "UnknownEpoch"),
        ({"gateway": b"nonsense"}, "UnknownEpoch"),
    ],
)
async def test_security_what_does_not_verify_is_neither_stored_nor_counted(
    change: dict[str, object], code: str
) -> None:
    """SECURITY: nobody speaks for another signer, and a signature is worth what it covers."""
    world = new_world()
    node, batch = await born(world)
    bad = replace(attest(batch, PEER), **change)  # type: ignore[arg-type]
    good = attest(batch, PEER)
    await node.running.inbox.take_in(PEER.key, [bad, good])
    assert await node.store.load_attestations([batch.root]) == {batch.root: [good]}
    assert rejected(node) == {code: 1.0}


async def test_security_a_long_list_lets_others_have_their_turn() -> None:
    """SECURITY: a message may bring seconds of signature checks; heartbeats and other peers must not wait for them."""
    world = new_world()
    node, batch = await born(world)
    forged = replace(attest(batch, PEER), signature=bytes(64))
    taking = asyncio.ensure_future(node.running.inbox.take_in(PEER.key, [forged] * 640))
    turns = 0
    while not taking.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 640 // 32
    assert rejected(node) == {"ForgedSignature": 640.0}


async def test_security_a_stranger_counts_for_nothing() -> None:
    """SECURITY: only members of the gateway's own set are heard."""
    world = new_world()
    node, batch = await born(world)
    await node.running.inbox.take_in(OBSERVER_KEY.key, [attest(batch, OBSERVER_KEY)])
    assert await node.store.load_attestations([batch.root]) == {}


async def test_security_one_peer_cannot_fill_the_memory_nor_push_out_another() -> None:
    """SECURITY: a peer can sign roots without end."""
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=3))
    node, _ = await born(world)
    inbox, quiet = node.running.inbox, SIGNING_KEYS[2]
    others = attest(replace(execute_batch_of(world), root=keccak256(b"of another")), quiet)
    await inbox.take_in(quiet.key, [others])
    flood = [invented(world, number) for number in range(10)]
    await inbox.take_in(PEER.key, flood)
    world.clock.seconds += 1_000
    kept = inbox.overdue()
    assert kept[0] == others
    assert len(kept) == 4
    assert set(kept[1:]) < set(flood)


@pytest.mark.parametrize("place", [0, 100, 199])
async def test_security_a_flood_before_or_after_a_lie_does_not_choose_what_is_forgotten(place: int) -> None:
    """SECURITY: a signer could push its lie out with idle roots before anybody looks, were only the newest kept."""
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=50))
    node, _ = await born(world)
    flood = [invented(world, number) for number in range(200)]
    held = 0
    for seed in range(40):
        inbox = Inbox(node.running.desk, random.Random(seed))
        await inbox.take_in(PEER.key, flood)
        world.clock.seconds += 1_000
        assert len(inbox.overdue()) == 50
        held += flood[place] in inbox.overdue()
    assert 2 <= held <= 20, "not one in four"


@pytest.mark.parametrize("place", [0, 6, 12])
async def test_security_a_flood_within_one_push_does_not_choose_what_is_forgotten(place: int) -> None:
    """SECURITY: were only the first gathered, a lie that comes after a flood would be left out for certain."""
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=6))
    node, _ = await born(world)
    flood = [invented(world, number) for number in range(13)]
    held = 0
    for seed in range(40):
        inbox = Inbox(node.running.desk, random.Random(seed))
        await inbox.receive_attestations(PEER.key, flood)
        await inbox.settle()
        world.clock.seconds += 1_000
        assert len(inbox.overdue()) == 6
        held += flood[place] in inbox.overdue()
    assert 8 <= held <= 30, "not six in thirteen"


async def test_security_a_flood_within_one_push_is_not_verified_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a peer can push without end, and a signature takes longer to check than to send."""
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=3))
    node, _ = await born(world)
    checked: list[object] = []
    monkeypatch.setattr("relayer.stages.inbox.verify_attestation", lambda attestation, _: checked.append(attestation))
    await node.running.inbox.receive_attestations(PEER.key, [invented(world, number) for number in range(500)])
    assert len(checked) < 100


async def test_what_does_not_fit_is_stored_all_the_same_if_its_batch_is_born_here() -> None:
    world = new_world(replace(StageSettings(), unknown_roots_per_signer=2))
    node, batch = await born(world)
    inbox, pushed = node.running.inbox, attest(batch, PEER)
    await inbox.settle()
    await inbox.receive_attestations(PEER.key, [invented(world, 0), invented(world, 1), pushed])
    await inbox.settle()
    assert await node.store.load_attestations([batch.root]) == {batch.root: [pushed]}
    assert pushed not in inbox.overdue()


async def test_an_unknown_root_is_overdue_after_a_while_and_forgotten_when_looked_into() -> None:
    world = new_world()
    node, _ = await born(world)
    inbox, lie = node.running.inbox, invented(world, 0)
    await inbox.take_in(PEER.key, [lie])
    world.clock.seconds += 120
    assert inbox.overdue() == []
    world.clock.seconds += 1
    assert inbox.overdue() == [lie]
    inbox.forget(lie)
    assert inbox.overdue() == []
    inbox.forget(lie)


async def test_own_attestations_are_served_by_cursor_until_the_end() -> None:
    world = new_world()
    node, _ = await born(world)
    for _ in range(2):
        world.ask(world.a, world.b)
        mine(world, world.a)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    inbox = node.running.inbox
    first = await inbox.load_own_attestations("", 2)
    rest = await inbox.load_own_attestations(first.cursor, 2)
    none = await inbox.load_own_attestations(rest.cursor, 2)
    assert [len(page.attestations) for page in (first, rest, none)] == [2, 1, 0]
    assert [page.is_end for page in (first, rest, none)] == [False, True, True]
    assert none.cursor == rest.cursor
    assert {a.signer for page in (first, rest) for a in page.attestations} == {node.key.key}


@pytest.mark.parametrize("cursor", ["-1", "1.5", "x", "9" * 20, "\N{SUPERSCRIPT TWO}", " 1"])
async def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    node = new_world().nodes[0]
    with pytest.raises(PeerMessageInvalid):
        await node.running.inbox.load_own_attestations(cursor, 2)


async def test_the_statements_of_own_batches_are_served_and_no_others() -> None:
    world = new_world()
    node, batch = await born(world)
    assert await node.running.inbox.load_statements(batch.root) == batch.statements
    assert await node.running.inbox.load_statements(bytes(32)) is None


async def test_a_page_that_is_read_again_is_not_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    node, batch = await born(world)
    page = [attest(batch, PEER), *(invented(world, number) for number in range(3))]
    pending = await node.running.inbox.take_in(PEER.key, page)
    assert pending == page[1:]
    monkeypatch.setattr("relayer.stages.inbox.verify_attestation", _refuse)
    assert await node.running.inbox.take_in(PEER.key, page) == pending
    assert rejected(node) == {}


async def test_security_what_was_held_vouches_for_nothing_else() -> None:
    """SECURITY: only what was verified to the last bit is not verified again, and nobody speaks for another signer."""
    world = new_world()
    node, batch = await born(world)
    held = [attest(batch, PEER), invented(world, 0)]
    await node.running.inbox.take_in(PEER.key, held)
    forged = attest(batch, OBSERVER_KEY).signature
    for attestation in held:
        assert await node.running.inbox.take_in(PEER.key, [replace(attestation, signature=forged)]) == []
    assert await node.running.inbox.take_in(SIGNING_KEYS[2].key, held) == []
    assert rejected(node) == {"ForgedSignature": 2, "WrongSigner": 2}


def _refuse(*_: object) -> None:
    raise AssertionError("verified again")
