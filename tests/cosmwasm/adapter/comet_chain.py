"""A CometBFT chain in memory: what an honest node answers, in the JSON that nodes write."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from attestation.address import Chain, InteroperableAddress, Namespace
from relayer.cosmos.wasm import (
    CODE_INFO,
    CONTRACT_INFO,
    SMART_CONTRACT_STATE,
    ContractInfo,
    QueryCodeInfoRequest,
    QueryCodeInfoResponse,
    QueryContractInfoRequest,
    QueryContractInfoResponse,
    QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
)
from relayer.domain.blocks import BlockRef
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import CallRequested, ObservedBlock
from relayer.vms.cosmwasm.chain import ChainIdentity, ChainParts, CosmwasmChain
from relayer.vms.cosmwasm.codec import EventCodec
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.jsonrpc.stamps import Stamp
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

CHAIN_ID = "xvm-cosmwasm-7"
COSMOS = Chain(Namespace.COSMOS, CHAIN_ID.encode())
PREFIX = "wasm"
GATEWAY = b"\x6a" * 32
SENDER = b"\x5e" * 20
GENESIS_SECONDS = 1_800_000_000


def text_of(address: bytes) -> str:
    """An account as this chain's people write it."""
    return InteroperableAddress(COSMOS, address).account_text(PREFIX)


GATEWAY_TEXT = text_of(GATEWAY)


@dataclass
class Failed(Exception):  # noqa: N818 - what a contract does in a test
    """A query's error, as a node's ABCI answer has it."""

    log: str
    codespace: str = "sdk"
    code: int = 6


def wasm_event(name: str, fields: dict[str, str], emitter: str = GATEWAY_TEXT) -> dict[str, Any]:
    """A custom event as wasmd writes it since CometBFT 0.37."""
    pairs = [("_contract_address", emitter), *fields.items(), ("msg_index", "0")]
    return {
        "type": f"wasm-{name}",
        "attributes": [{"key": key, "value": value, "index": True} for key, value in pairs],
    }


def encoded(event: dict[str, Any]) -> dict[str, Any]:
    """The same event as nodes wrote it before."""
    attributes = [
        one | {name: b64encode(one[name].encode()).decode() for name in ("key", "value")} for one in event["attributes"]
    ]
    return event | {"attributes": attributes}


@dataclass
class Transaction:
    """A transaction in a block: its bytes, and what it came to."""

    raw: bytes
    events: list[dict[str, Any]]
    code: int = 0

    def result(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "data": None,
            "log": "",
            "info": "",
            "gas_wanted": "200000",
            "gas_used": "100000",
            "events": self.events,
            "codespace": "wasm" if self.code else "",
        }


@dataclass
class Block:
    ref: BlockRef
    parent_hash: bytes
    seconds: int
    transactions: list[Transaction]

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.ref, self.parent_hash, self.seconds)

    def block_id(self) -> dict[str, Any]:
        return {"hash": self.ref.hash.hex().upper(), "parts": {"total": 1, "hash": "AB" * 32}}

    def header(self) -> dict[str, Any]:
        time = datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return {
            "chain_id": CHAIN_ID,
            "height": str(self.ref.number),
            "time": f"{time}.987654321Z",
            "last_block_id": {"hash": self.parent_hash.hex().upper() if any(self.parent_hash) else ""},
        }


Query = Callable[[dict[str, Any], int], bytes]
"""A contract: from a question and a height to what it answers, or `Failed`."""


@dataclass
class CometChain:
    """`is_encoded` nodes are older than CometBFT 0.37. `first` is the lowest height that is kept."""

    is_encoded: bool = False
    first: int = 1
    salt: bytes = b""
    blocks: list[Block] = field(default_factory=list)
    contracts: dict[str, tuple[int, Query]] = field(default_factory=dict)
    codes: dict[int, bytes] = field(default_factory=dict)

    def mine(self, *transactions: Transaction, seconds: int = 5) -> Block:
        """One more block."""
        number = len(self.blocks) + 1
        parent = self.blocks[-1] if self.blocks else None
        parent_hash = parent.ref.hash if parent else bytes(32)
        then = parent.seconds + seconds if parent else GENESIS_SECONDS
        contents = b"".join(transaction.raw for transaction in transactions)
        digest = sha256(parent_hash + number.to_bytes(8, "big") + contents + self.salt).digest()
        self.blocks.append(Block(BlockRef(number, digest), parent_hash, then, list(transactions)))
        return self.blocks[-1]

    def cut(self, number: int, salt: bytes = b"") -> CometChain:
        """The same chain up to this height; what is mined on it has other hashes, with a salt."""
        return CometChain(self.is_encoded, self.first, salt, self.blocks[:number], self.contracts, self.codes)

    @property
    def tip(self) -> Block:
        return self.blocks[-1]

    def answer(self, method: str, params: Any) -> Any:
        """What an honest node answers."""
        answers: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "blockchain": self._blockchain,
            "block": self._block,
            "block_results": self._results,
            "abci_query": self._query,
        }
        return answers[method](**params)

    def _status(self) -> Any:
        return {
            "node_info": {"network": CHAIN_ID, "version": "0.38.17"},
            "sync_info": {
                "latest_block_hash": self.tip.ref.hash.hex().upper(),
                "latest_block_height": str(self.tip.ref.number),
                "latest_block_time": self.tip.header()["time"],
                "earliest_block_height": str(self.first),
                "catching_up": False,
            },
        }

    def _blockchain(self, minHeight: str, maxHeight: str) -> Any:  # noqa: N803 - CometBFT's names
        high = min(int(maxHeight), len(self.blocks))
        low = max(int(minHeight), self.first, high - 19)
        if low > high:
            raise NodeFault(-32603, "Internal error", f"min height {low} can't be greater than max height {high}")
        return {
            "last_height": str(len(self.blocks)),
            "block_metas": [
                {
                    "block_id": block.block_id(),
                    "block_size": "1000",
                    "header": block.header(),
                    "num_txs": str(len(block.transactions)),
                }
                for block in reversed(self.blocks[low - 1 : high])
            ],
        }

    def _at(self, height: str) -> Block:
        if not self.first <= int(height) <= len(self.blocks):
            raise NodeFault(-32603, "Internal error", f"height {height} is not available")
        return self.blocks[int(height) - 1]

    def _block(self, height: str) -> Any:
        block = self._at(height)
        txs = [b64encode(transaction.raw).decode() for transaction in block.transactions]
        return {"block_id": block.block_id(), "block": {"header": block.header(), "data": {"txs": txs}}}

    def _results(self, height: str) -> Any:
        results = [transaction.result() for transaction in self._at(height).transactions] or None
        if self.is_encoded:
            for result in results or ():
                result["events"] = [encoded(event) for event in result["events"]]
            return {"height": height, "txs_results": results, "begin_block_events": None, "end_block_events": None}
        return {"height": height, "txs_results": results, "finalize_block_events": [], "app_hash": "AB" * 32}

    def _query(self, path: str, data: str, height: str, prove: bool) -> Any:  # noqa: ARG002, FBT001
        number = int(height) or len(self.blocks)
        try:
            if not self.first <= number <= len(self.blocks):
                raise Failed("failed to load state at height; version does not exist", code=18)  # noqa: TRY301
            value = self._asked(path, bytes.fromhex(data), number)
        except Failed as failure:
            response = {"code": failure.code, "log": failure.log, "value": None, "codespace": failure.codespace}
        else:
            response = {"code": 0, "log": "", "value": b64encode(value).decode(), "codespace": ""}
        return {"response": response | {"info": "", "index": "0", "key": None, "proofOps": None, "height": height}}

    def _asked(self, path: str, data: bytes, height: int) -> bytes:
        if path == CODE_INFO:
            code = QueryCodeInfoRequest.decode(data).code_id
            return QueryCodeInfoResponse(code, checksum=self.codes[code]).encode()
        if path == CONTRACT_INFO:
            address = QueryContractInfoRequest.decode(data).address
            code, _ = self._contract(address)
            return QueryContractInfoResponse(address, ContractInfo(code)).encode()
        assert path == SMART_CONTRACT_STATE
        asked = QuerySmartContractStateRequest.decode(data)
        _, contract = self._contract(asked.address)
        try:
            question = orjson.loads(asked.query_data)
        except orjson.JSONDecodeError:
            raise Failed(
                "rpc error: code = InvalidArgument desc = invalid query data: invalid request", code=18
            ) from None
        return QuerySmartContractStateResponse(contract(question, height)).encode()

    def _contract(self, address: str) -> tuple[int, Query]:
        if address not in self.contracts:
            raise Failed(f"rpc error: code = Unknown desc = address {address}: no such contract: unknown request")
        return self.contracts[address]


def refusing(error: str) -> Failed:
    """What a node says where a contract returned an error."""
    return Failed(f"rpc error: code = Unknown desc = {error}: query wasm contract failed: unknown request")


Spoil = Callable[[str, Any, Any], Any]
"""What becomes of one honest answer: (method, parameters, answer) → answer."""


def endpoint_of(chain: CometChain, spoil: Spoil = lambda _, __, answer: answer) -> ScriptedNode:
    """An endpoint whose answers pass through `spoil`."""
    return ScriptedNode(lambda method, params: spoil(method, params, chain.answer(method, params)))


def changing(method: str, change: Callable[[Any], Any]) -> Spoil:
    """What answers one method otherwise, by changing a copy of the honest answer, or giving another."""

    def spoil(asked: str, _: Any, answer: Any) -> Any:
        if asked != method:
            return answer
        copy = orjson.loads(orjson.dumps(answer))
        changed = change(copy)
        return copy if changed is None else changed

    return spoil


@asynccontextmanager
async def watched(
    *nodes: ScriptedNode, quorum: int = 1, most: int = 64, finality: FinalityRule | None = None
) -> AsyncIterator[CosmwasmChain]:
    """The gateway's chain over these endpoints."""
    async with serve_pool(*nodes, quorum=quorum) as pool:
        hints = HeadHints(None, "test", (), RpcCall("subscribe", {}), 1.0, None, None)  # type: ignore[arg-type]
        parts = ChainParts(
            ChainIdentity("test", COSMOS, GATEWAY, PREFIX),
            pool,
            EventCodec(COSMOS, GATEWAY, PREFIX),
            hints,
            RecentTimes(),
            finality or FinalityRule(depth_blocks=0),
            most,
        )
        yield CosmwasmChain(parts)


async def follow(chain: CosmwasmChain, after: int = 0, most: int = 8) -> list[ObservedBlock]:
    """All blocks above a height, as the watch stage takes them in."""
    blocks: list[ObservedBlock] = []
    while True:
        news = await chain.fetch_news(blocks[-1].ref.number if blocks else after, most)
        if not news.blocks:
            return blocks
        blocks += news.blocks


def asked_in(blocks: Sequence[ObservedBlock]) -> list[int]:
    """The nonces of the requests, in order."""
    return [o.request.nonce for block in blocks for o in block.observations if isinstance(o, CallRequested)]
