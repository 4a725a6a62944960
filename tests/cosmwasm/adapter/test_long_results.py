"""Blocks whose results are larger than an answer may be: anybody can make one, and they are read all the same."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.blocks import BlockReader, MinedEvent
from relayer.vms.cosmwasm.events import EventReader
from relayer.vms.cosmwasm.long_results import MAX_EVENT_BYTES, LongResults
from relayer.vms.jsonrpc import rpc
from relayer.vms.jsonrpc.rpc import RpcFault
from tests.cosmwasm.adapter.comet_chain import (
    GATEWAY_TEXT,
    CometChain,
    Transaction,
    encoded,
    endpoint_of,
    text_of,
    wasm_event,
)
from tests.unit.jsonrpc.scripted_node import ScriptedNode, serve_pool

MEGABYTE = 1024 * 1024
OTHER = text_of(b"\x99" * 32)
READER = EventReader(GATEWAY_TEXT, frozenset({"XVMReclaimed"}))
OURS = wasm_event("XVMReclaimed", {"request_id": "0x11"})
FILLER = orjson.dumps(wasm_event("aaa", {}, OTHER))
"""The event that costs its author the least gas for its bytes."""

texts = st.text(alphabet='a"\\{}[],:\n\u00e9wasm-XV', max_size=12)
pairs = st.tuples(texts, st.one_of(st.none(), texts))
events = st.one_of(
    st.just(OURS),
    st.just(encoded(OURS)),
    st.builds(wasm_event, st.sampled_from(["XVMReclaimed", "XVMOther", "aaa"]), st.just({}), st.sampled_from([OTHER])),
    st.builds(
        lambda kind, told: {"type": kind, "attributes": [{"key": key, "value": value} for key, value in told]},
        st.one_of(texts, st.just("wasm-XVMReclaimed")),
        st.lists(pairs, max_size=3),
    ),
)
transactions = st.builds(Transaction, st.just(b"raw"), st.lists(events, max_size=6), st.sampled_from([0, 0, 5]))


def read_at_length(pieces: Iterator[bytes]) -> Any:
    results = LongResults(READER.concerns)
    for piece in pieces:
        results.add(piece)
    return results.finish()


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def body_of(*mined: Transaction, **more: Any) -> bytes:
    result = {"height": "9", "txs_results": [each.result() for each in mined], "finalize_block_events": [OURS]}
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result | more})


@given(mined=st.lists(transactions, max_size=4), size=st.integers(1, 90), is_indented=st.booleans())
@settings(max_examples=150, deadline=None)
def test_however_it_comes_it_says_what_the_whole_says(
    *, mined: list[Transaction], size: int, is_indented: bool
) -> None:
    body = body_of(*mined)
    whole = orjson.loads(body)["result"]
    if is_indented:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    assert READER.read(read_at_length(cut(body, size)), 9, len(mined)) == READER.read(whole, 9, len(mined))


def test_what_is_passed_over_may_be_of_any_length() -> None:
    long = wasm_event("XVMReclaimed", {"a": "x" * (2 * MAX_EVENT_BYTES)}, OTHER)
    ours = Transaction(b"raw", [long, OURS])
    result = ours.result() | {"data": "A" * 5 * MEGABYTE, "log": '[{"events":"' * 100_000}
    body = orjson.dumps({"id": 1, "result": {"txs_results": [result], "height": "9"}, "jsonrpc": "2.0"})
    (found,) = READER.read(read_at_length(cut(body, 65_536)), 9, 1)
    assert (found.tx_index, found.log_index) == (0, 0)


def test_a_node_s_error_is_told() -> None:
    body = orjson.dumps(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error", "data": "x"}}
    )
    assert read_at_length(cut(body, 7)) == RpcFault(-32603, "Internal error", "x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null ",
        b"{}",
        b'{"result":null}',
        b'{"result":{"height":"9","txs_results":[',
        b'{"result":{"height":"9","txs_results":5 }}',
        b'{"result":{"height":"9","txs_results":[5 ]}}',
        b'{"result":{"height":"9","txs_results":[{"code":' + b"1" * 100 + b"}]}}",
        b'{"result":{"height":"9","txs_results":[{"events":[\xff]}]}}',
        b'{"error":{"code":"1"}}',
    ],
)
def test_what_no_node_answers_is_no_answer(body: bytes) -> None:
    with pytest.raises(RpcUnavailable):
        READER.read(read_at_length(cut(body, 5)), 9, 0)


@pytest.mark.parametrize("brackets", [b"[", b"[[]],", b'{"a":[[]]},', b"[[[[[[[[{}]]]]]]]],"])
def test_security_nothing_but_brackets_is_given_up(brackets: bytes) -> None:
    """SECURITY: an endpoint could keep us busy for as long as it sends."""
    start = b'{"result":{"height":"9","other":['
    with pytest.raises(RpcUnavailable):
        read_at_length(iter([start, *[brackets * 10_000] * 200]))


def test_security_more_than_a_block_can_hold_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: an endpoint could send results, or events of the gateway's, until nothing holds them."""
    monkeypatch.setattr("relayer.vms.cosmwasm.long_results.MAX_TRANSACTIONS", 1_000)
    monkeypatch.setattr("relayer.vms.cosmwasm.long_results.MAX_KEPT", 1_000)
    start = b'{"result":{"height":"9","txs_results":['
    with pytest.raises(RpcUnavailable, match="more results"):
        read_at_length(iter([start, b'{"code":0,"events":null},' * 2_000]))
    with pytest.raises(RpcUnavailable, match="more events"):
        read_at_length(iter([start, b'{"code":0,"events":[', (orjson.dumps(OURS) + b",") * 2_000]))


def pieces_of_block(number: int, megabytes: int) -> Iterator[bytes]:
    """The results of one transaction: fillers, an event of the gateway's, fillers."""
    filling = b",".join([FILLER] * (MEGABYTE // len(FILLER)))
    yield b'{"jsonrpc":"2.0","id":1,"result":{"height":"%d","txs_results":[{"code":0,"data":null,"events":[' % number
    for _ in range(megabytes // 2):
        yield filling + b","
    yield orjson.dumps(OURS)
    for _ in range(megabytes // 2):
        yield b"," + filling
    yield b']}],"validator_updates":null}}'


def test_security_a_hundred_megabytes_are_read_in_some() -> None:
    """SECURITY: what anybody can have a block hold must not exhaust whoever reads it."""
    tracemalloc.start()
    try:
        answer = read_at_length(pieces_of_block(9, 110))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(READER.read(answer, 9, 1)) == 1
    assert peak < 16 * MEGABYTE


def flooding(chain: CometChain, flooded: int, pieces: Any) -> ScriptedNode:
    """A node whose results of one block are these pieces."""
    node = endpoint_of(chain)

    async def respond(request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        calls = asked if isinstance(asked, list) else [asked]
        if not any(call["method"] == "block_results" and call["params"]["height"] == str(flooded) for call in calls):
            return await node.answer_honestly(request)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for piece in pieces():
                await response.write(piece)
        except ConnectionError:
            pass  # whoever asked has had enough
        return response

    node.respond = respond
    return node


def make_chain() -> CometChain:
    chain = CometChain()
    for _ in range(3):
        chain.mine(Transaction(b"raw", [OURS]))
    return chain


async def read_blocks(*nodes: ScriptedNode) -> list[list[MinedEvent] | None]:
    """The gateway's events in each block, None for blocks that are not read."""
    async with serve_pool(*nodes, quorum=1) as pool:
        contents = await BlockReader(READER).read(pool.members[0].endpoint, 1, 3)
    return [None if block is None else list(block.events) for block in contents]


async def test_a_block_of_more_than_an_answer_holds_is_read_and_those_after_it() -> None:
    """SECURITY: it would be the last that is read of its chain, for all requests of everybody."""
    found = await read_blocks(flooding(make_chain(), 2, lambda: pieces_of_block(2, 110)))
    assert [len(events or ()) for events in found] == [1, 1, 1]


async def test_security_an_endpoint_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: it would hold a connection, and us, for ever."""
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", MEGABYTE)
    monkeypatch.setattr(rpc, "MAX_POURED_BYTES", 4 * MEGABYTE)

    def endless() -> Iterator[bytes]:
        yield b'{"jsonrpc":"2.0","id":1,"result":{"height":"2","txs_results":[{"code":0,"events":['
        while True:
            yield (FILLER + b",") * 1_000

    found = await read_blocks(flooding(make_chain(), 2, endless))
    assert [events is not None for events in found] == [True, False, False]


async def test_security_an_endpoint_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a byte now and then is no answer, however many there may be."""
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", MEGABYTE)
    monkeypatch.setattr(rpc, "POUR_SECONDS", 0.2)

    node = endpoint_of(make_chain())

    async def trickle(request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        if isinstance(asked, list):
            if any(call["params"].get("height") == "2" for call in asked):
                return web.Response(body=b"[" + b" " * 2 * MEGABYTE)
            return await node.answer_honestly(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"jsonrpc":"2.0"')
        await asyncio.Event().wait()
        return response

    node.respond = trickle
    found = await read_blocks(node)
    assert [events is not None for events in found] == [True, False, False]
