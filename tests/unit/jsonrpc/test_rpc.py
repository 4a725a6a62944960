from __future__ import annotations

import asyncio
import gzip
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc import rpc
from relayer.vms.jsonrpc.rpc import ResponseTooLarge, RpcCall, RpcEndpoint, RpcFault, are_distinct
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, make_endpoint, serve

ONE = [RpcCall("a", [1])]


async def body_of(request: web.Request) -> list[dict[str, Any]]:
    return orjson.loads(await request.read())


async def test_results_come_in_the_order_of_the_calls_whatever_order_the_node_answers_in() -> None:
    async def respond(request: web.Request) -> web.Response:
        replies = [{"id": call["id"], "result": call["params"][0]} for call in await body_of(request)]
        return web.Response(body=orjson.dumps(replies[::-1]))

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        assert await make_endpoint(session, node).call([RpcCall("a", [n]) for n in range(7)]) == list(range(7))


async def test_an_error_to_one_call_is_a_value_and_harms_no_other() -> None:
    def answer(method: str, params: list[Any]) -> Any:
        if method == "bad":
            raise NodeFault(3, "execution reverted", "0x1234")
        return params[0]

    node = ScriptedNode(answer)
    async with serve(node) as session:
        results = await make_endpoint(session, node).call([RpcCall("a", [1]), RpcCall("bad", []), RpcCall("a", [None])])
    assert results == [1, RpcFault(3, "execution reverted", "0x1234"), None]


async def test_many_calls_share_few_exchanges() -> None:
    node = ScriptedNode(lambda _, params: params[0])
    async with serve(node) as session:
        results = await make_endpoint(session, node).call([RpcCall("a", [n]) for n in range(250)])
    assert results == list(range(250))
    assert sorted(map(len, node.exchanges)) == [50, rpc.DEFAULT_LIMITS.calls, rpc.DEFAULT_LIMITS.calls]


async def test_an_endpoint_may_take_less_at_once() -> None:
    node = ScriptedNode(lambda _, params: params[0])
    limits = rpc.ExchangeLimits(calls=3, request_bytes=150)
    async with serve(node) as session:
        endpoint = RpcEndpoint(session, node.url, 0, 5, limits=limits)
        assert await endpoint.call([RpcCall("a", [n]) for n in range(7)]) == list(range(7))
        assert await endpoint.call([RpcCall("a", ["x" * 80]) for _ in range(2)]) == ["x" * 80] * 2
    assert sorted(map(len, node.exchanges)) == [1, 1, 1, 3, 3]


async def test_large_calls_are_spread_so_that_bodies_stay_small() -> None:
    node = ScriptedNode(lambda _, params: len(params[0]))
    size = rpc.DEFAULT_LIMITS.request_bytes // 3
    async with serve(node) as session:
        results = await make_endpoint(session, node).call(
            [RpcCall("a", ["x" * size])] * 5 + [RpcCall("a", ["x" * 3 * size])]
        )
    assert results == [size] * 5 + [3 * size]
    assert sorted(map(len, node.exchanges)) == [1, 1, 2, 2]


async def test_ordered_calls_do_not_overtake_each_other() -> None:
    node = ScriptedNode(lambda _, params: params[0])
    async with serve(node) as session:
        await make_endpoint(session, node).call_in_order([RpcCall("a", [n]) for n in range(250)])
    assert [call["params"][0] for exchange in node.exchanges for call in exchange] == list(range(250))


async def test_no_calls_are_no_exchange() -> None:
    node = ScriptedNode()
    async with serve(node) as session:
        assert await make_endpoint(session, node).call([]) == []
    assert not node.exchanges


def hostile(reply: Any) -> Any:
    """Answers with this JSON, `ID` standing for the id that was asked under."""

    async def respond(request: web.Request) -> web.Response:
        call, *_ = await body_of(request)
        return web.Response(body=orjson.dumps(reply).replace(b'"ID"', str(call["id"]).encode()))

    return respond


async def test_one_call_may_be_answered_without_a_list_and_several_may_not() -> None:
    """CometBFT answers so."""
    node = ScriptedNode()
    node.respond = hostile({"id": "ID", "result": 7})
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        assert await endpoint.call(ONE) == [7]
        node.respond = hostile({"id": "ID", "error": {"code": -32603, "message": "Internal error", "data": "x"}})
        assert await endpoint.call(ONE) == [RpcFault(-32603, "Internal error", "x")]
        node.respond = hostile({"id": "ID", "result": 7})
        with pytest.raises(RpcUnavailable):
            await endpoint.call([*ONE, *ONE])


@pytest.mark.parametrize(
    "reply",
    [
        None,
        1,
        "x",
        {},
        [],
        [None],
        [[]],
        [{}],
        {"id": None, "error": {"code": -32600, "message": "batch too large"}},
        {"id": 0, "result": 1},
        {"id": "ID"},
        [{"result": 1}],
        [{"id": "ID"}],
        [{"id": None, "result": 1}],
        [{"id": True, "result": 1}],
        [{"id": 0, "result": 1}],
        [{"id": 10**30, "result": 1}],
        [{"id": "ID", "result": 1}, {"id": "ID", "result": 2}],
        [{"id": "ID", "result": 1}, {"id": 99, "result": 2}],
        [{"id": "ID", "error": 1}],
        [{"id": "ID", "error": {}}],
        [{"id": "ID", "error": {"code": "3", "message": "x"}}],
        [{"id": "ID", "error": {"code": 3, "message": None}}],
    ],
)
async def test_security_an_answer_that_does_not_match_its_call_is_no_answer(reply: Any) -> None:
    """SECURITY: an answer under a wrong or repeated id would pass for that of another call."""
    node = ScriptedNode()
    node.respond = hostile(reply)
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable):
            await make_endpoint(session, node).call(ONE)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"[1e999]", b"\xff\xfe", b"NaN"])
)
def test_garbage_is_no_answer(body: bytes) -> None:
    async def attack() -> None:
        async def respond(_: web.Request) -> web.Response:
            return web.Response(body=body)

        node = ScriptedNode()
        node.respond = respond
        async with serve(node) as session:
            with pytest.raises(RpcUnavailable):
                await make_endpoint(session, node).call(ONE)

    asyncio.run(attack())


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 404, 429, 500, 502, 503])
async def test_any_other_status_than_200_is_no_answer(status: int) -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/"})

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable, match=str(status)):
            await make_endpoint(session, node).call(ONE)


async def test_security_redirects_are_not_followed() -> None:
    """SECURITY: an endpoint could point us at hosts that only we can reach."""
    victim = ScriptedNode(lambda *_: 1)
    node = ScriptedNode()

    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": victim.url})

    node.respond = respond
    async with serve(victim, node) as session:
        with pytest.raises(RpcUnavailable):
            await make_endpoint(session, node).call(ONE)
    assert not victim.exchanges


async def test_security_an_endless_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: without the bound one endpoint could exhaust the relayer's memory."""
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 1_000_000)

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(ResponseTooLarge):
            await make_endpoint(session, node, timeout_seconds=30).call(ONE)


def filled(piece: bytes) -> bytes:
    return b"[" + b",".join([piece] * (2 * rpc.MAX_UNCOUNTED_BYTES // len(piece))) + b"]"


@pytest.mark.parametrize(
    "body",
    [
        filled(b"{}"),
        filled(b"[]"),
        filled(b"1e9"),
        filled(b'{"a":1}'),
        filled(b'{"a":' + b" " * 40 + b"1}"),
        filled(b"[" * 100 + b"]" * 100),
        b"{" + filled(b'"a":1')[1:-1] + b"}",
    ],
)
async def test_security_a_body_of_nothing_but_tiny_values_is_not_parsed(body: bytes) -> None:
    """SECURITY: it takes many times its length in memory, and seconds in which the relayer does nothing else."""

    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=body)

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable, match="more values than"):
            await make_endpoint(session, node).call(ONE)


@pytest.mark.parametrize(
    "item",
    [
        {  # the shortest log
            "address": "0x" + "ab" * 20,
            "topics": [],
            "data": "0x",
            "blockNumber": "0x1",
            "transactionHash": "0x" + "ab" * 32,
            "transactionIndex": "0x0",
            "blockHash": "0x" + "ab" * 32,
            "logIndex": "0x0",
            "removed": False,
        },
        {"index": "0x1", "validatorIndex": "0x1", "address": "0x" + "ab" * 20, "amount": "0x1"},  # a withdrawal
        "0x" + "ab" * 32,  # a transaction's hash
    ],
)
async def test_large_bodies_of_the_shortest_things_that_nodes_list_are_answers(item: Any) -> None:
    items = [item] * (2 * rpc.MAX_UNCOUNTED_BYTES // len(orjson.dumps(item)))
    node = ScriptedNode(lambda *_: items)
    async with serve(node) as session:
        assert await make_endpoint(session, node).call(ONE) == [items]


async def test_security_no_endpoint_has_others_told_its_cookies() -> None:
    """SECURITY: cookies for a whole domain would make the headers of the others' requests larger than they take."""
    heard: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Cookie", ""))
        (call,) = await body_of(request)
        response = web.json_response([{"id": call["id"], "result": 1}])
        response.set_cookie("large", "x" * 4_000)
        return response

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        named = RpcEndpoint(session, node.url.replace("127.0.0.1", "localhost"), 0, 5)
        assert await named.call(ONE) == await named.call(ONE) == [1]
    assert heard == ["", ""]


async def test_security_a_compressed_bomb_is_not_unpacked() -> None:
    """SECURITY: a small compressed body could become a huge one."""
    reply = gzip.compress(b" " * 50_000_000 + b"[]")

    async def respond(_: web.Request) -> web.Response:
        return web.Response(body=reply, headers={"Content-Encoding": "gzip"})

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable, match="no JSON"):
            await make_endpoint(session, node).call(ONE)


async def test_security_a_node_that_trickles_bytes_cannot_hold_us() -> None:
    """SECURITY: a deadline holds for the whole exchange, not from byte to byte."""
    released = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"[")
        await released.wait()
        return response

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable, match="did not answer"):
            await make_endpoint(session, node, timeout_seconds=0.1).call(ONE)
        released.set()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00\x01\x02\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: nonsense\r\n\r\n[]",
    ],
)
async def test_a_broken_http_peer_is_unavailable(payload: bytes) -> None:
    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(payload)
        writer.close()

    server = await asyncio.start_server(attack, "127.0.0.1", 0)
    node = ScriptedNode()
    async with server, serve() as session:
        node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(RpcUnavailable):
            await make_endpoint(session, node).call(ONE)


async def test_a_connection_that_the_node_closed_meanwhile_is_opened_anew() -> None:
    answered = asyncio.Event()
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        (call,) = orjson.loads(await reader.readexactly(length))
        body = orjson.dumps([{"id": call["id"], "result": connections}])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await answered.wait()
        if connections == 1:
            # Takes the next request and is gone.
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    node = ScriptedNode()
    async with server, serve() as session:
        node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        endpoint = make_endpoint(session, node)
        assert await endpoint.call(ONE) == [1]
        answered.set()
        assert await endpoint.call(ONE) == [2]


async def test_nobody_there_is_unavailable() -> None:
    async with serve() as session:
        with pytest.raises(RpcUnavailable):
            await RpcEndpoint(session, "http://127.0.0.1:1/", 0, 5).call(ONE)


async def test_one_failing_exchange_fails_the_whole_call() -> None:
    async def respond(request: web.Request) -> web.Response:
        calls = await body_of(request)
        replies = [{"id": call["id"], "result": 1} for call in calls]
        return web.Response(body=orjson.dumps(replies), status=200 if len(calls) == 100 else 500)

    node = ScriptedNode()
    node.respond = respond
    async with serve(node) as session:
        with pytest.raises(RpcUnavailable, match="500"):
            await make_endpoint(session, node).call([RpcCall("a", [])] * 150)


class Recorder:
    def __init__(self) -> None:
        self.exchanges: list[tuple[int, int, str]] = []

    def exchanged(self, endpoint: int, calls: int, seconds: float, fault: str) -> None:
        assert seconds >= 0
        self.exchanges.append((endpoint, calls, fault))


async def test_every_exchange_is_metered_with_what_became_of_it() -> None:
    meter, node = Recorder(), ScriptedNode(lambda *_: 1)
    async with serve(node) as session:
        endpoint = RpcEndpoint(session, node.url, 7, 5, meter)
        await endpoint.call([RpcCall("a", [])] * 130)
        node.respond = hostile([])
        with pytest.raises(RpcUnavailable):
            await endpoint.call(ONE)
    assert sorted(meter.exchanges) == [(7, 1, "rpc_unavailable"), (7, 30, ""), (7, 100, "")]


async def test_security_no_error_shows_the_key_in_a_url() -> None:
    """SECURITY: URLs of endpoints hold credentials."""
    secrets = ("hunter2", "s3cret", "t0ken")
    async with serve() as session:
        endpoint = RpcEndpoint(session, "http://me:hunter2@127.0.0.1:1/s3cret?key=t0ken", 2, 5)
        with pytest.raises(RpcUnavailable) as caught:
            await endpoint.call(ONE)
    assert caught.value.__cause__ is None
    assert endpoint.label == "http://127.0.0.1:1#2"
    for text in (str(caught.value), repr(endpoint), endpoint.label):
        assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize(
    "other",
    [
        "http://node.example:80/key",
        "http://NODE.example/key",
        "http://node.example/key/",
        "http://me:1@node.example./key",
    ],
)
def test_security_one_endpoint_is_one_however_it_is_written(other: str) -> None:
    """SECURITY: it would be two voices, and a quorum of two."""
    assert not are_distinct(["http://node.example/key", other])
    assert are_distinct(["http://node.example/key", "http://node.example/key2", "http://node.example:81/key"])
