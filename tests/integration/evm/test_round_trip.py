"""Requests on one real chain, executed on another, brought home: by this package and the committed contracts."""

from __future__ import annotations

import pytest

from attestation.address import evm_account, parse_account, parse_chain_text
from attestation.statement import OutcomeKind
from relayer.cli.asking import Asked, Cancelled, Endpoint, Place, tools_for
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    EpochApplied,
    FeeAdded,
    ObservedBlock,
    RequestCancelled,
)
from relayer.keys.keystore import Secret
from relayer.vms.evm.connect import EvmOpenChain
from tests.certifying import track_all
from tests.factories import make_signer_set
from tests.integration.evm.acting import fetch_tip, mine_and_fetch, send_and_mine
from tests.integration.evm.network import OPTIONS, RELAYER_SECRET, Network, calldata, requests_of
from tests.unit.evm.gateway_logs import request_tuple

pytestmark = pytest.mark.anvil


def kinds(block: ObservedBlock) -> list[OutcomeKind]:
    return [o.kind for o in block.observations if isinstance(o, CallConcluded)]


async def execute(network: Network, destination: EvmOpenChain, asked: ObservedBlock, payee: bytes) -> ObservedBlock:
    """Executes everything that a source block asks for; the destination block with the receipts."""
    prepared = await destination.destination.prepare_execute(network.executions(asked), payee)
    assert not prepared.settled
    assert not prepared.refused
    receipts = await send_and_mine(network.destination, destination, prepared.calls)
    assert all(receipt.is_success for receipt in receipts)
    return await fetch_tip(destination)


async def test_a_request_is_executed_and_its_callback_delivered(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    network.ask(calldata(network.destination.counter, "increment", 7))
    asked = await mine_and_fetch(network.source, source)
    (request,) = track_all(asked)
    concluded = await execute(network, destination, asked, source.wallet.payee)
    (receipt,) = [o for o in concluded.observations if isinstance(o, CallConcluded)]
    assert (receipt.kind, receipt.payee) == (OutcomeKind.EXECUTED, source.wallet.payee)
    assert receipt.return_data == (7).to_bytes(32, "big")
    # The counter logs before the gateway does: the receipt's log is the second of its transaction.
    assert receipt.location.log_index == 1

    prepared = await source.source.prepare_deliver(network.deliveries(concluded, [request]))
    (paid,) = await send_and_mine(network.source, source, prepared.calls)
    (delivered,) = (await fetch_tip(source)).observations
    assert paid.is_success
    assert isinstance(delivered, CallbackDelivered)
    assert (delivered.request_id, delivered.is_handler_failed) == (request.request_id, False)
    result = network.source.echo.functions.results(int.from_bytes(request.request_id, "big")).call()
    assert result == (True, True, (7).to_bytes(32, "big"))


async def test_every_kind_of_outcome_comes_home_in_one_transaction(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    counter = network.destination.counter
    now = network.destination.web3.eth.get_block("latest")["timestamp"]
    network.ask(calldata(counter, "increment", 1))
    network.ask(calldata(counter, "fail", 9))
    network.ask(calldata(counter, "burn"), executionGasLimit=100_000)
    network.ask(b"\x01\x02\x03\x04", evm_account(network.destination.chain_id, b"\x99" * 20).to_bytes())
    network.ask(calldata(counter, "answer", 100), returnLimit=40)
    network.ask(calldata(counter, "increment", 1), expiry=now + 50)
    asked = await mine_and_fetch(network.source, source)
    requests = track_all(asked)
    assert len(requests) == 6
    network.destination.pass_seconds(100)

    (batch,) = network.executions(asked)
    prepared = await destination.destination.prepare_execute([batch], source.wallet.payee)
    assert len(prepared.calls) == 1
    await send_and_mine(network.destination, destination, prepared.calls)
    concluded = await fetch_tip(destination)
    assert kinds(concluded) == [
        OutcomeKind.EXECUTED,
        OutcomeKind.REVERTED,
        OutcomeKind.REVERTED,
        OutcomeKind.UNREACHED,
        OutcomeKind.EXECUTED,
        OutcomeKind.EXPIRED,
    ]
    cut = [o for o in concluded.observations if isinstance(o, CallConcluded)][4]
    assert (cut.cut, len(cut.return_data)) == (True, 40)

    prepared = await source.source.prepare_deliver(network.deliveries(concluded, requests))
    assert len(prepared.calls) == 1
    await send_and_mine(network.source, source, prepared.calls)
    delivered = [o for o in (await fetch_tip(source)).observations if isinstance(o, CallbackDelivered)]
    assert [o.request_id for o in delivered] == [request.request_id for request in requests]
    assert not any(o.is_handler_failed for o in delivered)


async def test_what_nobody_executed_in_time_expires_without_its_payload(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    now = network.destination.web3.eth.get_block("latest")["timestamp"]
    network.ask(calldata(network.destination.counter, "increment", 1), expiry=now + 60)
    network.ask(calldata(network.destination.counter, "increment", 1), expiry=now + 500)
    asked = await mine_and_fetch(network.source, source)
    network.destination.pass_seconds(100)
    late, timely = track_all(asked)
    prepared = await destination.destination.prepare_expire(network.executions(asked), source.wallet.payee)
    assert prepared.refused == ((timely.request_id, "NotExpired"),)
    assert [call.request_ids for call in prepared.calls] == [(late.request_id,)]
    await send_and_mine(network.destination, destination, prepared.calls)
    assert kinds(await fetch_tip(destination)) == [OutcomeKind.EXPIRED]


async def test_hundreds_of_requests_of_one_block_are_executed_and_delivered(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    count = 120
    for _ in range(count):
        network.ask(calldata(network.destination.counter, "increment", 1))
    asked = await mine_and_fetch(network.source, source)
    requests = track_all(asked)
    assert [request.location.tx_index for request in requests] == list(range(count))
    prepared = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    assert sum(len(call.request_ids) for call in prepared.calls) == count
    assert all(call.expected_gas <= call.gas_limit for call in prepared.calls)
    await send_and_mine(network.destination, destination, prepared.calls)
    concluded = await fetch_tip(destination)
    assert kinds(concluded) == [OutcomeKind.EXECUTED] * count
    prepared = await source.source.prepare_deliver(network.deliveries(concluded, requests))
    await send_and_mine(network.source, source, prepared.calls)
    assert network.source.echo.functions.callbacks().call() == count


async def test_whoever_comes_second_finds_everything_settled(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    network.ask(calldata(network.destination.counter, "increment", 1))
    asked = await mine_and_fetch(network.source, source)
    concluded = await execute(network, destination, asked, source.wallet.payee)
    deliveries = network.deliveries(concluded, track_all(asked))
    await send_and_mine(network.source, source, (await source.source.prepare_deliver(deliveries)).calls)

    again = await destination.destination.prepare_execute(network.executions(asked), source.wallet.payee)
    assert (len(again.settled), again.calls, again.refused) == (1, (), ())
    again = await source.source.prepare_deliver(deliveries)
    assert (len(again.settled), again.calls, again.refused) == (1, (), ())


async def test_fees_are_observed_when_they_are_raised(network: Network, source: EvmOpenChain) -> None:
    network.ask(calldata(network.destination.counter, "increment", 1))
    (request,) = track_all(await mine_and_fetch(network.source, source))
    identifier = int.from_bytes(request.request_id, "big")
    sender = network.source.web3.eth.accounts[1]
    network.source.gateway.functions.addFee(identifier).transact({"from": sender, "value": 10**15, "gas": 200_000})
    (raised,) = (await mine_and_fetch(network.source, source)).observations
    assert isinstance(raised, FeeAdded)
    assert (raised.request_id, raised.fee) == (request.request_id, request.fee + 10**15)


async def test_the_installed_signer_set_is_told_by_log_and_by_view(network: Network, source: EvmOpenChain) -> None:
    tip = (await source.source.fetch_head()).tip
    expected = make_signer_set()
    (epoch,) = await source.source.fetch_epochs(tip)
    assert (epoch.epoch, epoch.signer_set, epoch.valid_until) == (1, expected, expected.valid_until)
    logged: list[EpochApplied] = []
    for first in range(1, tip.number + 1, 64):
        for block in await source.source.fetch_blocks(first, min(first + 63, tip.number)):
            logged.extend(o for o in block.observations if isinstance(o, EpochApplied))
    assert [(o.epoch, o.signer_set) for o in logged] == [(1, expected)]
    assert source.source.dropped_logs == 0
    deployed = await source.source.fetch_block_ref(network.source.deployed.start_block - 1)
    assert deployed is not None
    assert await source.source.fetch_epochs(deployed) == []


async def test_requests_carry_what_the_gateway_was_asked_with(network: Network, source: EvmOpenChain) -> None:
    payload = calldata(network.destination.counter, "increment", 3)
    network.ask(payload, returnLimit=77, callbackGasLimit=55_555, metadata=b"for people", executionGasLimit=123_456)
    (request,) = requests_of(await mine_and_fetch(network.source, source))
    assert request.payload == payload
    assert request.sender == network.source.account(network.source.echo)
    assert request.source_gateway == network.source.gateway_address
    assert request.destination_gateway == network.destination.gateway_address
    assert (request.return_limit, request.callback_gas_limit, request.execution_gas_limit) == (77, 55_555, 123_456)
    assert request.metadata == b"for people"


async def test_a_cancelled_request_is_observed_and_its_executor_can_still_be_paid(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    here, account = network.source, network.source.web3.eth.accounts[3]
    target = network.destination.account(network.destination.counter)
    ask = here.gateway.get_function_by_signature(
        "xvmExecute(bytes,bytes,(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes))"
    )
    payload = calldata(network.destination.counter, "increment", 1)
    ask(target, payload, tuple(OPTIONS.values())).transact({"from": account, "value": 10**17, "gas": 600_000})
    asked = await mine_and_fetch(here, source)
    (request,) = track_all(asked)
    concluded = await execute(network, destination, asked, source.wallet.payee)

    here.pass_seconds(request.request.expiry - asked.timestamp + 400)
    here.mine(request.deadline - here.web3.eth.block_number + 1)
    here.gateway.functions.cancel(request_tuple(request.request)).transact({"from": account, "gas": 600_000})
    cancelled = await mine_and_fetch(here, source)
    (given_up,) = cancelled.observations
    assert isinstance(given_up, RequestCancelled)
    assert (given_up.request_id, 0 < given_up.returned < request.fee) == (request.request_id, True)
    # and by who waits for it at the command line
    endpoint = Endpoint(parse_chain_text(f"eip155:{here.chain_id}"), here.url, here.gateway.address)
    session = tools_for("eip155").open_source(endpoint, Secret(RELAYER_SECRET))
    place = Place(asked.ref.number, "")
    ending = session.fetch_ending(Asked(request.request_id, parse_account(request.request.sender), 0, place))
    assert isinstance(ending, Cancelled)
    assert (ending.place.block, ending.returned) == (cancelled.ref.number, given_up.returned)
    prepared = await source.source.prepare_deliver(network.deliveries(concluded, [request]))
    assert (len(prepared.calls), prepared.settled, prepared.refused) == (1, (), ())
    (receipt,) = await send_and_mine(here, source, prepared.calls)
    assert receipt.is_success
    again = await source.source.prepare_deliver(network.deliveries(concluded, [request]))
    assert again.settled == (request.request_id,)
