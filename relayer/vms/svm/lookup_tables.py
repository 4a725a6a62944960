"""Address lookup tables of Solana: accounts that hold addresses, which a transaction then names by a byte each.

Its job: where an account's table is, what it holds, and the instructions that make, fill and end one. It must not
choose what stands in a table, and fetches nothing.

Source: Solana's address lookup table program, `state.rs` and `instruction.rs`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from relayer.vms.svm.accounts import AccountState
from relayer.vms.svm.addresses import SYSTEM_PROGRAM
from relayer.vms.svm.borsh import Borsh, MalformedBorsh

TABLE_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")

TABLE_HEAD_LENGTH: Final = 56
"""Bytes of a table before its addresses, 32 each."""

_CREATE: Final = struct.Struct("<IQB")
_EXTEND: Final = struct.Struct("<IQ")
_DEACTIVATE: Final = struct.pack("<I", 3)
_CLOSE: Final = struct.pack("<I", 4)

_KIND: Final = 1
"""Of an account that is a table."""

_NEVER: Final = 2**64 - 1
"""The slot of its deactivation, while it is active."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table. `deactivated_in` is the slot in which it was, None while it is active; no `authority`: nobody's."""

    authority: Pubkey | None
    deactivated_in: int | None
    addresses: tuple[Pubkey, ...]


def parse_table(account: AccountState | None) -> LookupTable | None:
    """The table, or None where there is none. Raises `MalformedBorsh`."""
    # SECURITY: what another program owns, that program wrote.
    if account is None or account.owner != TABLE_PROGRAM:
        return None
    borsh = Borsh(account.data)
    if borsh.u32() != _KIND:
        raise MalformedBorsh("an account of the lookup table program is no table")
    deactivated_in = borsh.u64()
    borsh.fixed(9)  # where and when it was last extended
    has_authority, authority = borsh.boolean(), Pubkey(borsh.word())
    borsh.fixed(2)  # padding
    listed = borsh.rest()
    if len(listed) % Pubkey.LENGTH:
        raise MalformedBorsh("a lookup table ends within an address")
    addresses = [Pubkey(listed[at : at + Pubkey.LENGTH]) for at in range(0, len(listed), Pubkey.LENGTH)]
    return LookupTable(
        authority if has_authority else None, None if deactivated_in == _NEVER else deactivated_in, tuple(addresses)
    )


class TableInstructions:
    """Instructions for the tables of one account, which pays for them and signs."""

    def __init__(self, payer: Pubkey) -> None:
        self._payer = AccountMeta(payer, is_signer=True, is_writable=True)
        self._authority = AccountMeta(payer, is_signer=True, is_writable=False)

    def address(self, slot: int) -> Pubkey:
        """Of the table that is made by this slot. SECURITY: whoever makes it, it is this account's alone to fill."""
        return self._find(slot)[0]

    def create(self, slot: int) -> Instruction:
        """An empty table, by a slot with a block, one of the last 512."""
        table, bump = self._find(slot)
        return self._call(_CREATE.pack(0, slot, bump), table, self._authority, self._payer, _SYSTEM)

    def extend(self, table: Pubkey, addresses: Sequence[Pubkey]) -> Instruction:
        """More addresses, behind those that it holds. They can be used a slot later."""
        data = _EXTEND.pack(2, len(addresses)) + b"".join(map(bytes, addresses))
        return self._call(data, table, self._authority, self._payer, _SYSTEM)

    def deactivate(self, table: Pubkey) -> Instruction:
        """Begin to end it: it serves for some 512 slots more."""
        return self._call(_DEACTIVATE, table, self._authority)

    def close(self, table: Pubkey) -> Instruction:
        """Take its rent back, when it serves no more."""
        return self._call(_CLOSE, table, self._authority, self._payer)

    def _find(self, slot: int) -> tuple[Pubkey, int]:
        return Pubkey.find_program_address([bytes(self._payer.pubkey), slot.to_bytes(8, "little")], TABLE_PROGRAM)

    @staticmethod
    def _call(data: bytes, table: Pubkey, *more: AccountMeta) -> Instruction:
        return Instruction(TABLE_PROGRAM, data, [AccountMeta(table, is_signer=False, is_writable=True), *more])


_SYSTEM: Final = AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False)
