"""The stages that follow a chain, over a real node: a desk with a store in memory and time that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attestation.schemes import SECP256K1, SigningKey
from relayer.domain.route import RouteTable
from relayer.keys.local_signer import LocalSigner
from relayer.observability.metrics import Metrics
from relayer.ports.store import Attempt, Commit, OwnTransaction, TransactionPurpose, TransactionStatus
from relayer.ports.wallet import PreparedCall
from relayer.stages.confirm import ConfirmStage
from relayer.stages.desk import Bell, Bells, Desk, Tip
from relayer.stages.epochs import EpochBook
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.store.memory import MemoryGuard, MemoryStore
from relayer.vms.evm.connect import EvmOpenChain
from tests.factories import NOW
from tests.simulation.peers import Network as Peers
from tests.simulation.peers import SimPeers

OWN_KEY = SECP256K1.signing_key(b"\x51" * 32)


class MovedClock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.seconds = NOW

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.seconds += seconds


def make_desk(
    store: MemoryStore, clock: MovedClock, routes: RouteTable, chains: Sequence[EvmOpenChain], key: SigningKey
) -> Desk:
    """A node's desk, with nobody to talk to."""
    opened = {chain.source.caip2: chain for chain in chains}
    served = {route.destination_chain for route in routes} | opened.keys()
    signer = LocalSigner(key, MemoryGuard())
    return Desk(
        store=store,
        clock=clock,
        routes=routes,
        chains=opened,
        signer=signer,
        peers=SimPeers(Peers(), signer.key, None),  # type: ignore[arg-type] - it is asked by nobody here
        epochs=EpochBook(),
        metrics=Metrics(),
        settings=StageSettings(),
        bells=Bells(
            submit={each: Bell() for each in served},
            answer={each: Bell() for each in served},
            confirm={each: Bell() for each in served},
        ),
        tips={name: Tip() for name in opened},
    )


class Follower:
    """One node's stages for one chain; `watch` and `confirm` take one step each."""

    def __init__(self, chain: EvmOpenChain, routes: RouteTable, start_block: int) -> None:
        self.chain = chain
        self.clock = MovedClock()
        self.store = MemoryStore()
        self.desk = make_desk(self.store, self.clock, routes, (chain,), OWN_KEY)
        self._start_block = start_block
        self.start()

    def start(self) -> None:
        """A new process on the same store."""
        self._watch = WatchStage(self.desk, self.chain.source, self._start_block)
        self._confirm = ConfirmStage(self.desk, self.chain)

    async def watch(self) -> None:
        """Take in all that is new."""
        while await self._watch.run_once():
            pass

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """With the chain's hints coming in, as the runner has it."""
        task = asyncio.create_task(self._watch.listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def watch_up_to(self, number: int) -> None:
        """At every hint take in what is new, until this block is."""
        while self.desk.tips[self.chain.source.caip2].tip_number < number:
            await self._watch.wait()
            await self.watch()

    async def confirm(self, seconds: float = 0.0) -> list[TransactionStatus]:
        """Look at the own transactions after so many seconds; where each of them is, by nonce."""
        self.clock.seconds += seconds
        await self._confirm.run_once()
        return [transaction.status for transaction in self.transactions]

    @property
    def transactions(self) -> list[OwnTransaction]:
        """All of them, by nonce."""
        return sorted(self.store._transactions.values(), key=lambda transaction: transaction.nonce)

    async def record(self, call: PreparedCall, nonce: int, *, is_sent: bool = True) -> OwnTransaction:
        """Sign, write down, and hand over if said."""
        wallet = self.chain.wallet
        bid = await wallet.fetch_fee_bid()
        signed = wallet.sign(call, nonce, bid)
        transaction = OwnTransaction(
            chain=self.chain.source.caip2,
            sender=wallet.address,
            nonce=nonce,
            purpose=TransactionPurpose.DELIVER,
            status=TransactionStatus.SIGNED,
            to=call.to,
            data=call.data,
            gas_limit=call.gas_limit,
            value=call.value,
            request_ids=(),
            attempts=(Attempt(signed.hash, signed.raw, bid.max_fee, bid.priority_fee, self.clock.now()),),
            created_at=self.clock.now(),
        )
        await self.store.commit(Commit(transactions=(transaction,)))
        if is_sent:
            await wallet.send([signed.raw])
        return transaction
