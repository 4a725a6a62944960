"""A transaction from the outside, and the accounts that its message names.

Its job: parse untrusted bytes strictly, and say which accounts a message loads, in which order, and which of them it
may write. It executes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.address_lookup_table_account import ID as LOOKUP_TABLE_PROGRAM
from solders.address_lookup_table_account import AddressLookupTable
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from relayer.devnet.svm.transaction_errors import SANITIZE_FAILURE, UNSUPPORTED_VERSION, ErrorJson

MAX_TRANSACTION_BYTES: Final = 1232
"""One IPv6 packet; Source: PACKET_DATA_SIZE of agave."""


class TransactionRefusedError(Exception):
    """A transaction that no block can hold: nothing is charged and nothing remembered."""

    def __init__(self, error: ErrorJson) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class MessageKeys:
    """The accounts of a message as instructions count them: named, then loaded writable, then loaded readonly."""

    named: tuple[Pubkey, ...]
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    signers: int
    _writable_signers: int
    _last_named_writable: int

    @property
    def all(self) -> tuple[Pubkey, ...]:
        """Every account."""
        return self.named + self.loaded_writable + self.loaded_readonly

    def is_writable(self, index: int) -> bool:
        """Whether the message asks to write the account at `index`."""
        if index < self.signers:
            return index < self._writable_signers
        if index < len(self.named):
            return index <= self._last_named_writable
        return index < len(self.named) + len(self.loaded_writable)


def parse_transaction(data: bytes) -> VersionedTransaction:
    """The transaction of these bytes: legacy or version 0, sane, and with as many signatures as it asks for.

    Raises:
        ValueError: the bytes are no transaction, or are more than one.
        TransactionRefusedError: it contradicts itself, or is of another version.
    """
    transaction = VersionedTransaction.from_bytes(data)
    if bytes(transaction) != data:
        raise ValueError("bytes follow the transaction")
    if not isinstance(transaction.message, Message | MessageV0):
        raise TransactionRefusedError(UNSUPPORTED_VERSION)
    try:
        # SECURITY: LiteSVM trusts the offsets of what it is given.
        transaction.sanitize()
    except SanitizeError:
        raise TransactionRefusedError(SANITIZE_FAILURE) from None
    return transaction


def resolve_keys(message: Message | MessageV0, account_of: Callable[[Pubkey], Account | None]) -> MessageKeys:
    """The message's accounts, those of lookup tables read by `account_of`.

    Raises:
        TransactionRefusedError: a table is missing, is none, or is too short.
    """
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    for lookup in message.address_table_lookups if isinstance(message, MessageV0) else ():
        addresses = _addresses(account_of(lookup.account_key))
        try:
            writable += [addresses[index] for index in lookup.writable_indexes]
            readonly += [addresses[index] for index in lookup.readonly_indexes]
        except IndexError:
            raise TransactionRefusedError("InvalidAddressLookupTableIndex") from None
    header = message.header
    named = tuple(message.account_keys)
    return MessageKeys(
        named=named,
        loaded_writable=tuple(writable),
        loaded_readonly=tuple(readonly),
        signers=header.num_required_signatures,
        _writable_signers=header.num_required_signatures - header.num_readonly_signed_accounts,
        _last_named_writable=len(named) - header.num_readonly_unsigned_accounts - 1,
    )


def _addresses(table: Account | None) -> list[Pubkey]:
    if table is None:
        raise TransactionRefusedError("AddressLookupTableNotFound")
    if table.owner != LOOKUP_TABLE_PROGRAM:
        raise TransactionRefusedError("InvalidAddressLookupTableOwner")
    try:
        addresses: list[Pubkey] = AddressLookupTable.deserialize(table.data).addresses
    except ValueError:
        raise TransactionRefusedError("InvalidAddressLookupTableData") from None
    return addresses


def is_signed(transaction: VersionedTransaction) -> bool:
    """Whether every signature is its key's over the message."""
    return all(transaction.verify_with_results())
