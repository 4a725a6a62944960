"""The relayer network as queues: requests, blocks, batches, attestations, transactions, callbacks.

Its job: one scenario from its first block to its end, deterministic by its seed. Chains take what is sent and are as
fast as their blocks; nodes are as fast as their processes. What a node does is a sequence of jobs with measured costs;
nothing of the relayer runs here.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.bench.scale.inputs import Costs, Scenario
from tests.bench.scale.machines import Process, Timeline

Route = tuple[int, int]
"""Source and destination chain."""


@dataclass(slots=True, eq=False)
class Leg:
    """Requests of one route that stand in one block, on their way out or, `is_back`, home. `asked_at` is of each."""

    route: Route
    is_back: bool
    asked_at: list[float]

    @property
    def goes_to(self) -> int:
        """The chain that their certificate is for."""
        return self.route[0] if self.is_back else self.route[1]


@dataclass(slots=True, eq=False)
class Batch:
    """A leg, or a part of it, that is signed as one. `submitter` is the node that is first in rank."""

    leg: Leg
    ranked: tuple[int, ...]
    signatures: int = 0

    @property
    def submitter(self) -> int:
        """Who sends the transaction."""
        return self.ranked[0]


@dataclass(slots=True)
class Block:
    """What a block of a chain holds: requests asked there, executed there, and called back there."""

    asked: list[Leg] = field(default_factory=list)
    executed: list[Leg] = field(default_factory=list)
    called_back: list[Leg] = field(default_factory=list)

    @property
    def legs(self) -> list[Leg]:
        """All of them."""
        return [*self.asked, *self.executed, *self.called_back]


class Place(Enum):
    """Where a request is that was asked and not called back."""

    ASKED = auto()
    TO_SIGN_EXECUTION = auto()
    TO_EXECUTE = auto()
    EXECUTING = auto()
    TO_SIGN_OUTCOME = auto()
    TO_DELIVER = auto()
    DELIVERING = auto()


@dataclass(slots=True)
class Account:
    """What a run came to. Requests, seconds, and of each node and chain the calls to an endpoint."""

    asked: int = 0
    called_back: int = 0
    under_way: Counter[Place] = field(default_factory=Counter)
    batches: int = 0
    leaves: int = 0
    latencies: list[float] = field(default_factory=list)
    calls: defaultdict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))

    def move(self, leg: Leg, place: Place, onward: Place | None) -> None:
        """The leg's requests leave one place for another, or for their end."""
        self.under_way[place] -= len(leg.asked_at)
        if onward is not None:
            self.under_way[onward] += len(leg.asked_at)


class Simulation:
    """One run of one scenario."""

    def __init__(self, costs: Costs, scenario: Scenario) -> None:
        self._costs = costs
        self.scenario = scenario
        self._random = random.Random(scenario.seed)
        self._timeline = Timeline()
        self.account = Account()
        groups = range(scenario.groups)
        self._pairs = [(first, second) for first in groups for second in groups if first <= second]
        self.relaying = [{pair: Process() for pair in self._pairs} for _ in range(scenario.nodes)]
        self.watching = [[Process() for _ in groups] if scenario.watchers else [] for _ in range(scenario.nodes)]
        self._next: list[Block] = [Block() for _ in range(scenario.chains)]
        self._window: list[list[Leg]] = [[] for _ in range(scenario.chains)]
        self._heights = [0] * scenario.chains
        self._called_back_early = 0
        self._phases = [self._random.random() * scenario.block_seconds for _ in range(scenario.chains)]

    def run(self) -> Account:
        """Ask for `seconds`, and stop then: what is under way by then stays so."""
        scenario = self.scenario
        for chain, phase in enumerate(self._phases):
            self._timeline.at(phase, lambda now, chain=chain: self._mine(now, chain))
        if scenario.rate:
            self._timeline.at(self._random.expovariate(scenario.rate), self._ask)
        for node in range(scenario.nodes):
            for pair in self._pairs:
                offset = self._random.random() * self._telling_seconds
                self._timeline.at(offset, lambda now, node=node, pair=pair: self._tell_others(now, node, pair))
        self._timeline.run_until(scenario.seconds)
        return self.account

    @property
    def called_back_late(self) -> int:
        """Callbacks in the second half of the time, when queues have filled as far as they do."""
        return self.account.called_back - self._called_back_early

    @property
    def processes(self) -> Iterator[Process]:
        """Of all nodes."""
        for node in range(self.scenario.nodes):
            yield from self.relaying[node].values()
            yield from self.watching[node]

    # users and chains

    def _ask(self, now: float) -> None:
        chains = self.scenario.hubs or self.scenario.chains
        source, destination = self._random.sample(range(chains), 2)
        self._join(self._next[source].asked, Leg((source, destination), is_back=False, asked_at=[now]))
        self.account.asked += 1
        self.account.under_way[Place.ASKED] += 1
        self._timeline.at(now + self._random.expovariate(self.scenario.rate), self._ask)

    @staticmethod
    def _join(legs: list[Leg], leg: Leg) -> None:
        """What one block holds of one route is one leg."""
        for other in legs:
            if other.route == leg.route:
                other.asked_at += leg.asked_at
                return
        legs.append(leg)

    def _mine(self, now: float, chain: int) -> None:
        scenario = self.scenario
        block, self._next[chain] = self._next[chain], Block()
        self._heights[chain] += 1
        self._timeline.at(now + scenario.block_seconds, lambda at: self._mine(at, chain))
        for leg in block.asked:
            self.account.move(leg, Place.ASKED, Place.TO_SIGN_EXECUTION)
        for leg in block.executed:
            self.account.move(leg, Place.EXECUTING, Place.TO_SIGN_OUTCOME)
        for leg in block.called_back:
            self.account.move(leg, Place.DELIVERING, None)
            self.account.called_back += len(leg.asked_at)
            self._called_back_early += len(leg.asked_at) if now < scenario.seconds / 2 else 0
            self.account.latencies += [now - asked_at for asked_at in leg.asked_at]
        for leg in (*block.asked, *(Leg(leg.route, is_back=True, asked_at=leg.asked_at) for leg in block.executed)):
            self._join_window(chain, leg)
        seen_at = now + self._costs.network.one_way_seconds
        self._timeline.at(seen_at, lambda at: self._watch(at, chain, block))
        if self._heights[chain] % scenario.window == 0:
            legs, self._window[chain] = self._window[chain], []
            final_at = seen_at + scenario.depth * scenario.block_seconds
            self._timeline.at(final_at, lambda at: self._give_birth(at, legs))

    def _join_window(self, chain: int, leg: Leg) -> None:
        same = next((x for x in self._window[chain] if (x.route, x.is_back) == (leg.route, leg.is_back)), None)
        if same is None:
            self._window[chain].append(Leg(leg.route, leg.is_back, list(leg.asked_at)))
        else:
            same.asked_at += leg.asked_at

    # nodes

    def _group(self, chain: int) -> int:
        return chain % self.scenario.groups

    def _pair(self, route: Route) -> tuple[int, int]:
        first, second = sorted(map(self._group, route))
        return first, second

    def _watch(self, now: float, chain: int, block: Block) -> None:
        """A block is read, by each process that wants it, or by the watcher of its group for all."""
        cpu, calls, group = self._costs.cpu_ms, self._costs.calls, self._group(chain)
        readers = [pair for pair in self._pairs if group in pair]
        logs: defaultdict[tuple[int, int], int] = defaultdict(int)
        for leg in block.legs:
            logs[self._pair(leg.route)] += len(leg.asked_at)
        asked_for = calls.block + (calls.busy_block if logs else 0)
        for node in range(self.scenario.nodes):
            if self.scenario.watchers:
                self.watching[node][group].work(now, cpu.block + cpu.observe * sum(logs.values()))
                self.account.calls[node, chain] += asked_for
                readers = list(logs)
            for pair in readers:
                process = self.relaying[node][pair]
                process.commits += self._costs.commits.block
                busy = cpu.busy_block if logs[pair] else 0.0
                if self.scenario.watchers:
                    process.work(now, busy)
                else:
                    process.work(now, cpu.block + busy + cpu.observe * logs[pair])
                    self.account.calls[node, chain] += asked_for

    def _give_birth(self, now: float, legs: list[Leg]) -> None:
        """The batches of what is final: each node signs, and tells those who submit."""
        if not legs:
            return
        network, nodes = self._costs.network, range(self.scenario.nodes)
        batches: dict[tuple[int, int], list[Batch]] = defaultdict(list)
        for leg in legs:
            for start in range(0, len(leg.asked_at), network.max_leaves):
                part = Leg(leg.route, leg.is_back, leg.asked_at[start : start + network.max_leaves])
                ranked = tuple(self._random.sample(nodes, min(network.first_told + 1, len(nodes))))
                batches[self._pair(leg.route)].append(Batch(part, ranked))
                self.account.batches += 1
                self.account.leaves += len(part.asked_at)
                if leg.is_back:
                    self.account.move(part, Place.TO_SIGN_OUTCOME, Place.TO_DELIVER)
                else:
                    self.account.move(part, Place.TO_SIGN_EXECUTION, Place.TO_EXECUTE)
        for node in nodes:
            for pair, born in batches.items():
                self._sign(now, node, pair, born)

    def _sign(self, now: float, node: int, pair: tuple[int, int], born: list[Batch]) -> None:
        cpu, process = self._costs.cpu_ms, self.relaying[node][pair]
        leaves = sum(len(batch.leg.asked_at) for batch in born)
        process.commits += self._costs.commits.births
        process.signed += len(born)
        process.work(now, cpu.births + cpu.decide * leaves + cpu.sign * len(born))
        first_told = [
            [other for other in batch.ranked if other != node][: self._costs.network.first_told] for batch in born
        ]
        told: dict[int, list[Batch]] = defaultdict(list)
        for batch, others in zip(born, first_told, strict=True):
            for other in others:
                told[other].append(batch)
        done = process.work(now, cpu.exchange_asking * len(told))
        process.exchanges += len(told)
        for other, about in told.items():
            self._timeline.at(
                done + self._costs.network.one_way_seconds,
                lambda at, other=other, about=about: self._hear(at, other, pair, about),
            )
        settling = cpu.quorum + cpu.certificate * len(born)
        process.commits += self._costs.commits.quorum
        self._timeline.at(done + self._costs.network.gather_seconds, lambda at: process.work(at, settling))
        own = [batch for batch in born if batch.submitter == node]
        if own:
            self._timeline.at(done, lambda at: self._count(at, node, pair, own))

    def _hear(self, now: float, node: int, pair: tuple[int, int], about: list[Batch]) -> None:
        """A push arrives: its attestations are verified, and those for whose batches it is this node's turn count."""
        cpu, process = self._costs.cpu_ms, self.relaying[node][pair]
        done = process.work(now, cpu.exchange_answering + cpu.attestation * len(about))
        process.exchanges += 1
        process.attestations += len(about)
        own = [batch for batch in about if batch.submitter == node]
        if own:
            self._timeline.at(done, lambda at: self._count(at, node, pair, own))

    def _count(self, now: float, node: int, pair: tuple[int, int], batches: list[Batch]) -> None:
        """One more signature of each at its submitter; what has its quorum with it is sent, a transaction a route."""
        ready: dict[tuple[Route, bool], list[Batch]] = defaultdict(list)
        for batch in batches:
            batch.signatures += 1
            if batch.signatures == self.scenario.threshold:
                ready[batch.leg.route, batch.leg.is_back].append(batch)
        if not ready:
            return
        cpu, commits, process = self._costs.cpu_ms, self._costs.commits, self.relaying[node][pair]
        process.commits += commits.quorum
        process.work(now, cpu.quorum)
        for together in ready.values():
            leg = together[0].leg
            count = sum(len(batch.leg.asked_at) for batch in together)
            process.commits += commits.transaction
            calls = self._costs.calls
            self.account.calls[node, leg.goes_to] += calls.transaction + calls.submit * count
            done = process.work(now, cpu.transaction + cpu.submit * count)
            self._timeline.at(
                done + self._costs.network.one_way_seconds, lambda _at, together=together: self._land(together)
            )

    def _land(self, batches: list[Batch]) -> None:
        """The transaction is in the pool: the chain's next block has it."""
        for batch in batches:
            leg = batch.leg
            block = self._next[leg.goes_to]
            if leg.is_back:
                self.account.move(leg, Place.TO_DELIVER, Place.DELIVERING)
                self._join(block.called_back, leg)
            else:
                self.account.move(leg, Place.TO_EXECUTE, Place.EXECUTING)
                self._join(block.executed, leg)

    # peers

    @property
    def _telling_seconds(self) -> float:
        """Between two exchanges with the same peer about nothing urgent."""
        network = self._costs.network
        return max(network.heartbeat_seconds, (self.scenario.nodes - 1) / network.pings_per_second)

    def _tell_others(self, now: float, node: int, pair: tuple[int, int]) -> None:
        """What is told later, to and from each peer: all nodes sign alike, so that this node's own count is theirs."""
        cpu, process, others = self._costs.cpu_ms, self.relaying[node][pair], self.scenario.nodes - 1
        first = min(self._costs.network.first_told, others)
        told_later = round(process.signed * (others - first))
        process.signed = 0
        process.commits += self._costs.commits.gathered * self._telling_seconds if told_later else 0
        process.exchanges += 2 * others
        process.attestations += told_later
        each = cpu.exchange_asking + cpu.exchange_answering + cpu.attestation * told_later / others
        for number in range(others):
            at = now + number * self._telling_seconds / others
            self._timeline.at(at, lambda at: process.work(at, each))
        self._timeline.at(now + self._telling_seconds, lambda at: self._tell_others(at, node, pair))
