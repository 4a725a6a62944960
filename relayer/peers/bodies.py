"""What the bodies of peer messages say, in bytes. All of it is strict and bounded; nothing is verified against a chain.

| kind | request | answer |
| --- | --- | --- |
| PING | empty | heads: count 1 byte, each: length 1, CAIP-2 text, tip height 8, final height 8 (signed, -1 for none) |
| ATTESTATIONS | attestations of the sender | empty |
| FETCH_ATTESTATIONS | cursor: length 1 byte, text | cursor, is end 1 byte, attestations of the answering node |
| FETCH_STATEMENTS | root 32 bytes | empty if unknown, else as `attestation.statement_codec` |

Attestations: count 2 bytes, each: gateway length 1, ERC-7930 gateway, root 32, leaf count 2, epoch 8, signature length
1, signature. The signer is not there: a list is of its sender's own, and can be of nobody else's. Whose a sender's are
is for the receiver's configuration to say, which binds a signer to each peer key.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from attestation.errors import AttestationError
from attestation.merkle import MAXIMUM_BATCH_COUNT, merkle_root
from attestation.statement import Statement
from attestation.statement_codec import MAXIMUM_ENCODED_LENGTH, encode_statements, parse_statements
from relayer.errors import PeerMessageInvalid
from relayer.peers.wire import MAX_BODY_BYTES, MessageKind
from relayer.ports.node_status import PeerHead
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation

MAX_ATTESTATIONS: Final = 2_048
"""In one message: what one message may cost at the most is so many signature checks, 84 ms of scheme 1, some 3 s of
scheme 2, during which the receiver does other things as well."""

MAX_GATEWAY_BYTES: Final = 70
"""The longest ERC-7930 account of the namespaces that the protocol knows (solana; cosmos with a full chain id)."""

MAX_SIGNATURE_BYTES: Final = 96
"""The longest signature of a scheme that the protocol names (an uncompressed BLS12-381 point of G1)."""

MAX_CURSOR_BYTES: Final = 64
"""As the port says."""

MAX_HEADS: Final = 64
"""Chains that one node tells of; a relayer serves a handful."""

MAX_CHAIN_TEXT_BYTES: Final = 64
"""CAIP-2 with the longest reference of a known namespace has 51."""

ROOT_LENGTH: Final = 32

MAX_REQUEST_BODY_BYTES: Final = {
    MessageKind.PING: 0,
    MessageKind.ATTESTATIONS: MAX_BODY_BYTES,
    MessageKind.FETCH_ATTESTATIONS: 1 + MAX_CURSOR_BYTES,
    MessageKind.FETCH_STATEMENTS: ROOT_LENGTH,
}
"""What a request of each kind may carry at most, so that a short question cannot come with a long body."""

MAX_ANSWER_BODY_BYTES: Final = {
    MessageKind.PING: 1 + MAX_HEADS * (1 + MAX_CHAIN_TEXT_BYTES + 16),
    MessageKind.ATTESTATIONS: 0,
    MessageKind.FETCH_ATTESTATIONS: MAX_BODY_BYTES,
    MessageKind.FETCH_STATEMENTS: MAXIMUM_ENCODED_LENGTH,
}
"""The same for answers."""

_COUNT: Final = struct.Struct(">H")
_BATCH: Final = struct.Struct(f">{ROOT_LENGTH}sHQ")
_HEIGHTS: Final = struct.Struct(">Qq")


def encode_attestations(attestations: Sequence[Attestation]) -> bytes:
    """A list of at most `MAX_ATTESTATIONS` of one signer. Their `signer` is not encoded."""
    if len(attestations) > MAX_ATTESTATIONS:
        raise ValueError(f"{len(attestations)} attestations are more than a message may have")
    parts = [_COUNT.pack(len(attestations))]
    for attestation in attestations:
        parts.append(_short(attestation.gateway, MAX_GATEWAY_BYTES))
        parts.append(_BATCH.pack(attestation.root, attestation.count, attestation.epoch))
        parts.append(_short(attestation.signature, MAX_SIGNATURE_BYTES))
    return b"".join(parts)


def parse_attestations(body: bytes, signer: bytes) -> tuple[Attestation, ...]:
    """The list that the peer of `signer` sent, as its own. Raises `PeerMessageInvalid`."""
    reader = _Reader(body)
    attestations = _read_attestations(reader, signer)
    reader.finish()
    return attestations


def encode_cursor(cursor: str) -> bytes:
    """A cursor of at most 64 bytes."""
    return _short(cursor.encode("utf-8"), MAX_CURSOR_BYTES)


def parse_cursor(body: bytes) -> str:
    """Raises `PeerMessageInvalid`."""
    reader = _Reader(body)
    cursor = _read_text(reader, MAX_CURSOR_BYTES)
    reader.finish()
    return cursor


def encode_page(page: AttestationPage) -> bytes:
    """A page of the answering node's own attestations."""
    return encode_cursor(page.cursor) + bytes((page.is_end,)) + encode_attestations(page.attestations)


def parse_page(body: bytes, signer: bytes, asked: str) -> AttestationPage:
    """The page of `signer` that answers a question from cursor `asked` on. Raises `PeerMessageInvalid`."""
    reader = _Reader(body)
    cursor = _read_text(reader, MAX_CURSOR_BYTES)
    flag = reader.take(1)[0]
    if flag > 1:
        raise PeerMessageInvalid(f"{flag} is not a flag")
    attestations = _read_attestations(reader, signer)
    reader.finish()
    # SECURITY: a peer that never ends and never moves would keep whoever catches up asking for ever.
    if not flag and (cursor == asked or not attestations):
        raise PeerMessageInvalid("a page that is not the last one leads nowhere")
    return AttestationPage(attestations, cursor, is_end=bool(flag))


def encode_statements_answer(statements: Sequence[Statement] | None) -> bytes:
    """The statements of a batch, or nothing."""
    return b"" if statements is None else encode_statements(statements)


def parse_statements_answer(body: bytes, root: bytes) -> tuple[Statement, ...] | None:
    """The statements under `root`, None if the peer has none. Raises `PeerMessageInvalid`."""
    if not body:
        return None
    try:
        statements = parse_statements(body)
        actual = merkle_root([statement.leaf for statement in statements])
    except AttestationError as error:
        raise PeerMessageInvalid(f"the statements do not parse: {error}") from error
    # SECURITY: whatever a peer serves under a root that it signed is held against it; so it must be what it signed.
    if actual != root:
        raise PeerMessageInvalid("the statements do not hash to the root that was asked for")
    return statements


def encode_heads(heads: Sequence[PeerHead]) -> bytes:
    """Heads of at most `MAX_HEADS` chains."""
    if len(heads) > MAX_HEADS:
        raise ValueError(f"{len(heads)} heads are more than an answer may have")
    parts = [bytes((len(heads),))]
    for head in heads:
        parts.append(_short(head.chain.encode("ascii"), MAX_CHAIN_TEXT_BYTES))
        parts.append(_HEIGHTS.pack(head.tip_number, head.final_number))
    return b"".join(parts)


def parse_heads(body: bytes) -> tuple[PeerHead, ...]:
    """Raises `PeerMessageInvalid`."""
    reader = _Reader(body)
    count = reader.take(1)[0]
    if count > MAX_HEADS:
        raise PeerMessageInvalid(f"{count} heads are more than {MAX_HEADS}")
    heads: list[PeerHead] = []
    for _ in range(count):
        chain = _read_text(reader, MAX_CHAIN_TEXT_BYTES)
        # SECURITY: shown on terminals and pages: no control characters from a peer.
        if not chain.isascii() or not chain.isprintable():
            raise PeerMessageInvalid("a chain's name is not plain text")
        tip_number, final_number = _HEIGHTS.unpack(reader.take(_HEIGHTS.size))
        heads.append(PeerHead(chain, tip_number, max(final_number, -1)))
    reader.finish()
    return tuple(heads)


class _Reader:
    """A cursor over bytes that cannot run past their end."""

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, length: int) -> bytes:
        end = self._offset + length
        if end > len(self._data):
            raise PeerMessageInvalid("the body is cut")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def take_short(self, limit: int) -> bytes:
        length = self.take(1)[0]
        if length > limit:
            raise PeerMessageInvalid(f"a field of {length} bytes is beyond its limit of {limit}")
        return self.take(length)

    def finish(self) -> None:
        if self._offset != len(self._data):
            raise PeerMessageInvalid("bytes follow the body's end")


def _read_attestations(reader: _Reader, signer: bytes) -> tuple[Attestation, ...]:
    (count,) = _COUNT.unpack(reader.take(_COUNT.size))
    if count > MAX_ATTESTATIONS:
        raise PeerMessageInvalid(f"{count} attestations are more than {MAX_ATTESTATIONS}")
    attestations: list[Attestation] = []
    for _ in range(count):
        gateway = reader.take_short(MAX_GATEWAY_BYTES)
        root, leaves, epoch = _BATCH.unpack(reader.take(_BATCH.size))
        if not 1 <= leaves <= MAXIMUM_BATCH_COUNT:
            raise PeerMessageInvalid(f"no batch has {leaves} leaves")
        signature = reader.take_short(MAX_SIGNATURE_BYTES)
        attestations.append(Attestation(gateway, root, leaves, epoch, signer, signature))
    return tuple(attestations)


def _read_text(reader: _Reader, limit: int) -> str:
    try:
        return reader.take_short(limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PeerMessageInvalid("a text is not UTF-8") from error


def _short(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise ValueError(f"a field of {len(data)} bytes is beyond its limit of {limit}")
    return bytes((len(data),)) + data
