"""The kinds of chains that a devnet can be made of, and how they are found.

Its job: the one registration by which a VM's chains join a devnet (entry point group `xvm.devnets`, each named as
`xvm devnet up --vms` names it), so that nothing else in the devnet knows a VM by name. It starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Protocol

from relayer.errors import ConfigError

KIND_GROUP: Final = "xvm.devnets"

CHAIN_NAMES: Final = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
"""In the order of the chains. A devnet of more would be no longer one machine's."""

DEFAULT_VMS: Final = ("evm",)


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """Where one chain is to run, and how.

    `number` counts the chains of its kind from 0. `ports` are as many as the kind asked for. `owner_secret` is the
    32-byte secret of the account that owns the contracts. `finality_depth` is in blocks; `block_gas_limit` and
    `kept_states` (of how many last blocks state can be read; 0: as the chain does by itself) are for kinds that have
    them.
    """

    name: str
    number: int
    ports: tuple[int, ...]
    folder: Path
    owner_secret: bytes
    block_time_seconds: float
    finality_depth: int
    block_gas_limit: int
    kept_states: int

    def __repr__(self) -> str:
        return f"ChainPlace(name={self.name!r}, number={self.number})"


class DevChain(Protocol):
    """One chain of a devnet, before and while it runs."""

    @property
    def name(self) -> str:
        """As people call it, such as `alpha`."""
        ...

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        ...

    @property
    def rpc_url(self) -> str:
        """JSON-RPC over HTTP."""
        ...

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket."""
        ...

    @property
    def block_time_seconds(self) -> float:
        """Between two blocks."""
        ...

    @property
    def command(self) -> Sequence[str]:
        """How its process is started. What it writes lies in its folder."""
        ...

    @property
    def wallet_grant(self) -> int:
        """What a relayer's wallet is given to begin with, in the smallest unit of the chain's coin."""
        ...

    def account(self, secret: bytes) -> str:
        """The account of a 32-byte secret, as the chain writes it."""
        ...

    def plan_lines(self) -> Sequence[str]:
        """Of its `[[chains]]` in a deployment plan: finality, prices, and what only this kind has."""
        ...

    def config_lines(self) -> Sequence[str]:
        """Of its `[[chains]]` in a relayer's configuration: finality, limits, the coin."""
        ...

    def described(self) -> Mapping[str, object]:
        """What `devnet.json` says of it that it says of no other kind."""
        ...


@dataclass(frozen=True, slots=True)
class DevnetKind:
    """What an entry point in `xvm.devnets` names.

    `chains` is how many chains one mention in `--vms` brings, `ports` how many a chain takes. `lay_out` raises
    `ConfigError` where something that the chain needs is not installed. `fetch_height` gives a running chain's latest
    block number, None if it does not answer at this URL.
    """

    namespace: str
    chains: int
    ports: int
    lay_out: Callable[[ChainPlace], DevChain]
    fetch_height: Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class PlannedChain:
    """A chain that a devnet is to have: its name, its kind, and its number among the chains of that kind."""

    name: str
    kind: DevnetKind
    number: int


def registered_kinds() -> dict[str, DevnetKind]:
    """All kinds that are installed, by the name that `--vms` has for them."""
    return {entry.name: entry.load() for entry in entry_points(group=KIND_GROUP)}


def plan_chains(vms: Sequence[str]) -> tuple[PlannedChain, ...]:
    """The chains of a devnet that is made of these kinds, in their order.

    Raises:
        ConfigError: a kind that is not there, fewer than two chains, or more than there are names.
    """
    kinds = registered_kinds()
    unknown = sorted(set(vms) - kinds.keys())
    if unknown:
        raise ConfigError([f"--vms: {', '.join(unknown)}: no such kind of chain; there are {', '.join(sorted(kinds))}"])
    found = [kind for kind in map(kinds.__getitem__, vms) for _ in range(kind.chains)]
    if not 2 <= len(found) <= len(CHAIN_NAMES):  # noqa: PLR2004 - a request goes from one chain to another
        raise ConfigError(
            [f"--vms {','.join(vms)}: brings {len(found)} chains; from 2 to {len(CHAIN_NAMES)} make a devnet"]
        )
    return tuple(_planned(found))


def fetch_height(caip2: str, rpc_url: str) -> int | None:
    """A chain's latest block number; None if it does not answer, or no installed kind knows its namespace."""
    namespace = caip2.partition(":")[0]
    kind = next((kind for kind in registered_kinds().values() if kind.namespace == namespace), None)
    return None if kind is None else kind.fetch_height(rpc_url)


def _planned(kinds: Sequence[DevnetKind]) -> Iterator[PlannedChain]:
    for position, kind in enumerate(kinds):
        yield PlannedChain(CHAIN_NAMES[position], kind, sum(other is kind for other in kinds[:position]))
