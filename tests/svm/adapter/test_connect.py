"""Opening a Solana chain: every fault at once, and no endpoint of another cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.vm import ChainSettings
from relayer.vms.svm.chain import SvmChain
from relayer.vms.svm.connect import LIMITS, connect
from relayer.vms.svm.slots import head_call
from tests.svm.adapter.world import RELAYER_SEED
from tests.svm.program.ledger import GATEWAY, GENESIS, PROGRAM, SOLANA
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve


def answer(method: str, _: list[Any]) -> Any:
    """What is asked for a head."""
    if method == "getGenesisHash":
        return SOLANA.reference_text
    assert method == "getLatestBlockhash"
    return {"context": {"slot": 7}, "value": {"blockhash": SOLANA.reference_text}}


def settings_for(*nodes: ScriptedNode, quorum: int = 1) -> ChainSettings:
    return ChainSettings(
        name="sunny",
        caip2=str(SOLANA),
        rpc_urls=tuple(node.url for node in nodes),
        rpc_quorum=quorum,
        ws_urls=(),
        gateway=str(PROGRAM),
        verifier=str(PROGRAM),
        finality=FinalityRule(depth_blocks=0),
        block_time_seconds=0.4,
        max_blocks_per_fetch=32,
        transaction_gas_cap=1_400_000,
        max_fee_per_gas=10**6,
        request_timeout_seconds=5.0,
        wallet_key=RELAYER_SEED,
    )


async def test_a_chain_is_opened_as_configured() -> None:
    node = ScriptedNode(answer)
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            chain = SvmChain(parts)
            assert (chain.name, chain.caip2, chain.gateway) == ("sunny", str(SOLANA), GATEWAY)
            head = await chain.fetch_head()
    assert (head.tip.number, head.tip.hash, head.final_number) == (7, GENESIS, 7)


async def test_security_an_endpoint_of_another_cluster_is_a_fault() -> None:
    """SECURITY: what is signed about one chain would have happened on another."""
    right, wrong = ScriptedNode(answer), ScriptedNode(answer)
    wrong.overrides["getGenesisHash"] = lambda _: "1" * 32
    async with serve(right, wrong):
        with pytest.raises(ConfigError) as caught:
            await connect(settings_for(right, wrong))
    (fault,) = caught.value.faults
    assert "#1 does not serve solana:" in fault


async def test_an_endpoint_that_is_down_keeps_no_chain_from_starting() -> None:
    node = ScriptedNode(answer)

    def refuse(_: object) -> object:
        raise NodeFault(-32005, "Node is behind by 42 slots")

    node.overrides["getGenesisHash"] = refuse
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            with pytest.raises(RpcUnavailable):
                await SvmChain(parts).fetch_head()
            del node.overrides["getGenesisHash"]
            assert (await SvmChain(parts).fetch_head()).tip.number == 7


async def test_every_fault_is_named_at_once_and_no_key_is_shown() -> None:
    settings = replace(
        settings_for(ScriptedNode(), ScriptedNode(), quorum=3),
        caip2="solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
        gateway="0x12",
        wallet_key=b"\x09" * 31,
        rpc_urls=("http://a/key1", "http://a/key1"),
    )
    with pytest.raises(ConfigError) as caught:
        await connect(settings)
    assert len(caught.value.faults) == 6
    assert "key1" not in str(caught.value)
    assert "0909" not in str(caught.value)


async def test_security_one_endpoint_named_twice_is_not_two_voices() -> None:
    """SECURITY: a quorum of two would be one endpoint's word."""
    node = ScriptedNode(answer)
    async with serve(node):
        with pytest.raises(ConfigError, match="twice"):
            await connect(settings_for(node, node, quorum=2))


async def test_a_chain_of_another_vm_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="no Solana chain"):
        await connect(replace(settings_for(ScriptedNode()), caip2="eip155:1"))


async def test_the_gateway_is_its_own_verifier() -> None:
    with pytest.raises(ConfigError, match="verifies by itself"):
        await connect(replace(settings_for(ScriptedNode()), verifier=str(SOLANA.reference_text)))


async def test_an_exchange_carries_what_a_public_cluster_takes() -> None:
    node = ScriptedNode(answer)
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            (member,) = parts.pool.members
            await member.endpoint.call([head_call()] * 60)
    assert max(map(len, node.exchanges)) == LIMITS.calls
