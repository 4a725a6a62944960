"""The devnet's chain with a gateway on it, and endpoints that tell of it, lying where a test wants it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from attestation.request import Request
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Execute, Outcome, Rotate
from relayer.cosmos.tx import SIMULATE, GasInfo, SimulateResponse
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings
from relayer.devnet.cosmwasm.node import Node
from relayer.domain.batch import BatchKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.finality import FinalityRule
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import ChainSettings as VmSettings
from relayer.ports.wallet import PreparedCall, SendResult, SignedTransaction, TransactionReceipt
from relayer.vms.cosmwasm.opening import CosmwasmOpenChain, open_chain
from relayer.vms.cosmwasm.pool_errors import SDK
from tests.cosmwasm.contract.ledger import CHAIN_ID, DENOM, NOW, PLACE, b64
from tests.cosmwasm.contract.source_side import SourceLedger
from tests.factories import make_batch, make_conclusion, track
from tests.unit.jsonrpc.scripted_node import ScriptedNode, serve

RELAYER_KEY = b"\x52" * 32
OTHER_KEY = b"\x53" * 32
GAS_CAP = 10_000_000
HEIGHT, BLOCK_HASH, TX_INDEX, LOG_INDEX = PLACE
CERTIFIED_AT = Location(BlockRef(HEIGHT, BLOCK_HASH), TX_INDEX, LOG_INDEX, b"\x77" * 32)

Lie = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""From a call and its honest answer to what is answered."""


class Truth(ScriptedNode):
    """An endpoint of the node; `lie`, if set, has the last word on each answer."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self.lie: Lie = lambda _, answer: answer
        self.respond = self._respond

    async def _respond(self, request: web.Request) -> web.Response:
        body = await request.read()
        answers, calls = orjson.loads(await self._node.answer(body) or b"[]"), orjson.loads(body)
        # A batch of one is answered as if it were none.
        each = answers if isinstance(answers, list) else [answers]
        told = [self.lie(call, answer) for call, answer in zip(calls, each, strict=True)]
        return web.Response(body=orjson.dumps(told if isinstance(answers, list) else told[0]))


class World(SourceLedger):
    """The ledger of the contracts' tests, on a chain with a node. What is done through the ledger is in no block."""

    def __init__(self, **changes: Any) -> None:
        self.comet = Chain(ChainSettings(CHAIN_ID), lambda: NOW)
        super().__init__(keeper=self.comet._keeper, **changes)
        self.node = Node(self.comet, has_control=True, drop_sockets=lambda: 0)
        self.open()

    def endpoint(self) -> Truth:
        """An endpoint that tells the truth."""
        return Truth(self.node)

    async def advance(self, blocks: int = 1) -> None:
        """Close so many blocks."""
        for _ in range(blocks):
            await self.node.advance()

    @asynccontextmanager
    async def connected(
        self, *endpoints: Truth, quorum: int = 1, key: bytes = RELAYER_KEY, money: int = 10**12, **changes: Any
    ) -> AsyncIterator[CosmwasmOpenChain]:
        """The chain as a relayer has it, over these endpoints, or an honest one."""
        endpoints = endpoints or (self.endpoint(),)
        async with serve(*endpoints):
            settings = VmSettings(
                name="wasm",
                caip2=f"cosmos:{CHAIN_ID}",
                rpc_urls=tuple(endpoint.url for endpoint in endpoints),
                rpc_quorum=quorum,
                ws_urls=(),
                gateway=self.gateway,
                verifier=self.gateway,
                finality=FinalityRule(depth_blocks=0),
                block_time_seconds=1,
                max_blocks_per_fetch=50,
                transaction_gas_cap=GAS_CAP,
                max_fee_per_gas=1_000_000,
                request_timeout_seconds=10,
                wallet_key=key,
            )
            opened = await open_chain(replace(settings, **changes))
            if money:
                self.keeper.mint(self.keeper.addresses.text(opened.wallet.address), {DENOM: money})
            try:
                yield opened
            finally:
                await opened.close()

    def executions(self, *requests: Request, certificate: bytes | None = None) -> CertifiedBatch:
        """These requests as one certified batch."""
        tracked = [track(request, location=CERTIFIED_AT) for request in requests]
        statements = [Execute(each.request_id, *PLACE) for each in tracked]
        return self._certified(BatchKind.EXECUTE, statements, tracked, certificate)

    def deliveries(self, *requests: Request, data: bytes = b"done") -> CertifiedBatch:
        """Outcomes of these requests as one certified batch."""
        concluded = [
            each.with_facts(conclusion=make_conclusion(each.request_id, return_data=data))
            for each in (track(request, location=CERTIFIED_AT) for request in requests)
        ]
        statements = [each.conclusion.outcome for each in concluded if each.conclusion is not None]
        return self._certified(BatchKind.OUTCOME, statements, concluded, None)

    def rotation(self, signer_set: SignerSet) -> bytes:
        """The certificate of the current set for the next."""
        return self.certificate([Rotate(signer_set_hash(signer_set), 2).leaf])

    def _certified(
        self,
        kind: BatchKind,
        statements: Sequence[Execute | Outcome],
        requests: Sequence[TrackedRequest],
        certificate: bytes | None,
    ) -> CertifiedBatch:
        batch = make_batch(kind, statements)
        leaves = [statement.leaf for statement in statements]
        return CertifiedBatch(batch, certificate or self.certificate(leaves), tuple(requests))


async def send(chain: CosmwasmOpenChain, call: PreparedCall, nonce: int | None = None) -> SignedTransaction:
    """Sign with the next sequence, or this one, and hand over."""
    terms = await chain.wallet.fetch_terms()
    signed = chain.wallet.sign(call, terms.next_nonce if nonce is None else nonce, terms.bid)
    assert await chain.wallet.send([signed.raw]) == [SendResult.ACCEPTED]
    return signed


async def receipt_of(chain: CosmwasmOpenChain, signed: SignedTransaction) -> TransactionReceipt:
    """Of a mined transaction."""
    (receipt,) = await chain.wallet.fetch_receipts([signed.hash])
    assert receipt is not None
    return receipt


def is_simulation(call: dict[str, Any]) -> bool:
    """Whether a transaction is to be tried."""
    return call["method"] == "abci_query" and call["params"]["path"] == SIMULATE


def gasless_simulations(endpoint: Truth) -> Truth:
    """Says of everything that is simulated that it uses no gas."""

    def lie(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if not is_simulation(call):
            return answer
        response = answer["result"]["response"]
        simulated = SimulateResponse.decode(b64decode(response["value"]))
        told = b64(replace(simulated, gas_info=GasInfo()).encode())
        return answer | {"result": {"response": response | {"value": told}}}

    endpoint.lie = lie
    return endpoint


def failing_simulations(endpoint: Truth) -> Truth:
    """Calls everything that is simulated failing."""

    def lie(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if not is_simulation(call):
            return answer
        response = {"code": 18, "codespace": SDK, "log": "Paused", "value": None, "height": "1"}
        return answer | {"result": {"response": response}}

    endpoint.lie = lie
    return endpoint
