"""Executions and expiries, from certified requests to what the chain holds then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature

from attestation.request import request_id
from relayer.vms.svm.preparing import NO_STAGE
from tests.svm.adapter.relaying import Hands, certified, execute_of, executions, named, tracked
from tests.svm.adapter.world import FINALIZED_AFTER, RELAYER, World, pool_of
from tests.svm.program.ledger import (
    CONFIG,
    EVENT_AUTHORITY,
    MEMO,
    NOW,
    PROBE,
    PROGRAM,
    SYSTEM,
    inbound_request,
    own_account,
    payload,
    slot_address,
)
from tests.svm.program.ledger import REMOTE_SENDER as SENDER
from tests.unit.jsonrpc.scripted_node import NodeFault

ROOT_RENT = 1_726_080
STAGE_RENT = 18_000_000
"""Of 2,560 bytes and more."""
ANSWER, FAIL, PASS_ON, TELL_FLAGS = b"\2", b"\3", b"\4", b"\5"


def meta(key: Pubkey, *, is_signer: bool = False, is_writable: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=is_signer, is_writable=is_writable)


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


@asynccontextmanager
async def hands_on(world: World, *nodes: Any, quorum: int = 1) -> AsyncIterator[Hands]:
    async with pool_of(*(nodes or (world.endpoint(),)), quorum=quorum) as pool:
        yield Hands(world, pool)


def kind_of(world: World, request: Any) -> int:
    word: bytes = world.state("Slot", slot_address(request_id(request)))["word"]
    return word[0]


def is_run(world: World, request: Any) -> bool:
    return world.svm.get_account(slot_address(request_id(request))) is not None


async def test_a_batch_is_certified_once_and_its_requests_run_one_by_one(world: World) -> None:
    asked = [inbound_request(PROBE, payload(ANSWER), nonce) for nonce in range(5)]
    batch = executions(world, *asked)
    async with hands_on(world) as hands:
        first = await hands.execute(batch)
        assert (len(first.groundwork), first.calls, first.settled, first.refused) == (1, (), (), ())
        assert first.groundwork[0].request_ids == ()
        await hands.send(first.groundwork)
        second = await hands.execute(batch)
        assert second.groundwork == ()
        assert [call.request_ids for call in second.calls] == [(request_id(one),) for one in asked]
        assert await hands.send(second.calls) == [None] * 5
        third = await hands.execute(batch)
    assert third.settled == tuple(request_id(one) for one in asked)
    assert (third.calls, third.groundwork, third.refused) == ((), (), ())
    assert [kind_of(world, one) for one in asked] == [0] * 5


async def test_the_same_look_prepares_the_same_bytes(world: World) -> None:
    batch = executions(world, inbound_request(PROBE, payload(ANSWER)))
    async with hands_on(world) as hands:
        first, again = await hands.execute(batch), await hands.execute(batch)
    assert [(one.to, one.data) for one in first.groundwork] == [(one.to, one.data) for one in again.groundwork]


async def test_compute_units_are_offered_by_what_a_simulation_used(world: World) -> None:
    batch = executions(world, inbound_request(PROBE, payload(ANSWER)))
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        (call,) = (await hands.execute(batch)).calls
    assert call.expected_gas < call.gas_limit <= call.expected_gas * 11 // 10 + 10_000
    assert call.value == 5_000 + 1_447_680
    assert call.to == bytes(PROGRAM)


async def test_what_is_only_lent_is_not_spent(world: World) -> None:
    batch = executions(world, inbound_request(PROBE, payload(ANSWER)))
    async with hands_on(world) as hands:
        (certifying,) = (await hands.execute(batch)).groundwork
        before = world.balance(RELAYER.pubkey())
        await hands.send([certifying])
    assert certifying.value == 5_000
    assert before - world.balance(RELAYER.pubkey()) > ROOT_RENT


async def test_who_cannot_lend_the_rent_sends_nothing(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    world.chain.place(RELAYER.pubkey(), Account(1_700_000, b"", SYSTEM))
    world.advance()
    async with hands_on(world) as hands:
        preparation = await hands.execute(executions(world, asked))
    assert (preparation.groundwork, preparation.calls) == ((), ())
    assert named(preparation)[request_id(asked)].startswith(f"{SYSTEM} failed: ")


async def test_several_batches_are_prepared_together(world: World) -> None:
    asked = [inbound_request(PROBE, payload(ANSWER), nonce) for nonce in range(6)]
    batches = [executions(world, *asked[:3]), executions(world, *asked[3:])]
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(*batches))
    assert sorted(last.settled) == sorted(request_id(one) for one in asked)
    assert len(hands.sent) == 2 + 6


async def test_a_call_by_the_sender_s_own_account_runs(world: World) -> None:
    own = own_account(SENDER)
    memo = inbound_request(MEMO, payload(b"from afar", [meta(own, is_signer=True)]), own_account=True)
    batch = executions(world, memo)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
    assert kind_of(world, memo) == 0


async def test_a_target_that_fails_is_refused_with_its_own_words(world: World) -> None:
    failing, running = inbound_request(PROBE, payload(FAIL)), inbound_request(PROBE, payload(ANSWER), 1)
    batch = executions(world, failing, running)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(running),)
    assert named(last)[request_id(failing)].startswith(f"{PROBE} failed: ")
    assert not is_run(world, failing)


async def test_a_target_that_wants_more_than_its_gas_is_refused(world: World) -> None:
    hungry = inbound_request(MEMO, payload(b"x" * 500), execution_gas_limit=1)
    plenty = inbound_request(MEMO, payload(b"x" * 500), 1, execution_gas_limit=10**12)
    batch = executions(world, hungry, plenty)
    async with hands_on(world) as hands:
        hands.acting.preparer._unit_cap = 1_400_000
        last = await hands.carry(lambda: hands.execute(batch))
    assert request_id(plenty) in last.settled


async def test_what_is_longer_than_a_transaction_is_staged_and_the_stage_s_rent_comes_back(world: World) -> None:
    long = inbound_request(PROBE, payload(TELL_FLAGS + bytes(range(256)) * 30 + bytes(300)))
    batch = executions(world, long)
    before = world.balance(RELAYER.pubkey())
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(long),)
    assert kind_of(world, long) == 0
    spent = before - world.balance(RELAYER.pubkey())
    assert spent < sum(call.value for call in hands.sent) + ROOT_RENT + 1_000_000


async def test_security_what_is_staged_and_never_runs_gives_its_stage_back(world: World) -> None:
    """SECURITY: it can be tried only once it is staged, and would hold our rent until it expires."""
    long = inbound_request(PROBE, payload(FAIL + bytes(range(256)) * 10))
    batch = executions(world, long)
    async with hands_on(world) as hands:
        await hands.send(await hands.deposits.prepare(()))
        last = await hands.carry(lambda: hands.execute(batch))
        assert named(last)[request_id(long)].startswith(f"{PROBE} failed: ")
        for _ in range(21):
            assert await hands.deposits.prepare(()) == []
            hands.seconds += 30
            last = await hands.execute(batch)
        assert (named(last), last.groundwork) == ({request_id(long): NO_STAGE}, ())
        before = world.balance(RELAYER.pubkey())
        assert await hands.send(await hands.deposits.prepare(())) == [None]
    assert world.balance(RELAYER.pubkey()) - before > STAGE_RENT - 10_000


async def test_a_stage_is_filled_further_where_a_piece_was_lost(world: World) -> None:
    long = inbound_request(PROBE, payload(TELL_FLAGS + bytes(range(1, 256)) * 20))
    batch = executions(world, long)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        await hands.send((await hands.execute(batch)).groundwork)
        pieces = (await hands.execute(batch)).groundwork
        await hands.send(pieces[1:3])
        missing = (await hands.execute(batch)).groundwork
        assert {call.data for call in missing} == {call.data for call in pieces} - {pieces[1].data, pieces[2].data}
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(long),)


async def test_lamports_sent_to_a_stage_s_address_do_not_stop_it(world: World) -> None:
    """SECURITY: whoever foresees a stage could keep its request from being executed."""
    long = inbound_request(PROBE, payload(TELL_FLAGS + b"\1" * 3_000))
    batch = executions(world, long)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        (making,) = (await hands.execute(batch)).groundwork
        stage = next(key for key in MessageV0.from_bytes(making.data).account_keys[1:] if key != PROGRAM)
        world.svm.airdrop(stage, 1_000_000)
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(long),)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (RELAYER.pubkey(), "PayerAmongAccounts"),
        (PROGRAM, "WrongTargetAccounts"),
        (CONFIG, "WrongTargetAccounts"),
        (EVENT_AUTHORITY, "WrongTargetAccounts"),
    ],
)
@pytest.mark.parametrize("is_writable", [False, True])
async def test_what_we_pay_with_and_what_is_the_gateway_s_is_passed_on_to_no_target(
    world: World, key: Pubkey, name: str, *, is_writable: bool
) -> None:
    """SECURITY: a target would act upon our account, or upon the gateway's."""
    asked = inbound_request(PROBE, payload(PASS_ON, [meta(key, is_writable=is_writable)]))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
        trials = [one for one in hands.sent if one.request_ids]
    assert named(last) == {request_id(asked): name}
    assert trials == []


async def test_a_call_that_wants_our_signature_is_recorded_as_unreached_and_our_account_is_not_passed(
    world: World,
) -> None:
    """SECURITY: with our signature a target could take all that we have."""
    asked = inbound_request(MEMO, payload(b"pay me", [meta(RELAYER.pubkey(), is_signer=True, is_writable=True)]))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
        (call,) = (one for one in hands.sent if one.request_ids)
    assert kind_of(world, asked) == 2
    step = MessageV0.from_bytes(call.data).instructions[-1]
    assert bytes(step.accounts).count(0) == 1  # the payer's own place alone
    assert len(step.accounts) == 14


async def test_a_payload_that_is_none_is_recorded_as_unreached(world: World) -> None:
    asked = [
        inbound_request(PROBE, data, nonce)
        for nonce, data in enumerate([b"", b"\1", b"\xff" * 40, payload(ANSWER) + b"x", payload(ANSWER)[:-1]])
    ]
    batch = executions(world, *asked)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
    assert [kind_of(world, one) for one in asked] == [2] * 5


async def test_what_somebody_else_executed_is_settled_and_nothing_is_sent(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    world.execute(asked)
    async with hands_on(world) as hands:
        look = await hands.execute(executions(world, asked))
    assert (look.settled, look.calls, look.groundwork) == ((request_id(asked),), (), ())


async def test_a_certificate_that_somebody_else_brought_is_not_brought_again(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    batch = executions(world, asked)
    world.certify(world.batch([execute_of(asked).leaf]))
    async with hands_on(world) as hands:
        look = await hands.execute(batch)
    assert look.groundwork == ()
    assert len(look.calls) == 1


async def test_only_the_signatures_that_do_not_count_yet_are_brought(world: World) -> None:
    """SECURITY: a root that is there may lack its quorum: nothing is executed by it before it has one."""
    asked = inbound_request(PROBE, payload(ANSWER))
    world.certify(world.batch([execute_of(asked).leaf]), [1])
    async with hands_on(world) as hands:
        look = await hands.execute(executions(world, asked))
        assert look.calls == ()
        (part,) = look.groundwork
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    certificate = bytes(MessageV0.from_bytes(part.data).instructions[-1].data)[1 + 32 + 2 :]
    assert int.from_bytes(certificate[17:49], "big") == 0b101
    assert last.settled == (request_id(asked),)


async def test_a_certificate_below_the_threshold_is_refused_when_all_of_it_counts(world: World) -> None:
    batch = executions(world, inbound_request(PROBE, payload(ANSWER)), signers=[0, 1])
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
    assert set(named(last).values()) == {"BelowThreshold"}


async def test_a_forged_certificate_is_refused_by_the_gateway_s_name_for_it(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    other = executions(world, inbound_request(PROBE, payload(ANSWER), 9))
    honest = executions(world, asked)
    batch = certified(world, honest.batch.statements, honest.requests)
    forged = type(batch)(batch.batch, other.certificate, batch.requests)
    async with hands_on(world) as hands:
        look = await hands.execute(forged)
    assert named(look) == {request_id(asked): "ForgedSignature"}
    assert look.groundwork == ()


@pytest.mark.parametrize(("signers", "threshold", "transactions"), [(17, 12, 1), (19, 13, 2), (100, 67, 6)])
async def test_a_certificate_comes_in_as_many_transactions_as_it_needs(
    signers: int, threshold: int, transactions: int
) -> None:
    world = World(signers=signers, threshold=threshold)
    world.open()
    asked = inbound_request(PROBE, payload(ANSWER))
    async with hands_on(world) as hands:
        look = await hands.execute(executions(world, asked))
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert len(look.groundwork) == transactions
    assert last.settled == (request_id(asked),)


async def test_a_request_past_its_expiry_ends_by_the_hash_of_its_payload(world: World) -> None:
    asked = inbound_request(PROBE, payload(TELL_FLAGS + bytes(4_000)), expiry=NOW + 60)
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        early = await hands.carry(lambda: hands.expire(batch))
        assert named(early) == {request_id(asked): "NotExpired"}
        world.set_time(NOW + 100, 0)
        last = await hands.carry(lambda: hands.expire(batch))
    assert last.settled == (request_id(asked),)
    assert kind_of(world, asked) == 3


async def test_a_retry_is_settled_by_its_own_run_and_not_by_another_attempt_s(world: World) -> None:
    first = inbound_request(PROBE, payload(ANSWER), expiry=NOW - 1)
    retry = inbound_request(PROBE, payload(ANSWER), 1, origin=int.from_bytes(request_id(first), "big"))
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.expire(executions(world, first)))
        look = await hands.carry(lambda: hands.execute(executions(world, retry)))
    assert look.settled == (request_id(retry),)
    assert kind_of(world, first) == 0  # the retry ran, and stands where its first attempt was


def in_order(call: bytes, count: int) -> list[Any]:
    """Requests of one sender, each after the one before it; this call is the first's."""
    asked = [inbound_request(PROBE, payload(call), ordered_after=1)]
    for nonce in range(1, count):
        before = int.from_bytes(request_id(asked[-1]), "big")
        asked.append(inbound_request(PROBE, payload(ANSWER), nonce, ordered_after=before))
    return asked


async def test_what_is_ordered_runs_one_after_the_other_and_is_looked_at_again_soon(world: World) -> None:
    asked = in_order(ANSWER, 4)
    batch = executions(world, *asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        for place, one in enumerate(asked):
            look = await hands.execute(batch)
            assert [call.request_ids for call in look.calls] == [(request_id(one),)]
            assert look.following == tuple(map(request_id, asked[place + 1 :]))
            assert look.refused == ()
            left = executions(world, *asked)
            rest = certified(world, left.batch.statements, [tracked(each) for each in asked[place + 1 :]])
            assert (await hands.execute(rest)).following == tuple(map(request_id, asked[place + 1 :]))
            await hands.send(look.calls)
        assert len((await hands.execute(batch)).settled) == 4


async def test_what_is_ordered_after_a_call_that_never_runs_is_refused(world: World) -> None:
    """SECURITY: it would be looked at all the time until it expires."""
    asked = in_order(FAIL, 3)
    batch = executions(world, *asked)
    rest = certified(world, batch.batch.statements, [tracked(each) for each in asked[1:]])
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
        look = await hands.execute(rest)
        assert (named(look), look.following) == ({request_id(asked[1]): "PredecessorOpen"}, (request_id(asked[2]),))
        alone = certified(world, batch.batch.statements, [tracked(asked[2])])
        assert named(await hands.execute(alone)) == {request_id(asked[2]): "PredecessorOpen"}


async def test_what_was_prepared_long_ago_is_on_its_way_no_more(world: World) -> None:
    asked = in_order(ANSWER, 2)
    batch = executions(world, *asked)
    rest = certified(world, batch.batch.statements, [tracked(asked[1])])
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        assert len((await hands.execute(batch)).calls) == 1  # and is never sent
        assert (await hands.execute(rest)).following == (request_id(asked[1]),)
        hands.seconds = 61
        assert named(await hands.execute(rest)) == {request_id(asked[1]): "PredecessorOpen"}


async def test_one_endpoint_cannot_call_a_request_settled(world: World) -> None:
    """SECURITY: it would keep a request from being executed for ever."""
    asked, other = inbound_request(PROBE, payload(ANSWER)), inbound_request(PROBE, payload(ANSWER), 1)
    world.execute(asked)
    liar = world.endpoint()
    told = world.ask("getAccountInfo", [str(slot_address(request_id(asked))), {"encoding": "base64"}])["value"]
    liar.overrides["getMultipleAccounts"] = lambda params: {
        "context": {"slot": 1},
        "value": [told if key == str(slot_address(request_id(other))) else None for key in params[0]],
    }
    async with hands_on(world, liar, world.endpoint(), world.endpoint(), quorum=2) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, other)))
    assert last.settled == (request_id(other),)
    assert is_run(world, other)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"context": {"slot": 1}, "value": None},
        {"value": {"err": None, "logs": None, "unitsConsumed": -1}},
        {"value": {"err": None, "logs": None, "unitsConsumed": "7"}},
        {"value": {"err": {"InstructionError": []}, "logs": [1, None, {}], "unitsConsumed": 2**63}},
    ],
)
async def test_a_simulation_that_makes_no_sense_is_asked_of_another_endpoint(world: World, answer: Any) -> None:
    """SECURITY: an endpoint may say anything; it neither ends the process nor stops the work."""
    asked = inbound_request(PROBE, payload(ANSWER))
    liar = world.endpoint()
    liar.overrides["simulateTransaction"] = lambda _: answer
    async with hands_on(world, liar, world.endpoint()) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert last.settled == (request_id(asked),)


def is_switched_off(_: list[Any]) -> Any:
    raise NodeFault(-32601, "Method not found")


@pytest.mark.parametrize(
    "simulate",
    [
        lambda _: {"value": {"err": {"InstructionError": [2, {"Custom": 1}]}, "logs": [], "unitsConsumed": 7}},
        lambda _: {"value": {"err": "AccountNotFound", "logs": [], "unitsConsumed": 0}},
        is_switched_off,
    ],
)
async def test_security_one_endpoint_cannot_keep_us_from_sending(world: World, simulate: Any) -> None:
    """SECURITY: whoever answers first would have all requests held until they expire."""
    asked = inbound_request(PROBE, payload(ANSWER))
    liar = world.endpoint()
    liar.overrides["simulateTransaction"] = simulate
    async with hands_on(world, liar, world.endpoint(), world.endpoint(), quorum=2) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert last.settled == (request_id(asked),)


async def test_security_one_endpoint_cannot_have_us_offer_too_few_compute_units(world: World) -> None:
    """SECURITY: all that we send would fail, and be paid for."""
    asked = inbound_request(PROBE, payload(ANSWER))
    liar = world.endpoint()
    liar.overrides["simulateTransaction"] = lambda _: {"value": {"err": None, "logs": [], "unitsConsumed": 0}}
    async with hands_on(world, liar, world.endpoint(), world.endpoint(), quorum=2) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert last.settled == (request_id(asked),)


async def test_what_only_one_endpoint_tries_at_all_is_sent_on_its_word(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    others = [world.endpoint(), world.endpoint()]
    for other in others:
        other.overrides["simulateTransaction"] = is_switched_off
    async with hands_on(world, *others, world.endpoint(), quorum=2) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert last.settled == (request_id(asked),)


async def test_what_m_endpoints_call_failing_is_refused_whatever_another_says(world: World) -> None:
    asked = inbound_request(PROBE, payload(FAIL))
    liar = world.endpoint()
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(executions(world, asked))).groundwork)
    liar.overrides["simulateTransaction"] = lambda _: {"value": {"err": None, "logs": [], "unitsConsumed": 7}}
    async with hands_on(world, world.endpoint(), liar, world.endpoint(), quorum=2) as hands:
        look = await hands.execute(executions(world, asked))
    assert look.calls == ()
    assert set(named(look)) == {request_id(asked)}


@pytest.mark.parametrize("units", [10**12, 2**63 - 1])
async def test_compute_units_that_an_endpoint_makes_up_are_not_offered(world: World, units: int) -> None:
    """SECURITY: we would pay for them."""
    asked = inbound_request(PROBE, payload(ANSWER))
    liar = world.endpoint()
    liar.overrides["simulateTransaction"] = lambda _: {"value": {"err": None, "logs": [], "unitsConsumed": units}}
    async with hands_on(world, liar) as hands:
        look = await hands.execute(executions(world, asked))
    assert all(call.expected_gas <= call.gas_limit <= 200_000 for call in look.groundwork)


async def test_an_execution_that_is_sent_twice_runs_once(world: World) -> None:
    """SECURITY: a blockhash may end while a transaction is on its way; then it is signed anew."""
    asked = inbound_request(PROBE, payload(ANSWER))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        calls = (await hands.execute(batch)).calls
        assert await hands.send([*calls, *calls]) == [None, {"InstructionError": [2, {"Custom": 6068}]}]
    assert kind_of(world, asked) == 0


async def test_what_is_given_up_with_its_blockhash_is_signed_anew_and_runs_once(world: World) -> None:
    """SECURITY: a transaction that only seemed lost would run a second time."""
    asked = inbound_request(PROBE, payload(ANSWER))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        (call,) = (await hands.execute(batch)).calls
        terms = await hands.wallet.fetch_terms()
        lost = hands.wallet.sign(call, terms.next_nonce, terms.bid)
        world.advance(150 + FINALIZED_AFTER + 2)
        assert await hands.wallet.fetch_next_nonce() > terms.next_nonce
        assert await hands.wallet.fetch_receipts([lost.hash]) == [None]
        assert (await hands.execute(batch)).calls == (call,)
        assert await hands.send([call]) == [None]
        await hands.wallet.send([lost.raw])
        world.advance()
        assert world.chain.ledger.find(Signature(lost.hash)) is None
        assert (await hands.execute(batch)).settled == (request_id(asked),)


async def test_what_another_relayer_ran_a_moment_ago_is_not_sent(world: World) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        calls = (await hands.execute(batch)).calls
        terms = await hands.wallet.fetch_terms()
        await hands.wallet.send([hands.wallet.sign(calls[0], terms.next_nonce, terms.bid).raw])
        look = await hands.execute(batch)
    assert (look.calls, named(look)) == ((), {request_id(asked): "AlreadyConsumed"})


async def test_lamports_that_somebody_sends_do_not_set_the_endpoints_at_odds(world: World) -> None:
    """SECURITY: a lamport a slot would keep everything from being prepared."""
    asked = inbound_request(PROBE, payload(ANSWER))
    batch = executions(world, asked)
    nodes = [world.endpoint(), world.endpoint()]

    def richer(params: list[Any]) -> Any:
        answer = world.ask("getMultipleAccounts", params)
        for account in filter(None, answer["value"]):
            account["lamports"] += 1
        return answer

    nodes[0].overrides["getMultipleAccounts"] = richer
    async with hands_on(world, *nodes, quorum=2) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(asked),)


async def test_requests_that_are_not_wanted_of_a_batch_are_left_alone(world: World) -> None:
    wanted, other = inbound_request(PROBE, payload(ANSWER)), inbound_request(PROBE, payload(ANSWER), 1)
    batch = certified(world, [execute_of(other), execute_of(wanted)], [tracked(wanted)])
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
    assert last.settled == (request_id(wanted),)
    assert not is_run(world, other)
