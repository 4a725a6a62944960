"""How much gas a transaction to a gateway may need at most.

Its job: upper bounds from the contracts' measured gas (contracts/evm/gas.json) and the requests' own limits. SECURITY:
every item counts with its full limit, for the gateway demands that it be available: a target that burns more on chain
than in the simulation must not be able to make the whole transaction revert. It must not ask a node.

Source: EIP-150, EIP-2028, EIP-7623.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from attestation.signer_set import SignerSet
from relayer.vms.evm.verifiers import VERIFIERS, certificate_gas

INTRINSIC_GAS: Final = 21_000

TRANSACTION_GAS: Final = 60_000
"""Per transaction: pause checks, the executor's and the routes' cold accounts, the submitter's first credit."""

BATCH_GAS: Final = 60_000
"""Per batch besides its signatures: a cold verifier, its stored set, the epoch's first credit. Measured: 25,000."""

LEAF_GAS: Final = 2_000
"""Per leaf of a batch, given or bare: its hashes and its nodes of the tree. Measured: below 1,000."""

EXECUTE_GAS: Final = 75_000
"""Per executed or expired request besides its limit: slot, receipt, executor. Measured: about 40,000."""

OWN_ACCOUNT_GAS: Final = 200_000
"""Per request with `ownAccount`, on top: its sender's account may have to be created first. Measured: 163,000."""

DELIVER_GAS: Final = 85_000
"""Per delivered outcome besides its limit: cleared slots, event, first credits of payee and requester."""

ROTATE_GAS: Final = 250_000
"""Per rotation besides its signers: a new code blob and epoch, the former one's cut. Measured: about 130,000."""

PAYLOAD_BYTE_GAS: Final = 4
"""Per byte that is hashed and copied on its way to a target or handler; memory's square included, up to 65,536."""

RETURN_BYTE_GAS: Final = 14
"""Per byte of an answer: copied twice and logged (8 gas a byte)."""

_ZERO_BYTE_GAS: Final = 4
_BYTE_GAS: Final = 16
_FLOOR_PER_GAS: Final = 5
"""EIP-7623's floor is 10 and 40 gas a byte where plain calldata is 4 and 16: two and a half times as much."""

_RETAINED_DIVISOR: Final = 20
"""EIP-150 keeps back a 64th at each of at most three hops (an own account's): (64/63)³ - 1 is less than a 20th."""


class Load(NamedTuple):
    """What a part of a transaction adds to it.

    `work` is gas besides calldata; `calldata` is gas at the plain price; `length` is bytes; `highest_limit` the highest
    limit of a callee in it.
    """

    work: int
    calldata: int
    length: int
    highest_limit: int

    def plus(self, other: Load) -> Load:
        """Both in one transaction."""
        return Load(
            self.work + other.work,
            self.calldata + other.calldata,
            self.length + other.length,
            max(self.highest_limit, other.highest_limit),
        )

    @property
    def gas(self) -> int:
        """The gas limit of a transaction with this load."""
        retained = self.highest_limit // _RETAINED_DIVISOR
        floor = self.calldata * _FLOOR_PER_GAS // 2
        return INTRINSIC_GAS + max(self.work + self.calldata + retained, floor)


EMPTY_TRANSACTION: Final = Load(TRANSACTION_GAS, 5 * 32 * _BYTE_GAS, 5 * 32, 0)
"""A transaction before its first batch."""


def calldata_gas(data: bytes) -> int:
    """Gas of calldata at the plain price."""
    zeros = data.count(0)
    return zeros * _ZERO_BYTE_GAS + (len(data) - zeros) * _BYTE_GAS


def batch_load(certificate: bytes, leaf_count: int) -> Load:
    """A batch without its items, as if all its leaves were bare."""
    length = len(certificate) + 32 * (leaf_count + 8)
    work = BATCH_GAS + certificate_gas(certificate) + leaf_count * LEAF_GAS
    return Load(work, length * _BYTE_GAS, length, 0)


def rotation_load(data: bytes, signer_set: SignerSet, certificate: bytes) -> Load:
    """The whole of a rotation to this set, `data` being its calldata."""
    keys_gas = len(signer_set.signers) * VERIFIERS[signer_set.scheme].key_gas
    return Load(ROTATE_GAS + keys_gas + certificate_gas(certificate), calldata_gas(data), len(data), 0)


def item_load(encoded: bytes, base_gas: int, limit: int, answer_limit: int) -> Load:
    """An encoded item whose callee gets `limit` gas and may answer `answer_limit` bytes that are kept."""
    work = base_gas + limit + len(encoded) * PAYLOAD_BYTE_GAS + answer_limit * RETURN_BYTE_GAS
    return Load(work, calldata_gas(encoded) + 32 * _BYTE_GAS, len(encoded) + 32, limit)
