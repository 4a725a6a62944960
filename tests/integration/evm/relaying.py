"""A whole node over two real chains, one step at a time: its stages, and two other signers who sign what it signs."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from attestation.domain import batch_digest
from relayer.domain.finality import FinalityRule
from relayer.domain.policy import SpendPolicy
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import OwnTransaction, TransactionPurpose
from relayer.stages.attest import AttestStage
from relayer.stages.confirm import ConfirmStage
from relayer.stages.expire import ExpireStage
from relayer.stages.inbox import Inbox
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryStore
from relayer.vms.evm import registration
from relayer.vms.evm.connect import EvmOpenChain
from tests.factories import SIGNING_KEYS
from tests.integration.evm.following import MovedClock, make_desk
from tests.integration.evm.network import LocalChain, Network

STEP_SECONDS = 3.0


class Side:
    """The node's stages for one chain."""

    def __init__(self, relayer: Relayer, chain: EvmOpenChain, start_block: int) -> None:
        desk = relayer.desk
        self.caip2 = chain.source.caip2
        self.wallet = chain.wallet
        self.watch = WatchStage(desk, chain.source, start_block)
        self.submit = SubmitStage(desk, chain, SpendPolicy())
        self.confirm = ConfirmStage(desk, chain)
        self.expire = ExpireStage(desk, self.caip2)


class Relayer:
    """One node. What it signs has a quorum at once, as `OTHERS` sign it too."""

    def __init__(
        self, network: Network, source: EvmOpenChain, destination: EvmOpenChain, store: MemoryStore | None = None
    ) -> None:
        self.clock = MovedClock()
        self.store = store or MemoryStore()
        self.desk = make_desk(self.store, self.clock, network.routes, (source, destination), SIGNING_KEYS[0])
        self.inbox = Inbox(self.desk, random.Random(0))
        self._attest = AttestStage(self.desk, self.inbox)
        self.source, self.destination = (
            Side(self, chain, local.web3.eth.block_number + 1)
            for chain, local in ((source, network.source), (destination, network.destination))
        )

    async def work(self, seconds: float = STEP_SECONDS) -> None:
        """After so many seconds, one round of all stages."""
        self.clock.seconds += seconds
        for side in (self.source, self.destination):
            while await side.watch.run_once():
                pass
        await self._attest.run_once()
        await self._have_others_sign()
        for side in (self.source, self.destination):
            await side.expire.run_once()
            await side.submit.run_once()
            await side.confirm.run_once()

    async def _have_others_sign(self) -> None:
        page = await self.inbox.load_own_attestations("", 100)
        for key in SIGNING_KEYS[1:3]:
            signed = [
                replace(
                    own, signer=key.key, signature=key.sign(batch_digest(own.gateway, own.root, own.count, own.epoch))
                )
                for own in page.attestations
            ]
            await self.inbox.take_in(key.key, signed)

    @property
    def request(self) -> TrackedRequest:
        """The only request that the node knows."""
        [request] = self.store._requests.values()
        return request

    def transactions(self, purpose: TransactionPurpose) -> list[OwnTransaction]:
        """Its own for a purpose, by nonce."""
        found = [t for t in self.store._transactions.values() if t.purpose is purpose]
        return sorted(found, key=lambda transaction: transaction.nonce)


@asynccontextmanager
async def relay(
    network: Network, depth_blocks: int, store: MemoryStore | None = None, **changes: str
) -> AsyncIterator[Relayer]:
    """A node from the tips on, or from where its store is; blocks are final so many below the tips.

    `changes` are to the settings of the destination.
    """

    async def open_one(chain: LocalChain, **changes: str) -> EvmOpenChain:
        settings = network.settings(chain, ws_urls=(), finality=FinalityRule(depth_blocks=depth_blocks), **changes)
        return await registration.open_chain(settings)

    source, destination = await open_one(network.source), await open_one(network.destination, **changes)
    try:
        relayer = Relayer(network, source, destination, store)
        await relayer.work()
        yield relayer
    finally:
        await source.close()
        await destination.close()
