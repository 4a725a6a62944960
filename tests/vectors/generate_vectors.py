"""Write the golden vectors of `attestation/vectors`: `python -m tests.vectors.generate_vectors`.

The vectors fix the bytes of the protocol for every language. A change of one that is already released is a change of
the protocol. Oracles that share no code with the package check them in the tests beside this file.

Form: hex strings for bytes and 256-bit values, decimal strings for uint64, numbers for what a double holds, parallel
arrays where items are alike.
"""

import json
from pathlib import Path
from typing import Final

import attestation
from tests.vectors.bls_vectors import bls12381, bls_certificates, bls_signer_sets
from tests.vectors.certificate_vectors import certificates
from tests.vectors.evidence_vectors import evidence
from tests.vectors.message_vectors import addresses, merkle, requests, statements
from tests.vectors.signer_vectors import batches, peer_messages, ranks, signer_sets

DIRECTORY: Final = Path(attestation.__file__).parent / "vectors"

FILES: Final = {
    "addresses.json": addresses,
    "requests.json": requests,
    "statements.json": statements,
    "merkle.json": merkle,
    "signer_sets.json": signer_sets,
    "ranks.json": ranks,
    "batches.json": batches,
    "peer_messages.json": peer_messages,
    "certificates.json": certificates,
    "bls12381.json": bls12381,
    "bls_signer_sets.json": bls_signer_sets,
    "bls_certificates.json": bls_certificates,
    "evidence.json": evidence,
}


def render(name: str) -> str:
    """The text of one vector file."""
    return json.dumps(FILES[name](), indent=1) + "\n"


def main() -> None:
    """Write all files."""
    DIRECTORY.mkdir(exist_ok=True)
    for name in FILES:
        (DIRECTORY / name).write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
