"""What the scale model is told: measured costs, and a network with its load. Values and their faults, no simulation."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COSTS_FILE: Final = Path(__file__).with_name("costs.toml")


@dataclass(frozen=True, slots=True)
class Cpu:
    """Milliseconds of one core; `costs.toml` says of what."""

    block: float
    busy_block: float
    observe: float
    decide: float
    births: float
    sign: float
    attestation: float
    quorum: float
    certificate: float
    transaction: float
    submit: float
    exchange_asking: float
    exchange_answering: float


@dataclass(frozen=True, slots=True)
class Calls:
    """JSON-RPC calls to one endpoint."""

    block: float
    busy_block: float
    transaction: float
    submit: float


@dataclass(frozen=True, slots=True)
class Commits:
    """Database transactions of one process; `gathered` a second, the others each."""

    block: float
    births: float
    quorum: float
    transaction: float
    gathered: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process and one endpoint can bear."""

    cores: float
    commits_per_second: float
    calls_per_second: float


@dataclass(frozen=True, slots=True)
class Network:
    """What lies between nodes, and how they speak."""

    one_way_seconds: float
    heartbeat_seconds: float
    pings_per_second: float
    gather_seconds: float
    first_told: int
    max_leaves: int
    database_bytes: float


@dataclass(frozen=True, slots=True)
class Costs:
    """All of `costs.toml`."""

    cpu_ms: Cpu
    calls: Calls
    commits: Commits
    limits: Limits
    network: Network


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network and its load of CALLs, `rate` a second, asked for `seconds`.

    `hubs` of the chains have all of the traffic among them, 0 for all chains. A block's statements of a route are
    signed together with those of `window` - 1 blocks after it. `groups` parts the chains: one process of a node for
    each pair of groups; with `watchers` blocks are read by a process for each group, and by those no more.

    Raises:
        ValueError: the numbers contradict each other.
    """

    chains: int = 100
    nodes: int = 19
    threshold: int = 13
    rate: float = 100.0
    seconds: float = 20.0
    block_seconds: float = 1.0
    depth: int = 0
    hubs: int = 0
    window: int = 1
    groups: int = 1
    watchers: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        is_possible = (
            self.chains > 1
            and self.nodes >= self.threshold > self.nodes / 2
            and self.rate >= 0
            and min(self.seconds, self.block_seconds) > 0
            and self.depth >= 0
            and self.hubs != 1
            and 0 <= self.hubs <= self.chains
            and self.window > 0
            and 0 < self.groups <= self.chains
        )
        if not is_possible:
            raise ValueError(f"no such network: {self}")


def load_costs(path: Path = COSTS_FILE) -> Costs:
    """The costs of a file. Raises `TypeError` or `KeyError` if it names other ones than are known."""
    told = tomllib.loads(path.read_text("utf-8"))
    return Costs(
        Cpu(**told["cpu_ms"]),
        Calls(**told["calls"]),
        Commits(**told["commits"]),
        Limits(**told["limits"]),
        Network(**told["network"]),
    )
