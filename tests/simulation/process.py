"""One run of one node: a desk, its stages, and every place where the run may be interrupted or end.

Its job: what `service.py` does, over simulated ports. The disk (store, guard) belongs to the node and outlives it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, cast

from attestation.keccak import keccak256
from attestation.schemes import SigningKey
from relayer.domain.batch import Batch
from relayer.domain.policy import SpendPolicy
from relayer.domain.route import RouteTable
from relayer.errors import ConflictingAttestation, PeerUnavailable
from relayer.keys.local_signer import LocalSigner
from relayer.observability.metrics import Metrics
from relayer.ports.clock import Clock
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation, Guard
from relayer.ports.store import Commit, Store
from relayer.stages.answer import AnswerStage
from relayer.stages.attest import AttestStage
from relayer.stages.catch_up import CatchUpStage
from relayer.stages.confirm import ConfirmStage
from relayer.stages.desk import Bell, Bells, Desk, Tip
from relayer.stages.epochs import EpochBook
from relayer.stages.evidence import EvidenceStage
from relayer.stages.expire import ExpireStage
from relayer.stages.halts import restore_halts
from relayer.stages.inbox import Inbox
from relayer.stages.rotate import RotateStage
from relayer.stages.rounds import RoundsStage
from relayer.stages.runner import Runner
from relayer.stages.settings import StageSettings
from relayer.stages.split import SplitStage
from relayer.stages.stage import Stage
from relayer.stages.submit import SubmitStage
from relayer.stages.watch import WatchStage
from tests.simulation.chain import SimChain
from tests.simulation.gateway import Call
from tests.simulation.peers import Network, SimPeers
from tests.simulation.views import HistoricalView, PresentView

POLICY: Final = SpendPolicy()


class ProcessDied(Exception):  # noqa: N818 -- what happened to the process
    """The process is gone: whatever it was about to do next, it does not."""

    def __init__(self, process: Process) -> None:
        super().__init__("the process died")
        self.process = process


class Interruptions(Protocol):
    """What may happen at each place where a process can be interrupted. The world says what does."""

    async def rpc(self, process: Process) -> None:
        """At an endpoint. Raises `RpcUnavailable`."""
        ...

    async def load(self, process: Process) -> None:
        """Before the store is used."""
        ...

    def is_fatal(self, process: Process) -> bool:
        """Whether the process dies here: before or after a commit or a sending."""
        ...


class Process:
    """Implements `Gate`. Dead, it does nothing more: each of its calls raises `ProcessDied`."""

    def __init__(
        self,
        key: SigningKey,
        chains: Sequence[SimChain],
        store: Store,
        guard: Guard,
        network: Network,
        clock: Clock,
        routes: RouteTable,
        calls: dict[bytes, Call],
        settings: StageSettings,
        interruptions: Interruptions,
        witness: Callable[[Batch, int], None],
    ) -> None:
        self._interruptions = interruptions
        self.is_alive = True
        self.is_restored = False
        self.commits = 0
        self.views: dict[str, HistoricalView | PresentView] = {
            chain.caip2: (HistoricalView if chain.has_history else PresentView)(
                chain, self, calls, keccak256(key.key + chain.address)[:20]
            )
            for chain in chains
        }
        names = list(self.views)
        self.desk = Desk(
            store=cast("Store", FragileStore(self, store)),
            clock=clock,
            routes=routes,
            chains=self.views,
            signer=WitnessedSigner(self, LocalSigner(key, guard), witness),
            peers=FragilePeers(self, SimPeers(network, key.key, self)),
            epochs=EpochBook(),
            metrics=Metrics(),
            settings=settings,
            bells=Bells(
                submit={name: Bell() for name in names},
                answer={name: Bell() for name in names},
                confirm={name: Bell() for name in names},
            ),
            tips={name: Tip() for name in names},
        )
        self.inbox = Inbox(self.desk, random.Random(0))
        self.attest = AttestStage(self.desk, self.inbox)
        self.stages: list[Stage] = [
            self.attest,
            CatchUpStage(self.desk, self.inbox),
            EvidenceStage(self.desk, self.inbox, random.Random(0)),
            SplitStage(self.desk),
        ]
        for name, view in self.views.items():
            self.stages += [
                WatchStage(self.desk, view, start_block=1),
                AnswerStage(self.desk, view)
                if isinstance(view, HistoricalView)
                else RoundsStage(self.desk, self.inbox, view),
                SubmitStage(self.desk, view, POLICY),
                ConfirmStage(self.desk, view),
                ExpireStage(self.desk, name),
                RotateStage(self.desk, view),
            ]
        self.runner = Runner(self.desk, self.stages, random.Random(0))

    async def restore(self) -> None:
        """What the runner does before its stages run."""
        if not self.is_restored:
            self.is_restored = True
            await restore_halts(self.desk)

    def require_life(self) -> None:
        """Raise `ProcessDied` if the process is gone."""
        if not self.is_alive:
            raise ProcessDied(self)

    def die(self) -> None:
        """Now."""
        self.is_alive = False

    async def rpc(self) -> None:
        """At an endpoint."""
        self.require_life()
        await self._interruptions.rpc(self)
        self.require_life()

    async def load(self) -> None:
        """Before the store is used."""
        self.require_life()
        await self._interruptions.load(self)
        self.require_life()

    async def send(self) -> None:
        """Before transactions leave, and after."""
        self.reach_end()
        await self.rpc()

    def reach_end(self) -> None:
        """A place at which the process may die."""
        self.require_life()
        if self._interruptions.is_fatal(self):
            self.die()
            raise ProcessDied(self)


class FragileStore:
    """A node's store, as long as the process lives. Reads may be interrupted, commits may be the last act."""

    def __init__(self, process: Process, inner: Store) -> None:
        self._process = process
        self._inner = inner

    async def commit(self, commit: Commit) -> None:
        """All of it or nothing."""
        await self._process.load()
        # To die around a commit that only moves a cursor is to die between two steps.
        is_telling = replace(commit, cursors=(), peer_cursors=()) != Commit()
        if is_telling:
            self._process.reach_end()
        await self._inner.commit(commit)
        self._process.commits += 1
        if is_telling:
            self._process.reach_end()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def load(*arguments: Any) -> Any:
            await self._process.load()
            return await method(*arguments)

        return load


class WitnessedSigner:
    """A node's signer; whatever it signs is shown to the witness."""

    def __init__(self, process: Process, inner: LocalSigner, witness: Callable[[Batch, int], None]) -> None:
        self._process = process
        self._inner = inner
        self._witness = witness

    @property
    def key(self) -> bytes:
        """Its key."""
        return self._inner.key

    @property
    def peer_key(self) -> bytes:
        """Its peer key."""
        return self._inner.peer_key

    async def sign_batch(self, batch: Batch, epoch: int) -> Attestation:
        """Guard, sign, and be seen."""
        await self._process.load()
        attestation = await self._inner.sign_batch(batch, epoch)
        self._witness(batch, epoch)
        return attestation

    async def sign_batches(
        self, batches: Sequence[tuple[Batch, int]]
    ) -> Sequence[Attestation | ConflictingAttestation]:
        """The same for many."""
        await self._process.load()
        signed = await self._inner.sign_batches(batches)
        for (batch, epoch), attestation in zip(batches, signed, strict=True):
            if isinstance(attestation, Attestation):
                self._witness(batch, epoch)
        return signed

    def sign_peer_message(self, body_hash: bytes, sent_at_milliseconds: int, recipient: bytes) -> bytes:
        """Not used here: the network between the nodes knows who speaks."""
        return self._inner.sign_peer_message(body_hash, sent_at_milliseconds, recipient)


class FragilePeers:
    """A node's peers: one that dies while it is asked is one that does not answer."""

    def __init__(self, process: Process, inner: SimPeers) -> None:
        self._process = process
        self._inner = inner

    @property
    def keys(self) -> Sequence[bytes]:
        """All but this one."""
        return self._inner.keys

    def is_up(self, key: bytes) -> bool:
        """As the heartbeats would say."""
        return self._inner.is_up(key)

    async def push(self, attestations: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        """On their way."""
        await self._process.load()
        await self._inner.push(attestations, first)

    async def fetch_attestations(self, key: bytes, cursor: str) -> AttestationPage:
        """One page."""
        try:
            return await self._inner.fetch_attestations(key, cursor)
        except ProcessDied as death:
            raise self._as_seen_from_here(death) from death

    async def fetch_statements(self, key: bytes, root: bytes) -> Any:
        """What the peer built under a root."""
        try:
            return await self._inner.fetch_statements(key, root)
        except ProcessDied as death:
            raise self._as_seen_from_here(death) from death

    def _as_seen_from_here(self, death: ProcessDied) -> Exception:
        return death if death.process is self._process else PeerUnavailable("the peer died while it was asked")
