"""The server: the node's HTTP and WebSocket ports, and the slots that pass.

Its job: hold both ports open and close a slot when its time is over. Loopback is where it belongs: whoever reaches it
can have lamports, and with control methods more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from relayer.devnet.sockets import Socket, Sockets
from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.node import MAX_REQUEST_BYTES, Node

_HOST: Final = "127.0.0.1"
_SHUTDOWN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The ports, and how long a slot lasts; 0 seconds for slots that close by control method only."""

    port: int
    websocket_port: int
    slot_seconds: float
    has_control: bool


@asynccontextmanager
async def serving(chain: Chain, settings: ServerSettings) -> AsyncIterator[Node]:
    """A node of this chain that answers inside the block. Both ports take calls and subscriptions alike.

    Raises:
        OSError: a port is taken.
    """
    sockets = Sockets()
    node = Node(chain, has_control=settings.has_control, drop_sockets=sockets.drop)

    async def take(body: bytes, socket: Socket) -> None:
        answer = node.answer(body, socket)
        if answer is not None:
            socket.put(answer)
        node.subscriptions.publish()

    async def upgrade(request: web.Request) -> web.StreamResponse:
        return await sockets.serve(request, take, node.subscriptions.forget, MAX_REQUEST_BYTES)

    async def call(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            text = "Supplied content type is not allowed. Content-Type: application/json is required"
            return web.Response(status=415, text=text)
        answer = node.answer(await request.read())
        node.subscriptions.publish()
        return web.Response(body=answer or b"", content_type="application/json")

    async def health(request: web.Request) -> web.Response:
        del request
        return web.Response(text="behind" if chain.faults.lag_slots else "ok")

    application = web.Application(client_max_size=MAX_REQUEST_BYTES)
    application.add_routes([web.post("/", call), web.get("/", upgrade), web.get("/health", health)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        for port in {settings.port, settings.websocket_port}:
            await web.TCPSite(runner, _HOST, port).start()
        # A chain whose slots stand still must not look alive: what ends the ticker ends the block.
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(_pass_slots(node, settings.slot_seconds)) if settings.slot_seconds else None
            yield node
            if ticker is not None:
                ticker.cancel()
    finally:
        sockets.drop()
        await runner.cleanup()


async def _pass_slots(node: Node, seconds: float) -> None:
    """Close a slot whenever its time is over; slots that were missed are not made up for."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        node.advance()
        due = max(due + seconds, loop.time())
