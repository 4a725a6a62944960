"""What a devnet is to be, and where its parts lie on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attestation.schemes import DEFAULT_SCHEME
from relayer.devnet.kinds import DEFAULT_VMS, plan_chains
from relayer.errors import ConfigError

MAX_RELAYERS: Final = 32
"""Each is a process of some 100 MB."""

MAX_RPC_ENDPOINTS: Final = 8
"""More voices than any operator asks."""

MAIN_NETWORK_GAS_LIMIT: Final = 60_000_000
"""That of today's main network: a devnet should not take what a real chain would not."""


@dataclass(frozen=True, slots=True)
class DevnetSpec:
    """How large and how fast. `threshold` is the weight of a quorum, one a relayer; `scheme` names the signers' scheme.

    `vms` are the kinds of its chains, as `relayer.devnet.kinds` has them; times and depths are those of EVM chains.
    `rpc_endpoints` is how many endpoints each relayer asks of each chain. They lead to the same process, and are there
    to be replaced in a configuration file by something that lies: a majority of them must agree. `kept_states` is of
    how many last blocks a chain can be read, 0 for what anvil keeps by itself.

    Raises:
        ConfigError: the numbers contradict each other; all faults at once.
    """

    relayers: int = 4
    threshold: int = 3
    block_time_seconds: float = 1.0
    finality_depth: int = 2
    rpc_endpoints: int = 1
    scheme: str = DEFAULT_SCHEME.name
    block_gas_limit: int = MAIN_NETWORK_GAS_LIMIT
    kept_states: int = 0
    vms: tuple[str, ...] = DEFAULT_VMS

    def __post_init__(self) -> None:
        faults: list[str] = []
        if not 2 <= self.relayers <= MAX_RELAYERS:  # noqa: PLR2004 - one alone may not be a quorum
            faults.append(f"--relayers {self.relayers}: from 2 to {MAX_RELAYERS}")
        if not self.relayers < 2 * self.threshold <= 2 * self.relayers or self.threshold < 2:  # noqa: PLR2004
            faults.append(
                f"--threshold {self.threshold}: more than half of {self.relayers} relayers, at most all, and at least 2"
            )
        if not 0.1 <= self.block_time_seconds <= 60:  # noqa: PLR2004
            faults.append(f"--block-time {self.block_time_seconds:g}: from 0.1 to 60 seconds")
        if not 0 <= self.finality_depth <= 64:  # noqa: PLR2004
            faults.append(f"--finality-depth {self.finality_depth}: from 0 to 64 blocks")
        if not 1 <= self.rpc_endpoints <= MAX_RPC_ENDPOINTS:
            faults.append(f"--rpc-endpoints {self.rpc_endpoints}: from 1 to {MAX_RPC_ENDPOINTS}")
        try:
            plan_chains(self.vms)
        except ConfigError as error:
            faults += error.faults
        if faults:
            raise ConfigError(faults)


@dataclass(frozen=True, slots=True)
class DevnetFolder:
    """The folder that holds everything of one devnet."""

    root: Path

    @property
    def description(self) -> Path:
        """What an outside program needs; there while the devnet is ready."""
        return self.root / "devnet.json"

    @property
    def processes(self) -> Path:
        """The record of its processes."""
        return self.root / "processes.json"

    @property
    def plan(self) -> Path:
        """What was deployed."""
        return self.root / "plan.toml"

    @property
    def record(self) -> Path:
        """The deployment's transactions."""
        return self.root / "deployment.json"

    @property
    def owner_key(self) -> Path:
        """The key of the contracts' owner."""
        return self.root / "owner.key"

    def chain(self, name: str) -> Path:
        """A chain's own files."""
        return self.root / "chains" / name

    def relayer(self, name: str) -> Path:
        """A relayer's keys, configuration and databases."""
        return self.root / "relayers" / name

    def log(self, name: str) -> Path:
        """What a process printed."""
        return self.root / "logs" / f"{name}.log"
