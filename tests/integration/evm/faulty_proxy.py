"""A proxy before a real node that answers as bad endpoints do. Its fault can be changed at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

import aiohttp
import orjson
from aiohttp import web

Fault = Callable[[dict[str, Any], Any], Any]
"""What becomes of one answer: (call, honest answer) → answer. It may raise `Dropped`."""


class Dropped(Exception):  # noqa: N818 - what becomes of the connection
    """The connection ends without an answer."""


class Hints(Enum):
    """What becomes of the messages of a subscription."""

    PASSED = auto()
    SWALLOWED = auto()
    """The socket stays open and is silent."""
    CUT = auto()
    """The connection ends at the first."""


class FaultyProxy:
    """JSON-RPC over HTTP, single calls and batches, and over WebSockets, forwarded to `url`."""

    def __init__(self, url: str) -> None:
        self._target = url
        self.url = ""
        self.fault: Fault = lambda _, answer: answer
        self.behind: Callable[[], int] = lambda: 0
        """How many blocks below the tip "latest" is, asked for each answer."""
        self.truncate: Callable[[int], int] = lambda count: count
        """How many of a batch's so many answers are given."""
        self.hints = Hints.PASSED
        self.sockets = 0
        """How many WebSockets were opened."""
        self.faults = 0

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """One subscription."""
        near = web.WebSocketResponse()
        await near.prepare(request)
        self.sockets += 1
        subscribe = await near.receive_str()
        target = self._target.replace("http", "ws")
        async with aiohttp.ClientSession() as session, session.ws_connect(target) as far:
            await far.send_str(subscribe)
            async for message in far:
                self.faults += self.hints is not Hints.PASSED
                if self.hints is Hints.CUT:
                    assert request.transport is not None
                    request.transport.abort()
                    break
                if self.hints is Hints.PASSED:
                    await near.send_str(message.data)
        return near

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One exchange."""
        body = await request.read()
        asked = orjson.loads(body)
        behind = self.behind()
        if behind:
            tip = int((await self._forward({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber"}))["result"], 16)
            for call in asked if isinstance(asked, list) else [asked]:
                if call["method"] == "eth_getBlockByNumber" and call["params"][0] == "latest":
                    call["params"][0] = hex(max(tip - behind, 0))
                    self.faults += 1
        honest = await self._forward(asked)
        try:
            answer = self._spoilt(asked, honest)
        except Dropped:
            self.faults += 1
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.Response(body=orjson.dumps(answer), headers=_JSON)

    async def _forward(self, asked: Any) -> Any:
        body = orjson.dumps(asked)
        async with aiohttp.ClientSession() as session, session.post(self._target, data=body, headers=_JSON) as response:
            return orjson.loads(await response.read())

    def _spoilt(self, asked: Any, honest: Any) -> Any:
        if not isinstance(asked, list):
            return self._one(asked, honest)
        by_id = {answer["id"]: answer for answer in honest}
        kept = asked[: self.truncate(len(asked))]
        self.faults += len(kept) < len(asked)
        return [self._one(call, by_id[call["id"]]) for call in kept]

    def _one(self, call: dict[str, Any], answer: Any) -> Any:
        if "result" not in answer:
            return answer
        result = self.fault(call, answer["result"])
        self.faults += result != answer["result"]
        return {**answer, "result": result}


_JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def proxy_before(url: str) -> AsyncIterator[FaultyProxy]:
    """Listening on a free port of this machine."""
    proxy = FaultyProxy(url)
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/", proxy.serve)
    app.router.add_get("/", proxy.serve_socket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        await asyncio.shield(runner.cleanup())
