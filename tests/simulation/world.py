"""Chains, nodes, the network and the clock, moved on one small step at a time, in an order that a seed decides.

Its job: everything that asyncio and the outside world would interleave by chance is interleaved here on purpose and
repeatably. `storm` lets things go wrong; `calm` lets them come right and says if they do not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, RequestId, request_id, route_of
from attestation.schemes import SECP256K1, Scheme, SigningKey
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.signer_set_file import NumberedSet
from attestation.statement import OutcomeKind
from relayer.domain.effects import EffectKind
from relayer.domain.observations import CallbackDelivered, CallConcluded, CancelSettled, RequestCancelled
from relayer.domain.route import Route, RouteTable
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import ConsistencyError, RpcUnavailable, TransientError
from relayer.ports.peers import PeerInbox
from relayer.ports.store import AcceptedSet, Commit
from relayer.stages.claim import KINDS as SUBMISSIONS
from relayer.stages.settings import StageSettings
from relayer.stages.stage import Stage
from relayer.stages.submit import SubmitStage
from relayer.store.memory import MemoryGuard, MemoryStore
from tests.factories import NOW, SIGNING_KEYS, make_signer_set
from tests.simulation.chain import SimChain, Transaction
from tests.simulation.gateway import AddFee, Ask, Call, Reclaim
from tests.simulation.peers import Message, Network
from tests.simulation.process import Process, ProcessDied
from tests.simulation.truth import Truth, count_of

RICH_FEE: Final = 1_000_000
POOR_FEE: Final = 1
BLOCK_SECONDS: Final = 3
POOR_SECONDS: Final = 30
POOR_ROUNDS: Final = 14
"""How long a poor request is valid, and in how many rounds it has surely expired."""

WATCH_SHARE: Final = 0.3
"""How many of the steps of a storm are looks at a chain."""

GRACE_SECONDS: Final = 60
"""How long an epoch still verifies when the next is applied."""

OBSERVER_KEY: Final = SECP256K1.signing_key(b"\x77" * 32)

SMALL: Final = StageSettings(
    claim_limit=4, max_blocks_per_step=3, open_transactions_limit=3, unknown_roots_per_signer=6, window_requests=5
)
"""Every limit is reached, so that what happens at it happens."""


class SimClock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.seconds = NOW

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Nobody may: stages are stepped, not run."""
        raise AssertionError(f"slept for {seconds}")


@dataclass(eq=False)
class Node:
    """An operator: a key, a disk, and the process that runs now, if one does."""

    key: SigningKey
    name: str
    store: MemoryStore = field(default_factory=MemoryStore)
    guard: MemoryGuard = field(default_factory=MemoryGuard)
    process: Process | None = None
    deaths: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.is_alive

    @property
    def inbox(self) -> PeerInbox:
        """Its ear."""
        return self.running.inbox

    @property
    def running(self) -> Process:
        """The process, which must run."""
        assert self.process is not None
        return self.process


@dataclass(frozen=True, eq=False)
class Step:
    """Something that a process is in the middle of."""

    process: Process
    label: str
    task: asyncio.Task[None]


class World:
    """Everything there is."""

    def __init__(
        self,
        rng: random.Random,
        *,
        depth_blocks: int = 3,
        settings: StageSettings = SMALL,
        observers: int = 0,
        chain_ids: Sequence[int] = (1, 2),
        signers: Sequence[SigningKey] = SIGNING_KEYS,
        scheme: Scheme = SECP256K1,
        without_history: Sequence[int] = (),
    ) -> None:
        self.rng = rng
        self.settings = settings
        self.clock = SimClock()
        self.signer_set: SignerSet = replace(make_signer_set(signers, scheme=scheme), grace_seconds=GRACE_SECONDS)
        now = int(self.clock.now())
        self.chains = {
            chain.caip2: chain
            for chain in (
                SimChain(number, depth_blocks, self.signer_set, now, has_history=number not in without_history)
                for number in chain_ids
            )
        }
        self.a, self.b = list(self.chains.values())[:2]
        self.routes = RouteTable(routes_among(tuple(self.chains.values())))
        self.network = Network()
        self.truth = Truth(self.chains)
        self.calls: dict[bytes, Call] = {}
        keys = [*signers, *[OBSERVER_KEY] * observers]
        self.nodes = [Node(key, f"node {index}") for index, key in enumerate(keys)]
        self.network.nodes = {node.key.key: node for node in self.nodes}
        self.asked: list[Request] = []
        self.is_gated = False
        self.pauses = 0.5
        """How often others go first where a process could be interrupted. At 0 every step is one piece."""
        self.rpc_failures = 0.0
        self.deadly_place = 0
        """When not 0: so many more places until the process there dies."""
        self.deadly_node: Node | None = None
        self.slow: set[str] = set()
        """Chains that make no blocks for a while."""
        self._ticks = 0
        self._later: list[tuple[int, Callable[[], object]]] = []
        self._waiting: list[tuple[Process, asyncio.Future[None]]] = []
        self._steps: list[Step] = []
        for node in self.nodes:
            self.start(node)

    # what interrupts

    async def rpc(self, process: Process) -> None:
        """At an endpoint: others may go first, or it may not answer."""
        if self.rng.random() < self.pauses:
            await self._pause(process)
        if self.is_gated and self.rng.random() < self.rpc_failures:
            raise RpcUnavailable("the endpoint did not answer")

    async def load(self, process: Process) -> None:
        """Before the store is used: more seldom others go first."""
        if self.rng.random() < self.pauses / 3:
            await self._pause(process)

    def is_fatal(self, process: Process) -> bool:
        """Whether this is the place at which the chosen node dies."""
        if self.deadly_node is None or self.deadly_node.process is not process:
            return False
        self.deadly_place -= 1
        return self.deadly_place == 0

    async def _pause(self, process: Process) -> None:
        if self.is_gated:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((process, future))
            await future

    # what users do

    def ask(
        self,
        source: SimChain,
        destination: SimChain,
        *,
        mode: Mode = Mode.CALL,
        payload: bytes = b"run",
        metadata: bytes = b"",
        fee: int = RICH_FEE,
        valid_seconds: int = 100_000,
        destination_gateway: bytes | None = None,
        ordered_after: int = 0,
    ) -> RequestId:
        """A user's transaction that asks, into the source chain's pool."""
        number = len(self.asked)
        is_call = mode is Mode.CALL
        gateway = destination.gateway if destination_gateway is None else destination_gateway
        source_id, destination_id = (int(chain.caip2.partition(":")[2]) for chain in (source, destination))
        request = Request(
            source_gateway=source.gateway,
            sender=evm_account(source_id, b"\x5e" * 20).to_bytes(),
            destination_gateway=gateway if is_call else b"",
            target=evm_account(destination_id, b"\x7a" * 20).to_bytes(),
            nonce=number,
            mode=mode,
            own_account=False,
            payload=payload + b" %d" % number,
            execution_gas_limit=500_000,
            callback_gas_limit=300_000,
            return_limit=1_024,
            expiry=int(self.clock.now()) + valid_seconds if is_call else 0,
            ordered_after=ordered_after,
            origin=0,
            code_hash=bytes(32),
            dispute_blocks=0,
            metadata=metadata,
        )
        self.asked.append(request)
        self.transact(source, Ask(request, fee))
        return request_id(request)

    def transact(self, chain: SimChain, call: Call) -> None:
        """Some user's transaction; every one has an account of its own."""
        account = keccak256(repr((call, self.clock.now(), len(chain.pool))).encode())[:20]
        chain.send(Transaction(account, 0, 1, call))

    async def accept(self, node: Node, numbered: NumberedSet, after: SignerSet | None = None) -> None:
        """The operator of a node accepts a set for an epoch, to follow the first one of all if it names no other."""
        predecessor = signer_set_hash(after or self.signer_set)
        self.truth.accepted[node.key.key].add((predecessor, numbered.rotate.leaf))
        await node.store.commit(Commit(accepted=(AcceptedSet(numbered, predecessor, self.clock.now()),)))

    def chain_of(self, request: Request) -> SimChain:
        """The source chain of a request."""
        return next(chain for chain in self.chains.values() if chain.gateway == request.source_gateway)

    # processes

    def start(self, node: Node) -> None:
        """Run a node on its disk."""
        node.process = Process(
            node.key,
            tuple(self.chains.values()),
            node.store,
            node.guard,
            self.network,
            self.clock,
            self.routes,
            self.calls,
            self.settings,
            self,
            lambda batch, epoch: self.truth.witness(node.key.key, batch, epoch),
        )

    def kill(self, node: Node) -> None:
        """End a node's process wherever it is."""
        if node.is_alive:
            node.running.die()
            node.deaths += 1

    def after(self, ticks: int, act: Callable[[], object]) -> None:
        """Do something so many ticks later, or when the storm is over."""
        self._later.append((self._ticks + ticks, act))

    def _do_what_is_due(self) -> None:
        due = [act for at, act in self._later if at <= self._ticks]
        self._later = [(at, act) for at, act in self._later if at > self._ticks]
        for act in due:
            act()

    # one small step

    async def tick(self) -> None:
        """One thing happens."""
        self._ticks += 1
        self._do_what_is_due()
        roll = self.rng.random()
        if roll < 0.012:
            chain = self.rng.choice(list(self.chains.values()))
            if chain.caip2 not in self.slow:
                chain.mine(int(self.clock.now()))
        elif roll < 0.02:
            self.clock.seconds += self.rng.choice((0.5, 1.0, 3.0))
        elif roll < 0.15 and self.network.on_the_way:
            self._deliver(self.rng.randrange(len(self.network.on_the_way)))
        elif roll < 0.6 and self._waiting:
            self._release(self.rng.randrange(len(self._waiting)))
        else:
            self._start_step()
        await self._settle()
        self._reap()

    async def storm(self, ticks: int) -> None:
        """So many ticks, with every call a place where others may go first."""
        self.is_gated = True
        for _ in range(ticks):
            await self.tick()

    async def still(self) -> None:
        """Everything under way comes to its end, nothing new begins."""
        self.is_gated = False
        for _, act in self._later:
            act()
        self._later.clear()
        while self._steps:
            while self._waiting:
                self._release(0)
            await self._settle()
            self._reap()

    async def come_right(self) -> None:
        """Faults are over; what is poor expires; then somebody pays, and everything ends. Raises AssertionError.

        What is poor and cancelled can no longer be paid for: its asker takes back what is left.
        """
        await self.still()
        self.heal()
        for _ in range(POOR_ROUNDS):
            await self.round()
        self.raise_all_fees()
        self.reclaim_all()
        await self.calm()

    async def calm(self, rounds: int = 120) -> None:
        """Time passes until every request has ended everywhere, and stays so. Raises AssertionError if it does not."""
        await self.still()
        self.heal()
        for _ in range(rounds):
            await self.round()
            if not self.unfinished():
                break
        else:
            raise AssertionError("\n".join(self.unfinished()))
        for _ in range(3):
            await self.round()
        assert not self.unfinished(), "it did not stay so"
        self.check_agreement()

    async def round(self, *, is_mining: bool = True) -> None:
        """A few seconds, a block on each chain, every message, one step of every stage."""
        self.clock.seconds += BLOCK_SECONDS
        for chain in self.chains.values():
            if is_mining:
                chain.mine(int(self.clock.now()))
        await self.work()

    async def work(self) -> None:
        """Every message, one step of every stage of every node that runs, in any order."""
        while self.network.on_the_way:
            self._deliver(self.rng.randrange(len(self.network.on_the_way)))
            await self._settle()
            self._reap()
        for node in self.nodes:
            # Whose peers complete a quorum is woken by it.
            if node.is_alive and node.running.inbox.is_urgent:
                await self.step(node.running, node.running.attest)
        steps = [(node.running, stage) for node in self.nodes if node.is_alive for stage in node.running.stages]
        self.rng.shuffle(steps)
        for process, stage in steps:
            await self.step(process, stage)

    async def step(self, process: Process, stage: Stage) -> None:
        """One step of one stage, with nothing in between."""
        if process.is_alive and stage.chain not in process.desk.halted:
            try:
                await self._run(process, stage)
            except ProcessDied as death:
                self._bury(death, process)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.rpc_failures = 0.0
        self.network.lies.clear()
        self.slow.clear()
        self.deadly_node, self.deadly_place = None, 0
        for chain in self.chains.values():
            chain.failing = 0
        for node in self.nodes:
            if not node.is_alive:
                self.start(node)
            for view in node.running.views.values():
                view.lag_blocks, view.frozen, view.is_lossy, view.is_unreadable = 0, None, False, False
                view.unreadable_payloads.clear()

    # how it is

    def unfinished(self) -> list[str]:
        """What has not come to its end, in words."""
        left: list[str] = []
        for request in self.asked:
            if request_id(request) in self.chain_of(request).requests():
                left += self._unfinished_at(request)
        for node in self.nodes:
            effects = node.store._outbox
            left += [f"{node.name}: {kind} {subject.hex()[:8]} {row}" for (kind, subject), row in effects.items()]
            for transaction in node.store._transactions.values():
                if transaction.status in {"SIGNED", "MINED"}:
                    left.append(f"{node.name}: {transaction.chain} {transaction.nonce} is {transaction.status}")
        return left

    def _unfinished_at(self, request: Request) -> list[str]:
        identifier = request_id(request)
        expected = self.expected_end(request)
        known = {node.name: node.store._requests.get(identifier) for node in self.nodes}
        return [
            f"{name}: {identifier.hex()[:8]} {request.mode.name} is {tracked and tracked.status}, not {expected}"
            for name, tracked in known.items()
            if tracked is None or tracked.status is not expected
        ]

    def expected_end(self, request: Request) -> Status | None:
        """What a request must come to, by what its own chain says; None while that says nothing."""
        identifier = request_id(request)
        if self.routes.get(route_of(request)) is None:
            return Status.REJECTED
        end = None
        for log in self.chain_of(request).logs():
            # Who executed a cancelled CALL is still to be paid.
            cancel = CancelSettled if request.mode is Mode.CALL else RequestCancelled
            if isinstance(log, cancel) and log.request_id == identifier:
                end = Status.CANCELLED
            if isinstance(log, CallbackDelivered) and log.request_id == identifier:
                end = Status.HANDLER_FAILED if log.is_handler_failed else Status.DELIVERED
        return end

    def check_agreement(self) -> None:
        """One execution and one callback a request; all nodes know the same about all of them."""
        for request in self.asked:
            identifier = request_id(request)
            source = self.chain_of(request)
            if self.expected_end(request) is Status.REJECTED:
                continue  # its place is as first seen: nothing follows from it
            if identifier not in source.requests():
                self._check_orphan(identifier)
                continue
            end = self.expected_end(request)
            assert len(_callbacks(source, identifier, is_handler_failed=False)) == (end is Status.DELIVERED)
            assert len(_callbacks(source, identifier, is_handler_failed=True)) <= 1
            receipts = sum(count_of(c.logs(), CallConcluded, identifier) for c in self.chains.values())
            is_ended_by_callback = end in {Status.DELIVERED, Status.HANDLER_FAILED}
            if request.mode is Mode.CALL and is_ended_by_callback:
                assert receipts == 1
            assert receipts <= (request.mode is Mode.CALL)
            views = [node.store._requests[identifier] for node in self.nodes]
            facts = {(view.status, view.location, view.source_timestamp, view.fee, view.returned_fee) for view in views}
            assert len(facts) == 1, "\n".join(map(str, facts))
            conclusions = {view.conclusion for view in views}
            if self._is_answered_in_rounds(request):
                # A node that was not there may not know the answer; none knows another than was delivered.
                said = {each.outcome.return_data_hash for each in conclusions if each is not None}
                told = {log.return_data_hash for log in _callbacks(source, identifier, is_handler_failed=False)}
                assert not told or said <= told
                continue
            assert len(conclusions) == 1, "\n".join(map(str, conclusions))
            if is_ended_by_callback:
                assert views[0].conclusion is not None
            if request.mode is Mode.CALL:
                self._check_payment(source, request, views[0])

    def _is_answered_in_rounds(self, request: Request) -> bool:
        route = self.routes.get(route_of(request))
        is_query = request.mode is Mode.QUERY
        return is_query and route is not None and not self.chains[route.destination_chain].has_history

    def _check_payment(self, source: SimChain, request: Request, view: TrackedRequest) -> None:
        """The execution share went to who executed, or came back; all of it, once, and never to anybody else."""
        credits_ = source.tip.state.credits.items()
        paid = {account: amount for (owner, account), amount in credits_ if owner == view.request_id}
        share = view.fee - view.fee // 2
        if view.status is Status.CANCELLED and set(paid) == {request.sender}:
            assert paid == {request.sender: share}
            return
        assert view.conclusion is not None
        outcome = view.conclusion.outcome
        kept = share // 2 if outcome.kind is OutcomeKind.EXPIRED else share
        assert paid == {outcome.payee: kept, request.sender: share - kept}

    def _check_orphan(self, identifier: RequestId) -> None:
        statuses = {
            tracked.status for node in self.nodes if (tracked := node.store._requests.get(identifier)) is not None
        }
        assert statuses <= {Status.ORPHANED, Status.REJECTED}
        assert not any(identifier in chain.receipts() for chain in self.chains.values())

    def slept_over(self, process: Process) -> list[str]:
        """Chains with work that waits for blocks, and whose blocks wake nobody."""
        store = next((node.store for node in self.nodes if node.process is process), None)
        if not process.is_alive or not isinstance(store, MemoryStore):
            return []  # a test's own store cannot be looked into
        bells = process.desk.bells
        reading = {row.chain for (kind, _), row in store._outbox.items() if kind is EffectKind.READ_ANSWER}
        reading |= {answer.chain for answer in store._answers.values()}
        sending = {t.chain for t in store._transactions.values() if t.status in {"SIGNED", "MINED"}}
        return [
            *(f"answer {chain}" for chain in sorted(reading) if bells.answer_rest.is_resting(chain)),
            *(f"confirm {chain}" for chain in sorted(sending) if bells.confirm_rest.is_resting(chain)),
        ]

    def left_undone(self, process: Process, stage: SubmitStage) -> list[str]:
        """What a submitter does not wait for and has not done either: it would spin."""
        if stage.is_full:
            return []
        store = next(node.store for node in self.nodes if node.process is process)
        return [
            f"{stage.chain} {row.kind} {row.subject.hex()[:8]}"
            for row in store._outbox.values()
            if row.kind in SUBMISSIONS and row.chain == stage.chain and row.due_at <= self.clock.now()
        ]

    def raise_all_fees(self) -> None:
        """Somebody pays for everything that waits."""
        for chain in self.chains.values():
            for identifier, known in chain.tip.state.pending.items():
                if known.fee < RICH_FEE and known.state == "pending":
                    self.transact(chain, AddFee(identifier, RICH_FEE))

    def reclaim_all(self) -> None:
        """Askers take back what is left of fees that nobody earns by delivering."""
        for chain in self.chains.values():
            for identifier, known in chain.tip.state.pending.items():
                if known.fee < RICH_FEE and known.state == "cancelled":
                    self.transact(chain, Reclaim(identifier))

    # how it is done

    def _start_step(self) -> None:
        alive = [node.running for node in self.nodes if node.is_alive]
        if not alive:
            return
        process = self.rng.choice(alive)
        busy = {step.label for step in self._steps if step.process is process}
        idle = [
            stage
            for stage in process.stages
            if f"{stage.name} {stage.chain}" not in busy and stage.chain not in process.desk.halted
        ]
        if idle:
            watching = [stage for stage in idle if stage.name == "watch"]
            # Without its watchers a node sleeps through whatever its chains do.
            stage = self.rng.choice(watching if watching and self.rng.random() < WATCH_SHARE else idle)
            self._begin(process, f"{stage.name} {stage.chain}", self._run(process, stage))

    async def _run(self, process: Process, stage: Stage) -> None:
        await process.restore()
        if stage.chain in process.desk.halted:
            return
        commits = process.commits
        try:
            is_more = await process.runner._step(stage)
        except TransientError:
            return
        except ConsistencyError as error:
            await process.runner._halt(stage, error)
            return
        assert not self.slept_over(process), self.slept_over(process)
        if isinstance(stage, SubmitStage) and not self.is_gated and not is_more and process.commits == commits:
            assert not self.left_undone(process, stage), self.left_undone(process, stage)

    def _deliver(self, index: int) -> None:
        message = self.network.on_the_way.pop(index)
        node = next(node for node in self.nodes if node.key.key == message.recipient)
        if node.is_alive:
            self._begin(node.running, "receive", self._receive(node, message))

    async def _receive(self, node: Node, message: Message) -> None:
        await node.running.inbox.receive_attestations(message.sender, message.attestations)

    def _begin(self, process: Process, label: str, work: Awaitable[None]) -> None:
        self._steps.append(Step(process, label, asyncio.ensure_future(work)))

    def _release(self, index: int) -> None:
        _, future = self._waiting.pop(index)
        if not future.done():
            future.set_result(None)

    async def _settle(self) -> None:
        """Until every task waits for something that only the world can give."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        while True:
            await asyncio.sleep(0)
            if not ready:
                return

    def _reap(self) -> None:
        still_running = []
        for step in self._steps:
            if not step.task.done():
                still_running.append(step)
                continue
            error = step.task.exception()
            if isinstance(error, ProcessDied):
                self._bury(error, step.process)
            elif error is not None:
                raise error
        self._steps = still_running

    def _bury(self, death: ProcessDied, process: Process) -> None:
        for node in self.nodes:
            if node.process is process and death.process is process:
                node.deaths += 1


def _callbacks(source: SimChain, identifier: RequestId, *, is_handler_failed: bool) -> list[CallbackDelivered]:
    return [
        log
        for log in source.logs()
        if isinstance(log, CallbackDelivered)
        and log.request_id == identifier
        and log.is_handler_failed is is_handler_failed
    ]


def routes_among(chains: Sequence[SimChain]) -> list[Route]:
    """Both modes between every ordered pair of chains."""
    routes = []
    for source in chains:
        for destination in chains:
            if source is destination:
                continue
            names = {"source_chain": source.caip2, "destination_chain": destination.caip2}
            routes += [
                Route(
                    key=source.gateway + destination.gateway,
                    mode=Mode.CALL,
                    source_gateway=source.gateway,
                    destination_gateway=destination.gateway,
                    **names,
                ),
                Route(
                    key=source.gateway + destination.address,
                    mode=Mode.QUERY,
                    source_gateway=source.gateway,
                    destination_gateway=b"",
                    **names,
                ),
            ]
    return routes
