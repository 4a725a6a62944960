"""Scheme 1, `ecdsa-secp256k1`: 64-byte compact signatures, recovered to 20-byte addresses. Every VM can verify it.

A key is an address: the last 20 bytes of keccak256 of the uncompressed public key, x ‖ y. A signature is r ‖ (parity
bit ‖ s in 255 bits), s at most half of the order.

Source: EIP-2098, EIP-2, RFC 6979.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

import coincurve

from attestation.errors import (
    ForgedSignature,
    HighS,
    MalformedDigest,
    MalformedSecret,
    MalformedSignature,
    RepeatedSigner,
    SignerOutOfOrder,
    UnrecoverableSignature,
)
from attestation.keccak import keccak256

SECRET_LENGTH: Final = 32
KEY_LENGTH: Final = 20
SIGNATURE_LENGTH: Final = 64
DIGEST_LENGTH: Final = 32

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the curve's group."""

_HALF_ORDER: Final = ORDER // 2
_PARITY_SHIFT: Final = 255
_S_MASK: Final = (1 << _PARITY_SHIFT) - 1


class Secp256k1SigningKey:
    """A private key of scheme 1. Raises `MalformedSecret` unless the secret is 32 bytes in 1 to order - 1."""

    __slots__ = ("_private_key", "key")

    def __init__(self, secret: bytes) -> None:
        # Checked here: the library pads short secrets, and its errors would carry the secret's value.
        if len(secret) != SECRET_LENGTH or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise MalformedSecret("a secp256k1 secret is 32 bytes, above 0 and below the order")
        self._private_key = coincurve.PrivateKey(secret)
        self.key = address_of_public_key(self._private_key.public_key.format(compressed=False))

    def listed_key(self, operator: bytes) -> bytes:
        """The address: who recovers needs no proof."""
        del operator
        return self.key

    def sign(self, digest: bytes) -> bytes:
        """The 64-byte compact signature of a 32-byte digest, low s, deterministic. Raises `MalformedDigest`."""
        _require_digest(digest)
        recoverable = self._private_key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
        # The library gives a low s. Recovery ids 2 and 3 need an r above the order: nobody will ever see one.
        s_word = int.from_bytes(recoverable[32:64], "big") | recoverable[64] << _PARITY_SHIFT
        return recoverable[:32] + s_word.to_bytes(32, "big")

    def __repr__(self) -> str:
        return f"Secp256k1SigningKey(key=0x{self.key.hex()})"


def address_of_public_key(public_key: bytes) -> bytes:
    """The 20-byte address of an uncompressed public key, 65 bytes with its 0x04 prefix."""
    return keccak256(public_key[1:])[-KEY_LENGTH:]


def has_high_s(signature: bytes) -> bool:
    """Whether s of a 64-byte compact signature is above half of the order."""
    return int.from_bytes(signature[32:], "big") & _S_MASK > _HALF_ORDER


def recover(digest: bytes, signature: bytes) -> bytes:
    """The 20-byte address that signed `digest`.

    SECURITY: a high s recovers as well; who counts signatures checks `has_high_s`.

    Raises:
        MalformedDigest, MalformedSignature: wrong lengths.
        UnrecoverableSignature: r or s is out of range, or r is no point's.
    """
    _require_digest(digest)
    _require_signature(signature)
    s_word = int.from_bytes(signature[32:], "big")
    recoverable = b"".join(
        (signature[:32], (s_word & _S_MASK).to_bytes(32, "big"), (s_word >> _PARITY_SHIFT).to_bytes(1, "big"))
    )
    try:
        public_key = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError as error:
        raise UnrecoverableSignature("no public key belongs to the signature") from error
    return address_of_public_key(public_key.format(compressed=False))


class Secp256k1Scheme:
    """Scheme 1. Stateless: use `SECP256K1`."""

    number: ClassVar[int] = 1
    name: ClassVar[str] = "ecdsa-secp256k1"
    public_key_length: ClassVar[int] = KEY_LENGTH
    every_signature_costs: ClassVar[bool] = True

    def signing_key(self, secret: bytes) -> Secp256k1SigningKey:
        """The key of a 32-byte secret. Raises `MalformedSecret`."""
        return Secp256k1SigningKey(secret)

    def is_well_formed_key(self, key: bytes) -> bool:
        """Whether the key is 20 bytes."""
        return len(key) == KEY_LENGTH

    def public_key(self, key: bytes) -> bytes:
        """The address itself."""
        return key

    def distinct_part(self, key: bytes) -> bytes:
        """The address itself."""
        return key

    def is_proven_key(self, key: bytes, operator: bytes) -> bool:
        """Always: a signature is recovered by itself, so no key can borrow from another."""
        del key, operator
        return True

    def payload_length(self, count: int) -> int:
        """64 bytes a signer."""
        return count * SIGNATURE_LENGTH

    def pack(self, signatures: Sequence[bytes]) -> bytes:
        """The signatures one after another. Raises `MalformedSignature`."""
        for signature in signatures:
            _require_signature(signature)
        return b"".join(signatures)

    def unpack(self, payload: bytes) -> tuple[bytes, ...]:
        """The signatures, 64 bytes each. `payload` has a length that `payload_length` gives."""
        return tuple(payload[start : start + SIGNATURE_LENGTH] for start in range(0, len(payload), SIGNATURE_LENGTH))

    def verify_payload(self, payload: bytes, digest: bytes, keys: Sequence[bytes], indices: Sequence[int]) -> None:
        """Check every signature in turn, and each in the order of the errors below.

        Raises:
            HighS: SECURITY: a signature has one form. (Few high s fit the 255 bits of the compact form, but some do.)
            RepeatedSigner: SECURITY: one signer would count twice.
            SignerOutOfOrder: by another member of the set.
            ForgedSignature: by nobody in the set, or unrecoverable.
        """
        counted: set[bytes] = set()
        for index, signature in zip(indices, self.unpack(payload), strict=True):
            if has_high_s(signature):
                raise HighS(index)
            try:
                signer = recover(digest, signature)
            except UnrecoverableSignature as error:
                raise ForgedSignature(index) from error
            if signer in counted:
                raise RepeatedSigner(index)
            if signer != keys[index]:
                raise SignerOutOfOrder(index) if signer in keys else ForgedSignature(index)
            counted.add(signer)


SECP256K1: Final = Secp256k1Scheme()


def _require_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_LENGTH:
        raise MalformedDigest(f"a digest is {DIGEST_LENGTH} bytes, not {len(digest)}")


def _require_signature(signature: bytes) -> None:
    if len(signature) != SIGNATURE_LENGTH:
        raise MalformedSignature(f"a signature is {SIGNATURE_LENGTH} bytes, not {len(signature)}")
