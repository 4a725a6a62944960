"""Transactions of Solana, version 0, with one signer: the account that pays.

Its job: from instructions to a draft, whose bytes are the same whatever is offered for it, and from a draft to the
transaction that is signed or tried. It must not choose what is offered, and fetches nothing.

Source: Solana's versioned transactions; the compute budget program's instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import CompiledInstruction, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

MAX_TRANSACTION_BYTES: Final = 1_232
"""What one packet of the network carries."""

MAX_COMPUTE_UNITS: Final = 1_400_000
"""Of one transaction, by the runtime."""

_COMPUTE_BUDGET: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_UNIT_LIMIT: Final = b"\x02"
_UNIT_PRICE: Final = b"\x03"
_BUDGET: Final = (
    Instruction(_COMPUTE_BUDGET, _UNIT_LIMIT + bytes(4), []),
    Instruction(_COMPUTE_BUDGET, _UNIT_PRICE + bytes(8), []),
)
BUDGET_LENGTH: Final = len(_BUDGET)
"""Instructions of a draft before those that it was made of."""

_ENVELOPE_BYTES: Final = 1 + 64 + 1
"""Count of signatures, one signature, and the byte that says version 0."""


def draft_of(
    payer: Pubkey, instructions: Sequence[Instruction], tables: Sequence[AddressLookupTableAccount] = ()
) -> bytes:
    """A message without its blockhash and budget: what a `PreparedCall` holds as data.

    What stands in the lookup tables is named by its place there.
    """
    return bytes(MessageV0.try_compile(payer, [*_BUDGET, *instructions], tables, Hash.default()))


def is_fitting(draft: bytes) -> bool:
    """Whether the draft's transaction fits a packet."""
    return _ENVELOPE_BYTES + len(draft) <= MAX_TRANSACTION_BYTES


def trial_of(draft: bytes, compute_units: int) -> bytes:
    """The draft as a transaction that nobody has signed, for a simulation: `compute_units` is its limit."""
    return bytes(VersionedTransaction.populate(_message_of(draft, compute_units, 0, bytes(32)), [Signature.default()]))


def sign_draft(
    draft: bytes, key: Keypair, compute_units: int, unit_price: int, blockhash: bytes
) -> tuple[bytes, bytes]:
    """The signature (64 bytes) and the transaction. `unit_price` in micro-lamports; the same input, the same bytes."""
    transaction = VersionedTransaction(_message_of(draft, compute_units, unit_price, blockhash), [key])
    return bytes(transaction.signatures[0]), bytes(transaction)


def _message_of(draft: bytes, compute_units: int, unit_price: int, blockhash: bytes) -> MessageV0:
    message = MessageV0.from_bytes(draft)
    limit, price, *rest = message.instructions
    budget = (
        CompiledInstruction(limit.program_id_index, _UNIT_LIMIT + compute_units.to_bytes(4, "little"), b""),
        CompiledInstruction(price.program_id_index, _UNIT_PRICE + unit_price.to_bytes(8, "little"), b""),
    )
    return MessageV0(
        message.header,
        message.account_keys,
        Hash(blockhash),
        [*budget, *rest],
        message.address_table_lookups,
    )
