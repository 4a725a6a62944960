"""Calls with more accounts than a transaction can name: their lookup tables, and how the tables' rent comes back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta
from solders.message import MessageV0
from solders.pubkey import Pubkey

from attestation.request import Request, request_id
from relayer.domain.observations import CallConcluded
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm import tabling
from relayer.vms.svm.accounts import AccountState
from relayer.vms.svm.borsh import MalformedBorsh
from relayer.vms.svm.lookup_tables import TABLE_PROGRAM, LookupTable, TableInstructions, parse_table
from relayer.vms.svm.preparing import NO_STAGE
from relayer.vms.svm.tabling import NO_TABLE
from tests.svm.adapter.relaying import Hands, executions, named
from tests.svm.adapter.watching import follow, watched
from tests.svm.adapter.world import FINALIZED_AFTER, RELAYER, World, pool_of
from tests.svm.program.ledger import (
    PROBE,
    REMOTE_SENDER,
    inbound_request,
    keypair,
    own_account,
    payload,
    probe,
    slot_address,
)

ANSWER, FAIL = b"\2", b"\3"
MOST_ROUNDS = 12
MAKE = TableInstructions(RELAYER.pubkey())


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


@asynccontextmanager
async def hands_on(world: World, *nodes: Any, quorum: int = 1) -> AsyncIterator[Hands]:
    async with pool_of(*(nodes or (world.endpoint(),)), quorum=quorum) as pool:
        yield Hands(world, pool)


def many(count: int, first: int = 0) -> list[AccountMeta]:
    """So many accounts; every third may be written."""
    keys = [keypair(f"account {number}").pubkey() for number in range(first, first + count)]
    return [AccountMeta(key, is_signer=False, is_writable=place % 3 == 0) for place, key in enumerate(keys)]


def asked_for(accounts: list[AccountMeta], nonce: int = 0, does: bytes = ANSWER + b"done", **more: Any) -> Request:
    return inbound_request(PROBE, payload(does, accounts), nonce, **more)


async def carry(hands: Hands, batch: CertifiedBatch) -> Preparation:
    """Until nothing more is to be sent, what was sent being final."""
    last = await hands.carry(lambda: hands.execute(batch))
    for _ in range(MOST_ROUNDS):
        if last.settled or last.refused:
            return last
        hands.world.advance(FINALIZED_AFTER)
        last = await hands.carry(lambda: hands.execute(batch))
    raise AssertionError("it is never settled")


def tables_of(world: World) -> dict[Pubkey, LookupTable]:
    """Those that stand."""
    found = world.svm.get_program_accounts(TABLE_PROGRAM)
    return {key: table for key, account in found if (table := parse_table(account)) is not None}


def is_run(world: World, request: Request) -> bool:
    return world.svm.get_account(slot_address(request_id(request))) is not None


def keys_in(call: PreparedCall) -> list[Pubkey]:
    return list(MessageV0.from_bytes(call.data).account_keys)


def steps_for_tables(calls: Sequence[PreparedCall]) -> list[int]:
    """The kinds of all instructions for the lookup table program, in order."""
    messages = [MessageV0.from_bytes(call.data) for call in calls]
    return [
        bytes(step.data)[0]
        for message in messages
        for step in message.instructions
        if message.account_keys[step.program_id_index] == TABLE_PROGRAM
    ]


async def give_back(hands: Hands) -> list[PreparedCall]:
    """One look at what is lent, and what it sends."""
    calls = await hands.deposits.prepare([])
    assert not any(await hands.send(calls))
    return calls


async def let_tables_end(hands: Hands) -> None:
    """Those that nobody asks for any more are deactivated."""
    await give_back(hands)
    await give_back(hands)
    assert all(table.deactivated_in is not None for table in tables_of(hands.world).values())


@pytest.mark.parametrize(("count", "tables"), [(21, 0), (22, 1), (40, 1), (48, 1)])
async def test_a_call_with_many_accounts_is_run_by_a_lookup_table(world: World, count: int, tables: int) -> None:
    asked = asked_for(many(count))
    async with hands_on(world) as hands:
        last = await carry(hands, executions(world, asked))
        (run,) = (call for call in hands.sent if call.request_ids)
    assert last.settled == (request_id(asked),)
    assert world.state("Slot", slot_address(request_id(asked)))["word"][0] == 0
    assert len(tables_of(world)) == tables
    assert len(MessageV0.from_bytes(run.data).address_table_lookups) == tables


async def test_all_that_a_call_can_have_fits_what_a_transaction_may_lock(world: World) -> None:
    first = asked_for([])
    world.execute(first)
    own = AccountMeta(own_account(REMOTE_SENDER), is_signer=True, is_writable=False)
    code = sha256(probe().rstrip(b"\0")).digest()
    before = asked_for([], 1)
    retried = asked_for(
        [own, *many(47)],
        2,
        own_account=True,
        code_hash=code,
        ordered_after=int.from_bytes(request_id(first), "big"),
        origin=int.from_bytes(request_id(before), "big"),
    )
    async with hands_on(world) as hands:
        last = await carry(hands, executions(world, retried))
        (run,) = (call for call in hands.sent if call.request_ids)
    assert last.settled == (request_id(retried),)
    message = MessageV0.from_bytes(run.data)
    (lookup,) = message.address_table_lookups
    locked = len(message.account_keys) + len(lookup.writable_indexes) + len(lookup.readonly_indexes)
    assert 60 < locked <= 64


@pytest.mark.parametrize("count", [49, 64])
async def test_more_accounts_than_the_gateway_takes_are_refused_by_name(world: World, count: int) -> None:
    asked = asked_for(many(count))
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
    assert named(last) == {request_id(asked): "TooManyAccounts"}
    assert tables_of(world) == {}


async def test_a_table_is_used_when_it_is_final(world: World) -> None:
    """SECURITY: a fork that goes away could leave other accounts at the places that we have signed for."""
    asked = asked_for(many(30))
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.execute(executions(world, asked)))
        (table,) = tables_of(world).values()
        assert len(table.addresses) == 30
        assert last == Preparation((), ())
        world.advance(FINALIZED_AFTER)
        assert len((await hands.execute(executions(world, asked))).calls) == 1


async def test_a_process_that_starts_anew_goes_on_with_the_table_that_is_there(world: World) -> None:
    asked = asked_for(many(40))
    batch = executions(world, asked)
    for _ in range(3 * MOST_ROUNDS):
        async with hands_on(world) as hands:
            look = await hands.execute(batch)
            assert not any(await hands.send([*look.groundwork, *look.calls]))
        if look.settled:
            break
    assert look.settled == (request_id(asked),)
    assert len(tables_of(world)) == 1


async def test_calls_with_the_same_accounts_share_a_table(world: World) -> None:
    asked = [asked_for(many(30)[::direction], nonce) for nonce, direction in enumerate((1, -1, 1))]
    async with hands_on(world) as hands:
        last = await carry(hands, executions(world, *asked))
        later = asked_for(many(30), 3)
        await carry(hands, executions(world, later))
        assert steps_for_tables(hands.sent) == [0, 2, 2]
    assert set(last.settled) == {request_id(one) for one in asked}
    assert is_run(world, later)


async def test_calls_with_other_accounts_have_tables_of_their_own(world: World) -> None:
    asked = [asked_for(many(25, first), nonce) for nonce, first in enumerate((0, 10, 50))]
    async with hands_on(world) as hands:
        last = await carry(hands, executions(world, *asked))
    assert set(last.settled) == {request_id(one) for one in asked}
    assert {len(table.addresses) for table in tables_of(world).values()} == {25}
    assert len(tables_of(world)) == 3


async def test_a_table_s_rent_comes_back_when_nobody_asks_for_it_after_a_restart_too(world: World) -> None:
    before = world.balance(RELAYER.pubkey())
    async with hands_on(world) as hands:
        await give_back(hands)  # opens the credit
        spent = before - world.balance(RELAYER.pubkey())
        await carry(hands, executions(world, asked_for(many(40))))
        await let_tables_end(hands)
        assert await give_back(hands) == []
        sent = hands.sent
    world.advance(610)
    async with hands_on(world) as anew:
        await give_back(anew)
        calls = await give_back(anew)
        assert steps_for_tables(calls) == [4]
        assert await give_back(anew) == []
    assert tables_of(world) == {}
    root_rent, slot_rent, fees = 1_726_080, 1_447_680, 5_000 * (len(sent) + 2)
    assert before - world.balance(RELAYER.pubkey()) < spent + root_rent + slot_rent + fees


async def test_a_table_that_is_still_asked_for_stays(world: World) -> None:
    asked = asked_for(many(30), 0, FAIL)
    async with hands_on(world) as hands:
        await give_back(hands)
        await carry(hands, executions(world, asked))
        for _ in range(3):
            await hands.execute(executions(world, asked))
            assert await hands.deposits.prepare([]) == []


async def test_while_a_table_ends_another_serves(world: World) -> None:
    async with hands_on(world) as hands:
        for nonce in range(2):
            await carry(hands, executions(world, asked_for(many(30), nonce)))
            await let_tables_end(hands)
        last = await carry(hands, executions(world, asked_for(many(30), 2)))
        assert set(named(last).values()) == {NO_TABLE}
        world.advance(610)
        await let_tables_end(hands)
        await give_back(hands)
        assert tables_of(world) == {}
        assert (await carry(hands, executions(world, asked_for(many(30), 2)))).settled


async def test_security_a_table_for_a_call_that_never_runs_comes_back(world: World) -> None:
    """SECURITY: it can be tried only by its table, and would hold our rent until it expires."""
    asked = asked_for(many(30), 0, FAIL)
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        last = await carry(hands, batch)
        assert named(last)[request_id(asked)].startswith(f"{PROBE} failed: ")
        for _ in range(21):
            hands.seconds += 30
            last = await hands.execute(batch)
        assert (named(last), last.groundwork) == ({request_id(asked): NO_STAGE}, ())
        await let_tables_end(hands)


async def test_security_no_more_rent_is_lent_than_for_so_many_tables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SECURITY: whoever asks for ever other accounts would take all that we have for a while."""
    monkeypatch.setattr(tabling, "MAX_TABLES", 2)
    first, second, third = (executions(world, asked_for(many(25, at * 30), at)) for at in range(3))
    async with hands_on(world) as hands:
        assert (await carry(hands, first)).settled
        assert (await carry(hands, second)).settled
        assert set(named(await carry(hands, third)).values()) == {NO_TABLE}
        assert len(tables_of(world)) == 2
        await let_tables_end(hands)
        assert set(named(await carry(hands, third)).values()) == {NO_TABLE}
        world.advance(610)
        await give_back(hands)
        await give_back(hands)
        assert (await carry(hands, third)).settled


async def test_security_no_endpoint_alone_makes_room_for_tables(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: one that shows none of them would have us lend without end."""
    monkeypatch.setattr(tabling, "MAX_TABLES", 1)
    first, second = (executions(world, asked_for(many(25, at * 30), at)) for at in range(2))
    honest, liar = world.endpoint(), world.endpoint()
    liar.overrides["getProgramAccounts"] = honest.overrides["getProgramAccounts"] = lambda _: []
    async with hands_on(world, honest, liar, quorum=2) as hands:
        assert (await carry(hands, first)).settled
        for _ in range(3):
            await give_back(hands)
        assert set(named(await carry(hands, second)).values()) == {NO_TABLE}


async def test_security_a_table_that_others_may_fill_is_not_used(world: World) -> None:
    """SECURITY: who fills it says which accounts our transaction names."""
    asked = asked_for(many(30))
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(executions(world, asked)))
        (key,) = tables_of(world)
        account = world.account(key)
        data = bytes(account.data).replace(bytes(RELAYER.pubkey()), bytes(world.payer.pubkey()))
        world.chain.place(key, Account(account.lamports, data, TABLE_PROGRAM))
        world.advance(FINALIZED_AFTER)
        assert (await carry(hands, executions(world, asked))).settled
        (run,) = (call for call in hands.sent if call.request_ids)
    (lookup,) = MessageV0.from_bytes(run.data).address_table_lookups
    assert lookup.account_key != key


async def test_as_many_tables_are_ended_in_a_transaction_as_fit(world: World) -> None:
    async with hands_on(world) as hands:
        await carry(hands, executions(world, *(asked_for(many(22, at * 30), at) for at in range(7))))
        await give_back(hands)
        assert [steps_for_tables([call]) for call in await give_back(hands)] == [[3] * 6, [3]]
        world.advance(610)
        assert [steps_for_tables([call]) for call in await give_back(hands)] == [[4] * 6, [4]]
    assert tables_of(world) == {}


async def test_security_a_table_that_somebody_makes_in_our_name_stops_nothing_and_is_not_used(world: World) -> None:
    """SECURITY: whoever foresees the slot can make an empty table at the address that ours would have."""
    asked = asked_for(many(30))
    batch = executions(world, asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.execute(batch)).groundwork)
        look = await hands.execute(batch)
        (making,) = (call for call in look.groundwork if TABLE_PROGRAM in keys_in(call))
        message = MessageV0.from_bytes(making.data)
        (create,) = (step for step in message.instructions if bytes(step.data)[:4] == bytes(4))
        slot = int.from_bytes(bytes(create.data)[4:12], "little")
        stranger = world.payer.pubkey()
        theirs = MAKE.create(slot)
        theirs.accounts = [
            theirs.accounts[0],
            AccountMeta(RELAYER.pubkey(), is_signer=False, is_writable=False),
            AccountMeta(stranger, is_signer=True, is_writable=True),
            theirs.accounts[3],
        ]
        world.send(theirs)
        last = await carry(hands, batch)
    assert last.settled == (request_id(asked),)
    assert tables_of(world)[MAKE.address(slot)].addresses == ()
    assert len(tables_of(world)) == 2


async def test_security_what_one_endpoint_tells_of_a_table_is_not_signed_for(world: World) -> None:
    """SECURITY: a liar would choose which accounts our transaction names."""
    asked = asked_for(many(30))
    batch = executions(world, asked)
    honest, liar = world.endpoint(), world.endpoint()

    def turned(params: list[Any]) -> Any:
        answer = world.ask("getMultipleAccounts", params)
        for account in answer["value"]:
            if account is not None and account["owner"] == str(TABLE_PROGRAM):
                data = b64decode(account["data"][0])
                words = [data[at : at + 32] for at in range(56, len(data), 32)]
                account["data"][0] = b64encode(data[:56] + b"".join(reversed(words))).decode()
        return answer

    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.execute(batch))
        world.advance(FINALIZED_AFTER)
    liar.overrides["getMultipleAccounts"] = turned
    async with hands_on(world, liar, honest, quorum=2) as hands:
        assert await hands.execute(batch) == Preparation((), ())
    async with hands_on(world, honest, world.endpoint(), liar, quorum=2) as hands:
        (call,) = (await hands.execute(batch)).calls
        assert await hands.send([call]) == [None]


async def test_an_execution_by_a_lookup_table_is_observed(world: World) -> None:
    asked = asked_for(many(40))
    async with hands_on(world) as hands:
        await carry(hands, executions(world, asked))
    world.advance(FINALIZED_AFTER)
    async with watched(world.endpoint()) as chain:
        blocks = await follow(chain)
    concluded = [one for block in blocks for one in block.observations if isinstance(one, CallConcluded)]
    assert [one.request_id for one in concluded] == [request_id(asked)]


@pytest.mark.parametrize(
    "data", [b"", bytes(56), b"\1" + bytes(54), b"\1" + bytes(56), b"\1" + bytes(20) + b"\2" + bytes(34)]
)
def test_what_is_no_table_is_not_read_as_one(data: bytes) -> None:
    with pytest.raises(MalformedBorsh):
        parse_table(AccountState(TABLE_PROGRAM, 1, data, is_executable=False))


def test_security_a_table_of_another_program_s_is_none() -> None:
    """SECURITY: its owner writes what it likes there."""
    data = b"\1" + bytes(55) + bytes(32)
    assert parse_table(AccountState(TABLE_PROGRAM, 1, data, is_executable=False)) is not None
    assert parse_table(AccountState(PROBE, 1, data, is_executable=False)) is None
