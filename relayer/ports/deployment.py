"""Deploying a network: what an owner chooses, what a VM's deployer does with it, and what came of it.

Its job: the choices as frozen values, the defaults that follow from them, and the protocol of a deployer. It reaches no
chain. Money is in the smallest unit of the chain that it is spent on, prices are per 10^9 units of the chain's gas;
addresses are the chain's own bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Protocol

from attestation.address import Chain, InteroperableAddress
from attestation.signer_set import SignerSet
from relayer.domain.finality import FinalityRule
from relayer.errors import RejectedError

DEPLOYER_GROUP: Final = "xvm.deployers"
"""The entry points that name deployers, each by the CAIP-2 namespace that it serves."""

MIN_DEADLINE_BLOCKS: Final = 100
"""The gateways' lower bound of a deadline."""

Report = Callable[[str], None]
"""Is told each thing done, in words."""


class DeploymentFailed(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """A step cannot be done as planned; the text says which, why, and what to do."""

    code = "deployment_failed"


@dataclass(frozen=True, slots=True)
class RouteTerms:
    """What the gateways of one deployment offer each other. Seconds are the destination's clock."""

    min_expiry_seconds: int = 60
    default_expiry_seconds: int = 1800
    max_expiry_seconds: int = 86_400
    max_deadline_blocks: int = 1_000_000
    allows_queries: bool = True


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs a signer: 32-byte name, base URL that peers reach it at, and the EVM account that its fees go to."""

    name: bytes
    endpoint: str
    payout: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """Money to send to an account on the way: relayers' wallets need some before they can act."""

    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """One chain.

    `price_per_gigagas` is what 10^9 gas there cost a relayer; `native_price` the worth of one coin in any unit common
    to all chains of the plan. `gateway` is the program where one is there before it is configured, None where the
    deployment creates it. `owner` owns the gateway in the end (None: the deployer). A sender makes at most
    `sender_max_requests` in `sender_window_blocks`; 0: as many as it likes. `signers_fee` (flat, per request) and
    `max_fee_per_gas` (what a deployment bids at most, in the unit of the chain's fees) have a default of the VM's own.
    `bech32_prefix`, `fee_denom` (the denomination that fees are paid in) and `coin_decimals` are for chains of the VMs
    that leave them to each chain.
    """

    name: str
    chain: Chain
    finality: FinalityRule
    block_time_seconds: float
    price_per_gigagas: int
    native_price: float = 1.0
    signers_fee: int | None = None
    gateway: bytes | None = None
    owner: bytes | None = None
    guardian: bytes | None = None
    treasury: bytes | None = None
    max_pause_blocks: int = 7_200
    quote_validity_blocks: int = 25
    sender_window_blocks: int = 100
    sender_max_requests: int = 1_000
    max_fee_per_gas: int | None = None
    grants: tuple[Grant, ...] = ()
    bech32_prefix: str | None = None
    fee_denom: str | None = None
    coin_decimals: int | None = None

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return str(self.chain)

    def account(self, address: bytes) -> bytes:
        """ERC-7930 bytes of an account on this chain."""
        return InteroperableAddress(self.chain, address).to_bytes()

    def account_text(self, address: bytes) -> str:
        """An account on this chain, as the chain writes it."""
        return InteroperableAddress(self.chain, address).account_text(self.bech32_prefix)

    def deadline_blocks(self, terms: RouteTerms) -> int:
        """Twice the default expiry in this chain's blocks: a request expires well before its asker may cancel."""
        return max(MIN_DEADLINE_BLOCKS, math.ceil(2 * terms.default_expiry_seconds / self.block_time_seconds))


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """A whole network: its chains, who signs, on what terms."""

    chains: tuple[ChainPlan, ...]
    signer_set: SignerSet
    operators: tuple[Operator, ...] = ()
    terms: RouteTerms = field(default_factory=RouteTerms)

    def others(self, chain: ChainPlan) -> tuple[ChainPlan, ...]:
        """Every chain but this one."""
        return tuple(other for other in self.chains if other.chain != chain.chain)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a destination takes, and what requests to it cost there; sources make their routes of it.

    Bit n of `address_lengths`: targets of n bytes. Gas is the destination's: `execution_overhead` a request besides its
    own limit and `execution_per_byte` of its payload, `expire` to conclude it without running it. `coin_decimals` are
    those of the coin that `ChainPlan.price_per_gigagas` counts in.
    """

    coin_decimals: int
    address_lengths: int
    max_payload_bytes: int
    max_return_bytes: int
    max_execution_gas: int
    execution_overhead: int
    execution_per_byte: int
    expire: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """A chain's gateway, its verifier (the gateway's own address where it verifies itself), its first block, its offer.

    `others` are further contracts there, by name.
    """

    gateway: bytes
    verifier: bytes
    start_block: int
    offer: Offer
    others: Mapping[str, bytes] = field(default_factory=dict)


def exchange(source: ChainPlan, source_offer: Offer, destination: ChainPlan, destination_offer: Offer) -> Fraction:
    """How many of the source's smallest units one of the destination's is worth."""
    here = Fraction(source.native_price) / Fraction(10**source_offer.coin_decimals)
    there = Fraction(destination.native_price) / Fraction(10**destination_offer.coin_decimals)
    return there / here


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A signed transaction: its nonce (as wallets of its VM count them), its hash, and raw bytes."""

    nonce: int
    tx_hash: bytes
    raw: bytes


class StepRecord(Protocol):
    """What was signed already, by chain (CAIP-2) and name."""

    def get(self, chain: str, step: str) -> RecordedStep | None:
        """The step as it was signed, or None."""
        ...

    def next_nonce(self, chain: str) -> int:
        """One above the highest nonce that was signed, 0 if none was."""
        ...

    def put(self, chain: str, step: str, signed: RecordedStep) -> None:
        """Remember a step; on disk when this returns."""
        ...


class Deployer(Protocol):
    """The chains of one namespace in a plan.

    Methods that reach chains raise `RpcUnavailable` (run again with the same record) and `DeploymentFailed`.
    """

    def describe(self) -> Iterable[str]:
        """What will be done, in words, without asking any chain."""
        ...

    def require_chains(self) -> None:
        """Return if each endpoint serves the chain of the plan.

        SECURITY: a plan's keys and prices are for one chain.
        """
        ...

    def create(self, report: Report) -> Mapping[str, Deployed]:
        """Have gateways there; by CAIP-2."""
        ...

    def configure(self, deployed: Mapping[str, Deployed], report: Report) -> None:
        """Make all settings of these chains. `deployed` are those of all chains of the plan, by CAIP-2."""
        ...


class DeployerFactory(Protocol):
    """What an entry point in `xvm.deployers` names."""

    def __call__(
        self, plan: DeploymentPlan, rpc_urls: Mapping[str, str], owner_key: bytes, record: StepRecord
    ) -> Deployer:
        """A deployer to those chains of the plan that are of its namespace.

        `rpc_urls` are by CAIP-2; `owner_key` is the 32-byte secret of the account that deploys and pays.
        """
        ...
