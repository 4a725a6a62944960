"""What a node sends to real chains, and what it holds: nothing above the gas cap, nothing that it cannot pay for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from relayer.domain.status import Status
from relayer.ports.store import TransactionPurpose, TransactionStatus
from relayer.stages.submit import UNFUNDED
from tests.integration.evm.network import GAS_CAP, Network, calldata
from tests.integration.evm.relaying import Relayer, relay

pytestmark = pytest.mark.anvil

REQUESTS = 40
TARGET_GAS = 1_000_000
"""Allowed to each target: some 15 of them fit a transaction under the cap."""


@pytest_asyncio.fixture
async def relayer(network: Network) -> AsyncIterator[Relayer]:
    """A node between the two chains, whose blocks are final at once."""
    async with relay(network, 0) as node:
        yield node


async def go_on(network: Network, relayer: Relayer, seconds: float = 3.0) -> None:
    """A block on both chains, and a round."""
    network.source.mine()
    network.destination.mine()
    await relayer.work(seconds)


async def test_a_batch_that_is_too_big_for_the_gas_cap_is_cut_and_all_of_it_runs_once(
    network: Network, relayer: Relayer
) -> None:
    for _ in range(REQUESTS):
        network.ask(calldata(network.destination.counter, "increment", 1), executionGasLimit=TARGET_GAS)
    await go_on(network, relayer)
    assert len(relayer.store._batches) == 1
    for _ in range(6):
        await go_on(network, relayer)
    sent = relayer.transactions(TransactionPurpose.EXECUTE)
    assert len(sent) > REQUESTS * TARGET_GAS // GAS_CAP
    assert all(transaction.gas_limit <= GAS_CAP for transaction in sent)
    carried = [identifier for transaction in sent for identifier in transaction.request_ids]
    assert len(carried) == len(set(carried)) == REQUESTS
    assert {request.status for request in relayer.store._requests.values()} == {Status.DELIVERED}
    assert {t.status for t in relayer.store._transactions.values()} == {TransactionStatus.CONFIRMED}
    assert network.destination.counter.functions.count().call() == REQUESTS
    assert network.source.echo.functions.callbacks().call() == REQUESTS


async def test_with_an_empty_wallet_requests_are_held_with_the_reason_and_go_on_once_it_is_funded(
    network: Network, relayer: Relayer
) -> None:
    accounts = {
        chain: "0x" + side.wallet.address.hex()
        for chain, side in ((network.source, relayer.source), (network.destination, relayer.destination))
    }
    for chain, account in accounts.items():
        chain.rpc("anvil_setBalance", account, "0x1")
    recheck = relayer.desk.settings.hold_recheck_seconds
    network.ask(calldata(network.destination.counter, "increment", 1))
    for _ in range(3):
        await go_on(network, relayer, recheck)
        assert (relayer.request.status, relayer.request.hold_reason) == (Status.EXECUTION_HELD, UNFUNDED)
    assert relayer.store._transactions == {}

    network.destination.rpc("anvil_setBalance", accounts[network.destination], hex(10**21))
    for _ in range(5):
        await go_on(network, relayer, recheck)
    assert (relayer.request.status, relayer.request.hold_reason) == (Status.CALLBACK_HELD, UNFUNDED)
    assert relayer.transactions(TransactionPurpose.DELIVER) == []

    network.source.rpc("anvil_setBalance", accounts[network.source], hex(10**21))
    for _ in range(3):
        await go_on(network, relayer, recheck)
    assert relayer.request.status is Status.DELIVERED
    assert network.destination.counter.functions.count().call() == 1
