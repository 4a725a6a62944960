"""What a node signs, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from attestation.statement import Statement
from relayer.domain.batch import Batch
from relayer.errors import ReorgBelowFinality
from relayer.ports.signer import GuardConflict
from relayer.stages.attest import AttestStage
from relayer.stages.desk import SIGNED_REMEMBERED
from relayer.stages.halts import halt_chain
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryGuard
from tests.factories import SIGNING_KEYS, attest, make_signer_set
from tests.simulation.chain import SimChain
from tests.simulation.gateway import Apply
from tests.simulation.world import Node, World
from tests.unit.stages.steps import born, mine, new_world, stage_of, step


def signed_by(world: World, node: Node) -> int:
    """How many signatures the node has given."""
    return len(world.truth.signed[node.key.key])


async def test_a_batch_waits_until_the_epoch_of_its_gateway_is_known() -> None:
    world = new_world()
    node = world.nodes[0]
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 0
    await step(world, node, WatchStage, world.b)
    world.clock.seconds += 60
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 1


async def test_a_batch_that_was_not_signed_before_a_restart_is_signed_after_it() -> None:
    world = new_world()
    node, _ = await born(world)
    world.kill(node)
    world.start(node)
    await step(world, node, AttestStage)
    for chain in (world.a, world.b):
        await step(world, node, WatchStage, chain)
    world.clock.seconds += 60
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 1


async def test_security_a_chain_that_broke_finality_is_not_signed_about() -> None:
    """SECURITY: what was final on it is not; only an operator may say how it goes on."""
    world = new_world()
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    world.ask(world.a, world.b)
    mine(world, world.a, 5)
    await step(world, node, WatchStage, world.a)
    world.a.break_finality(5, int(world.clock.now()))
    await step(world, node, WatchStage, world.a)
    assert list(node.running.desk.halted) == [world.a.caip2]
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 0


async def test_a_halted_chain_keeps_no_other_from_being_signed_about() -> None:
    world = new_world(replace(StageSettings(), claim_limit=4), chain_ids=(1, 2, 3))
    node, halted, sound = world.nodes[0], world.chains["eip155:3"], world.a
    for chain in world.chains.values():
        await step(world, node, WatchStage, chain)
    for _ in range(4):
        world.ask(halted, world.b)
        mine(world, halted)
    mine(world, halted, 4)
    await step(world, node, WatchStage, halted)
    error = ReorgBelowFinality("three", 1, b"\x01" * 32, b"\x02" * 32)
    await halt_chain(node.running.desk, halted.caip2, error)
    world.ask(sound, world.b)
    mine(world, sound, 4)
    await step(world, node, WatchStage, sound)
    for _ in range(2):
        await step(world, node, AttestStage)
    assert signed_by(world, node) == 1


async def test_security_a_restart_does_not_sign_what_the_halt_before_it_kept_unsigned() -> None:
    """SECURITY: a process that died before it saw the fork has recorded none; the next looks before it signs."""
    world = new_world()
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    world.ask(world.a, world.b)
    mine(world, world.a, 5)
    await step(world, node, WatchStage, world.a)
    world.a.break_finality(5, int(world.clock.now()))
    world.kill(node)
    world.start(node)
    await step(world, node, WatchStage, world.b)
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 0
    await step(world, node, WatchStage, world.a)
    assert list(node.running.desk.halted) == [world.a.caip2]
    world.clock.seconds += 60
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 0


class SlowGuard(MemoryGuard):
    """A guard during whose first claim something else happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """As ever, after what happens meanwhile."""
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        return await super().claim(entries)


async def test_an_epoch_that_is_applied_while_a_batch_is_signed_has_it_signed_again() -> None:
    world = new_world()
    node = world.nodes[0]

    async def rotate() -> None:
        world.transact(world.b, Apply(make_signer_set(SIGNING_KEYS[::-1])))
        mine(world, world.b, 5)
        await step(world, node, WatchStage, world.b)

    world.kill(node)
    node.guard = SlowGuard(rotate)
    world.start(node)
    await step(world, node, WatchStage, world.b)
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    for _ in range(2):
        await step(world, node, AttestStage)
    assert {attestation.epoch for attestation in node.store._attestations.values()} == {1, 2}


async def hold(world: World, node: Node, halted: SimChain, others: Sequence[SimChain]) -> None:
    """One batch from the chain to each of the others and one back, all unsigned, for the chain is halted."""
    for chain in world.chains.values():
        await step(world, node, WatchStage, chain)
    for other in others:
        world.ask(halted, other)
        world.ask(other, halted)
    for chain in world.chains.values():
        mine(world, chain, 4)
        await step(world, node, WatchStage, chain)
    error = ReorgBelowFinality("held", 1, b"\x01" * 32, b"\x02" * 32)
    await halt_chain(node.running.desk, halted.caip2, error)


async def test_security_what_waits_for_a_halted_chain_is_loaded_more_and_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SECURITY: thousands of full batches that wait would take the loop from all other chains, every two seconds."""
    world = new_world()
    node = world.nodes[0]
    await hold(world, node, world.a, [world.b])
    outward = {batch.root for batch in node.store._batches.values() if batch.verifying_chain == world.b.caip2}
    loaded: list[bytes] = []
    load_batches = node.running.desk.store.load_batches

    async def load(roots: Sequence[bytes]) -> dict[bytes, Batch]:
        loaded.extend(roots)
        return dict(await load_batches(roots))

    monkeypatch.setattr(node.running.desk.store, "load_batches", load)
    for _ in range(60):
        await step(world, node, AttestStage)
        world.clock.seconds += 2
    assert set(loaded) == outward, "of the other, the row says enough"
    assert len(loaded) <= 8
    assert signed_by(world, node) == 0


async def test_what_waited_for_long_is_signed_as_soon_as_its_chain_is_sound_again() -> None:
    world = new_world(chain_ids=(1, 2, 3))
    node, (a, b, c) = world.nodes[0], world.chains.values()
    await hold(world, node, a, [b, c])
    world.clock.seconds += 1
    await halt_chain(node.running.desk, c.caip2, ReorgBelowFinality("c", 1, b"\x01" * 32, b"\x02" * 32))
    for _ in range(50):
        await step(world, node, AttestStage)
        world.clock.seconds += 2
    assert signed_by(world, node) == 0
    del node.running.desk.halted[a.caip2]
    while await stage_of(node, AttestStage).run_once():
        pass
    assert signed_by(world, node) == 2, "between the two that are sound"
    for _ in range(50):
        await step(world, node, AttestStage)
        world.clock.seconds += 2
    del node.running.desk.halted[c.caip2]
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 4


async def test_a_restart_signs_what_had_waited_for_long_as_soon_as_its_chain_is_seen_to_stand() -> None:
    world = new_world()
    node = world.nodes[0]
    await hold(world, node, world.a, [world.b])
    for _ in range(50):
        await step(world, node, AttestStage)
        world.clock.seconds += 2
    await step(world, node, AttestStage)
    node.store._halts.clear()
    world.kill(node)
    world.start(node)
    for chain in (world.a, world.b):
        await step(world, node, WatchStage, chain)
    await step(world, node, AttestStage)
    assert signed_by(world, node) == 2


async def test_more_that_waits_than_one_claim_takes_is_all_seen_once_its_chain_is_sound_again() -> None:
    world = new_world(replace(StageSettings(), claim_limit=1), chain_ids=(1, 2, 3))
    node, (a, b, c) = world.nodes[0], world.chains.values()
    await hold(world, node, a, [b, c])
    await halt_chain(node.running.desk, c.caip2, ReorgBelowFinality("c", 1, b"\x01" * 32, b"\x02" * 32))
    for _ in range(50):
        await step(world, node, AttestStage)
        world.clock.seconds += 2
    del node.running.desk.halted[a.caip2]
    looks = 1
    while await stage_of(node, AttestStage).run_once():
        looks += 1
        assert looks < 10, "what still waits is looked at over and over"
    assert signed_by(world, node) == 2


async def test_security_what_never_finds_a_quorum_does_not_keep_newer_batches_from_theirs() -> None:
    """SECURITY: who is known to lack a quorum is bounded; were the newest left out, nobody would be woken for them."""
    world = new_world()
    node, batch = await born(world)
    desk = node.running.desk
    desk.signed_at.update((number.to_bytes(32, "big"), 0.0) for number in range(SIGNED_REMEMBERED))
    await step(world, node, AttestStage)
    for key in SIGNING_KEYS[1:3]:
        await node.running.inbox.receive_attestations(key.key, [attest(batch, key)])
    assert node.running.inbox.is_urgent
    assert len(desk.signed_at) == SIGNED_REMEMBERED
