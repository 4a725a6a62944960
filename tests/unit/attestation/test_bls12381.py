import pytest
from py_arkworks_bls12381 import GT, G1Point, G2Point

from attestation.batch import Attestation, Batch, VerifiedAttestation, sign_batch, verify_attestation
from attestation.certificate import verify_certificate
from attestation.epochs import Epochs
from attestation.errors import (
    ForgedAggregate,
    MalformedDigest,
    MalformedSecret,
    MalformedSignature,
    SignatureError,
    UnknownSigner,
    UnprovenKey,
)
from attestation.quorum import Quorum
from attestation.schemes import BLS12381, SCHEMES, Scheme, draw_secret
from attestation.schemes.bls12381 import ORDER, PUBLIC_KEY_LENGTH
from attestation.signer_set import verify_rules
from tests.vectors.bls_vectors import (
    G1_OUTSIDE,
    IDENTITY,
    bls_fixtures,
    flagged,
    g2_outside,
    lifted,
    opposite,
    rogue_key,
    rogue_set,
    zero_sum_secrets,
)
from tests.vectors.examples import BLS_FOUR, DEPLOYED_AT, DESTINATION_GATEWAY, bls_secrets, example_leaves, hash_of

DIGEST = hash_of("digest")
SECRETS = bls_secrets("four", 4)
KEYS = [BLS12381.signing_key(secret) for secret in SECRETS]
PUBLIC_KEYS = [key.key for key in KEYS]
OPERATOR = hash_of("operator 0")
GOOD = KEYS[0].sign(DIGEST)
BATCH = Batch.of_leaves(DESTINATION_GATEWAY, example_leaves(5), 1)


def verify(indices: list[int], signatures: list[bytes]) -> None:
    BLS12381.verify_payload(BLS12381.pack(signatures), DIGEST, PUBLIC_KEYS, indices)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
def test_a_secret_is_drawn_until_it_is_one_of_the_scheme(scheme: Scheme) -> None:
    drawn = iter([bytes(32), b"\xff" * 32, b"\x01" * 32, b"\x02" * 32])
    assert draw_secret(scheme, lambda length: next(drawn)[:length]) == b"\x01" * 32


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
def test_a_public_key_has_the_length_that_its_scheme_says(scheme: Scheme) -> None:
    key = scheme.signing_key(b"\x01" * 32)
    assert len(key.key) == scheme.public_key_length
    assert scheme.public_key(key.listed_key(bytes(32))) == key.key


def test_it_is_scheme_2() -> None:
    scheme: Scheme = BLS12381
    assert SCHEMES[2] is scheme
    assert (scheme.number, scheme.name) == (2, "bls12-381")


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(32), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_a_secret_is_a_word_below_the_order(secret: bytes) -> None:
    with pytest.raises(MalformedSecret):
        BLS12381.signing_key(secret)


@pytest.mark.parametrize("number", [1, ORDER - 1])
def test_the_ends_of_the_range_are_secrets(number: int) -> None:
    assert len(BLS12381.signing_key(number.to_bytes(32, "big")).key) == 192


def test_a_key_never_shows_its_secret() -> None:
    shown = f"{KEYS[0]!r} {KEYS[0]}"
    assert PUBLIC_KEYS[0].hex() in shown
    assert SECRETS[0].hex() not in shown
    assert not hasattr(KEYS[0], "__dict__")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_digests_are_words(length: int) -> None:
    with pytest.raises(MalformedDigest):
        KEYS[0].sign(bytes(length))


def test_a_listed_key_is_the_public_key_and_its_proof() -> None:
    listed = KEYS[0].listed_key(OPERATOR)
    assert len(listed) == 288
    assert [length for length in range(300) if BLS12381.is_well_formed_key(bytes(length))] == [288]
    assert BLS12381.public_key(listed) == PUBLIC_KEYS[0] == listed[:PUBLIC_KEY_LENGTH]
    assert BLS12381.is_proven_key(listed, OPERATOR)


def test_opposite_keys_share_their_distinct_part() -> None:
    assert opposite(PUBLIC_KEYS[0]) != PUBLIC_KEYS[0]
    assert BLS12381.distinct_part(opposite(PUBLIC_KEYS[0])) == BLS12381.distinct_part(PUBLIC_KEYS[0])
    assert len({BLS12381.distinct_part(key) for key in PUBLIC_KEYS}) == 4


def test_the_payload_is_one_signature_whoever_signed() -> None:
    assert {BLS12381.payload_length(count) for count in (0, 1, 256)} == {96}
    assert BLS12381.pack([GOOD]) == GOOD
    assert BLS12381.unpack(GOOD) == ()
    verify([0], [GOOD])
    verify([0, 2, 3], [KEYS[index].sign(DIGEST) for index in (0, 2, 3)])
    assert BLS12381.pack([]) == IDENTITY


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\x00",
        GOOD[:48],
        IDENTITY,
        G1_OUTSIDE,
        lifted(GOOD, 0),
        lifted(GOOD, 1),
        GOOD[:-1] + bytes((GOOD[-1] ^ 1,)),
        *(flagged(GOOD, flag) for flag in (0x80, 0x40, 0x20)),
        *(flagged(IDENTITY, flag) for flag in (0x80, 0x40, 0xC0)),
    ],
    ids=range(15),
)
def test_security_what_is_no_point_of_the_group_is_no_signature(signature: bytes) -> None:
    """SECURITY: neither packed with others', nor taken as their sum; a signature has one form."""
    with pytest.raises(MalformedSignature):
        BLS12381.pack([GOOD, signature])
    with pytest.raises(ForgedAggregate):
        BLS12381.verify_payload(signature, DIGEST, PUBLIC_KEYS, [0])


def test_security_a_sum_is_of_exactly_the_signers_named() -> None:
    """SECURITY: the bitmap decides whose weight counts."""
    signatures = [key.sign(DIGEST) for key in KEYS]
    for indices, given in (([0, 1], [0]), ([0], [0, 1]), ([0, 1], [0, 2]), ([0, 1], [0, 0]), ([0, 1], [0, 1, 1])):
        with pytest.raises(ForgedAggregate):
            verify(indices, [signatures[index] for index in given])
    with pytest.raises(ForgedAggregate):
        verify([0], [opposite(GOOD)])
    with pytest.raises(ForgedAggregate):
        verify([0], [KEYS[0].sign(hash_of("another digest"))])


def test_security_nobody_signs_nothing() -> None:
    """SECURITY: the library's bare pairing check takes a key and a signature that are both the identity."""
    assert GT.pairing_check([G1Point.identity(), G1Point()], [G2Point(), G2Point.identity()])
    for payload in (IDENTITY, GOOD):
        with pytest.raises(ForgedAggregate):
            BLS12381.verify_payload(payload, DIGEST, PUBLIC_KEYS, [])
        with pytest.raises(ForgedAggregate):
            BLS12381.verify_payload(payload, DIGEST, [bytes(192)], [0])


def test_security_secrets_that_sum_to_zero_sign_nothing_together() -> None:
    """SECURITY: their sum is the identity, though each of the keys is proven and none the opposite of another."""
    keys = [BLS12381.signing_key(secret) for secret in zero_sum_secrets()]
    payload = BLS12381.pack([key.sign(DIGEST) for key in keys[:3]])
    assert payload == IDENTITY
    with pytest.raises(ForgedAggregate):
        BLS12381.verify_payload(payload, DIGEST, [key.key for key in keys], [0, 1, 2])


@pytest.mark.parametrize(
    "key", [bytes(192), g2_outside(), lifted(PUBLIC_KEYS[0], 1), flagged(PUBLIC_KEYS[0], 0x80), PUBLIC_KEYS[0][:-1]]
)
def test_security_what_is_no_point_of_the_group_is_no_key(key: bytes) -> None:
    """SECURITY: neither with a proof, nor in a sum with others."""
    assert not BLS12381.is_proven_key(key + KEYS[0].listed_key(OPERATOR)[192:], OPERATOR)
    with pytest.raises(ForgedAggregate):
        BLS12381.verify_payload(GOOD, DIGEST, [PUBLIC_KEYS[0], key], [0, 1])


def test_security_a_proof_is_for_one_key_and_one_operator() -> None:
    """SECURITY: else a key could be listed by who does not hold it."""
    proof, other = (key.listed_key(OPERATOR)[PUBLIC_KEY_LENGTH:] for key in KEYS[:2])
    assert not BLS12381.is_proven_key(PUBLIC_KEYS[0] + proof, hash_of("another operator"))
    assert not BLS12381.is_proven_key(PUBLIC_KEYS[0] + other, OPERATOR)
    for forged in (IDENTITY, opposite(proof), G1_OUTSIDE, KEYS[0].sign(DIGEST)):
        assert not BLS12381.is_proven_key(PUBLIC_KEYS[0] + forged, OPERATOR)


def test_security_a_rogue_key_signs_for_all_and_no_set_lists_it() -> None:
    """SECURITY: a key made from the others' makes one signature pass for all four. It cannot be proven."""
    (secret,) = bls_secrets("rogue", 1)
    alone = BLS12381.signing_key(secret).sign(DIGEST)
    BLS12381.verify_payload(alone, DIGEST, [*PUBLIC_KEYS[:3], rogue_key(PUBLIC_KEYS[:3], secret)], range(4))
    with pytest.raises(UnprovenKey) as caught:
        verify_rules(rogue_set(), DEPLOYED_AT)
    assert caught.value.index == 3
    verify_rules(BLS_FOUR, DEPLOYED_AT)


def test_a_signer_is_found_by_its_public_key() -> None:
    assert [BLS_FOUR.index_of(key) for key in PUBLIC_KEYS] == [0, 1, 2, 3]
    assert BLS_FOUR.keys == tuple(PUBLIC_KEYS)
    assert BLS_FOUR.index_of(BLS_FOUR.signers[0].key) is None


def test_security_a_bad_attestation_spoils_no_certificate() -> None:
    """SECURITY: each is verified before it is added, so one liar cannot keep a quorum from its certificate."""
    quorum = Quorum(BATCH, BLS_FOUR)
    forged: list[Attestation] = [
        Attestation(BATCH, 2, KEYS[1].sign(BATCH.digest())),
        Attestation(BATCH, 2, KEYS[2].sign(DIGEST)),
        Attestation(BATCH, 2, G1_OUTSIDE),
        Attestation(BATCH, 2, IDENTITY),
    ]
    for attestation in forged:
        with pytest.raises((SignatureError, MalformedSignature)):
            verify_attestation(attestation, BLS_FOUR)
    with pytest.raises(UnknownSigner):
        verify_attestation(Attestation(BATCH, 4, GOOD), BLS_FOUR)
    for index in (3, 1, 0):
        quorum = quorum.add(verify_attestation(sign_batch(BATCH, index, KEYS[index]), BLS_FOUR))
    certificate = quorum.certificate()
    assert certificate.signer_indices == (0, 1, 3)
    assert certificate.signatures == {}
    epochs = Epochs(2).apply(1, BLS_FOUR, DEPLOYED_AT)
    assert verify_certificate(BATCH.gateway, BATCH.root, 5, certificate.to_bytes(), epochs, DEPLOYED_AT) == 1


def test_a_certificate_is_by_all_who_signed() -> None:
    """Who is missing costs gas, who signed costs none."""
    quorum = Quorum(BATCH, BLS_FOUR)
    for index, key in enumerate(KEYS):
        quorum = quorum.add(VerifiedAttestation(sign_batch(BATCH, index, key)))
    assert quorum.certificate().signer_indices == (0, 1, 2, 3)


def test_a_certificate_has_145_bytes() -> None:
    fixture = bls_fixtures()["bls 67 of 100"]
    assert {len(fixture.certify(indices).to_bytes()) for indices in (range(67), range(100))} == {145}
