"""The envelope of every message between relayers: a signed head of fixed length, then the body.

Its job: build, strictly parse and verify heads. What a body says is `bodies`' business; who may send how much is the
doorkeeper's.

Head, big-endian, 214 bytes:

| bytes | field |
| --- | --- |
| 1 | version, 1 |
| 1 | kind (`MessageKind`); the high bit is set in answers |
| 32 | network: `network_id`, the same for all relayers of one network |
| 20 | sender's peer key |
| 20 | recipient's peer key |
| 8 | sent at, milliseconds since the Unix epoch, by the sender's clock |
| 32 | reference: random in a request; in an answer the digest of the request |
| 4 | length of the body |
| 32 | keccak256 of the body |
| 64 | compact signature (scheme 1, `ecdsa-secp256k1`) |

A peer key is of scheme 1 whatever the signers' scheme is: in a network of scheme 1 it is the signer key itself, unless
the operator gives it one of its own.

Signed is the EIP-712 `PeerMessage` in the domain "XVM peer", whose `bodyHash` is keccak256 of all of the head before
the signature. So no head field can be changed, no peer message can be meant as an attestation, and none can be replayed
to another recipient or in another network. The signature covers the body by its hash: a receiver knows who sends before
it reads a byte of the body.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from attestation.domain import peer_message_digest, peer_recipient
from attestation.errors import SignatureError
from attestation.keccak import keccak256
from attestation.schemes.secp256k1 import KEY_LENGTH, SECP256K1, SIGNATURE_LENGTH
from relayer.errors import PeerMessageInvalid

VERSION: Final = 1

PEER_SCHEME: Final = SECP256K1
"""Of peer keys."""

NETWORK_LENGTH: Final = 32
REFERENCE_LENGTH: Final = 32

MAX_BODY_BYTES: Final = 1 << 20
"""1 MiB: three times what the fullest list of attestations takes, and all that one message may make us hold."""

MAX_CLOCK_SKEW_SECONDS: Final = 60.0
"""How far a request's time may be from ours. Clocks kept by NTP differ by far less; replays are remembered as long."""

_SIGNED: Final = struct.Struct(f">BB{NETWORK_LENGTH}s{KEY_LENGTH}s{KEY_LENGTH}sQ{REFERENCE_LENGTH}sI32s")
_ANSWER_BIT: Final = 0x80

HEAD_LENGTH: Final = _SIGNED.size + SIGNATURE_LENGTH
"""Bytes of a head with its signature."""


class MessageKind(IntEnum):
    """What a message asks for. Numbers are only ever added."""

    PING = 1
    ATTESTATIONS = 2
    FETCH_ATTESTATIONS = 3
    FETCH_STATEMENTS = 4


@dataclass(frozen=True, slots=True)
class Head:
    """A head without its signature. Keys are 20 bytes; network, reference and body hash 32."""

    kind: MessageKind
    is_answer: bool
    network: bytes
    sender: bytes
    recipient: bytes
    sent_at_milliseconds: int
    reference: bytes
    body_length: int
    body_hash: bytes

    def signed_bytes(self) -> bytes:
        """All that the signature covers."""
        return _SIGNED.pack(
            VERSION,
            self.kind | _ANSWER_BIT if self.is_answer else self.kind,
            self.network,
            self.sender,
            self.recipient,
            self.sent_at_milliseconds,
            self.reference,
            self.body_length,
            self.body_hash,
        )

    def signed_parts(self) -> tuple[bytes, int, bytes]:
        """What the sender signs: body hash, sent at (milliseconds), recipient, as `peer_message_digest` takes them."""
        return keccak256(self.signed_bytes()), self.sent_at_milliseconds, peer_recipient(self.recipient)

    def digest(self) -> bytes:
        """The 32 bytes that the signature is over, and by which an answer refers to this request."""
        return peer_message_digest(*self.signed_parts())

    def is_body(self, body: bytes) -> bool:
        """Whether this is the body that the head announces."""
        return len(body) == self.body_length and keccak256(body) == self.body_hash


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head with a signature that is not verified yet."""

    head: Head
    signature: bytes

    def to_bytes(self) -> bytes:
        """As it travels."""
        return self.head.signed_bytes() + self.signature

    def verify(self, digest: bytes) -> None:
        """Return if `digest`, which is the head's, was signed by the key that the head names as its sender.

        Raises `PeerMessageInvalid`.
        """
        try:
            PEER_SCHEME.verify_payload(self.signature, digest, (self.head.sender,), (0,))
        except SignatureError as error:
            raise PeerMessageInvalid("the head is not signed by the sender that it names") from error


def network_id(name: str) -> bytes:
    """The 32-byte id of a network of relayers, from the name that its operators agreed upon."""
    return keccak256(name.encode("utf-8"))


def parse_head(data: bytes) -> SignedHead:
    """Parse exactly one head. Nothing is verified but its form.

    Raises:
        PeerMessageInvalid: not `HEAD_LENGTH` bytes, another version, an unknown kind, or a body beyond the limit.
    """
    if len(data) != HEAD_LENGTH:
        raise PeerMessageInvalid(f"a head has {HEAD_LENGTH} bytes, not {len(data)}")
    version, kind, network, sender, recipient, sent_at, reference, body_length, body_hash = _SIGNED.unpack_from(data)
    if version != VERSION:
        raise PeerMessageInvalid(f"version {version} is unknown")
    if kind & ~_ANSWER_BIT not in _KINDS:
        raise PeerMessageInvalid(f"kind {kind} is unknown")
    # SECURITY: the receiver makes room for a body on this word alone.
    if body_length > MAX_BODY_BYTES:
        raise PeerMessageInvalid(f"a body of {body_length} bytes is beyond the limit of {MAX_BODY_BYTES}")
    head = Head(
        kind=MessageKind(kind & ~_ANSWER_BIT),
        is_answer=bool(kind & _ANSWER_BIT),
        network=network,
        sender=sender,
        recipient=recipient,
        sent_at_milliseconds=sent_at,
        reference=reference,
        body_length=body_length,
        body_hash=body_hash,
    )
    return SignedHead(head, data[_SIGNED.size :])


_KINDS: Final = frozenset(int(kind) for kind in MessageKind)
