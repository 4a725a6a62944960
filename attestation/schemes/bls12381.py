"""Scheme 2, `bls12-381`: one aggregate signature of 96 bytes, whoever signed. It pays from some 32 signers on.

Keys are points of G2, signatures points of G1 (the minimal-signature variant): a verifier reads keys once an epoch and
signatures always. Both travel uncompressed, big-endian and without padding, as EIP-2537 orders their coordinates:
G1 is x ‖ y, G2 is x.c0 ‖ x.c1 ‖ y.c0 ‖ y.c1, 48 bytes each. A chain would pay dearly for decompressing, and so there
are no flag bits that could be set otherwise. The identity has no encoding here: nobody may use it.

A signer set lists public key ‖ proof of possession. The proof is the key's signature, under a tag of its own, of public
key ‖ operator. SECURITY: without it a member could list a key made from the others' keys, and sign alone for all; as it
covers the operator, nobody can list a foreign key as its own.

It must not touch the library's `*_unchecked` functions: SECURITY: they let points outside the subgroup pass.

Source: draft-irtf-cfrg-bls-signature (proof-of-possession scheme), RFC 9380 (BLS12381G1_XMD:SHA-256_SSWU_RO_),
EIP-2537.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from attestation.errors import ForgedAggregate, MalformedDigest, MalformedSecret, MalformedSignature

SECRET_LENGTH: Final = 32
DIGEST_LENGTH: Final = 32
FIELD_LENGTH: Final = 48
SIGNATURE_LENGTH: Final = 2 * FIELD_LENGTH
PUBLIC_KEY_LENGTH: Final = 4 * FIELD_LENGTH
KEY_LENGTH: Final = PUBLIC_KEY_LENGTH + SIGNATURE_LENGTH
"""Bytes of a key as signer sets list it: public key ‖ proof of possession."""

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Order of the groups."""

SIGNATURE_TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
PROOF_TAG: Final = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"

_X_LENGTH: Final = 2 * FIELD_LENGTH
_KEYS_REMEMBERED: Final = 1024  # four full sets: two epochs of two gateways that share no signer
_DIGESTS_REMEMBERED: Final = 1024  # a batch's digest is looked at once for each signer


class Bls12381SigningKey:
    """A private key of scheme 2. Raises `MalformedSecret` unless the secret is 32 bytes in 1 to order - 1.

    The library's multiplication takes a time that depends on the secret: whoever can measure single signatures on the
    same machine might learn from it.
    """

    __slots__ = ("_scalar", "key")

    def __init__(self, secret: bytes) -> None:
        # Checked here: the library takes zero.
        if len(secret) != SECRET_LENGTH or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise MalformedSecret("a BLS12-381 secret is 32 bytes, above 0 and below the order")
        self._scalar = Scalar.from_be_bytes(secret)
        self.key = (G2Point() * self._scalar).to_xy_bytes_be()

    def listed_key(self, operator: bytes) -> bytes:
        """Public key ‖ proof that this operator (32 bytes) holds its secret: 288 bytes."""
        proof = G1Point.hash_to_curve(self.key + operator, PROOF_TAG) * self._scalar
        return self.key + proof.to_xy_bytes_be()

    def sign(self, digest: bytes) -> bytes:
        """The 96-byte signature of a 32-byte digest. There is one only. Raises `MalformedDigest`."""
        _require_digest(digest)
        return (_message_point(digest) * self._scalar).to_xy_bytes_be()

    def __repr__(self) -> str:
        return f"Bls12381SigningKey(key=0x{self.key.hex()})"


class Bls12381Scheme:
    """Scheme 2. Stateless: use `BLS12381`."""

    number: ClassVar[int] = 2
    name: ClassVar[str] = "bls12-381"
    public_key_length: ClassVar[int] = PUBLIC_KEY_LENGTH
    every_signature_costs: ClassVar[bool] = False

    def signing_key(self, secret: bytes) -> Bls12381SigningKey:
        """The key of a 32-byte secret. Raises `MalformedSecret`."""
        return Bls12381SigningKey(secret)

    def is_well_formed_key(self, key: bytes) -> bool:
        """Whether the key is 288 bytes."""
        return len(key) == KEY_LENGTH

    def public_key(self, key: bytes) -> bytes:
        """The first 192 bytes."""
        return key[:PUBLIC_KEY_LENGTH]

    def distinct_part(self, key: bytes) -> bytes:
        """The point's x, 96 bytes, which the opposite key shares.

        SECURITY: opposite keys cancel out: with both in a certificate, neither would have signed.
        """
        return key[:_X_LENGTH]

    def is_proven_key(self, key: bytes, operator: bytes) -> bool:
        """Whether the public key is a point of the group, and the proof shows that `operator` holds its secret."""
        return _is_proven(key[:PUBLIC_KEY_LENGTH], operator, key[PUBLIC_KEY_LENGTH:])

    def payload_length(self, count: int) -> int:
        """96 bytes, whatever the count."""
        del count
        return SIGNATURE_LENGTH

    def pack(self, signatures: Sequence[bytes]) -> bytes:
        """The signatures' sum. Raises `MalformedSignature` for what is no point of the group.

        SECURITY: one wrong signature spoils the sum for all, so each has been verified alone.
        """
        points: list[G1Point] = []
        for signature in signatures:
            point = _signature_point(signature)
            if point is None:
                raise MalformedSignature(f"a signature is {SIGNATURE_LENGTH} bytes, a point of the group")
            points.append(point)
        return sum(points, G1Point.identity()).to_xy_bytes_be()

    def unpack(self, payload: bytes) -> tuple[bytes, ...]:
        """Nothing: a sum does not come apart."""
        del payload
        return ()

    def verify_payload(self, payload: bytes, digest: bytes, keys: Sequence[bytes], indices: Sequence[int]) -> None:
        """Check the sum against the sum of the signers' public keys, which a set has let in with their proofs.

        Raises:
            ForgedAggregate: not the sum of exactly these signers' signatures of `digest`.
        """
        signature = _signature_point(payload)
        key = _sum_of_keys(keys[index] for index in indices)
        # SECURITY: the pairing check takes a sum of identities for any message. Secrets that sum to zero give that key.
        if signature is None or key is None or key == G2Point.identity():
            raise ForgedAggregate
        if not _is_signature(signature, _message_point(digest), key):
            raise ForgedAggregate


BLS12381: Final = Bls12381Scheme()


def _sum_of_keys(public_keys: Iterable[bytes]) -> G2Point | None:
    """The sum, the identity for no keys, or None if one is no point of the group."""
    total = G2Point.identity()
    for public_key in public_keys:
        point = _key_point(public_key)
        if point is None:
            return None
        total += point
    return total


@lru_cache(maxsize=_KEYS_REMEMBERED)
def _key_point(public_key: bytes) -> G2Point | None:
    """The point of 192 bytes, or None if it is not in the group, or its identity."""
    try:
        # SECURITY: checks curve and subgroup; beyond the field there is no second form of a coordinate.
        point = G2Point.from_xy_bytes_be(public_key)
    except ValueError:
        return None
    # SECURITY: the library reads zeros as the identity, whose signature of everything is the identity.
    return None if point == G2Point.identity() else point


def _signature_point(signature: bytes) -> G1Point | None:
    """The point of 96 bytes, or None if it is not in the group, or its identity."""
    try:
        # SECURITY: as for keys.
        point = G1Point.from_xy_bytes_be(signature)
    except ValueError:
        return None
    return None if point == G1Point.identity() else point


@lru_cache(maxsize=_DIGESTS_REMEMBERED)
def _message_point(digest: bytes) -> G1Point:
    return G1Point.hash_to_curve(digest, SIGNATURE_TAG)


@lru_cache(maxsize=_KEYS_REMEMBERED)
def _is_proven(public_key: bytes, operator: bytes, proof: bytes) -> bool:
    key, signature = _key_point(public_key), _signature_point(proof)
    if key is None or signature is None:
        return False
    return _is_signature(signature, G1Point.hash_to_curve(public_key + operator, PROOF_TAG), key)


def _is_signature(signature: G1Point, message: G1Point, key: G2Point) -> bool:
    return GT.pairing_check([message, -signature], [key, G2Point()])


def _require_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_LENGTH:
        raise MalformedDigest(f"a digest is {DIGEST_LENGTH} bytes, not {len(digest)}")
