import pytest

from attestation import errors
from attestation.errors import (
    AttestationError,
    BelowThreshold,
    CertificateError,
    ForgedSignature,
    MalformedRequest,
    MalformedSignerSet,
    SignatureError,
    SignerSetError,
)


def all_errors() -> list[type[AttestationError]]:
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AttestationError)]


def test_every_code_is_the_name_of_its_class() -> None:
    assert {cls.__name__: cls.code for cls in all_errors()} == {cls.__name__: cls.__name__ for cls in all_errors()}


def test_an_error_says_what_is_wrong() -> None:
    error = MalformedRequest("expiry", "is not 0 in a query")
    assert str(error) == "expiry is not 0 in a query"
    assert str(BelowThreshold(2, 3)) == "a weight of 2 is below the threshold 3"
    assert str(ForgedSignature(7)) == "the signature of signer 7 is by nobody in the set"


@pytest.mark.parametrize(
    ("error", "family"),
    [(ForgedSignature, SignatureError), (SignatureError, CertificateError), (MalformedSignerSet, SignerSetError)],
)
def test_families_can_be_caught(error: type[AttestationError], family: type[AttestationError]) -> None:
    assert issubclass(error, family)
