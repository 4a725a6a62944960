"""What a network of honest nodes never does, and what its chains refuse if somebody does it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from attestation.batch import Batch as SignedBatch
from attestation.batch import sign_batch
from attestation.certificate import Certificate
from attestation.quorum import Quorum
from attestation.request import Mode, RequestId, request_id
from attestation.schemes import SigningKey
from attestation.signer_set import SignerSet
from attestation.statement import Execute
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.status import Status
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryStore
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.simulation.chain import SimBlock, SimChain
from tests.simulation.faults import FAULTS
from tests.simulation.gateway import Certified, Consume, Item, Reverted
from tests.simulation.world import OBSERVER_KEY, World
from tests.unit.stages.steps import mine, step


def new_world(observers: int = 0, chain_ids: Sequence[int] = (1, 2)) -> World:
    """Finality at depth 3."""
    return World(random.Random(3), settings=StageSettings(), observers=observers, chain_ids=chain_ids)


async def test_security_a_request_is_signed_when_its_block_is_final_and_not_one_block_earlier() -> None:
    """SECURITY: nothing non-final is signed."""
    world = new_world()
    for node in world.nodes:
        await step(world, node, WatchStage, world.b)
    world.ask(world.a, world.b)
    for _ in range(world.a.depth_blocks):
        mine(world, world.a)
        for node in world.nodes:
            await step(world, node, WatchStage, world.a)
            await step(world, node, AttestStage)
        assert world.truth.signed == {}
    mine(world, world.a)
    for node in world.nodes:
        await step(world, node, WatchStage, world.a)
        await step(world, node, AttestStage)
    assert set(world.truth.signed) == {node.key.key for node in world.nodes}


async def test_security_an_observer_follows_everything_and_signs_nothing() -> None:
    """SECURITY: a key that is no member's gives no signature, so none can be taken for one."""
    world = new_world(observers=1)
    world.ask(world.a, world.b)
    world.ask(world.b, world.a, mode=Mode.QUERY)
    await world.calm()
    assert OBSERVER_KEY.key not in world.truth.signed
    assert len(world.truth.signed) == 4


async def test_security_a_reorg_below_finality_halts_its_chain_and_no_other() -> None:
    """SECURITY: what was signed as final is not; whoever goes on signs about a chain that lies."""
    world = new_world(chain_ids=(1, 2, 3))
    broken = world.chains["eip155:3"]
    world.ask(broken, world.a)
    await world.calm()
    world.truth.signed.clear()

    broken.break_finality(5, int(world.clock.now()))
    lost = world.ask(broken, world.a)
    sound = [world.ask(world.a, world.b), world.ask(world.b, world.a, mode=Mode.QUERY)]
    for _ in range(60):
        await world.round()
    for node in world.nodes:
        assert list(node.running.desk.halted) == [broken.caip2]
        assert lost not in node.store._requests
        assert {node.store._requests[identifier].status for identifier in sound} == {Status.DELIVERED}
    signed = [batch for batches in world.truth.signed.values() for batch in batches]
    assert signed
    assert not any(broken.gateway in batch.route for batch in signed)


async def test_security_a_node_that_lost_its_store_signs_nothing_that_contradicts_its_guard() -> None:
    """SECURITY: one leaf under one guard key, whatever the chain or the store says later."""
    world = new_world()
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    mine(world, world.a)
    world.ask(world.a, world.b)
    mine(world, world.a, 5)
    await step(world, node, WatchStage, world.a)
    await step(world, node, AttestStage)
    assert len(world.truth.signed[node.key.key]) == 1

    # The operator starts anew after a reorg below finality, with the guard and without the store.
    world.a.break_finality(6, int(world.clock.now()))
    mine(world, world.a, 4)
    world.kill(node)
    node.store = MemoryStore()
    world.start(node)
    for chain in (world.b, world.a):
        await step(world, node, WatchStage, chain)
    await step(world, node, AttestStage)
    assert len(world.truth.signed[node.key.key]) == 1
    assert node.running.desk.metrics.guard_conflicts._value.get() == 1


async def test_security_lies_of_one_signer_move_nothing() -> None:
    """SECURITY: a signer speaks for itself alone, under epochs that the gateway applied, and one is no quorum."""
    world = new_world()
    for _ in range(20):
        world.ask(world.a, world.b)
        await world.round()
        FAULTS["lie"](world)
        await world.round()
    await world.come_right()
    for node in world.nodes[:-1]:
        rejected = node.running.desk.metrics.attestations_rejected.collect()
        assert sum(s.value for metric in rejected for s in metric.samples if s.name.endswith("_total")) >= 20 * 5
    for node in world.nodes:
        for attestation in node.store._attestations.values():
            owner = next(key for key in SIGNING_KEYS if key.key == attestation.signer)
            signed = SignedBatch(attestation.gateway, attestation.root, attestation.count, attestation.epoch)
            assert owner.sign(signed.digest()) == attestation.signature


async def test_security_a_dead_quorum_signs_nothing_and_the_rest_waits() -> None:
    """SECURITY: two of four are no quorum, however long it takes."""
    world = new_world()
    for node in world.nodes[2:]:
        world.kill(node)
    identifier = world.ask(world.a, world.b)
    for _ in range(60):
        await world.round()
    for node in world.nodes[:2]:
        assert node.store._requests[identifier].status is Status.FINAL
        assert node.store._certificates == {}
    await world.calm()


# The simulated gateway refuses what a real one refuses: else the tests above would prove nothing.


def certify(
    world: World, statement: Execute, keys: Sequence[SigningKey], gateway: bytes, signer_set: SignerSet | None = None
) -> Certificate:
    """A certificate over one statement by these keys, enough or not."""
    members = signer_set or world.signer_set
    batch = SignedBatch.of_leaves(gateway, [statement.leaf], 1)
    quorum = Quorum(batch, replace(members, threshold=len(keys)))
    for key in keys:
        index = next(i for i, signer in enumerate(members.signers) if signer.key == key.key)
        quorum = quorum.add(sign_batch(batch, index, key))
    return quorum.certificate()


def asked(world: World) -> tuple[SimBlock, RequestId, Execute]:
    """A request in a block, and the statement about it."""
    identifier = world.ask(world.a, world.b)
    mine(world, world.a)
    location = world.a.requests()[identifier].location
    return (
        world.a.tip,
        identifier,
        Execute(identifier, location.block.number, location.block.hash, location.tx_index, location.log_index),
    )


def execute(world: World, statement: Execute, certificate: bytes) -> None:
    """Try it on the destination. Raises `Reverted`."""
    item = Item(0, statement, world.asked[0])
    call = Consume((Certified((statement.leaf,), (item,), certificate),), bytes(32), is_expiry=False)
    state = world.b.tip.state.copy()
    place = Location(BlockRef(0, bytes(32)), 0, 0, bytes(32))
    logs = state.run(call, int(world.clock.now()), lambda _: place)
    assert len(logs) == 1


async def test_a_gateway_takes_a_certificate_of_a_quorum() -> None:
    world = new_world()
    _, identifier, statement = asked(world)
    assert request_id(world.asked[0]) == identifier
    execute(world, statement, certify(world, statement, SIGNING_KEYS[:3], world.b.gateway).to_bytes())


Spoil = Callable[[World, Execute], bytes]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda w, s: certify(w, s, SIGNING_KEYS[:2], w.b.gateway).to_bytes(), "BelowThreshold"),
        (lambda w, s: certify(w, s, SIGNING_KEYS[:3], w.a.gateway).to_bytes(), "OtherChain"),
        (lambda w, s: certify(w, replace(s, height=9), SIGNING_KEYS[:3], w.b.gateway).to_bytes(), "ForgedSignature"),
        (lambda w, s: replace(certify(w, s, SIGNING_KEYS[:3], w.b.gateway), epoch=2).to_bytes(), "UnknownEpoch"),
        (
            lambda w, s: certify(
                w, s, [OBSERVER_KEY, *SIGNING_KEYS[:2]], w.b.gateway, make_signer_set([OBSERVER_KEY, *SIGNING_KEYS[:3]])
            ).to_bytes(),
            "ForgedSignature",
        ),
        (lambda _w, _s: b"\x01", "MalformedCertificate"),
    ],
)
async def test_security_a_gateway_refuses_a_wrong_certificate(spoil: Spoil, error: str) -> None:
    """SECURITY: the simulation verifies as contracts do."""
    world = new_world()
    _, _, statement = asked(world)
    with pytest.raises(Reverted) as refused:
        execute(world, statement, spoil(world, statement))
    assert refused.value.name == error


async def test_a_gateway_executes_once() -> None:
    world = new_world()
    _, identifier, statement = asked(world)
    certificate = certify(world, statement, SIGNING_KEYS[:3], world.b.gateway).to_bytes()
    item = Item(0, statement, world.asked[0])
    for _ in range(3):
        world.transact(world.b, Consume((Certified((statement.leaf,), (item,), certificate),), bytes(32), False))  # noqa: FBT003
        mine(world, world.b)
    chain: SimChain = world.b
    assert len([log for log in chain.logs() if getattr(log, "request_id", None) == identifier]) == 1
