"""That chain's interfaces, by raw HTTP, JSON-RPC and WebSocket, over our requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attestation.address import parse_interoperable_address
from attestation.request import format_request_id
from attestation.statement import OutcomeKind
from relayer.api import crossvm_socket
from relayer.api.app import create_app
from relayer.api.crossvm_socket import (
    MAX_LISTENERS,
    MAX_SUBSCRIPTIONS,
    MAX_WAITING_BYTES,
    MAX_WAITING_EVENTS,
)
from relayer.api.reading import MAX_CONCURRENT_READS
from relayer.crossvm.messages import message_id
from relayer.domain.events import CancelFinal
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.observability.metrics import Metrics
from relayer.ports.store import Change, Commit
from relayer.store.memory import MemoryStore
from tests.factories import NOW, ROUTES, SENDER, make_conclusion, make_request, track
from tests.unit.api.test_operator_routes import ClosedDoor, KnownStatus, StillClock

Client = TestClient[Any, Any]
ASKS = "tm.event='Tx' AND crossvm_request.message_id EXISTS"
SENDER_TEXT = parse_interoperable_address(SENDER).account_text()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[Client]:
    app = create_app(
        store=store,
        routes=ROUTES,
        status=KnownStatus(),
        door=ClosedDoor(),
        commands={},
        vm_names={"eip155": "evm"},
        gateways={},
        metrics=Metrics(),
        clock=StillClock(),
    )
    async with TestClient(TestServer(app)) as client:
        yield client


async def _ask(store: MemoryStore, nonce: int = 0) -> TrackedRequest:
    request = track(make_request(nonce=nonce))
    await store.commit(Commit(observed=(Change(request.status, request, "CallRequested", NOW),)))
    return request


async def _move(store: MemoryStore, request: TrackedRequest, status: Status) -> TrackedRequest:
    moved = replace(request, status=status)
    await store.commit(Commit(changes=(Change(request.status, moved, "Moved", NOW),)))
    return moved


async def _conclude(
    store: MemoryStore,
    request: TrackedRequest,
    data: bytes = b"\x2a",
    kind: OutcomeKind = OutcomeKind.EXECUTED,
) -> TrackedRequest:
    conclusion = replace(make_conclusion(request.request_id, kind=kind), return_data=data)
    concluded = replace(request, status=Status.CONCLUDED, conclusion=conclusion)
    await store.commit(Commit(changes=(Change(request.status, concluded, "ReceiptFinal", NOW),)))
    return concluded


async def _rpc(client: Client, body: Any) -> Any:
    response = await client.post("/", data=body if isinstance(body, bytes) else json.dumps(body))
    assert response.status == 200
    return await response.json()


def _get_message(*params: Any, method: str = "qor_getCrossVMMessage") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


async def test_a_message_is_told_by_json_rpc_with_exactly_that_chains_fields(
    client: Client, store: MemoryStore
) -> None:
    request = await _conclude(store, await _ask(store))
    answer = await _rpc(client, _get_message("crossvm-00000001"))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "message_id": "crossvm-00000001",
            "source_vm": "evm",
            "target_vm": "evm",
            "target_contract": parse_interoperable_address(request.request.target).account_text(),
            "sender": SENDER_TEXT,
            "payload": "0x" + request.request.payload.hex(),
            "status": "executed",
            "result": "0x2a",
            "submitted_height": 10,
            "executed_height": 20,
        },
    }
    assert await _rpc(client, _get_message(format_request_id(request.request_id))) == answer


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b"x" * 5_000, -32700),
        ({"jsonrpc": "1.0", "id": 1, "method": "qor_getCrossVMMessage", "params": []}, -32600),
        ({"jsonrpc": "2.0", "id": {}, "method": "qor_getCrossVMMessage", "params": []}, -32600),
        (_get_message(method="eth_call"), -32601),
        (_get_message(), -32602),
        (_get_message(7), -32602),
        (_get_message("crossvm-00000001", "more"), -32602),
        (_get_message("crossvm-00000009"), -32000),
        (_get_message("crossvm-9"), -32000),
        (_get_message("0x" + "00" * 32), -32000),
    ],
)
async def test_what_cannot_be_answered_is_an_error_object(client: Client, body: Any, code: int) -> None:
    assert (await _rpc(client, body))["error"]["code"] == code


async def _post_head(client: Client, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n" % length)
    await writer.drain()
    return reader, writer


async def test_a_call_may_come_in_pieces(client: Client, store: MemoryStore) -> None:
    await _ask(store)
    body = json.dumps(_get_message("crossvm-00000001")).encode()
    reader, writer = await _post_head(client, len(body))
    for place in range(len(body)):
        writer.write(body[place : place + 1])
        await writer.drain()
        await asyncio.sleep(0)
    assert b"200" in await reader.readline()
    while await reader.readline() != b"\r\n":
        pass
    assert b'"submitted"' in await reader.read(10_000)
    writer.close()


async def test_security_calls_that_never_come_take_no_places_from_those_who_read(client: Client) -> None:
    """SECURITY: a handful of silent connections would else have every question of others refused."""
    silent = [await _post_head(client, 100) for _ in range(2 * MAX_CONCURRENT_READS)]
    assert (await client.get("/v1/crossvm/pending")).status == 200
    for reader, writer in silent:
        assert b"200" in await asyncio.wait_for(reader.readline(), 30)
        writer.close()


async def test_messages_are_listed_by_sender_however_it_is_written(client: Client, store: MemoryStore) -> None:
    for nonce in range(3):
        await _ask(store, nonce)
    for text in (SENDER_TEXT, SENDER_TEXT.lower(), str(parse_interoperable_address(SENDER))):
        answer = await (await client.get("/v1/crossvm/messages", params={"sender": text})).json()
        assert [message["message_id"] for message in answer["messages"]] == [message_id(row) for row in (3, 2, 1)]
    for query in ({}, {"sender": "x"}, {"sender": SENDER_TEXT, "limit": "0"}):
        assert (await client.get("/v1/crossvm/messages", params=query)).status == 400


async def test_what_waits_is_listed_until_it_is_concluded(client: Client, store: MemoryStore) -> None:
    first, second = await _ask(store, 0), await _ask(store, 1)
    await _conclude(store, first)
    answer = await (await client.get("/v1/crossvm/pending")).json()
    assert [message["message_id"] for message in answer["messages"]] == [message_id(2)]
    assert answer["messages"][0]["status"] == "submitted"
    await _conclude(store, second)
    assert await (await client.get("/v1/crossvm/pending")).json() == {"messages": []}


async def test_one_message_is_a_resource_and_an_unknown_one_is_not(client: Client, store: MemoryStore) -> None:
    await _ask(store)
    assert (await client.get("/v1/crossvm/messages/crossvm-00000001")).status == 200
    for name in ("crossvm-00000002", "crossvm-1", "0x12"):
        assert (await client.get(f"/v1/crossvm/messages/{name}")).status == 404


async def test_the_limits_are_told_under_that_chains_names(client: Client) -> None:
    answer = await (await client.get("/v1/crossvm/params")).json()
    assert answer == {"max_message_size": 65_536, "max_queue_size": 1_000, "queue_timeout_blocks": 100}


# Subscriptions


async def _say(socket: ClientWebSocketResponse, method: str, *params: Any, number: int = 1) -> Any:
    await socket.send_json({"jsonrpc": "2.0", "method": method, "params": list(params), "id": number})
    return await socket.receive_json()


async def test_a_subscriber_hears_of_requests_and_of_nothing_else(client: Client, store: MemoryStore) -> None:
    async with client.ws_connect("/websocket") as socket:
        assert await _say(socket, "subscribe", ASKS) == {"jsonrpc": "2.0", "id": 1, "result": {}}
        await _conclude(store, await _ask(store, 0))
        await _ask(store, 1)
        first, second = await socket.receive_json(), await socket.receive_json()
    assert first["id"] == 1
    result = first["result"]
    assert result["query"] == ASKS
    assert result["data"]["type"] == "tendermint/event/Tx"
    outcome = result["data"]["value"]["TxResult"]
    assert outcome["height"] == "10"
    (event,) = outcome["result"]["events"]
    attributes = {attribute["key"]: attribute["value"] for attribute in event["attributes"]}
    assert event["type"] == "crossvm_request"
    assert list(attributes) == ["message_id", "source_vm", "target_vm", "target_contract", "sender"]
    assert result["events"]["tm.event"] == ["Tx"]
    assert result["events"]["crossvm_request.message_id"] == ["crossvm-00000001"]
    assert second["result"]["events"]["crossvm_request.message_id"] == ["crossvm-00000002"]


async def test_responses_and_timeouts_are_told_to_who_asks_for_them(client: Client, store: MemoryStore) -> None:
    request = await _ask(store)
    async with client.ws_connect("/websocket") as socket:
        await _say(socket, "subscribe", "crossvm_response.status = 'executed'", number=5)
        await _conclude(store, request)
        told = await socket.receive_json()
    assert told["id"] == 5
    assert told["result"]["events"]["crossvm_response.result"] == ["0x2a"]
    assert told["result"]["events"]["tx.height"] == ["20"]


ENDS = [
    (OutcomeKind.EXECUTED, "crossvm_response", "executed"),
    (OutcomeKind.REVERTED, "crossvm_response", "failed"),
    (OutcomeKind.UNREACHED, "crossvm_response", "failed"),
    (OutcomeKind.DUPLICATE, "crossvm_response", "failed"),
    (OutcomeKind.EXPIRED, "crossvm_timeout", "timed_out"),
]


@pytest.mark.parametrize(("kind", "event", "status"), ENDS)
async def test_every_event_is_heard_and_every_state_asked_for_as_a_message_goes_its_way(
    client: Client, store: MemoryStore, kind: OutcomeKind, event: str, status: str
) -> None:
    async def state() -> str:
        return str((await _rpc(client, _get_message("crossvm-00000001")))["result"]["status"])

    queries = [f"tm.event='Tx' AND crossvm_{name}.message_id EXISTS" for name in ("request", "response", "timeout")]
    async with client.ws_connect("/websocket") as socket:
        for number, query in enumerate(queries):
            said = await _say(socket, "subscribe", query, number=number)
            assert said == {"jsonrpc": "2.0", "id": number, "result": {}}
        request = await _ask(store)
        assert await state() == "submitted"
        for waiting in (Status.FINAL, Status.CERTIFIED, Status.DISPATCHED, Status.LANDED):
            request = await _move(store, request, waiting)
            assert await state() == "pending"
        await _conclude(store, request, kind=kind)
        assert await state() == status
        heard = [await socket.receive_json(), await socket.receive_json()]
    types, told = [], []
    for each in heard:
        (one,) = each["result"]["data"]["value"]["TxResult"]["result"]["events"]
        types.append(one["type"])
        told.append({attribute["key"]: attribute["value"] for attribute in one["attributes"]})
        assert each["result"]["query"] == queries[each["id"]]
        assert each["result"]["events"][f"{one['type']}.message_id"] == ["crossvm-00000001"]
    assert types == ["crossvm_request", event]
    assert list(told[0]) == ["message_id", "source_vm", "target_vm", "target_contract", "sender"]
    if event == "crossvm_timeout":
        assert told[1] == {"message_id": "crossvm-00000001", "source_vm": "evm", "target_vm": "evm"}
    else:
        assert told[1] == {"message_id": "crossvm-00000001", "status": status, "result": "0x2a"}


async def test_a_cancelled_message_has_timed_out(client: Client, store: MemoryStore) -> None:
    request = await _ask(store)
    async with client.ws_connect("/websocket") as socket:
        await _say(socket, "subscribe", "crossvm_timeout.message_id = 'crossvm-00000001'")
        cancelled = replace(request, status=Status.CANCELLED)
        await store.commit(Commit(changes=(Change(request.status, cancelled, CancelFinal.__name__, NOW),)))
        assert (await socket.receive_json())["result"]["events"]["crossvm_timeout.source_vm"] == ["evm"]
    assert (await _rpc(client, _get_message("crossvm-00000001")))["result"]["status"] == "timed_out"


async def test_what_was_unsubscribed_is_told_no_more(client: Client, store: MemoryStore) -> None:
    async with client.ws_connect("/websocket") as socket:
        await _say(socket, "subscribe", ASKS)
        assert "result" in await _say(socket, "unsubscribe", ASKS)
        assert "error" in await _say(socket, "unsubscribe", ASKS)
        await _say(socket, "subscribe", "crossvm_timeout.message_id EXISTS")
        assert "result" in await _say(socket, "unsubscribe_all")
        await _ask(store)
        assert (await _say(socket, "subscribe", ASKS, number=9))["id"] == 9


async def test_subscriptions_are_taken_by_name_and_refused_by_reason(client: Client) -> None:
    async with client.ws_connect("/websocket") as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"query": ASKS}})
        assert "result" in await socket.receive_json()
        assert (await _say(socket, "subscribe", ASKS))["error"]["data"] == "already subscribed"
        for query in ("", "crossvm_request", "a = ", "'"):
            assert (await _say(socket, "subscribe", query))["error"]["data"].startswith("failed to parse query")
        assert (await _say(socket, "subscribe"))["error"]["code"] == -32602
        assert (await _say(socket, "publish", ASKS))["error"]["code"] == -32601
        for number in range(MAX_SUBSCRIPTIONS - 1):
            assert "result" in await _say(socket, "subscribe", f"tx.height = {number}")
        assert "max_subscriptions_per_client" in (await _say(socket, "subscribe", "tx.height > 1"))["error"]["data"]


async def test_security_no_more_listen_than_there_are_places_and_places_come_back(client: Client) -> None:
    sockets = [await client.ws_connect("/websocket") for _ in range(MAX_LISTENERS)]
    assert (await client.get("/websocket")).status == 503
    for socket in sockets:
        await socket.close()
    async with client.ws_connect("/websocket") as socket:
        assert "result" in await _say(socket, "subscribe", ASKS)


async def test_security_who_does_not_read_is_cut_off_and_holds_up_no_commit(client: Client, store: MemoryStore) -> None:
    """SECURITY: what waits for a slow subscriber is bounded."""
    async with client.ws_connect("/websocket", max_msg_size=0) as slow, client.ws_connect("/websocket") as quick:
        for number in range(MAX_SUBSCRIPTIONS):
            await _say(slow, "subscribe", f"crossvm_request.message_id EXISTS AND tx.height > {number}")
        assert slow._response.connection is not None
        slow._response.connection.protocol.pause_reading()
        await _say(quick, "subscribe", ASKS)
        for nonce in range(4 * MAX_WAITING_EVENTS // MAX_SUBSCRIPTIONS):
            await _ask(store, nonce)
            assert (await quick.receive(timeout=10)).type is WSMsgType.TEXT
        slow._response.connection.protocol.resume_reading()
        while (message := await slow.receive(timeout=10)).type is WSMsgType.TEXT:
            pass
        assert message.data == 1008


async def test_security_large_answers_that_wait_are_bounded_by_their_bytes(client: Client, store: MemoryStore) -> None:
    """SECURITY: a few subscribers that read nothing would else have gigabytes kept for them."""
    async with client.ws_connect("/websocket", max_msg_size=0) as slow:
        for number in range(MAX_SUBSCRIPTIONS):
            await _say(slow, "subscribe", f"crossvm_response.message_id EXISTS AND tx.height > {number}")
        assert slow._response.connection is not None
        slow._response.connection.protocol.pause_reading()
        data = bytes(65_536)
        for nonce in range(80):
            await _conclude(store, await _ask(store, nonce), data)
            await asyncio.sleep(0)
        slow._response.connection.protocol.resume_reading()
        heard = 0
        while (message := await slow.receive(timeout=10)).type is WSMsgType.TEXT:
            heard += len(message.data)
        assert message.data == 1008
        # What the connection's own buffers hold comes besides.
        assert heard < MAX_WAITING_BYTES + 20_000_000


async def _talk_on(socket: ClientWebSocketResponse) -> None:
    while True:
        await socket.pong()
        await asyncio.sleep(0)


async def test_security_who_reads_nothing_and_keeps_talking_is_cut_off(
    client: Client, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: the place would else be held for ever: whoever talks is taken to be alive."""
    monkeypatch.setattr(crossvm_socket, "PATIENCE_SECONDS", 0.2)
    async with client.ws_connect("/websocket") as talker, client.ws_connect("/websocket") as quick:
        await _say(talker, "subscribe", "crossvm_response.message_id EXISTS")
        await _say(quick, "subscribe", "crossvm_request.message_id EXISTS")
        connection = talker._response.connection
        assert connection is not None
        connection.protocol.pause_reading()
        for nonce in range(160):
            await _conclude(store, await _ask(store, nonce), bytes(65_536))
            await quick.receive(timeout=10)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_talk_on(talker), 20)


async def test_with_nobody_listening_a_commit_is_told_to_nobody(client: Client, store: MemoryStore) -> None:
    sockets = [await client.ws_connect("/websocket") for _ in range(2)]
    assert len(store._watchers._watchers) == 1
    for socket in sockets:
        await socket.close()
    async with asyncio.timeout(5), client.ws_connect("/websocket") as last:
        await _say(last, "unsubscribe_all")
        assert len(store._watchers._watchers) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.builds(lambda n: b"[" * n, st.just(3_000)))
async def test_whatever_is_said_is_answered_and_the_socket_lives(client: Client, said: bytes) -> None:
    async with client.ws_connect("/websocket") as socket:
        await socket.send_bytes(said)
        assert "error" in await socket.receive_json()
        assert "result" in await _say(socket, "subscribe", ASKS)
