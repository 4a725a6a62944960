"""The verifier contract of each signature scheme, and what it costs. A new scheme is one entry in `VERIFIERS`.

Its job: names, and upper bounds of gas from the contracts' snapshot (contracts/evm/gas.json). It verifies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from attestation.certificate import parse_certificate
from attestation.schemes import BLS12381, SECP256K1
from attestation.signer_set import MAXIMUM_SIGNER_COUNT


@dataclass(frozen=True, slots=True)
class GasTerms:
    """Gas that a request costs besides its own limits, for a batch of one under a set of four; batches cost less.

    Measured by the contracts' gas snapshot; rounded up, for a relayer bids before it knows the batch.
    """

    execution_overhead: int = 160_000
    callback_overhead: int = 150_000
    expire: int = 140_000
    execution_per_byte: int = 48
    callback_per_byte: int = 48
    margin_bps: int = 1_000
    query_bps: int = 200
    """Of a call's price, for the same gas: a query's is burnt by every signer's node, and by no chain."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier contract.

    Gas at the most: `payload_gas` a certificate, `signature_gas` a signer in it, `missing_gas` a signer of the set that
    is not in it, `key_gas` a key of a set that is applied. `keys_per_proof` is how many keys of a set are proven in one
    transaction ahead of it, None where keys need no proof. `terms` is what a deployment has requests pay for.
    """

    contract: str
    payload_gas: int
    signature_gas: int
    missing_gas: int
    key_gas: int
    keys_per_proof: int | None
    terms: GasTerms

    def certificate_gas(self, signer_count: int) -> int:
        """Of one certificate by so many signers, whatever the size of their set."""
        missing_count = MAXIMUM_SIGNER_COUNT - signer_count
        return self.payload_gas + signer_count * self.signature_gas + missing_count * self.missing_gas


VERIFIERS: Final[Mapping[int, Verifier]] = MappingProxyType(
    {
        # Measured: 4,500 a signature; 38,000 a key in a set of 256: code at 200 gas a byte, checks, the log.
        SECP256K1.number: Verifier(
            contract="EcdsaVerifier",
            payload_gas=0,
            signature_gas=6_000,
            missing_gas=0,
            key_gas=42_000,
            keys_per_proof=None,
            terms=GasTerms(),
        ),
        # Measured: 127,000 a certificate, 1,300 a missing signer. A key is a proof of 200,000 and 256 bytes of code.
        BLS12381.number: Verifier(
            contract="BlsVerifier",
            payload_gas=160_000,
            signature_gas=0,
            missing_gas=1_600,
            key_gas=290_000,
            keys_per_proof=40,
            terms=GasTerms(execution_overhead=280_000, callback_overhead=260_000, expire=250_000),
        ),
    }
)
"""By the scheme's number."""


def certificate_gas(certificate: bytes) -> int:
    """What verifying a certificate costs at the most, besides its calldata. Raises what `parse_certificate` raises."""
    parsed = parse_certificate(certificate)
    return VERIFIERS[parsed.scheme].certificate_gas(len(parsed.signer_indices))
