"""What targets, handlers and bad batches can do to others: nothing, on a real chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attestation.statement import OutcomeKind
from relayer.domain.observations import CallbackDelivered, CallConcluded
from relayer.vms.evm.connect import EvmOpenChain
from tests.certifying import track_all
from tests.integration.evm.acting import fetch_tip, mine_and_fetch, send_and_mine
from tests.integration.evm.network import Network, calldata

pytestmark = pytest.mark.anvil

BURN_ALL = b"\xfe"  # INVALID: takes all the gas it is given


@pytest.mark.parametrize(("limit", "count"), [(50_000, 60), (500_000, 25), (10_000_000, 1)])
async def test_security_targets_that_burn_more_than_they_did_in_the_simulation_harm_nobody(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain, limit: int, count: int
) -> None:
    """SECURITY: a target that turns nasty after the simulation must not make the whole transaction revert."""
    for _ in range(count):
        network.ask(calldata(network.destination.counter, "increment", 1), executionGasLimit=limit, value=10**18)
    asked = await mine_and_fetch(network.source, source)
    assert len(track_all(asked)) == count
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    network.destination.set_code(network.destination.counter, BURN_ALL)
    receipts = await send_and_mine(network.destination, destination, prepared.calls)
    assert all(receipt.is_success for receipt in receipts)
    concluded = [o for o in (await fetch_tip(destination)).observations if isinstance(o, CallConcluded)]
    assert [o.kind for o in concluded] == [OutcomeKind.REVERTED] * count


@pytest.mark.parametrize(("limit", "count"), [(50_000, 20), (10_000_000, 1)])
async def test_security_accounts_that_are_created_on_the_way_have_their_gas(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain, limit: int, count: int
) -> None:
    """SECURITY: each sender's first request creates its account, and leaves the targets the gas that they are given."""
    payload = calldata(network.destination.counter, "increment", 1)
    for echo in [network.source.deploy("XvmEcho", network.source.gateway.address) for _ in range(count)]:
        network.ask(payload, by=echo, executionGasLimit=limit, ownAccount=True, value=10**18)
    asked = await mine_and_fetch(network.source, source)
    assert len({request.request.sender for request in track_all(asked)}) == count
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    network.destination.set_code(network.destination.counter, BURN_ALL)
    receipts = await send_and_mine(network.destination, destination, prepared.calls)
    assert all(receipt.is_success for receipt in receipts)
    concluded = [o for o in (await fetch_tip(destination)).observations if isinstance(o, CallConcluded)]
    assert [o.kind for o in concluded] == [OutcomeKind.REVERTED] * count


@pytest.mark.parametrize(("limit", "count"), [(50_000, 60), (300_000, 35), (10_000_000, 1)])
async def test_security_handlers_that_burn_more_than_they_did_in_the_simulation_harm_nobody(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain, limit: int, count: int
) -> None:
    """SECURITY: a handler that turns nasty after the simulation must not make the whole delivery revert."""
    for _ in range(count):
        network.ask(calldata(network.destination.counter, "answer", 1_000), callbackGasLimit=limit, value=10**18)
    asked = await mine_and_fetch(network.source, source)
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    await send_and_mine(network.destination, destination, prepared.calls)
    concluded = await fetch_tip(destination)
    prepared = await source.source.prepare_deliver(network.deliveries(concluded, track_all(asked)))
    network.source.set_code(network.source.echo, BURN_ALL)
    receipts = await send_and_mine(network.source, source, prepared.calls)
    assert all(receipt.is_success for receipt in receipts)
    delivered = [o for o in (await fetch_tip(source)).observations if isinstance(o, CallbackDelivered)]
    assert [o.is_handler_failed for o in delivered] == [True] * count


async def test_the_largest_payload_and_answer_fit_the_gas_that_they_are_given(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    largest = 65_536
    payload = calldata(network.destination.counter, "answer", largest - 64).ljust(largest, b"\xee")
    network.ask(
        payload,
        value=10**19,
        gas=10_000_000,
        executionGasLimit=10_000_000,
        callbackGasLimit=10_000_000,
        returnLimit=largest,
    )
    asked = await mine_and_fetch(network.source, source)
    (request,) = track_all(asked)
    assert len(request.request.payload) == largest
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    (receipt,) = await send_and_mine(network.destination, destination, prepared.calls)
    concluded = await fetch_tip(destination)
    (outcome,) = [o for o in concluded.observations if isinstance(o, CallConcluded)]
    assert (receipt.is_success, outcome.kind, len(outcome.return_data)) == (True, OutcomeKind.EXECUTED, largest)
    prepared = await source.source.prepare_deliver(network.deliveries(concluded, [request]))
    network.source.set_code(network.source.echo, BURN_ALL)
    (receipt,) = await send_and_mine(network.source, source, prepared.calls)
    assert receipt.is_success


async def test_a_forged_certificate_harms_no_other_batch(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    batches = []
    for amount in range(3):
        network.ask(calldata(network.destination.counter, "increment", amount))
        batches += network.executions(await mine_and_fetch(network.source, source))
    forged = batches[1].certificate[:-1] + bytes([batches[1].certificate[-1] ^ 1])
    batches[1] = replace(batches[1], certificate=forged)
    prepared = await destination.destination.prepare_execute(batches, source.wallet.payee)
    (bad,) = batches[1].requests
    assert prepared.refused == ((bad.request_id, "ForgedSignature"),)
    (call,) = prepared.calls
    assert call.request_ids == (batches[0].requests[0].request_id, batches[2].requests[0].request_id)
    (receipt,) = await send_and_mine(network.destination, destination, prepared.calls)
    assert receipt.is_success


async def test_a_return_value_that_is_not_the_certified_one_is_refused_alone(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    for amount in range(3):
        network.ask(calldata(network.destination.counter, "increment", amount))
    asked = await mine_and_fetch(network.source, source)
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    await send_and_mine(network.destination, destination, prepared.calls)
    (batch,) = network.deliveries(await fetch_tip(destination), track_all(asked))
    first, second, third = batch.requests
    assert second.conclusion is not None
    lying = replace(second, conclusion=replace(second.conclusion, return_data=b"\x00"))
    prepared = await source.source.prepare_deliver([replace(batch, requests=(first, lying, third))])
    assert prepared.refused == ((second.request_id, "ForgedSignature"),)
    assert [call.request_ids for call in prepared.calls] == [(first.request_id, third.request_id)]
    (receipt,) = await send_and_mine(network.source, source, prepared.calls)
    assert receipt.is_success


async def test_what_is_paused_is_refused_by_name_and_costs_nothing(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    network.ask(calldata(network.destination.counter, "increment", 1))
    asked = await mine_and_fetch(network.source, source)
    (request,) = track_all(asked)
    there = network.destination
    there.routes.functions.pauseInbound(network.source.gateway_address, 5).transact({"from": there.owner, "gas": 10**6})
    there.mine()
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    assert (prepared.calls, prepared.refused) == ((), ((request.request_id, "InboundPaused"),))
    there.gateway.functions.pause(1, 50).transact({"from": there.owner, "gas": 10**6})
    there.mine()
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    assert (prepared.calls, prepared.refused) == ((), ((request.request_id, "Paused"),))


async def test_a_request_for_a_gateway_that_was_struck_off_is_refused(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    network.ask(calldata(network.destination.counter, "increment", 1))
    asked = await mine_and_fetch(network.source, source)
    there = network.destination
    there.routes.functions.setInbound(network.source.gateway_address, False).transact(  # noqa: FBT003
        {"from": there.owner, "gas": 10**6}
    )
    there.mine()
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    assert not prepared.calls
    assert [reason for _, reason in prepared.refused] == ["UnregisteredSourceGateway"]
