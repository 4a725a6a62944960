from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from aiohttp import web

from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.rpc import RpcCall, open_session

Script = Callable[[web.WebSocketResponse, int], Awaitable[None]]

LONG_BLOCKS = 1_000.0
SUBSCRIPTION = RpcCall("eth_subscribe", ["newHeads"])


class Subscriptions:
    """A WebSocket node that plays `script` to each connection, numbered from 0."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.requests: list[str] = []

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        number, self.connections = self.connections, self.connections + 1
        self.requests.append(await socket.receive_str())
        await self.script(socket, number)
        return socket


@asynccontextmanager
async def hints_from(
    script: Script, block_time_seconds: float = LONG_BLOCKS
) -> AsyncIterator[tuple[HeadHints, list[float], Subscriptions]]:
    """Hints from one such node; pauses before reconnecting are recorded and not waited for."""
    node = Subscriptions(script)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    application = web.Application()
    application.router.add_get("/", node.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
        yield HeadHints(session, "test", [url], SUBSCRIPTION, block_time_seconds, sleep, lambda: 1.0), pauses, node
    await runner.cleanup()


async def take(hints: HeadHints, count: int) -> int:
    """Waits for so many hints."""
    taken = 0
    async with asyncio.timeout(10):
        stream = hints.wake_ups()
        async for _ in stream:
            taken += 1
            if taken == count:
                break
        await stream.aclose()  # type: ignore[attr-defined]
    return taken


async def test_the_first_look_needs_no_hint() -> None:
    async with aiohttp.ClientSession() as session:
        assert await take(HeadHints(session, "test", [], SUBSCRIPTION, LONG_BLOCKS, asyncio.sleep, lambda: 1.0), 1) == 1


async def test_without_sockets_the_clock_wakes() -> None:
    async with aiohttp.ClientSession() as session:
        assert await take(HeadHints(session, "test", [], SUBSCRIPTION, 0.01, asyncio.sleep, lambda: 1.0), 4) == 4


async def test_each_new_head_wakes() -> None:
    woken = asyncio.Event()

    async def script(socket: web.WebSocketResponse, _: int) -> None:
        for _ in range(3):
            await socket.send_str('{"method":"eth_subscription"}')
            await woken.wait()
            woken.clear()
        await asyncio.Event().wait()

    async with hints_from(script) as (hints, _, node), asyncio.timeout(10):
        stream = hints.wake_ups()
        await anext(stream)
        for _ in range(3):
            await anext(stream)
            woken.set()
        await stream.aclose()  # type: ignore[attr-defined]
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    assert orjson.loads(node.requests[0]) == request


async def until_connected(hints: HeadHints, node: Subscriptions, times: int) -> None:
    """Follows hints until the node has been connected to so often. Every lost connection is a hint too."""
    async with asyncio.timeout(10):
        stream = hints.wake_ups()
        async for _ in stream:
            if node.connections >= times:
                break
        await stream.aclose()  # type: ignore[attr-defined]


async def test_a_lost_subscription_is_taken_up_again() -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        if number == 3:
            await socket.send_str("{}")
            await socket.receive()

    async with hints_from(script) as (hints, pauses, node):
        await until_connected(hints, node, 4)
    assert pauses[:3] == [1.0, 2.0, 4.0]


async def test_while_the_socket_is_down_the_clock_wakes() -> None:
    async def script(socket: web.WebSocketResponse, _: int) -> None:
        await socket.close()

    async with hints_from(script, block_time_seconds=0.01) as (hints, _, _):
        assert await take(hints, 5) == 5


async def test_a_socket_that_fell_silent_does_not_stop_the_clock() -> None:
    async def script(_: web.WebSocketResponse, __: int) -> None:
        await asyncio.Event().wait()

    async with hints_from(script, block_time_seconds=0.03) as (hints, _, _):
        assert await take(hints, 5) == 5


async def test_pauses_before_reconnecting_grow_and_are_bounded() -> None:
    pauses: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            done.set()
            await asyncio.Event().wait()

    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        hints = HeadHints(session, "test", ["ws://127.0.0.1:1/key"], SUBSCRIPTION, LONG_BLOCKS, sleep, lambda: 0.0)
        stream = hints.wake_ups()
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await done.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await stream.aclose()  # type: ignore[attr-defined]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(pauses) == 15.0


@pytest.mark.parametrize("message", [b"\x00\x01", "x" * 2_000_000])
async def test_a_hostile_socket_costs_a_reconnection(message: bytes | str) -> None:
    async def script(socket: web.WebSocketResponse, number: int) -> None:
        if number == 0:
            await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
        else:
            await socket.send_str("{}")
        await socket.receive()

    async with hints_from(script) as (hints, _, node):
        await until_connected(hints, node, 2)


async def test_security_a_socket_sends_us_nowhere_else() -> None:
    """SECURITY: a redirect would have us ask hosts that only we can reach."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/inner")

    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    refused = asyncio.Event()

    async def sleep(_: float) -> None:
        refused.set()
        await asyncio.Event().wait()

    async with open_session() as session:
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
        hints = HeadHints(session, "test", [url], SUBSCRIPTION, LONG_BLOCKS, sleep, lambda: 1.0)
        wake_ups = hints.wake_ups()
        await anext(wake_ups)
        await asyncio.wait_for(refused.wait(), 10)
        await wake_ups.aclose()  # type: ignore[attr-defined]
    await runner.cleanup()
    assert asked == ["/"]
