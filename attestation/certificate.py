"""Enough attestations of one batch, packed for a chain to verify. It collects none: `quorum` does.

scheme uint8 ‖ epoch uint64 ‖ chainTag 4 ‖ gatewayTag 4 ‖ bitmap uint256 (bit i from the least significant = signer i) ‖
the scheme's payload. The tags add no security, for the signature covers the domain: they let a verifier name a
misdirected certificate instead of calling it forged.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from attestation.batch import Batch
from attestation.domain import TAG_LENGTH, batch_digest, chain_tag, gateway_tag
from attestation.epochs import Epochs
from attestation.errors import (
    BelowThreshold,
    EmptyBatch,
    MalformedCertificate,
    OtherChain,
    OtherGateway,
    UnknownSigner,
    WrongScheme,
    ZeroRoot,
)
from attestation.schemes import SCHEMES, Scheme, scheme_of
from attestation.words import WORD_LENGTH

_HEADER: Final = struct.Struct(f">BQ{TAG_LENGTH}s{TAG_LENGTH}s{WORD_LENGTH}s")

HEADER_LENGTH: Final = _HEADER.size
"""Bytes before the payload: 49."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate: what it claims, not that it is true."""

    scheme: int
    epoch: int
    chain_tag: bytes
    gateway_tag: bytes
    bitmap: int
    payload: bytes

    @property
    def signer_indices(self) -> tuple[int, ...]:
        """The signers that the bitmap names, ascending."""
        return tuple(_bits(self.bitmap))

    @property
    def signatures(self) -> Mapping[int, bytes]:
        """Each signer's own signature, by index: what evidence takes from a certificate. Empty if they are aggregated.

        Raises `UnknownScheme`.
        """
        return dict(zip(self.signer_indices, scheme_of(self.scheme).unpack(self.payload), strict=False))

    def to_bytes(self) -> bytes:
        """The certificate as a verifier takes it."""
        head = _HEADER.pack(
            self.scheme, self.epoch, self.chain_tag, self.gateway_tag, self.bitmap.to_bytes(WORD_LENGTH, "big")
        )
        return head + self.payload


def build_certificate(batch: Batch, scheme_number: int, signatures: Mapping[int, bytes]) -> Certificate:
    """Pack verified signatures of a batch, by signer index. It does not ask whether they are enough.

    Raises `UnknownScheme`, `MalformedSignature`, and `UnknownSigner` for an index that no bitmap can name.
    """
    indices = sorted(signatures)
    for index in indices:
        if not 0 <= index < 8 * WORD_LENGTH:
            raise UnknownSigner(index)
    return Certificate(
        scheme=scheme_number,
        epoch=batch.epoch,
        chain_tag=chain_tag(batch.gateway),
        gateway_tag=gateway_tag(batch.gateway),
        bitmap=sum(1 << index for index in indices),
        payload=scheme_of(scheme_number).pack([signatures[index] for index in indices]),
    )


def parse_certificate(data: bytes) -> Certificate:
    """Parse a certificate of any known scheme. Raises `MalformedCertificate`, `WrongScheme`."""
    if not data:
        raise MalformedCertificate
    scheme = SCHEMES.get(data[0])
    if scheme is None:
        raise WrongScheme(data[0])
    return _parse(data, scheme)


def verify_certificate(gateway: bytes, root: bytes, count: int, certificate: bytes, epochs: Epochs, now: int) -> int:
    """Verify as the verifying gateway's contract does, with the same errors in the same order.

    `gateway` is its ERC-7930 bytes, `root` 32 bytes, `count` a uint32, `epochs` its view, `now` seconds of its clock.

    Returns:
        The epoch. The caller may assume that its quorum attested to a batch of `count` leaves with this root, for this
        gateway.

    Raises:
        MalformedCertificate: the length does not fit the bitmap.
        WrongScheme: not the verifier's scheme.
        OtherChain, OtherGateway: for another verifier, says the certificate.
        ZeroRoot, EmptyBatch: nothing can be in such a batch.
        UnknownEpoch, ExpiredEpoch: no set counts.
        UnknownSigner: the bitmap names an index beyond the set.
        HighS, RepeatedSigner, SignerOutOfOrder, ForgedSignature: the first signature at fault.
        ForgedAggregate: the one signature of all is at fault.
        BelowThreshold: too little weight.
    """
    parsed = _parse(certificate, scheme_of(epochs.scheme))
    if parsed.scheme != epochs.scheme:
        raise WrongScheme(parsed.scheme)
    if parsed.chain_tag != chain_tag(gateway):
        raise OtherChain(parsed.chain_tag)
    if parsed.gateway_tag != gateway_tag(gateway):
        raise OtherGateway(parsed.gateway_tag)
    # SECURITY: a zero root or an empty batch is what uninitialised memory looks like.
    if not any(root):
        raise ZeroRoot
    if not count:
        raise EmptyBatch
    signer_set = epochs.signer_set_at(parsed.epoch, now)
    signers, indices = signer_set.signers, parsed.signer_indices
    for index in indices:
        if index >= len(signers):
            raise UnknownSigner(index)
    digest = batch_digest(gateway, root, count, parsed.epoch)
    scheme_of(epochs.scheme).verify_payload(parsed.payload, digest, signer_set.keys, indices)
    weight = sum(signers[index].weight for index in indices)
    if weight < signer_set.threshold:
        raise BelowThreshold(weight, signer_set.threshold)
    return parsed.epoch


def _parse(data: bytes, scheme: Scheme) -> Certificate:
    if len(data) < HEADER_LENGTH:
        raise MalformedCertificate
    number, epoch, chain, gateway, bitmap_word = _HEADER.unpack_from(data)
    bitmap = int.from_bytes(bitmap_word, "big")
    payload = data[HEADER_LENGTH:]
    if len(payload) != scheme.payload_length(bitmap.bit_count()):
        raise MalformedCertificate
    return Certificate(number, epoch, chain, gateway, bitmap, payload)


def _bits(bitmap: int) -> Iterator[int]:
    while bitmap:
        lowest = bitmap & -bitmap
        yield lowest.bit_length() - 1
        bitmap ^= lowest
