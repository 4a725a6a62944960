"""What a signature is good for: the EIP-712 domains of batches and of peer messages. It signs nothing.

A batch is signed in the domain of the gateway that will verify it, so no signature is valid at two gateways. Peer
messages are signed in a domain of their own, so none can be replayed as a batch, nor a batch as one of them.

Source: EIP-712.
"""

import struct
from functools import lru_cache
from typing import Final

from attestation.address import parse_account
from attestation.errors import MalformedBatch, MalformedPeerMessage
from attestation.keccak import keccak256
from attestation.words import UINT32_BITS, UINT64_BITS, require_uint, require_word

BATCH_TYPE: Final = "Batch(bytes32 root,uint32 count,uint64 epoch)"
PEER_MESSAGE_TYPE: Final = "PeerMessage(bytes32 bodyHash,uint64 sentAtMilliseconds,bytes32 recipient)"

TAG_LENGTH: Final = 4
"""Bytes of a certificate's chain and gateway tags."""

_PREFIX: Final = b"\x19\x01"
_VERSION_HASH: Final = keccak256(b"1")
_SALTED_DOMAIN_HEAD: Final = b"".join(
    (
        keccak256(b"EIP712Domain(string name,string version,bytes32 salt)"),
        keccak256(b"XVM"),
        _VERSION_HASH,
    )
)
_PEER_DOMAIN_SEPARATOR: Final = keccak256(
    b"".join((keccak256(b"EIP712Domain(string name,string version)"), keccak256(b"XVM peer"), _VERSION_HASH))
)
_BATCH_TYPE_HASH: Final = keccak256(BATCH_TYPE.encode("ascii"))
_PEER_MESSAGE_TYPE_HASH: Final = keccak256(PEER_MESSAGE_TYPE.encode("ascii"))
_BATCH_ENCODING: Final = struct.Struct(">32s32s28xI24xQ")
_PEER_MESSAGE_ENCODING: Final = struct.Struct(">32s32s24xQ32s")

_GATEWAYS_REMEMBERED: Final = 1024  # a relayer serves a few gateways; the bound holds whoever asks


def domain_salt(gateway: bytes) -> bytes:
    """keccak256 of the verifying gateway's ERC-7930 bytes, 32 bytes."""
    return keccak256(gateway)


@lru_cache(maxsize=_GATEWAYS_REMEMBERED)
def domain_separator(gateway: bytes) -> bytes:
    """The EIP-712 domain separator of the verifying gateway (ERC-7930 bytes), 32 bytes."""
    return keccak256(_SALTED_DOMAIN_HEAD + domain_salt(gateway))


@lru_cache(maxsize=_GATEWAYS_REMEMBERED)
def chain_tag(gateway: bytes) -> bytes:
    """First 4 bytes of keccak256 of the gateway's chain-only address. Raises `MalformedAddress`."""
    return keccak256(parse_account(gateway).chain.to_bytes())[:TAG_LENGTH]


def gateway_tag(gateway: bytes) -> bytes:
    """First 4 bytes of the salt."""
    return domain_salt(gateway)[:TAG_LENGTH]


def batch_digest(gateway: bytes, root: bytes, count: int, epoch: int) -> bytes:
    """The 32 bytes that a signer signs for a batch: root, number of leaves, epoch, in the gateway's domain.

    It hashes whatever the types hold, as a contract does; what may be signed is a `Batch`. Raises `MalformedBatch`.
    """
    require_word(MalformedBatch, "root", root)
    require_uint(MalformedBatch, "count", count, UINT32_BITS)
    require_uint(MalformedBatch, "epoch", epoch, UINT64_BITS)
    struct_hash = keccak256(_BATCH_ENCODING.pack(_BATCH_TYPE_HASH, root, count, epoch))
    return keccak256(_PREFIX + domain_separator(gateway) + struct_hash)


def peer_recipient(signer_key: bytes) -> bytes:
    """`recipient` of a message to the relayer with this signer key: keccak256 of the key, 32 bytes."""
    return keccak256(signer_key)


def peer_message_digest(body_hash: bytes, sent_at_milliseconds: int, recipient: bytes) -> bytes:
    """The 32 bytes that a relayer signs for one message to one other relayer.

    `body_hash` is keccak256 of the whole body, which must itself say what it asks for; `recipient` is `peer_recipient`.

    SECURITY: the hash keeps the body from being changed; the time lets the receiver refuse old messages and remember
    recent ones only; the recipient keeps a receiver from passing the message on to another as its sender's; the domain
    keeps it from ever being an attestation. Who sent it is who the signature recovers to.

    Raises `MalformedPeerMessage`.
    """
    require_word(MalformedPeerMessage, "body_hash", body_hash)
    require_uint(MalformedPeerMessage, "sent_at_milliseconds", sent_at_milliseconds, UINT64_BITS)
    require_word(MalformedPeerMessage, "recipient", recipient)
    struct_hash = keccak256(
        _PEER_MESSAGE_ENCODING.pack(_PEER_MESSAGE_TYPE_HASH, body_hash, sent_at_milliseconds, recipient)
    )
    return keccak256(_PREFIX + _PEER_DOMAIN_SEPARATOR + struct_hash)
