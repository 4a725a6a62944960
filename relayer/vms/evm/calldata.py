"""Calldata of `execute`, `expire`, `deliver` and `rotate`.

Its job: encode what goes to a gateway or its verifier. Items are encoded once, wherever they end up: ABI offsets count
from the start of the tuple or array that holds them. It must not choose what goes together.

Source: Solidity's contract ABI specification; contracts/evm/src/interfaces/XvmTypes.sol.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from attestation.keccak import keccak256
from attestation.request import Request
from attestation.signer_set import SignerSet
from attestation.statement import Execute, Outcome
from relayer.vms.evm import interface
from relayer.vms.evm.words import WORD

EXECUTE: Final = interface.selector(interface.EXECUTE)
EXPIRE: Final = interface.selector(interface.EXPIRE)
DELIVER: Final = interface.selector(interface.DELIVER)
ROTATE: Final = interface.selector(interface.ROTATE)

_UINT: Final = struct.Struct(">24xQ")
# requestId, kind, cut, height, blockHash, txIndex, logIndex, payee, round, offset of returnData
_OUTCOME_HEAD: Final = struct.Struct(">32s31xB31xB24xQ32s28xI28xI32s28xI24xQ")
# offset of the request, height, blockHash, txIndex, logIndex
_ITEM_HEAD: Final = struct.Struct(">24xQ24xQ32s28xI28xI")
# offsets of four addresses, nonce, mode, ownAccount
_REQUEST_HEAD: Final = struct.Struct(">24xQ24xQ24xQ24xQ24xQ31xB31xB")
# both gas limits, returnLimit, expiry, orderedAfter, origin, codeHash, disputeBlocks, offset of metadata
_REQUEST_TAIL: Final = struct.Struct(">24xQ24xQ28xI24xQ32s32s32s28xI24xQ")
_REQUEST_WORDS: Final = 17
# scheme, threshold, validUntil, graceSeconds, offset of the signers
_SET_HEAD: Final = struct.Struct(">31xB24xQ24xQ24xQ24xQ")
# offset of the key, weight, operator
_SIGNER_HEAD: Final = struct.Struct(">24xQ24xQ32s")


def encode_execute_item(request: Request, statement: Execute) -> bytes:
    """An `ExecuteItem`."""
    return _item_head(statement) + _encode_request(request, is_whole=True)


def encode_expire_item(request: Request, statement: Execute) -> bytes:
    """An `ExpireItem`: the payload by its hash."""
    return _item_head(statement) + _encode_request(request, is_whole=False)


def encode_outcome_item(outcome: Outcome, return_data: bytes) -> bytes:
    """An `OutcomeItem`."""
    head = _OUTCOME_HEAD.pack(
        outcome.request_id,
        outcome.kind,
        outcome.cut,
        outcome.height,
        outcome.block_hash,
        outcome.tx_index,
        outcome.log_index,
        outcome.payee,
        outcome.round,
        _OUTCOME_HEAD.size,
    )
    return head + _encode_bytes(return_data)


def encode_batch(given: int, bare: Sequence[bytes], items: Sequence[bytes], certificate: bytes) -> bytes:
    """An `ExecuteBatch`, `ExpireBatch` or `DeliverBatch` of encoded items. Bit i of `given`: leaf i is an item's."""
    bare_part = _UINT.pack(len(bare)) + b"".join(bare)
    items_part = _encode_array(items)
    head_size = 4 * WORD
    return b"".join(
        (
            given.to_bytes(WORD, "big"),
            _UINT.pack(head_size),
            _UINT.pack(head_size + len(bare_part)),
            _UINT.pack(head_size + len(bare_part) + len(items_part)),
            bare_part,
            items_part,
            _encode_bytes(certificate),
        )
    )


def encode_consumption(selector: bytes, batches: Sequence[bytes], payee: bytes) -> bytes:
    """A call of `EXECUTE` or `EXPIRE` with encoded batches. `payee` is 32 bytes."""
    return selector + _UINT.pack(2 * WORD) + payee + _encode_array(batches)


def encode_delivery(batches: Sequence[bytes]) -> bytes:
    """A call of `DELIVER` with encoded batches."""
    return DELIVER + _UINT.pack(WORD) + _encode_array(batches)


def encode_rotation(signer_set: SignerSet, certificate: bytes) -> bytes:
    """A call of `ROTATE`."""
    signers = [
        _SIGNER_HEAD.pack(_SIGNER_HEAD.size, signer.weight, signer.operator) + _encode_bytes(signer.key)
        for signer in signer_set.signers
    ]
    head = _SET_HEAD.pack(
        signer_set.scheme,
        signer_set.threshold,
        signer_set.valid_until,
        signer_set.grace_seconds,
        _SET_HEAD.size,
    )
    encoded = head + _encode_array(signers)
    return b"".join(
        (ROTATE, _UINT.pack(2 * WORD), _UINT.pack(2 * WORD + len(encoded)), encoded, _encode_bytes(certificate))
    )


def _item_head(statement: Execute) -> bytes:
    return _ITEM_HEAD.pack(
        _ITEM_HEAD.size, statement.height, statement.block_hash, statement.tx_index, statement.log_index
    )


def _encode_request(request: Request, *, is_whole: bool) -> bytes:
    parts = [
        _encode_bytes(value)
        for value in (request.source_gateway, request.sender, request.destination_gateway, request.target)
    ]
    if is_whole:
        parts.append(_encode_bytes(request.payload))
    offsets = [WORD * _REQUEST_WORDS]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    payload_word = _UINT.pack(offsets[4]) if is_whole else keccak256(request.payload)
    return b"".join(
        (
            _REQUEST_HEAD.pack(*offsets[:4], request.nonce, request.mode, request.own_account),
            payload_word,
            _REQUEST_TAIL.pack(
                request.execution_gas_limit,
                request.callback_gas_limit,
                request.return_limit,
                request.expiry,
                request.ordered_after.to_bytes(WORD, "big"),
                request.origin.to_bytes(WORD, "big"),
                request.code_hash,
                request.dispute_blocks,
                offsets[-1],
            ),
            *parts,
            _encode_bytes(request.metadata),
        )
    )


def _encode_bytes(value: bytes) -> bytes:
    return _UINT.pack(len(value)) + value + bytes(-len(value) % WORD)


def _encode_array(elements: Sequence[bytes]) -> bytes:
    """A dynamic array of dynamic elements."""
    offset = WORD * len(elements)
    head = [_UINT.pack(len(elements))]
    for element in elements:
        head.append(_UINT.pack(offset))
        offset += len(element)
    return b"".join((*head, *elements))
