"""What a signature scheme offers to the rest of the package, which names no scheme and assumes nothing else of one.

A certificate is a header that all schemes share, then a payload that the scheme packs: one signature a signer, or one
aggregate of all.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol


class SigningKey(Protocol):
    """A private key that can sign. It never shows its secret."""

    @property
    def key(self) -> bytes:
        """The public key: by it a signer is known."""
        ...

    def listed_key(self, operator: bytes) -> bytes:
        """The key as a signer set lists it for this operator (32 bytes): the public key, and what proves it."""
        ...

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest. Deterministic. Raises `MalformedDigest`."""
        ...


class Scheme(Protocol):
    """One signature scheme."""

    number: ClassVar[int]
    """The scheme's uint8 on the wire."""

    name: ClassVar[str]
    """The scheme's name in configuration and text."""

    public_key_length: ClassVar[int]
    """Bytes of a public key."""

    every_signature_costs: ClassVar[bool]
    """Whether a verifier pays for each signature. If not, it pays for each that is missing."""

    def signing_key(self, secret: bytes) -> SigningKey:
        """The key of a 32-byte secret. Raises `MalformedSecret`."""
        ...

    def is_well_formed_key(self, key: bytes) -> bool:
        """Whether `key` has the length of the keys that a signer set of this scheme lists."""
        ...

    def public_key(self, key: bytes) -> bytes:
        """The public key in a listed key."""
        ...

    def distinct_part(self, key: bytes) -> bytes:
        """What of a listed key no two signers of a set may share, nor may it be zero."""
        ...

    def is_proven_key(self, key: bytes, operator: bytes) -> bool:
        """Whether a listed key shows all that the scheme asks of its operator."""
        ...

    def payload_length(self, count: int) -> int:
        """Bytes of the payload that `count` signers give."""
        ...

    def pack(self, signatures: Sequence[bytes]) -> bytes:
        """The payload of verified signatures of one digest, in ascending signer order. Raises `MalformedSignature`."""
        ...

    def unpack(self, payload: bytes) -> tuple[bytes, ...]:
        """The signatures in a payload, in ascending signer order. None, if the scheme aggregates them."""
        ...

    def verify_payload(self, payload: bytes, digest: bytes, keys: Sequence[bytes], indices: Sequence[int]) -> None:
        """Check that exactly the signers at `indices` (ascending) of the set with these public keys signed `digest`.

        `payload` has the length that `payload_length` says. Raises `SignatureError`.
        """
        ...
