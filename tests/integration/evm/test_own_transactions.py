"""Our own transactions on a real node: dropped, outbid, reorganised, rivalled, unpayable. The queue always goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from relayer.ports.store import Attempt, Commit, TransactionStatus
from relayer.ports.wallet import FeeBid, PreparedCall
from relayer.vms.evm.connect import EvmOpenChain
from tests.integration.evm.following import Follower
from tests.integration.evm.network import RELAYER_SECRET, LocalChain, Network

pytestmark = pytest.mark.anvil

GWEI = 10**9
CALL = PreparedCall(b"\x99" * 20, b"", 21_000, 21_000, 1, ())
SIGNED, MINED, CONFIRMED, LOST = (
    TransactionStatus.SIGNED,
    TransactionStatus.MINED,
    TransactionStatus.CONFIRMED,
    TransactionStatus.LOST,
)
RESEND, REPLACE = 16.0, 46.0
"""Seconds after which a transaction is handed over again, and outbid."""


def pooled(chain: LocalChain) -> list[str]:
    """Hashes that wait in the node's pool."""
    content = chain.rpc("txpool_content")
    waiting = [*content["pending"].values(), *content["queued"].values()]
    return [transaction["hash"] for by_nonce in waiting for transaction in by_nonce.values()]


def text(tx_hash: bytes) -> str:
    return "0x" + tx_hash.hex()


async def follow(network: Network, source: EvmOpenChain) -> Follower:
    """From the tip on."""
    follower = Follower(source, network.routes, network.source.web3.eth.block_number)
    await follower.watch()
    return follower


async def test_a_transaction_that_never_left_the_process_leaves_after_a_restart(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    kept = await follower.record(CALL, 0, is_sent=False)
    assert pooled(network.source) == []
    follower.clock.seconds += 1
    follower.start()
    assert await follower.confirm() == [SIGNED]
    assert pooled(network.source) == [text(kept.attempts[0].hash)]
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED]


async def test_a_transaction_that_the_pool_dropped_is_handed_over_again_and_later_ones_follow(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    first, second = [await follower.record(CALL, nonce) for nonce in (0, 1)]
    network.source.rpc("anvil_dropTransaction", text(first.attempts[0].hash))
    network.source.mine()
    assert await follower.confirm() == [SIGNED, SIGNED]
    await follower.confirm(RESEND)
    assert sorted(pooled(network.source)) == sorted(text(t.attempts[0].hash) for t in (first, second))
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED, CONFIRMED]


async def test_a_base_fee_spike_is_ridden_out_by_bids_that_rise_on_both_fields_and_never_above_the_cap(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    first = await follower.record(CALL, 0)
    network.source.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
    network.source.mine()
    assert await follower.confirm(REPLACE) == [SIGNED]
    bids = [(attempt.max_fee, attempt.priority_fee) for attempt in follower.transactions[0].attempts]
    assert len(bids) == 2
    assert all(new * 10 >= old * 11 for old, new in zip(*bids, strict=True))
    assert 100 * GWEI < bids[1][0] <= source.wallet.max_fee_cap
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED]
    assert follower.transactions[0].attempts[0] == first.attempts[0]


async def test_above_the_cap_it_waits_and_goes_on_when_the_base_fee_falls(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    await follower.record(CALL, 0)
    network.source.rpc("anvil_setNextBlockBaseFeePerGas", hex(2_000 * GWEI))
    network.source.mine()
    for _ in range(20):
        assert await follower.confirm(REPLACE) == [SIGNED]
    assert all(a.max_fee <= source.wallet.max_fee_cap for a in follower.transactions[0].attempts)
    network.source.rpc("anvil_setNextBlockBaseFeePerGas", hex(1 * GWEI))
    network.source.mine()
    await follower.confirm(RESEND)
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED]


async def test_a_nonce_that_somebody_else_used_is_lost_and_wedges_nothing(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    await follower.record(CALL, 0, is_sent=False)
    later = await follower.record(CALL, 1)
    foreign = Web3().eth.account.sign_transaction(
        {
            "to": "0x" + "77" * 20, "value": 1, "gas": 21_000, "nonce": 0, "chainId": network.source.chain_id,
            "maxFeePerGas": 50 * GWEI, "maxPriorityFeePerGas": GWEI,
        },
        RELAYER_SECRET,
    )  # fmt: skip
    network.source.web3.eth.send_raw_transaction(foreign.raw_transaction)
    network.source.mine()
    await follower.watch()
    assert await follower.confirm(RESEND) == [LOST, CONFIRMED]
    assert text(later.attempts[0].hash) not in pooled(network.source)
    assert await follower.store.load_held_nonces(source.source.caip2, source.wallet.address, 0) == {1}
    assert await source.wallet.fetch_next_nonce() == 2


async def test_a_transaction_in_a_block_that_a_fork_dropped_lands_again(network: Network, source: EvmOpenChain) -> None:
    follower = await follow(network, source)
    transaction = await follower.record(CALL, 0)
    network.source.mine()
    follower.desk.tips[source.source.caip2].final_number = 0
    assert await follower.confirm() == [MINED]
    network.source.rpc("anvil_reorg", 1, [])
    assert await follower.confirm() == [MINED]
    follower.desk.tips[source.source.caip2].rewinds += 1  # as the watching stage does when it leaves a fork
    assert await follower.confirm() == [SIGNED]
    await follower.confirm(RESEND)
    assert pooled(network.source) == [text(transaction.attempts[0].hash)]
    network.source.mine()
    assert await follower.confirm() == [MINED]
    follower.desk.tips[source.source.caip2].final_number = network.source.web3.eth.block_number
    assert await follower.confirm() == [CONFIRMED]


async def test_what_the_account_cannot_pay_for_is_not_made_dearer_and_goes_on_once_it_is_funded(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    account = "0x" + source.wallet.address.hex()
    network.source.rpc("anvil_setBalance", account, "0x1")
    await follower.record(CALL, 0)
    for _ in range(5):
        assert await follower.confirm(REPLACE) == [SIGNED]
    assert len(follower.transactions[0].attempts) <= 2
    assert pooled(network.source) == []
    network.source.rpc("anvil_setBalance", account, hex(10**21))
    await follower.confirm(RESEND)
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED]


async def test_a_market_that_rose_is_followed_beyond_the_most_replacements(
    network: Network, source: EvmOpenChain
) -> None:
    follower = await follow(network, source)
    await follower.record(CALL, 0, is_sent=False)
    [transaction] = follower.transactions
    settings = follower.desk.settings
    attempt = transaction.attempts[0]
    for _ in range(settings.max_attempts - 1):
        bid = FeeBid(attempt.max_fee + 1, attempt.priority_fee + 1, 1)
        signed = source.wallet.sign(CALL, 0, bid)
        attempt = Attempt(signed.hash, signed.raw, bid.max_fee, bid.priority_fee, follower.clock.now())
        [transaction] = follower.transactions
        await follower.store.commit(
            Commit(transactions=(replace(transaction, attempts=(*transaction.attempts, attempt)),))
        )
    network.source.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
    network.source.mine()
    await follower.confirm(REPLACE)
    assert len(follower.transactions[0].attempts) == settings.max_attempts + 1
    network.source.mine()
    await follower.watch()
    assert await follower.confirm() == [CONFIRMED]
