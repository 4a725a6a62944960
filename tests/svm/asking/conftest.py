"""A gateway on the devnet's chain behind HTTP, and the command line's sessions, which block, in their own thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from attestation.textcodecs import base58_encode
from relayer.cli.asking import DestinationSession, Endpoint, SourceSession, tools_for
from relayer.keys.keystore import Secret
from tests.svm.adapter.world import World
from tests.svm.program.ledger import GENESIS, PROGRAM, SOLANA
from tests.unit.jsonrpc.scripted_node import NodeFault

T = TypeVar("T")

ASKER_SEED = b"\x41" * 32


class Place:
    """The chain, and where it is asked. A slot passes with each look at a transaction's status."""

    def __init__(self) -> None:
        self.world = World()
        self.world.open()
        # The ledger's gateway is initialized under a genesis hash of its own.
        self.overrides: dict[str, Any] = {"getGenesisHash": base58_encode(GENESIS)}
        self.body: bytes | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        if self.body is not None:
            return web.Response(body=self.body)
        call = orjson.loads(await request.read())
        method = call["method"]
        if method == "getSignatureStatuses":
            self.world.advance()
        try:
            answer = self.overrides[method] if method in self.overrides else self.world.ask(method, call["params"])
            reply = {"result": answer}
        except NodeFault as fault:
            reply = {"error": fault.member}
        return web.Response(body=orjson.dumps({"jsonrpc": "2.0", "id": 1, **reply}))

    async def run(self, work: Callable[[], T]) -> T:
        """Something that blocks, while this chain answers."""
        return await asyncio.to_thread(work)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(SOLANA, self.url, str(PROGRAM))

    async def source(self, seed: bytes = ASKER_SEED) -> SourceSession:
        return await self.run(lambda: tools_for("solana").open_source(self.endpoint, Secret(seed)))

    async def destination(self) -> DestinationSession:
        return await self.run(lambda: tools_for("solana").open_destination(self.endpoint))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/apikey", made.handle)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/apikey"))
        yield made
