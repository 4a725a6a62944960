"""Opening a CosmWasm chain: every fault at once, and no endpoint of another chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from attestation.address import InteroperableAddress
from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.vm import ChainSettings
from relayer.vms.cosmwasm.chain import CosmwasmChain
from relayer.vms.cosmwasm.connect import LIMITS, connect
from relayer.vms.cosmwasm.headers import vote_stamps
from tests.cosmwasm.adapter.comet_chain import (
    CHAIN_ID,
    COSMOS,
    GATEWAY,
    GATEWAY_TEXT,
    CometChain,
    Transaction,
    asked_in,
    changing,
    endpoint_of,
    text_of,
)
from tests.cosmwasm.adapter.gateway_events import SOURCE_GATEWAY, asking
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve


def make_chain() -> CometChain:
    chain = CometChain()
    for _ in range(30):
        chain.mine()
    return chain


def settings_for(*nodes: ScriptedNode, quorum: int = 1) -> ChainSettings:
    return ChainSettings(
        name="wasm",
        caip2=str(COSMOS),
        rpc_urls=tuple(node.url for node in nodes),
        rpc_quorum=quorum,
        ws_urls=(),
        gateway=GATEWAY_TEXT,
        verifier=GATEWAY_TEXT,
        finality=FinalityRule(depth_blocks=0),
        block_time_seconds=5.0,
        max_blocks_per_fetch=32,
        transaction_gas_cap=10_000_000,
        max_fee_per_gas=10**6,
        request_timeout_seconds=5.0,
        wallet_key=b"\x52" * 32,
    )


async def test_a_chain_is_opened_as_configured() -> None:
    chain = make_chain()
    node = endpoint_of(chain)
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            reader = CosmwasmChain(parts)
            assert (reader.name, reader.caip2, reader.gateway) == ("wasm", f"cosmos:{CHAIN_ID}", SOURCE_GATEWAY)
            assert (await reader.fetch_head()).tip == chain.tip.ref
            assert (parts.identity.chain_id, parts.identity.prefix) == (CHAIN_ID, "wasm")
            assert parts.identity.gateway_text == GATEWAY_TEXT


async def test_security_an_endpoint_of_another_chain_is_a_fault() -> None:
    """SECURITY: what is signed about one chain would have happened on another."""
    chain = make_chain()
    elsewhere = changing("status", lambda answer: answer["node_info"].update(network="elsewhere-1"))
    right, wrong = endpoint_of(chain), endpoint_of(chain, elsewhere)
    async with serve(right, wrong):
        with pytest.raises(ConfigError) as caught:
            await connect(settings_for(right, wrong))
    (fault,) = caught.value.faults
    assert f"#1 does not serve cosmos:{CHAIN_ID}" in fault


async def test_an_endpoint_that_is_down_keeps_no_chain_from_starting() -> None:
    node = endpoint_of(make_chain())

    def refuse(_: object) -> object:
        raise NodeFault(-32603, "Internal error", "starting")

    node.overrides["status"] = refuse
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            with pytest.raises(RpcUnavailable):
                await CosmwasmChain(parts).fetch_head()
            del node.overrides["status"]
            assert (await CosmwasmChain(parts).fetch_head()).tip.number == 30


async def test_every_fault_is_named_at_once_and_no_key_is_shown() -> None:
    settings = replace(
        settings_for(ScriptedNode(), ScriptedNode(), quorum=3),
        caip2="cosmos:",
        gateway="wasm1qqqq",
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
    node = endpoint_of(make_chain())
    async with serve(node):
        with pytest.raises(ConfigError, match="twice"):
            await connect(settings_for(node, node, quorum=2))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"caip2": "eip155:1"}, "no CosmWasm chain"),
        ({"verifier": text_of(b"\x01" * 32)}, "verifies by itself"),
        ({"gateway": text_of(b"\x01" * 20), "verifier": text_of(b"\x01" * 20)}, "no contract"),
        ({"gateway": "0x" + "6a" * 32, "verifier": "0x" + "6a" * 32}, "not bech32"),
        ({"wallet_key": bytes(32)}, "secp256k1"),
    ],
)
async def test_settings_that_cannot_be_meant_are_faults(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        await connect(replace(settings_for(ScriptedNode()), **changes))


async def test_the_gateways_own_text_says_how_the_chain_writes_accounts() -> None:
    node = endpoint_of(make_chain())
    text = InteroperableAddress(COSMOS, GATEWAY).account_text("osmo")
    async with serve(node):
        session, parts = await connect(replace(settings_for(node), gateway=text, verifier=text))
        async with session:
            assert parts.identity.account_text(b"\x01" * 20).startswith("osmo1")


async def test_an_exchange_carries_what_a_node_takes() -> None:
    node = endpoint_of(make_chain())
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            await vote_stamps(parts.pool, range(1, 26))
    assert max(len(calls) for calls in node.exchanges) == LIMITS.calls == 10


async def test_security_a_block_full_of_the_shortest_attributes_is_read() -> None:
    """SECURITY: whoever fills a block with them would keep everybody's requests from being seen."""
    chain = make_chain()
    spam = {"type": "wasm-ab", "attributes": [{"key": "a", "value": "", "index": True}] * 40_000}
    asked = asking(7)
    chain.mine(Transaction(b"spam", [spam]), asked)
    node = endpoint_of(chain)
    async with serve(node):
        session, parts = await connect(settings_for(node))
        async with session:
            (block,) = await CosmwasmChain(parts).fetch_blocks(31, 31)
    assert asked_in([block]) == [7]
