from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_abi.abi import encode
from structlog.testing import capture_logs

from attestation.request import request_id
from attestation.signer_set import SignerSet
from relayer.domain.blocks import Head
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.domain.observations import CallConcluded, CallRequested, ObservedBlock
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.ports.chain import News
from relayer.vms.evm import interface
from relayer.vms.evm.chain import ChainIdentity, ChainParts, EvmChain
from relayer.vms.evm.chain_id import CHAIN_ID_CALL
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.quantities import format_data
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from tests.factories import make_request, make_signer_set
from tests.unit.evm.gateway_logs import (
    CHAIN_ID,
    GATEWAY,
    SIGNER_SET_TYPE,
    VERIFIER,
    concluded_log,
    requested_log,
    signer_set_tuple,
)
from tests.unit.evm.json_chain import JsonChain, JsonTransaction
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

DEPTH_2 = FinalityRule(depth_blocks=2)
FINALIZED = FinalityRule(tag=FinalityTag.FINALIZED)


@asynccontextmanager
async def watch(*nodes: ScriptedNode, quorum: int, finality: FinalityRule = DEPTH_2) -> AsyncIterator[EvmChain]:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        identity = ChainIdentity("test", f"eip155:{CHAIN_ID}", CHAIN_ID, GATEWAY, VERIFIER)
        hints = HeadHints(None, "test", (), CHAIN_ID_CALL, 1.0, None, random.random)  # type: ignore[arg-type]
        codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
        yield EvmChain(ChainParts(identity, pool, codec, hints, RecentTimes(), finality, max_blocks_per_fetch=10))


def chain_of(length: int, *logs: Any) -> JsonChain:
    """`length` blocks after genesis, the last with these logs in a transaction each."""
    chain = JsonChain()
    for _ in range(length - 1):
        chain.mine()
    chain.mine(*(JsonTransaction((log,)) for log in logs))
    return chain


def honest(chain: JsonChain) -> ScriptedNode:
    return ScriptedNode(chain.answer)


def lying_about_logs(chain: JsonChain, *logs: Any) -> ScriptedNode:
    """Same headers, other contents: its last block holds these logs."""
    forged = chain.fork(1)
    forged.mine(*(JsonTransaction((log,)) for log in logs))
    forged.blocks[-1].hash = chain.blocks[-1].hash
    return ScriptedNode(forged.answer)


async def fetch_last(*nodes: ScriptedNode, quorum: int, number: int) -> tuple[ObservedBlock, ...]:
    async with watch(*nodes, quorum=quorum) as chain:
        return await chain.fetch_blocks(number, number)


async def test_a_block_says_what_our_contracts_logged_in_it() -> None:
    request = make_request()
    receipt = concluded_log(request_id(request))
    chain = chain_of(3, requested_log(request), receipt)
    (block,) = await fetch_last(honest(chain), quorum=1, number=3)
    assert block.ref == chain.blocks[3].ref
    assert block.parent_hash == chain.blocks[2].hash
    assert block.timestamp == chain.blocks[3].timestamp
    first, second = block.observations
    assert isinstance(first, CallRequested)
    assert isinstance(second, CallConcluded)
    assert (first.request, first.location.tx_index, second.location.tx_index) == (request, 0, 1)


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_security_a_forged_request_at_one_of_three_endpoints_is_outvoted(place: int) -> None:
    """SECURITY: one poisoned RPC must never be believed alone."""
    chain = chain_of(3, requested_log(make_request(0)))
    nodes = [honest(chain), honest(chain), honest(chain)]
    nodes[place] = lying_about_logs(chain, requested_log(make_request(0)), requested_log(make_request(1)))
    (block,) = await fetch_last(*nodes, quorum=2, number=3)
    assert len(block.observations) == 1


@pytest.mark.parametrize("logs", [(), (requested_log(make_request(1)),), (requested_log(make_request(0), fee=1),)])
async def test_security_two_of_two_endpoints_that_differ_block_the_chain(logs: Sequence[Any]) -> None:
    """SECURITY: a log that only one endpoint has, or leaves out, or tells otherwise, is not signed."""
    chain = chain_of(3, requested_log(make_request(0)))
    with pytest.raises(RpcDisagreement):
        await fetch_last(honest(chain), lying_about_logs(chain, *logs), quorum=2, number=3)


async def test_security_a_log_told_at_another_place_is_disagreement() -> None:
    """SECURITY: statements carry the transaction's and the log's index."""
    chain = chain_of(3, requested_log(make_request(0)), concluded_log(bytes(32)))
    with pytest.raises(RpcDisagreement):
        await fetch_last(
            honest(chain),
            lying_about_logs(chain, concluded_log(bytes(32)), requested_log(make_request(0))),
            quorum=2,
            number=3,
        )


async def test_a_lagging_endpoint_is_no_disagreement() -> None:
    chain = chain_of(5)
    async with watch(honest(chain.fork(2)), honest(chain), honest(chain), quorum=2) as watched:
        blocks = await watched.fetch_blocks(1, 5)
        assert [block.ref.number for block in blocks] == [1, 2, 3, 4, 5]
        assert (await watched.fetch_head()).tip == chain.blocks[5].ref


async def test_blocks_that_too_few_know_are_not_there_yet() -> None:
    chain = chain_of(5)
    async with watch(honest(chain.fork(2)), honest(chain), quorum=2) as watched:
        assert [block.ref.number for block in await watched.fetch_blocks(2, 5)] == [2, 3]
        assert await watched.fetch_blocks(4, 5) == ()
        assert await watched.fetch_block_ref(4) is None
        assert (await watched.fetch_head()).tip == chain.blocks[3].ref


async def test_no_more_blocks_come_than_one_fetch_may_hold() -> None:
    async with watch(honest(chain_of(30)), quorum=1) as watched:
        assert [block.ref.number for block in await watched.fetch_blocks(3, 29)] == list(range(3, 13))


async def test_what_is_fetched_stays_linked_while_endpoints_follow_different_forks() -> None:
    chain = chain_of(4)
    left, right = chain.fork(0), chain.fork(0)
    left.mine(salt="left")
    right.mine(salt="right")
    async with watch(honest(left), honest(right), quorum=2) as watched:
        assert [block.ref.number for block in await watched.fetch_blocks(3, 5)] == [3, 4]
        with pytest.raises(RpcDisagreement):
            await watched.fetch_blocks(5, 5)
        with pytest.raises(RpcDisagreement):
            await watched.fetch_block_ref(5)


async def test_a_header_of_another_height_is_no_answer() -> None:
    chain = chain_of(4)
    node = honest(chain)
    node.overrides["eth_getBlockByNumber"] = lambda _: chain.header("0x1")
    async with watch(node, quorum=1) as watched:
        with pytest.raises(RpcUnavailable):
            await watched.fetch_block_ref(2)
        with pytest.raises(RpcUnavailable):
            await watched.fetch_blocks(2, 2)


async def test_two_forks_with_a_quorum_each_are_not_joined() -> None:
    chain = chain_of(4)
    short, rival = chain.fork(0), chain.fork(1)
    for _ in range(2):
        rival.mine(salt="rival")
    nodes = [honest(short), honest(short), honest(rival), honest(rival)]
    async with watch(*nodes, quorum=2) as watched:
        assert [block.ref for block in await watched.fetch_blocks(4, 5)] == [short.blocks[4].ref]


async def test_the_head_is_the_tip_that_enough_endpoints_reached() -> None:
    chain = chain_of(6)
    async with watch(honest(chain), honest(chain.fork(1)), honest(chain.fork(4)), quorum=2) as watched:
        head = await watched.fetch_head()
    assert head.tip == chain.blocks[5].ref
    assert head.final_number == 3


async def test_rival_tips_give_the_block_below_them() -> None:
    chain = chain_of(4)
    left, right = chain.fork(0), chain.fork(0)
    left.mine(salt="left")
    right.mine(salt="right")
    async with watch(honest(left), honest(right), quorum=2) as watched:
        assert (await watched.fetch_head()).tip == chain.blocks[4].ref


async def test_chains_without_a_common_block_near_the_tip_are_disagreement() -> None:
    left, right = JsonChain(), JsonChain(block_seconds=11)
    for chain in (left, right):
        for _ in range(20):
            chain.mine()
    async with watch(honest(left), honest(right), quorum=2) as watched:
        with pytest.raises(RpcDisagreement):
            await watched.fetch_head()


@pytest.mark.parametrize("finality", [DEPTH_2, FINALIZED])
async def test_security_one_endpoint_cannot_make_blocks_final(finality: FinalityRule) -> None:
    """SECURITY: what is final is signed."""
    chain = chain_of(9)
    liar = honest(chain)

    def header(params: list[Any]) -> Any:
        if params[0] in {"latest", "finalized"}:
            return (chain.header("0x9") or {}) | {"number": hex(10**6)}
        return chain.header(params[0])

    liar.overrides["eth_getBlockByNumber"] = header
    async with watch(liar, honest(chain), honest(chain), quorum=2, finality=finality) as watched:
        head = await watched.fetch_head()
    assert (head.tip, head.final_number) == (chain.blocks[9].ref, 7)


async def test_news_are_head_and_next_block_in_one_exchange_where_most_is_ours() -> None:
    chain = chain_of(2, requested_log(make_request(0)))
    node = honest(chain)
    async with watch(node, quorum=1) as watched:
        assert [block.ref for block in (await watched.fetch_news(1, 10)).blocks] == [chain.blocks[2].ref]
        mined = chain.mine(JsonTransaction((requested_log(make_request(1)),)))
        node.exchanges.clear()
        news = await watched.fetch_news(2, 10)
    assert news.head == Head(chain.blocks[3].ref, 1)
    assert [(block.ref, len(block.observations)) for block in news.blocks] == [(mined.ref, 1)]
    assert len(node.exchanges) == 1


async def test_no_news_cost_one_exchange() -> None:
    chain = chain_of(3)
    node = honest(chain)
    async with watch(node, quorum=1) as watched:
        await watched.fetch_head()
        node.exchanges.clear()
        assert await watched.fetch_news(3, 10) == News(Head(chain.blocks[3].ref, 1), ())
    assert len(node.exchanges) == 1


async def test_who_is_behind_gets_as_many_blocks_at_once_as_may_be() -> None:
    async with watch(honest(chain_of(30)), quorum=1) as watched:
        await watched.fetch_head()
        assert [block.ref.number for block in (await watched.fetch_news(2, 7)).blocks] == list(range(3, 10))
        assert [block.ref.number for block in (await watched.fetch_news(2, 99)).blocks] == list(range(3, 13))
        assert [block.ref.number for block in (await watched.fetch_news(27, 99)).blocks] == [28, 29, 30]


async def test_a_block_that_came_after_the_head_was_told_is_the_next_ones_news() -> None:
    chain = chain_of(5)
    node = honest(chain)
    before = chain.fork(1)
    node.overrides["eth_getBlockByNumber"] = lambda params: (before if params[0] == "latest" else chain).header(
        params[0]
    )
    async with watch(node, quorum=1) as watched:
        assert await watched.fetch_news(4, 10) == News(Head(chain.blocks[4].ref, 2), ())
        assert [block.ref.number for block in (await watched.fetch_news(3, 10)).blocks] == [4]


async def test_news_of_a_shorter_fork_are_its_head() -> None:
    async with watch(honest(chain_of(3)), quorum=1) as watched:
        news = await watched.fetch_news(7, 10)
    assert (news.head.tip.number, news.blocks) == (3, ())


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_security_news_that_one_of_three_endpoints_forges_are_outvoted(place: int) -> None:
    """SECURITY: one poisoned RPC must never be believed alone."""
    chain = chain_of(3, requested_log(make_request(0)))
    nodes = [honest(chain), honest(chain), honest(chain)]
    nodes[place] = lying_about_logs(chain, requested_log(make_request(0)), requested_log(make_request(1)))
    async with watch(*nodes, quorum=2) as watched:
        news = await watched.fetch_news(2, 10)
    assert news.head.tip == chain.blocks[3].ref
    assert [len(block.observations) for block in news.blocks] == [1]


@pytest.mark.parametrize("logs", [(), (requested_log(make_request(1)),), (requested_log(make_request(0), fee=1),)])
async def test_security_news_on_which_two_of_two_endpoints_differ_block_the_chain(logs: Sequence[Any]) -> None:
    """SECURITY: a log that only one endpoint has, or leaves out, or tells otherwise, is not signed."""
    chain = chain_of(3, requested_log(make_request(0)))
    async with watch(honest(chain), lying_about_logs(chain, *logs), quorum=2) as watched:
        assert [block.ref.number for block in (await watched.fetch_news(1, 1)).blocks] == [2]
        with pytest.raises(RpcDisagreement):
            await watched.fetch_news(2, 10)


async def test_news_of_a_quorum_do_not_wait_for_the_others_to_read_the_blocks_too() -> None:
    chain = chain_of(3, requested_log(make_request(0)))
    nodes = [honest(chain), honest(chain), honest(chain)]
    async with watch(*nodes, quorum=2) as watched:
        (block,) = (await watched.fetch_news(2, 10)).blocks
    assert len(block.observations) == 1
    assert sorted("eth_getLogs" in node.methods for node in nodes) == [False, True, True]


async def test_before_anything_is_finalized_nothing_is_final() -> None:
    chain = chain_of(1)
    chain.finalized_depth = 5
    refusing = honest(chain)

    def header(params: list[Any]) -> Any:
        if params[0] == "finalized":
            raise NodeFault(-39001, "Unknown block")
        return chain.header(params[0])

    refusing.overrides["eth_getBlockByNumber"] = header
    async with watch(honest(chain), refusing, quorum=2, finality=FINALIZED) as watched:
        assert (await watched.fetch_head()).final_number == -1


async def test_a_log_of_ours_that_says_something_impossible_is_dropped_and_counted() -> None:
    chain = chain_of(3, requested_log(data=b"\x01"), requested_log())
    async with watch(honest(chain), quorum=1) as watched:
        with capture_logs() as captured:
            (block,) = await watched.fetch_blocks(3, 3)
        assert len(block.observations) == 1
        assert watched.dropped_logs == 1
    assert [entry["event"] for entry in captured] == ["gateway_log_dropped"]


def verifier_answers(chain: JsonChain, sets: dict[int, tuple[SignerSet, int]]) -> ScriptedNode:
    """A node whose verifier holds these sets by epoch."""

    def call(params: list[Any]) -> str:
        fields, block = params
        assert fields["to"] == format_data(VERIFIER)
        assert block == {"blockHash": format_data(chain.blocks[-1].hash), "requireCanonical": True}
        data = bytes.fromhex(fields["data"][2:])
        if data == interface.selector(interface.CURRENT_EPOCH):
            return format_data(encode(["uint64"], [max(sets, default=0)]))
        epoch = int.from_bytes(data[4:], "big")
        if epoch not in sets:
            unknown = interface.selector(interface.UNKNOWN_EPOCH) + epoch.to_bytes(32, "big")
            raise NodeFault(3, "execution reverted", format_data(unknown))
        signer_set, valid_until = sets[epoch]
        return format_data(encode([SIGNER_SET_TYPE, "uint64"], [signer_set_tuple(signer_set), valid_until]))

    node = honest(chain)
    node.overrides["eth_call"] = call
    return node


async def test_every_epoch_that_still_verifies_is_told_oldest_first() -> None:
    chain = chain_of(3)
    now = chain.blocks[3].timestamp
    old, newer, newest = (make_signer_set(threshold=threshold) for threshold in (2, 3, 4))
    node = verifier_answers(chain, {1: (old, now - 1), 2: (newer, now), 3: (newest, now + 100)})
    async with watch(node, quorum=1) as watched:
        epochs = await watched.fetch_epochs(chain.blocks[3].ref)
    assert [(epoch.epoch, epoch.signer_set, epoch.valid_until) for epoch in epochs] == [
        (2, newer, now),
        (3, newest, now + 100),
    ]


async def test_a_verifier_that_came_later_holds_no_epochs_of_the_former_one() -> None:
    chain = chain_of(3)
    now, newest = chain.blocks[3].timestamp, make_signer_set()
    async with watch(verifier_answers(chain, {5: (newest, now)}), quorum=1) as watched:
        assert [epoch.epoch for epoch in await watched.fetch_epochs(chain.blocks[3].ref)] == [5]


async def test_where_no_verifier_is_deployed_there_are_no_epochs() -> None:
    chain = chain_of(3)
    node = honest(chain)
    node.overrides["eth_call"] = lambda _: "0x"
    async with watch(node, verifier_answers(chain, {}), quorum=2) as watched:
        assert await watched.fetch_epochs(chain.blocks[3].ref) == []


async def test_security_a_signer_set_that_one_endpoint_forges_is_not_believed() -> None:
    """SECURITY: who holds the keys of a forged set could certify anything."""
    chain = chain_of(3)
    true_set, forged_set = make_signer_set(), make_signer_set(threshold=4)
    truth, lie = ({1: (signer_set, 10**9)} for signer_set in (true_set, forged_set))
    async with watch(verifier_answers(chain, truth), verifier_answers(chain, lie), quorum=2) as watched:
        with pytest.raises(RpcDisagreement):
            await watched.fetch_epochs(chain.blocks[3].ref)
    nodes = [verifier_answers(chain, lie), verifier_answers(chain, truth), verifier_answers(chain, truth)]
    async with watch(*nodes, quorum=2) as watched:
        (epoch,) = await watched.fetch_epochs(chain.blocks[3].ref)
    assert epoch.signer_set == true_set


async def test_epochs_as_of_a_block_that_left_the_chain_are_not_told() -> None:
    chain = chain_of(3)
    rival = chain.fork(1)
    rival.mine(salt="rival")
    node = honest(chain)
    node.overrides["eth_call"] = lambda _: format_data(bytes(32))
    async with watch(node, quorum=1) as watched:
        assert await watched.fetch_epochs(chain.blocks[3].ref) == []
        with pytest.raises(RpcUnavailable):
            await watched.fetch_epochs(rival.blocks[3].ref)


@pytest.mark.parametrize("answer", ["0x12", "0x" + "ff" * 32, None])
async def test_a_malformed_view_is_no_answer(answer: Any) -> None:
    chain = chain_of(3)
    node = honest(chain)
    node.overrides["eth_call"] = lambda _: answer
    async with watch(node, quorum=1) as watched:
        with pytest.raises(RpcUnavailable):
            await watched.fetch_epochs(chain.blocks[3].ref)


def gateway_answers(word: bytes) -> ScriptedNode:
    """A node whose gateway names this verifier."""

    def call(params: list[Any]) -> str:
        fields, block = params
        assert (fields["to"], block) == (format_data(GATEWAY), "latest")
        assert bytes.fromhex(fields["data"][2:]) == interface.selector(interface.VERIFIER)
        return format_data(word)

    node = honest(chain_of(1))
    node.overrides["eth_call"] = call
    return node


@pytest.mark.parametrize("word", [bytes(12) + VERIFIER, bytes(32), b""])
async def test_a_gateway_with_the_configured_verifier_or_none_yet_has_no_fault(word: bytes) -> None:
    async with watch(gateway_answers(word), quorum=1) as watched:
        assert await watched.fetch_verifier_fault() == ""


async def test_another_verifier_than_the_configured_one_is_a_fault_if_the_quorum_says_so() -> None:
    other = bytes(12) + b"\x11" * 20
    async with watch(gateway_answers(other), gateway_answers(other), quorum=2) as watched:
        fault = await watched.fetch_verifier_fault()
    assert fault.startswith("the gateway's verifier is 0x1111")
    assert fault.endswith(" is configured")
    async with watch(gateway_answers(other), gateway_answers(bytes(12) + VERIFIER), quorum=2) as watched:
        with pytest.raises(RpcDisagreement, match="verifier"):
            await watched.fetch_verifier_fault()
    async with watch(gateway_answers(b"\x01" + other[1:]), quorum=1) as watched:
        with pytest.raises(RpcUnavailable):
            await watched.fetch_verifier_fault()
