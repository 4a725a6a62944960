"""Slots, blocks, signatures and commitments, and what is said of those that are not there."""

from __future__ import annotations

from typing import Any

import pytest
from solders.pubkey import Pubkey

from relayer.devnet.svm.chain import Chain, ChainSettings
from tests.integration.devnet.svm.cluster import FINALIZED_AFTER, GENESIS_TIME, Cluster, memo, running_cluster

V0 = {"maxSupportedTransactionVersion": 0}
CONFIRMED = {"commitment": "confirmed"}


async def slots_of(cluster: Cluster) -> dict[str, int]:
    levels = ("processed", "confirmed", "finalized")
    return {level: await cluster.ask("getSlot", {"commitment": level}) for level in levels}


async def signatures(cluster: Cluster, key: Pubkey, **options: Any) -> list[str]:
    found = await cluster.ask("getSignaturesForAddress", str(key), {**CONFIRMED, **options})
    return [entry["signature"] for entry in found]


async def test_slots_pass_and_commitments_follow(cluster: Cluster) -> None:
    slot = await cluster.advance()
    expected = {"processed": slot, "confirmed": slot - 1, "finalized": slot - FINALIZED_AFTER}
    assert await slots_of(cluster) == expected
    assert await cluster.advance() == slot + 1


async def test_a_transaction_ages_from_processed_to_finalized(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    signature = await cluster.run(cluster.pay(to, 10**9))
    seen, balances = [], []
    for _ in range(FINALIZED_AFTER + 1):
        (status,) = (await cluster.ask("getSignatureStatuses", [signature]))["value"]
        seen.append((status["confirmationStatus"], status["confirmations"]))
        balances.append([await cluster.balance(to, level) for level in ("processed", "confirmed", "finalized")])
        await cluster.advance()
    assert seen == [("processed", 0), ("confirmed", 1), ("confirmed", 2), ("finalized", None)]
    assert balances == [[10**9, 0, 0], [10**9, 10**9, 0], [10**9, 10**9, 0], [10**9, 10**9, 10**9]]


async def test_the_state_of_a_program_is_that_of_the_commitment(cluster: Cluster) -> None:
    # The system program's accounts come and go with lamports.
    to = Pubkey.new_unique()
    await cluster.run(cluster.pay(to, 10**9))
    system = str(Pubkey.default())
    for level, is_there in (("processed", True), ("finalized", False)):
        found = await cluster.ask("getProgramAccounts", system, {"commitment": level, "encoding": "base64"})
        assert (str(to) in {entry["pubkey"] for entry in found}) is is_there


async def test_a_transaction_is_not_shown_below_its_commitment(cluster: Cluster) -> None:
    signature = await cluster.run(memo("wait"))
    assert await cluster.ask("getTransaction", signature, {**V0, **CONFIRMED}) is None
    await cluster.advance()
    assert (await cluster.ask("getTransaction", signature, {**V0, **CONFIRMED}))["blockTime"] == GENESIS_TIME
    assert await cluster.ask("getTransaction", signature, V0) is None
    fault = await cluster.fault_of("getTransaction", signature, {"commitment": "processed"})
    assert (fault.code, fault.message) == (
        -32602,
        "Invalid params: Method does not support commitment below `confirmed`",
    )


async def test_blocks_hang_together(cluster: Cluster) -> None:
    sent = [await cluster.run(memo("first")), await cluster.run(memo("second"))]
    slot = await cluster.ask("getSlot", {"commitment": "processed"})
    await cluster.finalize()
    full = await cluster.ask("getBlock", slot, V0)
    assert [entry["transaction"]["signatures"][0] for entry in full["transactions"]] == sent
    bare = await cluster.ask("getBlock", slot, {**V0, "transactionDetails": "none", "rewards": False})
    assert set(bare) == {"blockhash", "previousBlockhash", "parentSlot", "blockHeight", "blockTime"}
    named = await cluster.ask("getBlock", slot, {**V0, "transactionDetails": "signatures", "rewards": False})
    assert named == {**bare, "signatures": sent}
    parent = await cluster.ask("getBlock", bare["parentSlot"], V0)
    assert (parent["blockhash"], parent["blockHeight"]) == (bare["previousBlockhash"], bare["blockHeight"] - 1)


async def test_skipped_slots_have_no_block_and_no_height(cluster: Cluster) -> None:
    before = await cluster.ask("getSlot", {"commitment": "processed"})
    height = await cluster.ask("getBlockHeight", {"commitment": "processed"})
    await cluster.ask("devnet_skipSlots", 2)
    after = await cluster.advance()
    assert after == before + 3
    assert await cluster.ask("getBlockHeight", {"commitment": "processed"}) == height + 1
    await cluster.finalize()
    assert await cluster.ask("getBlocks", before, after) == [before, after]
    assert await cluster.ask("getBlocksWithLimit", before, 2) == [before, after]
    assert (await cluster.ask("getBlock", after, V0))["parentSlot"] == before
    fault = await cluster.fault_of("getBlock", before + 1, V0)
    assert (fault.code, fault.message) == (
        -32007,
        f"Slot {before + 1} was skipped, or missing due to ledger jump to recent snapshot",
    )
    await cluster.advance(400)
    assert (await cluster.fault_of("getBlock", before + 1, V0)).code == -32009


async def test_a_clock_that_is_ahead_never_goes_back(cluster: Cluster) -> None:
    times = []
    for ahead in (0, 600, 300, 900):
        await cluster.ask("devnet_setAhead", ahead)
        slot = await cluster.advance()
        await cluster.finalize()
        times.append((await cluster.ask("getBlock", slot, V0))["blockTime"] - GENESIS_TIME)
    assert times == [0, 600, 600, 900]


async def test_a_long_gap_leaves_the_state_before_it_readable(cluster: Cluster) -> None:
    to = Pubkey.new_unique()
    await cluster.run(cluster.pay(to, 10**9))
    await cluster.ask("devnet_skipSlots", 150)
    await cluster.advance()
    await cluster.run(cluster.pay(to, 10**9))
    balances = [await cluster.balance(to, level) for level in ("processed", "confirmed", "finalized")]
    assert balances == [2 * 10**9, 10**9, 10**9]
    await cluster.ask("devnet_setLag", 200)
    assert await cluster.balance(to) == 0


async def test_a_block_that_is_not_there_yet_is_not_available(cluster: Cluster) -> None:
    slot = await cluster.ask("getSlot", {"commitment": "processed"})
    for settings in (V0, {**V0, **CONFIRMED}):
        fault = await cluster.fault_of("getBlock", slot, settings)
        assert (fault.code, fault.message) == (-32004, f"Block not available for slot {slot}")


async def test_a_block_whose_statuses_are_late_says_so(cluster: Cluster) -> None:
    slot = await cluster.ask("getSlot", CONFIRMED)
    await cluster.ask("devnet_hideStatuses", slot, slot + 1)
    fault = await cluster.fault_of("getBlock", slot, {**V0, **CONFIRMED})
    assert (fault.code, fault.message) == (-32014, f"Block status not yet available for slot {slot}")
    await cluster.ask("devnet_hideStatuses", 0, 0)
    assert await cluster.ask("getBlock", slot, {**V0, **CONFIRMED})


@pytest.mark.parametrize("limits", [{"kept_slots": 600}, {"kept_transactions": 0}])
async def test_what_is_too_old_is_forgotten(limits: dict[str, int]) -> None:
    async with running_cluster(**limits) as small:
        signature = await small.run(memo("long ago"))
        await small.advance(700)
        first = await small.ask("getFirstAvailableBlock")
        assert first > 1
        fault = await small.fault_of("getBlock", 1, V0)
        text = f"Block 1 cleaned up, does not exist on node. First available block: {first}"
        assert (fault.code, fault.message) == (-32001, text)
        assert await small.ask("getTransaction", signature, V0) is None
        assert await signatures(small, small.payer.pubkey()) == []


async def test_signatures_come_newest_first_and_in_pages(cluster: Cluster) -> None:
    mine = cluster.payer.pubkey()
    (earlier,) = await signatures(cluster, mine)
    sent = []
    for number in range(5):
        sent.append(await cluster.run(memo(f"number {number}")))
        if number % 2:
            await cluster.advance()
    await cluster.advance()
    newest_first = sent[::-1]
    assert await signatures(cluster, mine) == [*newest_first, earlier]
    assert await signatures(cluster, mine, limit=2) == newest_first[:2]
    assert await signatures(cluster, mine, limit=2, before=newest_first[1]) == newest_first[2:4]
    assert await signatures(cluster, mine, until=newest_first[2]) == newest_first[:2]
    assert await signatures(cluster, mine, before=newest_first[0], until=earlier) == newest_first[1:]
    assert await signatures(cluster, mine, before="1" * 64) == []


async def test_a_hole_in_the_index_hides_signatures_but_not_transactions(cluster: Cluster) -> None:
    mine = cluster.payer.pubkey()
    hidden = await cluster.run(memo("hidden"))
    slot = await cluster.ask("getSlot", {"commitment": "processed"})
    await cluster.advance()
    shown = await cluster.run(memo("shown"))
    await cluster.advance()
    await cluster.ask("devnet_hideSignatures", slot, slot + 1)
    assert hidden not in await signatures(cluster, mine)
    assert await signatures(cluster, mine, before=hidden) == []
    assert await cluster.ask("getTransaction", hidden, {**V0, **CONFIRMED}) is not None
    await cluster.ask("devnet_hideSignatures", 0, 0)
    assert (await signatures(cluster, mine))[:2] == [shown, hidden]


async def test_a_lagging_node_answers_of_the_past_and_says_that_it_is_behind(cluster: Cluster) -> None:
    to, now = Pubkey.new_unique(), await slots_of(cluster)
    signature = await cluster.run(cluster.pay(to, 10**9))
    await cluster.advance()
    assert await cluster.ask("getHealth") == "ok"
    await cluster.ask("devnet_setLag", 2)
    assert await slots_of(cluster) == {level: slot - 1 for level, slot in now.items()}
    assert await cluster.balance(to) == 0
    assert (await cluster.ask("getSignatureStatuses", [signature]))["value"] == [None]
    assert await signatures(cluster, to) == []
    fault = await cluster.fault_of("getHealth")
    assert (fault.code, fault.message, fault.data) == (-32005, "Node is behind by 2 slots", {"numSlotsBehind": 2})
    wanted = {"commitment": "processed", "minContextSlot": now["processed"]}
    fault = await cluster.fault_of("getBalance", str(to), wanted)
    assert (fault.code, fault.data) == (-32016, {"contextSlot": now["processed"] - 1})
    await cluster.ask("devnet_setLag", 0)
    assert (await cluster.ask("getBalance", str(to), wanted))["value"] == 10**9


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getSlot", []),
        ("getBlockHeight", []),
        ("getBalance", ["11111111111111111111111111111111"]),
        ("getAccountInfo", ["11111111111111111111111111111111"]),
        ("getMultipleAccounts", [["11111111111111111111111111111111"]]),
        ("getSignaturesForAddress", ["11111111111111111111111111111111"]),
        ("getLatestBlockhash", []),
    ],
)
async def test_a_context_slot_above_the_node_s_is_not_reached(cluster: Cluster, method: str, params: list[Any]) -> None:
    fault = await cluster.fault_of(method, *params, {"minContextSlot": 10**6})
    assert (fault.code, fault.message) == (-32016, "Minimum context slot has not been reached")


async def test_two_names_are_two_clusters(cluster: Cluster) -> None:
    other = Chain(ChainSettings(name="another"), lambda: GENESIS_TIME)
    assert await cluster.ask("getGenesisHash") == str(cluster.chain.genesis_hash) != str(other.genesis_hash)
