"""Hints that a chain may have a new head.

Its job: wake whoever watches, soon after a block appears: by a subscription over WebSockets where there are any, by
the clock where there are none or they are down. What a socket says is never read: a lying one can cost calls, nothing
more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import aiohttp
import orjson
import structlog

from relayer.vms.jsonrpc.rpc import RpcCall

POLLS_PER_BLOCK: Final = 4
"""Looks per block time while no socket is up: a block is then noticed a quarter of its time late at most."""

QUIET_BLOCKS: Final = 2
"""Block times after which we look although sockets are up and silent: they may have died without a word."""

_MIN_POLL_SECONDS: Final = 0.05
_MAX_MESSAGE_BYTES: Final = 1024 * 1024  # a header is 2 KiB; what is larger is no header
_HEARTBEAT_SECONDS: Final = 15.0  # a peer that misses two pings is gone; balancers cut after a minute of silence
_HANDSHAKE_SECONDS: Final = 10.0
_FAREWELL_SECONDS: Final = 2.0  # a peer that does not answer a close is gone already
_FIRST_BACKOFF_SECONDS: Final = 0.5
_MAX_BACKOFF_SECONDS: Final = 30.0

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class HeadHints:
    """Hints for one chain, for which `subscription` asks. `sleep` waits seconds, `jitter` gives 0 to 1."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        chain: str,
        ws_urls: Sequence[str],
        subscription: RpcCall,
        block_time_seconds: float,
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._session = session
        self._chain = chain
        self._ws_urls = tuple(ws_urls)
        self._subscribe_text = _request_text(subscription)
        self._block_time_seconds = block_time_seconds
        self._sleep = sleep
        self._jitter = jitter

    async def wake_ups(self) -> AsyncIterator[None]:
        """Yields at every hint, at least every `QUIET_BLOCKS` block times. Ends never by itself."""
        listening = _Listening()
        tasks = [asyncio.create_task(self._listen(url, place, listening)) for place, url in enumerate(self._ws_urls)]
        try:
            while True:
                yield
                await self._next(listening)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self, listening: _Listening) -> None:
        blocks = QUIET_BLOCKS if listening.sockets else 1 / POLLS_PER_BLOCK
        try:
            async with asyncio.timeout(max(self._block_time_seconds * blocks, _MIN_POLL_SECONDS)):
                await listening.hint.wait()
        except TimeoutError:
            return
        listening.hint.clear()

    async def _listen(self, url: str, place: int, listening: _Listening) -> None:
        """Keep one subscription up, with growing and jittered pauses while it cannot be."""
        failures = 0
        while True:
            hints_before = listening.hints
            try:
                await self._subscribe(url, listening)
                reason = "closed"
            except (aiohttp.ClientError, TimeoutError) as error:
                # The library's errors may show the URL, which may hold a key.
                reason = type(error).__name__
            failures = 0 if listening.hints > hints_before else min(failures + 1, 16)
            _log.warning("head_subscription_lost", chain=self._chain, socket=place, reason=reason)
            backoff = min(_FIRST_BACKOFF_SECONDS * 2**failures, _MAX_BACKOFF_SECONDS)
            await self._sleep(backoff * (0.5 + self._jitter() / 2))

    async def _subscribe(self, url: str, listening: _Listening) -> None:
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            socket = await self._session.ws_connect(
                url,
                max_msg_size=_MAX_MESSAGE_BYTES,
                heartbeat=_HEARTBEAT_SECONDS,
                timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_SECONDS),
            )
        async with socket:
            await socket.send_str(self._subscribe_text)
            listening.sockets += 1
            try:
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    listening.hints += 1
                    listening.hint.set()
            finally:
                listening.sockets -= 1
                # The poll takes over at once instead of after a quiet time.
                listening.hint.set()


class _Listening:
    """What the sockets of one listener have in common."""

    def __init__(self) -> None:
        self.hint = asyncio.Event()
        self.hints = 0
        self.sockets = 0


def _request_text(call: RpcCall) -> str:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": call.method, "params": call.params}).decode()
