"""The listening socket of the API.

Its job: bound what connections alone can cost. An idle connection, one that drips its headers, and one of thousands
from one address must not take memory or file descriptors from the others. What is said on a connection is the routes'
business.
"""

from __future__ import annotations

import asyncio
import ipaddress
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from relayer.api.places import PLACES, Places
from relayer.observability.metrics import Metrics

MAX_CONNECTIONS: Final = 1_024
"""Open at a time: four of each of a hundred peers, and as many people; at some 200 KiB each at the worst. When all are
taken, the one on which no peer was heard for longest is closed for the next."""

MAX_CONNECTIONS_PER_ADDRESS: Final = 128
"""Of these, from one IPv4 address or IPv6 /64. Behind a reverse proxy all come from one: raise it, let that limit."""

IDLE_SECONDS: Final = 30.0
"""How long a connection may wait for a whole set of headers, from its opening on. Peers say something every 2 s."""

LINGER_SECONDS: Final = 1.0
"""How long the rest of a refused body is read away, so that its sender can read why before the connection closes."""

SHUTDOWN_SECONDS: Final = 3.0
"""What handlers get to finish at the end."""


class ApiServer:
    """Serves an application on one address. An async context manager; `port` is known once it is entered."""

    def __init__(
        self,
        app: web.Application,
        metrics: Metrics,
        *,
        host: str,
        port: int,
        max_connections: int = MAX_CONNECTIONS,
        max_connections_per_address: int = MAX_CONNECTIONS_PER_ADDRESS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`port` 0 takes a free one. It speaks plain HTTP: what is public stands behind a proxy that does TLS."""
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=idle_seconds,
            lingering_time=LINGER_SECONDS,
            shutdown_timeout=SHUTDOWN_SECONDS,
            # SECURITY: a small compressed body could grow beyond every limit while it is unpacked.
            auto_decompress=False,
        )
        self._metrics = metrics
        self._host = host
        self._asked_port = port
        self._places = app[PLACES] = Places(max_connections, max_connections_per_address)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` if the address is taken."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(lambda: _Gate(self), self._host, self._asked_port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening, let handlers finish, close all connections."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._server is None:
            return self._asked_port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._places)

    def enter(self, address: str) -> RequestHandler | None:
        """A handler for a new connection from `address`, None if there are too many."""
        server = self._runner.server
        # SECURITY: memory and file descriptors are what a connection costs us and not its maker.
        if server is None or not self._places.is_open_to(address) or not self._make_place():
            self._metrics.connections_refused.inc()
            return None
        handler = server()
        self._places.take(handler, address)
        return handler

    def leave(self, handler: RequestHandler) -> None:
        """A connection that was let in is closed."""
        self._places.leave(handler)

    def _make_place(self) -> bool:
        """Whether there is a place for one more, after one that is silent was closed for it if need be.

        SECURITY: silent connections from a few addresses would else keep the peers out for as long as they last.
        """
        if not self._places.are_full:
            return True
        silent = self._places.find_silent()
        if silent is None:
            return False
        self._places.leave(silent)
        self._metrics.connections_refused.inc()
        if silent.transport is not None:
            silent.transport.abort()
        return True


class _Gate(asyncio.Protocol):
    """Stands before the HTTP protocol of one connection, from its opening to its end, to count it."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._handler: RequestHandler | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._handler = self._server.enter(_address_group(str(peer[0])) if isinstance(peer, tuple) else "")
        if self._handler is None:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
            return
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._handler is not None:
            self._server.leave(self._handler)
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._handler is not None:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        if self._handler is not None:
            self._handler.resume_writing()


def _address_group(address: str) -> str:
    """What counts as one address. SECURITY: every IPv6 household has a /64, more addresses than we can count."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 4 or parsed.ipv4_mapped is not None:  # noqa: PLR2004 - the IP version
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
