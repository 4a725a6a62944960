"""The wallet against the devnet's chain, with honest and lying endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from relayer.devnet.svm.chain import Commitment
from relayer.errors import RpcUnavailable
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult, SpendTerms
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcFault
from relayer.vms.svm.send_faults import classify_send_fault
from relayer.vms.svm.transactions import draft_of
from relayer.vms.svm.wallet import SvmWallet
from tests.svm.adapter.watching import lagging
from tests.svm.adapter.world import FINALIZED_AFTER, RELAYER, RELAYER_SEED, World, pool_of
from tests.svm.program.ledger import CONFIG, PROGRAM
from tests.unit.jsonrpc.scripted_node import NodeFault

FRIEND = Pubkey(b"\x0f" * 32)
CAP = 10_000_000


def wallet_on(pool: EndpointPool, cap: int = CAP) -> SvmWallet:
    return SvmWallet(pool, RELAYER_SEED, bytes(CONFIG), cap)


def gift(lamports: int = 10**9) -> PreparedCall:
    step = transfer(TransferParams(from_pubkey=RELAYER.pubkey(), to_pubkey=FRIEND, lamports=lamports))
    return PreparedCall(bytes(PROGRAM), draft_of(RELAYER.pubkey(), [step]), 1_000, 500, lamports, ())


@pytest.fixture
def world() -> World:
    made = World()
    made.advance(FINALIZED_AFTER + 1)
    return made


async def test_a_transaction_is_signed_sent_and_final_with_its_cost_and_block(world: World) -> None:
    async with pool_of(world.endpoint()) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(), terms.next_nonce, FeeBid(2_000_000, 2_000_000, 2_000_000, terms.bid.anchor))
        assert await wallet.send([signed.raw]) == [SendResult.ACCEPTED]
        for _ in range(FINALIZED_AFTER):
            assert await wallet.fetch_receipts([signed.hash]) == [None]
            world.advance()
        (receipt,) = await wallet.fetch_receipts([signed.hash])
    assert receipt is not None
    block = world.chain.ledger.block_at_or_below(receipt.block.number)
    assert receipt.block.hash == bytes(block.blockhash or b"")
    assert receipt.is_success
    assert receipt.cost == 5_000 + 2 * 1_000
    assert 0 < receipt.gas_used < 1_000
    assert world.balance(FRIEND) == 10**9


async def test_final_receipts_are_asked_for_once(world: World) -> None:
    node = world.endpoint()
    async with pool_of(node) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = [wallet.sign(gift(), terms.next_nonce + number, terms.bid) for number in range(3)]
        await wallet.send([one.raw for one in signed])
        world.advance(FINALIZED_AFTER)
        first = await wallet.fetch_receipts([one.hash for one in signed])
        asked = len(node.methods)
        assert await wallet.fetch_receipts([one.hash for one in signed]) == first
    assert all(first)
    assert len(node.methods) == asked


async def test_old_transactions_are_looked_for_as_well(world: World) -> None:
    """SECURITY: what was mined while we were down would look lost, and be paid for again."""
    node = world.endpoint()
    async with pool_of(node) as pool:
        await wallet_on(pool).fetch_receipts([b"\1" * 64])
    (call,) = [call for exchange in node.exchanges for call in exchange if call["method"] == "getSignatureStatuses"]
    assert call["params"][1] == {"searchTransactionHistory": True}


async def test_a_transaction_that_failed_has_a_receipt_that_says_so(world: World) -> None:
    async with pool_of(world.endpoint()) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(10**15), terms.next_nonce, terms.bid)
        assert await wallet.send([signed.raw]) == [SendResult.ACCEPTED]
        world.advance(FINALIZED_AFTER)
        (receipt,) = await wallet.fetch_receipts([signed.hash])
    assert receipt is not None
    assert not receipt.is_success


async def test_the_same_input_is_signed_alike_and_another_number_makes_another_transaction(world: World) -> None:
    async with pool_of(world.endpoint()) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
    first = terms.next_nonce
    assert wallet.sign(gift(), first, terms.bid) == wallet.sign(gift(), first, terms.bid)
    assert wallet.sign(gift(), first, terms.bid) != wallet.sign(gift(), first + 1, terms.bid)


async def test_a_transaction_that_is_sent_twice_is_mined_once(world: World) -> None:
    """SECURITY: the stages send again whatever they do not know to be mined."""
    async with pool_of(world.endpoint(), world.endpoint()) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(), terms.next_nonce, terms.bid)
        assert await wallet.send([signed.raw]) == [SendResult.ACCEPTED]
        world.advance(2)
        await wallet.send([signed.raw, signed.raw])
        world.advance(FINALIZED_AFTER)
    assert world.balance(FRIEND) == 10**9


async def test_a_transaction_is_given_up_only_when_its_blockhash_has_ended_in_a_final_block(world: World) -> None:
    """SECURITY: what is given up is signed anew, and both would be mined."""
    async with pool_of(world.endpoint()) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(), terms.next_nonce + 7, terms.bid)
        last_height = terms.next_nonce >> 16
        while final_height(world) <= last_height:
            assert await wallet.fetch_next_nonce() <= terms.next_nonce
            world.advance(1 if last_height - final_height(world) < 5 else 20)
        assert await wallet.fetch_next_nonce() > terms.next_nonce + 7
        await wallet.send([signed.raw])
        world.advance(FINALIZED_AFTER)
        assert await wallet.fetch_receipts([signed.hash]) == [None]
    assert world.balance(FRIEND) == 0


def final_height(world: World) -> int:
    return world.chain.block_at(Commitment.FINALIZED).height


def lying(world: World, **overrides: Any) -> Any:
    node = world.endpoint()
    node.overrides = overrides
    return node


async def test_one_endpoint_cannot_have_a_living_transaction_given_up(world: World) -> None:
    """SECURITY: a height that nobody else has reached."""
    liar = lying(world, getBlockHeight=lambda _: 10**9)
    async with pool_of(liar, world.endpoint(), world.endpoint(), quorum=2) as pool:
        wallet = wallet_on(pool)
        assert await wallet.fetch_next_nonce() == final_height(world) << 16


@pytest.mark.parametrize(
    "value",
    [
        {"blockhash": str(Pubkey(b"\x01" * 32)), "lastValidBlockHeight": 10**9},
        {"blockhash": str(Pubkey(b"\x01" * 32)), "lastValidBlockHeight": 150},
        {"blockhash": str(Pubkey(b"\x01" * 32)), "lastValidBlockHeight": 0},
    ],
)
async def test_one_endpoint_cannot_make_up_a_blockhash(world: World, value: dict[str, Any]) -> None:
    """SECURITY: under it nothing is ever mined."""
    liar = lying(
        world,
        getLatestBlockhash=lambda _: {"context": {"slot": 1}, "value": value},
        isBlockhashValid=lambda _: {"context": {"slot": 1}, "value": True},
    )
    async with pool_of(liar, world.endpoint(), world.endpoint(), quorum=2) as pool:
        terms = await wallet_on(pool).fetch_terms()
    true = await true_terms(world)
    assert (terms.bid.anchor, terms.next_nonce) == (true.bid.anchor, true.next_nonce)


async def test_one_endpoint_cannot_prolong_a_blockhash(world: World) -> None:
    """SECURITY: what is mined no more would be waited for all that time, and nothing sent in its place."""
    true = await true_terms(world)
    value = {"blockhash": str(Hash(true.bid.anchor)), "lastValidBlockHeight": 10**9}
    liar = lying(world, getLatestBlockhash=lambda _: {"context": {"slot": 1}, "value": value})
    async with pool_of(liar, world.endpoint(), world.endpoint(), quorum=2) as pool:
        assert (await wallet_on(pool).fetch_terms()).next_nonce == true.next_nonce


@pytest.mark.parametrize("lags", [(0, 0), (0, 1)])
async def test_security_one_endpoint_cannot_have_us_sign_under_an_old_blockhash(
    world: World, lags: tuple[int, int]
) -> None:
    """SECURITY: it ends before we are mined, and we wait for the height that was told; so each time."""
    old = [world.chain.blockhash_at(world.chain.ledger.open)[0]]
    for _ in range(100):
        world.advance()
        old.append(world.chain.blockhash_at(world.chain.ledger.open)[0])
    true = await true_terms(world)
    # The one that stands first in any order of bytes.
    chosen = max(old[:80], key=bytes)
    value = {"blockhash": str(chosen), "lastValidBlockHeight": (true.next_nonce >> 16) - max(lags)}
    liar = lying(world, getLatestBlockhash=lambda _: {"context": {"slot": 1}, "value": value})
    others = [lagging(world, slots) if slots else world.endpoint() for slots in lags]
    async with pool_of(liar, *others, quorum=2) as pool:
        terms = await wallet_on(pool).fetch_terms()
    assert terms.bid.anchor not in {bytes(each) for each in old[:80]}


async def true_terms(world: World) -> SpendTerms:
    async with pool_of(world.endpoint()) as pool:
        return await wallet_on(pool).fetch_terms()


async def test_endpoints_without_a_blockhash_in_common_are_no_ground_to_sign_on(world: World) -> None:
    liar = lying(world, isBlockhashValid=lambda _: {"context": {"slot": 1}, "value": False})
    async with pool_of(liar, world.endpoint(), quorum=2) as pool:
        with pytest.raises(RpcUnavailable, match="no recent blockhash"):
            await wallet_on(pool).fetch_terms()


async def test_one_endpoint_cannot_raise_the_bid(world: World) -> None:
    """SECURITY: it would have us burn money."""
    liar = lying(world, getRecentPrioritizationFees=lambda _: [{"slot": 1, "prioritizationFee": 9_000_000}])
    async with pool_of(liar, world.endpoint(), world.endpoint(), quorum=2) as pool:
        terms = await wallet_on(pool).fetch_terms()
    assert terms.bid.max_fee == terms.bid.priority_fee == terms.bid.expected_fee == 1_000


async def test_the_bid_follows_what_lands_up_to_the_cap(world: World) -> None:
    fees = [{"slot": slot, "prioritizationFee": 1_000 * slot} for slot in range(101)]
    async with pool_of(lying(world, getRecentPrioritizationFees=lambda _: fees)) as pool:
        assert (await wallet_on(pool).fetch_fee_bid()).max_fee == 75_000
        assert (await wallet_on(pool, cap=60_000).fetch_fee_bid()).max_fee == 60_000


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("getLatestBlockhash", None),
        ("getLatestBlockhash", {"value": {"blockhash": "x", "lastValidBlockHeight": 1}}),
        ("getLatestBlockhash", {"value": {"blockhash": "1" * 32, "lastValidBlockHeight": 2**60}}),
        ("getLatestBlockhash", {"value": {"blockhash": "1" * 32, "lastValidBlockHeight": -1}}),
        ("getBalance", {"value": "1"}),
        ("getBalance", {"value": 2**64}),
        ("getRecentPrioritizationFees", {}),
        ("getRecentPrioritizationFees", [{}]),
    ],
)
async def test_terms_that_make_no_sense_are_no_answer(world: World, method: str, answer: Any) -> None:
    async with pool_of(lying(world, **{method: lambda _: answer})) as pool:
        with pytest.raises(RpcUnavailable):
            await wallet_on(pool).fetch_terms()


async def test_a_receipt_whose_block_a_node_has_let_go_of_is_none(world: World) -> None:
    def let_go(_: Any) -> Any:
        raise NodeFault(-32001, "Block 7 cleaned up, does not exist on node.")

    async with pool_of(lying(world, getBlock=let_go)) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(), terms.next_nonce, terms.bid)
        await wallet.send([signed.raw])
        world.advance(FINALIZED_AFTER)
        assert await wallet.fetch_receipts([signed.hash]) == [None]


async def test_an_endpoint_that_places_a_transaction_in_two_slots_is_no_witness(world: World) -> None:
    """SECURITY: its receipt would name a block that the transaction is not in."""
    status = {"slot": 1, "confirmationStatus": "finalized", "err": None}
    node = lying(world, getSignatureStatuses=lambda _: {"value": [status]})
    async with pool_of(node) as pool:
        wallet = wallet_on(pool)
        terms = await wallet.fetch_terms()
        signed = wallet.sign(gift(), terms.next_nonce, terms.bid)
        await wallet.send([signed.raw])
        world.advance(FINALIZED_AFTER)
        with pytest.raises(RpcUnavailable, match="two slots"):
            await wallet.fetch_receipts([signed.hash])


async def test_one_endpoint_cannot_call_a_transaction_mined(world: World) -> None:
    """SECURITY: its request would wait for a receipt that never comes."""
    status = {"slot": 1, "confirmationStatus": "finalized", "err": None}
    liar = lying(world, getSignatureStatuses=lambda params: {"value": [status] * len(params[0])})
    async with pool_of(liar, world.endpoint(), world.endpoint(), quorum=2) as pool:
        wallet = wallet_on(pool)
        signed = wallet.sign(gift(), 1, FeeBid(1, 1, 1, bytes(32)))
        assert await wallet.fetch_receipts([signed.hash]) == [None]


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ("Transaction simulation failed: This transaction has already been processed", SendResult.KNOWN),
        ("Transaction simulation failed: Blockhash not found", SendResult.NONCE_TOO_LOW),
        ("Insufficient funds for fee", SendResult.INSUFFICIENT_FUNDS),
        (
            "Attempt to debit an account but found no record of a prior credit.",
            SendResult.INSUFFICIENT_FUNDS,
        ),
        ("Transaction signature verification failure", SendResult.REFUSED),
        ("Node is behind by 150 slots", SendResult.REFUSED),
    ],
)
def test_what_a_node_says_to_a_transaction_is_understood(message: str, result: SendResult) -> None:
    assert classify_send_fault(RpcFault(-32002, message)) is result


async def test_the_key_is_shown_nowhere(world: World) -> None:
    async with pool_of(world.endpoint()) as pool:
        wallet = wallet_on(pool)
    assert repr(wallet) == f"SvmWallet({RELAYER.pubkey()})"
    assert wallet.payee == wallet.address == bytes(RELAYER.pubkey())
    assert (wallet.is_sequenced, wallet.fee_divisor, wallet.max_fee_cap) == (False, 1_000_000, CAP)
