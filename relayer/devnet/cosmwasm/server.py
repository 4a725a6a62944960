"""The server: the node's port, for calls by POST and by URI and for WebSockets, and the blocks that it makes.

Its job: hold the port open and make a block when its time has come. Loopback is where it belongs: with control methods
whoever reaches it does to the chain what no account can.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.node import MAX_REQUEST_BYTES, Node
from relayer.devnet.sockets import Socket, Sockets

_HOST: Final = "127.0.0.1"
_SHUTDOWN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The port, and the seconds between blocks; 0 for blocks that a control method makes and no clock."""

    port: int
    block_seconds: float
    has_control: bool


@asynccontextmanager
async def serving(chain: Chain, settings: ServerSettings) -> AsyncIterator[Node]:
    """A node of this chain that answers inside the block.

    Raises:
        OSError: the port is taken.
    """
    sockets = Sockets()
    node = Node(chain, has_control=settings.has_control, drop_sockets=sockets.drop)

    async def take(body: bytes, socket: Socket) -> None:
        answer = await node.answer(body, socket)
        if answer is not None:
            socket.put(answer)

    async def upgrade(request: web.Request) -> web.StreamResponse:
        return await sockets.serve(request, take, node.subscriptions.forget, MAX_REQUEST_BYTES)

    async def call(request: web.Request) -> web.Response:
        answer = await node.answer(await request.read())
        return web.Response(body=answer or b"", content_type="application/json")

    async def visit(request: web.Request) -> web.Response:
        status, answer = await node.answer_uri(request.match_info["method"], request.query)
        return web.Response(status=status, body=answer, content_type="application/json")

    async def names(request: web.Request) -> web.Response:
        del request
        return web.Response(text="\n".join(sorted(node.method_names)))

    application = web.Application(client_max_size=MAX_REQUEST_BYTES)
    application.add_routes(
        [web.post("/", call), web.get("/", names), web.get("/websocket", upgrade), web.get("/{method}", visit)]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, settings.port).start()
        # A chain that makes no blocks must not look alive: what ends the ticker ends the block.
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(_make_blocks(node, settings.block_seconds)) if settings.block_seconds else None
            yield node
            if ticker is not None:
                ticker.cancel()
    finally:
        sockets.drop()
        await runner.cleanup()
        node.close()


async def _make_blocks(node: Node, seconds: float) -> None:
    """Make a block whenever its time has come; blocks that were missed are not made up for."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        await node.advance()
        due = max(due + seconds, loop.time())
