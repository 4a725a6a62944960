"""Our own transactions on the devnet's node: dropped, outbid, rivalled, failed. The queue always goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from attestation.request import Mode
from relayer.devnet.cosmwasm.gas_price import GasPrice
from relayer.domain.route import Route, RouteTable
from relayer.ports.store import OwnTransaction, TransactionStatus
from relayer.ports.wallet import FeeBid, PreparedCall
from relayer.vms.cosmwasm.opening import CosmwasmOpenChain
from tests.cosmwasm.adapter.world import World
from tests.cosmwasm.contract.ledger import REMOTE_GATEWAY, compact
from tests.integration.evm.following import Follower

SIGNED, CONFIRMED, FAILED, LOST = (
    TransactionStatus.SIGNED,
    TransactionStatus.CONFIRMED,
    TransactionStatus.FAILED,
    TransactionStatus.LOST,
)
RESEND, REPLACE = 16.0, 46.0
"""Seconds after which a transaction is handed over again, and outbid."""


@pytest.fixture
def world() -> World:
    return World()


@asynccontextmanager
async def followed(world: World) -> AsyncIterator[tuple[CosmwasmOpenChain, Follower]]:
    """The chain, and the stages that follow it from the tip on."""
    async with world.connected() as chain:
        await world.advance()
        gateway = chain.source.gateway
        route = Route(
            key=gateway + REMOTE_GATEWAY,
            mode=Mode.CALL,
            source_chain=chain.source.caip2,
            destination_chain="eip155:31337",
            source_gateway=gateway,
            destination_gateway=REMOTE_GATEWAY,
        )
        follower = Follower(chain, RouteTable((route,)), world.comet.view_height)  # type: ignore[arg-type]
        await follower.watch()
        yield chain, follower


def call_of(world: World, message: object = None) -> PreparedCall:
    """Of the gateway: what does nothing, or this."""
    told = {"show_lapsed": {"requests": []}} if message is None else message
    return PreparedCall(world.keeper.addresses.parse(world.gateway), compact(told), 300_000, 300_000, 0, ())


async def mine(world: World, follower: Follower) -> list[TransactionStatus]:
    """A block, and where each of our transactions is then."""
    await world.advance()
    await follower.watch()
    return await follower.confirm()


def forget(world: World, transaction: OwnTransaction) -> None:
    """The pool drops it, as pools do after a while."""
    world.comet.mempool.remove(transaction.attempts[-1].hash)
    world.comet.mempool.forget(transaction.attempts[-1].hash)


async def test_a_transaction_that_never_left_the_process_leaves_after_a_restart(world: World) -> None:
    async with followed(world) as (_, follower):
        await follower.record(call_of(world), 0, is_sent=False)
        follower.clock.seconds += 1
        follower.start()
        await follower.watch()
        assert await follower.confirm() == [SIGNED]
        assert len(world.comet.mempool) == 1
        assert await mine(world, follower) == [CONFIRMED]


async def test_what_pools_drop_is_handed_over_again_before_what_waits_behind_it(world: World) -> None:
    async with followed(world) as (_, follower):
        first, second = await follower.record(call_of(world), 0), await follower.record(call_of(world), 1)
        forget(world, second)
        forget(world, first)
        await follower.chain.wallet.send([second.attempts[0].raw])
        assert len(world.comet.mempool) == 0
        assert await mine(world, follower) == [SIGNED, SIGNED]
        await follower.confirm(RESEND)
        assert await mine(world, follower) == [CONFIRMED, CONFIRMED]


async def test_what_became_too_cheap_is_outbid(world: World) -> None:
    async with followed(world) as (_, follower):
        await follower.record(call_of(world), 0, is_sent=False)
        world.comet._application.gas_price = GasPrice.parse("0.05uxvm")
        await follower.confirm(RESEND)
        assert len(world.comet.mempool) == 0
        await follower.confirm(REPLACE)
        assert await mine(world, follower) == [CONFIRMED]
        (transaction,) = follower.transactions
        assert [attempt.max_fee for attempt in transaction.attempts] == [25_000, 50_000]
        assert transaction.cost == 300_000 * 50_000 // 1_000_000


async def test_a_transaction_whose_sequence_another_one_used_is_lost(world: World) -> None:
    async with followed(world) as (chain, follower):
        await follower.record(call_of(world), 0, is_sent=False)
        rival = chain.wallet.sign(call_of(world), 0, FeeBid(30_000, 30_000, 30_000))
        await chain.wallet.send([rival.raw])
        assert await mine(world, follower) == [SIGNED]
        assert await follower.confirm(RESEND) == [LOST]


async def test_what_fails_in_a_block_is_paid_for_and_ends(world: World) -> None:
    async with followed(world) as (_, follower):
        await follower.record(call_of(world, {"unknown": {}}), 0)
        await follower.record(call_of(world), 1)
        assert await mine(world, follower) == [FAILED, CONFIRMED]
        assert follower.transactions[0].cost == 300_000 * 25_000 // 1_000_000
