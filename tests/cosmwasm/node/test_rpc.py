"""The RPC's forms: JSON-RPC by POST, batches, and URIs."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from conftest import DENOM, OWNER, POOR, Devnet, Starting
from hypothesis import given
from hypothesis import strategies as st

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import RpcError

_GIFT = MsgSend(OWNER.address, POOR.address, (Coin(DENOM, "1"),))
_HEALTH = {"jsonrpc": "2.0", "id": 1, "method": "health", "params": {}}


async def test_a_batch_is_answered_in_order(devnet: Devnet) -> None:
    batch = [{**_HEALTH, "id": number} for number in range(10)]
    assert [answer["id"] for answer in await devnet.ask(batch)] == list(range(10))
    assert (await devnet.ask(batch[:1]))["id"] == 0  # CometBFT answers one as if it were none
    refused = await devnet.ask([*batch, _HEALTH])
    assert refused["error"]["data"] == "batch request exceeds maximum (10) allowed number of requests"


async def test_an_absent_method_is_said_to_be_absent(devnet: Devnet) -> None:
    for method in ("broadcast_evidence", "dial_seeds", "devnet_nothing", ""):
        assert (await devnet.call(method))["error"]["code"] == -32601


async def test_control_methods_are_absent_without_faults(start: Starting) -> None:
    async with start(has_control=False) as devnet:
        for method in ("devnet_advanceBlocks", "devnet_setLag", "devnet_dropSockets"):
            assert (await devnet.call(method))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (7, -32600),
        ({"jsonrpc": "1.0", "id": 1, "method": "health"}, -32600),
        ({"jsonrpc": "2.0", "id": {}, "method": "health"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "block", "params": 7}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "block", "params": [1, 2]}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "block", "params": {"height": "x"}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "block", "params": {"height": 1.5}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tx", "params": {"hash": "!"}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "abci_query", "params": {"path": "/x", "data": "zz"}}, -32602),
    ],
)
async def test_what_is_no_call_is_refused(devnet: Devnet, body: Any, code: int) -> None:
    assert (await devnet.ask(body))["error"]["code"] == code


async def test_a_notification_has_no_answer(devnet: Devnet) -> None:
    async with devnet.session.post(devnet.url, json={"jsonrpc": "2.0", "method": "health"}) as response:
        assert await response.read() == b""


async def test_parameters_may_come_by_place_and_numbers_as_numbers(devnet: Devnet) -> None:
    await devnet.node.advance()
    by_name = await devnet.result("block", height="1")
    for params in (["1"], [1], {"height": 1}):
        assert (await devnet.ask({**_HEALTH, "method": "block", "params": params}))["result"] == by_name


async def test_a_body_is_of_bounded_size(devnet: Devnet) -> None:
    async with devnet.session.post(devnet.url, data=b" " * 1_000_001) as response:
        assert response.status == 413


async def test_calls_by_uri_quote_texts_and_write_bytes_in_hexadecimal(devnet: Devnet) -> None:
    raw = OWNER.sign([_GIFT], 0)
    async with devnet.session.get(f"{devnet.url}/broadcast_tx_sync", params={"tx": f"0x{raw.hex()}"}) as response:
        document = await response.json()
    assert (document["id"], document["result"]["code"]) == (-1, 0)
    await devnet.node.advance()
    digest = document["result"]["hash"]
    for path, params in (
        ("tx", {"hash": f"0x{digest}", "prove": "false"}),
        ("block", {"height": "1"}),
        ("block_results", {"height": '"1"'}),
        ("tx_search", {"query": f"\"tx.hash='{digest}'\"", "per_page": "5"}),
        ("status", {}),
    ):
        async with devnet.session.get(f"{devnet.url}/{path}", params=params) as response:
            assert response.status == 200, await response.text()
    async with devnet.session.get(f"{devnet.url}/block", params={"height": "9"}) as response:
        assert response.status == 500
        assert "must be less than or equal" in (await response.json())["error"]["data"]


async def test_every_method_answers_without_parameters(devnet: Devnet) -> None:
    await devnet.node.advance()
    for method in sorted(devnet.node.method_names - {"broadcast_tx_commit"}):
        answer = await devnet.call(method)
        assert "result" in answer or answer["error"]["code"] in (-32601, -32602, -32603), answer


async def test_many_transactions_a_second_are_taken(devnet: Devnet) -> None:
    for sequence in range(300):
        raw = base64.b64encode(OWNER.sign([_GIFT], sequence)).decode()
        assert (await devnet.result("broadcast_tx_sync", tx=raw))["code"] == 0
    await devnet.node.advance()
    assert len((await devnet.result("block"))["block"]["data"]["txs"]) == 300


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(_JSON, st.booleans())
def test_any_parameter_is_read_or_refused(value: Any, is_uri: bool) -> None:  # noqa: FBT001
    params = Params({"it": str(value) if is_uri else value}, is_uri=is_uri)
    for read in (params.text, params.integer, params.flag, params.data, params.hex_data):
        with contextlib.suppress(RpcError):
            read("it")
