"""Executions through the devnet's node, upon the committed contracts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from attestation.keccak import keccak256
from attestation.request import request_id
from attestation.statement import Execute
from relayer.ports.wallet import FeeBid, SendResult
from relayer.vms.bundling.preparing import OVERSIZE
from tests.cosmwasm.adapter.world import (
    GAS_CAP,
    OTHER_KEY,
    World,
    failing_simulations,
    gasless_simulations,
    receipt_of,
    send,
)
from tests.cosmwasm.contract.ledger import DENOM, PAYEE, b64, compact

BURN = {"burn": {}}

_AROUND_A_FLOOD = (700_000, 900_000, 1_000_000, 1_100_000, 1_300_000)
"""Limits under which it does not fit, fits but for its reading, and fits."""


@pytest.fixture
def world() -> World:
    return World()


async def test_certified_requests_are_executed_in_one_transaction_and_settled_then(world: World) -> None:
    requests = [world.request(nonce) for nonce in range(3)]
    batch = world.executions(*requests)
    await world.advance()
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.destination.prepare_execute([batch], PAYEE)
        (call,) = prepared.calls
        assert call.request_ids == tuple(map(request_id, requests))
        assert (prepared.settled, prepared.refused) == ((), ())
        assert call.gas_limit == call.expected_gas <= GAS_CAP
        signed = await send(chain, call)
        await world.advance()
        receipt = await receipt_of(chain, signed)
        assert receipt.is_success
        assert receipt.gas_used <= call.gas_limit
        assert receipt.cost == -(-call.gas_limit * 25_000 // 1_000_000)
        again = await chain.destination.prepare_execute([batch], PAYEE)
    assert again.calls == ()
    assert again.settled == call.request_ids
    assert all(any(world.consumed(request)) for request in requests)


async def test_the_fee_is_what_the_account_has_less_afterwards(world: World) -> None:
    batch = world.executions(world.request())
    async with world.connected() as chain:
        await world.advance()
        before = await chain.wallet.fetch_balance()
        (call,) = (await chain.destination.prepare_execute([batch], PAYEE)).calls
        signed = await send(chain, call)
        await world.advance()
        assert before - await chain.wallet.fetch_balance() == (await receipt_of(chain, signed)).cost


async def test_an_account_that_was_never_sent_anything_is_told_so_and_works_once_it_was(world: World) -> None:
    batch = world.executions(world.request())
    async with world.connected(money=0) as chain:
        await world.advance()
        terms = await chain.wallet.fetch_terms()
        assert (terms.next_nonce, terms.balance) == (0, 0)
        ((_, reason),) = (await chain.destination.prepare_execute([batch], PAYEE)).refused
        assert "does not exist" in reason
        world.keeper.mint(world.keeper.addresses.text(chain.wallet.address), {DENOM: 10**9})
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([batch], PAYEE)).calls
        await send(chain, call)


async def test_a_target_that_burns_all_its_gas_is_an_outcome_within_what_was_offered(world: World) -> None:
    requests = [
        world.request(nonce, call=BURN, execution_gas_limit=limit) for nonce, limit in enumerate((100_000, 10**6))
    ]
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([world.executions(*requests)], PAYEE)).calls
        signed = await send(chain, call)
        await world.advance()
        receipt = await receipt_of(chain, signed)
    assert receipt.is_success
    assert sum(request.execution_gas_limit for request in requests) < receipt.gas_used <= call.gas_limit
    assert all(world.consumed(request)[0] == 1 for request in requests)


async def test_a_target_that_answers_more_than_is_kept_is_offered_what_it_uses(world: World) -> None:
    request = world.request(call={"answer": {"data": b64(b"x" * 100), "size": 3_000}}, execution_gas_limit=2_000_000)
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([world.executions(request)], PAYEE)).calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success


async def test_what_does_not_fit_one_transaction_goes_into_several_of_one_block(world: World) -> None:
    batches = [
        world.executions(*(world.request(10 * part + n, execution_gas_limit=2_500_000) for n in range(4)))
        for part in range(2)
    ]
    async with world.connected() as chain:
        await world.advance()
        calls = (await chain.destination.prepare_execute(batches, PAYEE)).calls
        assert [len(call.request_ids) for call in calls] == [3, 3, 2]
        assert all(call.gas_limit <= GAS_CAP for call in calls)
        terms = await chain.wallet.fetch_terms()
        signed = [chain.wallet.sign(call, terms.next_nonce + n, terms.bid) for n, call in enumerate(calls)]
        assert await chain.wallet.send([each.raw for each in signed]) == [SendResult.ACCEPTED] * 3
        await world.advance()
        receipts = [await receipt_of(chain, each) for each in signed]
        assert [receipt.is_success for receipt in receipts] == [True] * 3
        assert len({receipt.block for receipt in receipts}) == 1
        assert await chain.wallet.fetch_next_nonce() == terms.next_nonce + 3


async def test_what_fits_no_transaction_is_refused_in_words(world: World) -> None:
    small, large = world.request(1), world.request(2, execution_gas_limit=GAS_CAP)
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.destination.prepare_execute([world.executions(small, large)], PAYEE)
    assert prepared.refused == ((request_id(large), OVERSIZE),)
    assert [call.request_ids for call in prepared.calls] == [(request_id(small),)]


async def test_a_batch_that_is_not_certified_harms_no_other(world: World) -> None:
    sound, unsigned = world.request(1), world.request(2)
    weak = world.certificate([Execute(request_id(unsigned), 70, keccak256(b"source block"), 3, 1).leaf], range(2))
    async with world.connected() as chain:
        await world.advance()
        batches = [world.executions(unsigned, certificate=weak), world.executions(sound)]
        prepared = await chain.destination.prepare_execute(batches, PAYEE)
    assert prepared.refused == ((request_id(unsigned), "BelowThreshold"),)
    assert [call.request_ids for call in prepared.calls] == [(request_id(sound),)]


async def test_what_the_gateway_would_pass_over_is_refused_by_its_name(world: World) -> None:
    first = world.request(1, ordered_after=1)
    second = world.request(2, ordered_after=int.from_bytes(request_id(world.request(9))))
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.destination.prepare_execute([world.executions(second, first)], PAYEE)
    assert [call.request_ids for call in prepared.calls] == [(request_id(first),)]
    ((refused, reason),) = prepared.refused
    assert refused == request_id(second)
    assert reason.isalpha()


async def test_only_what_is_past_its_expiry_expires(world: World) -> None:
    late, early = world.request(1, expiry=world.now - 1), world.request(2)
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.destination.prepare_expire([world.executions(late, early)], PAYEE)
        assert [identifier for identifier, _ in prepared.refused] == [request_id(early)]
        (call,) = prepared.calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success
    assert world.consumed(late)[0] == 3


async def test_two_relayers_of_one_request_are_both_mined_and_it_runs_once(world: World) -> None:
    batch = world.executions(world.request())
    async with world.connected() as ours, world.connected(key=OTHER_KEY) as theirs:
        await world.advance()
        signed = []
        for chain in (ours, theirs):
            (call,) = (await chain.destination.prepare_execute([batch], PAYEE)).calls
            signed.append(await send(chain, call))
        await world.advance()
        assert all([(await receipt_of(ours, each)).is_success for each in signed])
        assert (await ours.destination.prepare_execute([batch], PAYEE)).settled == (request_id(world.request()),)


async def test_simulations_go_on_while_transactions_of_ours_wait(world: World) -> None:
    first, second = world.executions(world.request(1)), world.executions(world.request(2))
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([first], PAYEE)).calls
        await send(chain, call)
        assert len((await chain.destination.prepare_execute([second], PAYEE)).calls) == 1


async def test_a_gap_is_filled_when_what_was_before_it_comes(world: World) -> None:
    batches = [world.executions(world.request(nonce)) for nonce in range(2)]
    async with world.connected() as chain:
        await world.advance()
        calls = [(await chain.destination.prepare_execute([batch], PAYEE)).calls[0] for batch in batches]
        terms = await chain.wallet.fetch_terms()
        first, second = (chain.wallet.sign(call, terms.next_nonce + n, terms.bid) for n, call in enumerate(calls))
        assert await chain.wallet.send([second.raw]) == [SendResult.REFUSED]
        assert await chain.wallet.send([first.raw, second.raw]) == [SendResult.ACCEPTED] * 2
        assert await chain.wallet.send([first.raw, second.raw]) == [SendResult.KNOWN] * 2
        await world.advance()
        assert (await receipt_of(chain, first)).is_success
        assert (await receipt_of(chain, second)).is_success


async def test_what_a_pool_does_not_take_is_told_apart(world: World) -> None:
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([world.executions(world.request())], PAYEE)).calls
        terms = await chain.wallet.fetch_terms()
        wallet = chain.wallet
        cheap = wallet.sign(call, terms.next_nonce, FeeBid(24_999, 24_999, 24_999))
        dear = wallet.sign(call, terms.next_nonce, FeeBid(10**12, 1, 1))
        assert await wallet.send([cheap.raw]) == [SendResult.UNDERPRICED]
        assert await wallet.send([dear.raw]) == [SendResult.INSUFFICIENT_FUNDS]
        await send(chain, call)
        rival = wallet.sign(call, terms.next_nonce, FeeBid(30_000, 30_000, 30_000))
        # The pool keeps the one that it has: a dearer one is of use when that one is gone.
        assert await wallet.send([rival.raw]) == [SendResult.NONCE_TOO_LOW]
        await world.advance()
        assert await wallet.send([rival.raw]) == [SendResult.NONCE_TOO_LOW]
        assert await wallet.fetch_receipts([rival.hash]) == [None]


@pytest.mark.parametrize(
    "changes",
    [
        [{"call": BURN, "execution_gas_limit": 100_000}],
        [{"call": BURN, "execution_gas_limit": 300_000, "own_account": own} for own in (True, False, True)] * 2,
        [{"payload": b"{}" + b" " * 60_000, "execution_gas_limit": 100_000}],
        [{"execution_gas_limit": 300_000}] * 12,
        [{"code_hash": b"\xc0" * 32}] * 5,
        [{"call": {"answer": {"data": b64(b"x" * 1_000), "size": 8}}, "return_limit": 8_192}],
        [{"call": {"answer": {"data": b64(b"x" * 1_000), "size": 500}}, "execution_gas_limit": 1_200_000}] * 3,
        [{"call": {"flood": {"count": 5_000, "size": 1}}, "execution_gas_limit": 1_200_000}] * 3,
        [{"call": {"flood": {"count": 100, "size": 4_000}}, "execution_gas_limit": gas} for gas in _AROUND_A_FLOOD],
        [{"call": {"flood": {"count": 100, "size": 4_000}}, "execution_gas_limit": 9 * 10**5, "own_account": True}] * 3,
    ],
    ids=["burnt", "accounts", "payload", "many", "unreached", "answer", "bomb", "drops", "water", "own water"],
)
async def test_security_what_is_offered_suffices_whatever_a_simulation_said(
    world: World, changes: list[dict[str, Any]]
) -> None:
    """SECURITY: a target that burns more in a block than before it would have the whole transaction fail, and be paid.

    The targets here use all that they may, and the only endpoint tells of none of it.
    """
    requests = [world.request(nonce, **change) for nonce, change in enumerate(changes)]
    async with world.connected(gasless_simulations(world.endpoint())) as chain:
        await world.advance()
        calls = (await chain.destination.prepare_execute([world.executions(*requests)], PAYEE)).calls
        terms = await chain.wallet.fetch_terms()
        signed = [chain.wallet.sign(call, terms.next_nonce + n, terms.bid) for n, call in enumerate(calls)]
        await chain.wallet.send([each.raw for each in signed])
        await world.advance()
        receipts = [await receipt_of(chain, each) for each in signed]
    assert all(receipt.is_success for receipt in receipts)
    assert all(any(world.consumed(request)) for request in requests)


async def test_security_a_target_that_turns_hostile_after_its_simulation_harms_no_neighbour(world: World) -> None:
    """SECURITY: it would fail the bundle again and again, until all that is in it has expired."""
    act = {"flood": {"count": 4_000, "size": 60}}
    hostile = world.request(1, call={"when_open": {"act": b64(compact(act))}}, execution_gas_limit=1_500_000)
    requests = [world.request(0), hostile, world.request(2)]
    world.send(world.owner, world.probe, {"close": {"closed": True}})
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.destination.prepare_execute([world.executions(*requests)], PAYEE)).calls
        world.send(world.owner, world.probe, {"close": {"closed": False}})
        signed = await send(chain, call)
        await world.advance()
        receipt = await receipt_of(chain, signed)
    assert receipt.is_success
    assert [world.consumed(request)[0] for request in requests] == [0, 1, 0]


async def test_leaves_of_others_are_reckoned_with(world: World) -> None:
    requests = [world.request(nonce, call=BURN, execution_gas_limit=100_000) for nonce in range(200)]
    whole = world.executions(*requests)
    async with world.connected(gasless_simulations(world.endpoint())) as chain:
        await world.advance()
        part = replace(whole, requests=whole.requests[7:8])
        (call,) = (await chain.destination.prepare_execute([part], PAYEE)).calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success


async def test_security_an_endpoint_that_lies_about_simulations_keeps_nothing_from_being_sent(world: World) -> None:
    """SECURITY: one endpoint would have all requests wait until they expire."""
    endpoints = [failing_simulations(world.endpoint()), world.endpoint(), world.endpoint()]
    async with world.connected(*endpoints, quorum=2) as chain:
        await world.advance()
        prepared = await chain.destination.prepare_execute([world.executions(world.request())], PAYEE)
    assert len(prepared.calls) == 1
    assert prepared.refused == ()


async def test_the_key_is_in_no_error_and_no_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with world.connected() as chain:
        await world.advance()
        await chain.destination.prepare_execute([world.executions(world.request())], PAYEE)
        shown = repr(chain.wallet) + str(capsys.readouterr())
    assert (b"\x52" * 32).hex() not in shown
