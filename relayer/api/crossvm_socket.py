"""Subscriptions to messages between VMs, as CometBFT's clients make them: `GET /websocket`, JSON-RPC 2.0.

`subscribe` with `["<query>"]` or `{"query": "<query>"}` is acknowledged by an empty result; each event that the query
asks for follows under the id of the subscription. `unsubscribe` and `unsubscribe_all` end them. Queries are CometBFT's
(`relayer.event_query`) over `tm.event` (`Tx`), `tx.height`, `tx.hash` and the events' own attributes.

Its job: tell what commits changed. SECURITY: nobody who listens slowly or asks for much holds up a commit: connections,
subscriptions and what waits for each are bounded, and whoever falls behind is cut off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from relayer.api.errors import error_response
from relayer.api.json_rpc import INTERNAL_ERROR, Call, Number, RpcRefused, parse_call
from relayer.crossvm.changes import moved_messages
from relayer.crossvm.events import MessageEvent, event_of
from relayer.crossvm.messages import Writing, message_view
from relayer.domain.tracked import TrackedRequest
from relayer.errors import TransientError
from relayer.event_query import MalformedQuery, Query, parse_query
from relayer.ports.store import Commit, Store

MAX_LISTENERS: Final = 64
"""Connections at a time."""

MAX_SUBSCRIPTIONS: Final = 5
"""Of a connection. Source: CometBFT's max_subscriptions_per_client."""

MAX_WAITING_EVENTS: Final = 2_000
"""For one connection, and for all of them before they are written: a second or two of a busy network."""

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""For one connection: an answer of 64 KiB is a message of 256 KiB."""

PATIENCE_SECONDS: Final = 25.0
"""For a message to be taken, and for a farewell."""

MAX_MESSAGE_BYTES: Final = 4_096
"""What a client says at a time."""

_BEAT_SECONDS: Final = 25.0
"""A connection on which no pong comes for so long is closed. Source: CometBFT pings every 27 s."""


class _Told:
    """An event, and what queries see of it. Written once, however many hear of it."""

    def __init__(self, told: MessageEvent) -> None:
        self.keys: Final = {
            "tm.event": ["Tx"],
            "tx.height": [str(told.height)],
            "tx.hash": [told.tx_hash.hex().upper()],
            **{f"{told.type}.{key}": [value] for key, value in told.attributes.items()},
        }
        attributes = [{"key": key, "value": value, "index": True} for key, value in told.attributes.items()]
        event = {"type": told.type, "attributes": attributes}
        result = {"height": str(told.height), "index": 0, "tx": "", "result": {"events": [event]}}
        data = {"type": "tendermint/event/Tx", "value": {"TxResult": result}}
        self._members = {
            "data": orjson.Fragment(orjson.dumps(data)),
            "events": orjson.Fragment(orjson.dumps(self.keys)),
        }

    def answer(self, number: Number, query: str) -> bytes:
        """The message to a subscriber."""
        return orjson.dumps({"jsonrpc": "2.0", "id": number, "result": {"query": query, **self._members}})


class _Listener:
    """One connection: its subscriptions, and what waits to be sent."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, tuple[Number, Query]] = {}
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self.is_behind = False

    def tell(self, told: _Told) -> None:
        """Put by what its subscriptions ask for."""
        for text, (number, query) in self.subscriptions.items():
            if not self.is_behind and query.matches(told.keys):
                self.put(told.answer(number, text))

    def put(self, message: bytes) -> None:
        """Put by one message, or note that it listens too slowly."""
        # SECURITY: by number alone, those who do not listen could have gigabytes kept for them.
        if len(self._waiting) >= MAX_WAITING_EVENTS or self._waiting_bytes + len(message) > MAX_WAITING_BYTES:
            self.is_behind = True
        else:
            self._waiting.append(message)
            self._waiting_bytes += len(message)
        self._filled.set()

    async def next(self) -> bytes:
        """The next message, once there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        return message


class CrossVmSocket:
    """The route of subscriptions."""

    def __init__(self, *, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing
        self._listeners: set[_Listener] = set()
        self._moved: deque[TrackedRequest] = deque(maxlen=MAX_WAITING_EVENTS)
        self._filled = asyncio.Event()
        self._leave: Callable[[], None] | None = None
        self._teller: asyncio.Task[None] | None = None

    def register(self, app: web.Application) -> None:
        """Add the route, and let go of all who listen when the server stops."""
        app.router.add_get("/websocket", self._listen)
        app.on_shutdown.append(self._stop)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        if len(self._listeners) >= MAX_LISTENERS:
            return error_response(503, "busy", "too many subscribers; try again")
        socket = web.WebSocketResponse(heartbeat=_BEAT_SECONDS, max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        await socket.prepare(request)
        listener = _Listener()
        self._enter(listener)
        sending = asyncio.create_task(_send(socket, listener, request.transport))
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                listener.put(orjson.dumps(_answer(listener, message.data)))
        finally:
            self._exit(listener)
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending
            async with _patience(request.transport):
                await socket.close()
        return socket

    def _enter(self, listener: _Listener) -> None:
        self._listeners.add(listener)
        if self._leave is None:
            self._leave = self._store.watch(self._note)
            self._teller = asyncio.create_task(self._tell())

    def _exit(self, listener: _Listener) -> None:
        """Whoever leaves last turns the light off: without listeners a commit costs nothing here."""
        self._listeners.discard(listener)
        if self._listeners or self._leave is None or self._teller is None:
            return
        self._leave()
        self._teller.cancel()
        self._leave = self._teller = None
        self._moved.clear()

    async def _stop(self, _app: web.Application) -> None:
        for listener in tuple(self._listeners):
            self._exit(listener)

    def _note(self, commit: Commit) -> None:
        self._moved.extend(moved_messages(commit))
        self._filled.set()

    async def _tell(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            moved, self._moved = self._moved, deque(maxlen=MAX_WAITING_EVENTS)
            try:
                rows = await self._store.load_rows([request.request_id for request in moved])
            except TransientError:
                continue  # what happened meanwhile can be looked up; nobody waits for it here
            for request in moved:
                if (row := rows.get(request.request_id)) is not None:
                    self._publish(row, request)

    def _publish(self, row: int, request: TrackedRequest) -> None:
        conclusion = request.conclusion
        message = message_view(row, request, self._writing)
        is_concluded = message["executed_height"] != 0 and conclusion is not None
        event = event_of(message, conclusion.tx_hash if is_concluded and conclusion else request.location.tx_hash)
        if event is None:
            return
        told = _Told(event)
        for listener in self._listeners:
            listener.tell(told)


async def _send(socket: web.WebSocketResponse, listener: _Listener, transport: asyncio.Transport | None) -> None:
    async with _patience(transport) as patience:
        while not listener.is_behind:
            patience.reschedule(None)
            message = await listener.next()
            patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_SECONDS)
            await socket.send_str(message.decode())
        await socket.close(code=1008, message=b"client is not pulling messages fast enough")


@asynccontextmanager
async def _patience(transport: asyncio.Transport | None) -> AsyncIterator[asyncio.Timeout]:
    """So long, and the connection is cut. SECURITY: pings, which keep it up, can be answered without reading on."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS) as patience:
            yield patience
    except TimeoutError:
        if transport is not None:
            transport.abort()


def _answer(listener: _Listener, text: str | bytes) -> dict[str, Any]:
    try:
        call = parse_call(text)
    except RpcRefused as refusal:
        return refusal.answer(None)
    try:
        _act(listener, call)
    except RpcRefused as refusal:
        return refusal.answer(call.number)
    return call.answer({})


def _act(listener: _Listener, call: Call) -> None:
    match call.method:
        case "subscribe":
            _subscribe(listener, call.number, call.require_text("query"))
        case "unsubscribe":
            if listener.subscriptions.pop(call.require_text("query"), None) is None:
                raise RpcRefused(INTERNAL_ERROR, "Internal error", "subscription not found")
        case "unsubscribe_all":
            listener.subscriptions.clear()
        case _:
            raise call.unknown()


def _subscribe(listener: _Listener, number: Number, text: str) -> None:
    if text in listener.subscriptions:
        raise RpcRefused(INTERNAL_ERROR, "Internal error", "already subscribed")
    if len(listener.subscriptions) >= MAX_SUBSCRIPTIONS:
        fault = f"max_subscriptions_per_client {MAX_SUBSCRIPTIONS} reached"
        raise RpcRefused(INTERNAL_ERROR, "Internal error", fault)
    try:
        listener.subscriptions[text] = number, parse_query(text)
    except MalformedQuery as error:
        raise RpcRefused(INTERNAL_ERROR, "Internal error", f"failed to parse query: {error}") from None
