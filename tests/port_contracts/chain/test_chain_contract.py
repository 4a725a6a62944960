"""What every VM's adapter promises to the stages, whatever the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from attestation.request import request_id, route_of
from attestation.signer_set import verify_rules
from attestation.statement import OutcomeKind
from relayer.domain.lifecycle import observe
from relayer.domain.observations import CallbackDelivered, CallConcluded, CallRequested, ObservedBlock
from relayer.domain.reorg import ChainCursor
from relayer.domain.tracked import TrackedRequest
from relayer.ports.chain import News
from relayer.ports.destination_vm import Answer
from relayer.ports.source_chain import Preparation
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall, SendResult, TransactionReceipt
from tests.port_contracts.chain.harness import ChainHarness

MOST_GROUNDWORKS = 10

TAKEN = frozenset({SendResult.ACCEPTED, SendResult.KNOWN})
"""What a node may say to a transaction that it has: some do not look."""


async def fetch_tip(chain: OpenChain) -> ObservedBlock:
    head = await chain.source.fetch_head()
    (block,) = await chain.source.fetch_blocks(head.tip.number, head.tip.number)
    return block


def requested(block: ObservedBlock) -> list[CallRequested]:
    return [o for o in block.observations if isinstance(o, CallRequested)]


def tracked(block: ObservedBlock) -> list[TrackedRequest]:
    return [
        observe(o.request_id, o.request, o.route, o.location, block.timestamp, o.fee, o.deadline).request
        for o in requested(block)
    ]


async def submit(chains: ChainHarness, chain: OpenChain, *calls: PreparedCall) -> list[TransactionReceipt]:
    """Sign, send, make a block; the receipts."""
    wallet = chain.wallet
    terms = await wallet.fetch_terms()
    signed = [wallet.sign(call, terms.next_nonce + place, terms.bid) for place, call in enumerate(calls)]
    assert set(await wallet.send([transaction.raw for transaction in signed])) <= {SendResult.ACCEPTED}
    chains.advance(chain)
    receipts = await wallet.fetch_receipts([transaction.hash for transaction in signed])
    assert None not in receipts
    return [receipt for receipt in receipts if receipt is not None]


async def prepare(chains: ChainHarness, chain: OpenChain, look: Callable[[], Awaitable[Preparation]]) -> Preparation:
    """What can be sent once its groundwork, on chains where one transaction is too small, has been mined."""
    for _ in range(MOST_GROUNDWORKS):
        prepared = await look()
        if not prepared.groundwork:
            return prepared
        assert all(call.request_ids == () for call in prepared.groundwork)
        receipts = await submit(chains, chain, *prepared.groundwork)
        assert all(receipt.is_success for receipt in receipts)
    raise AssertionError("there is always more to be mined first")


async def test_both_sides_are_the_same_chain(chains: ChainHarness) -> None:
    for chain in (chains.source, chains.destination):
        assert (chain.source.name, chain.source.caip2) == (chain.destination.name, chain.destination.caip2)
        assert chain.source.gateway == chain.destination.gateway
    assert chains.source.source.caip2 != chains.destination.source.caip2


async def test_the_head_is_the_newest_block_and_final_blocks_are_not_above_it(chains: ChainHarness) -> None:
    before = await chains.source.source.fetch_head()
    chains.advance(chains.source, blocks=3)
    head = await chains.source.source.fetch_head()
    assert head.tip.number == before.tip.number + 3
    assert before.final_number <= head.final_number <= head.tip.number
    assert await chains.source.source.fetch_block_ref(head.tip.number) == head.tip


async def test_blocks_are_ascending_linked_and_inclusive(chains: ChainHarness) -> None:
    chains.advance(chains.source, blocks=6)
    last = (await chains.source.source.fetch_head()).tip.number
    blocks = await chains.source.source.fetch_blocks(last - 4, last - 1)
    assert [block.ref.number for block in blocks] == [last - 4, last - 3, last - 2, last - 1]
    for parent, child in pairwise(blocks):
        assert child.parent_hash == parent.ref.hash
        assert child.timestamp >= parent.timestamp


async def test_above_the_tip_there_is_nothing(chains: ChainHarness) -> None:
    last = (await chains.source.source.fetch_head()).tip.number
    assert await chains.source.source.fetch_blocks(last + 1, last + 3) == ()
    assert [block.ref.number for block in await chains.source.source.fetch_blocks(last, last + 3)] == [last]
    assert await chains.source.source.fetch_block_ref(last + 1) is None


async def test_news_are_the_head_and_the_blocks_up_to_it(chains: ChainHarness) -> None:
    chain = chains.source.source
    before = await chain.fetch_head()
    chains.advance(chains.source, blocks=3)
    chains.ask(2)
    height, blocks = before.tip.number, []
    while not blocks or blocks[-1].ref.number < height + 4:
        news = await chain.fetch_news(blocks[-1].ref.number if blocks else height, 3)
        assert news.head == await chain.fetch_head()
        assert 0 < len(news.blocks) <= 3
        blocks += news.blocks
    assert tuple(blocks) == (*await chain.fetch_blocks(height + 1, height + 4),)
    assert await chain.fetch_news(height + 4, 3) == News(await chain.fetch_head(), ())


async def test_news_extend_a_cursor_without_a_gap(chains: ChainHarness) -> None:
    chain = chains.source.source
    start = await chain.fetch_block_ref(0)
    assert start is not None
    cursor = ChainCursor(chain.caip2, start)
    asked = 0
    for _ in range(3):
        chains.ask(2)
        chains.advance(chains.source, blocks=2)
        while (news := await chain.fetch_news(cursor.tip.number, 4)).blocks:
            assert cursor.is_extended_by(news.blocks)
            asked += sum(len(requested(block)) for block in news.blocks)
            cursor = cursor.extend(news.blocks).finalise(news.head.final_number)
        assert cursor.tip == news.head.tip
    assert asked == 6


async def test_a_block_reads_the_same_every_time(chains: ChainHarness) -> None:
    chains.ask(3)
    first = await fetch_tip(chains.source)
    chains.advance(chains.source)
    assert await chains.source.source.fetch_blocks(first.ref.number, first.ref.number) == (first,)


async def test_requests_are_observed_in_log_order_with_what_their_id_commits_to(chains: ChainHarness) -> None:
    chains.ask(5)
    block = await fetch_tip(chains.source)
    observations = requested(block)
    assert len(observations) == 5
    places = [(o.location.tx_index, o.location.log_index) for o in observations]
    assert places == sorted(places)
    for observation in observations:
        assert observation.location.block == block.ref
        assert observation.request_id == request_id(observation.request)
        assert observation.route == route_of(observation.request)
        assert observation.request.source_gateway == chains.source.source.gateway
        assert observation.request.destination_gateway == chains.destination.source.gateway
        assert observation.deadline > block.ref.number


async def test_what_left_the_chain_is_no_longer_told(chains: ChainHarness) -> None:
    chains.ask(1)
    gone = await fetch_tip(chains.source)
    chains.advance(chains.source)
    if not chains.reorganise(chains.source, 2):
        pytest.skip("this chain does not reorganise")
    now = await chains.source.source.fetch_block_ref(gone.ref.number)
    assert now != gone.ref
    (block,) = await chains.source.source.fetch_blocks(gone.ref.number, gone.ref.number)
    assert (block.ref, requested(block)) == (now, [])


async def test_watchers_are_woken_and_never_dismissed(chains: ChainHarness) -> None:
    stream = chains.source.source.wake_ups()
    async with asyncio.timeout(30):
        for _ in range(3):
            await anext(stream)
            chains.advance(chains.source)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_the_epochs_of_a_block_are_those_that_verify(chains: ChainHarness) -> None:
    tip = await fetch_tip(chains.destination)
    epochs = await chains.destination.source.fetch_epochs(tip.ref)
    assert [epoch.epoch for epoch in epochs] == sorted({epoch.epoch for epoch in epochs})
    assert epochs
    for epoch in epochs:
        assert epoch.valid_until >= tip.timestamp
        verify_rules(epoch.signer_set, tip.timestamp)


async def test_a_certified_request_is_executed_once_and_brought_home_once(chains: ChainHarness) -> None:
    chains.ask(2)
    asked = await fetch_tip(chains.source)
    batches = chains.executions(asked)
    destination, payee = chains.destination.destination, chains.source.wallet.payee
    prepared = await prepare(chains, chains.destination, lambda: destination.prepare_execute(batches, payee))
    assert (prepared.settled, prepared.refused) == ((), ())
    wanted = {request.request_id for request in tracked(asked)}
    assert {identifier for call in prepared.calls for identifier in call.request_ids} == wanted
    receipts = await submit(chains, chains.destination, *prepared.calls)
    assert all(receipt.is_success and receipt.cost > 0 for receipt in receipts)
    assert all(receipt.gas_used <= call.gas_limit for receipt, call in zip(receipts, prepared.calls, strict=True))

    concluded = await fetch_tip(chains.destination)
    results = [o for o in concluded.observations if isinstance(o, CallConcluded)]
    assert {o.request_id for o in results} == wanted
    assert all(o.kind is OutcomeKind.EXECUTED and o.payee == payee for o in results)
    assert all(o.source_gateway == chains.source.source.gateway for o in results)
    again = await destination.prepare_execute(batches, payee)
    assert (again.calls, again.groundwork, set(again.settled), again.refused) == ((), (), wanted, ())

    deliveries = chains.deliveries(concluded, tracked(asked))
    source = chains.source.source
    prepared = await prepare(chains, chains.source, lambda: source.prepare_deliver(deliveries))
    assert (prepared.settled, prepared.refused) == ((), ())
    assert {identifier for call in prepared.calls for identifier in call.request_ids} == wanted
    await submit(chains, chains.source, *prepared.calls)
    delivered = [o for o in (await fetch_tip(chains.source)).observations if isinstance(o, CallbackDelivered)]
    # Where an outcome is recorded before its callback runs, the last word counts.
    assert {o.request_id: o.is_handler_failed for o in delivered} == dict.fromkeys(wanted, False)
    again = await source.prepare_deliver(deliveries)
    assert (again.calls, again.groundwork, set(again.settled), again.refused) == ((), (), wanted, ())


async def test_security_too_little_gas_is_never_an_outcome(chains: ChainHarness) -> None:
    """SECURITY: whoever sends an execution could make it fail for good."""
    call = await prepared_execution(chains)
    starved = replace(call, gas_limit=chains.too_little_gas(call))
    (receipt,) = await submit(chains, chains.destination, starved)
    assert not receipt.is_success
    assert (await fetch_tip(chains.destination)).observations == ()
    (receipt,) = await submit(chains, chains.destination, call)
    assert receipt.is_success
    concluded = [o for o in (await fetch_tip(chains.destination)).observations if isinstance(o, CallConcluded)]
    assert [o.kind for o in concluded] == [OutcomeKind.EXECUTED]


async def test_a_request_that_may_still_run_does_not_expire(chains: ChainHarness) -> None:
    chains.ask(1)
    batches = chains.executions(await fetch_tip(chains.source))
    destination, payee = chains.destination.destination, chains.source.wallet.payee
    prepared = await prepare(chains, chains.destination, lambda: destination.prepare_expire(batches, payee))
    assert prepared.calls == ()
    assert len(prepared.refused) == 1


async def test_a_request_past_its_expiry_expires(chains: ChainHarness) -> None:
    chains.ask(1)
    asked = await fetch_tip(chains.source)
    (request,) = tracked(asked)
    now = (await fetch_tip(chains.destination)).timestamp
    chains.advance(chains.destination, seconds=request.request.expiry - now + 5)
    batches = chains.executions(asked)
    destination, payee = chains.destination.destination, chains.source.wallet.payee
    prepared = await prepare(chains, chains.destination, lambda: destination.prepare_expire(batches, payee))
    await submit(chains, chains.destination, *prepared.calls)
    (concluded,) = (await fetch_tip(chains.destination)).observations
    assert isinstance(concluded, CallConcluded)
    assert (concluded.request_id, concluded.kind) == (request.request_id, OutcomeKind.EXPIRED)


async def test_a_query_is_read_at_the_parent_of_the_first_later_block(chains: ChainHarness) -> None:
    destination = chains.destination.destination
    if not destination.reads_history:
        pytest.skip("this chain can only be read as it is now")
    chains.ask_query()
    (asked,) = requested(await fetch_tip(chains.source))
    tip = await fetch_tip(chains.destination)
    assert await destination.fetch_pin(tip.timestamp) is None
    chains.advance(chains.destination, seconds=10)
    child = await fetch_tip(chains.destination)
    for after in (tip.timestamp, child.timestamp - 1):
        pin = await destination.fetch_pin(after)
        assert pin is not None
        assert (pin.block, pin.child) == (tip.ref, child.ref)
    (answer,) = await destination.fetch_answers(tip.ref, [asked.request])
    assert answer is not None
    assert answer.kind is OutcomeKind.EXECUTED
    assert len(answer.return_data) <= asked.request.return_limit
    assert await destination.fetch_answers(tip.ref, [asked.request]) == [answer]


async def test_a_query_is_read_as_the_chain_is_now(chains: ChainHarness) -> None:
    destination = chains.destination.destination
    if destination.reads_history:
        pytest.skip("this chain is read as it was")
    chains.ask_query()
    (asked,) = requested(await fetch_tip(chains.source))
    (answer,) = await destination.fetch_present_answers([asked.request])
    assert answer is not None
    assert answer.kind is OutcomeKind.EXECUTED
    assert 0 < len(answer.return_data) <= asked.request.return_limit
    assert await destination.fetch_present_answers([asked.request]) == [answer]


async def test_a_query_of_what_is_not_there_is_answered_as_unreached(chains: ChainHarness) -> None:
    chains.ask_query()
    (asked,) = requested(await fetch_tip(chains.source))
    nowhere = replace(asked.request, target=asked.request.target[:-8] + b"\x0d" * 8)
    destination = chains.destination.destination
    if destination.reads_history:
        tip = await fetch_tip(chains.destination)
        (answer,) = await destination.fetch_answers(tip.ref, [nowhere])
    else:
        (answer,) = await destination.fetch_present_answers([nowhere])
    assert answer == Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")


async def test_a_transaction_is_deterministic_and_mined_once(chains: ChainHarness) -> None:
    call, wallet = await prepared_execution(chains), chains.destination.wallet
    nonce, terms = await wallet.fetch_next_nonce(), await wallet.fetch_terms()
    assert terms.bid == await wallet.fetch_fee_bid()
    assert terms.bid.expected_fee <= terms.bid.max_fee <= wallet.max_fee_cap
    assert terms.balance == await wallet.fetch_balance()
    assert terms.next_nonce >= nonce
    signed = wallet.sign(call, terms.next_nonce, terms.bid)
    assert signed == wallet.sign(call, terms.next_nonce, terms.bid)
    assert await wallet.send([signed.raw]) == [SendResult.ACCEPTED]
    assert set(await wallet.send([signed.raw])) <= TAKEN
    assert await wallet.fetch_next_nonce() == nonce
    assert await wallet.fetch_receipts([signed.hash]) == [None]
    chains.advance(chains.destination)
    (receipt,) = await wallet.fetch_receipts([signed.hash])
    assert receipt is not None
    assert receipt.is_success
    assert receipt.block == (await fetch_tip(chains.destination)).ref
    # What it lends or gives away besides gas is the call's value at the most.
    assert 0 <= terms.balance - receipt.cost - await wallet.fetch_balance() <= call.value
    concluded = [o for o in (await fetch_tip(chains.destination)).observations if isinstance(o, CallConcluded)]
    assert {o.request_id for o in concluded} == set(call.request_ids)
    assert set(await wallet.send([signed.raw])) <= {*TAKEN, SendResult.NONCE_TOO_LOW}
    chains.advance(chains.destination)
    assert (await fetch_tip(chains.destination)).observations == ()
    assert await wallet.fetch_receipts([signed.hash]) == [receipt]


async def test_nonces_count_what_was_mined(chains: ChainHarness) -> None:
    call, wallet = await prepared_execution(chains), chains.destination.wallet
    if not wallet.is_sequenced:
        pytest.skip("this chain's transactions have no nonces in a row")
    nonce, terms = await wallet.fetch_next_nonce(), await wallet.fetch_terms()
    assert terms.next_nonce == nonce
    await wallet.send([wallet.sign(call, nonce, terms.bid).raw])
    chains.advance(chains.destination)
    assert await wallet.fetch_next_nonce() == nonce + 1


async def test_a_nonce_is_passed_when_its_transaction_can_no_longer_be_mined(chains: ChainHarness) -> None:
    call, wallet = await prepared_execution(chains), chains.destination.wallet
    if wallet.is_sequenced:
        pytest.skip("this chain's transactions wait for their turn")
    terms = await wallet.fetch_terms()
    signed = wallet.sign(call, terms.next_nonce, terms.bid)
    while await wallet.fetch_next_nonce() <= terms.next_nonce:
        chains.advance(chains.destination, blocks=10)
    await wallet.send([signed.raw])
    chains.advance(chains.destination)
    assert await wallet.fetch_receipts([signed.hash]) == [None]


async def prepared_execution(chains: ChainHarness) -> PreparedCall:
    """The transaction that executes one request, on the destination."""
    chains.ask(1)
    batches = chains.executions(await fetch_tip(chains.source))
    destination, payee = chains.destination.destination, chains.source.wallet.payee
    prepared = await prepare(chains, chains.destination, lambda: destination.prepare_execute(batches, payee))
    (call,) = prepared.calls
    return call


async def test_the_payee_is_32_bytes(chains: ChainHarness) -> None:
    for chain in (chains.source, chains.destination):
        assert len(chain.wallet.payee) == 32
        assert chain.wallet.payee.endswith(chain.wallet.address)
