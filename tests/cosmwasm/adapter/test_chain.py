"""What is watched on CosmWasm: heads, blocks, requests, signer sets, over endpoints that fail and lie."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest

from attestation.json_object import hex_text
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from relayer.domain.blocks import BlockRef
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.domain.observations import CallRequested
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.vms.cosmwasm.headers import NO_BLOCK
from relayer.vms.cosmwasm.transactions import hash_of
from tests.cosmwasm.adapter.comet_chain import (
    GATEWAY_TEXT,
    GENESIS_SECONDS,
    CometChain,
    Failed,
    Transaction,
    asked_in,
    changing,
    endpoint_of,
    follow,
    watched,
)
from tests.cosmwasm.adapter.gateway_events import asking, set_json
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode

QUIET = Transaction(b"quiet", [{"type": "transfer", "attributes": [{"key": "a", "value": "b", "index": True}]}])


def busy_chain(*, is_encoded: bool = False) -> CometChain:
    """Forty-five blocks, every third with requests, among other transactions and failed ones."""
    chain = CometChain(is_encoded=is_encoded)
    for number in range(45):
        chain.mine(*((QUIET, asking(number), asking(99, code=5)) if number % 3 == 0 else ()), seconds=number % 2)
    return chain


def lost(method: str, after: int) -> Any:
    """An endpoint without the answers of one method above a height."""

    def spoil(asked: str, params: Any, answer: Any) -> Any:
        if asked == method and int(params.get("height", 0)) > after:
            raise NodeFault(-32603, "Internal error", "could not find results")
        return answer

    return spoil


@pytest.mark.parametrize("is_encoded", [False, True])
async def test_every_block_and_request_is_told_once_in_order(*, is_encoded: bool) -> None:
    chain = busy_chain(is_encoded=is_encoded)
    async with watched(endpoint_of(chain)) as reader:
        told = await follow(reader, most=64)
        head = await reader.fetch_head()
    assert [(block.ref, block.parent_hash, block.timestamp) for block in told] == [
        (block.ref, block.parent_hash, block.seconds) for block in chain.blocks
    ]
    assert told[-1].ref == head.tip
    assert all(child.parent_hash == parent.ref.hash for parent, child in pairwise(told))
    assert asked_in(told) == list(range(0, 45, 3))


async def test_a_request_is_told_at_its_place_in_its_block() -> None:
    chain = CometChain()
    asked = asking(0, 1)
    chain.mine(QUIET, Transaction(b"failed", [], code=11), asked)
    async with watched(endpoint_of(chain)) as reader:
        ((first, second),) = [block.observations for block in await follow(reader)]
    assert isinstance(first, CallRequested)
    assert (first.location.block, first.location.tx_index, first.location.log_index) == (chain.tip.ref, 2, 0)
    assert (second.location.tx_index, second.location.log_index) == (2, 1)
    assert first.location.tx_hash == hash_of(asked.raw)


async def test_blocks_without_transactions_cost_their_headers_alone() -> None:
    chain = CometChain()
    for _ in range(30):
        chain.mine()
    node = endpoint_of(chain)
    async with watched(node) as reader:
        await reader.fetch_blocks(1, 30)
    assert node.methods[1:] == ["blockchain", "blockchain"]


async def test_news_cost_one_exchange_and_two_more_where_something_was_asked() -> None:
    chain = busy_chain()
    node = endpoint_of(chain)
    async with watched(node) as reader:
        await reader.fetch_head()
        for transactions, exchanges in (((), 1), ((QUIET,), 2), ((asking(1),), 3)):
            before, height = len(node.exchanges), chain.tip.ref.number
            chain.mine(*transactions)
            news = await reader.fetch_news(height, 64)
            assert [block.ref for block in news.blocks] == [news.head.tip] == [chain.tip.ref]
            assert len(node.exchanges) - before == exchanges
        assert (await reader.fetch_news(chain.tip.ref.number, 64)).blocks == ()


async def test_times_are_whole_seconds_that_may_stand_still() -> None:
    chain = CometChain()
    for _ in range(3):
        chain.mine(seconds=0)
    async with watched(endpoint_of(chain)) as reader:
        assert {block.timestamp for block in await follow(reader)} == {GENESIS_SECONDS}


@pytest.mark.parametrize(
    ("rule", "behind"),
    [
        (FinalityRule(depth_blocks=0), 0),
        (FinalityRule(depth_blocks=4), 4),
        (FinalityRule(tag=FinalityTag.FINALIZED), 0),
    ],
)
async def test_a_finality_rule_is_only_ever_stricter(rule: FinalityRule, behind: int) -> None:
    async with watched(endpoint_of(busy_chain()), finality=rule) as reader:
        head = await reader.fetch_head()
        assert head.final_number == head.tip.number - behind


async def test_above_the_tip_there_is_nothing_and_before_the_first_block_is_none() -> None:
    chain = busy_chain()
    async with watched(endpoint_of(chain)) as reader:
        assert await reader.fetch_block_ref(45) == chain.tip.ref
        assert await reader.fetch_block_ref(46) is None
        assert await reader.fetch_blocks(46, 60) == ()
        assert await reader.fetch_block_ref(0) == NO_BLOCK
        assert await reader.fetch_blocks(0, 0) == ()
        (first,) = await reader.fetch_blocks(1, 1)
        assert first.parent_hash == NO_BLOCK.hash
        assert await reader.fetch_epochs(NO_BLOCK) == ()


async def test_fetches_are_bounded() -> None:
    async with watched(endpoint_of(busy_chain()), most=3) as reader:
        assert len(await reader.fetch_blocks(1, 100)) == 3
        assert len((await reader.fetch_news(0, 100)).blocks) == 3
        assert len((await reader.fetch_news(0, 2)).blocks) == 2


async def test_a_block_that_is_not_executed_yet_is_told_later() -> None:
    chain = busy_chain()
    async with watched(endpoint_of(chain, lost("block_results", 30))) as reader:
        assert [block.ref.number for block in await reader.fetch_blocks(29, 33)] == [29, 30]
    async with watched(endpoint_of(chain, lost("block", 30))) as reader:
        assert [block.ref.number for block in await reader.fetch_blocks(29, 33)] == [29, 30]


async def test_results_that_are_not_kept_are_named_and_those_of_the_tip_are_waited_for() -> None:
    chain = busy_chain()
    async with watched(endpoint_of(chain, lost("block_results", 30))) as reader:
        assert len((await reader.fetch_news(28, 8)).blocks) == 2
        with pytest.raises(RpcUnavailable, match="what came of block 31"):
            await reader.fetch_news(30, 8)
    chain.mine(QUIET)
    async with watched(endpoint_of(chain, lost("block_results", 45))) as reader:
        assert (await reader.fetch_news(45, 8)).blocks == ()


async def test_a_page_that_is_shorter_than_asked_for_ends_what_is_told() -> None:
    chain = busy_chain()
    short = changing("blockchain", lambda answer: answer["block_metas"].__delitem__(slice(5, None)))
    async with watched(endpoint_of(chain, short)) as reader:
        assert await reader.fetch_blocks(1, 20) == ()
    gap = changing("blockchain", lambda answer: answer["block_metas"].__delitem__(slice(0, 5)))
    async with watched(endpoint_of(chain, gap)) as reader:
        assert len(await reader.fetch_blocks(1, 45)) == 15


async def test_history_that_is_pruned_is_named() -> None:
    chain = busy_chain()
    chain.first = 20
    async with watched(endpoint_of(chain)) as reader:
        with pytest.raises(RpcUnavailable, match="none below 20"):
            await reader.fetch_news(3, 8)
        assert len((await reader.fetch_news(19, 8)).blocks) == 8


@pytest.mark.parametrize("claimed", ["1", "44"])
async def test_security_no_endpoint_says_alone_what_is_kept(claimed: str) -> None:
    """SECURITY: one that calls everything pruned would keep a relayer from watching."""
    chain = busy_chain()
    chain.first = 20
    lie = changing("status", lambda answer: answer["sync_info"].update(earliest_block_height=claimed))
    nodes = [endpoint_of(chain, lie), endpoint_of(chain), endpoint_of(chain)]
    async with watched(*nodes, quorum=2) as reader:
        assert len((await reader.fetch_news(19, 8)).blocks) == 8
        with pytest.raises(RpcUnavailable, match="none below 20"):
            await reader.fetch_news(18, 8)


async def test_endpoints_that_lag_are_no_voices() -> None:
    chain = busy_chain()
    behind = chain.cut(40)
    async with watched(endpoint_of(behind), endpoint_of(chain), endpoint_of(chain), quorum=2) as reader:
        assert (await reader.fetch_head()).tip == chain.tip.ref
        assert len(await follow(reader, 38)) == 7
    async with watched(endpoint_of(behind), endpoint_of(behind), endpoint_of(chain), quorum=2) as reader:
        assert (await reader.fetch_head()).tip == behind.tip.ref
        assert len(await follow(reader, 38)) == 2


async def test_the_tip_is_agreed_while_endpoints_are_not_equally_far() -> None:
    chain = busy_chain()
    async with watched(endpoint_of(chain), endpoint_of(chain.cut(44)), quorum=2) as reader:
        assert (await reader.fetch_head()).tip == chain.blocks[43].ref


async def test_security_no_endpoint_raises_the_tip_alone() -> None:
    """SECURITY: what is final is signed."""
    chain = busy_chain()
    far = changing("status", lambda answer: answer["sync_info"].update(latest_block_height="1000"))
    async with watched(endpoint_of(chain, far), endpoint_of(chain), endpoint_of(chain), quorum=2) as reader:
        assert (await reader.fetch_head()).tip == chain.tip.ref


def _drops_request(answer: Any) -> None:
    for result in answer["txs_results"]:
        result["events"] = []


def _adds_request(answer: Any) -> None:
    answer["txs_results"][0]["events"] += answer["txs_results"][1]["events"]


def _unfails(answer: Any) -> None:
    for result in answer["txs_results"]:
        result["code"] = 0


@pytest.mark.parametrize("lie", [_drops_request, _adds_request, _unfails])
async def test_security_one_endpoint_neither_adds_nor_hides_a_request(lie: Any) -> None:
    """SECURITY: one poisoned RPC is never believed alone."""
    chain = busy_chain()
    liar = endpoint_of(chain, changing("block_results", lambda answer: lie(answer) if answer["txs_results"] else None))
    honest = [endpoint_of(chain), endpoint_of(chain)]
    async with watched(liar, *honest, quorum=2) as reader:
        told = await follow(reader)
        assert asked_in(told) == list(range(0, 45, 3))
        assert reader.dropped_logs == 0
    async with watched(liar, honest[0], quorum=2) as reader:
        with pytest.raises(RpcDisagreement):
            await reader.fetch_blocks(1, 1)


async def test_security_a_transactions_hash_is_agreed_on() -> None:
    """SECURITY: whoever looks a request up by a made-up hash finds nothing, or another's."""
    chain = busy_chain()
    liar = endpoint_of(chain, changing("block", lambda answer: answer["block"]["data"]["txs"].reverse()))
    async with watched(liar, endpoint_of(chain), endpoint_of(chain), quorum=2) as reader:
        (block,) = await reader.fetch_blocks(1, 1)
    assert block.observations[0].location.tx_hash == hash_of(asking(0).raw)


async def test_security_a_conflicting_block_at_a_height_that_was_seen_shows() -> None:
    """SECURITY: what was final is not: whoever watches has to see that, and halt."""
    chain = busy_chain()
    rival = chain.cut(40, salt=b"rival")
    for _ in range(6):
        rival.mine()
    async with watched(endpoint_of(rival), endpoint_of(rival), endpoint_of(chain), quorum=2) as reader:
        found = await reader.fetch_block_ref(41)
        assert found == rival.blocks[40].ref != chain.blocks[40].ref
        (following,) = await reader.fetch_blocks(46, 46)
        assert following.parent_hash == rival.blocks[44].ref.hash != chain.tip.ref.hash
    async with watched(endpoint_of(rival), endpoint_of(chain), quorum=2) as reader:
        with pytest.raises(RpcDisagreement):
            await reader.fetch_block_ref(41)
        with pytest.raises(RpcDisagreement):
            await reader.fetch_blocks(41, 41)
        assert len(await reader.fetch_blocks(39, 42)) == 2


def _swapped(answer: Any) -> None:
    metas = answer["block_metas"]
    metas[0], metas[1] = metas[1], metas[0]


def _repeated(answer: Any) -> None:
    answer["block_metas"].insert(0, answer["block_metas"][0])


def _unlinked(answer: Any) -> None:
    answer["block_metas"][0]["header"]["last_block_id"]["hash"] = "CD" * 32


def _too_many(answer: Any) -> None:
    answer["block_metas"] = answer["block_metas"] * 30


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("blockchain", _swapped),
        ("blockchain", _repeated),
        ("blockchain", _unlinked),
        ("blockchain", _too_many),
        ("blockchain", lambda answer: answer["block_metas"].reverse()),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(height="1000")),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(height="-1")),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(height=10)),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(height=str(2**63))),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(time="2027-01-15")),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(time="2027-13-15T08:00:00Z")),
        ("blockchain", lambda answer: answer["block_metas"][0]["header"].update(time="1969-12-31T23:59:59Z")),
        ("blockchain", lambda answer: answer["block_metas"][0]["block_id"].update(hash="AB")),
        ("blockchain", lambda answer: answer["block_metas"][0].update(num_txs="many")),
        ("blockchain", lambda _: {"block_metas": {}}),
        ("blockchain", lambda _: []),
        ("block_results", lambda answer: answer.update(height="1")),
        ("block_results", lambda answer: answer["txs_results"].pop()),
        ("block", lambda answer: answer["block_id"].update(hash="AB" * 32)),
        ("block", lambda answer: answer["block"]["data"]["txs"].pop()),
        ("block", lambda answer: answer["block"]["data"]["txs"].append("%")),
        ("block", lambda answer: answer["block"].update(data=None)),
    ],
)
async def test_security_an_answer_that_contradicts_itself_is_none(method: str, lie: Any) -> None:
    """SECURITY: an endpoint is hostile input."""
    chain = busy_chain()
    async with watched(endpoint_of(chain, changing(method, lie))) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.fetch_blocks(10, 16)


@pytest.mark.parametrize("answer", [None, [], {}, 7, {"sync_info": {}}, {"sync_info": {"latest_block_height": "0"}}])
async def test_an_endpoint_without_a_head_is_none(answer: Any) -> None:
    async with watched(ScriptedNode(lambda *_: answer)) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.fetch_head()


SETS = [SignerSet(1, 1, GENESIS_SECONDS + 100 * n, 60, (Signer(bytes([n]) * 20, 1, bytes(32)),)) for n in range(1, 4)]


def with_sets(chain: CometChain, *sets: tuple[int, SignerSet], as_text: Any = str) -> CometChain:
    """The chain with a gateway to which these were applied, each at its height."""

    def gateway(question: dict[str, Any], height: int) -> bytes:
        applied = [signer_set for at, signer_set in sets if at <= height]
        if not applied:
            raise Failed(f"rpc error: code = Unknown desc = address {GATEWAY_TEXT}: no such contract: unknown request")
        if "current_epoch" in question:
            return orjson.dumps(as_text(len(applied)))
        signer_set = applied[int(question["signer_set"]["epoch"]) - 1]
        return orjson.dumps({"set": set_json(signer_set), "valid_until": str(signer_set.valid_until)})

    chain.contracts[GATEWAY_TEXT] = (1, gateway)
    return chain


async def test_epochs_are_those_that_still_verify_as_of_a_block() -> None:
    chain = CometChain()
    for _ in range(45):
        chain.mine()
    with_sets(chain, (5, SETS[0]), (10, SETS[1]), (40, SETS[2]))
    async with watched(endpoint_of(chain)) as reader:
        for number, expected in ((4, []), (5, [1]), (10, [1, 2]), (30, [2]), (40, [2, 3]), (45, [3])):
            told = await reader.fetch_epochs(chain.blocks[number - 1].ref)
            assert [one.epoch for one in told] == expected
            assert all(signer_set_hash(one.signer_set) == signer_set_hash(SETS[one.epoch - 1]) for one in told)


async def test_security_one_endpoint_does_not_name_the_signers() -> None:
    """SECURITY: signatures of its friends would count for a quorum."""
    chain, rival = (CometChain() for _ in range(2))
    chain.mine()
    rival.mine()
    with_sets(chain, (1, SETS[0]))
    with_sets(rival, (1, SETS[1]))
    async with watched(endpoint_of(rival), endpoint_of(chain), quorum=2) as reader:
        with pytest.raises(RpcDisagreement):
            await reader.fetch_epochs(chain.tip.ref)
    async with watched(endpoint_of(rival), endpoint_of(chain), endpoint_of(chain), quorum=2) as reader:
        (told,) = await reader.fetch_epochs(chain.tip.ref)
        assert hex_text(signer_set_hash(told.signer_set)) == hex_text(signer_set_hash(SETS[0]))


async def test_epochs_of_a_block_that_is_not_on_the_chain_are_no_answer() -> None:
    chain = with_sets(CometChain(), (1, SETS[0]))
    chain.mine()
    async with watched(endpoint_of(chain)) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.fetch_epochs(BlockRef(1, b"\x0b" * 32))


@pytest.mark.parametrize("as_text", [int, lambda n: f"0{n}", lambda n: [n], lambda n: f"{n} "])
async def test_an_epoch_that_is_no_decimal_text_is_no_answer(as_text: Any) -> None:
    chain = with_sets(CometChain(), (1, SETS[0]), as_text=as_text)
    chain.mine()
    async with watched(endpoint_of(chain)) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.fetch_epochs(chain.tip.ref)


async def test_pruned_state_is_no_answer_and_not_no_epoch() -> None:
    """SECURITY: signers that are forgotten would be taken for none."""
    chain = with_sets(CometChain(), (1, SETS[0]))
    chain.mine()

    def pruned(method: str, _: Any, answer: Any) -> Any:
        if method == "abci_query":
            return {"response": {"code": 18, "codespace": "sdk", "log": "version does not exist", "height": "0"}}
        return answer

    async with watched(endpoint_of(chain, pruned)) as reader:
        with pytest.raises(RpcUnavailable):
            await reader.fetch_epochs(chain.tip.ref)


async def test_the_gateway_verifies_by_itself() -> None:
    async with watched(endpoint_of(busy_chain())) as reader:
        assert await reader.fetch_verifier_fault() == ""
