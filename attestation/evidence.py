"""What convicts a signer of contradicting itself, checkable by anyone with nothing but the evidence and the key.

It knows offence 1, `EQUIVOCATION`, which needs no chain. What a chain must be asked for is proven where that chain is.
`evidence_file` is its form on disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from attestation.batch import Batch
from attestation.errors import NoContradiction, SignatureError, UnsignedBatch, WrongSigner
from attestation.merkle import merkle_path, verify_path
from attestation.schemes import scheme_of
from attestation.statement import Statement, guard_key


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement, the batch that holds it, the path from its leaf to the root, and a signer's signature of the batch.

    It is a claim until `verify_equivocation` has checked it.
    """

    statement: Statement
    batch: Batch
    path: tuple[bytes, ...]
    signature: bytes

    @classmethod
    def in_batch(
        cls, gateway: bytes, statements: Sequence[Statement], index: int, epoch: int, signature: bytes
    ) -> Self:
        """Statement `index` of the whole list of a batch. Raises what `Batch.of_leaves` and `merkle_path` raise."""
        leaves = [statement.leaf for statement in statements]
        path = merkle_path(leaves, index)
        return cls(statements[index], Batch.of_leaves(gateway, leaves, epoch), path, signature)


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two signed leaves under one guard key, by the signer whose public key of `scheme` is `signer_key`."""

    scheme: int
    signer_key: bytes
    first: SignedStatement
    second: SignedStatement


def verify_equivocation(evidence: Equivocation, signer_key: bytes) -> None:
    """Return if the evidence convicts the holder of `signer_key`.

    The caller may assume that this key signed two different leaves under one guard key. Whether it belonged to a signer
    set at those epochs is for the caller to ask, which is why the key is an argument.

    Raises:
        WrongSigner: the evidence is about another key.
        NoContradiction: the guard keys differ, or the leaves are one. SECURITY: else any two batches would convict.
        PathTooLong, MalformedLeaf, PathMismatch: a statement is not in its batch.
        UnknownScheme: no such scheme.
        MalformedSignature, UnsignedBatch: the key did not sign one of the batches.
    """
    if evidence.signer_key != signer_key:
        raise WrongSigner
    first, second = evidence.first, evidence.second
    if _guard_key(first) != _guard_key(second) or first.statement.leaf == second.statement.leaf:
        raise NoContradiction
    scheme = scheme_of(evidence.scheme)
    for signed in (first, second):
        verify_path(signed.batch.root, signed.statement.leaf, signed.path)
        payload = scheme.pack((signed.signature,))
        try:
            scheme.verify_payload(payload, signed.batch.digest(), (signer_key,), (0,))
        except SignatureError as error:
            raise UnsignedBatch(signed.batch.root) from error


def _guard_key(signed: SignedStatement) -> bytes:
    return guard_key(signed.statement, signed.batch.gateway)
