"""Signer sets that operators accept, while requests are in flight: nodes sign, certify and carry them by themselves."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from attestation.epochs import Epochs
from attestation.request import Mode
from attestation.schemes import SECP256K1
from attestation.signer_set import SignerSet
from attestation.signer_set_file import NumberedSet
from attestation.statement import Rotate
from relayer.domain.batch import BatchKind
from relayer.ports.store import TransactionPurpose
from relayer.stages.settings import StageSettings
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.simulation.gateway import GatewayState
from tests.simulation.world import GRACE_SECONDS, OBSERVER_KEY, World

REPLACED = (*SIGNING_KEYS[:3], OBSERVER_KEY)


def new_world(seed: int = 7) -> World:
    """Four signers, and a fifth node that follows."""
    return World(random.Random(seed), settings=StageSettings(), observers=1)


def next_set(keys: tuple[object, ...] = REPLACED, epoch: int = 2) -> NumberedSet:
    return NumberedSet(epoch, replace(make_signer_set(keys), grace_seconds=GRACE_SECONDS))  # type: ignore[arg-type]


def epochs(world: World) -> set[int]:
    return {chain.tip.state.epochs.current for chain in world.chains.values()}


async def rounds(world: World, count: int) -> None:
    await world.still()
    for _ in range(count):
        await world.round()


async def test_a_fifth_node_takes_a_place_while_requests_are_in_flight() -> None:
    world = new_world()
    for _ in range(40):
        world.ask(world.a, world.b)
        world.ask(world.b, world.a, mode=Mode.QUERY)
    await world.storm(600)
    for node in world.nodes:
        await world.accept(node, next_set())
    for _ in range(20):
        world.ask(world.b, world.a)
    await world.storm(600)
    await world.calm()
    assert epochs(world) == {2}
    before = {node.name: len(world.truth.signed[node.key.key]) for node in world.nodes}
    world.ask(world.a, world.b)
    await world.calm()
    grown = {node.name for node in world.nodes if len(world.truth.signed[node.key.key]) > before[node.name]}
    assert grown == {"node 0", "node 1", "node 2", "node 4"}, "who left signs on, or who came does not"


async def test_a_gateway_that_nobody_uses_gets_its_set_too() -> None:
    world = World(random.Random(1), settings=StageSettings(), chain_ids=(1, 2, 3))
    for node in world.nodes:
        await world.accept(node, next_set(SIGNING_KEYS[::-1]))
    await rounds(world, 15)
    assert epochs(world) == {2}


async def test_operators_may_accept_one_after_another() -> None:
    world = new_world()
    for node in world.nodes[:3]:
        assert epochs(world) == {1}
        await world.accept(node, next_set())
        await rounds(world, 20)
    assert epochs(world) == {2}


async def test_security_who_accepted_nothing_signs_no_rotation_whatever_the_others_do() -> None:
    """SECURITY: no majority can have a node sign a set that its own operator did not accept."""
    world = new_world()
    for node in world.nodes[:3]:
        await world.accept(node, next_set())
    await rounds(world, 60)
    assert epochs(world) == {2}
    assert not any(batch.kind is BatchKind.ROTATE for batch in world.truth.signed[world.nodes[3].key.key])


async def test_two_different_sets_reach_no_quorum_and_the_nodes_can_say_who_signed_what() -> None:
    world = new_world()
    one, other = next_set(), next_set(SIGNING_KEYS[::-1])
    for node, accepted in zip(world.nodes, (one, one, other, other), strict=False):
        await world.accept(node, accepted)
    await rounds(world, 80)
    assert epochs(world) == {1}
    rivals = world.nodes[0].running.desk.rival_rotations
    assert {(gateway, signer) for gateway, signer in rivals} == {
        (chain.gateway, node.key.key) for chain in world.chains.values() for node in world.nodes[2:4]
    }
    assert {rotate.signer_set_hash for rotate in rivals.values()} == {other.rotate.signer_set_hash}
    assert not any(node.store._evidence for node in world.nodes), "to differ is no offence"


async def test_security_a_set_accepted_after_another_was_signed_is_not_signed() -> None:
    """SECURITY: one leaf a gateway and epoch: an operator who changes its mind does not contradict itself."""
    world = new_world()
    first, second = next_set(), next_set(SIGNING_KEYS[::-1])
    node = world.nodes[0]
    await world.accept(node, first)
    await rounds(world, 5)
    await world.accept(node, second)
    await rounds(world, 5)
    signed = [batch for batch in world.truth.signed[node.key.key] if batch.kind is BatchKind.ROTATE]
    assert {batch.statements for batch in signed} == {(first.rotate,)}


async def test_security_a_gateway_with_another_history_gets_nothing_that_was_accepted_before_it_came() -> None:
    """SECURITY: who was thrown out long ago must not come to power where the epochs are counted from one again."""
    world = World(random.Random(3), settings=StageSettings(), observers=1, chain_ids=(1, 2, 3))
    late = world.chains.popitem()
    for node in world.nodes:
        world.kill(node)
        world.start(node)
    second, third = next_set(), next_set(SIGNING_KEYS[::-1], epoch=3)
    for node in world.nodes:
        await world.accept(node, second)
        await world.accept(node, third, after=second.signer_set)
    await rounds(world, 60)
    assert epochs(world) == {3}
    # The owner installs the present set at a third gateway, as its first.
    caip2, chain = late
    [genesis] = chain.blocks
    first = Epochs(third.signer_set.scheme).apply(1, third.signer_set, genesis.observed.timestamp)
    chain.blocks[0] = replace(genesis, state=GatewayState(chain.gateway, first))
    world.chains[caip2] = chain
    for node in world.nodes:
        world.kill(node)
        world.start(node)
    await rounds(world, 60)
    assert chain.tip.state.epochs.current == 1
    # What is accepted to follow the set that stands there is brought in, and there only.
    for node in world.nodes:
        await world.accept(node, next_set(REPLACED[::-1]), after=third.signer_set)
    await rounds(world, 40)
    assert (chain.tip.state.epochs.current, epochs(world)) == (2, {2, 3})


async def test_a_set_for_a_later_epoch_waits_for_its_turn() -> None:
    world = new_world()
    second = next_set(SIGNING_KEYS[::-1])
    for node in world.nodes:
        await world.accept(node, next_set(SIGNING_KEYS, epoch=3), after=second.signer_set)
    await rounds(world, 20)
    assert epochs(world) == {1}
    for node in world.nodes:
        await world.accept(node, second)
    await rounds(world, 40)
    assert epochs(world) == {3}


async def test_the_next_in_rank_carries_the_rotation_of_one_that_is_gone() -> None:
    world = new_world()
    for node in world.nodes:
        await world.accept(node, next_set())
    newest = world.nodes[0].running.desk.epochs
    await rounds(world, 1)
    first = {newest.ranked_signers(chain.gateway, chain.gateway, 2)[0] for chain in world.chains.values()}
    for node in world.nodes[:4]:
        if node.key.key in first and len(first) < 2:
            world.kill(node)
    await rounds(world, 40)
    assert epochs(world) == {2}


async def test_a_rotation_is_paid_once_where_nodes_take_turns() -> None:
    world = new_world()
    for node in world.nodes:
        await world.accept(node, next_set())
    await rounds(world, 40)
    sent = [
        transaction
        for node in world.nodes
        for transaction in node.store._transactions.values()
        if transaction.purpose is TransactionPurpose.ROTATE
    ]
    assert len(sent) == len(world.chains)
    assert {transaction.status for transaction in sent} == {"CONFIRMED"}


@pytest.mark.parametrize("seed", range(4))
async def test_rotations_survive_storms(seed: int) -> None:
    world = new_world(seed)
    world.rpc_failures = 0.1
    before: SignerSet | None = None
    for epoch, keys in ((2, REPLACED), (3, SIGNING_KEYS[::-1])):
        following = next_set(keys, epoch)
        for _ in range(6):
            world.ask(world.a, world.b)
        for node in world.nodes:
            await world.accept(node, following, before)
        before = following.signer_set
        await world.storm(400)
        world.kill(world.nodes[seed])
        await world.storm(200)
        world.start(world.nodes[seed])
    await world.calm()
    for _ in range(30):
        await world.round()
    assert epochs(world) == {3}
    for node in world.nodes:
        rotations = [b for b in world.truth.signed[node.key.key] if isinstance(b.statements[0], Rotate)]
        assert rotations or node.key is OBSERVER_KEY


def test_the_fifth_key_is_none_of_the_four() -> None:
    assert OBSERVER_KEY.key not in {key.key for key in SIGNING_KEYS}
    assert SECP256K1.is_well_formed_key(OBSERVER_KEY.key)
