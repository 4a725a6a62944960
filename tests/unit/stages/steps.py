"""Stepping single stages of simulated nodes.

Its job: let a test say which stage does its work when, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.stage import Stage
from relayer.stages.watch import WatchStage
from tests.simulation.chain import SimChain
from tests.simulation.world import RICH_FEE, Node, World

S = TypeVar("S", bound=Stage)


def new_world(settings: StageSettings | None = None, chain_ids: Sequence[int] = (1, 2)) -> World:
    """Four nodes between chains that are final at depth 3, nothing asked yet."""
    return World(random.Random(0), settings=settings or StageSettings(), chain_ids=chain_ids)


def stage_of(node: Node, kind: type[S], chain: SimChain | None = None) -> S:
    """The node's stage of this kind (for this chain)."""
    caip2 = chain.caip2 if chain else ""
    return next(s for s in node.running.stages if isinstance(s, kind) and s.chain == caip2)


async def step(world: World, node: Node, kind: type[Stage], chain: SimChain | None = None) -> None:
    """One step of one stage, with nothing in between."""
    await world.step(node.running, stage_of(node, kind, chain))


def mine(world: World, chain: SimChain, count: int = 1) -> None:
    """So many blocks, seconds apart."""
    for _ in range(count):
        world.clock.seconds += 3
        chain.mine(int(world.clock.now()))


async def born(world: World) -> tuple[Node, Batch]:
    """A batch of one request that the first node has built and not signed, and that node."""
    node = world.nodes[0]
    await step(world, node, WatchStage, world.b)
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    await step(world, node, WatchStage, world.a)
    [batch] = node.store._batches.values()
    return node, batch


async def hear(world: World, nodes: Sequence[Node]) -> None:
    """All that is on its way arrives, and these nodes certify what has its quorum."""
    while world.network.on_the_way:
        world._deliver(0)
        await world._settle()
        world._reap()
    for node in nodes:
        await step(world, node, AttestStage)


async def certify(world: World, *, valid_seconds: int = 100_000, fee: int = RICH_FEE) -> tuple[Node, RequestId]:
    """A CALL that is certified at every node; the node that is last to submit it, and its id."""
    identifier = world.ask(world.a, world.b, valid_seconds=valid_seconds, fee=fee)
    mine(world, world.a, 5)
    mine(world, world.b)
    for node in world.nodes:
        for chain in (world.a, world.b):
            await step(world, node, WatchStage, chain)
        await step(world, node, AttestStage)
    await hear(world, world.nodes)
    assert {node.store._requests[identifier].status for node in world.nodes} == {Status.CERTIFIED}
    return max(world.nodes, key=lambda node: execution_due(node, identifier)), identifier


def execution_due(node: Node, identifier: RequestId) -> float:
    """When the node is to execute a certified request, with its batch or by itself."""
    root = node.store._requests[identifier].execute_root
    wishes = ((EffectKind.SUBMIT_EXECUTE_BATCH, root), (EffectKind.SUBMIT_EXECUTE, identifier))
    return min(row.due_at for wish in wishes if (row := node.store._outbox.get(wish)) is not None)
