"""The plan of a storm: which faults are played, when, for how long, on whom. Drawn from a seed, and from nothing else.

Its job: data, and the bounds within which honest nodes are always given time to end their work. It plays nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

QUIET_PART = 0.1
"""Of the storm, at its beginning, in which only endpoints lie: work shall be under way when things break."""

REST_SECONDS = (2.0, 5.0)
"""Between two faults of processes: with one node down there is no quorum, so that all must be up now and then."""

DOWN_SECONDS = (1.0, 5.0)
REORG_EVERY_SECONDS = (3.0, 8.0)
LIE_SECONDS = (3.0, 9.0)
SLOT_FAULT_EVERY_SECONDS = (3.0, 7.0)
"""Between two faults of a chain that knows no reorgs."""

LAG_SECONDS = (2.0, 6.0)
LAG_SLOTS = (5, 25)
LAG_BLOCKS = (1, 6)
LOST_TRANSACTIONS = (1, 8)
SKIPPED_SLOTS = (1, 40)
EXPIRING_SLOTS = 151
"""So many at once, and every blockhash that was handed out before can be used no more."""


class FaultKind(StrEnum):
    """What happens to processes and chains."""

    KILL = "kill -9 of relayers"
    FREEZE = "freeze of relayers"
    FREEZE_CHAIN = "freeze of a chain"
    REORG = "reorg"
    SKIP_SLOTS = "skipped slots"
    EXPIRE = "expired blockhashes"
    LAG = "answers of the past"
    LATE_STATUSES = "blocks without statuses"
    DROP_SOCKETS = "dropped sockets"
    LOSE = "lost transactions"
    PRUNE = "pruned heights"


class LieKind(StrEnum):
    """What an endpoint does to what passes through it."""

    DROP_LOGS = "drops logs"
    TRUNCATE = "truncates ranges"
    OLD_HEADS = "tells older heads"
    DELAY = "delays"
    CUT = "cuts connections"
    ERRORS = "answers errors"
    MUTE = "drops subscriptions"
    SWALLOW = "swallows transactions"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `subjects` are names of processes or of one chain, `depth` is a number of blocks, slots or
    transactions.

    `is_aimed`: the reorg waits (for a moment) for a block that holds a relayer's own transaction, and drops it.
    """

    at: float
    seconds: float
    kind: FaultKind
    subjects: tuple[str, ...]
    depth: int = 0
    is_aimed: bool = False


@dataclass(frozen=True, slots=True)
class Lie:
    """One endpoint lies: that of `node` to `chain`."""

    at: float
    seconds: float
    kind: LieKind
    node: str
    chain: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it, by time."""

    faults: tuple[Fault, ...]
    reorgs: tuple[Fault, ...]
    slot_faults: tuple[Fault, ...]
    instant_faults: tuple[Fault, ...]
    lies: tuple[Lie, ...]


def draw_plan(
    seed: int,
    seconds: float,
    nodes: Sequence[str],
    block_chains: Sequence[str],
    slot_chains: Sequence[str],
    instant_chains: Sequence[str],
    finality_depth: int,
) -> Plan:
    """The plan of a storm of so many seconds. The same arguments give the same plan.

    `block_chains` can be reorganised. The others can not: `slot_chains` have slots, which can be skipped, and blocks of
    `instant_chains` are final at once.
    """
    rng = random.Random(seed)
    chains = (*block_chains, *slot_chains, *instant_chains)
    slot_faults = (fault for chain in slot_chains for fault in _draw_slot_faults(rng, seconds, chain))
    instant_faults = (fault for chain in instant_chains for fault in _draw_instant_faults(rng, seconds, chain))
    return Plan(
        tuple(_draw_faults(rng, seconds, nodes, chains)),
        tuple(_draw_reorgs(rng, seconds, block_chains, finality_depth)),
        tuple(sorted(slot_faults, key=lambda fault: fault.at)),
        tuple(sorted(instant_faults, key=lambda fault: fault.at)),
        tuple(sorted(_draw_lies(rng, seconds, nodes, chains), key=lambda lie: lie.at)),
    )


def _draw_faults(rng: random.Random, seconds: float, nodes: Sequence[str], chains: Sequence[str]) -> Iterator[Fault]:
    """One after another, with rests between. Every kind comes before any comes again."""
    at, bag = seconds * QUIET_PART, []
    while True:
        if not bag:
            bag = [(kind, count) for kind in (FaultKind.KILL, FaultKind.FREEZE) for count in (1, 1, 2, len(nodes))]
            bag += [(FaultKind.FREEZE_CHAIN, 1)] * 2
            rng.shuffle(bag)
        down = rng.uniform(*DOWN_SECONDS)
        if at + down > seconds:
            return
        kind, count = bag.pop()
        subjects = rng.sample(list(chains if kind is FaultKind.FREEZE_CHAIN else nodes), count)
        yield Fault(at, down, kind, tuple(sorted(subjects)))
        at += down + rng.uniform(*REST_SECONDS)


def _draw_reorgs(rng: random.Random, seconds: float, chains: Sequence[str], finality_depth: int) -> Iterator[Fault]:
    at = seconds * QUIET_PART
    while at < seconds:
        depth, is_aimed = rng.randrange(1, finality_depth), rng.random() < 0.6
        yield Fault(at, 0.0, FaultKind.REORG, (rng.choice(list(chains)),), depth, is_aimed)
        at += rng.uniform(*REORG_EVERY_SECONDS)


def _draw_slot_faults(rng: random.Random, seconds: float, chain: str) -> Iterator[Fault]:
    """One after another. Every kind comes before any comes again."""
    at, bag = seconds * QUIET_PART, []
    while True:
        if not bag:
            bag = [
                FaultKind.SKIP_SLOTS,
                FaultKind.EXPIRE,
                FaultKind.LAG,
                FaultKind.LATE_STATUSES,
                FaultKind.DROP_SOCKETS,
            ]
            rng.shuffle(bag)
        kind = bag.pop()
        lasts = rng.uniform(*LAG_SECONDS) if kind in {FaultKind.LAG, FaultKind.LATE_STATUSES} else 0.0
        if at + lasts > seconds:
            return
        slots = rng.randint(*(SKIPPED_SLOTS if kind is FaultKind.SKIP_SLOTS else LAG_SLOTS))
        yield Fault(at, lasts, kind, (chain,), EXPIRING_SLOTS if kind is FaultKind.EXPIRE else slots)
        at += lasts + rng.uniform(*SLOT_FAULT_EVERY_SECONDS)


def _draw_instant_faults(rng: random.Random, seconds: float, chain: str) -> Iterator[Fault]:
    """One after another. Every kind comes before any comes again."""
    at, bag = seconds * QUIET_PART, []
    while True:
        if not bag:
            bag = [FaultKind.LAG, FaultKind.PRUNE, FaultKind.LOSE, FaultKind.DROP_SOCKETS]
            rng.shuffle(bag)
        kind = bag.pop()
        lasts = rng.uniform(*LAG_SECONDS) if kind in {FaultKind.LAG, FaultKind.PRUNE} else 0.0
        if at + lasts > seconds:
            return
        depth = rng.randint(*(LOST_TRANSACTIONS if kind is FaultKind.LOSE else LAG_BLOCKS))
        yield Fault(at, lasts, kind, (chain,), depth)
        at += lasts + rng.uniform(*SLOT_FAULT_EVERY_SECONDS)


def _draw_lies(rng: random.Random, seconds: float, nodes: Sequence[str], chains: Sequence[str]) -> Iterator[Lie]:
    for node in nodes:
        for chain in chains:
            at, bag = 0.0, []
            while at < seconds:
                bag = bag or rng.sample(list(LieKind), len(LieKind))
                length = rng.uniform(*LIE_SECONDS)
                yield Lie(at, min(length, seconds - at), bag.pop(), node, chain)
                at += length + rng.uniform(0.0, 3.0)
