"""What all stages of one node share.

Its job: the ports, the routes, the lock under which load → decide → commit runs, and the bells by which stages wake one
another. No stage knows another; they meet in the store and are woken here. It decides nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from attestation.statement import Rotate
from relayer.domain.batch import Batch
from relayer.domain.blocks import Head
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.rounds import RoundBook
from relayer.domain.route import Route, RouteTable
from relayer.domain.status import ENDS, Status
from relayer.observability.metrics import UNKNOWN, Metrics
from relayer.ports.clock import Clock
from relayer.ports.peers import Peers
from relayer.ports.signer import Signer
from relayer.ports.store import Change, Commit, Store
from relayer.ports.vm import OpenChain
from relayer.stages.epochs import EpochBook
from relayer.stages.settings import StageSettings

SIGNED_REMEMBERED = 4096
"""Batches whose quorum is waited for at a time, the newest; more are in flight only while quorums fail."""

REST_SECONDS = 30.0
"""How long a stage that has nothing to wait for sleeps, if no bell wakes it: each chain has several of them."""


class Bell:
    """Wakes one waiting stage; rung while nobody waits, it is remembered once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the stage now, or at once when it next waits."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until rung, at most this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Rest:
    """The chains whose new blocks mean nothing to a stage, for it has no work there that waits for any.

    A stage that finds none rests, unless some was noted since it began to look. Nobody rests at a start.
    """

    def __init__(self) -> None:
        self._noted: Counter[str] = Counter()
        self._resting: set[str] = set()

    def note(self, chain: str) -> None:
        """There may be work on this chain now."""
        self._noted[chain] += 1
        self._resting.discard(chain)

    def look(self, chain: str) -> int:
        """A stage begins to look for work on the chain: to be shown to `begin`."""
        return self._noted[chain]

    def begin(self, chain: str, look: int) -> None:
        """The look found nothing."""
        if self._noted[chain] == look:
            self._resting.add(chain)

    def is_resting(self, chain: str) -> bool:
        """Whether blocks of the chain need wake nobody."""
        return chain in self._resting


@dataclass(slots=True)
class Bells:
    """One per stage and chain. Rung after a commit that gives the stage something to do.

    `answer_rest` and `confirm_rest` say for which chains those stages need no bell at a new block.
    """

    sign: Bell = field(default_factory=Bell)
    catch_up: Bell = field(default_factory=Bell)
    split: Bell = field(default_factory=Bell)
    submit: dict[str, Bell] = field(default_factory=dict)
    answer: dict[str, Bell] = field(default_factory=dict)
    confirm: dict[str, Bell] = field(default_factory=dict)
    answer_rest: Rest = field(default_factory=Rest)
    confirm_rest: Rest = field(default_factory=Rest)

    def ring_chain(self, chain: str) -> None:
        """A new block of this chain was taken in."""
        if not self.answer_rest.is_resting(chain):
            self.answer[chain].ring()
        if not self.confirm_rest.is_resting(chain):
            self.confirm[chain].ring()

    def ring_effects(self, chains: Iterable[str]) -> None:
        """There are new effects to perform on these chains."""
        for chain in chains:
            if not self.answer_rest.is_resting(chain):
                self.answer[chain].ring()
            self.submit[chain].ring()


@dataclass(slots=True)
class Tip:
    """Where a chain is, and how far it is taken in.

    `head` is what its endpoints last agreed on; `final_number` and `tip_number` are what this node has taken in, and
    `timestamp` (s) is that of the newest block taken in: the lower bound of the gateway's own clock. `is_verified` says
    that this process has found everything taken in to stand on the chain still. `rewinds` counts the forks that were
    left.
    """

    head: Head | None = None
    is_verified: bool = False
    final_number: int = -1
    tip_number: int = -1
    timestamp: int = 0
    rewinds: int = 0


@dataclass(slots=True)
class Desk:
    """The shared table of one node's stages. `writing` serialises load → decide → commit within the process.

    `halted` holds why, by chain; `store_fault` why the last step could not reach the database, empty if it could;
    `signed_at` when this node signed what has no quorum yet, by root (`SIGNED_REMEMBERED` at most).
    `births` counts the commits of this process in which batches were born.
    `rounds` what was read and signed of questions to chains that can only be read as they are now.
    `rotations` the batch, by gateway, that would bring in the set which the operator accepted for its next epoch;
    `rival_rotations` what peers, by (gateway, signer), were found to sign for another set. For people.
    """

    store: Store
    clock: Clock
    routes: RouteTable
    chains: Mapping[str, OpenChain]
    signer: Signer
    peers: Peers
    epochs: EpochBook
    metrics: Metrics
    settings: StageSettings
    bells: Bells
    tips: dict[str, Tip]
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    halted: dict[str, Halt] = field(default_factory=dict)
    store_fault: str = ""
    signed_at: dict[bytes, float] = field(default_factory=dict)
    births: int = 0
    rounds: RoundBook = field(default_factory=RoundBook)
    rotations: dict[bytes, Batch] = field(default_factory=dict)
    rival_rotations: dict[tuple[bytes, bytes], Rotate] = field(default_factory=dict)

    async def commit(self, commit: Commit) -> None:
        """Write what a step decided, and count what it changed. Raises `StoreConflict`: nothing was written."""
        await self.store.commit(commit)
        self.births += bool(commit.batches)
        self._note_work(commit)
        self._count((*commit.observed, *commit.changes))

    def is_halted(self, route: Route) -> bool:
        """Whether either chain of the route contradicted itself."""
        return not self.halted.keys().isdisjoint({route.source_chain, route.destination_chain})

    def _note_work(self, commit: Commit) -> None:
        """What was written may be work that waits for blocks."""
        for chain in {transaction.chain for transaction in commit.transactions}:
            self.bells.confirm_rest.note(chain)
        reads = {effect.chain for effect in commit.effects if effect.kind is EffectKind.READ_ANSWER}
        for chain in reads.union(answer.chain for answer in commit.answers):
            self.bells.answer_rest.note(chain)

    def _count(self, changes: Iterable[Change]) -> None:
        """A commit holds hundreds of changes of a few kinds, and a metric's labels take long to look up."""
        durations: defaultdict[tuple[str, str, str, Status], list[float]] = defaultdict(list)
        for change in changes:
            request = change.request
            route = self.routes.get(request.route)
            chains = (UNKNOWN, UNKNOWN) if route is None else (route.source_chain, route.destination_chain)
            labels = (*chains, request.request.mode.name, request.status)
            durations[labels].append(max(change.at - request.source_timestamp, 0.0))
        for labels, seconds in durations.items():
            self.metrics.request_transitions.labels(*labels).inc(len(seconds))
            if labels[-1] in ENDS:
                ended = self.metrics.request_duration.labels(*labels)
                for duration in seconds:
                    ended.observe(duration)

    def rank_delay(self, route: bytes, first_height: int, gateway: bytes) -> float:
        """How long this node waits before it submits for a batch: a takeover time per rank before it that is up."""
        ranked = self.epochs.ranked_signers(gateway, route, first_height)
        ahead = 0
        for key in ranked:
            if key == self.signer.key:
                break
            if self.peers.is_up(key):
                ahead += 1
        return ahead * self.settings.takeover_seconds
