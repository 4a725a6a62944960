"""Deliveries through the devnet's node, upon the committed contracts."""

from __future__ import annotations

from typing import Any

import pytest

from attestation.request import Request, request_id
from relayer.vms.bundling.preparing import OVERSIZE
from tests.cosmwasm.adapter.world import GAS_CAP, OTHER_KEY, World, gasless_simulations, receipt_of, send
from tests.cosmwasm.contract.ledger import b64, compact
from tests.cosmwasm.contract.source_side import cancelling

PENDING, HANDLER_FAILED = 1, 2


@pytest.fixture
def world() -> World:
    return World()


def ask(world: World, count: int = 1, **options: Any) -> list[Request]:
    """Requests of a contract that is called back."""
    return [world.ask_by_contract(world.probe, **options) for _ in range(count)]


async def test_outcomes_are_delivered_in_one_transaction_and_settled_then(world: World) -> None:
    requests = [*ask(world, 3), world.ask_from(world.asker)[0]]
    batch = world.deliveries(*requests)
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.source.prepare_deliver([batch])).calls
        assert call.request_ids == tuple(map(request_id, requests))
        signed = await send(chain, call)
        await world.advance()
        receipt = await receipt_of(chain, signed)
        assert receipt.is_success
        assert receipt.gas_used <= call.gas_limit <= GAS_CAP
        again = await chain.source.prepare_deliver([batch])
    assert (again.calls, again.settled, again.refused) == ((), call.request_ids, ())
    assert len(world.callbacks_of(world.probe)) == 3


async def test_a_callback_without_a_contract_is_offered_no_gas_for_one(world: World) -> None:
    (by_contract,), by_account = ask(world), world.ask_from(world.asker)[0]
    async with world.connected() as chain:
        await world.advance()
        limits = [
            (await chain.source.prepare_deliver([world.deliveries(request)])).calls[0].gas_limit
            for request in (by_contract, by_account)
        ]
    assert limits[0] - limits[1] == by_contract.callback_gas_limit


async def test_what_was_cancelled_is_delivered_without_a_callback(world: World) -> None:
    request = world.ask_from(world.asker)[0]
    world.pass_deadline()
    world.act(world.asker, "cancel", cancelling(request))
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.source.prepare_deliver([world.deliveries(request)])).calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success


async def test_a_handler_that_fails_is_delivered_all_the_same(world: World) -> None:
    (request,) = ask(world)
    world.close(world.probe)
    async with world.connected() as chain:
        await world.advance()
        (call,) = (await chain.source.prepare_deliver([world.deliveries(request)])).calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success
    assert world.pending(request_id(request))["state"] == HANDLER_FAILED


async def test_what_does_not_fit_one_transaction_goes_into_several(world: World) -> None:
    requests = ask(world, 5, callback_gas_limit=str(3_000_000))
    async with world.connected() as chain:
        await world.advance()
        calls = (await chain.source.prepare_deliver([world.deliveries(*requests)])).calls
        assert [len(call.request_ids) for call in calls] == [3, 2]
        terms = await chain.wallet.fetch_terms()
        signed = [chain.wallet.sign(call, terms.next_nonce + n, terms.bid) for n, call in enumerate(calls)]
        await chain.wallet.send([each.raw for each in signed])
        await world.advance()
        assert all([(await receipt_of(chain, each)).is_success for each in signed])


async def test_a_callback_that_fits_no_transaction_is_refused_in_words(world: World) -> None:
    (request,) = ask(world, callback_gas_limit=str(GAS_CAP))
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.source.prepare_deliver([world.deliveries(request)])
    assert prepared.refused == ((request_id(request), OVERSIZE),)


async def test_two_deliveries_of_one_outcome_are_both_mined_and_it_is_told_once(world: World) -> None:
    (request,) = ask(world)
    batch = world.deliveries(request)
    async with world.connected() as ours, world.connected(key=OTHER_KEY) as theirs:
        await world.advance()
        signed = []
        for chain in (ours, theirs):
            (call,) = (await chain.source.prepare_deliver([batch])).calls
            signed.append(await send(chain, call))
        await world.advance()
        assert all([(await receipt_of(ours, each)).is_success for each in signed])
    assert len(world.callbacks_of(world.probe)) == 1


async def test_an_outcome_of_no_request_is_settled(world: World) -> None:
    async with world.connected() as chain:
        await world.advance()
        prepared = await chain.source.prepare_deliver([world.deliveries(world.request(77))])
    assert prepared.settled == (request_id(world.request(77)),)


@pytest.mark.parametrize(
    "act",
    [
        {"burn": {}},
        {"panic": {}},
        {"fail": {"text": "x" * 10_000}},
        {"answer": {"data": b64(b"\xff" * 1_000), "size": 100}},
        {"flood": {"count": 10, "size": 10_000}},
        {"flood": {"count": 2_000, "size": 0}},
    ],
    ids=lambda act: next(iter(act)),
)
async def test_security_what_is_offered_suffices_whatever_a_simulation_said(world: World, act: Any) -> None:
    """SECURITY: a handler that uses more in a block than before would have the whole transaction fail, and be paid."""
    world.send(world.owner, world.probe, {"when_called_back": {"act": b64(compact(act))}})
    requests = ask(world, 3, callback_gas_limit=str(600_000))
    async with world.connected(gasless_simulations(world.endpoint())) as chain:
        await world.advance()
        (call,) = (await chain.source.prepare_deliver([world.deliveries(*requests)])).calls
        signed = await send(chain, call)
        await world.advance()
        assert (await receipt_of(chain, signed)).is_success
    assert all(world.pending(request_id(request))["state"] != PENDING for request in requests)
