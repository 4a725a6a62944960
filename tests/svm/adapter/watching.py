"""A chain as the relayer reads it, over endpoints of a test's world that may lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from attestation.address import Chain
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import CallRequested, ObservedBlock
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.chain import ChainIdentity, ChainParts, SvmChain
from relayer.vms.svm.codec import EventCodec
from tests.svm.adapter.world import World
from tests.svm.program.ledger import PROGRAM, SOLANA
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

Spoil = Callable[[str, list[Any], Any], Any]
"""What becomes of one honest answer: (method, parameters, answer) → answer."""


def endpoint_of(world: World, spoil: Spoil = lambda _, __, answer: answer) -> ScriptedNode:
    """An endpoint whose answers pass through `spoil`."""
    return ScriptedNode(lambda method, params: spoil(method, params, world.ask(method, params)))


def with_fault(world: World, **faults: Any) -> ScriptedNode:
    """An endpoint with these of the devnet's faults, which the others have not."""

    def answer(method: str, params: list[Any]) -> Any:
        chain_faults = world.chain.faults
        before = {name: getattr(chain_faults, name) for name in faults}
        for name, value in faults.items():
            setattr(chain_faults, name, value)
        try:
            return world.ask(method, params)
        finally:
            for name, value in before.items():
                setattr(chain_faults, name, value)

    return ScriptedNode(answer)


def lagging(world: World, slots: int) -> ScriptedNode:
    """An endpoint that is so many slots behind."""
    return with_fault(world, lag_slots=slots)


def down() -> ScriptedNode:
    def answer(*_: Any) -> Any:
        raise NodeFault(-32000, "down")

    return ScriptedNode(answer)


@asynccontextmanager
async def watched(
    *nodes: ScriptedNode,
    quorum: int = 1,
    most: int = 64,
    finality: FinalityRule | None = None,
    identity: Chain = SOLANA,
    timeout_seconds: float = 5,
) -> AsyncIterator[SvmChain]:
    """The gateway's chain over these endpoints."""
    async with serve_pool(*nodes, quorum=quorum, timeout_seconds=timeout_seconds) as pool:
        hints = HeadHints(None, "test", (), RpcCall("slotSubscribe", []), 1.0, None, None)  # type: ignore[arg-type]
        parts = ChainParts(
            ChainIdentity("test", identity, bytes(PROGRAM)),
            GatewayAddresses(bytes(PROGRAM)),
            pool,
            EventCodec(identity, bytes(PROGRAM)),
            hints,
            finality or FinalityRule(depth_blocks=0),
            most,
        )
        yield SvmChain(parts)


async def follow(chain: SvmChain, after: int = 0, most: int = 8) -> list[ObservedBlock]:
    """All blocks above a slot, as the watch stage takes them in."""
    blocks: list[ObservedBlock] = []
    while True:
        news = await chain.fetch_news(blocks[-1].ref.number if blocks else after, most)
        if not news.blocks:
            return blocks
        blocks += news.blocks


def asked_in(blocks: list[ObservedBlock]) -> list[int]:
    """The nonces of the requests, in order."""
    return [o.request.nonce for block in blocks for o in block.observations if isinstance(o, CallRequested)]
