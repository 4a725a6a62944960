"""The endpoint that lies: one HTTP and WebSocket server between the nodes and the chains, a path a node and chain.

Its job: pass everything on, and while a lie is told, omit, delay, cut or swallow. A lie is consistent in itself as far
as that is easy: what is caught by one's own contradictions is no test of a quorum.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from tests.chaos.lies import AskChain, Liar
from tests.chaos.plan import LieKind

_MAX_MESSAGE_BYTES = 64 * 2**20
_MAX_DELAY_SECONDS = 3.0
_JSON = {"Content-Type": "application/json"}

Where = tuple[str, str]
"""A node's and a chain's name."""


class LyingProxy:
    """`chains` are URLs, for calls and for WebSockets, and `liars` are how lies are told there, by name.

    `lies` says what each endpoint does now; `told` counts what was done, by kind.
    """

    def __init__(
        self, port: int, chains: Mapping[str, tuple[str, str]], liars: Mapping[str, Liar], rng: random.Random
    ) -> None:
        self._port = port
        self._chains = dict(chains)
        self._liars = dict(liars)
        self._rng = rng
        self._sockets: dict[Where, set[web.WebSocketResponse]] = {}
        self.lies: dict[Where, LieKind] = {}
        self.told: Counter[LieKind] = Counter()

    def url(self, node: str, chain: str, scheme: str = "http") -> str:
        """Where `node` reaches `chain` through it."""
        return f"{scheme}://127.0.0.1:{self._port}/{node}/{chain}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        application = web.Application(client_max_size=_MAX_MESSAGE_BYTES)
        application.router.add_post("/{node}/{chain}", self._serve)
        application.router.add_get("/{node}/{chain}", self._serve_socket)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def tell(self, where: Where, lie: LieKind) -> None:
        """From now on this endpoint lies so."""
        self.lies[where] = lie
        if lie is LieKind.MUTE:
            for socket in list(self._sockets.get(where, ())):
                self.told[lie] += 1
                with contextlib.suppress(ConnectionError):
                    await socket.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        where = (request.match_info["node"], request.match_info["chain"])
        body = await request.read()
        lie = self.lies.get(where)
        if lie in {LieKind.DELAY, LieKind.CUT, LieKind.ERRORS}:
            refusal = await self._disturb(request, lie)
            if refusal is not None:
                return refusal
        try:
            answer = await self._lie(where[1], body, lie) if lie else await self._ask(where[1], body)
        except (aiohttp.ClientError, TimeoutError):
            return web.Response(status=502)
        return web.Response(body=answer, headers=_JSON)

    async def _disturb(self, request: web.Request, lie: LieKind) -> web.Response | None:
        """What needs no look at the request: an answer that is none, or None if it is to be served after all."""
        if self._rng.random() < 0.3:
            return None
        self.told[lie] += 1
        if lie is LieKind.DELAY:
            await asyncio.sleep(self._rng.uniform(0.1, _MAX_DELAY_SECONDS))
            return None
        if lie is LieKind.CUT:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        fault = {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "limit exceeded"}}
        return self._rng.choice(
            (
                web.Response(status=429),
                web.Response(status=500, text="<html>bad gateway</html>"),
                web.Response(body=b'[{"jsonrpc":"2.0","id":1,"resu', headers=_JSON),
                web.Response(body=orjson.dumps(fault), headers=_JSON),
                web.Response(body=b"[]", headers=_JSON),
            )
        )

    async def _ask(self, chain: str, body: bytes) -> bytes:
        timeout = aiohttp.ClientTimeout(total=30)
        async with self._session.post(self._chains[chain][0], data=body, headers=_JSON, timeout=timeout) as response:
            return await response.read()

    async def _lie(self, chain: str, body: bytes, lie: LieKind) -> bytes:
        async def ask(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
            answers = orjson.loads(await self._ask(chain, orjson.dumps(calls)))
            # CometBFT makes no difference between a single answer and a batch of one.
            return [answers] if isinstance(answers, dict) else answers

        return orjson.dumps(await _told(self._liars[chain], lie, orjson.loads(body), ask, self.told))

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        where = (request.match_info["node"], request.match_info["chain"])
        below = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE_BYTES)
        await below.prepare(request)
        known = self._sockets.setdefault(where, set())
        known.add(below)
        try:
            async with self._session.ws_connect(self._chains[where[1]][1], max_msg_size=_MAX_MESSAGE_BYTES) as above:
                downward = asyncio.create_task(self._pass_down(where, above, below))
                async for message in below:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await above.send_str(message.data)
                downward.cancel()
                await asyncio.gather(downward, return_exceptions=True)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            pass  # the chain hung up, so do we
        finally:
            known.discard(below)
        return below

    async def _pass_down(
        self, where: Where, above: aiohttp.ClientWebSocketResponse, below: web.WebSocketResponse
    ) -> None:
        async for message in above:
            if self.lies.get(where) is LieKind.MUTE:
                self.told[LieKind.MUTE] += 1
            elif message.type is aiohttp.WSMsgType.TEXT:
                await below.send_str(message.data)
        await below.close()


async def _told(
    liar: Liar, lie: LieKind, calls: list[dict[str, Any]], ask: AskChain, told: Counter[LieKind]
) -> list[dict[str, Any]]:
    """The answers to a batch, and how many of them the lie has changed."""
    match lie:
        case LieKind.SWALLOW:
            sending = [call for call in calls if call["method"] == liar.send_method]
            kept = [call for call in calls if call["method"] != liar.send_method]
            told[lie] += len(sending)
            swallowed = [{"jsonrpc": "2.0", "id": call["id"], "result": liar.taken(call["params"])} for call in sending]
            return [*(await ask(kept) if kept else []), *swallowed]
        case LieKind.OLD_HEADS:
            told[lie] += 1
            return await liar.tell_old_heads(calls, ask)
        case LieKind.DROP_LOGS | LieKind.TRUNCATE:
            answers = await ask(calls)
            asked = {call["id"]: call["params"] for call in calls if call["method"] == liar.list_method}
            for answer in answers:
                params, result = asked.get(answer["id"]), answer.get("result")
                if params is not None and result:
                    answer["result"] = liar.omit(lie, params, result)
                    told[lie] += answer["result"] != result
            return answers
        case _:
            return await ask(calls)
