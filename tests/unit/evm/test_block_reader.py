from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.request import RequestId
from relayer.errors import RpcUnavailable
from relayer.vms.evm.block_reader import MAX_SINGLE_RECEIPTS, BlockContents, BlockReader
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.headers import parse_header
from relayer.vms.evm.quantities import format_data
from relayer.vms.jsonrpc import rpc
from relayer.vms.jsonrpc.rpc import RpcCall
from tests.unit.evm.gateway_logs import CHAIN_ID, GATEWAY, VERIFIER, fee_added_log, foreign_log, requested_log
from tests.unit.evm.json_chain import JsonChain, JsonTransaction
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, make_endpoint, serve

LOG = requested_log()


def transaction(*logs: Any) -> JsonTransaction:
    return JsonTransaction(logs)


def sample_chain() -> JsonChain:
    """Blocks 1 to 3; ours are in 1 (second log of the second transaction) and in 3 (two of one transaction)."""
    chain = JsonChain()
    chain.mine(transaction(foreign_log()), transaction(foreign_log(), LOG))
    chain.mine(transaction(foreign_log(), foreign_log()))
    chain.mine(transaction(LOG, foreign_log(), fee_added_log(RequestId(bytes(32)), 1, 2)), transaction())
    return chain


async def read(node: ScriptedNode, first: int, last: int, after: int | None = None) -> list[BlockContents | None]:
    """Blocks first..last; `after` is the block that was read before, and forgotten in the node's `exchanges`."""
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        if after is not None:
            assert all(await reader.read(endpoint, after, after))
            node.exchanges.clear()
        return await reader.read(endpoint, first, last)


def places(block: BlockContents | None) -> list[tuple[int, int]]:
    assert block is not None
    return [(log.tx_index, log.log_index) for log in block.logs]


async def test_logs_are_placed_within_their_receipts() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    blocks = await read(node, 0, 3)
    assert [block.stamp.ref for block in blocks if block] == [block.ref for block in chain.blocks]
    assert [places(block) for block in blocks] == [[], [(1, 1)], [], [(0, 0), (0, 2)]]
    assert blocks[1] is not None
    assert blocks[1].logs[0].log == LOG
    assert blocks[1].logs[0].tx_hash == chain.blocks[1].tx_hash(1)
    assert len(node.exchanges) == 2


async def test_quiet_blocks_cost_one_exchange() -> None:
    chain = JsonChain()
    for _ in range(5):
        chain.mine()
    node = ScriptedNode(chain.answer)
    assert all(await read(node, 1, 5))
    assert len(node.exchanges) == 1


async def test_heights_above_the_tip_are_unknown() -> None:
    chain = sample_chain()
    blocks = await read(ScriptedNode(chain.answer), 2, 6)
    assert [block is not None for block in blocks] == [True, True, False, False, False]
    assert await read(ScriptedNode(chain.answer), 4, 5) == [None, None]


async def test_blocks_that_do_not_link_are_cut_off() -> None:
    chain = sample_chain()
    rival = chain.fork(2)
    rival.mine(salt="rival")
    rival.mine()
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getBlockByNumber"] = lambda params: (rival if params[0] == "0x3" else chain).header(params[0])
    blocks = await read(node, 1, 3)
    assert [block is not None for block in blocks] == [True, True, False]


async def test_a_block_whose_bloom_knows_of_logs_that_were_left_out_is_asked_again() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getLogs"] = lambda params: [] if "fromBlock" in params[0] else chain.logs(params[0])
    assert [places(block) for block in await read(node, 0, 3)] == [[], [(1, 1)], [], [(0, 0), (0, 2)]]


async def test_a_chain_without_blooms_is_asked_block_by_block() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)

    def bloomless(params: list[Any]) -> Any:
        header = chain.header(params[0])
        return header and header | {"logsBloom": "0x" + "00" * 256}

    node.overrides["eth_getBlockByNumber"] = bloomless
    node.overrides["eth_getLogs"] = lambda params: [] if "fromBlock" in params[0] else chain.logs(params[0])
    assert [places(block) for block in await read(node, 0, 3)] == [[], [(1, 1)], [], [(0, 0), (0, 2)]]


async def test_a_range_that_a_node_refuses_is_asked_block_by_block() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)

    def logs(params: list[Any]) -> Any:
        if "fromBlock" in params[0]:
            raise NodeFault(-32005, "query returned more than 10000 results")
        return chain.logs(params[0])

    node.overrides["eth_getLogs"] = logs
    assert [places(block) for block in await read(node, 0, 3)] == [[], [(1, 1)], [], [(0, 0), (0, 2)]]


async def test_a_range_that_is_too_large_for_one_body_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = JsonChain()
    for _ in range(8):
        chain.mine(transaction(LOG))
    whole = await read(ScriptedNode(chain.answer), 0, 8)
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 12_000)
    node = ScriptedNode(chain.answer)
    assert await read(node, 0, 8) == whole
    assert await read(node, 0, 12) == [*whole, None, None, None, None]
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 100)
    with pytest.raises(rpc.ResponseTooLarge):
        await read(node, 3, 3)


async def test_parts_of_different_forks_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = JsonChain()
    for _ in range(8):
        chain.mine(transaction(LOG))
    rival = chain.fork(5)
    for _ in range(5):
        rival.mine(transaction(LOG), salt="rival")
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 12_000)
    follows = [chain]

    def answer(method: str, params: list[Any]) -> Any:
        if node.exchanges[-1][0]["params"][0] == "0x5":
            follows[0] = rival
        return follows[0].answer(method, params)

    node = ScriptedNode(answer)
    blocks = await read(node, 0, 8)
    assert [block is not None for block in blocks] == [True] * 5 + [False] * 4


async def test_many_transactions_of_ours_are_placed_by_the_blocks_receipts() -> None:
    chain = JsonChain()
    chain.mine(*(transaction(foreign_log(), LOG) for _ in range(MAX_SINGLE_RECEIPTS + 1)))
    node = ScriptedNode(chain.answer)
    (block,) = await read(node, 1, 1)
    assert places(block) == [(index, 1) for index in range(MAX_SINGLE_RECEIPTS + 1)]
    assert node.methods.count("eth_getBlockReceipts") == 1
    assert "eth_getTransactionReceipt" not in node.methods


async def test_a_node_without_block_receipts_is_asked_for_each() -> None:
    chain = JsonChain()
    chain.mine(*(transaction(LOG) for _ in range(MAX_SINGLE_RECEIPTS + 1)))
    node = ScriptedNode(chain.answer)

    def unknown(_: list[Any]) -> Any:
        raise NodeFault(-32601, "Method not found")

    node.overrides["eth_getBlockReceipts"] = unknown
    (block,) = await read(node, 1, 1)
    assert places(block) == [(index, 0) for index in range(MAX_SINGLE_RECEIPTS + 1)]


async def test_after_a_block_that_is_mostly_ours_all_logs_tell_the_places_in_one_exchange() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    blocks = await read(node, 0, 4, after=3)
    assert blocks == await read(ScriptedNode(chain.answer), 0, 4)
    assert [{call["method"] for call in exchange} for exchange in node.exchanges] == [
        {"eth_getBlockByNumber", "eth_getLogs"}
    ]


async def test_of_many_logs_the_last_receipt_shows_that_they_are_all() -> None:
    chain = sample_chain()
    chain.mine(*(transaction(LOG) for _ in range(130)))
    node = ScriptedNode(chain.answer)
    assert [places(block) for block in await read(node, 4, 4, after=3)] == [[(index, 0) for index in range(130)]]
    assert node.methods == ["eth_getBlockByNumber", "eth_getLogs", "eth_getTransactionReceipt"]


async def test_where_the_last_transaction_logged_nothing_the_bloom_shows_it() -> None:
    chain = sample_chain()
    chain.mine(*(transaction(LOG) for _ in range(130)), transaction())
    node = ScriptedNode(chain.answer)
    assert [places(block) for block in await read(node, 4, 4, after=3)] == [[(index, 0) for index in range(130)]]
    assert node.methods.count("eth_getLogs") == 1


async def test_after_a_block_that_is_mostly_others_our_logs_alone_are_asked_for() -> None:
    chain = JsonChain()
    chain.mine(transaction(LOG), *(transaction(foreign_log()) for _ in range(8)))
    chain.mine(transaction(LOG))
    node = ScriptedNode(chain.answer)
    assert [places(block) for block in await read(node, 2, 2, after=1)] == [[(0, 0)]]
    assert "eth_getTransactionReceipt" in node.methods


async def test_an_empty_block_changes_nothing_about_how_the_next_is_read() -> None:
    chain = JsonChain()
    chain.mine(transaction(LOG))
    chain.mine()
    chain.mine(transaction(LOG))
    node = ScriptedNode(chain.answer)
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        for number in (1, 2, 3):
            (block,) = await reader.read(endpoint, number, number)
            assert len(places(block)) == len(chain.blocks[number].transactions)
    assert node.methods.count("eth_getTransactionReceipt") == 1


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_all_logs_and_our_logs_tell_the_same(data: st.DataObject) -> None:
    logs = st.sampled_from([LOG, foreign_log(), fee_added_log(RequestId(bytes(32)), 1, 2)])
    transactions = st.lists(st.lists(logs, max_size=4).map(lambda chosen: transaction(*chosen)), max_size=6)
    chain = JsonChain()
    chain.mine(transaction(LOG))
    for mined in data.draw(st.lists(transactions, min_size=1, max_size=3)):
        chain.mine(*mined)

    async def compare() -> None:
        last = len(chain.blocks) - 1
        whole = await read(ScriptedNode(chain.answer), 2, last, after=1)
        assert whole == await read(ScriptedNode(chain.answer), 2, last)

    asyncio.run(compare())


async def test_a_node_that_never_tells_all_logs_is_soon_asked_no_more() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)

    def refuse(params: list[Any]) -> Any:
        if "address" not in params[0]:
            raise NodeFault(-32602, "specify an address in your request")
        return chain.logs(params[0])

    node.overrides["eth_getLogs"] = refuse
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        for _ in range(8):
            assert [places(block) for block in await reader.read(endpoint, 3, 3)] == [[(0, 0), (0, 2)]]
    asked = [call["params"][0] for exchange in node.exchanges for call in exchange if call["method"] == "eth_getLogs"]
    assert sum("address" not in criteria for criteria in asked) == 3


def asks_for_all_logs(calls: list[dict[str, Any]]) -> bool:
    return any(call["method"] == "eth_getLogs" and "address" not in call["params"][0] for call in calls)


def without_all_logs(chain: JsonChain, status: int) -> ScriptedNode:
    """A node that gives this HTTP status where all logs of a block are asked for."""
    node = ScriptedNode(chain.answer)

    async def respond(request: web.Request) -> web.StreamResponse:
        if not asks_for_all_logs(orjson.loads(await request.read())):
            return await node.answer_honestly(request)
        return web.Response(status=status)

    node.respond = respond
    return node


def chain_with_junk() -> JsonChain:
    """Blocks 1 to 4; ours are in 1, 3 and 4, and 2 is full of a stranger's logs."""
    chain = JsonChain()
    chain.mine(transaction(LOG))
    chain.mine(transaction(*[foreign_log()] * 400), transaction(LOG))
    chain.mine(transaction(LOG))
    chain.mine(transaction(LOG))
    return chain


@pytest.mark.parametrize("manner", ["beyond our bound", "status 400", "status 413", "status 503", "no answer"])
async def test_security_a_block_whose_logs_cannot_be_told_whole_is_read_all_the_same(
    manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: anyone could otherwise stop a chain for good with one block of junk logs."""
    chain = chain_with_junk()
    if manner.startswith("status"):
        node = without_all_logs(chain, int(manner.split()[1]))
    else:
        node = ScriptedNode(chain.answer)
    if manner == "no answer":
        node.is_too_much = asks_for_all_logs
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node, timeout_seconds=0.5)
        assert [places(block) for block in await reader.read(endpoint, 1, 1)] == [[(0, 0)]]
        if manner == "beyond our bound":
            monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 100_000)
        assert [places(block) for block in await reader.read(endpoint, 2, 2)] == [[(1, 0)]]
        assert [places(block) for block in await reader.read(endpoint, 3, 4)] == [[(0, 0)], [(0, 0)]]


async def test_what_is_asked_beside_comes_with_a_block_whose_logs_cannot_be_told_whole() -> None:
    chain = chain_with_junk()
    node = without_all_logs(chain, 413)
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        await reader.read(endpoint, 1, 1)
        (chain_id,), blocks = await reader.read_beside(endpoint, [RpcCall("eth_chainId", [])], 2, 3)
    assert chain_id == hex(CHAIN_ID)
    assert [places(block) for block in blocks] == [[(1, 0)], [(0, 0)]]


async def test_a_node_that_fails_when_asked_for_all_logs_is_soon_asked_no_more() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    asked: list[bool] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        asked.append(asks_for_all_logs(orjson.loads(await request.read())))
        return web.Response(status=413) if asked[-1] else await node.answer_honestly(request)

    node.respond = respond
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        for _ in range(8):
            assert [places(block) for block in await reader.read(endpoint, 3, 3)] == [[(0, 0), (0, 2)]]
    assert sum(asked) == 3


async def test_a_node_that_was_down_is_asked_for_all_logs_again() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)

    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serve(node) as session:
        endpoint = make_endpoint(session, node)
        for _ in range(4):
            await reader.read(endpoint, 3, 3)
            node.respond = respond
            with pytest.raises(RpcUnavailable):
                await reader.read(endpoint, 3, 3)
            node.respond = None
        await reader.read(endpoint, 3, 3)
        node.exchanges.clear()
        await reader.read(endpoint, 3, 3)
    assert [asks_for_all_logs(calls) for calls in node.exchanges] == [True]


async def test_security_what_one_node_says_does_not_change_how_another_is_asked() -> None:
    """SECURITY: else a liar has honest nodes asked in the one way that they may not be able to answer."""
    chain = JsonChain()
    for _ in range(2):
        chain.mine(transaction(LOG), *(transaction(foreign_log()) for _ in range(8)))
    forged = JsonChain()
    forged.mine(transaction(LOG))
    liar, honest = ScriptedNode(forged.answer), ScriptedNode(chain.answer)
    reader = BlockReader(LogCodec(CHAIN_ID, GATEWAY, VERIFIER).watched)
    async with serve(liar, honest) as session:
        liars, honests = make_endpoint(session, liar, 0), make_endpoint(session, honest, 1)
        await reader.read(honests, 1, 1)
        await reader.read(liars, 1, 1)
        await reader.read(honests, 2, 2)
    assert not any(map(asks_for_all_logs, honest.exchanges))


def cut(place: int) -> Any:
    """Leaves out one of the logs, as if it were not there: those behind it count on."""
    return lambda logs: logs[:place] + logs[place + 1 :]


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize(
    "spoil",
    [
        cut(0),
        cut(1),
        cut(-1),
        lambda logs: logs[:-2],
        lambda _: [],
        lambda logs: logs[::-1],
        lambda logs: [*logs, logs[-1]],
        lambda logs: [log | {"blockHash": "0x" + "12" * 32} for log in logs],
        lambda logs: [log | {"blockHash": None} for log in logs],
        lambda logs: [log | {"transactionIndex": "0x0"} for log in logs],
        lambda logs: [log | {"transactionIndex": "0x1"} for log in logs],
        lambda logs: [log | {"transactionIndex": "0xffffff"} for log in logs],
        lambda logs: [logs[0] | {"transactionIndex": "0x1"}, *logs[1:]],
        lambda logs: [log | {"transactionHash": "0x" + "12" * 32} for log in logs],
        lambda logs: [log | {"transactionHash": None} for log in logs],
        lambda logs: [log | {"logIndex": None} for log in logs],
        lambda logs: [log | {"removed": True} for log in logs],
        lambda logs: [log | {"topics": 1} for log in logs],
        lambda logs: [log | {"topics": [1]} for log in logs],
        lambda logs: [log | {"address": 1} for log in logs],
        lambda logs: [log | {"data": 1} for log in logs],
        lambda logs: [None] * len(logs),
        lambda _: None,
        lambda _: {},
    ],
)
async def test_security_all_logs_that_are_not_whole_and_sound_tell_nothing(spoil: Any, *, is_full: bool) -> None:
    """SECURITY: a log that a node leaves out, or has of another fork, must not be missed or signed in a wrong place."""
    chain = sample_chain()
    chain.mine(*chain.blocks[3].transactions[:1], *([transaction(LOG)] * (130 if is_full else 1)))
    node = ScriptedNode(chain.answer)

    def logs(params: list[Any]) -> Any:
        honest = chain.logs(params[0])
        return honest if "address" in params[0] else spoil(honest)

    node.overrides["eth_getLogs"] = logs
    assert await read(node, 4, 4, after=3) == await read(ScriptedNode(chain.answer), 4, 4)
    assert node.methods.count("eth_getLogs") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"blockHash": "0x" + "12" * 32},
        {"transactionHash": "0x" + "12" * 32},
        {"logs": [{"logIndex": "0x81"}, {"logIndex": "0x82"}]},
    ],
)
async def test_security_a_last_receipt_that_is_not_the_blocks_shows_nothing(change: dict[str, Any]) -> None:
    """SECURITY: else logs of a fuller fork could be left out at the end."""
    chain = sample_chain()
    chain.mine(*([transaction(LOG)] * 130))
    node = ScriptedNode(chain.answer)
    last = format_data(chain.blocks[4].tx_hash(129))
    node.overrides["eth_getTransactionReceipt"] = lambda params: (
        (chain.receipt(params[0]) or {}) | (change if params[0] == last else {})
    )
    node.overrides["eth_getLogs"] = lambda params: chain.logs(params[0])[: None if "address" in params[0] else -1]
    assert [places(block) for block in await read(node, 4, 4, after=3)] == [[(index, 0) for index in range(130)]]


def changed(change: dict[str, Any], index: int = 0) -> Any:
    """An override of eth_getLogs that changes one of the honest logs."""

    def override(chain: JsonChain) -> Any:
        def logs(params: list[Any]) -> Any:
            honest = chain.logs(params[0])
            return [log | change if place == index else log for place, log in enumerate(honest)]

        return logs

    return override


@pytest.mark.parametrize(
    "change",
    [
        {"blockHash": "0x" + "12" * 32},
        {"blockNumber": "0x3"},
        {"transactionHash": "0x" + "12" * 32},
        {"transactionIndex": "0x0"},
        {"logIndex": "0x0"},
        {"logIndex": "0x9"},
        {"removed": True},
        {"removed": "0x0"},
        {"topics": ["0x12"]},
        {"topics": ["0x" + "12" * 32] * 5},
        {"topics": "0x"},
        {"topics": None},
        {"data": "0x1"},
        {"data": None},
        {"address": "0x12"},
        {"logIndex": "0x" + "f" * 9},
        {"blockNumber": None},
    ],
)
async def test_security_a_log_that_contradicts_its_block_or_receipt_is_not_believed(change: dict[str, Any]) -> None:
    """SECURITY: a log of another fork, of no block or of another place must not be taken for this block's."""
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getLogs"] = changed(change)(chain)
    with pytest.raises(RpcUnavailable):
        await read(node, 0, 3)


@pytest.mark.parametrize("methods", [{"eth_getLogs", "eth_getTransactionReceipt"}, {"eth_getTransactionReceipt"}])
async def test_security_logs_and_receipts_of_another_fork_are_not_this_blocks(methods: set[str]) -> None:
    """SECURITY: a node that changes forks between two calls must not have a request signed at the wrong block."""
    chain = sample_chain()
    rival = chain.fork(1)
    twin = rival.mine(*chain.blocks[3].transactions, salt="rival")
    twin.tx_hash = chain.blocks[3].tx_hash  # type: ignore[method-assign] - the same transactions, mined elsewhere
    node = ScriptedNode(lambda method, params: (rival if method in methods else chain).answer(method, params))
    with pytest.raises(RpcUnavailable):
        await read(node, 3, 3)


async def test_receipts_whose_logs_do_not_follow_one_another_are_no_answer() -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    receipt = chain.receipt(f"0x{chain.blocks[3].tx_hash(0).hex()}")
    assert receipt is not None
    receipt["logs"][1]["logIndex"] = "0x7"
    node.overrides["eth_getTransactionReceipt"] = lambda _: receipt
    with pytest.raises(RpcUnavailable, match="malformed receipt"):
        await read(node, 3, 3)


async def test_security_a_log_left_out_of_a_transaction_is_missed() -> None:
    """SECURITY: receipts and logs must tell the same story."""
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getLogs"] = lambda params: chain.logs(params[0])[:-1]
    with pytest.raises(RpcUnavailable, match="other logs"):
        await read(node, 3, 3)


async def test_security_a_transaction_left_out_of_a_full_block_is_missed() -> None:
    """SECURITY: the block's receipts tell of logs that were not named."""
    chain = JsonChain()
    chain.mine(*(transaction(LOG) for _ in range(MAX_SINGLE_RECEIPTS + 2)))
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getLogs"] = lambda params: chain.logs(params[0])[1:]
    with pytest.raises(RpcUnavailable, match="other logs"):
        await read(node, 1, 1)


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        {},
        {"logs": None},
        {"logs": [None]},
        {"logs": [{"logIndex": "0x1"}, {"logIndex": "0x3"}]},
        {"logs": [{"logIndex": "x"}]},
    ],
)
async def test_a_malformed_receipt_is_no_answer(receipt: Any) -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    honest = chain.receipt(f"0x{chain.blocks[1].tx_hash(1).hex()}")
    node.overrides["eth_getTransactionReceipt"] = lambda _: receipt and {**(honest or {}), **receipt}
    with pytest.raises(RpcUnavailable):
        await read(node, 1, 1)


@pytest.mark.parametrize("answer", [None, 1, {}, [1], ["x"], [{}]])
async def test_malformed_lists_of_logs_and_receipts_are_no_answers(answer: Any) -> None:
    chain = JsonChain()
    chain.mine(*(transaction(LOG) for _ in range(MAX_SINGLE_RECEIPTS + 1)))
    for method in ("eth_getLogs", "eth_getBlockReceipts"):
        node = ScriptedNode(chain.answer)
        node.overrides[method] = lambda _: answer
        with pytest.raises(RpcUnavailable):
            await read(node, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"number": "0x7"},
        {"number": None},
        {"number": "0x" + "f" * 17},
        {"hash": "0x12"},
        {"parentHash": None},
        {"timestamp": "now"},
        {"logsBloom": "0x12"},
    ],
)
async def test_a_malformed_header_is_no_answer(change: dict[str, Any]) -> None:
    chain = sample_chain()
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getBlockByNumber"] = lambda params: (chain.header(params[0]) or {}) | change
    with pytest.raises(RpcUnavailable):
        await read(node, 1, 1)


@pytest.mark.parametrize("change", [{"number": hex(2**63)}, {"timestamp": hex(2**63)}])
def test_security_a_header_with_a_number_beyond_bounds_is_no_answer(change: dict[str, str]) -> None:
    """SECURITY: what an endpoint makes up would otherwise end the process where it is stored."""
    header = sample_chain().header("latest") or {}
    assert parse_header(header) is not None
    assert parse_header(header | dict.fromkeys(change, hex(2**63 - 1))) is not None
    with pytest.raises(RpcUnavailable):
        parse_header(header | change)


async def test_logs_that_arrived_after_the_headers_are_left_for_the_next_range() -> None:
    chain = sample_chain()
    before = chain.fork(1)
    node = ScriptedNode(chain.answer)
    node.overrides["eth_getBlockByNumber"] = lambda params: before.header(params[0])
    blocks = await read(node, 0, 3)
    assert [block is not None for block in blocks] == [True, True, True, False]
