"""WebSocket subscriptions: what is told, at which commitment, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.websocket_api import SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilter, RpcTransactionLogsFilterMentions

from tests.integration.devnet.svm.cluster import MEMO, Cluster, memo

PROCESSED, CONFIRMED = {"commitment": "processed"}, {"commitment": "confirmed"}


class Ear:
    """A raw WebSocket: answers and notifications in the order in which they come."""

    def __init__(self, stream: aiohttp.ClientWebSocketResponse) -> None:
        self.stream = stream

    async def ask(self, method: str, *params: Any) -> Any:
        await self.stream.send_json({"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
        answer = await self.next()
        return answer["error"] if "error" in answer else answer["result"]

    async def next(self) -> Any:
        return orjson.loads(await asyncio.wait_for(self.stream.receive_str(), 10))

    async def hear(self, method: str) -> Any:
        document = await self.next()
        assert document["method"] == method, document
        return document["params"]["result"]

    async def is_silent(self) -> bool:
        """Whether nothing was told before the answer to a question asked now."""
        return isinstance(await self.ask("getSlot"), int)


@asynccontextmanager
async def listening(cluster: Cluster) -> AsyncIterator[Ear]:
    async with cluster.session.ws_connect(cluster.websocket_url) as stream:
        yield Ear(stream)


async def test_slots_and_roots_are_told_as_they_pass(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        slots, roots = await ear.ask("slotSubscribe"), await ear.ask("rootSubscribe")
        slot = await cluster.advance()
        assert await ear.hear("slotNotification") == {"slot": slot, "parent": slot - 1, "root": slot - 3}
        assert await ear.hear("rootNotification") == slot - 3
        assert await ear.ask("slotUnsubscribe", slots) is True
        assert await ear.ask("rootUnsubscribe", roots) is True
        await cluster.advance()
        assert await ear.is_silent()


async def test_logs_are_told_once_at_the_commitment_that_is_asked_for(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        await ear.ask("logsSubscribe", {"mentions": [str(MEMO)]}, CONFIRMED)
        signature = await cluster.run(memo("heard"))
        await cluster.run(cluster.pay(Pubkey.new_unique(), 10**9))
        assert await ear.is_silent()
        await cluster.advance()
        heard = await ear.hear("logsNotification")
        assert heard["value"]["signature"] == signature
        assert "Program log: heard" in heard["value"]["logs"]
        await cluster.advance()
        assert await ear.is_silent()


async def test_failing_transactions_are_told_with_their_error(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        await ear.ask("logsSubscribe", "all", PROCESSED)
        await cluster.send(await cluster.build(cluster.pay(Pubkey.new_unique(), 10**15)), skipPreflight=True)
        assert (await ear.hear("logsNotification"))["value"]["err"] == {"InstructionError": [0, {"Custom": 1}]}


async def test_a_signature_is_told_once_whether_it_comes_or_has_come(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        transaction = await cluster.build(memo("later"))
        number = await ear.ask("signatureSubscribe", str(transaction.signatures[0]), CONFIRMED)
        await cluster.send(transaction)
        assert await ear.is_silent()
        await cluster.advance()
        assert (await ear.hear("signatureNotification"))["value"] == {"err": None}
        assert (await ear.ask("signatureUnsubscribe", number))["code"] == -32602
        await ear.ask("signatureSubscribe", str(transaction.signatures[0]), PROCESSED)
        assert (await ear.hear("signatureNotification"))["value"] == {"err": None}
        assert await ear.is_silent()


async def test_accounts_are_told_when_they_change(cluster: Cluster) -> None:
    to, system = Pubkey.new_unique(), str(Pubkey.default())
    async with listening(cluster) as ear:
        await ear.ask("accountSubscribe", str(to), {**PROCESSED, "encoding": "base64"})
        await cluster.run(cluster.pay(to, 10**9))
        assert (await ear.hear("accountNotification"))["value"]["lamports"] == 10**9
        await cluster.run(memo("not of it"))
        await cluster.advance()
        assert await ear.is_silent()
        await ear.ask("programSubscribe", system, {**CONFIRMED, "encoding": "base64", "filters": [{"dataSize": 0}]})
        await cluster.run(cluster.pay(to, 10**9))
        await ear.hear("accountNotification")
        await cluster.advance()
        told = [(await ear.hear("programNotification"))["value"] for _ in range(2)]
        assert {entry["pubkey"]: entry["account"]["lamports"] for entry in told}[str(to)] == 2 * 10**9


async def test_unmodified_solana_py_hears_of_everything(cluster: Cluster) -> None:
    async with SolanaWsClient(cluster.websocket_url) as client:
        transaction = await cluster.build(memo("all ears"))
        await client.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(MEMO), commitment=Processed)
        await client.logs_subscribe(filter_=RpcTransactionLogsFilter.All, commitment=Confirmed)
        await client.account_subscribe(pubkey=cluster.payer.pubkey(), commitment=Processed, encoding="base64")
        await client.program_subscribe(program_id=Pubkey.default(), commitment=Processed, encoding="base64")
        await client.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)
        await client.slot_subscribe()
        await client.root_subscribe()
        await cluster.send(transaction)
        await cluster.advance()
        heard = [type(await asyncio.wait_for(client.recv(), 10)).__name__ for _ in range(7)]
        expected = ["AccountNotification", "LogsNotification", "LogsNotification", "ProgramNotification"]
        assert sorted(heard) == [*expected, "RootNotification", "SignatureNotification", "SlotNotification"]


async def test_a_dropped_socket_loses_what_it_missed_and_can_come_back(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        await ear.ask("logsSubscribe", "all", PROCESSED)
        assert await cluster.ask("devnet_dropSockets") == 1
        assert (await ear.stream.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
    await cluster.run(memo("missed"))
    async with listening(cluster) as ear:
        await ear.ask("logsSubscribe", "all", PROCESSED)
        signature = await cluster.run(memo("heard"))
        assert (await ear.hear("logsNotification"))["value"]["signature"] == signature


async def test_a_lagging_node_tells_late_and_nothing_twice(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        await ear.ask("logsSubscribe", "all", PROCESSED)
        await cluster.ask("devnet_setLag", 2)
        signature = await cluster.run(memo("late"))
        await cluster.advance()
        assert await ear.is_silent()
        await cluster.ask("devnet_setLag", 0)
        assert (await ear.hear("logsNotification"))["value"]["signature"] == signature
        await cluster.advance(4)
        assert await ear.is_silent()


async def test_subscriptions_of_a_connection_are_limited(cluster: Cluster) -> None:
    async with listening(cluster) as ear:
        calls = [{"jsonrpc": "2.0", "id": n, "method": "slotSubscribe"} for n in range(501)]
        for _ in range(2):
            await ear.stream.send_json(calls)
            answers = await ear.next()
        assert [answer["error"]["code"] for answer in answers if "error" in answer] == [-32600, -32600]


async def test_who_leaves_too_much_unread_is_let_go_and_the_others_are_served(cluster: Cluster) -> None:
    async with listening(cluster) as reader, listening(cluster) as idler:
        await reader.ask("slotSubscribe")
        for _ in range(2):
            await idler.stream.send_json([{"jsonrpc": "2.0", "id": 0, "method": "slotSubscribe"}] * 500)
            await idler.next()
        last = await cluster.advance(21)
        told = [(await reader.hear("slotNotification"))["slot"] for _ in range(21)]
        assert told[-1] == last
        kinds = {message.type async for message in idler.stream}
        assert kinds <= {aiohttp.WSMsgType.TEXT}
        assert idler.stream.closed


async def test_nobody_ends_the_subscription_of_another(cluster: Cluster) -> None:
    async with listening(cluster) as one, listening(cluster) as other:
        number = await one.ask("slotSubscribe")
        assert (await other.ask("slotUnsubscribe", number))["code"] == -32602
        await cluster.advance()
        await one.hear("slotNotification")


@pytest.mark.parametrize("method", ["slotSubscribe", "slotUnsubscribe", "blockSubscribe", "voteSubscribe"])
async def test_what_is_not_there_is_not_found(cluster: Cluster, method: str) -> None:
    assert (await cluster.fault_of(method)).code == -32601
    if method.startswith(("block", "vote")):
        async with listening(cluster) as ear:
            assert (await ear.ask(method))["code"] == -32601
