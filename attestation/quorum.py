"""When attestations of one batch are enough. Pure values: collecting gives a new value, and a quorum is never lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from attestation.batch import Batch, VerifiedAttestation
from attestation.certificate import Certificate, build_certificate
from attestation.errors import BelowThreshold, OtherBatch
from attestation.schemes import scheme_of
from attestation.signer_set import SignerSet


@dataclass(frozen=True, slots=True)
class Quorum:
    """The verified attestations of `batch` so far, by signer index. `signer_set` is that of the batch's epoch."""

    batch: Batch
    signer_set: SignerSet
    signatures: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def add(self, attestation: VerifiedAttestation) -> Self:
        """The value with this attestation as well. A signer's first one stays: a second adds no weight.

        Raises `OtherBatch`.
        """
        # SECURITY: a signature of another batch would make a certificate that no gateway accepts.
        if attestation.batch != self.batch:
            raise OtherBatch
        if attestation.signer_index in self.signatures:
            return self
        signatures = {**self.signatures, attestation.signer_index: attestation.signature}
        return type(self)(self.batch, self.signer_set, MappingProxyType(signatures))

    @property
    def weight(self) -> int:
        """The weight of those who signed."""
        signers = self.signer_set.signers
        return sum(signers[index].weight for index in self.signatures)

    @property
    def is_quorum(self) -> bool:
        """Whether the weight reaches the threshold."""
        return self.weight >= self.signer_set.threshold

    @property
    def missing(self) -> tuple[int, ...]:
        """The indices of those who have not signed, ascending."""
        return tuple(index for index in range(len(self.signer_set.signers)) if index not in self.signatures)

    def certificate(self) -> Certificate:
        """The certificate that is cheapest to verify. Raises `BelowThreshold` without a quorum.

        Where each signature costs gas, by the fewest signers that reach the threshold, heaviest first, then lowest
        index. Where signatures are summed up, by all.
        """
        signers, threshold = self.signer_set.signers, self.signer_set.threshold
        spare = scheme_of(self.signer_set.scheme).every_signature_costs
        chosen: dict[int, bytes] = {}
        weight = 0
        for index in sorted(self.signatures, key=lambda index: (-signers[index].weight, index)):
            if spare and weight >= threshold:
                break
            chosen[index] = self.signatures[index]
            weight += signers[index].weight
        if weight < threshold:
            raise BelowThreshold(weight, threshold)
        return build_certificate(self.batch, self.signer_set.scheme, chosen)
