"""What a bench needs of a chain, whatever its VM.

Its job: one vocabulary for bringing a target, asking, watching and counting costs, and how a VM's side is found (entry
point group `xvm.benches`, each named as `xvm devnet up --vms` names the kind of chain). A side is an outside program:
it knows its chain by the devnet's description, and no relayer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

import aiohttp

from attestation.request import Mode
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.records import ChainRecord
from relayer.errors import ConfigError

SIDE_GROUP: Final = "xvm.benches"


@dataclass(frozen=True, slots=True)
class Aim:
    """What every request of a load asks for, in the target's own encoding.

    `account` is the target's ERC-7930 address, `execution_gas` in the chain's own unit, `answer_hash` keccak256 of the
    return data with which a query must be answered (32 bytes).
    """

    account: bytes
    payload: bytes
    execution_gas: int
    answer_hash: bytes


class BenchSide(Protocol):
    """One chain of the devnet. Whatever speaks to it raises `aiohttp.ClientError` if it does not answer."""

    @property
    def record(self) -> ChainRecord:
        """What has been seen of it."""
        ...

    @property
    def changed(self) -> asyncio.Event:
        """Set with each block whose events are in the record."""
        ...

    async def watch(self, http: aiohttp.ClientSession, ready: asyncio.Event) -> None:
        """Write the record until cancelled; `ready` is set when nothing is missed any more."""
        ...

    async def bring_target(self, http: aiohttp.ClientSession, mode: Mode) -> Aim:
        """Put what is asked for on the chain: a counter that a `CALL` moves on by one, and that answers a `QUERY`."""
        ...

    async def fetch_count(self, http: aiohttp.ClientSession) -> int:
        """The target's counter."""
        ...

    async def prepare_asking(self, http: aiohttp.ClientSession, load: Load, aim: Aim) -> None:
        """Make all ready that takes time before the clock runs."""
        ...

    async def ask(self, http: aiohttp.ClientSession, first: int, count: int) -> Sequence[bytes]:
        """Send so many requests of the load, from its number `first` on, each a transaction: their hashes, in order.

        Raises `CallReverted` if the chain takes one not.
        """
        ...

    async def fetch_relayed_gas(self, http: aiohttp.ClientSession) -> int:
        """Gas, in the chain's unit, of the relayers' transactions in the record: executions, deliveries."""
        ...


def open_side(vm: str, description: Mapping[str, Any]) -> BenchSide:
    """The side of the chain that `description` (an entry of the devnet's file) names.

    Raises:
        ConfigError: this kind of chain has none.
    """
    (entry,) = _sides(vm)
    side: BenchSide = entry.load()(description)
    return side


def require_sides(vms: Sequence[str]) -> None:
    """Raise `ConfigError`, naming all at fault, unless each of these kinds of chains can be measured."""
    missing = sorted({vm for vm in vms if not _sides(vm)})
    known = sorted(entry.name for entry in entry_points(group=SIDE_GROUP))
    if missing:
        raise ConfigError([f"{', '.join(missing)}: no such VM to measure; there are {', '.join(known)}"])


def _sides(vm: str) -> Any:
    return entry_points(group=SIDE_GROUP, name=vm)
