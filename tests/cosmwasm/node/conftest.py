"""A node of a chain in the test's own loop, and an account with money that signs for it."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import coincurve
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contract import echo_wasm

from relayer.cosmos.accounts import (
    ACCOUNT,
    BaseAccount,
    QueryAccountRequest,
    QueryAccountResponse,
    account_of_key,
    to_bech32,
)
from relayer.cosmos.base import AnyMessage, Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import (
    SIGN_MODE_DIRECT,
    AuthInfo,
    Fee,
    ModeInfo,
    Secp256k1PubKey,
    SignDoc,
    SignerInfo,
    Single,
    TxBody,
    TxRaw,
)
from relayer.cosmos.wasm import MsgExecuteContract, MsgInstantiateContract, MsgStoreCode
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings
from relayer.devnet.cosmwasm.node import Node
from relayer.devnet.cosmwasm.server import ServerSettings, serving
from relayer.devnet.ports import free_ports

CHAIN_ID = "xvm-cosmwasm-1"
DENOM = "uxvm"
FUNDS = 10**15
GAS = 400_000
FEE = 10_000


class Signer:
    """One key."""

    def __init__(self, secret: bytes) -> None:
        self.key = coincurve.PrivateKey(secret)
        self.public = self.key.public_key.format()
        self.address = to_bech32("wasm", account_of_key(self.public))

    def sign(
        self,
        messages: list[Message],
        sequence: int,
        *,
        number: int = 0,
        gas: int = GAS,
        fee: int = FEE,
        chain_id: str = CHAIN_ID,
        timeout_height: int = 0,
    ) -> bytes:
        """A raw transaction."""
        body = TxBody(tuple(AnyMessage.of(message) for message in messages), timeout_height=timeout_height).encode()
        info = SignerInfo(AnyMessage.of(Secp256k1PubKey(self.public)), ModeInfo(Single(SIGN_MODE_DIRECT)), sequence)
        paid = (Coin(DENOM, str(fee)),) if fee else ()
        auth = AuthInfo((info,), Fee(paid, gas)).encode()
        digest = hashlib.sha256(SignDoc(body, auth, chain_id, number).encode()).digest()
        return TxRaw(body, auth, (self.key.sign_recoverable(digest, hasher=None)[:64],)).encode()


OWNER = Signer(b"\x07" * 32)
POOR = Signer(b"\x08" * 32)


@dataclass
class Devnet:
    """A node, and a client of its RPC."""

    chain: Chain
    node: Node
    url: str
    session: aiohttp.ClientSession
    sequence: int = 0
    contract: str = ""
    sent: list[bytes] = field(default_factory=list)

    async def ask(self, body: Any) -> Any:
        """The answer to a JSON document."""
        async with self.session.post(self.url, json=body) as response:
            return await response.json()

    async def call(self, method: str, **params: Any) -> Any:
        """The whole answer to a call."""
        return await self.ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

    async def result(self, method: str, **params: Any) -> Any:
        """The result of a call that succeeds."""
        answer = await self.call(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def refusal(self, method: str, **params: Any) -> str:
        """Why a call fails."""
        return str((await self.call(method, **params))["error"]["data"])

    async def broadcast(self, raw: bytes) -> Any:
        """What the check of a transaction gave."""
        return await self.result("broadcast_tx_sync", tx=base64.b64encode(raw).decode())

    async def send(self, *messages: Message, **more: Any) -> bytes:
        """Let the owner's next transaction wait; its hash."""
        raw = OWNER.sign(list(messages), self.sequence, **more)
        checked = await self.broadcast(raw)
        assert checked["code"] == 0, checked
        self.sequence += 1
        return bytes.fromhex(checked["hash"])

    async def run(self, *messages: Message, **more: Any) -> Any:
        """What the owner's next transaction comes to, in a block of its own."""
        digest = await self.send(*messages, **more)
        await self.node.advance()
        found = await self.result("tx", hash=base64.b64encode(digest).decode())
        return found["tx_result"]

    async def query(self, path: str, request: Message, height: int = 0) -> Any:
        """The response of a query."""
        params = {"path": path, "data": request.encode().hex(), "height": str(height), "prove": False}
        return (await self.result("abci_query", **params))["response"]

    async def account(self, address: str, height: int = 0) -> BaseAccount:
        """What the chain knows of an account."""
        answer = await self.query(ACCOUNT, QueryAccountRequest(address), height)
        found = QueryAccountResponse.decode(base64.b64decode(answer["value"]))
        assert found.account is not None
        return BaseAccount.decode(found.account.value)

    async def deploy(self) -> str:
        """The address of a contract that `contract` tells of."""
        await self.run(MsgStoreCode(OWNER.address, echo_wasm()), gas=2_000_000, fee=50_000)
        made = await self.run(MsgInstantiateContract(OWNER.address, "", 1, "echo", b"{}"))
        self.contract = attribute(made["events"], "instantiate", "_contract_address")
        return self.contract

    def execute(self, message: bytes) -> MsgExecuteContract:
        """A call of that contract."""
        return MsgExecuteContract(OWNER.address, self.contract, message)

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket of the node."""
        async with self.session.ws_connect(f"{self.url}/websocket") as socket:
            yield socket


def attribute(events: list[dict[str, Any]], kind: str, key: str) -> str:
    """The one attribute of this key in events of this type."""
    (value,) = [
        str(found["value"])
        for event in events
        if event["type"] == kind
        for found in event["attributes"]
        if found["key"] == key
    ]
    return value


async def told(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The next message."""
    return json.loads(await socket.receive_str())


Starting = Callable[..., AbstractAsyncContextManager[Devnet]]


@pytest.fixture
def start() -> Starting:
    @asynccontextmanager
    async def started(settings: ChainSettings | None = None, *, has_control: bool = True) -> AsyncIterator[Devnet]:
        (port,) = free_ports(1)
        chain = Chain(settings or ChainSettings(CHAIN_ID), time.time)
        chain.fund(OWNER.address, FUNDS)
        server = ServerSettings(port, 0, has_control)
        async with serving(chain, server) as node, aiohttp.ClientSession() as session:
            yield Devnet(chain, node, f"http://127.0.0.1:{port}", session)

    return started


@pytest.fixture
async def devnet(start: Starting) -> AsyncIterator[Devnet]:
    async with start() as devnet:
        yield devnet
