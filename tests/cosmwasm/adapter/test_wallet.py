from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import coincurve
import pytest

from relayer.cosmos.accounts import BaseAccount, account_of_key
from relayer.cosmos.tx import AuthInfo, SignDoc, TxRaw
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult, TransactionReceipt
from relayer.vms.cosmwasm.states import StateReader
from relayer.vms.cosmwasm.transactions import hash_of
from relayer.vms.cosmwasm.wallet import CosmwasmWallet
from tests.cosmwasm.adapter.scripted_comet import CHAIN_ID, GATEWAY, IDENTITY, SECRET, CometNode
from tests.unit.jsonrpc.scripted_node import NodeFault, serve_pool

CAP = 1_000_000
CALL = PreparedCall(GATEWAY, b'{"deliver":{"batches":[]}}', 700_000, 700_000, 0, ())
BID = FeeBid(2_500, 2_500, 2_500)


@asynccontextmanager
async def wallet_at(*nodes: CometNode, quorum: int, timeout_seconds: float = 5) -> AsyncIterator[CosmwasmWallet]:
    async with serve_pool(*nodes, quorum=quorum, timeout_seconds=timeout_seconds) as pool:
        yield CosmwasmWallet(pool, IDENTITY, StateReader(pool, IDENTITY.gateway_text), SECRET, CAP)


async def signed_by(node: CometNode, **changes: Any) -> bytes:
    async with wallet_at(node, quorum=1) as wallet:
        await wallet.fetch_terms()
        return wallet.sign(CALL, changes.get("nonce", 5), changes.get("bid", BID)).raw


def mined(raw: bytes, **changes: Any) -> dict[bytes, dict[str, Any]]:
    result = {"code": 0, "log": "", "gas_wanted": "700000", "gas_used": "123456", "events": [{"type": "tx"}]}
    answer = {
        "hash": hash_of(raw).hex().upper(),
        "height": "9",
        "index": 0,
        "tx": base64.b64encode(raw).decode(),
        "tx_result": result | changes,
    }
    return {hash_of(raw): answer}


def refusing(*answers: Any) -> CometNode:
    """Answers to transactions in turn: a code with its text, or a fault's data."""
    remaining = list(answers)

    def take(_: bytes) -> Any:
        answer = remaining.pop(0)
        if isinstance(answer, str):
            raise NodeFault(-32603, "Internal error", answer)
        code, log = answer
        return {"code": code, "data": "", "log": log, "codespace": "sdk" if code else ""}

    return CometNode(takes=take)


async def test_the_account_is_the_keys() -> None:
    async with wallet_at(CometNode(), quorum=1) as wallet:
        assert wallet.address == account_of_key(coincurve.PrivateKey(SECRET).public_key.format())
        assert wallet.payee == bytes(12) + wallet.address
        assert wallet.max_fee_cap == CAP
        assert wallet.fee_divisor == 1_000_000
        assert wallet.is_sequenced


async def test_security_the_key_is_shown_nowhere() -> None:
    """SECURITY: a key in a log or a traceback is a lost key."""
    async with wallet_at(CometNode(account=None), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable) as refusal:
            wallet.sign(CALL, 0, BID)
        shown = repr(wallet) + str(wallet) + str(refusal.value)
    assert SECRET.hex() not in shown
    assert repr(SECRET) not in shown


async def test_signing_is_deterministic_and_what_was_asked_for() -> None:
    raw = await signed_by(CometNode(), nonce=41, bid=FeeBid(2_501, 1, 1))
    assert raw == await signed_by(CometNode(), nonce=41, bid=FeeBid(2_501, 1, 1))
    parsed = TxRaw.decode(raw)
    auth_info = AuthInfo.decode(parsed.auth_info_bytes)
    assert auth_info.signer_infos[0].sequence == 41
    assert auth_info.fee is not None
    assert auth_info.fee.gas_limit == 700_000
    # Rounded up: a node takes no less than its price.
    assert [(coin.amount, coin.denom) for coin in auth_info.fee.amount] == [("1751", "uxvm")]
    document = SignDoc(parsed.body_bytes, parsed.auth_info_bytes, CHAIN_ID, 7).encode()
    signature = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.deserialize_compact(parsed.signatures[0]))
    assert coincurve.PrivateKey(SECRET).public_key.verify(signature, document)


async def test_an_account_that_was_never_sent_anything_has_nothing_and_signs_nothing() -> None:
    async with wallet_at(CometNode(account=None, balance="0"), quorum=1) as wallet:
        terms = await wallet.fetch_terms()
        assert (terms.next_nonce, terms.balance) == (0, 0)
        with pytest.raises(RpcUnavailable, match="send it what pays for gas"):
            wallet.sign(CALL, 0, terms.bid)


@pytest.mark.parametrize(
    ("prices", "bid"),
    [
        ("0.0025uxvm", 2_500),
        ("0.002500000000000000uxvm", 2_500),
        ("1ibc/AB,0.0000001uxvm", 1),
        ("0.9uxvm", 900_000),
        ("3uxvm", CAP),
        ("", 1),
        ("5uatom", 1),
    ],
)
async def test_a_bid_is_what_nodes_ask_for_under_the_cap(prices: str, bid: int) -> None:
    async with wallet_at(CometNode(prices=prices), quorum=1) as wallet:
        assert await wallet.fetch_fee_bid() == FeeBid(bid, bid, bid)


async def test_security_one_endpoint_cannot_raise_our_bid() -> None:
    """SECURITY: a liar would have us burn money up to the cap at every transaction."""
    async with wallet_at(CometNode(), CometNode(prices="0.9uxvm"), CometNode(), quorum=2) as wallet:
        assert (await wallet.fetch_fee_bid()).max_fee == 2_500


async def test_security_one_endpoint_cannot_make_us_skip_sequences() -> None:
    """SECURITY: behind a gap nothing is ever mined."""
    liar = CometNode(account=BaseAccount(account_number=7, sequence=2**63 - 1), balance="9" * 30)
    async with wallet_at(CometNode(), liar, CometNode(), quorum=2) as wallet:
        assert await wallet.fetch_next_nonce() == 3
        assert await wallet.fetch_balance() == 1_000_000
        terms = await wallet.fetch_terms()
        assert (terms.next_nonce, terms.balance) == (3, 1_000_000)


async def test_security_one_endpoint_cannot_have_us_sign_for_another_account_number() -> None:
    """SECURITY: under a number that one endpoint made up nothing that we sign is ever mined."""
    liar = CometNode(account=BaseAccount(account_number=8, sequence=3))
    async with wallet_at(liar, CometNode(), CometNode(), quorum=2) as wallet:
        await wallet.fetch_terms()
        assert wallet.sign(CALL, 5, BID).raw == await signed_by(CometNode())


async def test_security_one_endpoint_cannot_choose_what_we_pay_with() -> None:
    """SECURITY: a denomination is signed as it is told."""
    async with wallet_at(CometNode(denom="stolen"), CometNode(), CometNode(), quorum=2) as wallet:
        await wallet.fetch_terms()
        assert wallet.sign(CALL, 5, BID).raw == await signed_by(CometNode())


async def test_security_endpoints_that_disagree_on_the_account_number_leave_it_unknown() -> None:
    """SECURITY: as above, with as many liars as honest endpoints."""
    liar = CometNode(account=BaseAccount(account_number=8, sequence=3))
    async with wallet_at(liar, CometNode(), quorum=2) as wallet:
        terms = await wallet.fetch_terms()
        with pytest.raises(RpcUnavailable):
            wallet.sign(CALL, 5, terms.bid)


async def test_the_terms_are_asked_for_in_one_exchange() -> None:
    node = CometNode()
    async with wallet_at(node, quorum=1) as wallet:
        await wallet.fetch_terms()
        before = len(node.exchanges)
        await wallet.fetch_terms()
    assert len(node.exchanges) == before + 1


MISMATCH = "account sequence mismatch, expected {}, got {}: incorrect account sequence"


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (((0, ""),), SendResult.ACCEPTED),
        (("tx already exists in cache",), SendResult.KNOWN),
        (((19, "tx already in mempool"),), SendResult.KNOWN),
        (((32, MISMATCH.format(7, 5)),), SendResult.NONCE_TOO_LOW),
        (((32, MISMATCH.format(5, 7)),), SendResult.REFUSED),
        (((32, "incorrect account sequence"),), SendResult.REFUSED),
        (((13, "insufficient fees; got: 1uxvm required: 2uxvm: insufficient fee"),), SendResult.UNDERPRICED),
        (((5, "spendable balance 1uxvm is smaller than 2uxvm: insufficient funds"),), SendResult.INSUFFICIENT_FUNDS),
        (((9, "account wasm1 does not exist: unknown address"),), SendResult.INSUFFICIENT_FUNDS),
        (("mempool is full: number of txs 5000 (max: 5000)",), SendResult.REFUSED),
        (((4, "signature verification failed"),), SendResult.REFUSED),
        (((5, "unauthorized"), (0, "")), SendResult.ACCEPTED),
        (((32, MISMATCH.format(5, 7)), "tx already exists in cache"), SendResult.KNOWN),
    ],
)
async def test_one_endpoint_that_takes_a_transaction_is_enough(answers: Sequence[Any], result: SendResult) -> None:
    async with wallet_at(*map(refusing, answers), quorum=1) as wallet:
        assert await wallet.send([b"\x01"]) == [result]


async def test_another_modules_codes_mean_nothing_of_ours() -> None:
    node = CometNode(takes=lambda _: {"code": 5, "log": "", "codespace": "wasm"})
    async with wallet_at(node, quorum=1) as wallet:
        assert await wallet.send([b"\x01"]) == [SendResult.REFUSED]


async def test_transactions_are_handed_over_in_order() -> None:
    taken: list[bytes] = []

    def take(raw: bytes) -> Any:
        taken.append(raw)
        return {"code": 0, "log": "", "codespace": ""}

    async with wallet_at(CometNode(takes=take), quorum=1) as wallet:
        results = await wallet.send([bytes([number]) for number in range(30)])
    assert results == [SendResult.ACCEPTED] * 30
    assert taken == [bytes([number]) for number in range(30)]


async def test_a_receipt_tells_what_was_paid() -> None:
    raw = await signed_by(CometNode())
    async with wallet_at(CometNode(mined=mined(raw)), quorum=1) as wallet:
        (receipt, none) = await wallet.fetch_receipts([hash_of(raw), bytes(32)])
    block = BlockRef(9, (9).to_bytes(32, "big"))
    # The fee is for the gas offered, whatever was used of it.
    assert receipt == TransactionReceipt(hash_of(raw), block, is_success=True, gas_used=123_456, cost=1_750)
    assert none is None


async def test_security_a_receipt_that_no_exchange_holds_keeps_no_other_from_being_read() -> None:
    """SECURITY: a target chooses how many events it emits, and they come with the receipt."""
    raws = [await signed_by(CometNode(), nonce=nonce) for nonce in range(5)]
    huge = base64.b64encode(hash_of(raws[2])).decode()
    node = CometNode(mined={tx_hash: answer for raw in raws for tx_hash, answer in mined(raw).items()})
    node.is_too_much = lambda calls: any(call["params"].get("hash") == huge for call in calls if call["method"] == "tx")
    async with wallet_at(node, quorum=1, timeout_seconds=0.5) as wallet:
        receipts = await wallet.fetch_receipts([hash_of(raw) for raw in raws])
    assert [receipt is not None for receipt in receipts] == [True, True, False, True, True]


async def test_what_failed_in_its_message_was_mined() -> None:
    raw = await signed_by(CometNode())
    async with wallet_at(CometNode(mined=mined(raw, code=5, codespace="wasm")), quorum=1) as wallet:
        (receipt,) = await wallet.fetch_receipts([hash_of(raw)])
    assert receipt is not None
    assert not receipt.is_success
    assert receipt.cost == 1_750


@pytest.mark.parametrize("events", [[], None])
async def test_what_failed_before_its_message_was_not_mined(events: Any) -> None:
    """It kept its sequence, and can be mined again."""
    raw = await signed_by(CometNode())
    async with wallet_at(CometNode(mined=mined(raw, code=32, events=events)), quorum=1) as wallet:
        assert await wallet.fetch_receipts([hash_of(raw)]) == [None]


async def test_what_too_few_endpoints_know_as_mined_is_not_mined() -> None:
    raw = await signed_by(CometNode())
    async with wallet_at(CometNode(mined=mined(raw)), CometNode(), CometNode(), quorum=2) as wallet:
        assert await wallet.fetch_receipts([hash_of(raw)]) == [None]


async def test_security_a_receipt_in_a_block_that_one_endpoint_made_up_is_none() -> None:
    """SECURITY: it would pass for the final word on what the transaction did."""
    raw = await signed_by(CometNode())
    liar = CometNode(mined=mined(raw, code=5), hashes=lambda _: b"\xee" * 32)
    honest = CometNode(mined=mined(raw))
    async with wallet_at(liar, honest, quorum=2) as wallet:
        assert await wallet.fetch_receipts([hash_of(raw)]) == [None]


def other_transaction(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"tx": base64.b64encode(b"another").decode()}


@pytest.mark.parametrize(
    "change",
    [
        other_transaction,
        lambda answer: answer | {"tx": "!"},
        lambda answer: answer | {"height": 9},
        lambda answer: answer | {"height": str(2**64)},
        lambda answer: answer | {"tx_result": answer["tx_result"] | {"gas_used": "-1"}},
        lambda answer: answer | {"tx_result": answer["tx_result"] | {"code": "0"}},
        lambda answer: answer | {"tx_result": None},
        lambda _: None,
        lambda _: [],
    ],
)
async def test_security_a_malformed_receipt_is_no_answer(change: Callable[[dict[str, Any]], Any]) -> None:
    """SECURITY: a fault of one endpoint's must not raise where nobody expects it, or tell of another transaction."""
    raw = await signed_by(CometNode())
    answers = {tx_hash: change(answer) for tx_hash, answer in mined(raw).items()}
    async with wallet_at(CometNode(mined=answers), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_receipts([hash_of(raw)])


async def test_an_index_that_is_off_is_no_answer() -> None:
    def off(_: Any) -> Any:
        raise NodeFault(-32603, "Internal error", "transaction indexing is disabled")

    node = CometNode()
    node.overrides["tx"] = off
    async with wallet_at(node, quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_receipts([bytes(32)])


@pytest.mark.parametrize(
    "parts",
    [
        {"prices": "cheap"},
        {"prices": "0.0025uxvm," * 2_000},
        {"prices": "1" * 40 + "uxvm"},
        {"balance": "-1"},
        {"balance": "9" * 80},
        {"account": BaseAccount(account_number=7, sequence=2**63)},
        {"denom": 7},
    ],
)
async def test_security_what_is_beyond_bounds_is_no_answer(parts: dict[str, Any]) -> None:
    """SECURITY: larger numbers would raise where they are stored or signed."""
    async with wallet_at(CometNode(**parts), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable):
            await wallet.fetch_terms()


async def test_an_account_of_another_kind_is_no_answer() -> None:
    class Vesting(BaseAccount):
        TYPE_URL = "/cosmos.vesting.v1beta1.ContinuousVestingAccount"

    async with wallet_at(CometNode(account=Vesting(account_number=7)), quorum=1) as wallet:
        with pytest.raises(RpcUnavailable, match="single key"):
            await wallet.fetch_next_nonce()
