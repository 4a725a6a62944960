"""The call that a request's payload holds.

Its job: Borsh `{accounts: Vec<{pubkey, isSigner, isWritable}>, data: Vec<u8>}`, read as the gateway reads it. It must
not judge who may sign for whom.

Source: contracts/svm/src/destination.h (`is_payload`); docs/reference/protocol.md.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from relayer.vms.svm.borsh import Borsh, MalformedBorsh

MAX_ACCOUNTS: Final = 64
"""Accounts that an instruction of the gateway may have."""


class CallPayload(NamedTuple):
    """The accounts of a call in order, with what is declared of each, and its data."""

    accounts: tuple[AccountMeta, ...]
    data: bytes


def parse_payload(payload: bytes) -> CallPayload | None:
    """The call, or None where the payload holds none."""
    borsh = Borsh(payload)
    try:
        count = borsh.u32()
        if count > MAX_ACCOUNTS:
            return None
        accounts = tuple(_read_account(borsh) for _ in range(count))
        data = borsh.sized()
        borsh.finish()
    except MalformedBorsh:
        return None
    return CallPayload(accounts, data)


def _read_account(borsh: Borsh) -> AccountMeta:
    return AccountMeta(Pubkey(borsh.word()), is_signer=borsh.boolean(), is_writable=borsh.boolean())
