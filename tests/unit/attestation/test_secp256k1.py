import pytest

from attestation.errors import (
    ForgedSignature,
    HighS,
    MalformedDigest,
    MalformedSecret,
    MalformedSignature,
    RepeatedSigner,
    SignerOutOfOrder,
    UnknownScheme,
    UnrecoverableSignature,
)
from attestation.schemes import BLS12381, SCHEMES, SECP256K1, Scheme, scheme_of
from attestation.schemes.secp256k1 import ORDER, has_high_s, recover
from tests.vectors.certificate_vectors import HIGH_S, fixtures, high_s_signature
from tests.vectors.examples import example_keys, hash_of

DIGEST = hash_of("digest")
KEYS = example_keys("four", 4)
ADDRESSES = [key.key for key in KEYS]


def verify(indices: list[int], signatures: list[bytes]) -> None:
    SECP256K1.verify_payload(SECP256K1.pack(signatures), DIGEST, ADDRESSES, indices)


def test_schemes_are_found_by_number() -> None:
    assert scheme_of(1) is SECP256K1
    assert scheme_of(2) is BLS12381
    assert dict(SCHEMES) == {1: SECP256K1, 2: BLS12381}
    scheme: Scheme = SECP256K1
    assert (scheme.number, scheme.name) == (1, "ecdsa-secp256k1")
    for number in (0, 3, 255):
        with pytest.raises(UnknownScheme) as caught:
            scheme_of(number)
        assert caught.value.scheme == number


def test_a_known_secret_has_its_known_address() -> None:
    key = SECP256K1.signing_key(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
    assert key.key.hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_signing_is_deterministic_and_recovers() -> None:
    for key in KEYS:
        signature = key.sign(DIGEST)
        assert signature == key.sign(DIGEST)
        assert recover(DIGEST, signature) == key.key
        assert not has_high_s(signature)


def test_both_parities_occur_and_recover() -> None:
    key = KEYS[0]
    digests = [hash_of(f"digest {number}") for number in range(32)]
    signatures = [key.sign(digest) for digest in digests]
    assert {signature[32] >> 7 for signature in signatures} == {0, 1}
    assert {recover(digest, signature) for digest, signature in zip(digests, signatures, strict=True)} == {key.key}


@pytest.mark.parametrize(
    "secret", [b"", bytes(31), bytes(32), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 31]
)
def test_a_secret_is_a_word_below_the_order(secret: bytes) -> None:
    with pytest.raises(MalformedSecret):
        SECP256K1.signing_key(secret)


@pytest.mark.parametrize("number", [1, ORDER - 1])
def test_the_ends_of_the_range_are_secrets(number: int) -> None:
    assert len(SECP256K1.signing_key(number.to_bytes(32, "big")).key) == 20


def test_a_key_never_shows_its_secret() -> None:
    secret = hash_of("xvm test key four 0")
    shown = f"{KEYS[0]!r} {KEYS[0]}"
    assert ADDRESSES[0].hex() in shown
    assert secret.hex() not in shown
    assert not hasattr(KEYS[0], "__dict__")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_digests_are_words(length: int) -> None:
    with pytest.raises(MalformedDigest):
        KEYS[0].sign(bytes(length))
    with pytest.raises(MalformedDigest):
        recover(bytes(length), KEYS[0].sign(DIGEST))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_signatures_have_64_bytes(length: int) -> None:
    with pytest.raises(MalformedSignature):
        recover(DIGEST, bytes(length))
    with pytest.raises(MalformedSignature):
        SECP256K1.pack([KEYS[0].sign(DIGEST), bytes(length)])


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (0, 0), (ORDER, 1), (2**256 - 1, 1), (5, 1)], ids=str)
def test_some_numbers_are_no_signature(r: int, s: int) -> None:
    with pytest.raises(UnrecoverableSignature):
        recover(DIGEST, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_a_high_s_is_above_half_of_the_order_in_its_255_bits() -> None:
    half = ORDER // 2
    for s, high in ((1, False), (half, False), (half + 1, True), (2**255 - 1, True)):
        for parity in (0, 1):
            assert has_high_s(bytes(32) + (parity << 255 | s).to_bytes(32, "big")) is high


def test_the_payload_is_64_bytes_a_signer() -> None:
    assert [SECP256K1.payload_length(count) for count in (0, 1, 256)] == [0, 64, 16_384]
    assert SECP256K1.pack([]) == b""
    assert SECP256K1.pack([b"\x01" * 64, b"\x02" * 64]) == b"\x01" * 64 + b"\x02" * 64
    assert SECP256K1.unpack(b"\x01" * 64 + b"\x02" * 64) == (b"\x01" * 64, b"\x02" * 64)
    assert SECP256K1.unpack(b"") == ()


def test_a_key_of_the_scheme_has_20_bytes() -> None:
    assert [length for length in range(40) if SECP256K1.is_well_formed_key(bytes(length))] == [20]


def test_a_listed_key_is_the_address_and_needs_no_proof() -> None:
    assert KEYS[0].listed_key(hash_of("operator")) == KEYS[0].key
    assert SECP256K1.public_key(ADDRESSES[0]) == SECP256K1.distinct_part(ADDRESSES[0]) == ADDRESSES[0]
    assert SECP256K1.is_proven_key(ADDRESSES[0], hash_of("operator"))


def test_signatures_in_signer_order_verify() -> None:
    verify([0, 2, 3], [KEYS[index].sign(DIGEST) for index in (0, 2, 3)])
    verify([], [])


def test_security_a_high_s_is_refused_though_it_recovers() -> None:
    """SECURITY: this signature is valid in all else."""
    fixture = fixtures()["high s"]
    digest = fixture.batch(2).digest()
    signature = high_s_signature()
    assert recover(digest, signature) == fixture.sets[1].keys[0]
    assert has_high_s(signature)
    assert int.from_bytes(signature[32:], "big") % 2**255 == HIGH_S
    with pytest.raises(HighS) as caught:
        SECP256K1.verify_payload(signature, digest, fixture.sets[1].keys, (0,))
    assert caught.value.index == 0


def test_security_a_signer_counts_once() -> None:
    """SECURITY: else one key could fill a certificate, were its key in the set more than once."""
    signature = KEYS[0].sign(DIGEST)
    with pytest.raises(RepeatedSigner) as caught:
        SECP256K1.verify_payload(signature * 2, DIGEST, [ADDRESSES[0]] * 2, (0, 1))
    assert caught.value.index == 1
    with pytest.raises(RepeatedSigner) as caught:
        verify([1, 3], [KEYS[1].sign(DIGEST)] * 2)
    assert caught.value.index == 3


def test_security_a_signature_counts_in_its_own_place_only() -> None:
    """SECURITY: the bitmap decides whose weight counts."""
    with pytest.raises(SignerOutOfOrder) as caught:
        verify([0, 1], [KEYS[0].sign(DIGEST), KEYS[3].sign(DIGEST)])
    assert caught.value.index == 1


def test_security_a_strangers_signature_is_forged() -> None:
    """SECURITY: so is one of another digest, and one that recovers to nobody."""
    (stranger,) = example_keys("stranger", 1)
    good = KEYS[0].sign(DIGEST)
    for signature in (stranger.sign(DIGEST), KEYS[2].sign(hash_of("another digest")), bytes(64)):
        with pytest.raises(ForgedSignature) as caught:
            verify([0, 2], [good, signature])
        assert caught.value.index == 2
