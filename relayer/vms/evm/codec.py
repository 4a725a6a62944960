"""Our contracts' logs, turned into observations.

Its job: exact slices of what our gateway and verifier logged. SECURITY: a log that is not the canonical encoding, whose
id is not the hash of its request, or that speaks of another gateway, is dropped with an error and counted: nothing that
is dropped here can be signed. It must not judge whether a request can be served.

Source: contracts/evm/src/interfaces, events of IXvmSource, IXvmDestination and IXvmVerifier.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import structlog

from attestation.address import evm_account
from attestation.errors import AttestationError
from attestation.keccak import keccak256_of_repeated
from attestation.request import Mode, Request, RequestId, request_id, route_of
from attestation.signer_set import MAXIMUM_SIGNER_COUNT, Signer, SignerSet, signer_set_hash
from attestation.statement import OutcomeKind
from relayer.domain.blocks import Location
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    CallRequested,
    CancelSettled,
    EpochApplied,
    FeeAdded,
    Observation,
    RequestCancelled,
)
from relayer.vms.evm import interface
from relayer.vms.evm.block_reader import BlockContents
from relayer.vms.evm.logs import Log, LogFilter
from relayer.vms.evm.quantities import ADDRESS_LENGTH
from relayer.vms.evm.words import WORD, MalformedAbi, Words

_CALL_REQUESTED: Final = interface.topic(interface.CALL_REQUESTED)
_FEE_ADDED: Final = interface.topic(interface.FEE_ADDED)
_CALL_CONCLUDED: Final = interface.topic(interface.CALL_CONCLUDED)
_CALLBACK_DELIVERED: Final = interface.topic(interface.CALLBACK_DELIVERED)
_HANDLER_FAILED: Final = interface.topic(interface.HANDLER_FAILED)
_CANCELLED: Final = interface.topic(interface.CANCELLED)
_CANCELLED_CONCLUDED: Final = interface.topic(interface.CANCELLED_CONCLUDED)
_RECLAIMED: Final = interface.topic(interface.RECLAIMED)
_EPOCH_APPLIED: Final = interface.topic(interface.EPOCH_APPLIED)

# Offset of the request, fee as it is, deadline. Of the request: offsets of four addresses, nonce, mode, ownAccount,
# offset of the payload, both gas limits, returnLimit, expiry, then orderedAfter, origin and codeHash as they are,
# disputeBlocks, offset of metadata.
_REQUESTED_HEAD: Final = struct.Struct(">24xQ32s24xQ24xQ24xQ24xQ24xQ24xQ31xB31xB24xQ24xQ24xQ28xI24xQ32s32s32s28xI24xQ")
_REQUEST_OFFSET: Final = 3 * WORD
_REQUEST_WORDS: Final = (_REQUESTED_HEAD.size - _REQUEST_OFFSET) // WORD
_KNOWN_ADDRESSES: Final = 2048
_KNOWN_LENGTH: Final = 512
"""Fours of addresses remembered, and the most bytes of one as it was logged: who asks asks again, of the same. 3 MB."""

_MODES: Final = tuple(Mode)
_KINDS: Final = tuple(OutcomeKind)
_ADDRESS_PADDING: Final = WORD - ADDRESS_LENGTH
_SET_WORDS: Final = 5
_SIGNER_WORDS: Final = 3

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class LogCodec:
    """Decodes the logs of one gateway and its verifier, 20-byte addresses on the chain with this id.

    `dropped` counts logs of theirs that said something impossible.
    """

    def __init__(self, chain_id: int, gateway: bytes, verifier: bytes) -> None:
        self.gateway: Final = evm_account(chain_id, gateway).to_bytes()
        self.dropped = 0
        self._chain_id = chain_id
        self._account_prefix = self.gateway[:-ADDRESS_LENGTH]
        self._decoders: Mapping[tuple[bytes, bytes], Callable[[Log, Location], Observation]] = {
            (gateway, _CALL_REQUESTED): self._call_requested,
            (gateway, _FEE_ADDED): _fee_added,
            (gateway, _CALL_CONCLUDED): _call_concluded,
            (gateway, _CALLBACK_DELIVERED): _callback_delivered,
            (gateway, _HANDLER_FAILED): _handler_failed,
            (gateway, _CANCELLED): _cancelled,
            (gateway, _CANCELLED_CONCLUDED): _cancelled_concluded,
            (gateway, _RECLAIMED): _reclaimed,
            (verifier, _EPOCH_APPLIED): _epoch_applied,
        }
        topics: dict[bytes, set[bytes]] = {}
        for emitter, topic in self._decoders:
            topics.setdefault(emitter, set()).add(topic)
        self.watched: Final = LogFilter({emitter: frozenset(named) for emitter, named in topics.items()})

    def decode(self, block: BlockContents) -> tuple[Observation, ...]:
        """What the block's logs say, in order."""
        observations: list[Observation] = []
        for log, tx_hash, tx_index, log_index in block.logs:
            location = Location(block.stamp.ref, tx_index, log_index, tx_hash)
            try:
                observations.append(self._decode(log, location))
            except (MalformedAbi, AttestationError) as error:
                self.dropped += 1
                _log.error(
                    "gateway_log_dropped",
                    chain_id=self._chain_id,
                    block=block.stamp.ref.number,
                    tx_hash=tx_hash.hex(),
                    log_index=log_index,
                    reason=str(error),
                )
        return tuple(observations)

    def _decode(self, log: Log, location: Location) -> Observation:
        decoder = self._decoders.get((log.emitter, log.topics[0])) if log.topics else None
        if decoder is None:
            raise MalformedAbi("no event of ours")
        return decoder(log, location)

    def _call_requested(self, log: Log, location: Location) -> CallRequested:
        identifier, sender, route_hash = _topics(log, 3)
        request, fee, deadline = _requested(log.data)
        # SECURITY: the id is what gets signed. It must commit to the request that everybody will act on.
        if request_id(request) != identifier:
            raise MalformedAbi("the id is not the request's")
        # SECURITY: a gateway speaks for itself only; else one gateway could forge another's requests.
        if request.source_gateway != self.gateway:
            raise MalformedAbi("the request names another source gateway")
        if sender[:_ADDRESS_PADDING] != bytes(_ADDRESS_PADDING) or (
            request.sender != self._account_prefix + sender[_ADDRESS_PADDING:]
        ):
            raise MalformedAbi("the request names another sender")
        route = route_of(request)
        if keccak256_of_repeated(route) != route_hash:
            raise MalformedAbi("the request names another route")
        return CallRequested(RequestId(identifier), request, route, fee, deadline, location)


def decode_signer_set(data: bytes) -> tuple[SignerSet, int]:
    """The return data of `signerSet(uint64)`: the set, and the last second at which it verifies.

    Raises `MalformedAbi`, or `MalformedSignerSet`.
    """
    words = Words(data, 0, 2)
    signer_set = _signer_set(words, 0)
    valid_until = words.uint64(1)
    words.finish()
    return signer_set, valid_until


def _fee_added(log: Log, location: Location) -> FeeAdded:
    (identifier,) = _topics(log, 1)
    words = Words(log.data, 0, 2)
    words.finish()
    return FeeAdded(RequestId(identifier), words.uint256(1), location)


def _call_concluded(log: Log, location: Location) -> CallConcluded:
    identifier, source_gateway_hash = _topics(log, 2)
    words = Words(log.data, 0, 5)
    source_gateway = words.bytes_at(0)
    kind, cut = _kind(words.uint8(1)), words.boolean(2)
    return_data = words.bytes_at(3)
    payee = words.word(4)
    words.finish()
    if keccak256_of_repeated(source_gateway) != source_gateway_hash:
        raise MalformedAbi("the receipt names another source gateway")
    return CallConcluded(RequestId(identifier), source_gateway, kind, cut, return_data, payee, location)


def _callback_delivered(log: Log, location: Location) -> CallbackDelivered:
    identifier, return_data_hash = _delivered(log)
    return CallbackDelivered(identifier, is_handler_failed=False, location=location, return_data_hash=return_data_hash)


def _handler_failed(log: Log, location: Location) -> CallbackDelivered:
    # Its word is the whole outcome's hash, not its data's.
    identifier, _ = _delivered(log)
    return CallbackDelivered(identifier, is_handler_failed=True, location=location)


def _cancelled(log: Log, location: Location) -> RequestCancelled:
    (identifier,) = _topics(log, 1)
    words = Words(log.data, 0, 1)
    words.finish()
    return RequestCancelled(RequestId(identifier), words.uint256(0), location)


def _cancelled_concluded(log: Log, location: Location) -> CancelSettled:
    (identifier,) = _topics(log, 1)
    words = Words(log.data, 0, 2)
    _kind(words.uint8(0))
    words.finish()
    return CancelSettled(RequestId(identifier), location)


def _reclaimed(log: Log, location: Location) -> CancelSettled:
    (identifier,) = _topics(log, 1)
    Words(log.data, 0, 1).finish()
    return CancelSettled(RequestId(identifier), location)


def _delivered(log: Log) -> tuple[RequestId, bytes]:
    """The request, and the hash of what was delivered."""
    (identifier,) = _topics(log, 1)
    words = Words(log.data, 0, 4)
    _kind(words.uint8(0))
    words.boolean(1)
    words.finish()
    return RequestId(identifier), words.word(2)


def _epoch_applied(log: Log, location: Location) -> EpochApplied:
    epoch, set_hash = _topics(log, 2)
    words = Words(log.data, 0, 2)
    valid_until = words.uint64(0)
    signer_set = _signer_set(words, 1)
    words.finish()
    if signer_set_hash(signer_set) != set_hash:
        raise MalformedAbi("the hash is not the signer set's")
    return EpochApplied(Words(epoch, 0, 1).uint64(0), signer_set, valid_until, location)


def _topics(log: Log, count: int) -> tuple[bytes, ...]:
    if len(log.topics) != count + 1:
        raise MalformedAbi(f"{len(log.topics)} topics")
    return log.topics[1:]


def _kind(number: int) -> OutcomeKind:
    if number >= len(_KINDS):
        raise MalformedAbi("an unknown kind")
    return _KINDS[number]


def _requested(data: bytes) -> tuple[Request, int, int]:
    """The request, its fee and its deadline. The hot one of the decoders: its head is unpacked at once."""
    words = Words(data, _REQUEST_OFFSET, _REQUEST_WORDS)
    head = _REQUESTED_HEAD.unpack_from(data)
    # Numbers are narrower than their words, and unpacking skips the rest: packing writes it as it must be.
    if _REQUESTED_HEAD.pack(*head) != data[: _REQUESTED_HEAD.size]:
        raise MalformedAbi("a number does not fit its type")
    (
        offset,
        fee,
        deadline,
        *address_offsets,
        nonce,
        mode,
        own_account,
        payload_offset,
        execution_gas_limit,
        callback_gas_limit,
        return_limit,
        expiry,
        ordered_after,
        origin,
        code_hash,
        dispute_blocks,
        metadata_offset,
    ) = head
    if offset != _REQUEST_OFFSET:
        raise MalformedAbi("a dynamic part is not where it belongs")
    if mode >= len(_MODES) or own_account > 1:
        raise MalformedAbi("an unknown mode, or a bool that is none")
    # Where the payload is said to begin the addresses end, or one of the two is not where it belongs.
    window = data[words.end : _REQUEST_OFFSET + payload_offset]
    parse = _known_addresses if len(window) <= _KNOWN_LENGTH else _parse_addresses
    source_gateway, sender, destination_gateway, target = parse(window, *address_offsets)
    words.advance(_REQUEST_OFFSET + payload_offset)
    payload, metadata = words.take_bytes(payload_offset, metadata_offset)
    request = Request(
        source_gateway,
        sender,
        destination_gateway,
        target,
        nonce,
        _MODES[mode],
        own_account == 1,
        payload,
        execution_gas_limit,
        callback_gas_limit,
        return_limit,
        expiry,
        int.from_bytes(ordered_after, "big"),
        int.from_bytes(origin, "big"),
        code_hash,
        dispute_blocks,
        metadata,
    )
    words.finish()
    return request, int.from_bytes(fee, "big"), deadline


def _parse_addresses(window: bytes, *offsets: int) -> tuple[bytes, ...]:
    """The addresses of a request, which are all of `window`; their offsets count from the head before it."""
    words = Words(window, -WORD * _REQUEST_WORDS, _REQUEST_WORDS)
    addresses = words.take_bytes(*offsets)
    words.finish()
    return tuple(addresses)


_known_addresses: Final = lru_cache(_KNOWN_ADDRESSES)(_parse_addresses)


def _signer_set(outer: Words, index: int) -> SignerSet:
    words = Words(outer.data, outer.dynamic(index), _SET_WORDS)
    start = words.dynamic(4)
    count = Words(outer.data, start, 1).uint256(0)
    # A verifier holds no larger set; the bound keeps a lying endpoint from having us build one.
    if count > MAXIMUM_SIGNER_COUNT:
        raise MalformedAbi("too many signers")
    array = Words(outer.data, start + WORD, count)
    signers: list[Signer] = []
    for position in range(count):
        member = Words(outer.data, array.dynamic(position), _SIGNER_WORDS)
        signers.append(Signer(member.bytes_at(0), member.uint64(1), member.word(2)))
        array.advance(member.end)
    outer.advance(array.end)
    return SignerSet(words.uint8(0), words.uint64(1), words.uint64(2), words.uint64(3), tuple(signers))
