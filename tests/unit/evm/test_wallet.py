from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_account import Account

from attestation.keccak import keccak256
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult, TransactionReceipt
from relayer.vms.evm.quantities import format_data
from relayer.vms.evm.wallet import EvmWallet
from tests.unit.jsonrpc.scripted_node import CHAIN_ID, NodeFault, ScriptedNode, serve_pool

SECRET = b"\x07" * 32
GWEI = 10**9
CAP = 100 * GWEI
TX_HASH = b"\x4a" * 32
CALL = PreparedCall(b"\xd5" * 20, b"\x01\x02", 700_000, 90_000, 0, ())


@asynccontextmanager
async def wallet_at(*nodes: ScriptedNode, quorum: int) -> AsyncIterator[EvmWallet]:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        yield EvmWallet(pool, CHAIN_ID, SECRET, CAP)


def saying(value: Any) -> ScriptedNode:
    return ScriptedNode(lambda *_: value)


def fees(base: int, *tips: int) -> ScriptedNode:
    history = {"oldestBlock": "0x1", "baseFeePerGas": ["0x1", hex(base)], "reward": [[hex(tip)] for tip in tips]}
    return saying(history)


def refusing(*messages: str) -> ScriptedNode:
    """Refuses transactions in turn with these messages; takes those with an empty one."""
    remaining = list(messages)

    def answer(*_: Any) -> Any:
        message = remaining.pop(0)
        if message:
            raise NodeFault(-32000, message)
        return format_data(TX_HASH)

    return ScriptedNode(answer)


def receipt(**changes: Any) -> dict[str, Any]:
    return {
        "transactionHash": format_data(TX_HASH),
        "blockNumber": "0x7",
        "blockHash": format_data(b"\x0b" * 32),
        "status": "0x1",
        "gasUsed": "0x64",
        "effectiveGasPrice": "0x3",
        **changes,
    }


async def test_the_account_is_the_keys() -> None:
    async with wallet_at(saying(None), quorum=1) as wallet:
        assert format_data(wallet.address) == Account.from_key(SECRET).address.lower()
        assert wallet.payee == bytes(12) + wallet.address
        assert wallet.max_fee_cap == CAP


async def test_security_the_key_is_shown_nowhere() -> None:
    """SECURITY: a key in a log or a traceback is a lost key."""
    async with wallet_at(saying(None), quorum=1) as wallet:
        shown = repr(wallet) + str(wallet)
    assert SECRET.hex() not in shown
    assert repr(SECRET) not in shown


async def test_signing_is_deterministic_and_what_was_asked_for() -> None:
    async with wallet_at(saying(None), quorum=1) as wallet:
        signed = wallet.sign(CALL, 4, FeeBid(9, 2, 5))
        assert signed == wallet.sign(CALL, 4, FeeBid(9, 2, 5))
        assert signed.hash == keccak256(signed.raw)
        assert Account.recover_transaction(signed.raw).lower() == format_data(wallet.address)
        assert signed != wallet.sign(CALL, 5, FeeBid(9, 2, 5))


async def test_a_bid_is_twice_the_base_fee_and_the_median_tip() -> None:
    async with wallet_at(fees(10 * GWEI, GWEI, 0, 3 * GWEI, 2 * GWEI), quorum=1) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(22 * GWEI, 2 * GWEI, 12 * GWEI)


async def test_a_bid_stays_under_the_cap() -> None:
    async with wallet_at(fees(90 * GWEI, GWEI), quorum=1) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(CAP, GWEI, 91 * GWEI)
    async with wallet_at(fees(500 * GWEI, 200 * GWEI), quorum=1) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(CAP, CAP, CAP)


async def test_empty_blocks_leave_the_least_tip_that_miners_take() -> None:
    async with wallet_at(fees(7, 0, 0), quorum=1) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(14 + 10**6, 10**6, 7 + 10**6)


async def test_security_one_endpoint_cannot_raise_our_bid() -> None:
    """SECURITY: a liar would have us burn money up to the cap at every transaction."""
    async with wallet_at(fees(90 * GWEI, 90 * GWEI), fees(GWEI, GWEI), fees(GWEI, GWEI), quorum=2) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(3 * GWEI, GWEI, 2 * GWEI)


@pytest.mark.parametrize("history", [None, [], {}, {"baseFeePerGas": [], "reward": []}, {"baseFeePerGas": ["0x1"]}])
async def test_a_malformed_fee_history_is_no_answer(history: Any) -> None:
    async with wallet_at(saying(history), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_fee_bid()


async def test_security_one_endpoint_cannot_make_us_skip_nonces() -> None:
    """SECURITY: a gap in the nonces stops everything that comes after it."""
    async with wallet_at(saying("0xff"), saying("0x7"), saying("0x6"), quorum=2) as wallet:
        assert await wallet.fetch_next_nonce() == 7
        assert await wallet.fetch_balance() == 7


def account(base: int, tip: int, nonce: int, balance: int) -> ScriptedNode:
    node = fees(base, tip)
    node.overrides["eth_getTransactionCount"] = lambda _: hex(nonce)
    node.overrides["eth_getBalance"] = lambda _: hex(balance)
    return node


async def test_security_the_terms_are_what_each_question_alone_would_tell_in_one_exchange() -> None:
    """SECURITY: one liar can neither raise our bids nor skip our nonces."""
    nodes = [
        account(10 * GWEI, GWEI, 7, 50),
        account(900 * GWEI, 90 * GWEI, 99, 10**30),
        account(9 * GWEI, GWEI, 6, 40),
    ]
    async with wallet_at(*nodes, quorum=2) as wallet:
        terms = await wallet.fetch_terms()
        assert [node.methods.count("eth_feeHistory") for node in nodes] == [1, 1, 1]
        assert [len(node.exchanges[-1]) for node in nodes] == [3, 3, 3]
        assert terms.bid == await wallet.fetch_fee_bid() == FeeBid(21 * GWEI, GWEI, 11 * GWEI)
        assert terms.next_nonce == await wallet.fetch_next_nonce() == 7
        assert terms.balance == await wallet.fetch_balance() == 50


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (["", "nonce too low", "txpool is full"], SendResult.ACCEPTED),
        (["already known", "nonce too low", "nonce too low"], SendResult.KNOWN),
        (["nonce too low", "nonce too low", "txpool is full"], SendResult.NONCE_TOO_LOW),
        (["nonce too low", "txpool is full", "rate limited"], SendResult.REFUSED),
        (["transaction underpriced", "txpool is full", "insufficient funds"], SendResult.UNDERPRICED),
    ],
)
async def test_one_endpoint_that_takes_a_transaction_is_enough(answers: Sequence[str], result: SendResult) -> None:
    async with wallet_at(*map(refusing, answers), quorum=1) as wallet:
        assert await wallet.send([b"\x02"]) == [result]


async def test_transactions_are_handed_over_in_order_as_one_exchange() -> None:
    node = refusing("", "nonce too low", "")
    async with wallet_at(node, quorum=1) as wallet:
        results = await wallet.send([b"\x02\x01", b"\x02\x02", b"\x02\x03"])
        assert await wallet.send([]) == []
    assert results == [SendResult.ACCEPTED, SendResult.NONCE_TOO_LOW, SendResult.ACCEPTED]
    assert [call["params"] for call in node.exchanges[-1]] == [["0x0201"], ["0x0202"], ["0x0203"]]


async def test_a_receipt_tells_what_was_paid() -> None:
    expected = TransactionReceipt(TX_HASH, BlockRef(7, b"\x0b" * 32), is_success=True, gas_used=100, cost=300)
    async with wallet_at(saying(receipt()), quorum=1) as wallet:
        assert await wallet.fetch_receipts([TX_HASH]) == [expected]
        assert await wallet.fetch_receipts([]) == []


async def test_a_rollups_data_fee_is_a_cost_too() -> None:
    async with wallet_at(saying(receipt(l1Fee="0x5", status="0x0")), quorum=1) as wallet:
        (found,) = await wallet.fetch_receipts([TX_HASH])
    assert found is not None
    assert (found.cost, found.is_success) == (305, False)


async def test_what_too_few_endpoints_know_as_mined_is_not_mined() -> None:
    for other in (saying(None), saying(receipt(blockHash=format_data(bytes(32))))):
        async with wallet_at(saying(receipt()), other, quorum=2) as wallet:
            assert await wallet.fetch_receipts([TX_HASH]) == [None]


@pytest.mark.parametrize(
    "answer", [[], receipt(transactionHash="0x" + "00" * 32), receipt(status=None), receipt(gasUsed=7)]
)
async def test_a_malformed_receipt_is_no_answer(answer: Any) -> None:
    async with wallet_at(saying(answer), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_receipts([TX_HASH])


@pytest.mark.parametrize(
    "change",
    [
        {"gasUsed": hex(2**63)},
        {"blockNumber": hex(2**63)},
        {"effectiveGasPrice": hex(2**256 - 1)},
        {"gasUsed": "0x1", "effectiveGasPrice": hex(2**256 - 1), "l1Fee": "0x1"},
    ],
)
async def test_security_a_receipt_with_a_number_beyond_bounds_is_no_answer(change: dict[str, str]) -> None:
    """SECURITY: what an endpoint makes up would otherwise end the process where it is stored."""
    async with wallet_at(saying(receipt(**change)), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_receipts([TX_HASH])


async def test_security_a_nonce_beyond_bounds_is_no_answer() -> None:
    """SECURITY: it could be neither stored nor signed, and would end the process."""
    async with wallet_at(saying(hex(2**63 - 1)), quorum=1) as wallet:
        assert await wallet.fetch_next_nonce() == 2**63 - 1
    async with wallet_at(saying(hex(2**63)), quorum=1) as wallet:
        assert await wallet.fetch_balance() == 2**63
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_next_nonce()


@pytest.mark.parametrize(
    "ask",
    [
        lambda wallet: wallet.fetch_next_nonce(),
        lambda wallet: wallet.fetch_balance(),
        lambda wallet: wallet.fetch_fee_bid(),
        lambda wallet: wallet.fetch_terms(),
        lambda wallet: wallet.fetch_receipts([TX_HASH]),
    ],
)
async def test_a_node_that_fails_is_unavailable(ask: Callable[[EvmWallet], Any]) -> None:
    async with wallet_at(refusing("down"), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await ask(wallet)
