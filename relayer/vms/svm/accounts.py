"""What the gateway's accounts hold.

Its job: from an account's bytes to a value, or to None where the account is not what it should be. SECURITY: whoever
owns an account writes what it likes there, so that the owner is looked at first, then the discriminator. It must not
know how accounts are fetched.

Source: contracts/svm/src/layouts.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from hashlib import sha256
from typing import Any, Final

from solders.pubkey import Pubkey

_DISCRIMINATOR: Final = 8
_ROOT: Final = struct.Struct("<32sQQ32s32sIBB2x")
_SLOT: Final = struct.Struct("<32s32sB7x")
_PENDING: Final = struct.Struct("<32s32s32s32s32sQQQQQQQQQHBBBB2x")
_PHASE: Final = 16  # place of the state among the fields of a pending request
_STAGE: Final = struct.Struct("<32sQ")

ROOT_LENGTH: Final = _DISCRIMINATOR + _ROOT.size
SLOT_LENGTH: Final = _DISCRIMINATOR + _SLOT.size
CREDIT_LENGTH: Final = _DISCRIMINATOR + 32 + 1 + 7
EPOCH_HEAD_LENGTH: Final = 128
EPOCH_SIGNER_LENGTH: Final = 64
STAGE_HEAD_LENGTH: Final = _DISCRIMINATOR + _STAGE.size
"""Lengths of accounts, in bytes; what varies follows an epoch's and a stage's head."""


@dataclass(frozen=True, slots=True)
class RawAccount:
    """An account as an endpoint tells it. What is not there is owned by the system program and empty."""

    owner: Pubkey
    data: bytes
    is_executable: bool


ABSENT: Final = RawAccount(Pubkey.default(), b"", is_executable=False)


@dataclass(frozen=True, slots=True)
class RootState:
    """A batch whose certificate is being verified, or has been if `is_complete`. Bit i of `seen`: signer i counted."""

    root: bytes
    epoch: int
    count: int
    seen: int
    payer: bytes
    is_complete: bool


class PendingPhase(IntEnum):
    """How far a request from here is."""

    PENDING = 1
    DELIVERED = 2
    CANCELLED = 3
    CONCLUDED = 4


@dataclass(frozen=True, slots=True)
class PendingState:
    """A request from here that has not ended. `callback_program` is zero where only the event is told."""

    request_id: bytes
    payer: bytes
    callback_program: bytes
    phase: PendingPhase


@dataclass(frozen=True, slots=True)
class StageState:
    """Data brought in pieces: `content` so far, in an account with room for `capacity` bytes."""

    authority: bytes
    content: bytes
    capacity: int


def parse_root(account: RawAccount, program: Pubkey) -> RootState | None:
    """The root account, or None for any other."""
    fields = _fields(account, program, "Root", _ROOT)
    if fields is None:
        return None
    root, epoch, _, seen, payer, count, is_complete, _ = fields
    return RootState(root, epoch, count, int.from_bytes(seen, "little"), payer, is_complete == 1)


def parse_slot_word(account: RawAccount, program: Pubkey) -> bytes | None:
    """The slot word (32 bytes), or None where there is no slot."""
    fields = _fields(account, program, "Slot", _SLOT)
    return None if fields is None else fields[1]


def parse_pending(account: RawAccount, program: Pubkey) -> PendingState | None:
    """The pending request, or None where it has ended."""
    fields = _fields(account, program, "Pending", _PENDING)
    if fields is None or fields[_PHASE] not in set(PendingPhase):
        return None
    return PendingState(fields[0], fields[2], fields[3], PendingPhase(fields[_PHASE]))


def parse_stage(account: RawAccount, program: Pubkey) -> StageState | None:
    """The stage, or None where there is none."""
    fields = _fields(account, program, "Stage", _STAGE)
    if fields is None:
        return None
    authority, length = fields
    content = account.data[STAGE_HEAD_LENGTH:]
    return StageState(authority, content[:length], len(content))


def is_credit(account: RawAccount, program: Pubkey) -> bool:
    """Whether this is a payee's credit."""
    return account.owner == program and account.data[:_DISCRIMINATOR] == _discriminator("Credit")


def _fields(account: RawAccount, program: Pubkey, name: str, layout: struct.Struct) -> tuple[Any, ...] | None:
    data = account.data
    if account.owner != program or data[:_DISCRIMINATOR] != _discriminator(name):
        return None
    return layout.unpack_from(data, _DISCRIMINATOR) if len(data) >= _DISCRIMINATOR + layout.size else None


@cache
def _discriminator(name: str) -> bytes:
    return sha256(f"account:{name}".encode()).digest()[:_DISCRIMINATOR]
