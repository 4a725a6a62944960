"""Binary forms of values that are stored whole: a request, a signer set.

Its job: bytes that rebuild the value exactly, with a version in front so that a later form can be told from this one.
Written and read by this store only: nothing here is hashed, signed or sent, and what is read was checked when written.
"""

from __future__ import annotations

import struct
from typing import Final

from attestation.request import Mode, Request
from attestation.signer_set import Signer, SignerSet
from attestation.words import WORD_LENGTH

_VERSION: Final = 1

_REQUEST: Final = struct.Struct(">BQB?QQIQ32s32s32sI6I")
# version; nonce, mode, own account, both gas limits, return limit, expiry, ordered after, origin, code hash, dispute
# blocks; then the lengths of source gateway, sender, destination gateway, target, payload, metadata, which follow.

_SIGNER_SET: Final = struct.Struct(">BBQQQH")
# version; scheme, threshold, valid until, grace seconds; how many signers follow.

_SIGNER: Final = struct.Struct(">HQ32s")
# length of the key, which follows; weight, operator.


def encode_request(request: Request) -> bytes:
    """The request, every field."""
    parts = (
        request.source_gateway,
        request.sender,
        request.destination_gateway,
        request.target,
        request.payload,
        request.metadata,
    )
    head = _REQUEST.pack(
        _VERSION,
        request.nonce,
        request.mode,
        request.own_account,
        request.execution_gas_limit,
        request.callback_gas_limit,
        request.return_limit,
        request.expiry,
        request.ordered_after.to_bytes(WORD_LENGTH, "big"),
        request.origin.to_bytes(WORD_LENGTH, "big"),
        request.code_hash,
        request.dispute_blocks,
        *map(len, parts),
    )
    return b"".join((head, *parts))


def decode_request(data: bytes) -> Request:
    """The request that `encode_request` was given. Raises `ValueError` for another version."""
    version, nonce, mode, own_account, execution_gas, callback_gas, return_limit, expiry, *rest = _REQUEST.unpack_from(
        data
    )
    _require_version(version)
    ordered_after, origin, code_hash, dispute_blocks, *lengths = rest
    parts: list[bytes] = []
    offset = _REQUEST.size
    for length in lengths:
        parts.append(data[offset : offset + length])
        offset += length
    source_gateway, sender, destination_gateway, target, payload, metadata = parts
    return Request(
        source_gateway=source_gateway,
        sender=sender,
        destination_gateway=destination_gateway,
        target=target,
        nonce=nonce,
        mode=Mode(mode),
        own_account=own_account,
        payload=payload,
        execution_gas_limit=execution_gas,
        callback_gas_limit=callback_gas,
        return_limit=return_limit,
        expiry=expiry,
        ordered_after=int.from_bytes(ordered_after, "big"),
        origin=int.from_bytes(origin, "big"),
        code_hash=code_hash,
        dispute_blocks=dispute_blocks,
        metadata=metadata,
    )


def encode_signer_set(signer_set: SignerSet) -> bytes:
    """The set, every signer in order."""
    head = _SIGNER_SET.pack(
        _VERSION,
        signer_set.scheme,
        signer_set.threshold,
        signer_set.valid_until,
        signer_set.grace_seconds,
        len(signer_set.signers),
    )
    signers = (
        _SIGNER.pack(len(signer.key), signer.weight, signer.operator) + signer.key for signer in signer_set.signers
    )
    return b"".join((head, *signers))


def decode_signer_set(data: bytes) -> SignerSet:
    """The set that `encode_signer_set` was given. Raises `ValueError` for another version."""
    version, scheme, threshold, valid_until, grace_seconds, count = _SIGNER_SET.unpack_from(data)
    _require_version(version)
    signers: list[Signer] = []
    offset = _SIGNER_SET.size
    for _ in range(count):
        length, weight, operator = _SIGNER.unpack_from(data, offset)
        offset += _SIGNER.size
        signers.append(Signer(data[offset : offset + length], weight, operator))
        offset += length
    return SignerSet(scheme, threshold, valid_until, grace_seconds, tuple(signers))


def _require_version(version: int) -> None:
    if version != _VERSION:
        raise ValueError(f"stored form {version} is newer than this program")
