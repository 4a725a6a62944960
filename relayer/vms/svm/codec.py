"""The gateway's events, turned into observations.

Its job: exact fields out of what the gateway told by calling itself. SECURITY: an event that is not the one encoding,
whose id is not the hash of its request, or that speaks of another gateway, is dropped with an error and counted:
nothing that is dropped here can be signed. It must not judge whether a request can be served.

Where there is no catch, an outcome is recorded and its callback runs later, as often as needed: recorded and not yet
called back is what a failed handler is elsewhere, for anybody may run the callback.

Source: contracts/svm/xvm_gateway.idl.json, events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

import structlog
from solders.pubkey import Pubkey

from attestation.address import Chain, InteroperableAddress
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
from relayer.vms.svm.blocks import BlockContents
from relayer.vms.svm.borsh import Borsh, MalformedBorsh
from relayer.vms.svm.pending_places import PendingPlaces

_DISCRIMINATOR_LENGTH: Final = 8
_ADDRESS_LENGTH: Final = 32
_MODES: Final = tuple(Mode)
_KINDS: Final = tuple(OutcomeKind)

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class Requested(NamedTuple):
    """The fields of `XVMCallRequested`. `pending` is the account that holds the request, the fee is in lamports."""

    request_id: RequestId
    pending: Pubkey
    route_hash: bytes
    fee: int
    deadline: int
    request: Request


class EventCodec:
    """Decodes the events of one gateway, a program id of 32 bytes. `dropped` counts those that said the impossible.

    `pending_places` are where the requests wait that were asked for in them.
    """

    def __init__(self, chain: Chain, gateway: bytes) -> None:
        self.gateway: Final = InteroperableAddress(chain, gateway).to_bytes()
        self.pending_places: Final = PendingPlaces()
        self.dropped = 0
        self._chain = chain
        self._account_prefix = self.gateway[:-_ADDRESS_LENGTH]
        self._decoders: Mapping[bytes, Callable[[Borsh, Location], Observation]] = {
            event_discriminator("XVMCallRequested"): self._call_requested,
            event_discriminator("XVMFeeAdded"): _fee_added,
            event_discriminator("XVMOutcomeRecorded"): _outcome_recorded,
            event_discriminator("XVMCallbackDelivered"): _callback_delivered,
            event_discriminator("XVMCancelled"): _cancelled,
            event_discriminator("XVMReclaimed"): _reclaimed,
            event_discriminator("XVMCallConcluded"): _call_concluded,
            event_discriminator("XVMEpochApplied"): _epoch_applied,
        }

    def decode(self, block: BlockContents) -> tuple[Observation, ...]:
        """What the block's events say, in order."""
        observations: list[Observation] = []
        for data, signature, tx_index, log_index in block.events:
            location = Location(block.stamp.ref, tx_index, log_index, signature)
            try:
                observations.append(self._decode(data, location))
            except (MalformedBorsh, AttestationError) as error:
                self.dropped += 1
                _log.error(
                    "gateway_log_dropped",
                    chain=str(self._chain),
                    block=block.stamp.ref.number,
                    tx_hash=signature.hex(),
                    log_index=log_index,
                    reason=str(error),
                )
        return tuple(observations)

    def _decode(self, data: bytes, location: Location) -> Observation:
        decoder = self._decoders.get(data[:_DISCRIMINATOR_LENGTH])
        if decoder is None:
            raise MalformedBorsh("no event of ours")
        borsh = Borsh(data[_DISCRIMINATOR_LENGTH:])
        observation = decoder(borsh, location)
        borsh.finish()
        return observation

    def _call_requested(self, borsh: Borsh, location: Location) -> CallRequested:
        told = read_requested(borsh)
        request = told.request
        # SECURITY: the id is what gets signed. It must commit to the request that everybody will act on.
        if request_id(request) != told.request_id:
            raise MalformedBorsh("the id is not the request's")
        # SECURITY: a gateway speaks for itself only; else one gateway could forge another's requests.
        if request.source_gateway != self.gateway:
            raise MalformedBorsh("the request names another source gateway")
        if len(request.sender) != len(self.gateway) or not request.sender.startswith(self._account_prefix):
            raise MalformedBorsh("the request names no sender of this chain")
        route = route_of(request)
        if keccak256_of_repeated(route) != told.route_hash:
            raise MalformedBorsh("the request names another route")
        self.pending_places.note(told.request_id, told.pending)
        return CallRequested(told.request_id, request, route, told.fee, told.deadline, location)


def event_discriminator(name: str) -> bytes:
    """The first 8 bytes of an event of this type, as Anchor has them."""
    return sha256(f"event:{name}".encode()).digest()[:_DISCRIMINATOR_LENGTH]


def read_requested(borsh: Borsh) -> Requested:
    """The fields of `XVMCallRequested`. Raises `MalformedBorsh`, or `MalformedRequest`."""
    return Requested(
        request_id=_id(borsh),
        pending=Pubkey(borsh.word()),
        route_hash=borsh.word(),
        fee=borsh.u64(),
        deadline=borsh.u64(),
        request=_request(borsh),
    )


def _request(borsh: Borsh) -> Request:
    return Request(
        source_gateway=borsh.sized(),
        sender=borsh.sized(),
        destination_gateway=borsh.sized(),
        target=borsh.sized(),
        nonce=borsh.u64(),
        mode=_mode(borsh.u8()),
        own_account=borsh.boolean(),
        payload=borsh.sized(),
        execution_gas_limit=borsh.u64(),
        callback_gas_limit=borsh.u64(),
        return_limit=borsh.u32(),
        expiry=borsh.u64(),
        ordered_after=int.from_bytes(borsh.word(), "big"),
        origin=int.from_bytes(borsh.word(), "big"),
        code_hash=borsh.word(),
        dispute_blocks=borsh.u32(),
        metadata=borsh.sized(),
    )


def _fee_added(borsh: Borsh, location: Location) -> FeeAdded:
    identifier = _id(borsh)
    borsh.u64()  # what was added
    return FeeAdded(identifier, borsh.u64(), location)


def _outcome_recorded(borsh: Borsh, location: Location) -> CallbackDelivered | CancelSettled:
    identifier = _id(borsh)
    _kind(borsh.u8())
    was_cancelled = borsh.boolean()
    return_data_hash, _deliverer = borsh.word(), borsh.word()
    if was_cancelled:
        return CancelSettled(identifier, location)
    return CallbackDelivered(identifier, is_handler_failed=True, location=location, return_data_hash=return_data_hash)


def _callback_delivered(borsh: Borsh, location: Location) -> CallbackDelivered:
    identifier = _id(borsh)
    _kind(borsh.u8())
    borsh.boolean()  # success
    return_data_hash, _deliverer = borsh.word(), borsh.word()
    return CallbackDelivered(identifier, is_handler_failed=False, location=location, return_data_hash=return_data_hash)


def _cancelled(borsh: Borsh, location: Location) -> RequestCancelled:
    return RequestCancelled(_id(borsh), borsh.u64(), location)


def _reclaimed(borsh: Borsh, location: Location) -> CancelSettled:
    identifier = _id(borsh)
    borsh.u64()  # what was returned
    return CancelSettled(identifier, location)


def _call_concluded(borsh: Borsh, location: Location) -> CallConcluded:
    return CallConcluded(
        request_id=_id(borsh),
        source_gateway=borsh.sized(),
        kind=_kind(borsh.u8()),
        cut=borsh.boolean(),
        return_data=borsh.sized(),
        payee=borsh.word(),
        location=location,
    )


def _epoch_applied(borsh: Borsh, location: Location) -> EpochApplied:
    epoch, set_hash, valid_until = borsh.u64(), borsh.word(), borsh.u64()
    signer_set = _signer_set(borsh)
    if signer_set_hash(signer_set) != set_hash:
        raise MalformedBorsh("the hash is not the signer set's")
    return EpochApplied(epoch, signer_set, valid_until, location)


def _signer_set(borsh: Borsh) -> SignerSet:
    scheme, threshold, valid_until, grace_seconds = borsh.u8(), borsh.u64(), borsh.u64(), borsh.u64()
    count = borsh.u32()
    # A verifier holds no larger set; the bound keeps a lying endpoint from having us build one.
    if count > MAXIMUM_SIGNER_COUNT:
        raise MalformedBorsh("too many signers")
    signers = tuple(Signer(key=borsh.sized(), weight=borsh.u64(), operator=borsh.word()) for _ in range(count))
    return SignerSet(scheme, threshold, valid_until, grace_seconds, signers)


def _id(borsh: Borsh) -> RequestId:
    return RequestId(borsh.word())


def _mode(number: int) -> Mode:
    if number >= len(_MODES):
        raise MalformedBorsh("an unknown mode")
    return _MODES[number]


def _kind(number: int) -> OutcomeKind:
    if number >= len(_KINDS):
        raise MalformedBorsh("an unknown kind")
    return _KINDS[number]
