"""Subscriptions over WebSockets, in CometBFT's words."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest
from conftest import CHAIN_ID, DENOM, OWNER, POOR, Devnet, Starting, told

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import ChainSettings
from relayer.devnet.cosmwasm.subscriptions import MAX_PER_LISTENER

_GIFT = MsgSend(OWNER.address, POOR.address, (Coin(DENOM, "1"),))
_TX = "tm.event='Tx'"


async def _subscribe(socket: aiohttp.ClientWebSocketResponse, query: str, identifier: Any = 1) -> Any:
    call = {"jsonrpc": "2.0", "id": identifier, "method": "subscribe", "params": [query]}
    await socket.send_json(call)
    return await told(socket)


async def test_a_contracts_event_is_told_to_who_asked_for_it(devnet: Devnet) -> None:
    contract = await devnet.deploy()
    query = f"{_TX} AND wasm-XVMSeen._contract_address='{contract}'"
    async with devnet.socket() as socket:
        assert await _subscribe(socket, query, "mine") == {"jsonrpc": "2.0", "id": "mine", "result": {}}
        await devnet.run(_GIFT)
        digest = await devnet.send(devnet.execute(b'{"do":1}'))
        await devnet.node.advance()
        message = await told(socket)
        assert (message["id"], message["result"]["query"]) == ("mine", query)
        assert message["result"]["data"]["type"] == "tendermint/event/Tx"
        value = message["result"]["data"]["value"]["TxResult"]
        assert value["height"] == "4"
        assert "code" not in value["result"]
        assert "index" not in value
        assert message["result"]["events"]["tx.hash"] == [digest.hex().upper()]
        assert message["result"]["events"]["wasm-XVMSeen.what"] == ["this"]
        assert "wasm-XVMSeen" not in message["result"]["events"]


async def test_blocks_and_headers_are_told(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        await _subscribe(socket, "tm.event='NewBlock'", 1)
        await _subscribe(socket, "tm.event='NewBlockHeader'", 2)
        await devnet.send(_GIFT)
        await devnet.node.advance()
        block, header = await told(socket), await told(socket)
        data = block["result"]["data"]
        assert data["type"] == "tendermint/event/NewBlock"
        shown = await devnet.result("block")
        assert (data["value"]["block"], data["value"]["block_id"]) == (shown["block"], shown["block_id"])
        assert header["result"]["data"]["type"] == "tendermint/event/NewBlockHeader"
        assert header["result"]["data"]["value"]["header"] == shown["block"]["header"]


async def test_events_of_version_034_are_in_base64(start: Starting) -> None:
    async with start(ChainSettings(CHAIN_ID, dialect=Dialect.V034)) as devnet, devnet.socket() as socket:
        await _subscribe(socket, f"{_TX} AND transfer.recipient='{POOR.address}'")
        await devnet.run(_GIFT)
        result = (await told(socket))["result"]["data"]["value"]["TxResult"]["result"]
        assert base64.b64decode(result["events"][0]["attributes"][0]["key"]) == b"spender"


async def test_a_subscription_ends_when_it_is_told_to(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        await _subscribe(socket, _TX)
        await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "unsubscribe", "params": {"query": _TX}})
        assert (await told(socket))["result"] == {}
        await devnet.run(_GIFT)
        await socket.send_json({"jsonrpc": "2.0", "id": 3, "method": "unsubscribe_all"})
        assert (await told(socket))["error"]["data"] == "subscription not found"


async def test_a_connection_has_few_subscriptions_and_each_once(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        for number in range(MAX_PER_LISTENER):
            assert "result" in await _subscribe(socket, f"tx.height={number}")
        assert (await _subscribe(socket, "tx.height=0"))["error"]["data"] == "already subscribed"
        assert "max_subscriptions_per_client 5 reached" in (await _subscribe(socket, _TX))["error"]["data"]


async def test_what_is_no_query_is_refused(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        assert "failed to parse query" in (await _subscribe(socket, "tm.event"))["error"]["data"]


async def test_other_calls_are_answered_on_a_socket_too(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "health", "params": {}})
        assert await told(socket) == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_subscribing_needs_a_socket(devnet: Devnet) -> None:
    assert (await devnet.call("subscribe", query=_TX))["error"]["code"] == -32601


async def test_dropped_sockets_end_without_a_word(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        await _subscribe(socket, _TX)
        assert await devnet.result("devnet_dropSockets") == 1
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_a_node_that_lags_tells_later(devnet: Devnet) -> None:
    async with devnet.socket() as socket:
        await _subscribe(socket, _TX)
        await devnet.result("devnet_setLag", blocks=2)
        digest = await devnet.send(_GIFT)
        await devnet.node.advance()
        assert (await devnet.result("status"))["sync_info"]["latest_block_height"] == "0"
        await devnet.result("devnet_setLag", blocks=0)
        assert (await told(socket))["result"]["events"]["tx.hash"] == [digest.hex().upper()]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"jsonrpc":"2.0"}'])
async def test_nonsense_on_a_socket_ends_nothing(devnet: Devnet, text: str) -> None:
    async with devnet.socket() as socket:
        await socket.send_str(text)
        await socket.send_json({"jsonrpc": "2.0", "id": 9, "method": "health"})
        while (await told(socket)).get("id") != 9:
            pass
