"""Reading, paying and asking on a real node."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.domain.observations import CallRequested
from relayer.errors import ConfigError
from relayer.ports.destination_vm import Answer
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult
from relayer.vms.evm import registration
from relayer.vms.evm.connect import EvmOpenChain
from relayer.vms.evm.headers import BloomFilter, header_call, parse_header
from relayer.vms.jsonrpc.rpc import RpcEndpoint
from tests.factories import make_query
from tests.integration.evm.acting import mine_and_fetch, send_all
from tests.integration.evm.network import Network, calldata

pytestmark = pytest.mark.anvil

GWEI = 10**9


def query(network: Network, payload: bytes, **changes: Any) -> Request:
    target = network.destination.account(network.destination.counter)
    return make_query(**{"target": target, "payload": payload, "execution_gas_limit": 100_000, **changes})


def transfer(value: int = 0, gas_limit: int = 21_000) -> PreparedCall:
    return PreparedCall(b"\x99" * 20, b"", gas_limit, 21_000, value, ())


async def test_blocks_are_linked_and_carry_the_chains_own_times(network: Network, source: EvmOpenChain) -> None:
    last = network.source.mine(5)
    blocks = await source.source.fetch_blocks(last - 4, last + 3)
    assert [block.ref.number for block in blocks] == list(range(last - 4, last + 1))
    for block in blocks:
        honest = network.source.web3.eth.get_block(block.ref.number)
        assert (block.ref.hash, block.parent_hash) == (bytes(honest["hash"]), bytes(honest["parentHash"]))
        assert block.timestamp == honest["timestamp"]
    assert await source.source.fetch_blocks(last + 1, last + 2) == ()
    assert await source.source.fetch_block_ref(last + 1) is None


async def test_the_bloom_of_a_real_block_knows_its_logs(network: Network, source: EvmOpenChain) -> None:
    network.ask(calldata(network.destination.counter, "increment", 1))
    number = network.source.mine()
    logs = network.source.web3.eth.get_logs({"fromBlock": number, "toBlock": number})
    endpoint: RpcEndpoint = source.source._parts.pool.members[0].endpoint
    (answer,) = await endpoint.call([header_call(number)])
    header = parse_header(answer, number)
    assert header is not None
    assert logs
    for log in logs:
        assert BloomFilter([(bytes.fromhex(log["address"][2:]), bytes(log["topics"][0]))]).may_hold(header)
    absent = [(keccak256(bytes([n]))[:20], keccak256(bytes([n, n]))) for n in range(50)]
    assert not BloomFilter(absent).may_hold(header)


async def test_finality_follows_the_nodes_tags(network: Network) -> None:
    network.source.mine(3)
    rule = FinalityRule(tag=FinalityTag.FINALIZED)
    chain = await registration.open_chain(network.settings(network.source, finality=rule))
    try:
        head = await chain.source.fetch_head()
    finally:
        await chain.close()
    assert head.final_number == network.source.web3.eth.get_block("finalized")["number"]
    assert head.final_number < head.tip.number


async def test_after_a_reorg_the_chain_tells_the_new_fork(network: Network, source: EvmOpenChain) -> None:
    payload = calldata(network.destination.counter, "increment", 1)
    expiry = network.source.web3.eth.get_block("latest")["timestamp"] + 300
    network.ask(payload, expiry=expiry)
    before = await mine_and_fetch(network.source, source)
    (old,) = [o for o in before.observations if isinstance(o, CallRequested)]
    network.source.mine()
    network.source.rpc("anvil_reorg", 2, [])
    number = before.ref.number
    now = await source.source.fetch_block_ref(number)
    assert now is not None
    assert now != before.ref
    (block,) = await source.source.fetch_blocks(number, number)
    assert (block.ref, block.observations) == (now, ())
    network.ask(payload, expiry=expiry)
    (again,) = [o for o in (await mine_and_fetch(network.source, source)).observations if isinstance(o, CallRequested)]
    # The nonce was given back with the fork: the same request stands elsewhere now.
    assert again.request_id == old.request_id
    assert again.location != old.location


async def test_a_query_reads_the_state_of_its_moment(network: Network, destination: EvmOpenChain) -> None:
    there, counter = network.destination, network.destination.counter
    account = there.web3.eth.accounts[2]
    moments = []
    for _ in range(4):
        counter.functions.increment(1).transact({"from": account, "gas": 100_000})
        there.pass_seconds(2)
        moments.append(there.web3.eth.get_block("latest"))
    asked = query(network, calldata(counter, "count"))
    for place, moment in enumerate(moments[:-1]):
        pin = await destination.destination.fetch_pin(moment["timestamp"])
        assert pin is not None
        assert (pin.block.number, pin.child.number) == (moment["number"], moment["number"] + 1)
        (answer,) = await destination.destination.fetch_answers(pin.block, [asked])
        assert answer == Answer(OutcomeKind.EXECUTED, cut=False, return_data=(place + 1).to_bytes(32, "big"))
    assert await destination.destination.fetch_pin(moments[-1]["timestamp"]) is None


async def test_queries_end_as_the_virtual_machine_ends_them(network: Network, destination: EvmOpenChain) -> None:
    there, counter = network.destination, network.destination.counter
    there.pass_seconds(2)
    pin = await destination.destination.fetch_pin(there.web3.eth.get_block("latest")["timestamp"] - 1)
    assert pin is not None
    code_hash = keccak256(bytes(there.web3.eth.get_code(counter.address)))
    answers = await destination.destination.fetch_answers(
        pin.block,
        [
            query(network, calldata(counter, "answer", 70), return_limit=64),
            query(network, calldata(counter, "fail", 5)),
            query(network, calldata(counter, "burn")),
            query(network, calldata(counter, "count"), execution_gas_limit=20_000),
            query(network, b"\x00"),
            query(network, b"", target=evm_account(there.chain_id, b"\x99" * 20).to_bytes()),
            query(network, b"\x01" * 32, target=evm_account(there.chain_id, bytes(19) + b"\x02").to_bytes()),
            query(network, calldata(counter, "count"), code_hash=code_hash),
            query(network, calldata(counter, "count"), code_hash=keccak256(b"other")),
        ],
    )
    kinds = [answer.kind for answer in answers if answer is not None]
    assert kinds == [
        OutcomeKind.EXECUTED,
        OutcomeKind.REVERTED,
        OutcomeKind.REVERTED,
        OutcomeKind.REVERTED,
        OutcomeKind.REVERTED,
        OutcomeKind.UNREACHED,
        OutcomeKind.UNREACHED,
        OutcomeKind.EXECUTED,
        OutcomeKind.UNREACHED,
    ]
    assert answers[0] == Answer(
        OutcomeKind.EXECUTED, cut=True, return_data=(32).to_bytes(32, "big") + (70).to_bytes(32, "big")
    )
    assert answers[1] is not None
    assert answers[1].return_data[4:] == (5).to_bytes(32, "big")


async def test_a_block_that_left_the_chain_gives_no_answer(network: Network, destination: EvmOpenChain) -> None:
    there = network.destination
    there.mine(2)
    gone = await destination.destination.fetch_block_ref(there.web3.eth.block_number)
    assert gone is not None
    there.rpc("anvil_reorg", 1, [])
    asked = query(network, calldata(there.counter, "count"))
    assert await destination.destination.fetch_answers(gone, [asked]) == [None]


async def test_a_real_pool_says_what_it_thinks_of_a_transaction(network: Network, source: EvmOpenChain) -> None:
    wallet, chain = source.wallet, network.source
    bid = await wallet.fetch_fee_bid()
    nonce = await wallet.fetch_next_nonce()
    first = wallet.sign(transfer(), nonce, bid)
    assert await wallet.send([first.raw]) == [SendResult.ACCEPTED]
    assert await wallet.send([first.raw]) == [SendResult.KNOWN]
    cheap = wallet.sign(transfer(), nonce, replace(bid, max_fee=bid.max_fee - 1, priority_fee=1))
    assert await wallet.send([cheap.raw]) == [SendResult.UNDERPRICED]
    dear = wallet.sign(transfer(1), nonce, FeeBid(3 * bid.max_fee, 2 * GWEI, bid.max_fee))
    assert await wallet.send([dear.raw]) == [SendResult.ACCEPTED]
    assert await wallet.fetch_receipts([first.hash, dear.hash]) == [None, None]
    chain.mine()
    lost, mined = await wallet.fetch_receipts([first.hash, dear.hash])
    assert lost is None
    assert mined is not None
    assert mined.is_success
    assert mined.block == await source.source.fetch_block_ref(chain.web3.eth.block_number)
    assert await wallet.fetch_next_nonce() == nonce + 1
    assert await wallet.send([first.raw]) == [SendResult.NONCE_TOO_LOW]
    poor = wallet.sign(transfer(10**30), nonce + 1, bid)
    assert await wallet.send([poor.raw]) == [SendResult.INSUFFICIENT_FUNDS]


async def test_what_a_transaction_cost_is_what_the_account_lost(network: Network, source: EvmOpenChain) -> None:
    before = await source.wallet.fetch_balance()
    (tx_hash,) = await send_all(source, [transfer(5)])
    network.source.mine()
    (receipt,) = await source.wallet.fetch_receipts([tx_hash])
    assert receipt is not None
    assert before - await source.wallet.fetch_balance() == receipt.cost + 5
    assert receipt.gas_used == 21_000


async def test_many_transactions_go_out_in_one_exchange_and_are_all_mined(
    network: Network, source: EvmOpenChain
) -> None:
    hashes = await send_all(source, [transfer() for _ in range(250)])
    network.source.mine()
    receipts = await source.wallet.fetch_receipts(hashes)
    assert all(receipt is not None and receipt.is_success for receipt in receipts)


async def test_a_new_block_wakes_whoever_watches(network: Network) -> None:
    # So slow a chain that only the socket can wake.
    chain = await registration.open_chain(network.settings(network.source, block_time_seconds=1_000.0))
    try:
        async with asyncio.timeout(20):
            stream = chain.source.wake_ups()
            await anext(stream)
            await anext(stream)  # the subscription is confirmed
            network.source.mine()
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]
    finally:
        await chain.close()


async def test_an_endpoint_of_another_chain_is_refused(network: Network) -> None:
    urls = (network.source.url, network.destination.url)
    with pytest.raises(ConfigError, match="does not serve"):
        await registration.open_chain(network.settings(network.source, rpc_urls=urls))
