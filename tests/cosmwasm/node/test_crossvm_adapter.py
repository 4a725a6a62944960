"""The adapter of a chain that calls between its own VMs, against the devnet's: honest, lying and odd nodes."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from conftest import CHAIN_ID, DENOM, FUNDS, OWNER, POOR, Devnet

from relayer.cosmos import crossvm as proto
from relayer.cosmos.base import Coin
from relayer.crossvm.events import REQUEST, RESPONSE, TIMEOUT
from relayer.crossvm.messages import State
from relayer.crossvm.precompile import PRECOMPILE, PrecompileCall, encode_call
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings
from relayer.devnet.cosmwasm.crossvm.module import CrossVmSettings
from relayer.devnet.cosmwasm.gas_price import GasPrice
from relayer.devnet.cosmwasm.server import ServerSettings, serving
from relayer.devnet.ports import free_ports
from relayer.errors import ConfigError, RejectedError, ReorgBelowFinality, RpcDisagreement, RpcUnavailable
from relayer.vms.crossvm.blocks import ToldBlock
from relayer.vms.crossvm.chain import CrossVmChain, CrossVmChainSettings, open_chain
from relayer.vms.crossvm.feeding import Feeder, VmCall

EVM_TARGET = "0x" + "11" * 20
TO_EVM = VmCall("cosmwasm", "evm", EVM_TARGET, b"\xd0\x9d\xe0\x8a")
BLOCK_SECONDS = 0.03

Change = Callable[[str, Any], Any]
"""From a method and its result to what is told instead."""


@asynccontextmanager
async def running(
    gas_price: str = "0.025uxvm", dialect: Dialect = Dialect.V038, **limits: Any
) -> AsyncIterator[Devnet]:
    """A chain that makes blocks by itself."""
    (port,) = free_ports(1)
    price = GasPrice.parse(gas_price)
    chain = Chain(ChainSettings(CHAIN_ID, dialect, price, crossvm=CrossVmSettings(**limits)), time.time)
    chain.fund(OWNER.address, FUNDS)
    server = ServerSettings(port, BLOCK_SECONDS, has_control=True)
    async with serving(chain, server) as node, aiohttp.ClientSession() as session:
        await node.advance()
        yield Devnet(chain, node, f"http://127.0.0.1:{port}", session)


@asynccontextmanager
async def telling(devnet: Devnet, change: Change) -> AsyncIterator[str]:
    """An endpoint that tells what the node tells, but for a change."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        calls = asked if isinstance(asked, list) else [asked]
        told = [await devnet.ask(call) for call in calls]
        for call, one in zip(calls, told, strict=True):
            if "result" in one:
                one["result"] = change(call["method"], one["result"])
        return web.json_response(told)

    app = web.Application()
    app.add_routes([web.post("/", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


def block_events(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Each event of blocks and transactions in another way."""

    def changed(method: str, result: Any) -> Any:
        if method == "block_results":
            result["finalize_block_events"] = [change(event) for event in result["finalize_block_events"]]
            for each in result["txs_results"] or ():
                each["events"] = [change(event) for event in each["events"]]
        return result

    return changed


def in_base64(event: dict[str, Any]) -> Any:
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    pairs = [(encoded(each["key"]), encoded(each["value"])) for each in event["attributes"]]
    return {**event, "attributes": [{"value": value, "key": key} for key, value in reversed(pairs)]}


def otherwise_named(event: dict[str, Any]) -> Any:
    names = {"message_id": "MessageID", "result": "returnData", "target_contract": "targetAddress"}
    told = [{**each, "key": names.get(each["key"], each["key"].upper())} for each in event["attributes"]]
    return {**event, "attributes": [*told, {"key": "gas_used", "value": "7"}]}


def as_failed(event: dict[str, Any]) -> Any:
    return json.loads(json.dumps(event).replace('"executed"', '"failed"'))


def settings(*urls: str, **more: Any) -> CrossVmChainSettings:
    return CrossVmChainSettings(urls=urls, **{"block_seconds": BLOCK_SECONDS, **more})


async def send(devnet: Devnet, call: VmCall, **more: Any) -> tuple[int, bytes]:
    def sent() -> tuple[int, bytes]:
        feeder = Feeder(devnet.url, OWNER.key.secret, prefix="wasm", fee_denom=DENOM, **more)
        assert feeder.account == OWNER.address
        found = feeder.send(call)
        return found.height, found.tx_hash

    return await asyncio.to_thread(sent)


async def told_until(chain: CrossVmChain, last: str, after: int = 0) -> list[ToldBlock]:
    """Blocks up to the first that tells of an event of this type."""
    blocks = []
    async with asyncio.timeout(20):
        async for block in chain.watch(after):
            blocks.append(block)
            if any(placed.told.type == last for placed in block.messages):
                break
    return blocks


async def drain(chain: CrossVmChain, on: Callable[[int], None] = lambda _: None) -> None:
    """Watch from the first block on, until that ends."""
    async with asyncio.timeout(30):
        async for block in chain.watch(0):
            on(block.stamp.ref.number)


async def test_a_call_is_sent_seen_and_followed_to_its_result() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        contract = await devnet.deploy()
        height, tx_hash = await send(devnet, VmCall("evm", "cosmwasm", contract, b'{"do":{}}', (Coin(DENOM, "5"),)))
        sent = await chain.find_sent(height, tx_hash)
        assert sent is not None
        assert (sent.message_id, sent.sender, sent.target_contract) == ("crossvm-00000001", OWNER.address, contract)
        end = await chain.follow(sent.message_id, height)
        assert (end.type, end.status, end.result) == (RESPONSE, State.EXECUTED, "0x" + b"here".hex())
        found = await chain.fetch_message(sent.message_id)
        assert found is not None
        assert (found.status, found.submitted_height, found.executed_height) == (State.EXECUTED, height, height + 1)
        assert found.json() == await devnet.result("qor_getCrossVMMessage", message_id=sent.message_id)
        assert await chain.find_sent(height, b"\0" * 32) is None


@pytest.mark.parametrize("dialect", Dialect)
async def test_nodes_of_either_age_are_watched_and_fed(dialect: Dialect) -> None:
    async with running(dialect=dialect) as devnet, open_chain(settings(devnet.url)) as chain:
        height, tx_hash = await send(devnet, TO_EVM)
        sent = await chain.find_sent(height, tx_hash)
        assert sent is not None
        assert (sent.message_id, sent.target_contract) == ("crossvm-00000001", EVM_TARGET)
        assert (await chain.follow(sent.message_id, height)).result == "0xd09de08a"
        assert await chain.fetch_message("crossvm-00000002") is None


async def test_the_precompile_is_called_in_its_documented_form() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        data = encode_call(PrecompileCall(await devnet.deploy(), b'{"do":{}}'))
        height, _ = await send(devnet, VmCall("cosmwasm", "evm", "0x" + PRECOMPILE.hex(), data))
        end = await chain.follow("crossvm-00000001", height)
        assert end.status is State.EXECUTED


async def test_a_failure_and_a_timeout_are_ends_too() -> None:
    async with running(queue_timeout_blocks=3) as devnet, open_chain(settings(devnet.url)) as chain:
        height, _ = await send(devnet, VmCall("cosmwasm", "evm", "nobody", b"\x01"))
        failed = await chain.follow("crossvm-00000001", height)
        assert (failed.status, failed.result) == (State.FAILED, "'nobody' is no address of 20 bytes")
        await devnet.result("devnet_boundCrossvmPass", messages="0")
        height, _ = await send(devnet, TO_EVM)
        late = await chain.follow("crossvm-00000002", height)
        assert (late.type, late.status, late.source_vm) == (TIMEOUT, State.TIMED_OUT, "cosmwasm")


async def test_what_waits_and_what_an_account_sent_are_listed() -> None:
    async with running(queue_timeout_blocks=10_000) as devnet, open_chain(settings(devnet.url)) as chain:
        height, _ = await send(devnet, TO_EVM)
        await chain.follow("crossvm-00000001", height)
        await devnet.result("devnet_boundCrossvmPass", messages="0")
        await send(devnet, TO_EVM)
        assert [message.message_id for message in await chain.fetch_pending()] == ["crossvm-00000002"]
        sent = [message.message_id for message in await chain.fetch_by_sender(OWNER.address)]
        assert sent == ["crossvm-00000002", "crossvm-00000001"]


async def test_a_message_without_an_end_is_not_waited_for_for_ever() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        with pytest.raises(RejectedError, match="has no end 3 blocks after"):
            await chain.follow("crossvm-00000009", 1, most_blocks=3)


async def test_messages_are_told_in_the_order_of_the_chain_and_each_once() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        for number in range(3):
            await send(devnet, VmCall("svm", "evm", EVM_TARGET, bytes([number + 1])))
        told: list[tuple[str, str]] = []
        async with asyncio.timeout(20):
            async for block in chain.watch(0):
                told += [(placed.told.type, placed.told.message_id) for placed in block.messages]
                if len(told) == 6:
                    break
    for kind in (REQUEST, RESPONSE):
        assert [name for type_, name in told if type_ == kind] == [f"crossvm-{number:08d}" for number in (1, 2, 3)]


async def test_what_was_refused_says_why() -> None:
    async with running(max_queue_size=1, max_message_size=4, queue_timeout_blocks=10_000) as devnet:
        await devnet.result("devnet_boundCrossvmPass", messages="0")
        await send(devnet, TO_EVM)
        for call, why in (
            (TO_EVM, "message queue is full"),
            (VmCall("svm", "evm", EVM_TARGET, b"12345"), "message exceeds the maximum size"),
            (VmCall("svm", "move", EVM_TARGET, b"1"), "is no VM of this chain"),
        ):
            with pytest.raises(RejectedError, match=why):
                await send(devnet, call)
        with pytest.raises(RejectedError, match="unable to resolve type URL"):
            await send(devnet, TO_EVM, type_url="/other.chain.v1.MsgCall")


async def test_an_account_without_money_sends_nothing() -> None:
    async with running() as devnet:
        feeder = await asyncio.to_thread(lambda: Feeder(devnet.url, POOR.key.secret, prefix="wasm", fee_denom=DENOM))
        with pytest.raises(RejectedError, match="does not exist yet"):
            await asyncio.to_thread(lambda: feeder.send(TO_EVM))


async def test_security_a_node_that_asks_for_a_mad_price_gets_nothing() -> None:
    """SECURITY: a lying node must not have the account emptied."""
    async with running("2uxvm") as devnet:
        with pytest.raises(RejectedError, match="is too dear"):
            await send(devnet, TO_EVM)


async def test_security_what_a_failed_transaction_tells_did_not_happen() -> None:
    """SECURITY: it keeps no state: a message in it was never sent."""

    def failed(method: str, result: Any) -> Any:
        if method == "block_results":
            result["txs_results"] = [{**each, "code": 5} for each in result["txs_results"] or ()]
        return result

    async with running() as devnet, telling(devnet, failed) as url:
        height, tx_hash = await send(devnet, TO_EVM)
        async with open_chain(settings(url)) as chain:
            assert await chain.find_sent(height, tx_hash) is None


async def test_a_status_that_is_a_number_on_the_wire_is_read() -> None:
    def numbered(method: str, result: Any) -> Any:
        if method == "abci_query":
            told = proto.QueryMessageResponse.decode(base64.b64decode(result["response"]["value"])).message
            assert told is not None
            fields = {name: getattr(told, name) for name in proto.StoredMessage.__slots__} | {"status": 2}
            value = proto.QueryNumberedMessageResponse(proto.NumberedMessage(**fields)).encode()
            result["response"]["value"] = base64.b64encode(value).decode()
        return result

    async with running() as devnet, telling(devnet, numbered) as url, open_chain(settings(url)) as chain:
        height, _ = await send(devnet, TO_EVM)
        await chain.follow("crossvm-00000001", height)
        found = await chain.fetch_message("crossvm-00000001")
        assert found is not None
        assert (found.status, found.result) == (State.EXECUTED, "0xd09de08a")


async def test_a_chain_that_has_the_other_name_for_what_waits_is_asked_by_it() -> None:
    asked: list[str] = []

    def forgetful(method: str, result: Any) -> Any:
        if method == "abci_query" and not asked:
            asked.append(method)
            result["response"] |= {"code": 6, "codespace": "sdk", "log": "unknown query path", "value": None}
        return result

    async with running() as devnet, telling(devnet, forgetful) as url, open_chain(settings(url)) as chain:
        assert await chain.fetch_pending() == ()
    assert asked


async def test_nodes_that_write_differently_and_mean_the_same_agree() -> None:
    async with (
        running() as devnet,
        telling(devnet, block_events(in_base64)) as old,
        telling(devnet, block_events(otherwise_named)) as odd,
        open_chain(settings(devnet.url, old, odd)) as chain,
    ):
        await send(devnet, TO_EVM)
        blocks = await told_until(chain, RESPONSE)
    (request,) = blocks[-2].messages
    (response,) = blocks[-1].messages
    assert (request.told.target_contract, len(request.tx_hash)) == (EVM_TARGET, 32)
    assert (response.told.result, response.tx_hash) == ("0xd09de08a", b"")


async def test_security_one_of_three_nodes_is_not_believed() -> None:
    """SECURITY: what M endpoints do not tell alike is not told."""
    async with running() as devnet, telling(devnet, block_events(as_failed)) as liar:
        height, _ = await send(devnet, TO_EVM)
        async with open_chain(settings(devnet.url, devnet.url + "/?2", liar, quorum=2)) as chain:
            assert (await chain.follow("crossvm-00000001", height)).status is State.EXECUTED
        async with open_chain(settings(devnet.url, liar)) as chain:
            with pytest.raises(RpcDisagreement):
                await chain.fetch_blocks(height + 1, height + 1)


async def test_security_a_block_that_becomes_another_one_ends_the_watch() -> None:
    """SECURITY: such a chain's blocks are final: two of one height, and nothing that it says is to be believed."""
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        with pytest.raises(ReorgBelowFinality):
            await drain(chain, lambda number: devnet.chain.forge(range(number, number + 1_000)))


async def test_an_event_that_names_no_message_is_counted_and_passed_over() -> None:
    def nameless(event: dict[str, Any]) -> Any:
        return {**event, "attributes": [each for each in event["attributes"] if each["key"] != "message_id"]}

    async with running() as devnet, telling(devnet, block_events(nameless)) as url:
        height, _ = await send(devnet, TO_EVM)
        async with open_chain(settings(url)) as chain:
            (block,) = await chain.fetch_blocks(height, height)
    assert (block.messages, block.unreadable) == ((), 1)


@pytest.mark.parametrize(
    "junk",
    [
        None,
        [],
        {"height": "1"},
        {"height": "x", "txs_results": []},
        {"height": "1", "txs_results": None, "finalize_block_events": 7},
        {"height": "1", "txs_results": None, "finalize_block_events": [{"type": "crossvm_request"}]},
        {"height": "1", "txs_results": None, "finalize_block_events": [{"type": 7, "attributes": []}]},
        {"height": "1", "txs_results": None, "end_block_events": [{"type": "crossvm_request", "attributes": [1]}]},
        {"height": "1", "txs_results": [{"code": 0, "events": []}]},
    ],
)
async def test_security_junk_is_an_endpoints_fault(junk: Any) -> None:
    """SECURITY: whatever an endpoint says, only it is unavailable."""
    async with (
        running() as devnet,
        telling(devnet, lambda method, told: junk if method == "block_results" else told) as url,
        open_chain(settings(url)) as chain,
    ):
        with pytest.raises(RpcUnavailable):
            await chain.fetch_blocks(1, 1)


async def test_a_chain_that_goes_away_ends_the_watch_in_the_end() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        await devnet.result("devnet_prune", height="1000000")
        with pytest.raises(RpcUnavailable):
            await drain(chain)


async def test_the_websocket_wakes_without_being_believed() -> None:
    async with running() as devnet:
        ws = devnet.url.replace("http", "ws") + "/websocket"
        patient = settings(devnet.url, ws_urls=(ws,), block_seconds=3_600.0)
        async with open_chain(patient) as chain:
            watched = chain.watch(0)
            async with asyncio.timeout(20):
                numbers = [(await anext(watched)).stamp.ref.number for _ in range(8)]
    assert numbers == list(range(1, 9))


async def test_a_chain_that_answers_no_queries_is_asked_by_its_evms_json_rpc() -> None:
    async with running() as devnet:
        height, _ = await send(devnet, TO_EVM)
        other = {"query_service": "/other.chain.v1.Query"}
        async with open_chain(settings(devnet.url, evm_urls=(devnet.url, devnet.url), **other)) as chain:
            await chain.follow("crossvm-00000001", height)
            found = await chain.fetch_message("crossvm-00000001")
            assert found is not None
            assert (found.status, found.result) == (State.EXECUTED, "0xd09de08a")
            assert await chain.fetch_message("crossvm-00000002") is None
            with pytest.raises(RejectedError, match="no endpoint answers questions for what is pending"):
                await chain.fetch_pending()
        async with open_chain(settings(devnet.url, **other)) as chain:
            with pytest.raises(RejectedError, match="no endpoint answers questions for messages by id"):
                await chain.fetch_message("crossvm-00000001")


async def test_security_json_rpcs_that_differ_are_not_believed() -> None:
    """SECURITY: all that are named must say the same."""

    def lie(method: str, result: Any) -> Any:
        return {**result, "status": "failed"} if method == "qor_getCrossVMMessage" else result

    async with running() as devnet, telling(devnet, lie) as liar:
        await send(devnet, TO_EVM)
        asked = settings(devnet.url, evm_urls=(devnet.url, liar), query_service="/other.chain.v1.Query")
        async with open_chain(asked) as chain:
            with pytest.raises(RpcDisagreement):
                await chain.fetch_message("crossvm-00000001")


async def test_a_message_that_is_not_there_is_none_and_a_query_that_fails_is_an_error() -> None:
    async with running() as devnet, open_chain(settings(devnet.url)) as chain:
        assert await chain.fetch_message("crossvm-00000001") is None
        with pytest.raises(RpcUnavailable, match="decoding bech32 failed"):
            await chain.fetch_by_sender("nobody")


async def test_nodes_of_two_chains_are_refused() -> None:
    def renamed(method: str, result: Any) -> Any:
        return json.loads(json.dumps(result).replace(CHAIN_ID, "another-1")) if method == "status" else result

    async with running() as devnet, telling(devnet, renamed) as other:
        with pytest.raises(ConfigError, match="as the first node does"):
            async with open_chain(settings(devnet.url, other)):
                pass
        for wrong in (settings(), settings(devnet.url, devnet.url), settings(devnet.url, quorum=2)):
            with pytest.raises(ConfigError):
                async with open_chain(wrong):
                    pass
