"""Watchers are woken by the cluster's slots, and by the clock while sockets are down."""

from __future__ import annotations

import asyncio

from relayer.domain.finality import FinalityRule
from relayer.ports.vm import ChainSettings
from relayer.vms.svm.chain import SvmChain
from relayer.vms.svm.connect import connect
from tests.integration.devnet.svm.cluster import Cluster, running_cluster
from tests.svm.adapter.world import RELAYER_SEED
from tests.svm.program.ledger import PROGRAM

HOUR = 3_600.0


def settings_for(cluster: Cluster, block_time_seconds: float) -> ChainSettings:
    return ChainSettings(
        name="sunny",
        caip2=f"solana:{cluster.chain.genesis_hash}",
        rpc_urls=(cluster.url,),
        rpc_quorum=1,
        ws_urls=(cluster.websocket_url,),
        gateway=str(PROGRAM),
        verifier=str(PROGRAM),
        finality=FinalityRule(depth_blocks=0),
        block_time_seconds=block_time_seconds,
        max_blocks_per_fetch=32,
        transaction_gas_cap=1_400_000,
        max_fee_per_gas=10**6,
        request_timeout_seconds=5.0,
        wallet_key=RELAYER_SEED,
    )


async def test_a_new_slot_wakes_and_so_does_a_lost_socket_that_is_taken_up_again() -> None:
    async with running_cluster() as cluster, asyncio.timeout(30):
        session, parts = await connect(settings_for(cluster, HOUR))
        async with session:
            stream = SvmChain(parts).wake_ups()
            await anext(stream)  # the first look needs no hint
            await anext(stream)  # the answer to the subscription
            for _ in range(3):
                await cluster.advance()
                await anext(stream)
            # A socket that ends without a word wakes, for the poll takes over; the next one subscribes again.
            assert await cluster.ask("devnet_dropSockets") == 1
            await anext(stream)
            await anext(stream)
            await cluster.advance()
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]


async def test_the_clock_wakes_while_no_socket_tells_anything() -> None:
    async with running_cluster() as cluster, asyncio.timeout(30):
        session, parts = await connect(settings_for(cluster, 0.02))
        async with session:
            stream = SvmChain(parts).wake_ups()
            for _ in range(5):
                await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]
