"""WebSockets of a chain's node: each with a bounded queue of what it has still to be sent.

Its job: carry requests in, answers and notifications out. A client that does not read is let go; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

MAX_SOCKETS: Final = 256
"""A devnet's relayers and tools hold a few each."""

_MAX_QUEUED: Final = 20_000
"""Notifications that wait for one slow reader: some seconds of a loaded chain."""

_HEARTBEAT_SECONDS: Final = 30.0


class Socket:
    """One connection, as a listener of subscriptions."""

    def __init__(self, stream: web.WebSocketResponse, request: web.Request) -> None:
        self._stream = stream
        self._request = request
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_MAX_QUEUED)

    def deliver(self, document: Mapping[str, Any]) -> None:
        """Queue a notification; let the client go if it has too many unread."""
        self.put(orjson.dumps(document))

    def put(self, message: bytes) -> None:
        """Queue a message."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.abort()

    def abort(self) -> None:
        """End the connection without a word."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    async def write(self) -> None:
        """Send what is queued, until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self._stream.send_str((await self._queue.get()).decode())


class Sockets:
    """All connections of a node."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()

    def drop(self) -> int:
        """End all of them without a word; how many there were."""
        for socket in self._open:
            socket.abort()
        return len(self._open)

    async def serve(
        self,
        request: web.Request,
        take: Callable[[bytes, Socket], Awaitable[None]],
        forget: Callable[[Socket], None],
        max_message_bytes: int,
    ) -> web.StreamResponse:
        """One connection, from its upgrade to its end.

        Args:
            request: the upgrade.
            take: does what a message asks for, one after the other, and puts the answer.
            forget: is told of the end.
            max_message_bytes: of a message; a longer one ends the connection.
        """
        if len(self._open) >= MAX_SOCKETS:
            return web.Response(status=503, text="too many connections")
        stream = web.WebSocketResponse(max_msg_size=max_message_bytes, heartbeat=_HEARTBEAT_SECONDS)
        await stream.prepare(request)
        socket = Socket(stream, request)
        self._open.add(socket)
        writer = asyncio.create_task(socket.write())
        try:
            async for message in stream:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                await take(message.data.encode() if isinstance(message.data, str) else message.data, socket)
        finally:
            forget(socket)
            self._open.discard(socket)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return stream
