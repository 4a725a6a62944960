"""Rent that was lent for roots and stages, and how it comes back."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from solders.account import Account
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.sysvar import CLOCK

from attestation.request import request_id
from relayer.ports.source_chain import CertifiedBatch
from relayer.vms.svm.deposits import ROOT_KEPT_SECONDS
from tests.svm.adapter.relaying import PAYEE, Hands, executions, named
from tests.svm.adapter.world import RELAYER, World, pool_of
from tests.svm.program.ledger import CONFIG, NOW, PROBE, SYSTEM, address, inbound_request, payload

ROOT_RENT = 1_726_080
CREDIT = address(b"credit", bytes(RELAYER.pubkey()))
ANSWER, FAIL, TELL_FLAGS = b"\2", b"\3", b"\5"


@pytest.fixture
def world() -> World:
    """The relayer has its credit already."""
    world = World()
    world.open()
    payer = world.payer.pubkey()
    world.call("open_credit", {"payer": payer, "beneficiary": RELAYER.pubkey(), "credit": CREDIT})
    return world


@asynccontextmanager
async def hands_on(world: World, *nodes: Any, quorum: int = 1) -> AsyncIterator[Hands]:
    async with pool_of(*(nodes or (world.endpoint(),)), quorum=quorum) as pool:
        yield Hands(world, pool)


def batch_of(world: World, nonce: int, does: bytes = ANSWER) -> CertifiedBatch:
    return executions(world, inbound_request(PROBE, payload(does), nonce))


def keys_of(hands: Hands, *batches: CertifiedBatch) -> set[bytes]:
    return {bytes(hands.acting.certifier.root_of(batch).key) for batch in batches}


def is_there(world: World, key: Any) -> bool:
    return world.svm.get_account(key if isinstance(key, Pubkey) else Pubkey(key)) is not None


def let_roots_serve(world: World) -> None:
    """Until those that are there may be closed."""
    world.set_time(world.now + ROOT_KEPT_SECONDS, 0)


async def give_back_all(hands: Hands) -> None:
    let_roots_serve(hands.world)
    assert await hands.send(await hands.deposits.prepare(await hands.deposits.fetch())) == [None]


async def test_roots_that_were_paid_for_are_known_and_their_rent_comes_back_in_one_transaction(world: World) -> None:
    batches = [batch_of(world, nonce) for nonce in range(5)]
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(*batches))
        let_roots_serve(world)
        lent = await hands.deposits.fetch()
        assert {deposit.key for deposit in lent} == keys_of(hands, *batches)
        assert {(deposit.root, deposit.epoch) for deposit in lent} == {(batch.batch.root, 1) for batch in batches}
        before = world.balance(RELAYER.pubkey())
        (call,) = await hands.deposits.prepare(lent)
        assert (call.request_ids, call.value) == ((), 5_000)
        assert await hands.send([call]) == [None]
        assert await hands.deposits.fetch() == []
    assert 5 * ROOT_RENT - 10_000 < world.balance(RELAYER.pubkey()) - before < 5 * ROOT_RENT


async def test_a_root_is_a_deposit_when_it_may_be_closed_by_the_chain_s_clock(world: World) -> None:
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch_of(world, 0)))
        world.set_time(world.now + ROOT_KEPT_SECONDS - 1, 0)
        assert await hands.deposits.fetch() == []
        world.set_time(world.now + 1, 0)
        (call,) = await hands.deposits.prepare(await hands.deposits.fetch())
        assert await hands.send([call]) == [None]


async def test_one_endpoint_s_clock_makes_nothing_due(world: World) -> None:
    """SECURITY: a closing that comes too early takes all that stands in one transaction with it."""
    liar, honest = world.endpoint(), world.endpoint()
    clock = str(CLOCK)

    def ahead(params: list[Any]) -> Any:
        answer = world.ask("getMultipleAccounts", params)
        if params[0] == [clock]:
            answer["value"][0]["data"][0] = b64encode(bytes(32) + (NOW * 2).to_bytes(8, "little")).decode()
        return answer

    liar.overrides["getMultipleAccounts"] = ahead
    async with hands_on(world, liar, honest, quorum=2) as hands:
        await hands.carry(lambda: hands.execute(batch_of(world, 0)))
        assert await hands.deposits.fetch() == []
        let_roots_serve(world)
        assert len(await hands.deposits.fetch()) == 1


async def test_what_is_not_named_stays(world: World) -> None:
    done, held = batch_of(world, 0), batch_of(world, 1, FAIL)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(done, held))
        let_roots_serve(world)
        lent = await hands.deposits.fetch()
        await hands.send(await hands.deposits.prepare([deposit for deposit in lent if deposit.root == done.batch.root]))
        assert {deposit.root for deposit in await hands.deposits.fetch()} == {held.batch.root}


async def test_as_many_are_closed_in_a_transaction_as_fit(world: World) -> None:
    batches = [batch_of(world, nonce) for nonce in range(30)]
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(*batches))
        let_roots_serve(world)
        calls = await hands.deposits.prepare(await hands.deposits.fetch())
        assert len(calls) == 3
        assert await hands.send(calls) == [None] * 3
        assert await hands.deposits.fetch() == []


async def test_a_process_that_starts_anew_knows_what_was_lent(world: World) -> None:
    batch = batch_of(world, 0)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
    let_roots_serve(world)
    async with hands_on(world) as hands:
        assert {deposit.root for deposit in await hands.deposits.fetch()} == {batch.batch.root}


async def test_what_others_paid_for_is_no_deposit_of_ours(world: World) -> None:
    batch = batch_of(world, 0)
    world.certify(world.batch([statement.leaf for statement in batch.batch.statements]))
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
        let_roots_serve(world)
        assert await hands.deposits.fetch() == []
        assert await hands.deposits.prepare([]) == []


async def test_a_root_that_is_closed_under_an_open_request_is_made_again(world: World) -> None:
    batch = batch_of(world, 0, FAIL)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
        await give_back_all(hands)
        again = await hands.execute(batch)
        assert (len(again.groundwork), again.calls, again.refused) == (1, (), ())
        last = await hands.carry(lambda: hands.execute(batch))
    assert len(named(last)) == 1


async def test_one_endpoint_s_list_makes_nothing_a_deposit(world: World) -> None:
    """SECURITY: a liar would have us pay for transactions that fail, or stop at accounts that are none."""
    ours, theirs = batch_of(world, 0), batch_of(world, 1)
    world.certify(world.batch([statement.leaf for statement in theirs.batch.statements]))
    liar, honest = world.endpoint(), world.endpoint()

    async with hands_on(world, liar, honest, quorum=2) as hands:
        await hands.carry(lambda: hands.execute(ours))
        let_roots_serve(world)
        (there,) = keys_of(hands, ours)
        names = [Pubkey(b"\x07" * 32), CONFIG, *(Pubkey(key) for key in keys_of(hands, theirs)), Pubkey(there)]
        made_up = [{"pubkey": str(name), "account": {}} for name in [*names, *names]]
        liar.overrides["getProgramAccounts"] = honest.overrides["getProgramAccounts"] = lambda _: made_up
        assert [deposit.key for deposit in await hands.deposits.fetch()] == [there]


async def test_a_stage_whose_request_somebody_else_ran_is_closed(world: World) -> None:
    long = inbound_request(PROBE, payload(TELL_FLAGS + bytes(range(1, 256)) * 10))
    batch = executions(world, long)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        (making,) = (await hands.execute(batch)).groundwork
        await hands.send([making])
        stage = MessageV0.from_bytes(making.data).account_keys[1]
        world.send_staged(world.execute_step(long, payee=PAYEE)[0])
        assert (await hands.execute(batch)).settled == (request_id(long),)
        assert await hands.deposits.prepare([]) == []
        assert is_there(world, stage)
        assert await hands.send(await hands.deposits.prepare([])) == [None]
    assert not is_there(world, stage)


async def test_a_stage_that_is_still_asked_for_stays(world: World) -> None:
    long = inbound_request(PROBE, payload(FAIL + bytes(range(1, 256)) * 10))
    batch = executions(world, long)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(batch))
        assert request_id(long) in named(last)
        for _ in range(3):
            await hands.execute(batch)
            assert await hands.deposits.prepare([]) == []


async def test_the_credit_is_opened_before_anything_is_earned() -> None:
    world = World()
    world.open()
    async with hands_on(world) as hands:
        assert await hands.send(await hands.deposits.prepare([])) == [None]
        assert world.state("Credit", CREDIT)["beneficiary"] == RELAYER.pubkey()
        assert await hands.deposits.prepare([]) == []


async def test_a_credit_that_cannot_be_paid_for_keeps_nothing_from_coming_back() -> None:
    world = World()
    world.open()
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch_of(world, 0)))
        world.chain.place(RELAYER.pubkey(), Account(1_000_000, b"", SYSTEM))
        world.advance()
        await give_back_all(hands)
        assert await hands.deposits.fetch() == []
        await give_back_all(hands)
    assert is_there(world, CREDIT)


async def test_a_process_that_starts_anew_gives_stages_the_time_to_be_asked_for(world: World) -> None:
    batch = executions(world, inbound_request(PROBE, payload(FAIL + bytes(range(1, 256)) * 10)))
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
    async with hands_on(world) as hands:
        assert await hands.deposits.prepare([]) == []
        assert await hands.send(await hands.deposits.prepare([])) == [None]
        assert await hands.deposits.prepare([]) == []
