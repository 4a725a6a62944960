import pytest

from attestation.batch import Batch, sign_batch
from attestation.certificate import (
    HEADER_LENGTH,
    build_certificate,
    parse_certificate,
    verify_certificate,
)
from attestation.domain import chain_tag, gateway_tag
from attestation.epochs import Epochs
from attestation.errors import (
    BelowThreshold,
    MalformedBatch,
    MalformedCertificate,
    MalformedSignature,
    UnknownScheme,
    UnknownSigner,
    WrongScheme,
)
from tests.vectors.examples import DEPLOYED_AT, FOUR, SOURCE_GATEWAY, example_keys, example_leaves

KEYS = example_keys("four", 4)
BATCH = Batch.of_leaves(SOURCE_GATEWAY, example_leaves(5), 1)
EPOCHS = Epochs(1).apply(1, FOUR, DEPLOYED_AT)
SIGNATURES = {index: sign_batch(BATCH, index, key).signature for index, key in enumerate(KEYS)}


def signatures_of(*indices: int) -> dict[int, bytes]:
    return {index: SIGNATURES[index] for index in indices}


def test_a_certificate_has_its_layout() -> None:
    encoded = build_certificate(BATCH, 1, signatures_of(3, 0, 2)).to_bytes()
    assert HEADER_LENGTH == 49
    assert encoded[:1] == b"\x01"
    assert encoded[1:9] == (1).to_bytes(8, "big")
    assert encoded[9:13] == chain_tag(SOURCE_GATEWAY)
    assert encoded[13:17] == gateway_tag(SOURCE_GATEWAY)
    assert encoded[17:49] == (0b1101).to_bytes(32, "big")
    assert encoded[49:] == SIGNATURES[0] + SIGNATURES[2] + SIGNATURES[3]


def test_a_certificate_comes_back() -> None:
    certificate = build_certificate(BATCH, 1, signatures_of(0, 1, 3))
    assert parse_certificate(certificate.to_bytes()) == certificate
    assert certificate.signer_indices == (0, 1, 3)


def test_a_certificate_gives_each_signers_own_signature() -> None:
    certificate = parse_certificate(build_certificate(BATCH, 1, signatures_of(3, 0, 2)).to_bytes())
    assert certificate.signatures == signatures_of(0, 2, 3)


def test_the_bitmap_reaches_index_255() -> None:
    certificate = build_certificate(BATCH, 1, {255: SIGNATURES[0], 0: SIGNATURES[1]})
    assert certificate.bitmap == 1 << 255 | 1
    assert certificate.signer_indices == (0, 255)
    assert parse_certificate(certificate.to_bytes()).payload == SIGNATURES[1] + SIGNATURES[0]


@pytest.mark.parametrize("index", [-1, 256])
def test_no_bitmap_names_other_indices(index: int) -> None:
    with pytest.raises(UnknownSigner) as caught:
        build_certificate(BATCH, 1, {index: SIGNATURES[0]})
    assert caught.value.index == index


def test_a_certificate_is_built_of_signatures_of_its_scheme() -> None:
    with pytest.raises(UnknownScheme):
        build_certificate(BATCH, 9, signatures_of(0))
    with pytest.raises(MalformedSignature):
        build_certificate(BATCH, 1, {0: SIGNATURES[0][:-1]})


def test_parsing_asks_the_first_byte_for_the_scheme() -> None:
    encoded = build_certificate(BATCH, 1, signatures_of(0)).to_bytes()
    for number in (0, 9, 255):
        with pytest.raises(WrongScheme) as caught:
            parse_certificate(bytes((number,)) + encoded[1:])
        assert caught.value.scheme == number


def test_every_cut_and_every_trailing_byte_is_malformed() -> None:
    encoded = build_certificate(BATCH, 1, signatures_of(0, 2)).to_bytes()
    for data in (*(encoded[:length] for length in range(len(encoded))), encoded + b"\x00", encoded + bytes(64)):
        with pytest.raises(MalformedCertificate):
            parse_certificate(data)


def verify(certificate: bytes, *, now: int = DEPLOYED_AT) -> int:
    return verify_certificate(BATCH.gateway, BATCH.root, BATCH.count, certificate, EPOCHS, now)


def test_any_three_of_four_are_enough() -> None:
    for absent in range(4):
        signatures = {index: signature for index, signature in SIGNATURES.items() if index != absent}
        assert verify(build_certificate(BATCH, 1, signatures).to_bytes()) == 1
    assert verify(build_certificate(BATCH, 1, SIGNATURES).to_bytes()) == 1


def test_security_two_of_four_are_not() -> None:
    """SECURITY: below the threshold a minority would speak for all."""
    with pytest.raises(BelowThreshold) as caught:
        verify(build_certificate(BATCH, 1, signatures_of(0, 3)).to_bytes())
    assert (caught.value.weight, caught.value.threshold) == (2, 3)


def test_security_every_single_bit_of_a_certificate_matters() -> None:
    """SECURITY: no certificate has a second form."""
    encoded = build_certificate(BATCH, 1, signatures_of(0, 1, 2)).to_bytes()
    for bit in range(8 * len(encoded)):
        changed = bytearray(encoded)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"."):
            verify(bytes(changed))


def test_a_verifier_of_an_unknown_scheme_verifies_nothing() -> None:
    certificate = build_certificate(BATCH, 1, SIGNATURES).to_bytes()
    with pytest.raises(UnknownScheme):
        verify_certificate(BATCH.gateway, BATCH.root, BATCH.count, certificate, Epochs(9), DEPLOYED_AT)


def test_a_root_is_a_word() -> None:
    certificate = build_certificate(BATCH, 1, SIGNATURES).to_bytes()
    with pytest.raises(MalformedBatch):
        verify_certificate(BATCH.gateway, BATCH.root + b"\x00", BATCH.count, certificate, EPOCHS, DEPLOYED_AT)
