"""Bringing a batch's certificate.

Its job: which transactions are still wanted until the gateway counts a batch as certified: each carries as many
signatures as fit, and only those that do not count yet. Anybody may send any of them; whoever is late adds nothing and
harms nothing. It must not judge a signature: the gateway does.

Source: contracts/svm/src/certificates.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from solders.pubkey import Pubkey

from attestation.certificate import Certificate, parse_certificate
from attestation.schemes import scheme_of
from relayer.ports.source_chain import CertifiedBatch
from relayer.vms.svm.accounts import Root
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.transactions import draft_of

BELOW_THRESHOLD: Final = "BelowThreshold"
"""Why a batch is refused whose certificate's signers all count and do not suffice."""

_MAX_SIGNATURES: Final = 12
"""That fit a transaction beside its budget. Without a price it would hold 13, and wait where others offer one."""

_BASE_UNITS: Final = 60_000
_UNITS_PER_SIGNATURE: Final = 30_000
"""Compute units: recovering a signature takes 25,000, finding the root's address a few thousand."""


@dataclass(frozen=True, slots=True)
class CertifiedRoot:
    """Where a batch's root is or will be, and the certificate that makes it count."""

    key: Pubkey
    root: bytes
    count: int
    certificate: Certificate

    @property
    def epoch(self) -> int:
        """Of the certificate."""
        return self.certificate.epoch


class CertificateDraft(NamedTuple):
    """A transaction that brings signatures, and the compute units that it may use."""

    draft: bytes
    compute_units: int


class Certifier:
    """Drafts of one payer for one gateway."""

    def __init__(self, addresses: GatewayAddresses, instructions: GatewayInstructions, payer: Pubkey) -> None:
        self._addresses = addresses
        self._instructions = instructions
        self._payer = payer

    def root_of(self, certified: CertifiedBatch) -> CertifiedRoot:
        """The root of a batch with its certificate."""
        return self.root(certified.batch.root, certified.batch.count, certified.certificate)

    def root(self, root: bytes, count: int, encoded: bytes) -> CertifiedRoot:
        """The root of `count` leaves with the certificate in these bytes."""
        certificate = parse_certificate(encoded)
        return CertifiedRoot(self._addresses.root(root, certificate.epoch, count), root, count, certificate)

    def drafts(self, wanted: CertifiedRoot, state: Root | None) -> list[CertificateDraft]:
        """What is to be sent now; nothing if all signers of the certificate count. `state` is the root's account."""
        seen = 0 if state is None else int.from_bytes(state.seen, "little")
        missing = [index for index in wanted.certificate.signer_indices if not seen >> index & 1]
        parts = [missing[at : at + _MAX_SIGNATURES] for at in range(0, len(missing), _MAX_SIGNATURES)]
        # Whichever is mined first makes the account, and lends its rent.
        return [
            CertificateDraft(self._draft(wanted, part), _BASE_UNITS + len(part) * _UNITS_PER_SIGNATURE)
            for part in parts
        ]

    def _draft(self, wanted: CertifiedRoot, indices: Sequence[int]) -> bytes:
        part = _only(wanted.certificate, indices)
        step = self._instructions.verify_certificate(wanted.root, wanted.count, wanted.epoch, part.to_bytes())
        return draft_of(self._payer, [step])


def _only(certificate: Certificate, indices: Sequence[int]) -> Certificate:
    """The certificate of these signers alone, ascending."""
    signatures = certificate.signatures
    return replace(
        certificate,
        bitmap=sum(1 << index for index in indices),
        payload=scheme_of(certificate.scheme).pack([signatures[index] for index in indices]),
    )
