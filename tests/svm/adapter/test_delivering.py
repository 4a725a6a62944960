"""Outcomes and their callbacks, from what is certified to what the chain holds then."""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest
from solders.account import Account
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from attestation.request import Request, RequestId
from relayer.domain.tracked import TrackedRequest
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm.pending_places import MAX_REMEMBERED, PendingPlaces
from tests.svm.adapter.relaying import MOST_LOOKS, Hands, concluded, named, outcomes, tracked
from tests.svm.adapter.test_executing import hands_on
from tests.svm.adapter.watching import follow, watched
from tests.svm.adapter.world import FINALIZED_AFTER, RELAYER, World
from tests.svm.program.ledger import CONFIG, NOW, PROBE, PROGRAM, address, keypair, pending_address
from tests.svm.program.test_journeys import ask_from_probe

MARK = b"xvmcb1"
DATA = b"what was answered"
MEMORY = keypair("memory").pubkey()
CREDIT = address(b"credit", bytes(RELAYER.pubkey()))


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def final(world: World, request: Request) -> TrackedRequest:
    """The request that was asked for last, once its slot is final."""
    landed = world.last
    world.advance(4)
    return tracked(request, bytes(landed.signature), landed.slot)


def ask(world: World, salt: int = 0, **changes: Any) -> TrackedRequest:
    """A wallet asks."""
    return final(world, world.request(salt, **changes)[1])


def ask_by_program(world: World, metadata: bytes, salt: int = 0) -> TrackedRequest:
    """The probe asks, and wants these accounts for its handler."""
    request = ask_from_probe(world, salt, options={"metadata": metadata})[1]
    assert isinstance(request, Request)
    return final(world, request)


def naming(*keys: Pubkey, is_writable: bool = True) -> bytes:
    """Metadata that names these accounts."""
    return MARK + bytes([len(keys)]) + b"".join(bytes(key) + bytes([is_writable]) for key in keys)


def is_there(world: World, salt: int = 0) -> bool:
    return world.svm.get_account(pending_address(world.sender.pubkey(), salt)) is not None


def calls_of_handler(world: World) -> int:
    count: int = struct.unpack_from("<Q", bytes(world.account(MEMORY).data), 8)[0]
    return count


def set_memory(world: World, first: bytes) -> None:
    """The probe's handler fails if the first byte of its account is 1."""
    world.chain.place(MEMORY, Account(10**9, first + bytes(1_199), PROBE))
    world.advance()


def programs_called(call: PreparedCall) -> list[bytes]:
    """The tags of the gateway's instructions in a call."""
    return [bytes(step.data)[:1] for step in MessageV0.from_bytes(call.data).instructions[2:]]


async def test_an_outcome_is_recorded_and_called_back_in_one_transaction(world: World) -> None:
    asked = [concluded(ask(world, salt), DATA) for salt in range(3)]
    batch = outcomes(world, *asked)
    async with hands_on(world) as hands:
        first = await hands.deliver(batch)
        assert (len(first.groundwork), first.calls) == (1, ())
        await hands.send(first.groundwork)
        second = await hands.deliver(batch)
        assert [programs_called(call) for call in second.calls] == [[b"\x10", b"\x11"]] * 3
        assert await hands.send(second.calls) == [None] * 3
        last = await hands.deliver(batch)
    assert last.settled == tuple(one.request_id for one in asked)
    assert not any(is_there(world, salt) for salt in range(3))


async def test_a_handler_gets_the_accounts_that_the_request_names(world: World) -> None:
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
    assert last.settled == (asked.request_id,)
    assert calls_of_handler(world) == 1


async def test_a_handler_that_fails_leaves_the_outcome_recorded_and_is_called_when_it_can_be(world: World) -> None:
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    set_memory(world, b"\1")
    batch = outcomes(world, asked)
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(batch)).groundwork)
        (call,) = (await hands.deliver(batch)).calls
        assert (call.request_ids, programs_called(call)) == ((asked.request_id,), [b"\x10"])
        await hands.send([call])
        look = await hands.deliver(batch)
        assert look.calls == ()
        assert named(look)[asked.request_id].startswith(f"{PROBE} failed: ")
        set_memory(world, b"\0")
        (again,) = (await hands.deliver(batch)).calls
        assert programs_called(again) == [b"\x11"]
        last = await hands.carry(lambda: hands.deliver(batch))
    assert last.settled == (asked.request_id,)
    assert calls_of_handler(world) == 1


async def mined_in_vain(world: World, hands: Hands, call: PreparedCall, asked: TrackedRequest) -> TrackedRequest:
    """The request once this call was mined and failed at the callback."""
    terms = await hands.wallet.fetch_terms()
    signed = hands.wallet.sign(call, terms.next_nonce, terms.bid)
    await hands.wallet.send([signed.raw])
    world.advance(FINALIZED_AFTER + 1)
    landed = world.chain.ledger.find(Signature(signed.hash))
    assert landed is not None
    assert landed.error is not None
    assert landed.error["InstructionError"][0] == 3
    return asked.with_facts(callback_tx_hash=signed.hash)


async def test_security_a_handler_that_fails_only_when_it_is_mined_keeps_nobody_from_pay(world: World) -> None:
    """SECURITY: it can tell a simulation from a block, and would have each delivery fail, and be paid for by us."""
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(outcomes(world, asked))).groundwork)
        (call,) = (await hands.deliver(outcomes(world, asked))).calls
        set_memory(world, b"\1")
        again = await mined_in_vain(world, hands, call, asked)
        set_memory(world, b"\0")
        (alone,) = (await hands.deliver(outcomes(world, again))).calls
        assert (alone.request_ids, programs_called(alone)) == ((asked.request_id,), [b"\x10"])
        assert await hands.send([alone]) == [None]


async def test_a_handler_that_we_starved_is_called_again(world: World) -> None:
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(outcomes(world, asked))).groundwork)
        (call,) = (await hands.deliver(outcomes(world, asked))).calls
        starving = replace(call, gas_limit=call.expected_gas - 1_000)
        again = await mined_in_vain(world, hands, starving, asked)
        (both,) = (await hands.deliver(outcomes(world, again))).calls
        assert programs_called(both) == [b"\x10", b"\x11"]
        assert await hands.send([both]) == [None]


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (naming(MEMORY, RELAYER.pubkey()), "PayerAmongAccounts"),
        (naming(MEMORY, RELAYER.pubkey(), is_writable=False), "PayerAmongAccounts"),
        (naming(MEMORY, CONFIG), "WrongTargetAccounts"),
        (naming(PROGRAM, MEMORY), "WrongTargetAccounts"),
        (MARK, "MalformedCallbackAccounts"),
        (MARK + b"\x01" + bytes(32), "MalformedCallbackAccounts"),
        (MARK + b"\x01" + bytes(32) + b"\2", "MalformedCallbackAccounts"),
        (MARK + b"\x08" + bytes(33) * 7, "MalformedCallbackAccounts"),
    ],
)
async def test_what_must_not_be_passed_on_is_not_and_who_executed_is_paid_all_the_same(
    world: World, metadata: bytes, name: str
) -> None:
    """SECURITY: a handler would act upon our account, or upon the gateway's."""
    asked = concluded(ask_by_program(world, metadata), DATA)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
        carried = [call for call in hands.sent if call.request_ids]
    assert [programs_called(call) for call in carried] == [[b"\x10"]]
    assert named(last) == {asked.request_id: name}
    assert calls_of_handler(world) == 0


async def test_other_metadata_names_no_accounts(world: World) -> None:
    asked = concluded(ask_by_program(world, b"label"), DATA)
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(outcomes(world, asked))).groundwork)
        (call,) = (await hands.deliver(outcomes(world, asked))).calls
    # The probe's handler wants an account, so that its callback fails and the outcome is recorded alone.
    assert programs_called(call) == [b"\x10"]


async def test_our_own_pay_waits_for_our_credit_and_nobody_else_s_does(world: World) -> None:
    ours = concluded(ask(world), DATA, bytes(RELAYER.pubkey()))
    theirs = concluded(ask(world, 1), DATA)
    batch = outcomes(world, ours, theirs)
    async with hands_on(world) as hands:
        first = await hands.deliver(batch)
        assert len(first.groundwork) == 2
        await hands.send(first.groundwork)
        rent = world.balance(CREDIT)
        last = await hands.carry(lambda: hands.deliver(batch))
        assert (await hands.deliver(batch)).groundwork == ()
    assert set(last.settled) == {ours.request_id, theirs.request_id}
    assert world.balance(CREDIT) > rent


async def test_a_long_answer_is_staged_and_recorded_with_its_callback(world: World) -> None:
    """Recorded alone it would count as called in vain, and nobody would call again."""
    asked = concluded(ask(world), bytes(range(256)) * 20)
    batch = outcomes(world, asked)
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.deliver(batch))
        (call,) = [one for one in hands.sent if one.request_ids]
    assert programs_called(call) == [b"\x10", b"\x1c", b"\x1b"]
    assert last.settled == (asked.request_id,)
    assert not is_there(world)


async def test_a_handler_that_fails_at_a_long_answer_leaves_it_recorded(world: World) -> None:
    asked = concluded(ask_by_program(world, naming(MEMORY)), bytes(range(256)) * 4)
    set_memory(world, b"\1")
    batch = outcomes(world, asked)
    async with hands_on(world) as hands:
        for _ in range(MOST_LOOKS):
            look = await hands.deliver(batch)
            if look.calls:
                break
            await hands.send(look.groundwork)
        (call,) = look.calls
        assert programs_called(call) == [b"\x10"]
        await hands.send([call])
        set_memory(world, b"\0")
        last = await hands.carry(lambda: hands.deliver(batch))
    assert last.settled == (asked.request_id,)
    assert calls_of_handler(world) == 1


async def test_who_cancelled_is_not_called_and_its_executor_is_paid(world: World) -> None:
    asked = concluded(ask(world), DATA)
    world.chain.faults.slots_to_skip = 2_001
    world.set_time(NOW + 2_000, 0)
    accounts = {
        "sender": world.sender.pubkey(),
        "pending": pending_address(world.sender.pubkey(), 0),
        "refund": world.payer.pubkey(),
    }
    world.call("cancel", accounts, signers=[world.sender])
    async with hands_on(world) as hands:
        last = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
        (call,) = [one for one in hands.sent if one.request_ids]
    assert programs_called(call) == [b"\x10"]
    assert last.settled == (asked.request_id,)


async def test_what_somebody_else_recorded_is_only_called_back(world: World) -> None:
    asked = concluded(ask(world), DATA)
    assert asked.conclusion is not None
    world.deliver(asked.conclusion.outcome, pending_address(world.sender.pubkey(), 0))
    async with hands_on(world) as hands:
        look = await hands.deliver(outcomes(world, asked))
        assert [programs_called(call) for call in look.calls] == [[b"\x11"]]
        last = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
    assert last.settled == (asked.request_id,)


async def test_a_request_is_settled_though_its_address_serves_another_one_now(world: World) -> None:
    asked = concluded(ask(world), DATA)
    async with hands_on(world) as hands:
        await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
        second = concluded(ask(world), DATA)
        assert second.request_id != asked.request_id
        look = await hands.deliver(outcomes(world, asked))
    assert (look.settled, look.calls) == ((asked.request_id,), ())


async def test_one_endpoint_cannot_call_a_handler_failing(world: World) -> None:
    """SECURITY: the request would end with its outcome recorded and nobody called."""
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    batch = outcomes(world, asked)
    liar = world.endpoint()
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(batch)).groundwork)
    failing = {"err": {"InstructionError": [3, {"Custom": 1}]}, "logs": [], "unitsConsumed": 7}

    def simulate(params: list[Any]) -> Any:
        steps = VersionedTransaction.from_bytes(b64decode(params[0])).message.instructions
        return {"value": failing} if len(steps) > 3 else world.ask("simulateTransaction", params)

    liar.overrides["simulateTransaction"] = simulate
    async with hands_on(world, liar, world.endpoint(), world.endpoint(), quorum=2) as hands:
        (call,) = (await hands.deliver(batch)).calls
        assert await hands.send([call]) == [None]
    assert not is_there(world)


async def test_a_handler_that_fails_by_one_endpoint_of_two_alone_is_looked_at_again(world: World) -> None:
    """SECURITY: the request would end with its outcome recorded and nobody called."""
    asked = concluded(ask_by_program(world, naming(MEMORY)), DATA)
    batch = outcomes(world, asked)
    liar = world.endpoint()
    async with hands_on(world) as hands:
        await hands.send((await hands.deliver(batch)).groundwork)
    failing = {"err": {"InstructionError": [3, {"Custom": 1}]}, "logs": [], "unitsConsumed": 7}
    liar.overrides["simulateTransaction"] = lambda _: {"value": failing}
    async with hands_on(world, liar, world.endpoint(), quorum=2) as hands:
        look = await hands.deliver(batch)
    assert look.calls == ()
    assert set(named(look)) == {asked.request_id}


async def test_one_endpoint_cannot_call_a_delivery_settled(world: World) -> None:
    """SECURITY: it would keep an outcome from its requester for ever."""
    asked = concluded(ask(world), DATA)
    liar = world.endpoint()
    liar.overrides["getMultipleAccounts"] = lambda params: {"context": {"slot": 1}, "value": [None] * len(params[0])}
    async with hands_on(world, liar, world.endpoint(), world.endpoint(), quorum=2) as hands:
        last = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
    assert last.settled == (asked.request_id,)
    assert not is_there(world)


async def test_a_request_whose_transaction_is_not_told_waits(world: World) -> None:
    asked = concluded(ask(world), DATA)
    node = world.endpoint()
    node.overrides["getTransaction"] = lambda _: None
    async with hands_on(world, node) as hands:
        look = await hands.deliver(outcomes(world, asked))
    assert (look.calls, look.settled, look.refused, look.groundwork) == ((), (), (), ())


async def test_where_a_request_waits_is_a_hint_and_no_other_request_gets_its_outcome(world: World) -> None:
    """SECURITY: endpoints would have an outcome told to whom they like."""
    asked, _ = concluded(ask(world), DATA), ask(world, 1)
    async with hands_on(world) as hands:
        hands.places.note(asked.request_id, pending_address(world.sender.pubkey(), 1))
        look = await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
    assert look.settled == (asked.request_id,)
    assert hands.sent == []
    assert is_there(world, 1)


async def test_where_requests_wait_is_asked_for_once(world: World) -> None:
    asked = [concluded(ask(world, salt), DATA) for salt in range(3)]
    node = world.endpoint()
    async with hands_on(world, node) as hands:
        await hands.carry(lambda: hands.deliver(outcomes(world, *asked)))
    assert node.methods.count("getTransaction") == 3


async def test_where_a_request_waits_that_was_watched_is_not_asked_for(world: World) -> None:
    asked = concluded(ask(world), DATA)
    node = world.endpoint()
    async with watched(world.endpoint()) as chain, hands_on(world, node) as hands:
        world.advance(FINALIZED_AFTER)
        await follow(chain)
        place = chain._parts.codec.pending_places.find(asked.request_id)
        assert place == pending_address(world.sender.pubkey(), 0)
        hands.places.note(asked.request_id, place)
        await hands.carry(lambda: hands.deliver(outcomes(world, asked)))
    assert "getTransaction" not in node.methods


def test_the_oldest_place_is_forgotten_first() -> None:
    places = PendingPlaces()
    for number in range(MAX_REMEMBERED + 1):
        places.note(RequestId(number.to_bytes(32, "big")), PROGRAM)
    assert places.find(RequestId(bytes(32))) is None
    assert places.find(RequestId(MAX_REMEMBERED.to_bytes(32, "big"))) == PROGRAM
