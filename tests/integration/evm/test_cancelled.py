"""A request that its asker took back, on real chains: whoever executes it late is paid, and what expired gives back."""

from __future__ import annotations

import pytest

from relayer.domain.observations import CallConcluded, CancelSettled, RequestCancelled
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.vms.evm.connect import EvmOpenChain
from tests.certifying import track_all
from tests.integration.evm.acting import fetch_tip, mine_and_fetch, send_and_mine
from tests.integration.evm.network import OPTIONS, Network, calldata
from tests.unit.evm.gateway_logs import request_tuple

pytestmark = pytest.mark.anvil

SKEW_SECONDS = 300
"""How long after its expiry a CALL can be cancelled (`CLOCK_SKEW_SECONDS` of the gateway)."""


async def ask_and_cancel(
    network: Network, source: EvmOpenChain, account: str
) -> tuple[TrackedRequest, CertifiedBatch, int]:
    """A request of this account that it took back, its certified execution, and what came back at once."""
    here = network.source
    ask = here.gateway.get_function_by_signature(
        "xvmExecute(bytes,bytes,(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes))"
    )
    target = network.destination.account(network.destination.counter)
    payload = calldata(network.destination.counter, "increment", 1)
    ask(target, payload, tuple(OPTIONS.values())).transact({"from": account, "value": 10**17, "gas": 600_000})
    asked = await mine_and_fetch(here, source)
    (request,) = track_all(asked)
    (execution,) = network.executions(asked)
    here.pass_seconds(request.request.expiry - asked.timestamp + SKEW_SECONDS + 100)
    here.mine(request.deadline - here.web3.eth.block_number + 1)
    here.gateway.functions.cancel(request_tuple(request.request)).transact({"from": account, "gas": 600_000})
    (cancelled,) = (await mine_and_fetch(here, source)).observations
    assert isinstance(cancelled, RequestCancelled)
    return request, execution, cancelled.returned


async def deliver(network: Network, source: EvmOpenChain, destination: EvmOpenChain, request: TrackedRequest) -> None:
    """Shows the outcome that the destination's newest block holds to the source."""
    concluded = await fetch_tip(destination)
    prepared = await source.source.prepare_deliver(network.deliveries(concluded, [request]))
    (receipt,) = await send_and_mine(network.source, source, prepared.calls)
    assert receipt.is_success
    (settled,) = (await fetch_tip(source)).observations
    assert settled == CancelSettled(request.request_id, settled.location)


def credit(network: Network, account: str) -> int:
    return int(network.source.gateway.functions.credits(account).call())


async def test_who_executes_a_cancelled_request_late_is_paid_its_execution_share(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    account, payee = network.source.web3.eth.accounts[3], network.source.web3.eth.accounts[5]
    request, execution, returned = await ask_and_cancel(network, source, account)
    # The destination's clock is behind: there the request has not expired.
    prepared = await destination.destination.prepare_execute([execution], bytes(12) + bytes.fromhex(payee[2:]))
    await send_and_mine(network.destination, destination, prepared.calls)
    await deliver(network, source, destination, request)
    signers = request.fee - returned - credit(network, payee)
    assert credit(network, payee) > 0
    assert 0 < signers < credit(network, payee)
    assert credit(network, account) == 0


async def test_a_cancelled_request_that_expires_gives_its_execution_share_back_but_for_a_fixed_part(
    network: Network, source: EvmOpenChain, destination: EvmOpenChain
) -> None:
    account, payee = network.source.web3.eth.accounts[3], network.source.web3.eth.accounts[5]
    request, execution, _ = await ask_and_cancel(network, source, account)
    now = network.destination.web3.eth.get_block("latest")["timestamp"]
    network.destination.pass_seconds(request.request.expiry - now + 1)
    prepared = await destination.destination.prepare_expire([execution], bytes(12) + bytes.fromhex(payee[2:]))
    await send_and_mine(network.destination, destination, prepared.calls)
    (receipt,) = (await fetch_tip(destination)).observations
    assert isinstance(receipt, CallConcluded)
    await deliver(network, source, destination, request)
    assert 0 < credit(network, payee) < credit(network, account)
