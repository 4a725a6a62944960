from dataclasses import replace

import pytest

from attestation.certificate import build_certificate
from attestation.errors import (
    AttestationError,
    MalformedSignature,
    NoContradiction,
    PathMismatch,
    SignatureError,
    UnknownScheme,
    UnsignedBatch,
    WrongSigner,
)
from attestation.evidence import SignedStatement, verify_equivocation
from attestation.merkle import merkle_root, verify_path
from tests.vectors.evidence_vectors import example_equivocation, example_evidence, example_execute, signed_statement
from tests.vectors.examples import DESTINATION_GATEWAY, example_keys, hash_of

GOOD = example_equivocation()


def test_evidence_convicts_whichever_statement_comes_first() -> None:
    verify_equivocation(GOOD, GOOD.signer_key)
    verify_equivocation(replace(GOOD, first=GOOD.second, second=GOOD.first), GOOD.signer_key)


def test_a_statement_is_found_in_the_list_of_its_batch() -> None:
    statements = [example_execute(f"request {number}") for number in range(6)]
    signed = SignedStatement.in_batch(DESTINATION_GATEWAY, statements, 4, 3, bytes(64))
    assert signed.statement == statements[4]
    assert (signed.batch.count, signed.batch.epoch, signed.batch.gateway) == (6, 3, DESTINATION_GATEWAY)
    assert signed.batch.root == merkle_root([statement.leaf for statement in statements])
    verify_path(signed.batch.root, statements[4].leaf, signed.path)


def test_security_evidence_convicts_nobody_else() -> None:
    """SECURITY: the caller names the key that is to be convicted."""
    _, other = example_keys("equivocator", 2)
    with pytest.raises(WrongSigner):
        verify_equivocation(GOOD, other.key)
    with pytest.raises(UnsignedBatch):
        verify_equivocation(replace(GOOD, signer_key=other.key), other.key)


def test_security_two_batches_with_one_leaf_are_no_contradiction() -> None:
    """SECURITY: splits and later epochs sign the same leaf again, and must not be slashed for it."""
    (key,) = example_keys("equivocator", 1)
    again = signed_statement(key, GOOD.first.statement, epoch=2, companions=1, index=0)
    with pytest.raises(NoContradiction):
        verify_equivocation(replace(GOOD, second=again), GOOD.signer_key)


@pytest.mark.parametrize("place", ["first", "second"])
def test_security_both_statements_must_be_signed_and_in_their_batches(place: str) -> None:
    """SECURITY: a made-up half would convict an honest signer."""
    signed: SignedStatement = getattr(GOOD, place)
    with pytest.raises(PathMismatch):
        verify_equivocation(replace(GOOD, **{place: replace(signed, path=(hash_of("step"),))}), GOOD.signer_key)
    with pytest.raises(UnsignedBatch) as caught:
        verify_equivocation(replace(GOOD, **{place: replace(signed, signature=bytes(64))}), GOOD.signer_key)
    assert caught.value.root == signed.batch.root
    assert isinstance(caught.value.__cause__, SignatureError)
    with pytest.raises(MalformedSignature):
        verify_equivocation(replace(GOOD, **{place: replace(signed, signature=b"")}), GOOD.signer_key)


def test_a_certificate_bears_evidence() -> None:
    certificate = build_certificate(GOOD.first.batch, GOOD.scheme, {5: GOOD.first.signature})
    first = replace(GOOD.first, signature=certificate.signatures[5])
    verify_equivocation(replace(GOOD, first=first), GOOD.signer_key)


def test_evidence_is_of_a_known_scheme() -> None:
    with pytest.raises(UnknownScheme):
        verify_equivocation(replace(GOOD, scheme=9), GOOD.signer_key)


def test_the_examples_convict_four_times() -> None:
    convicted: list[str] = []
    for name, evidence in example_evidence().items():
        try:
            verify_equivocation(evidence, evidence.signer_key)
        except AttestationError:
            continue
        convicted.append(name)
    assert len(convicted) == 4
