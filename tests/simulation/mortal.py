"""One life of a real process: nodes on SQLite files, over simulated chains, that kills itself (SIGKILL) at a place.

Its job: what a child process of the tests runs. Places are before, within and after each commit to a store and each
claim of a guard, and before and after each sending. Whatever a real death would leave as it is (the chains, the time,
peers, what was signed) is put into a file at the last moment; all that the nodes know is in their databases.
"""

from __future__ import annotations

import asyncio
import copyreg
import logging
import os
import pickle
import signal
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import structlog
from sqlalchemy import event

from attestation.domain import batch_digest
from attestation.request import Mode, Request, request_id
from attestation.schemes import SigningKey
from attestation.statement import Statement
from relayer.domain.route import RouteTable
from relayer.domain.status import ENDS
from relayer.errors import TransientError
from relayer.ports.peers import AttestationPage, PeerInbox
from relayer.ports.signer import Attestation, GuardConflict
from relayer.stages.settings import StageSettings
from relayer.stages.stage import Stage
from relayer.store.engine import Engine, SqliteEngine, open_engine
from relayer.store.guard_store import SqlGuard
from relayer.store.sql_store import SqlStore
from tests.factories import NOW, SIGNING_KEYS, make_request, make_signer_set
from tests.simulation.chain import SimChain, Transaction
from tests.simulation.gateway import REVERTING, AddFee, Ask, Call
from tests.simulation.peers import Network
from tests.simulation.process import Process
from tests.simulation.truth import Truth
from tests.simulation.world import BLOCK_SECONDS, POOR_FEE, POOR_SECONDS, RICH_FEE, SimClock, routes_among

FORK_ROUNDS: Final = frozenset({3, 7})
PAYING_ROUND: Final = 22
"""When somebody pays for the poor request, which expired long before."""

MOST_ROUNDS: Final = 150
"""Of all lives together: whatever has not ended by then never does."""

ECHO_KEY: Final = SIGNING_KEYS[1]
OUTSIDE: Final = "outside.pickle"


def _frozen(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# What epochs are kept in; pickle does not know it by itself.
copyreg.pickle(MappingProxyType, lambda proxy: (_frozen, (dict(proxy),)))


@dataclass
class Echo:
    """A peer that never dies and signs whatever a node tells it of: the second of three signers for a node alone."""

    attestations: list[Attestation] = field(default_factory=list)
    cursor: str = ""

    @property
    def is_alive(self) -> bool:
        """Always."""
        return True

    @property
    def inbox(self) -> Echo:
        """Its own ear."""
        return self

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        """Another signature over each root that is new."""
        del sender
        known = {(attestation.gateway, attestation.root) for attestation in self.attestations}
        for theirs in attestations:
            if (theirs.gateway, theirs.root) not in known:
                digest = batch_digest(theirs.gateway, theirs.root, theirs.count, theirs.epoch)
                own = replace(theirs, signer=ECHO_KEY.key, signature=ECHO_KEY.sign(digest))
                self.attestations.append(own)

    async def load_own_attestations(self, cursor: str, limit: int) -> AttestationPage:
        """Cursors count what was signed."""
        start = int(cursor or 0)
        page = self.attestations[start : start + limit]
        return AttestationPage(tuple(page), str(start + len(page)), len(page) < limit)

    async def load_statements(self, root: bytes) -> Sequence[Statement] | None:
        """None: it built nothing."""
        del root
        return None

    async def catch_up_with(self, inbox: PeerInbox) -> None:
        """What a death kept a node from telling."""
        page = await inbox.load_own_attestations(self.cursor, 100)
        self.cursor = page.cursor
        await self.receive_attestations(b"", page.attestations)


@dataclass
class Outside:
    """All that is not the nodes' own, and outlives them."""

    nodes: int
    """How many there are: one, with an echo, or four."""
    echo: Echo
    chains: tuple[SimChain, SimChain]
    truth: Truth
    clock: SimClock = field(default_factory=SimClock)
    calls: dict[bytes, Call] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    rounds: int = 0
    places: Counter[str] = field(default_factory=Counter)
    """How often the nodes came by each kind of place, in all lives."""
    last_place: str = ""

    @property
    def keys(self) -> Sequence[SigningKey]:
        """The nodes' own."""
        return SIGNING_KEYS[: self.nodes]

    def save(self, home: Path) -> None:
        """For the next life."""
        (home / OUTSIDE).write_bytes(pickle.dumps(self))


def load_outside(home: Path) -> Outside:
    """As the last life left it."""
    outside: Outside = pickle.loads((home / OUTSIDE).read_bytes())  # noqa: S301 - our own, just written
    return outside


def create_outside(nodes: int) -> Outside:
    """Two chains whose gateways trust three of the four, or two of: the only node, the echo, and one that is silent."""
    members = SIGNING_KEYS[: max(nodes, 3)]
    signer_set = make_signer_set(members, threshold=len(members) - 1)
    first, second = (SimChain(number, 2, signer_set, int(NOW)) for number in (1, 2))
    truth = Truth({chain.caip2: chain for chain in (first, second)})
    return Outside(nodes, Echo(), (first, second), truth)


def databases(home: Path, key: SigningKey) -> tuple[str, str]:
    """URLs of a node's store and guard."""
    return f"sqlite:///{home}/{key.key.hex()[:8]}.store.db", f"sqlite:///{home}/{key.key.hex()[:8]}.guard.db"


def live(home: Path, deadly_place: int) -> None:
    """Until everything has ended, or until the place with this number in this life. A whole process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_Life(home, deadly_place).run())


class _Life:
    """Implements `Interruptions`."""

    def __init__(self, home: Path, deadly_place: int) -> None:
        self._home = home
        self._outside = load_outside(home)
        self._places_left = deadly_place
        self._network = Network()
        self._processes: list[Process] = []
        self._stores: list[SqlStore] = []
        self._is_alone = self._outside.nodes == 1

    async def run(self) -> None:
        """Start the nodes on their files, and go on."""
        async with AsyncExitStack() as stack:
            for key in self._outside.keys:
                engines = [open_engine(url) for url in databases(self._home, key)]
                for engine, name in zip(engines, ("commit", "claim"), strict=True):
                    stack.push_async_callback(engine.dispose)
                    self._watch_over(engine, name)
                self._start(key, SqlStore(engines[0]), SqlGuard(engines[1]))
            if self._is_alone:
                self._network.nodes[ECHO_KEY.key] = self._outside.echo
            while not await self._is_over():
                assert self._outside.rounds < MOST_ROUNDS, "it does not end"
                await self._round()
        self._outside.save(self._home)

    # where it may die

    async def rpc(self, process: Process) -> None:
        """Endpoints answer at once."""

    async def load(self, process: Process) -> None:
        """So does the store."""

    def is_fatal(self, process: Process) -> bool:  # noqa: ARG002 - all of them are this one
        """Around a sending, or a commit that tells more than how far a chain was read. Never returns if it is."""
        self._come_by("around a commit or a sending")
        return False

    def _watch_over(self, engine: Engine, name: str) -> None:
        assert isinstance(engine, SqliteEngine)
        loop = asyncio.get_running_loop()

        async def die() -> None:
            self._come_by(f"within a {name}")

        def is_about_to_run(statement: str) -> None:
            # A thread commits; the state to save is the loop's.
            if statement == "COMMIT":
                asyncio.run_coroutine_threadsafe(die(), loop).result()

        def watch(connection: sqlite3.Connection, _record: object) -> None:
            connection.set_trace_callback(is_about_to_run)

        event.listen(engine.sync_engine, "connect", watch)

    def _come_by(self, place: str) -> None:
        self._outside.places[place] += 1
        self._places_left -= 1
        if self._places_left == 0:
            self._outside.last_place = place
            self._outside.save(self._home)
            os.kill(os.getpid(), signal.SIGKILL)

    # what happens

    def _start(self, key: SigningKey, store: SqlStore, guard: SqlGuard) -> None:
        outside = self._outside
        process = Process(
            key,
            outside.chains,
            store,
            _WatchedGuard(guard, self),
            self._network,
            outside.clock,
            RouteTable(routes_among(outside.chains)),
            outside.calls,
            StageSettings(),
            self,
            lambda batch, epoch: outside.truth.witness(key.key, batch, epoch),
        )
        self._network.nodes[key.key] = process
        self._processes.append(process)
        self._stores.append(store)

    async def _round(self) -> None:
        outside = self._outside
        outside.rounds += 1
        outside.clock.seconds += BLOCK_SECONDS
        self._act(outside.rounds)
        for chain in outside.chains:
            chain.mine(int(outside.clock.now()))
        if self._is_alone:
            await outside.echo.catch_up_with(self._processes[0].inbox)
        messages, self._network.on_the_way = self._network.on_the_way, []
        for message in messages:
            inbox = self._network.nodes[message.recipient].inbox
            await inbox.receive_attestations(message.sender, message.attestations)
        # All at once, as the runner does it: a death finds every other stage in the middle of something.
        await asyncio.gather(*(self._step(process, stage) for process in self._processes for stage in process.stages))

    async def _step(self, process: Process, stage: Stage) -> None:
        await process.restore()
        with suppress(TransientError):
            await stage.run_once()

    def _act(self, number: int) -> None:
        a, b = self._outside.chains
        if number == 1:
            self._ask(a, b)
            self._ask(a, b, payload=REVERTING)
            self._ask(b, a)
            self._ask(a, b, mode=Mode.QUERY)
        if number == 2:
            self._ask(a, b, fee=POOR_FEE, valid_seconds=POOR_SECONDS)
        if number in FORK_ROUNDS:
            for chain in (a, b):
                chain.reorganise(1, 2, int(self._outside.clock.now()))
        if number == PAYING_ROUND:
            self._transact(a, AddFee(request_id(self._outside.asked[-1]), RICH_FEE))

    def _ask(
        self,
        source: SimChain,
        destination: SimChain,
        *,
        mode: Mode = Mode.CALL,
        payload: bytes = b"run",
        fee: int = RICH_FEE,
        valid_seconds: int = 100_000,
    ) -> None:
        request = make_request(
            len(self._outside.asked),
            source_gateway=source.gateway,
            destination_gateway=destination.gateway,
            sender=source.gateway[:-20] + b"\x5e" * 20,
            target=destination.gateway[:-20] + b"\x7a" * 20,
            payload=payload,
            expiry=int(self._outside.clock.now()) + valid_seconds,
        )
        if mode is Mode.QUERY:
            request = replace(request, mode=mode, destination_gateway=b"", expiry=0)
        self._outside.asked.append(request)
        self._transact(source, Ask(request, fee))

    def _transact(self, chain: SimChain, call: Call) -> None:
        """Some user's transaction; every one has an account of its own."""
        account = b"user" + self._outside.rounds.to_bytes(8, "big") + len(chain.pool).to_bytes(8, "big")
        chain.send(Transaction(account, 0, 1, call))

    async def _is_over(self) -> bool:
        """Whether every node knows the end of every request, and has nothing left to do or to follow."""
        if self._outside.rounds <= PAYING_ROUND:
            return False
        ids = [request_id(request) for request in self._outside.asked]
        for store in self._stores:
            requests = await store.load_requests(ids)
            is_open = [t for chain in self._outside.chains for t in await store.load_open_transactions(chain.caip2)]
            if is_open or await store.count_effects() or len(requests) < len(ids):
                return False
            if any(request.status not in ENDS for request in requests.values()):
                return False
        return True


class _WatchedGuard:
    """A guard at whose door one may die."""

    def __init__(self, inner: SqlGuard, life: _Life) -> None:
        self._inner = inner
        self._life = life

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """As the guard within."""
        self._life._come_by("before a claim")
        conflicts = await self._inner.claim(entries)
        self._life._come_by("after a claim")
        return conflicts
