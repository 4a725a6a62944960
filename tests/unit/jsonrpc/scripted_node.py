"""A JSON-RPC server on loopback that says what a test tells it to: honest, broken or hostile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from relayer.vms.jsonrpc.endpoints import ChainProbe, EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, open_session

CHAIN_ID = 31337
PROBE = ChainProbe("eip155:31337", RpcCall("eth_chainId", []), lambda answer: answer == hex(CHAIN_ID))

Answer = Callable[[str, list[Any]], Any]


class NodeFault(Exception):  # noqa: N818
    """Raised by an `Answer` to give a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.member = {"code": code, "message": message} | ({} if data is None else {"data": data})


class ScriptedNode:
    """One node. `answer` gives results; `respond`, if set, takes over the whole HTTP exchange.

    It hangs on every exchange if it `is_hanging`, and on those that are `is_too_much` for it.
    """

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or (lambda *_: None)
        self.overrides: dict[str, Callable[[list[Any]], Any]] = {}
        self.respond: Callable[[web.Request], Any] | None = None
        self.hung = asyncio.Event()
        self.is_hanging = False
        self.is_too_much: Callable[[list[dict[str, Any]]], bool] = lambda _: False
        self.exchanges: list[list[dict[str, Any]]] = []
        self.url = ""

    @property
    def methods(self) -> list[str]:
        """Everything that was asked, in order."""
        return [call["method"] for exchange in self.exchanges for call in exchange]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.respond is not None:
            return await self.respond(request)
        return await self.answer_honestly(request)

    async def answer_honestly(self, request: web.Request) -> web.StreamResponse:
        """As if there were no `respond`."""
        calls = orjson.loads(await request.read())
        self.exchanges.append(calls)
        if self.is_hanging or self.is_too_much(calls):
            self.hung.set()
            await asyncio.Event().wait()
        return web.Response(body=orjson.dumps([self._reply(call) for call in calls]))

    def _reply(self, call: dict[str, Any]) -> dict[str, Any]:
        reply = {"jsonrpc": "2.0", "id": call["id"]}
        method, params = call["method"], call["params"]
        try:
            if method in self.overrides:
                return reply | {"result": self.overrides[method](params)}
            if method == "eth_chainId":
                return reply | {"result": hex(CHAIN_ID)}
            return reply | {"result": self.answer(method, params)}
        except NodeFault as fault:
            return reply | {"error": fault.member}


@asynccontextmanager
async def serve(*nodes: ScriptedNode) -> AsyncIterator[aiohttp.ClientSession]:
    """The nodes on loopback ports, and a session to talk to them with."""
    runners: list[web.AppRunner] = []
    session = open_session()
    try:
        for node in nodes:
            application = web.Application(client_max_size=2**24)
            application.router.add_post("/", node.handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            node.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield session
    finally:
        await session.close()
        for runner in runners:
            await runner.cleanup()


def make_endpoint(
    session: aiohttp.ClientSession, node: ScriptedNode, number: int = 0, timeout_seconds: float = 5
) -> RpcEndpoint:
    return RpcEndpoint(session, node.url, number, timeout_seconds)


@asynccontextmanager
async def serve_pool(*nodes: ScriptedNode, quorum: int, timeout_seconds: float = 5) -> AsyncIterator[EndpointPool]:
    """A pool over the nodes, in their order. Its clock stands still, so that backoff never ends."""
    async with serve(*nodes) as session:
        endpoints = [make_endpoint(session, node, number, timeout_seconds) for number, node in enumerate(nodes)]
        yield EndpointPool(endpoints, quorum, PROBE, timeout_seconds, clock=lambda: 1.0, jitter=lambda: 0.5)
