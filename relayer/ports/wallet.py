"""A relayer's own account on a chain: what pays for executions and deliveries.

Its job: sign and send what was prepared. Numbers (nonces) and records live in the store; the wallet holds the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from attestation.request import RequestId
from relayer.domain.blocks import BlockRef


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One transaction to be: simulated, not signed. Gas in the chain's gas unit, `value` in its smallest unit.

    `gas_limit` is what the transaction offers, `expected_gas` what the simulation used. `value` is what it spends
    besides gas and never gets back. What it only lends, as the rent of an account that is closed later, is not in it: a
    simulation fails that cannot lend it. Prepared again from the same state of the chain, `data` is the same.
    """

    to: bytes
    data: bytes
    gas_limit: int
    expected_gas: int
    value: int
    request_ids: tuple[RequestId, ...]


@dataclass(frozen=True, slots=True)
class FeeBid:
    """What a transaction offers per gas (EIP-1559 where there is), in parts of the smallest unit: `Wallet.fee_divisor`.

    `expected_fee` is what would be paid per gas in the next block; `max_fee` bounds it. `anchor` is the recent block
    hash (32 bytes) without which a transaction is not valid, on chains that ask for one.
    """

    max_fee: int
    priority_fee: int
    expected_fee: int
    anchor: bytes = b""


@dataclass(frozen=True, slots=True)
class SpendTerms:
    """What a new transaction of the account goes by. `next_nonce` is the first nonce that it may have."""

    bid: FeeBid
    next_nonce: int
    balance: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Ready to send: 32-byte hash and the raw bytes as the chain takes them."""

    hash: bytes
    raw: bytes


class SendResult(StrEnum):
    """What an endpoint said to a transaction. KNOWN counts as accepted."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    NONCE_TOO_LOW = "nonce_too_low"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """A mined transaction. `cost` is what was paid for gas, in the chain's smallest unit."""

    hash: bytes
    block: BlockRef
    is_success: bool
    gas_used: int
    cost: int


class Wallet(Protocol):
    """One account on one chain. Methods raise `RpcUnavailable`; secrets never leave it."""

    @property
    def address(self) -> bytes:
        """The account, in the chain's own address bytes."""
        ...

    @property
    def payee(self) -> bytes:
        """The account as a 32-byte payee."""
        ...

    @property
    def max_fee_cap(self) -> int:
        """The most it may offer per gas, by configuration; no replacement goes above."""
        ...

    @property
    def fee_divisor(self) -> int:
        """How many of the units of fees per gas make one of the chain's smallest unit: 1, or 1,000,000 on Solana."""
        ...

    @property
    def is_sequenced(self) -> bool:
        """Whether a transaction is mined after those of all lower nonces, and takes the place of others of its own.

        SECURITY: where it is not so, a dearer second transaction for a nonce is a second transaction: both are mined.
        """
        ...

    async def fetch_next_nonce(self) -> int:
        """The nonce below which nothing new is mined: a transaction under a lower one was mined, or never will be."""
        ...

    async def fetch_fee_bid(self) -> FeeBid:
        """What to offer now for inclusion in the next few blocks."""
        ...

    async def fetch_balance(self) -> int:
        """In the chain's smallest unit."""
        ...

    async def fetch_terms(self) -> SpendTerms:
        """All that a new transaction goes by, in as few exchanges as the chain allows."""
        ...

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        """Deterministic: the same input gives the same bytes, so that a restart re-sends and never doubles."""
        ...

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        """Hand raw transactions to the chain, in order, as one exchange."""
        ...

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        """The receipts of mined transactions, None for what is not mined."""
        ...
