"""How a VM joins the relayer.

Its job: the one registration by which a VM's adapter is found (entry point group `xvm.vms`), so that nothing else in
the relayer knows a VM by name. A VM registered from outside this package is as good as ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from attestation.request import RequestId
from attestation.statement import Outcome
from relayer.domain.finality import FinalityRule
from relayer.ports.deposits import Deposits
from relayer.ports.destination_vm import DestinationVm
from relayer.ports.source_chain import SourceChain
from relayer.ports.wallet import Wallet


class RpcMeter(Protocol):
    """Counts what an adapter asks its endpoints."""

    def exchanged(self, endpoint: int, calls: int, seconds: float, fault: str) -> None:
        """One exchange of `calls` calls with the endpoint of this index; `fault` is an error's code or empty."""
        ...


class Unmetered:
    """The meter of those who do not count: tools that look once."""

    def exchanged(self, endpoint: int, calls: int, seconds: float, fault: str) -> None:
        """Nothing."""


UNMETERED: Final = Unmetered()


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What an adapter is told about its chain. All of it is operator's input that the configuration has checked.

    `rpc_quorum` is M of the N `rpc_urls`. `gateway` and `verifier` are in the chain's own text form. `wallet_key` is
    the secret of the account that pays; it must appear in no log, error or repr.
    """

    name: str
    caip2: str
    rpc_urls: tuple[str, ...]
    rpc_quorum: int
    ws_urls: tuple[str, ...]
    gateway: str
    verifier: str
    finality: FinalityRule
    block_time_seconds: float
    max_blocks_per_fetch: int
    transaction_gas_cap: int
    max_fee_per_gas: int
    request_timeout_seconds: float
    wallet_key: bytes
    meter: RpcMeter = UNMETERED

    def __repr__(self) -> str:
        return f"ChainSettings(name={self.name!r}, caip2={self.caip2!r})"


class OpenChain(Protocol):
    """One chain, connected. The sides may be one object."""

    @property
    def source(self) -> SourceChain:
        """Its delivering side."""
        ...

    @property
    def destination(self) -> DestinationVm:
        """Its executing side."""
        ...

    @property
    def wallet(self) -> Wallet:
        """The relayer's account on it."""
        ...

    @property
    def deposits(self) -> Deposits | None:
        """What that account has lent; None on chains that ask for no deposits."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class GatewayCommands(Protocol):
    """What anybody can type to act at a gateway, in the tools that the VM's people have. Pure, for people alone.

    `gateway` is CAIP-10, with the account as its chain writes it.
    """

    def add_fee(self, gateway: str, request_id: RequestId) -> str:
        """Adds to a pending request's fee."""
        ...

    def replay(self, gateway: str, outcome: Outcome, return_data: bytes, gas: int) -> str:
        """Runs the callback of a delivered outcome again, with so much gas."""
        ...


@dataclass(frozen=True, slots=True)
class VmRegistration:
    """What an entry point in `xvm.vms` names. `namespace` is the CAIP-2 namespace it serves.

    `open_chain` connects, checks that every endpoint reports the chain id in `caip2`, and raises `ConfigError` if not.
    `commands` is None where the VM's people have no tool of their own for it.
    """

    namespace: str
    open_chain: Callable[[ChainSettings], Awaitable[OpenChain]]
    commands: GatewayCommands | None = None
