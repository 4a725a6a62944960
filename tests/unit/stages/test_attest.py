"""What a node signs, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from attestation.statement import Statement
from relayer.errors import ReorgBelowFinality
from relayer.ports.signer import GuardConflict
from relayer.stages.attest import AttestStage
from relayer.stages.halts import halt_chain
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryGuard
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.simulation.gateway import Apply
from tests.simulation.world import Node, World
from tests.unit.stages.steps import born, mine, new_world, step


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
