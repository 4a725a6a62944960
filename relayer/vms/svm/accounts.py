"""What the gateway's accounts hold.

Its job: exact fields out of an account's bytes, for those who read the chain's state. SECURITY: an account is the
gateway's only if the gateway's program owns it and it begins with the discriminator of its type: anybody can make an
account with any content elsewhere. It must not judge what the fields mean.

Source: contracts/svm/src/layouts.h; contracts/svm/xvm_gateway.idl.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import ClassVar, Final, Protocol, Self, TypeVar

from solders.pubkey import Pubkey

from attestation.schemes import SECP256K1
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from relayer.vms.svm.borsh import Borsh, MalformedBorsh

DISCRIMINATOR_LENGTH: Final = 8

STAGE_HEAD_LENGTH: Final = DISCRIMINATOR_LENGTH + 32 + 8
"""Bytes of a stage before its content."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the chain has it. `owner` is the program that may change it."""

    owner: Pubkey
    lamports: int
    data: bytes
    is_executable: bool


def discriminator(name: str) -> bytes:
    """The first 8 bytes of an account of this type, as Anchor has them."""
    return sha256(f"account:{name}".encode()).digest()[:DISCRIMINATOR_LENGTH]


class Layout(Protocol):
    """A type of account."""

    DISCRIMINATOR: ClassVar[bytes]

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator. Raises `MalformedBorsh`."""
        ...


T = TypeVar("T", bound=Layout)


def parse_account(layout: type[T], account: AccountState | None, program: Pubkey) -> T | None:
    """The account as one of this type, or None where there is none of the program's.

    What another program owns at such an address is lamports that somebody sent there. Raises `MalformedBorsh` for an
    account of the program's that is of another type.
    """
    # SECURITY: what another program owns, that program wrote.
    if account is None or account.owner != program:
        return None
    # SECURITY: the fields of another type of account would be read as this one's.
    if account.data[:DISCRIMINATOR_LENGTH] != layout.DISCRIMINATOR:
        raise MalformedBorsh(f"an account of the gateway's is no {layout.__name__}")
    borsh = Borsh(account.data[DISCRIMINATOR_LENGTH:])
    parsed = layout.read(borsh)
    borsh.finish()
    return parsed


@dataclass(frozen=True, slots=True)
class Config:
    """The gateway's one account of its own affairs. `epoch` is the newest, 0 before the first.

    `paused_until` is the first slot that is open again, for requests, executions and callbacks.
    """

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Config")

    genesis_hash: bytes
    owner: Pubkey
    pending_owner: Pubkey
    guardian: Pubkey
    treasury: Pubkey
    domain_separator: bytes
    self_hash: bytes
    tags: bytes
    epoch: int
    max_pause_slots: int
    paused_until: tuple[int, int, int]
    guardian_from: tuple[int, int, int]
    callback_paused_slots: int
    treasury_lamports: int
    limit_slots: int
    limit_requests: int

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        parsed = cls(
            genesis_hash=borsh.word(),
            owner=Pubkey(borsh.word()),
            pending_owner=Pubkey(borsh.word()),
            guardian=Pubkey(borsh.word()),
            treasury=Pubkey(borsh.word()),
            domain_separator=borsh.word(),
            self_hash=borsh.word(),
            tags=borsh.fixed(8),
            epoch=borsh.u64(),
            max_pause_slots=borsh.u64(),
            paused_until=(borsh.u64(), borsh.u64(), borsh.u64()),
            guardian_from=(borsh.u64(), borsh.u64(), borsh.u64()),
            callback_paused_slots=borsh.u64(),
            treasury_lamports=borsh.u64(),
            limit_slots=borsh.u32(),
            limit_requests=borsh.u32(),
        )
        borsh.fixed(8)  # bumps, reserved
        return parsed


@dataclass(frozen=True, slots=True)
class Epoch:
    """A signer set that the gateway applied. `valid_until` is the last second at which it verifies."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Epoch")

    epoch: int
    valid_until: int
    grace_seconds: int
    threshold: int
    signers_lamports: int
    set_hash: bytes
    signers: tuple[Signer, ...]

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        epoch, valid_until, grace_seconds, threshold, signers_lamports = (borsh.u64() for _ in range(5))
        set_hash = borsh.word()
        borsh.fixed(32 + 8)  # domain separator, tags
        count = borsh.u32()
        borsh.fixed(4)  # bump, reserved
        signers = []
        for _ in range(count):
            weight, operator = borsh.u64(), borsh.word()
            signers.append(Signer(borsh.fixed(20), weight, operator))
            borsh.fixed(4)
        return cls(epoch, valid_until, grace_seconds, threshold, signers_lamports, set_hash, tuple(signers))

    @property
    def signer_set(self) -> SignerSet | None:
        """The set as it was signed for, or None once its successor has cut its validity, which its hash commits to."""
        kept = SignerSet(SECP256K1.number, self.threshold, self.valid_until, self.grace_seconds, self.signers)
        return kept if signer_set_hash(kept) == self.set_hash else None


@dataclass(frozen=True, slots=True)
class Root:
    """A batch whose certificate is being, or has been, verified. Bit i % 8 of byte i / 8 of `seen`: signer i counts.

    `since` is the second at which it was made, or completed if it is complete.
    """

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Root")

    root: bytes
    epoch: int
    weight: int
    seen: bytes
    since: int
    payer: Pubkey
    count: int
    is_complete: bool

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        parsed = cls(
            root=borsh.word(),
            epoch=borsh.u64(),
            weight=borsh.u64(),
            seen=borsh.fixed(16),
            since=borsh.u64(),
            payer=Pubkey(borsh.word()),
            count=borsh.u32(),
            is_complete=borsh.boolean(),
        )
        borsh.fixed(3)  # bump, reserved
        return parsed


@dataclass(frozen=True, slots=True)
class Terms:
    """What a destination takes and costs. Bit n of `address_lengths`: targets of n bytes. Prices: of 1,000,000 gas."""

    address_lengths: int
    max_execution_gas: int
    max_callback_gas: int
    min_expiry_seconds: int
    default_expiry_seconds: int
    max_expiry_seconds: int
    deadline_slots: int
    max_deadline_slots: int
    execution_price: int
    execution_overhead_gas: int
    execution_gas_per_byte: int
    callback_price: int
    delivery_lamports: int
    signers_lamports: int
    max_payload_bytes: int
    max_return_bytes: int
    expire_bps: int
    is_open: bool
    takes_queries: bool

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields, in the order of the account."""
        parsed = cls(
            address_lengths=borsh.u64(),
            max_execution_gas=borsh.u64(),
            max_callback_gas=borsh.u64(),
            min_expiry_seconds=borsh.u64(),
            default_expiry_seconds=borsh.u64(),
            max_expiry_seconds=borsh.u64(),
            deadline_slots=borsh.u64(),
            max_deadline_slots=borsh.u64(),
            execution_price=borsh.u64(),
            execution_overhead_gas=borsh.u64(),
            execution_gas_per_byte=borsh.u64(),
            callback_price=borsh.u64(),
            delivery_lamports=borsh.u64(),
            signers_lamports=borsh.u64(),
            max_payload_bytes=borsh.u32(),
            max_return_bytes=borsh.u32(),
            expire_bps=borsh.u16(),
            is_open=borsh.boolean(),
            takes_queries=borsh.boolean(),
        )
        borsh.fixed(4)  # reserved
        return parsed


@dataclass(frozen=True, slots=True)
class Outbound:
    """A destination: the keccak256 of its chain's ERC-7930 address, and its gateway's, empty if it takes no calls."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Outbound")

    chain_hash: bytes
    terms: Terms
    gateway: bytes

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        chain_hash, terms = borsh.word(), Terms.read(borsh)
        length = borsh.u8()
        borsh.fixed(7)  # bump, reserved
        gateway = borsh.fixed(80)
        if length > len(gateway):
            raise MalformedBorsh("a gateway's address is longer than its place")
        return cls(chain_hash, terms, gateway[:length])


@dataclass(frozen=True, slots=True)
class Inbound:
    """Whether the gateway with this keccak256 is believed."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Inbound")

    gateway_hash: bytes
    is_open: bool

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        gateway_hash, is_open = borsh.word(), borsh.boolean()
        borsh.fixed(7)  # bump, reserved
        return cls(gateway_hash, is_open)


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender's next nonce, and how often it has asked in its latest window."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Sender")

    sender: Pubkey
    next_nonce: int
    window: int
    window_count: int

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        parsed = cls(Pubkey(borsh.word()), borsh.u64(), borsh.u64(), borsh.u64())
        borsh.fixed(8)  # bump, reserved
        return parsed


class PendingState(IntEnum):
    """How far a request from here is."""

    PENDING = 1
    DELIVERED = 2
    CANCELLED = 3
    CONCLUDED = 4


_STATES: Final = frozenset(PendingState)


@dataclass(frozen=True, slots=True)
class Pending:
    """A request from here, until its callback has run. Shares are lamports; `since` is of its delivery or cancel (s).

    `callback_program` is zero where the event alone is the callback.
    """

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Pending")

    request_id: bytes
    sender: Pubkey
    payer: Pubkey
    callback_program: Pubkey
    return_data_hash: bytes
    salt: int
    execution_lamports: int
    delivery_lamports: int
    callback_lamports: int
    signers_lamports: int
    deadline_slot: int
    expiry: int
    callback_gas_limit: int
    since: int
    expire_bps: int
    mode: int
    state: PendingState
    kind: int

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        parsed = cls(
            request_id=borsh.word(),
            sender=Pubkey(borsh.word()),
            payer=Pubkey(borsh.word()),
            callback_program=Pubkey(borsh.word()),
            return_data_hash=borsh.word(),
            salt=borsh.u64(),
            execution_lamports=borsh.u64(),
            delivery_lamports=borsh.u64(),
            callback_lamports=borsh.u64(),
            signers_lamports=borsh.u64(),
            deadline_slot=borsh.u64(),
            expiry=borsh.u64(),
            callback_gas_limit=borsh.u64(),
            since=borsh.u64(),
            expire_bps=borsh.u16(),
            mode=borsh.u8(),
            state=_state(borsh.u8()),
            kind=borsh.u8(),
        )
        borsh.fixed(3)  # bump, reserved
        return parsed


def _state(number: int) -> PendingState:
    if number not in _STATES:
        raise MalformedBorsh("a pending request is in no known state")
    return PendingState(number)


@dataclass(frozen=True, slots=True)
class Credit:
    """A payee's credit: what the account holds above its rent."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Credit")

    beneficiary: bytes

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        beneficiary = borsh.word()
        borsh.fixed(8)  # bump, reserved
        return cls(beneficiary)


@dataclass(frozen=True, slots=True)
class Slot:
    """What became of a request: kind ‖ low 248 bits of the attempt's id; zero if it was only shown to have lapsed."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Slot")

    request_id: bytes
    word: bytes

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        parsed = cls(borsh.word(), borsh.word())
        borsh.fixed(8)  # bump, reserved
        return parsed


@dataclass(frozen=True, slots=True)
class Stage:
    """Data in pieces. `length` is of what is there so far; `content` is all the room."""

    DISCRIMINATOR: ClassVar[bytes] = discriminator("Stage")

    authority: Pubkey
    length: int
    content: bytes

    @classmethod
    def read(cls, borsh: Borsh) -> Self:
        """The fields behind the discriminator."""
        authority, length, content = Pubkey(borsh.word()), borsh.u64(), borsh.rest()
        if length > len(content):
            raise MalformedBorsh("a stage is longer than its account")
        return cls(authority, length, content)
