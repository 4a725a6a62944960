"""Forks of real chains under our own executions, expiries and deliveries: they land again, with one effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from attestation.statement import Outcome, OutcomeKind
from relayer.domain.status import Status
from relayer.errors import ReorgBelowFinality
from relayer.ports.store import TransactionPurpose, TransactionStatus
from relayer.stages.halts import halt_chain
from relayer.stages.submit import UNFUNDED
from tests.integration.evm.network import LocalChain, Network, calldata
from tests.integration.evm.relaying import Relayer, Side, relay

pytestmark = pytest.mark.anvil

DEPTH = 4
"""Blocks to finality. Forks of `DEPTHS` blocks are above it."""

DEPTHS = (1, DEPTH)
AMOUNT = 7


@pytest_asyncio.fixture
async def relayer(network: Network) -> AsyncIterator[Relayer]:
    """A node between the two chains."""
    async with relay(network, DEPTH) as node:
        yield node


async def ask(network: Network, relayer: Relayer, **options: int) -> None:
    """A request, certified and, if it can be paid for, in a transaction of ours that waits in the pool."""
    network.ask(calldata(network.destination.counter, "increment", AMOUNT), **options)
    network.source.mine(DEPTH + 1)
    await relayer.work()


async def until(relayer: Relayer, chain: LocalChain, is_there: Callable[[], bool]) -> None:
    """Blocks and rounds until something holds."""
    for _ in range(40):
        if is_there():
            return
        chain.mine()
        await relayer.work()
    raise AssertionError(relayer.request)


async def fork_below(relayer: Relayer, chain: LocalChain, depth: int) -> None:
    """Blocks are made until the newest `depth` begin with the one that holds our transaction; then they are replaced.

    By as many that are empty. The pool has forgotten the transaction.
    """
    chain.mine(depth)
    await relayer.work()
    chain.rpc("anvil_reorg", depth, [])
    chain.rpc("anvil_dropAllTransactions")
    chain.mine()
    await relayer.work()


def count_of(network: Network) -> int:
    """What the target added up."""
    return int(network.destination.counter.functions.count().call())


def assert_one_effect(network: Network, relayer: Relayer, kind: OutcomeKind) -> None:
    """The end of it all: one execution or none, one callback, and nothing of ours that failed."""
    request = relayer.request
    assert request.status is Status.DELIVERED
    assert request.conclusion is not None
    assert request.conclusion.outcome.kind is kind
    assert count_of(network) == (AMOUNT if kind is OutcomeKind.EXECUTED else 0)
    assert network.source.echo.functions.callbacks().call() == 1
    assert {t.status for t in relayer.store._transactions.values()} == {TransactionStatus.CONFIRMED}
    assert relayer.store._outbox == {}


async def finish(network: Network, relayer: Relayer) -> None:
    """Both chains go on until all is known to be over."""

    def is_over() -> bool:
        is_open = any(t.status is not TransactionStatus.CONFIRMED for t in relayer.store._transactions.values())
        return relayer.request.status is Status.DELIVERED and not is_open

    for _ in range(40):
        if is_over():
            break
        network.source.mine()
        network.destination.mine()
        await relayer.work()


def only(relayer: Relayer, purpose: TransactionPurpose) -> TransactionStatus:
    [transaction] = relayer.transactions(purpose)
    return transaction.status


@pytest.mark.parametrize("depth", DEPTHS)
async def test_an_execution_that_a_fork_dropped_lands_again_and_counts_once(
    network: Network, relayer: Relayer, depth: int
) -> None:
    await ask(network, relayer)
    assert relayer.request.status is Status.DISPATCHED
    await fork_below(relayer, network.destination, depth)
    assert count_of(network) == 0
    assert only(relayer, TransactionPurpose.EXECUTE) is TransactionStatus.SIGNED
    await finish(network, relayer)
    assert_one_effect(network, relayer, OutcomeKind.EXECUTED)
    assert len(relayer.transactions(TransactionPurpose.EXECUTE)) == 1


@pytest.mark.parametrize("depth", DEPTHS)
async def test_an_expiry_that_a_fork_dropped_lands_again_and_expires_once(
    network: Network, relayer: Relayer, depth: int
) -> None:
    account = "0x" + relayer.destination.wallet.address.hex()
    network.destination.rpc("anvil_setBalance", account, "0x1")
    expiry = network.destination.web3.eth.get_block("latest")["timestamp"] + 300
    await ask(network, relayer, expiry=expiry)
    assert relayer.request.status is Status.EXECUTION_HELD
    assert relayer.request.hold_reason == UNFUNDED
    network.destination.rpc("anvil_setBalance", account, hex(10**21))
    network.destination.pass_seconds(400)
    await relayer.work(relayer.desk.settings.hold_recheck_seconds)
    assert only(relayer, TransactionPurpose.EXPIRE) is TransactionStatus.SIGNED
    await fork_below(relayer, network.destination, depth)
    assert only(relayer, TransactionPurpose.EXPIRE) is TransactionStatus.SIGNED
    await finish(network, relayer)
    assert_one_effect(network, relayer, OutcomeKind.EXPIRED)
    assert relayer.transactions(TransactionPurpose.EXECUTE) == []


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_delivery_that_a_fork_dropped_lands_again_and_calls_back_once(
    network: Network, relayer: Relayer, depth: int
) -> None:
    await ask(network, relayer)
    await until(relayer, network.destination, lambda: relayer.request.status is Status.SUBMITTED)
    await fork_below(relayer, network.source, depth)
    assert network.source.echo.functions.callbacks().call() == 0
    assert only(relayer, TransactionPurpose.DELIVER) is TransactionStatus.SIGNED
    await finish(network, relayer)
    assert_one_effect(network, relayer, OutcomeKind.EXECUTED)
    assert len(relayer.transactions(TransactionPurpose.DELIVER)) == 1


async def test_security_an_execution_that_a_fork_moved_is_signed_about_at_its_new_place_alone(
    network: Network, relayer: Relayer
) -> None:
    """SECURITY: the outcome that is signed names the block that the receipt is in, never one that died."""
    await ask(network, relayer)
    [transaction] = relayer.transactions(TransactionPurpose.EXECUTE)
    network.destination.mine(3)
    await relayer.work()
    assert relayer.request.status is Status.LANDED
    assert relayer.request.conclusion is not None
    died = relayer.request.conclusion.outcome
    network.destination.rpc("anvil_reorg", 3, [["0x" + transaction.attempts[0].raw.hex(), 2]])
    network.destination.mine()
    await finish(network, relayer)
    assert_one_effect(network, relayer, OutcomeKind.EXECUTED)
    outcomes = [s for batch in relayer.store._batches.values() for s in batch.statements if isinstance(s, Outcome)]
    [signed] = outcomes
    assert signed.block_hash != died.block_hash
    found = network.destination.web3.eth.get_block(signed.height)
    assert bytes(found["hash"]) == signed.block_hash


async def test_security_a_destination_that_is_rewritten_below_finality_has_nothing_delivered_from_it(
    network: Network, relayer: Relayer
) -> None:
    """SECURITY: the receipt was final and is signed about; it may never have happened. No callback is sent."""
    await ask(network, relayer)
    source = network.source
    account = "0x" + relayer.source.wallet.address.hex()
    source.rpc("anvil_setBalance", account, "0x1")
    await until(relayer, network.destination, lambda: relayer.request.status is Status.CALLBACK_HELD)
    network.destination.rpc("anvil_reorg", 2 * DEPTH, [])
    network.destination.mine(2)
    with pytest.raises(ReorgBelowFinality) as halt:
        await relayer.work()
    await halt_chain(relayer.desk, relayer.destination.caip2, halt.value)
    source.rpc("anvil_setBalance", account, hex(10**21))
    await submit_again(relayer, relayer.source)
    assert relayer.transactions(TransactionPurpose.DELIVER) == []
    assert relayer.request.status is Status.CALLBACK_HELD


async def submit_again(relayer: Relayer, side: Side) -> None:
    """Long enough after it was held."""
    relayer.clock.seconds += relayer.desk.settings.hold_recheck_seconds
    await side.submit.run_once()
