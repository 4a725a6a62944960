"""Vectors of certificates: verifiers in their second epoch, what they take, and every way to be refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import coincurve

from attestation.batch import Batch, sign_batch
from attestation.certificate import Certificate, build_certificate
from attestation.domain import chain_tag
from attestation.merkle import merkle_root
from attestation.schemes import BLS12381, SECP256K1, Scheme
from attestation.schemes.secp256k1 import ORDER
from attestation.signer_set import signer_set_hash
from attestation.statement import Rotate
from tests.vectors.examples import (
    BLS_FOUR,
    DEPLOYED_AT,
    FOUR,
    GRACE_SECONDS,
    ROTATED_AT,
    UINT64_MAX,
    VALID_UNTIL,
    account_of,
    bls_secrets,
    error_data,
    example_leaves,
    example_secrets,
    hash_of,
    set_json,
    set_of_secrets,
    text_of,
)

FIRST_SETS: Final = {
    SECP256K1.number: (FOUR, example_secrets("four", 4)),
    BLS12381.number: (BLS_FOUR, bls_secrets("four", 4)),
}


class Fixture:
    """A verifier in its second epoch, and certificates for it.

    Its first set is three of four. Epoch 1 ends at ROTATED_AT + GRACE_SECONDS, and `NOW` is before that.
    """

    NOW = ROTATED_AT + 1
    AFTER_GRACE = ROTATED_AT + GRACE_SECONDS + 1

    def __init__(
        self,
        name: str,
        secrets: Sequence[bytes],
        weights: Sequence[int],
        threshold: int,
        scheme: Scheme = SECP256K1,
    ) -> None:
        self.name = name
        self.scheme = scheme
        self.gateway = account_of(31337, f"gateway {name}")
        first, first_secrets = FIRST_SETS[scheme.number]
        self.sets = (first, set_of_secrets(secrets, weights, threshold, scheme))
        self.secrets = (first_secrets, list(secrets))
        self.leaves = example_leaves(5)
        self.root = merkle_root(self.leaves)

    def batch(self, epoch: int, **changes: Any) -> Batch:
        return Batch(**{"gateway": self.gateway, "root": self.root, "count": 5, "epoch": epoch, **changes})

    def sign(self, batch: Batch, indices: Sequence[int]) -> dict[int, bytes]:
        secrets = self.secrets[batch.epoch - 1]
        return {index: sign_batch(batch, index, self.scheme.signing_key(secrets[index])).signature for index in indices}

    def certify(self, indices: Sequence[int], *, epoch: int = 2) -> Certificate:
        batch = self.batch(epoch)
        return build_certificate(batch, self.scheme.number, self.sign(batch, indices))

    def rotation(self) -> Certificate:
        leaf = Rotate(signer_set_hash(self.sets[1]), 2).leaf
        batch = Batch.of_leaves(self.gateway, [leaf], 1)
        return build_certificate(batch, self.scheme.number, self.sign(batch, range(4)))

    def verifier_json(self) -> dict[str, Any]:
        rotate = Rotate(signer_set_hash(self.sets[1]), 2)
        return {
            "name": self.name,
            "gateway": text_of(self.gateway),
            "chainId": 31337,
            "gatewayAddress": text_of(self.gateway[-20:]),
            "appliedAt": [DEPLOYED_AT, ROTATED_AT],
            "sets": [set_json(signer_set) for signer_set in self.sets],
            "secrets": [[text_of(secret) for secret in secrets] for secrets in self.secrets],
            "rotationLeaf": text_of(rotate.leaf),
            "rotationCertificate": text_of(self.rotation().to_bytes()),
        }


def fixtures() -> dict[str, Fixture]:
    """The verifiers of certificates.json."""
    return {
        fixture.name: fixture
        for fixture in (
            Fixture("three of four", example_secrets("four, later", 4), [1] * 4, 3),
            Fixture("thirteen of nineteen", example_secrets("nineteen", 19), [1] * 19, 13),
            Fixture("weighted", example_secrets("weighted", 4), [10, 20, 30, 15], 51),
            _high_s_fixture(),
        )
    }


HIGH_S: Final = ORDER // 2 + 1
"""The lowest high s. A compact signature holds s in 255 bits, so hardly any high s has a form at all: this one has."""

_HIGH_S_NONCE: Final = hash_of("nonce of the high s signature")


def _high_s_fixture() -> Fixture:
    """A verifier whose signer 0 has a key made to fit a valid signature of its batch with a high s."""
    name, secrets = "high s", example_secrets("high s", 4)
    digest = Fixture(name, secrets, [1] * 4, 3).batch(2).digest()
    nonce = int.from_bytes(_HIGH_S_NONCE, "big")
    r = int.from_bytes(high_s_signature()[:32], "big")
    secrets[0] = ((HIGH_S * nonce - int.from_bytes(digest, "big")) * pow(r, -1, ORDER) % ORDER).to_bytes(32, "big")
    return Fixture(name, secrets, [1] * 4, 3)


def high_s_signature() -> bytes:
    """The valid signature with a high s, by signer 0 of the verifier "high s"."""
    point = coincurve.PrivateKey(_HIGH_S_NONCE).public_key.format(compressed=False)
    return point[1:33] + ((point[64] & 1) << 255 | HIGH_S).to_bytes(32, "big")


class _Rejections:
    """Every way to be refused by the verifier of three of four, and which error comes first where two apply."""

    def __init__(self, fixture: Fixture) -> None:
        self.fixture = fixture
        self.cases: list[dict[str, Any]] = []
        self.good = fixture.certify([0, 1, 3])
        self.signatures = [self.good.payload[start : start + 64] for start in range(0, 192, 64)]
        self.first_epoch = fixture.certify([0, 1, 2], epoch=1)
        other_batch = fixture.batch(2, gateway=account_of(31337, "another gateway"))
        self.foreign = build_certificate(other_batch, SECP256K1.number, fixture.sign(other_batch, [0, 1, 3]))
        self.other_chain_tag = chain_tag(account_of(31338, "gateway three of four"))
        self.add_malformed()
        self.add_misdirected()
        self.add_empty()
        self.add_epochs()
        self.add_signers()
        self.add_forged()
        self.add_light()

    def reject(
        self, name: str, certificate: Certificate | bytes, error: str, *arguments: int | bytes, **where: Any
    ) -> None:
        encoded = certificate if isinstance(certificate, bytes) else certificate.to_bytes()
        case = certificate_case(f"{error}: {name}", self.fixture, encoded, **where, error=error, arguments=arguments)
        self.cases.append(case)

    def add_malformed(self) -> None:
        data = self.good.to_bytes()
        self.reject("empty", b"", "MalformedCertificate")
        self.reject("header cut", data[:48], "MalformedCertificate")
        self.reject("cut by a byte", data[:-1], "MalformedCertificate")
        self.reject("cut by a signature", data[:-64], "MalformedCertificate")
        self.reject("a byte after it", data + b"\x00", "MalformedCertificate")
        self.reject("a signature after it", data + self.signatures[0], "MalformedCertificate")
        self.reject("a bit without a signature", replace(self.good, bitmap=0b1111), "MalformedCertificate")
        self.reject("and of another scheme", replace(self.good, scheme=2).to_bytes()[:-1], "MalformedCertificate")

    def add_misdirected(self) -> None:
        good, chain, gateway = self.good, self.other_chain_tag, self.foreign.gateway_tag
        elsewhere = replace(good, chain_tag=chain, gateway_tag=gateway)
        self.reject("scheme 2", replace(good, scheme=2), "WrongScheme", 2)
        self.reject("scheme 0", replace(good, scheme=0), "WrongScheme", 0)
        self.reject("and for another chain", replace(elsewhere, scheme=2), "WrongScheme", 2)
        self.reject("tag of another chain", replace(good, chain_tag=chain), "OtherChain", chain)
        self.reject("and another gateway", elsewhere, "OtherChain", chain)
        self.reject("tag of another gateway", self.foreign, "OtherGateway", gateway)
        self.reject("and a zero root", self.foreign, "OtherGateway", gateway, root=bytes(32))

    def add_empty(self) -> None:
        self.reject("no root", self.good, "ZeroRoot", root=bytes(32))
        self.reject("and no leaves", self.good, "ZeroRoot", root=bytes(32), count=0)
        self.reject("no leaves", self.good, "EmptyBatch", count=0)
        self.reject("and an unknown epoch", replace(self.good, epoch=3), "EmptyBatch", count=0)

    def add_epochs(self) -> None:
        late = Fixture.AFTER_GRACE
        self.reject("epoch 0", replace(self.good, epoch=0), "UnknownEpoch", 0)
        self.reject("epoch to come", replace(self.good, epoch=3), "UnknownEpoch", 3)
        self.reject("widest epoch", replace(self.good, epoch=UINT64_MAX), "UnknownEpoch", UINT64_MAX)
        self.reject("grace is over", self.first_epoch, "ExpiredEpoch", 1, now=late)
        self.reject("set is over", self.good, "ExpiredEpoch", 2, now=VALID_UNTIL + 1)
        unknown = replace(self.first_epoch, bitmap=0b10011)
        self.reject("and an unknown signer", unknown, "ExpiredEpoch", 1, now=late)

    def add_signers(self) -> None:
        good = self.good
        first, second, fourth = self.signatures
        self.reject("index 4", replace(good, bitmap=0b10011), "UnknownSigner", 4)
        self.reject("index 255", replace(good, bitmap=1 << 255 | 0b11), "UnknownSigner", 255)
        self.reject("the lowest of two", replace(good, bitmap=1 << 200 | 1 << 9 | 1), "UnknownSigner", 9)
        high = first[:32] + HIGH_S.to_bytes(32, "big")
        self.reject("and forged", replace(good, payload=high + second + fourth), "HighS", 0)
        self.reject("signature used twice", replace(good, payload=first * 2 + fourth), "RepeatedSigner", 1)
        self.reject("two swapped", replace(good, payload=second + first + fourth), "SignerOutOfOrder", 0)
        self.reject("a member in another's place", replace(good, bitmap=0b0111), "SignerOutOfOrder", 2)

    def add_forged(self) -> None:
        good = self.good
        first, second, fourth = self.signatures
        stranger = SECP256K1.signing_key(hash_of("xvm test key stranger 0"))
        foreign_signature = stranger.sign(self.fixture.batch(2).digest())
        rest = second + fourth

        def forge(name: str, payload: bytes, index: int) -> None:
            self.reject(name, replace(good, payload=payload), "ForgedSignature", index)

        forge("by a stranger", first + second + foreign_signature, 3)
        forge("zeros", bytes(192), 0)
        forge("r equal to the order", ORDER.to_bytes(32, "big") + first[32:] + rest, 0)
        forge("r that is no point's", (5).to_bytes(32, "big") + first[32:] + rest, 0)
        forge("s of zero", first[:32] + bytes(32) + rest, 0)
        forge("other parity", first[:32] + bytes((first[32] ^ 0x80,)) + first[33:] + rest, 0)
        self.reject("of another root", good, "ForgedSignature", 0, root=hash_of("another root"))
        self.reject("of another count", good, "ForgedSignature", 0, count=4)
        self.reject("of a count beyond a batch", good, "ForgedSignature", 0, count=257)
        self.reject("of another epoch", replace(self.first_epoch, epoch=2), "ForgedSignature", 0)
        retagged = replace(self.foreign, gateway_tag=good.gateway_tag)
        self.reject("of another gateway", retagged, "ForgedSignature", 0)
        light = replace(self.fixture.certify([0, 1]), payload=first + foreign_signature)
        self.reject("and too light", light, "ForgedSignature", 1)

    def add_light(self) -> None:
        self.reject("two of four", self.fixture.certify([1, 2]), "BelowThreshold", 2, 3)
        self.reject("nobody", self.fixture.certify([]), "BelowThreshold", 0, 3)


def certificate_case(
    name: str,
    fixture: Fixture,
    certificate: bytes,
    *,
    epoch: int = 0,
    root: bytes | None = None,
    count: int = 5,
    now: int = Fixture.NOW,
    error: str = "",
    arguments: tuple[int | bytes, ...] = (),
) -> dict[str, Any]:
    """One case, as the vector files hold it."""
    return {
        "name": name,
        "verifier": fixture.name,
        "root": text_of(fixture.root if root is None else root),
        "count": count,
        "now": now,
        "certificate": text_of(certificate),
        "epoch": epoch,
        "error": error,
        "errorData": text_of(error_data(error, *arguments)),
    }


def certificates() -> dict[str, Any]:
    """Verifiers, each with two epochs, and certificates that they take or refuse."""
    verifiers = fixtures()
    four, nineteen, weighted, high_s = verifiers.values()
    crafted = high_s.certify([0, 1, 2])
    last_second = ROTATED_AT + GRACE_SECONDS
    cases = [
        certificate_case("three of four", four, four.certify([0, 1, 3]).to_bytes(), epoch=2),
        certificate_case("four of four", four, four.certify([0, 1, 2, 3]).to_bytes(), epoch=2),
        certificate_case("former epoch in grace", four, four.certify([1, 2, 3], epoch=1).to_bytes(), epoch=1),
        certificate_case(
            "former epoch in its last second",
            four,
            four.certify([1, 2, 3], epoch=1).to_bytes(),
            epoch=1,
            now=last_second,
        ),
        certificate_case(
            "epoch in its last second", four, four.certify([0, 2, 3]).to_bytes(), epoch=2, now=VALID_UNTIL
        ),
        certificate_case("thirteen of nineteen", nineteen, nineteen.certify(range(3, 16)).to_bytes(), epoch=2),
        certificate_case(
            "thirteen, scattered", nineteen, nineteen.certify([*range(0, 19, 2), 1, 9, 17]).to_bytes(), epoch=2
        ),
        certificate_case("nineteen of nineteen", nineteen, nineteen.certify(range(19)).to_bytes(), epoch=2),
        certificate_case("weight 60 of 75", weighted, weighted.certify([0, 1, 2]).to_bytes(), epoch=2),
        certificate_case("low s, by who can sign with a high one", high_s, crafted.to_bytes(), epoch=2),
        *_Rejections(four).cases,
        certificate_case(
            "HighS: valid but for that",
            high_s,
            replace(crafted, payload=high_s_signature() + crafted.payload[64:]).to_bytes(),
            error="HighS",
            arguments=(0,),
        ),
        certificate_case(
            "BelowThreshold: twelve of nineteen",
            nineteen,
            nineteen.certify(range(12)).to_bytes(),
            error="BelowThreshold",
            arguments=(12, 13),
        ),
        certificate_case(
            "BelowThreshold: weight 50 of 75, threshold 51",
            weighted,
            weighted.certify([1, 2]).to_bytes(),
            error="BelowThreshold",
            arguments=(50, 51),
        ),
    ]
    return {
        "description": "verifiers after sets[1] replaced sets[0]; error is empty, or names what verify raises",
        "verifiers": [fixture.verifier_json() for fixture in verifiers.values()],
        "cases": cases,
    }
