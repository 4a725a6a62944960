"""One batch as it is signed, and one signer's attestation of it. It knows no statement and no route."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NewType, Self

from attestation.address import parse_account
from attestation.domain import batch_digest
from attestation.errors import MalformedBatch, UnknownSigner
from attestation.merkle import MAXIMUM_BATCH_COUNT, merkle_root
from attestation.schemes import SigningKey, scheme_of
from attestation.signer_set import SignerSet
from attestation.words import UINT64_BITS, WORD_LENGTH, require_uint, require_word

_ZERO_ROOT: Final = bytes(WORD_LENGTH)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is signed, and where it is valid.

    `gateway` is the ERC-7930 bytes of the verifying gateway, `root` 32 bytes and not zero, `count` 1 to 256 leaves,
    `epoch` from 1 on. Raises `MalformedBatch`, or `MalformedAddress` for the gateway.
    """

    gateway: bytes
    root: bytes
    count: int
    epoch: int

    def __post_init__(self) -> None:
        parse_account(self.gateway)
        require_word(MalformedBatch, "root", self.root)
        if self.root == _ZERO_ROOT:
            raise MalformedBatch("root", "is zero")
        if not 1 <= self.count <= MAXIMUM_BATCH_COUNT:
            raise MalformedBatch("count", f"is not 1 to {MAXIMUM_BATCH_COUNT}")
        require_uint(MalformedBatch, "epoch", self.epoch, UINT64_BITS)
        if not self.epoch:
            raise MalformedBatch("epoch", "is zero")

    @classmethod
    def of_leaves(cls, gateway: bytes, leaves: Sequence[bytes], epoch: int) -> Self:
        """The batch of these leaves, in this order. Raises what `merkle_root` raises as well."""
        return cls(gateway, merkle_root(leaves), len(leaves), epoch)

    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return batch_digest(self.gateway, self.root, self.count, self.epoch)


@dataclass(frozen=True, slots=True)
class Attestation:
    """A claim, not yet verified: signer `signer_index` of the batch's epoch signed the batch."""

    batch: Batch
    signer_index: int
    signature: bytes


VerifiedAttestation = NewType("VerifiedAttestation", Attestation)
"""An attestation that `verify_attestation` let pass, or that its holder signed itself."""


def sign_batch(batch: Batch, signer_index: int, key: SigningKey) -> VerifiedAttestation:
    """Attest to a batch.

    SECURITY: the caller has every leaf of the batch past the signing guard, and knows that `key` is that of the signer.
    """
    return VerifiedAttestation(Attestation(batch, signer_index, key.sign(batch.digest())))


def verify_attestation(attestation: Attestation, signer_set: SignerSet) -> VerifiedAttestation:
    """Check one attestation against the signer set of its batch's epoch.

    Raises:
        UnknownSigner: the set has no such index.
        MalformedSignature: the signature has not the form of the scheme.
        HighS, SignerOutOfOrder, ForgedSignature, ForgedAggregate: as in a certificate.
    """
    index = attestation.signer_index
    if not 0 <= index < len(signer_set.signers):
        raise UnknownSigner(index)
    scheme = scheme_of(signer_set.scheme)
    payload = scheme.pack((attestation.signature,))
    scheme.verify_payload(payload, attestation.batch.digest(), signer_set.keys, (index,))
    return VerifiedAttestation(attestation)
