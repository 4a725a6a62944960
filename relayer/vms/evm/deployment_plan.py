"""What is to be deployed: every choice that an owner makes, as frozen values.

Its job: hold the choices and the defaults that follow from them. It reaches no chain. Money is in the smallest unit of
the chain it is spent on, prices per 10^9 gas; addresses are 20 bytes.

Source: contracts/evm/README.md, section Deploying.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from attestation.address import Chain, evm_account
from attestation.signer_set import SignerSet
from relayer.domain.finality import FinalityRule

MIN_DEADLINE_BLOCKS: Final = 100
"""The contracts' lower bound of a deadline."""

MAX_EXECUTION_GAS: Final = 10_000_000
MAX_CALLBACK_GAS: Final = 10_000_000
MAX_PAYLOAD_BYTES: Final = 65_536
MAX_RETURN_BYTES: Final = 65_536
"""The protocol's caps: a route may bring as much as any."""

EVM_ADDRESS_LENGTHS: Final = 1 << 20
"""Bit 20: addresses of 20 bytes."""


@dataclass(frozen=True, slots=True)
class RouteTerms:
    """What the gateways of one deployment offer each other. Seconds are the destination's clock."""

    min_expiry_seconds: int = 60
    default_expiry_seconds: int = 1800
    max_expiry_seconds: int = 86_400
    max_deadline_blocks: int = 1_000_000
    allows_queries: bool = True


@dataclass(frozen=True, slots=True)
class GasTerms:
    """Gas that a request costs besides its own limits, for a batch of one under a set of four; batches cost less.

    Measured by the contracts' gas snapshot; rounded up, for a relayer bids before it knows the batch.
    """

    execution_overhead: int = 160_000
    callback_overhead: int = 150_000
    expire: int = 140_000
    execution_per_byte: int = 48
    callback_per_byte: int = 48
    margin_bps: int = 1_000
    query_bps: int = 200
    """Of a call's price, for the same gas: a query's is burnt by every signer's node, and by no chain."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs a signer: 32-byte name, base URL that peers reach it at, and the account that its fees go to."""

    name: bytes
    endpoint: str
    payout: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """Money to send to an account on the way, in wei: relayers' wallets need some before they can act."""

    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """One chain.

    `price_per_gigagas` is what 10^9 gas there cost a relayer, in wei of that chain; `native_price` the worth of its
    coin in any unit common to all chains of the plan. `owner` owns the contracts in the end (None: the deployer). A
    sender makes at most `sender_max_requests` in `sender_window_blocks`; 0: as many as it likes.
    """

    name: str
    chain_id: int
    finality: FinalityRule
    block_time_seconds: float
    price_per_gigagas: int
    native_price: float = 1.0
    signers_wei: int = 10**12
    owner: bytes | None = None
    guardian: bytes = bytes(20)
    treasury: bytes | None = None
    max_pause_blocks: int = 7_200
    quote_validity_blocks: int = 25
    sender_window_blocks: int = 100
    sender_max_requests: int = 1_000
    max_fee_per_gas: int = 500 * 10**9
    transaction_gas_cap: int = 16_777_216
    grants: tuple[Grant, ...] = ()

    @property
    def chain(self) -> Chain:
        """The chain as ERC-7930 has it."""
        return Chain.evm(self.chain_id)

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return str(self.chain)

    def account(self, address: bytes) -> bytes:
        """ERC-7930 bytes of an account on this chain."""
        return evm_account(self.chain_id, address).to_bytes()

    @property
    def block_milliseconds(self) -> int:
        """The block time as the contracts take it."""
        return max(1, round(self.block_time_seconds * 1000))

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
    gas: GasTerms = field(default_factory=GasTerms)

    def others(self, chain: ChainPlan) -> tuple[ChainPlan, ...]:
        """Every chain but this one."""
        return tuple(other for other in self.chains if other.chain_id != chain.chain_id)


@dataclass(frozen=True, slots=True)
class Deployed:
    """One chain's contracts, 20-byte addresses, and the block that holds the gateway's creation."""

    chain_id: int
    routes: bytes
    registry: bytes
    gateway: bytes
    verifier: bytes
    start_block: int
