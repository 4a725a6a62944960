"""What is watched on Solana: heads, blocks with gaps, requests, signer sets, over endpoints that fail and lie."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from attestation.address import Chain, Namespace
from attestation.keccak import keccak256
from attestation.signer_set import signer_set_hash
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.domain.observations import CallRequested, EpochApplied
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.vms.svm import blocks as blocks_module
from relayer.vms.svm import mentions as mentions_module
from tests.svm.adapter.watching import Spoil, asked_in, down, endpoint_of, follow, lagging, watched, with_fault
from tests.svm.adapter.world import FINALIZED_AFTER, World
from tests.svm.program.ledger import GATEWAY, NOW, PROGRAM, SOLANA, signer_set, signing_keys
from tests.unit.jsonrpc.scripted_node import NodeFault

SETUP_TRANSACTIONS = 4
"""Of a gateway: its config, its signers, a route each way."""


@pytest.fixture(scope="module")
def asked() -> World:
    """A world in which twelve requests were made, with skipped slots between, all final. Not to be changed."""
    world = World()
    world.open()
    for salt in range(12):
        if salt % 4 == 3:
            world.chain.faults.slots_to_skip = 5
        world.request(salt)
    world.advance(FINALIZED_AFTER)
    return world


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    world.advance(FINALIZED_AFTER)
    return world


def first_request_slot(world: World) -> int:
    """After the transactions that set the gateway up come the requests."""
    return [block.slot for block in world.chain.ledger.blocks_between(0, 100) if block.landed][SETUP_TRANSACTIONS]


async def test_every_block_and_request_is_told_once_in_order_across_skipped_slots(asked: World) -> None:
    async with watched(endpoint_of(asked)) as chain:
        told = await follow(chain)
        head = await chain.fetch_head()
    assert told[-1].ref == head.tip
    for parent, child in pairwise(told):
        assert child.parent_hash == parent.ref.hash
        assert child.ref.number > parent.ref.number
    assert any(child.ref.number > parent.ref.number + 1 for parent, child in pairwise(told))
    assert asked_in(told) == list(range(12))
    for block in told:
        for observation in block.observations:
            assert observation.location.block == block.ref


async def test_a_request_is_told_at_its_place_in_its_block(world: World) -> None:
    airdrops = [world.ask("requestAirdrop", [str(world.sender.pubkey()), 1]) for _ in range(3)]
    world.request(0)
    world.advance(FINALIZED_AFTER)
    async with watched(endpoint_of(world)) as chain:
        (block,) = [block for block in await follow(chain, 2) if block.observations]
        (observation,) = block.observations
    assert isinstance(observation, CallRequested)
    assert (observation.location.tx_index, observation.location.log_index) == (len(airdrops), 0)
    assert observation.request.source_gateway == GATEWAY
    assert observation.deadline > block.ref.number


async def test_nothing_is_told_before_it_is_finalized(world: World) -> None:
    world.request(0)
    async with watched(endpoint_of(world)) as chain:
        assert asked_in(await follow(chain)) == []
        assert (await chain.fetch_head()).tip.number == world.chain.ledger.open.slot - FINALIZED_AFTER
        world.advance(FINALIZED_AFTER)
        assert asked_in(await follow(chain)) == [0]


@pytest.mark.parametrize(
    ("rule", "behind"),
    [
        (FinalityRule(depth_blocks=0), 0),
        (FinalityRule(depth_blocks=4), 4),
        (FinalityRule(tag=FinalityTag.FINALIZED), 0),
    ],
)
async def test_a_finality_rule_is_only_ever_stricter(world: World, rule: FinalityRule, behind: int) -> None:
    async with watched(endpoint_of(world), finality=rule) as chain:
        head = await chain.fetch_head()
        assert head.final_number == head.tip.number - behind


async def test_a_range_of_skipped_slots_is_empty_and_news_reach_beyond_it(world: World) -> None:
    async with watched(endpoint_of(world), most=4) as chain:
        before = (await chain.fetch_head()).tip.number
        world.advance(FINALIZED_AFTER)
        last = world.chain.ledger.open.slot
        world.chain.faults.slots_to_skip = 100
        world.advance(1 + FINALIZED_AFTER)
        assert await chain.fetch_blocks(last + 1, last + 50) == ()
        news = await chain.fetch_news(last, 4)
        assert news.blocks[0].ref.number == last + 101
        (parent,) = await chain.fetch_blocks(last, last + 3)
        assert news.blocks[0].parent_hash == parent.ref.hash
        skipped = await chain.fetch_block_ref(last + 77)
        assert skipped == parent.ref
        assert before < last


async def test_the_block_of_a_skipped_slot_is_looked_for_as_far_back_as_needed(world: World) -> None:
    last = world.chain.ledger.open.slot
    for _ in range(2):
        world.chain.faults.slots_to_skip = 150
        world.advance(1)
    world.advance(FINALIZED_AFTER)
    async with watched(endpoint_of(world)) as chain:
        ref = await chain.fetch_block_ref(last + 150)
        assert ref is not None
        assert ref.number == last
        assert (await chain.fetch_block_ref(0)) is not None


async def test_above_the_finalized_head_there_is_nothing(world: World) -> None:
    async with watched(endpoint_of(world)) as chain:
        tip = (await chain.fetch_head()).tip
        assert await chain.fetch_block_ref(tip.number) == tip
        assert await chain.fetch_block_ref(tip.number + 1) is None
        assert await chain.fetch_blocks(tip.number + 1, tip.number + 9) == ()


async def test_fetches_are_bounded(asked: World) -> None:
    async with watched(endpoint_of(asked), most=3) as chain:
        assert len(await chain.fetch_blocks(1, 100)) == 3
        assert len((await chain.fetch_news(0, 100)).blocks) == 3


async def test_more_transactions_than_one_read_takes_come_in_several(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "MAX_TRANSACTIONS_PER_READ", 3)
    async with watched(endpoint_of(asked), most=64) as chain:
        first = await chain.fetch_news(0, 64)
        assert asked_in(list(first.blocks)) == []
        assert len(first.blocks) >= 3
        assert asked_in(await follow(chain, most=64)) == list(range(12))


async def test_a_long_history_is_read_page_by_page_and_from_the_middle(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions_module, "MAX_PAGE", 3)
    monkeypatch.setattr(mentions_module, "_LEAST_PAGE", 2)
    node = endpoint_of(asked)
    async with watched(node) as chain:
        assert asked_in(await follow(chain, most=2)) == list(range(12))
    pages = [call["params"][1] for calls in node.exchanges for call in calls if "Signatures" in call["method"]]
    assert max(page["limit"] for page in pages) == 3


async def test_a_history_above_is_passed_over_when_a_block_tells_where(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mentions_module, "MAX_PAGE", 2)
    monkeypatch.setattr(mentions_module, "_LEAST_PAGE", 2)
    first = first_request_slot(asked)
    node = endpoint_of(asked)
    async with watched(node) as chain:
        (block,) = await chain.fetch_blocks(first, first)
        assert len(block.observations) == 1
    pages = [call for calls in node.exchanges for call in calls if "Signatures" in call["method"]]
    assert len(pages) <= 3


# Endpoints of which one is not as it should be. M = 2 of N = 3.


def hide_signatures(method: str, _: list[Any], answer: Any) -> Any:
    """An index by address that lacks what a page or more would hold."""
    return [] if method == "getSignaturesForAddress" else answer


def hide_every_other(method: str, _: list[Any], answer: Any) -> Any:
    return answer[::2] if method == "getSignaturesForAddress" else answer


def call_failed(method: str, _: list[Any], answer: Any) -> Any:
    """Says of transactions that succeeded that they failed."""
    if method == "getSignaturesForAddress":
        return [{**entry, "err": {"InstructionError": [0, "Custom"]}} for entry in answer]
    return answer


def drop_events(method: str, _: list[Any], answer: Any) -> Any:
    if method == "getTransaction" and answer is not None:
        return {**answer, "meta": {**answer["meta"], "innerInstructions": []}}
    return answer


def drop_blocks(method: str, _: list[Any], answer: Any) -> Any:
    return answer[:1] + answer[2:] if method == "getBlocksWithLimit" else answer


def drop_first_block(method: str, _: list[Any], answer: Any) -> Any:
    return answer[1:] if method == "getBlocksWithLimit" else answer


def run_ahead(method: str, _: list[Any], answer: Any) -> Any:
    """Calls a head final that is not."""
    if method == "getLatestBlockhash":
        context = {**answer["context"], "slot": answer["context"]["slot"] + 50}
        return {"context": context, "value": {**answer["value"], "blockhash": str(SOLANA.reference_text)}}
    return answer


def shift_times(method: str, _: list[Any], answer: Any) -> Any:
    if method == "getBlock":
        return {**answer, "blockTime": answer["blockTime"] + 1}
    return answer


def turn_signatures(method: str, _: list[Any], answer: Any) -> Any:
    """Tells another place of each transaction in its block."""
    if method == "getBlock" and "signatures" in answer:
        return {**answer, "signatures": ["x", *answer["signatures"]]}
    return answer


def no_times(method: str, _: list[Any], answer: Any) -> Any:
    return {**answer, "blockTime": None} if method == "getBlock" else answer


LIES: dict[str, Spoil] = {
    spoil.__name__: spoil
    for spoil in (
        hide_signatures,
        hide_every_other,
        call_failed,
        drop_events,
        drop_blocks,
        drop_first_block,
        run_ahead,
        shift_times,
        turn_signatures,
        no_times,
    )
}


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("lie", LIES)
async def test_security_one_endpoint_of_three_that_lies_or_omits_loses_and_forges_nothing(
    asked: World, lie: str, place: int
) -> None:
    """SECURITY: a request that one endpoint leaves out would never be signed; one that it makes up would be."""
    nodes = [endpoint_of(asked) for _ in range(3)]
    nodes[place] = endpoint_of(asked, LIES[lie])
    async with watched(endpoint_of(asked)) as alone:
        truth = await follow(alone)
        head = await alone.fetch_head()
    async with watched(*nodes, quorum=2) as chain:
        assert await follow(chain) == truth
        assert await chain.fetch_head() == head


@pytest.mark.parametrize("lie", ["hide_signatures", "call_failed", "drop_events", "shift_times"])
async def test_security_two_that_differ_are_looked_at_again_and_nothing_is_skipped(asked: World, lie: str) -> None:
    """SECURITY: what one of two leaves out may have been left out: neither is believed."""
    first = first_request_slot(asked)
    async with watched(endpoint_of(asked), endpoint_of(asked, LIES[lie]), quorum=2) as chain:
        with pytest.raises(RpcDisagreement):
            await chain.fetch_blocks(first, first + 5)
        # What both tell alike is told.
        blocks = await chain.fetch_blocks(1, 2) if lie != "shift_times" else ()
        assert all(not isinstance(o, CallRequested) for block in blocks for o in block.observations)


@pytest.mark.parametrize("place", range(3))
async def test_a_missing_page_of_one_node_of_three_loses_no_request(asked: World, place: int) -> None:
    """The devnet's own fault: slots are missing from the index, and so is whatever page begins before one of theirs."""
    first = first_request_slot(asked)
    nodes = [endpoint_of(asked) for _ in range(3)]
    nodes[place] = with_fault(asked, hidden_signatures=range(first + 1, first + 6))
    async with watched(*nodes, quorum=2) as chain:
        assert asked_in(await follow(chain, most=3)) == list(range(12))


@pytest.mark.parametrize("lie", ["drop_blocks", "drop_first_block"])
async def test_security_a_block_that_is_left_out_is_missed(asked: World, lie: str) -> None:
    """SECURITY: its requests would never be seen. Each block names the one before it."""
    async with watched(endpoint_of(asked, LIES[lie])) as chain:
        with pytest.raises(RpcUnavailable, match="left out a block"):
            await chain.fetch_news(0, 8)


async def test_security_one_endpoint_cannot_make_slots_final(asked: World) -> None:
    """SECURITY: what is final is signed."""
    async with watched(endpoint_of(asked, run_ahead), endpoint_of(asked), endpoint_of(asked), quorum=2) as chain:
        assert (await chain.fetch_head()).final_number == asked.chain.ledger.open.slot - FINALIZED_AFTER


async def test_security_a_transaction_of_the_newest_version_hides_no_block(asked: World) -> None:
    """SECURITY: a node shows no block or transaction of a version that is not asked for, and anybody may send one."""

    def of_version_200(method: str, params: list[Any], answer: Any) -> Any:
        if method in {"getBlock", "getTransaction"} and params[1]["maxSupportedTransactionVersion"] < 200:
            raise NodeFault(-32015, "Transaction version (200) is not supported by the requesting client.")
        return answer

    async with watched(endpoint_of(asked, of_version_200)) as chain:
        assert asked_in(await follow(chain)) == list(range(12))


async def test_an_endpoint_that_lags_contradicts_nobody(asked: World) -> None:
    nodes = [lagging(asked, 6), endpoint_of(asked), endpoint_of(asked)]
    async with watched(*nodes, quorum=2) as chain:
        assert asked_in(await follow(chain)) == list(range(12))
        assert (await chain.fetch_head()).tip.number == asked.chain.ledger.open.slot - FINALIZED_AFTER


async def test_two_that_lag_hold_the_head_back(asked: World) -> None:
    nodes = [lagging(asked, 3), lagging(asked, 5), endpoint_of(asked)]
    async with watched(*nodes, quorum=2) as chain:
        head = await chain.fetch_head()
        assert head.tip.number <= asked.chain.ledger.open.slot - FINALIZED_AFTER - 3
        assert (await follow(chain))[-1].ref == head.tip


async def test_an_endpoint_that_is_down_costs_nothing(asked: World) -> None:
    async with watched(down(), endpoint_of(asked), endpoint_of(asked), quorum=2) as chain:
        assert asked_in(await follow(chain)) == list(range(12))


async def test_too_few_endpoints_are_no_answer(asked: World) -> None:
    async with watched(down(), down(), endpoint_of(asked), quorum=2) as chain:
        with pytest.raises(RpcUnavailable):
            await chain.fetch_news(0, 8)


async def test_security_an_index_behind_the_block_is_waited_for(asked: World) -> None:
    """SECURITY: behind a balancer the node that lists signatures may not have the block yet, and would list none."""
    seen: list[int] = []

    def behind(method: str, params: list[Any], answer: Any) -> Any:
        if method == "getSignaturesForAddress":
            seen.append(params[1]["minContextSlot"])
            if len(seen) < 3:
                raise NodeFault(-32016, "Minimum context slot has not been reached", {"contextSlot": 1})
        return answer

    async with watched(endpoint_of(asked, behind)) as chain:
        head = await chain.fetch_head()
        assert (await chain.fetch_news(0, 64)).blocks == ()
        assert (await chain.fetch_news(0, 64)).blocks == ()
        assert asked_in(list((await chain.fetch_news(0, 64)).blocks)) == list(range(12))
    assert seen == [head.tip.number] * 3


async def test_a_block_whose_transactions_are_not_written_yet_is_waited_for(asked: World) -> None:
    late = {"is": True}

    def not_yet(method: str, _: list[Any], answer: Any) -> Any:
        return None if method == "getTransaction" and late["is"] else answer

    async with watched(endpoint_of(asked, not_yet)) as chain:
        assert asked_in(await follow(chain)) == []
        late["is"] = False
        assert asked_in(await follow(chain)) == list(range(12))


async def test_security_a_transaction_that_nobody_can_read_beside_others_spoils_none(asked: World) -> None:
    """SECURITY: anybody can name the gateway in a transaction that no node writes beside others."""
    node = endpoint_of(asked)
    node.is_too_much = lambda calls: sum(call["method"] == "getTransaction" for call in calls) > 1
    async with watched(node, timeout_seconds=0.3) as chain:
        assert asked_in(await follow(chain, most=64)) == list(range(12))


async def test_security_an_endpoint_that_lists_without_end_is_given_up(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: it would have us ask forever."""
    monkeypatch.setattr(mentions_module, "_MAX_PAGES", 5)
    monkeypatch.setattr(mentions_module, "_LEAST_PAGE", 1)
    monkeypatch.setattr(mentions_module, "MAX_PAGE", 1)
    top = asked.ask("getSignaturesForAddress", [str(PROGRAM), {"limit": 1}])

    def endless(method: str, _: list[Any], answer: Any) -> Any:
        return top if method == "getSignaturesForAddress" else answer

    async with watched(endpoint_of(asked, endless)) as chain:
        with pytest.raises(RpcUnavailable, match="no end"):
            await chain.fetch_news(0, 64)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("getLatestBlockhash", None),
        ("getLatestBlockhash", {"context": {"slot": -1}, "value": {"blockhash": "1" * 32}}),
        ("getLatestBlockhash", {"context": {"slot": 3}, "value": {"blockhash": "0"}}),
        ("getBlocksWithLimit", None),
        ("getBlocksWithLimit", [2, 1]),
        ("getBlocksWithLimit", [0]),
        ("getBlocksWithLimit", list(range(1, 99))),
        ("getBlock", []),
        ("getBlock", {"parentSlot": 0, "previousBlockhash": "1" * 32, "blockhash": "1" * 32, "blockTime": "now"}),
        ("getBlock", {}),
        ("getSignaturesForAddress", {}),
        ("getSignaturesForAddress", [{}]),
        ("getSignaturesForAddress", [{"slot": 5, "signature": "x", "err": None}]),
        ("getSignaturesForAddress", [{"slot": 5, "signature": "1" * 89, "err": "failed"}]),
        ("getTransaction", []),
    ],
)
async def test_what_is_malformed_is_no_answer(asked: World, method: str, value: Any) -> None:
    def spoil(named: str, _: list[Any], answer: Any) -> Any:
        return value if named == method else answer

    async with watched(endpoint_of(asked, spoil)) as chain:
        with pytest.raises(RpcUnavailable):
            await chain.fetch_news(0, 64)


@pytest.mark.parametrize("slots", [[99], [2, 1], {}, [True]])
async def test_a_list_of_other_slots_is_no_answer(asked: World, slots: Any) -> None:
    def spoil(method: str, _: list[Any], answer: Any) -> Any:
        return slots if method == "getBlocks" else answer

    async with watched(endpoint_of(asked, spoil)) as chain:
        with pytest.raises(RpcUnavailable):
            await chain.fetch_block_ref(7)


async def test_a_node_that_lists_no_block_at_all_is_no_answer(asked: World) -> None:
    def spoil(method: str, _: list[Any], answer: Any) -> Any:
        return [] if method == "getBlocks" else answer

    async with watched(endpoint_of(asked, spoil)) as chain:
        with pytest.raises(RpcUnavailable, match="lists no block"):
            await chain.fetch_block_ref(7)


async def test_a_block_without_its_time_is_waited_for(asked: World) -> None:
    async with watched(endpoint_of(asked, no_times)) as chain:
        assert (await chain.fetch_news(0, 8)).blocks == ()


# Signer sets, and the gateway's own affairs.


async def test_the_sets_that_verify_are_told_and_a_cut_one_is_not(world: World) -> None:
    async with watched(endpoint_of(world)) as chain:
        (first,) = await chain.fetch_epochs((await chain.fetch_head()).tip)
        assert (first.epoch, first.signer_set, first.valid_until) == (1, world.set, world.set.valid_until)
        following = signer_set(signing_keys(5), 4, valid_until=NOW + 10**6)
        world.rotate(following)
        world.advance(FINALIZED_AFTER)
        head = await chain.fetch_head()
        (second,) = await chain.fetch_epochs(head.tip)
        assert (second.epoch, signer_set_hash(second.signer_set)) == (2, signer_set_hash(following))
        told = [o for block in await follow(chain) for o in block.observations if isinstance(o, EpochApplied)]
        assert [(o.epoch, o.signer_set) for o in told] == [(1, world.set), (2, following)]


async def test_security_one_endpoint_does_not_name_the_signers(world: World) -> None:
    """SECURITY: signatures of its friends would count for a quorum."""
    world.rotate(signer_set(signing_keys(4, first=9), 3))
    world.advance(FINALIZED_AFTER)

    def older(method: str, params: list[Any], answer: Any) -> Any:
        if method == "getMultipleAccounts" and len(params[0]) > 1:
            return {**answer, "value": answer["value"][:1] * 2}
        return answer

    async with watched(endpoint_of(world, older), endpoint_of(world), quorum=2) as chain:
        with pytest.raises(RpcDisagreement):
            await chain.fetch_epochs((await chain.fetch_head()).tip)


async def test_a_gateway_that_is_not_initialized_has_no_sets_and_no_fault() -> None:
    world = World()
    world.advance(FINALIZED_AFTER + 1)
    async with watched(endpoint_of(world)) as chain:
        assert await chain.fetch_epochs((await chain.fetch_head()).tip) == ()
        assert await chain.fetch_verifier_fault() == ""


async def test_a_gateway_that_was_told_another_chain_is_a_fault(world: World) -> None:
    elsewhere = Chain(Namespace.SOLANA, keccak256(b"elsewhere"))
    async with watched(endpoint_of(world), identity=elsewhere) as chain:
        assert (
            await chain.fetch_verifier_fault() == f"the gateway was initialized for {SOLANA}, and this is {elsewhere}"
        )


async def test_a_gateway_that_knows_its_chain_is_no_fault(world: World) -> None:
    async with watched(endpoint_of(world)) as chain:
        assert await chain.fetch_verifier_fault() == ""
