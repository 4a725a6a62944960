from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.address import evm_account
from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.vm import ChainSettings
from relayer.vms.evm import registration
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY
from tests.unit.evm.json_chain import JsonChain
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve

SECRET = b"\x07" * 32


def settings_for(*nodes: ScriptedNode, quorum: int = 1) -> ChainSettings:
    return ChainSettings(
        name="home",
        caip2=f"eip155:{CHAIN_ID}",
        rpc_urls=tuple(node.url for node in nodes),
        rpc_quorum=quorum,
        ws_urls=(),
        gateway="0x" + GATEWAY.hex(),
        verifier="0x" + "7e" * 20,
        finality=FinalityRule(depth_blocks=1),
        block_time_seconds=1.0,
        max_blocks_per_fetch=10,
        transaction_gas_cap=16_777_216,
        max_fee_per_gas=10**11,
        request_timeout_seconds=5.0,
        wallet_key=SECRET,
    )


async def test_a_chain_is_opened_as_configured() -> None:
    node = ScriptedNode(JsonChain().answer)
    async with serve(node):
        chain = await registration.open_chain(settings_for(node))
        try:
            for side in (chain.source, chain.destination):
                assert (side.name, side.caip2) == ("home", f"eip155:{CHAIN_ID}")
                assert side.gateway == evm_account(CHAIN_ID, GATEWAY).to_bytes()
            assert (await chain.source.fetch_head()).tip.number == 0
        finally:
            await chain.close()
    assert registration.namespace == "eip155"


async def test_security_an_endpoint_of_another_chain_is_a_fault() -> None:
    """SECURITY: what is signed about one chain would have happened on another."""
    right, wrong = ScriptedNode(), ScriptedNode()
    wrong.overrides["eth_chainId"] = lambda _: "0x1"
    async with serve(right, wrong):
        with pytest.raises(ConfigError) as caught:
            await registration.open_chain(settings_for(right, wrong))
    assert len(caught.value.faults) == 1
    assert "#1 does not serve" in caught.value.faults[0]


async def test_an_endpoint_that_is_down_keeps_no_chain_from_starting_and_is_heard_when_it_is_back() -> None:
    node = ScriptedNode(JsonChain().answer)

    def refuse(_: object) -> object:
        raise NodeFault(-32000, "starting")

    node.overrides["eth_chainId"] = refuse
    async with serve(node):
        chain = await registration.open_chain(settings_for(node))
        try:
            with pytest.raises(RpcUnavailable):
                await chain.source.fetch_head()
            del node.overrides["eth_chainId"]
            assert (await chain.source.fetch_head()).tip.number == 0
        finally:
            await chain.close()


async def test_every_fault_is_named_at_once_and_no_key_is_shown() -> None:
    settings = replace(
        settings_for(ScriptedNode(), ScriptedNode(), quorum=3),
        caip2="eip155:x",
        gateway="0x12",
        verifier="zz",
        wallet_key=b"\x09" * 31,
        rpc_urls=("http://a/key1", "http://a/key1"),
    )
    with pytest.raises(ConfigError) as caught:
        await registration.open_chain(settings)
    assert len(caught.value.faults) == 6
    assert "key1" not in str(caught.value)
    assert "0909" not in str(caught.value)


async def test_security_one_endpoint_named_twice_is_not_two_voices() -> None:
    """SECURITY: a quorum of two would be one endpoint's word."""
    node = ScriptedNode()
    async with serve(node):
        with pytest.raises(ConfigError, match="twice"):
            await registration.open_chain(settings_for(node, node, quorum=2))


async def test_a_chain_of_another_vm_is_a_fault() -> None:
    with pytest.raises(ConfigError, match="no EVM chain"):
        await registration.open_chain(replace(settings_for(ScriptedNode()), caip2="cosmos:hub-1"))
