"""Vectors of scheme 2: its points, its signer sets, its certificates, and every way in which they can be wrong."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from attestation.certificate import Certificate, build_certificate
from attestation.domain import chain_tag
from attestation.schemes import BLS12381, SECP256K1
from attestation.schemes.bls12381 import (
    FIELD_LENGTH,
    ORDER,
    PROOF_TAG,
    PUBLIC_KEY_LENGTH,
    SIGNATURE_LENGTH,
    SIGNATURE_TAG,
    Bls12381SigningKey,
)
from attestation.signer_set import SignerSet
from tests.vectors.certificate_vectors import Fixture, certificate_case
from tests.vectors.examples import (
    BLS_FOUR,
    DEPLOYED_AT,
    VALID_UNTIL,
    account_of,
    bls_secrets,
    hash_of,
    set_of_secrets,
    text_of,
)
from tests.vectors.signer_vectors import signer_set_cases, with_signer

P: Final = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
"""The field's modulus."""

IDENTITY: Final = bytes(SIGNATURE_LENGTH)
"""How the precompiles write the identity of G1."""

G1_OUTSIDE: Final = bytes(FIELD_LENGTH) + (2).to_bytes(FIELD_LENGTH, "big")
"""On the curve, y² = x³ + 4, and of order 3."""


def g2_outside() -> bytes:
    """A point of the curve of G2 that is not in the group: that with the least real x that has one."""
    for x in range(1, 100):
        y = _fp2_root((x**3 + 4, 4))
        if y is not None:
            return b"".join(number.to_bytes(FIELD_LENGTH, "big") for number in (x, 0, *y))
    raise AssertionError


def _fp2_root(square: tuple[int, int]) -> tuple[int, int] | None:
    """A root of a + bi in the field with i² = -1, if there is one."""
    a, b = square
    norm = pow(a * a + b * b, (P + 1) // 4, P)
    for sign in (1, -1):
        half = (a + sign * norm) * pow(2, -1, P) % P
        real = pow(half, (P + 1) // 4, P)
        if real and real * real % P == half:
            imaginary = b * pow(2 * real, -1, P) % P
            if (real * real - imaginary * imaginary - a) % P == 0:
                return real, imaginary
    return None


def opposite(point: bytes) -> bytes:
    """The point with its y negated."""
    half = len(point) // 2
    numbers = [point[start : start + FIELD_LENGTH] for start in range(half, 2 * half, FIELD_LENGTH)]
    return point[:half] + b"".join(
        (-int.from_bytes(number, "big") % P).to_bytes(FIELD_LENGTH, "big") for number in numbers
    )


def lifted(point: bytes, place: int) -> bytes:
    """The point with coordinate `place` written as itself plus the modulus: the same number, in another form."""
    start = place * FIELD_LENGTH
    number = int.from_bytes(point[start : start + FIELD_LENGTH], "big") + P
    return point[:start] + number.to_bytes(FIELD_LENGTH, "big") + point[start + FIELD_LENGTH :]


def flagged(point: bytes, flag: int) -> bytes:
    """The point with a bit set that means something in the compressed form."""
    return bytes((point[0] | flag,)) + point[1:]


def rogue_key(others: Sequence[bytes], secret: bytes) -> bytes:
    """A public key that makes the sum of it and the others' the public key of `secret`, whose holder signs for all."""
    total = Bls12381SigningKey(secret).key
    key = G2Point.from_xy_bytes_be(total)
    for other in others:
        key -= G2Point.from_xy_bytes_be(other)
    return key.to_xy_bytes_be()


def rogue_set() -> SignerSet:
    """`BLS_FOUR`, its last key made from the others', with the best proof that its operator can give."""
    (secret,) = bls_secrets("rogue", 1)
    member = BLS_FOUR.signers[3]
    key = rogue_key(BLS_FOUR.keys[:3], secret)
    proof = G1Point.hash_to_curve(key + member.operator, PROOF_TAG) * Scalar.from_be_bytes(secret)
    return with_signer(BLS_FOUR, 3, key=key + proof.to_xy_bytes_be())


def zero_sum_secrets() -> list[bytes]:
    """Four secrets, the first three of which sum to zero: each proven, none the opposite of another."""
    first, second, _, fourth = bls_secrets("zero sum", 4)
    third = (-int.from_bytes(first, "big") - int.from_bytes(second, "big")) % ORDER
    return [first, second, third.to_bytes(32, "big"), fourth]


def bls12381() -> dict[str, Any]:
    """Keys, and what they sign, as points."""
    cases = list(zip(bls_secrets("point", 6), (hash_of(f"digest {index}") for index in range(6)), strict=True))
    cases.append(((1).to_bytes(32, "big"), bytes(32)))
    cases.append(((ORDER - 1).to_bytes(32, "big"), b"\xff" * 32))
    keys = [BLS12381.signing_key(secret) for secret, _ in cases]
    operators = [hash_of(f"operator {index}") for index in range(len(cases))]
    return {
        "description": "points without padding: G1 x, y; G2 x.c0, x.c1, y.c0, y.c1; proof signs publicKey ‖ operator",
        "signatureTag": SIGNATURE_TAG.decode(),
        "proofTag": PROOF_TAG.decode(),
        "secret": [text_of(secret) for secret, _ in cases],
        "publicKey": [text_of(key.key) for key in keys],
        "digest": [text_of(digest) for _, digest in cases],
        "messagePoint": [text_of(G1Point.hash_to_curve(digest, SIGNATURE_TAG).to_xy_bytes_be()) for _, digest in cases],
        "signature": [text_of(key.sign(digest)) for key, (_, digest) in zip(keys, cases, strict=True)],
        "operator": [text_of(operator) for operator in operators],
        "proof": [
            text_of(key.listed_key(operator)[PUBLIC_KEY_LENGTH:]) for key, operator in zip(keys, operators, strict=True)
        ],
    }


def bls_set(name: str, weights: Sequence[int], threshold: int) -> SignerSet:
    """The set of the first `bls_secrets` with this name."""
    return set_of_secrets(bls_secrets(name, len(weights)), weights, threshold, BLS12381)


def example_bls_signer_sets() -> dict[str, SignerSet]:
    """Sets of scheme 2 that keep all rules, and one for each rule that breaks it."""
    first, second = BLS_FOUR.signers[:2]
    public, proof = first.key[:PUBLIC_KEY_LENGTH], first.key[PUBLIC_KEY_LENGTH:]
    operator = first.operator

    def with_key(key: bytes, index: int = 0) -> SignerSet:
        return with_signer(BLS_FOUR, index, key=key)

    def reproven(secret: bytes) -> bytes:
        return BLS12381.signing_key(secret).listed_key(BLS_FOUR.signers[3].operator)

    secret = bls_secrets("four", 1)[0]
    negated = (ORDER - int.from_bytes(secret, "big")).to_bytes(32, "big")
    return {
        "three of four": BLS_FOUR,
        "67 of 100": bls_set("hundred", [1] * 100, 67),
        "127 signers": bls_set("hundred", [1] * 127, 64),
        "full": bls_set("full", [1] * 256, 171),
        "weighted": bls_set("weighted", [10, 20, 30, 15], 51),
        "zero sum": set_of_secrets(zero_sum_secrets(), [1] * 4, 3, BLS12381),
        "another scheme": replace(BLS_FOUR, scheme=SECP256K1.number),
        "nobody": replace(BLS_FOUR, threshold=1, signers=()),
        "key without proof": with_key(public, 1),
        "key of 289 bytes": with_key(first.key + b"\x00", 1),
        "address as key": with_key(hash_of("address")[12:], 2),
        "zero key": with_key(bytes(288), 2),
        "zero key with a proof": with_key(bytes(PUBLIC_KEY_LENGTH) + proof),
        "repeated key": with_key(reproven(secret), 3),
        "opposite key": with_key(reproven(negated), 3),
        "zero weight": bls_set("four", [1, 1, 0, 1], 3),
        "threshold of half": bls_set("four", [1] * 4, 2),
        "one heavy signer": bls_set("four", [1, 1, 1, 4], 4),
        "expired on registering": replace(BLS_FOUR, valid_until=DEPLOYED_AT),
        "expired, and unproven": replace(with_key(public + IDENTITY), valid_until=DEPLOYED_AT),
        "rogue key": rogue_set(),
        "no proof": with_key(public + IDENTITY),
        "another's proof": with_key(public + second.key[PUBLIC_KEY_LENGTH:]),
        "proof for another operator": with_signer(BLS_FOUR, 2, operator=hash_of("thief")),
        "opposite proof": with_key(public + opposite(proof)),
        "proof outside the subgroup": with_key(public + G1_OUTSIDE),
        "proof off the curve": with_key(public + proof[:-1] + bytes((proof[-1] ^ 1,))),
        "proof in another form": with_key(public + lifted(proof, 1)),
        "proof flagged": with_key(public + flagged(proof, 0x80)),
        "signature as proof": with_key(
            public
            + (G1Point.hash_to_curve(public + operator, SIGNATURE_TAG) * Scalar.from_be_bytes(secret)).to_xy_bytes_be()
        ),
        "key outside the subgroup": with_key(g2_outside() + proof),
        "key off the curve": with_key(public[:-1] + bytes((public[-1] ^ 1,)) + proof),
        "key with an x of zero and a y": with_key(bytes(96) + public[96:] + proof),
        "key in another form": with_key(lifted(public, 1) + proof),
        "key flagged": with_key(flagged(public, 0x20) + proof),
        "opposite key, with the key's proof": with_key(opposite(public) + proof),
        "coordinates swapped": with_key(public[48:96] + public[:48] + public[144:] + public[96:144] + proof),
    }


def bls_signer_sets() -> dict[str, Any]:
    """Sets of scheme 2."""
    return {
        "description": "sets as registered at `now` by a verifier of scheme 2; error is empty or names the rule",
        "now": DEPLOYED_AT,
        "cases": signer_set_cases(BLS12381.number, example_bls_signer_sets()),
    }


def bls_fixtures() -> dict[str, Fixture]:
    """The verifiers of bls_certificates.json."""
    return {
        fixture.name: fixture
        for fixture in (
            Fixture("bls three of four", bls_secrets("four, later", 4), [1] * 4, 3, BLS12381),
            Fixture("bls 67 of 100", bls_secrets("hundred", 100), [1] * 100, 67, BLS12381),
            Fixture("bls full", bls_secrets("full", 256), [1] * 256, 171, BLS12381),
            Fixture("bls weighted", bls_secrets("weighted", 4), [10, 20, 30, 15], 51, BLS12381),
            Fixture("bls zero sum", zero_sum_secrets(), [1] * 4, 3, BLS12381),
        )
    }


def _rejections(fixture: Fixture) -> list[dict[str, Any]]:
    good = fixture.certify([0, 1, 3])
    data, payload = good.to_bytes(), good.payload
    first_epoch = fixture.certify([0, 1, 2], epoch=1)
    other = fixture.batch(2, gateway=account_of(31337, "another gateway"))
    foreign = build_certificate(other, BLS12381.number, fixture.sign(other, [0, 1, 3]))
    chain = chain_tag(account_of(31338, "gateway three of four"))
    one = fixture.certify([0]).payload
    cases: list[tuple[str, bytes | Certificate, str, tuple[int | bytes, ...], dict[str, Any]]] = [
        ("empty", b"", "MalformedCertificate", (), {}),
        ("header cut", data[:48], "MalformedCertificate", (), {}),
        ("no payload", data[:49], "MalformedCertificate", (), {}),
        ("cut by a byte", data[:-1], "MalformedCertificate", (), {}),
        ("a byte after it", data + b"\x00", "MalformedCertificate", (), {}),
        ("compressed", data[:49] + flagged(payload[:48], 0x80), "MalformedCertificate", (), {}),
        ("scheme 1", replace(good, scheme=1), "WrongScheme", (1,), {}),
        ("tag of another chain", replace(good, chain_tag=chain), "OtherChain", (chain,), {}),
        ("tag of another gateway", foreign, "OtherGateway", (foreign.gateway_tag,), {}),
        ("no root", good, "ZeroRoot", (), {"root": bytes(32)}),
        ("no leaves", good, "EmptyBatch", (), {"count": 0}),
        ("epoch to come", replace(good, epoch=3), "UnknownEpoch", (3,), {}),
        ("grace is over", first_epoch, "ExpiredEpoch", (1,), {"now": Fixture.AFTER_GRACE}),
        ("set is over", good, "ExpiredEpoch", (2,), {"now": VALID_UNTIL + 1}),
        ("index 4", replace(good, bitmap=0b11011), "UnknownSigner", (4,), {}),
        ("the lowest of two", replace(good, bitmap=1 << 255 | 1 << 9 | 0b111), "UnknownSigner", (9,), {}),
        ("one more than signed", replace(good, bitmap=0b1111), "ForgedAggregate", (), {}),
        ("one less than signed", replace(good, bitmap=0b0011), "ForgedAggregate", (), {}),
        ("others than signed", replace(good, bitmap=0b0111), "ForgedAggregate", (), {}),
        ("nobody, identity", replace(good, bitmap=0, payload=IDENTITY), "ForgedAggregate", (), {}),
        ("nobody", replace(good, bitmap=0), "ForgedAggregate", (), {}),
        ("identity", replace(good, payload=IDENTITY), "ForgedAggregate", (), {}),
        ("one for three", replace(good, payload=one), "ForgedAggregate", (), {}),
        ("signed twice by one", replace(good, payload=BLS12381.pack([payload, one])), "ForgedAggregate", (), {}),
        ("opposite", replace(good, payload=opposite(payload)), "ForgedAggregate", (), {}),
        ("outside the subgroup", replace(good, payload=G1_OUTSIDE), "ForgedAggregate", (), {}),
        ("off the curve", replace(good, payload=payload[:-1] + bytes((payload[-1] ^ 1,))), "ForgedAggregate", (), {}),
        ("x in another form", replace(good, payload=lifted(payload, 0)), "ForgedAggregate", (), {}),
        ("y in another form", replace(good, payload=lifted(payload, 1)), "ForgedAggregate", (), {}),
        *(
            (f"flag {flag:#x}", replace(good, payload=flagged(payload, flag)), "ForgedAggregate", (), {})
            for flag in (0x80, 0x40, 0x20)
        ),
        ("identity, flagged", replace(good, payload=flagged(IDENTITY, 0x40)), "ForgedAggregate", (), {}),
        ("of another root", good, "ForgedAggregate", (), {"root": hash_of("another root")}),
        ("of another count", good, "ForgedAggregate", (), {"count": 4}),
        ("of another epoch", replace(first_epoch, epoch=2), "ForgedAggregate", (), {}),
        ("of another gateway", replace(foreign, gateway_tag=good.gateway_tag), "ForgedAggregate", (), {}),
        ("two of four", fixture.certify([1, 2]), "BelowThreshold", (2, 3), {}),
    ]
    return [
        certificate_case(
            f"{error}: {name}",
            fixture,
            certificate if isinstance(certificate, bytes) else certificate.to_bytes(),
            error=error,
            arguments=arguments,
            **where,
        )
        for name, certificate, error, arguments, where in cases
    ]


def bls_certificates() -> dict[str, Any]:
    """Verifiers of scheme 2, each with two epochs, and certificates that they take or refuse."""
    verifiers = bls_fixtures()
    four, hundred, full, weighted, zero_sum = verifiers.values()
    nothing = replace(zero_sum.certify([0, 1, 2]), payload=IDENTITY)

    def good(name: str, fixture: Fixture, indices: Sequence[int], epoch: int = 2) -> dict[str, Any]:
        return certificate_case(name, fixture, fixture.certify(indices, epoch=epoch).to_bytes(), epoch=epoch)

    return {
        "description": "verifiers after sets[1] replaced sets[0]; error is empty, or names what verify raises",
        "verifiers": [fixture.verifier_json() for fixture in verifiers.values()],
        "cases": [
            good("three of four", four, [0, 1, 3]),
            good("four of four", four, range(4)),
            good("former epoch in grace", four, [1, 2, 3], 1),
            good("67 of 100", hundred, range(33, 100)),
            good("67 of 100, scattered", hundred, [*range(0, 100, 2), *range(1, 34, 2)]),
            good("100 of 100", hundred, range(100)),
            good("171 of 256", full, range(85, 256)),
            good("171 of 256, the last ones missing", full, range(171)),
            good("255 of 256", full, [index for index in range(256) if index != 126]),
            good("weight 60 of 75", weighted, [0, 1, 2]),
            good("three that sum to zero, and one more", zero_sum, range(4)),
            good("two of the three that sum to zero, and one more", zero_sum, [0, 1, 3]),
            *_rejections(four),
            certificate_case(
                "ForgedAggregate: three that sum to zero sign anything by nothing",
                zero_sum,
                nothing.to_bytes(),
                root=hash_of("anything"),
                error="ForgedAggregate",
            ),
            certificate_case(
                "BelowThreshold: 66 of 100",
                hundred,
                hundred.certify(range(66)).to_bytes(),
                error="BelowThreshold",
                arguments=(66, 67),
            ),
            certificate_case(
                "BelowThreshold: weight 50 of 75, threshold 51",
                weighted,
                weighted.certify([1, 2]).to_bytes(),
                error="BelowThreshold",
                arguments=(50, 51),
            ),
        ],
    }
