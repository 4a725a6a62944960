"""A Solana chain of the devnet in the test's own loop, asked over its real ports. Slots pass when a test says so."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from solana.rpc.async_api import AsyncClient
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from relayer.devnet.ports import free_ports
from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.server import ServerSettings, serving

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
GENESIS_TIME = 1_800_000_000
FINALIZED_AFTER = 3


class RpcFaultError(Exception):
    """An answer that is an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class Cluster:
    """The chain, a raw client and solana-py's, and an account with money."""

    def __init__(self, chain: Chain, session: aiohttp.ClientSession, port: int, websocket_port: int) -> None:
        self.chain = chain
        self.session = session
        self.url = f"http://127.0.0.1:{port}"
        self.websocket_url = f"ws://127.0.0.1:{websocket_port}"
        self.client = AsyncClient(self.url)
        self.payer = Keypair()

    async def post(self, body: Any) -> Any:
        async with self.session.post(self.url, json=body) as response:
            return await response.json() if await response.read() else None

    async def ask(self, method: str, *params: Any) -> Any:
        answer = await self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        if "error" in answer:
            raise RpcFaultError(answer["error"])
        return answer["result"]

    async def fault_of(self, method: str, *params: Any) -> RpcFaultError:
        try:
            result = await self.ask(method, *params)
        except RpcFaultError as fault:
            return fault
        raise AssertionError(result)

    async def advance(self, slots: int = 1) -> int:
        slot: int = await self.ask("devnet_advanceSlots", slots)
        return slot

    async def finalize(self) -> int:
        return await self.advance(FINALIZED_AFTER)

    async def blockhash(self, commitment: str = "processed") -> Hash:
        return Hash.from_string(
            (await self.ask("getLatestBlockhash", {"commitment": commitment}))["value"]["blockhash"]
        )

    async def build(
        self,
        *instructions: Instruction,
        signers: Sequence[Keypair] = (),
        tables: Sequence[AddressLookupTableAccount] = (),
        commitment: str = "processed",
    ) -> VersionedTransaction:
        blockhash = await self.blockhash(commitment)
        message = MessageV0.try_compile(self.payer.pubkey(), instructions, tables, blockhash)
        return VersionedTransaction(message, [self.payer, *signers])

    async def send(self, transaction: VersionedTransaction, **options: Any) -> str:
        settings = {"encoding": "base64", "preflightCommitment": "processed", **options}
        signature: str = await self.ask("sendTransaction", encoded(transaction), settings)
        return signature

    async def run(self, *instructions: Instruction, signers: Sequence[Keypair] = ()) -> str:
        return await self.send(await self.build(*instructions, signers=signers))

    async def balance(self, key: Pubkey, commitment: str = "processed") -> int:
        lamports: int = (await self.ask("getBalance", str(key), {"commitment": commitment}))["value"]
        return lamports

    def pay(self, to: Pubkey, lamports: int) -> Instruction:
        return transfer(TransferParams(from_pubkey=self.payer.pubkey(), to_pubkey=to, lamports=lamports))


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def readonly(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def signer(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=False)


def writable_signer(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=True)


def memo(text: str, *signers: Pubkey) -> Instruction:
    return Instruction(MEMO, text.encode(), [signer(key) for key in signers])


@asynccontextmanager
async def running_cluster(*, kept_slots: int = 2_000, kept_transactions: int = 1_000) -> AsyncIterator[Cluster]:
    settings = ChainSettings(
        finalized_after_slots=FINALIZED_AFTER, kept_slots=kept_slots, kept_transactions=kept_transactions
    )
    chain = Chain(settings, lambda: GENESIS_TIME)
    port, websocket_port = free_ports(2)
    server = ServerSettings(port, websocket_port, slot_seconds=0, has_control=True)
    async with serving(chain, server), aiohttp.ClientSession() as session:
        cluster = Cluster(chain, session, port, websocket_port)
        await cluster.ask("requestAirdrop", str(cluster.payer.pubkey()), 10**12)
        yield cluster
        await cluster.client.close()
