"""How much gas a transaction to a gateway may need at most.

Its job: upper bounds from the contracts' measured gas and the requests' own limits. SECURITY: every item counts with
its full limit: a target that burns more in a block than in the simulation must not be able to have the whole
transaction run out of gas, which is paid for and executes nobody's request. It must not ask a node.

Source: wasmd's gas register (60,000 to enter a contract, 140,000 units of work a gas) and the SDK's of its stores;
contracts/cosmwasm/gateway/src/destination.rs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from attestation.request import Request
from attestation.signer_set import SignerSet
from relayer.vms.cosmwasm.messages import BARE_LEAF_LENGTH

TRANSACTION_GAS: Final = 300_000
"""Per transaction: signature and fee, entering the gateway, and for the first time another contract, which costs most.
Measured: 190,000."""

BATCH_GAS: Final = 40_000
"""Per batch besides its signatures: the stored set, the epoch's credit."""

SIGNER_GAS: Final = 4_000
"""Per 64 bytes of a certificate: a key recovered, and looked up in its set. Measured: 1,950."""

LEAF_GAS: Final = 500
"""Per leaf of a batch, given or bare: its hashes and its nodes of the tree. Measured: 270."""

EXECUTE_GAS: Final = 80_000
"""Per executed request besides its call: slot, step, and the receipt of a failure. Measured: below 55,000."""

CALL_GAS: Final = 180_000
"""Per call besides its target's limit: what the gateway lets the account have that calls. All of it may be used: the
account pays for reading what the target emits and answers."""

CALL_PAYLOAD_BYTE_GAS: Final = 8
"""Of the same, for each byte of the payload."""

CALL_RETURN_BYTE_GAS: Final = 16
"""Of the same, for each byte of the answer that is kept."""

EXPIRE_GAS: Final = 40_000
"""Per expired request: slot and event. Measured: 14,000."""

OWN_ACCOUNT_GAS: Final = 150_000
"""Per request with `ownAccount`, on top: its sender's account may have to be created first. Measured: 50,000."""

DELIVER_GAS: Final = 100_000
"""Per delivered outcome besides its limit: cleared slots, event, credits, entering the gateway again. Measured: below
50,000."""

ROTATE_GAS: Final = 100_000
"""Per rotation besides its signers: a new epoch, the former one's cut."""

MEMBER_GAS: Final = 10_000
"""Per signer of a set that is brought in: checked, stored, told in an event."""

BYTE_GAS: Final = 20
"""Per byte of a transaction: 10 that the chain asks for, and what it takes to parse, hash and hand it on: below 6."""

_ENVELOPE_LENGTH: Final = 1_000
"""Bytes of a transaction besides its message: addresses, key, signature, fee, and the message's own frame."""

_BATCH_FRAME_LENGTH: Final = 200
_MARGIN_DIVISOR: Final = 10


class Load(NamedTuple):
    """What a part of a transaction adds to it: gas besides that of its bytes, and bytes."""

    work: int
    length: int

    def plus(self, other: Load) -> Load:
        """Both in one transaction."""
        return Load(self.work + other.work, self.length + other.length)

    @property
    def gas(self) -> int:
        """The gas limit of a transaction with this load."""
        return self.work + self.length * BYTE_GAS


EMPTY_TRANSACTION: Final = Load(TRANSACTION_GAS, _ENVELOPE_LENGTH)
"""A transaction before its first batch."""


def batch_load(certificate: bytes, leaf_count: int) -> Load:
    """A batch without its items, as if all its leaves were bare."""
    length = len(certificate) * 4 // 3 + leaf_count * BARE_LEAF_LENGTH + _BATCH_FRAME_LENGTH
    return Load(BATCH_GAS + _certificate_gas(certificate) + leaf_count * LEAF_GAS, length)


def call_limit(request: Request) -> int:
    """The limit of gas within which the gateway has a request's call run, and its answer told."""
    bytes_gas = len(request.payload) * CALL_PAYLOAD_BYTE_GAS + request.return_limit * CALL_RETURN_BYTE_GAS
    return request.execution_gas_limit + CALL_GAS + bytes_gas


def item_load(encoded: bytes, base_gas: int, limit: int) -> Load:
    """An encoded item whose call may use `limit` gas."""
    return Load(base_gas + limit, len(encoded) + 1)


def rotation_load(data: bytes, signer_set: SignerSet, certificate: bytes) -> Load:
    """The whole of a rotation to this set, `data` being its message."""
    work = ROTATE_GAS + len(signer_set.signers) * MEMBER_GAS + _certificate_gas(certificate)
    return EMPTY_TRANSACTION.plus(Load(work, len(data)))


def with_margin(used_gas: int) -> int:
    """What to offer above what a simulation used: its block's state is a little older than that of the transaction."""
    return used_gas + used_gas // _MARGIN_DIVISOR


def _certificate_gas(certificate: bytes) -> int:
    return (len(certificate) // 64 + 1) * SIGNER_GAS
