"""The gateway's events, turned into observations.

Its job: exact fields out of what the gateway told. SECURITY: an event that is not the one encoding, whose id is not the
hash of its request, or that speaks of another gateway, is dropped with an error and counted: nothing that is dropped
here can be signed. It must not judge whether a request can be served.

Source: contracts/cosmwasm, events of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from attestation.address import Chain, InteroperableAddress
from attestation.errors import AttestationError
from attestation.json_object import parse_object
from attestation.keccak import keccak256_of_repeated
from attestation.request import RequestId, request_id, route_of
from attestation.signer_set import signer_set_hash
from attestation.statement import OutcomeKind
from relayer.cosmos.accounts import from_bech32
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
from relayer.vms.cosmwasm.blocks import BlockContents
from relayer.vms.cosmwasm.documents import parse_request, parse_signer_set
from relayer.vms.cosmwasm.events import GatewayEvent
from relayer.vms.cosmwasm.fields import Fields, MalformedEvent

_KINDS: Final = tuple(OutcomeKind)

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class EventCodec:
    """Decodes the events of one gateway, 32 bytes, on a chain whose accounts begin with `prefix`.

    `dropped` counts those that said the impossible.
    """

    def __init__(self, chain: Chain, gateway: bytes, prefix: str) -> None:
        self.gateway: Final = InteroperableAddress(chain, gateway).to_bytes()
        self.dropped = 0
        self._chain = chain
        self._prefix = prefix
        self._decoders: Mapping[str, Callable[[Fields, Location], Observation]] = {
            "XVMCallRequested": self._call_requested,
            "XVMFeeAdded": _fee_added,
            "XVMCallConcluded": _call_concluded,
            "XVMCallbackDelivered": _callback_delivered,
            "XVMHandlerFailed": _handler_failed,
            "XVMCancelled": _cancelled,
            "XVMCancelledConcluded": _cancelled_concluded,
            "XVMReclaimed": _reclaimed,
            "XVMEpochApplied": _epoch_applied,
        }
        self.watched: Final = frozenset(self._decoders)

    def decode(self, block: BlockContents) -> tuple[Observation, ...]:
        """What the block's events say, in order."""
        observations: list[Observation] = []
        for event, tx_hash, tx_index, log_index in block.events:
            location = Location(block.stamp.ref, tx_index, log_index, tx_hash)
            try:
                observations.append(self._decode(event, location))
            except (MalformedEvent, AttestationError) as error:
                self.dropped += 1
                _log.error(
                    "gateway_log_dropped",
                    chain=str(self._chain),
                    block=block.stamp.ref.number,
                    tx_hash=tx_hash.hex(),
                    log_index=log_index,
                    reason=str(error),
                )
        return tuple(observations)

    def _decode(self, event: GatewayEvent, location: Location) -> Observation:
        decoder = self._decoders.get(event.name)
        if decoder is None:
            raise MalformedEvent("no event of ours")
        return decoder(Fields(event.attributes), location)

    def _call_requested(self, fields: Fields, location: Location) -> CallRequested:
        identifier, route_hash = _id(fields), fields.word("route_hash")
        request = parse_request(parse_object("request", fields.text("request")))
        # SECURITY: the id is what gets signed. It must commit to the request that everybody will act on.
        if request_id(request) != identifier:
            raise MalformedEvent("the id is not the request's")
        # SECURITY: a gateway speaks for itself only; else one gateway could forge another's requests.
        if request.source_gateway != self.gateway:
            raise MalformedEvent("the request names another source gateway")
        if request.sender != self._account(fields.text("sender")):
            raise MalformedEvent("the request names another sender")
        route = route_of(request)
        if keccak256_of_repeated(route) != route_hash:
            raise MalformedEvent("the request names another route")
        return CallRequested(identifier, request, route, fields.uint("fee", 128), fields.uint("deadline", 64), location)

    def _account(self, text: str) -> bytes:
        """ERC-7930 bytes of an account of this chain, by its bech32 text."""
        return InteroperableAddress(self._chain, from_bech32(self._prefix, text)).to_bytes()


def _fee_added(fields: Fields, location: Location) -> FeeAdded:
    fields.uint("amount", 128)
    return FeeAdded(_id(fields), fields.uint("fee", 128), location)


def _call_concluded(fields: Fields, location: Location) -> CallConcluded:
    source_gateway = fields.hex_bytes("source_gateway")
    if keccak256_of_repeated(source_gateway) != fields.word("source_gateway_hash"):
        raise MalformedEvent("the receipt names another source gateway")
    return CallConcluded(
        request_id=_id(fields),
        source_gateway=source_gateway,
        kind=_kind(fields),
        cut=fields.boolean("cut"),
        return_data=fields.base64_bytes("return_data"),
        payee=fields.word("payee"),
        location=location,
    )


def _callback_delivered(fields: Fields, location: Location) -> CallbackDelivered:
    _kind(fields)
    fields.boolean("success")
    return CallbackDelivered(
        _id(fields), is_handler_failed=False, location=location, return_data_hash=fields.word("return_data_hash")
    )


def _handler_failed(fields: Fields, location: Location) -> CallbackDelivered:
    # Its word is the whole outcome's hash, not its data's.
    _kind(fields)
    fields.boolean("success")
    fields.word("outcome_hash")
    return CallbackDelivered(_id(fields), is_handler_failed=True, location=location)


def _cancelled(fields: Fields, location: Location) -> RequestCancelled:
    return RequestCancelled(_id(fields), fields.uint("returned", 128), location)


def _cancelled_concluded(fields: Fields, location: Location) -> CancelSettled:
    _kind(fields)
    return CancelSettled(_id(fields), location)


def _reclaimed(fields: Fields, location: Location) -> CancelSettled:
    fields.uint("returned", 128)
    return CancelSettled(_id(fields), location)


def _epoch_applied(fields: Fields, location: Location) -> EpochApplied:
    signer_set = parse_signer_set(parse_object("set", fields.text("set")))
    if signer_set_hash(signer_set) != fields.word("signer_set_hash"):
        raise MalformedEvent("the hash is not the signer set's")
    return EpochApplied(fields.uint("epoch", 64), signer_set, fields.uint("valid_until", 64), location)


def _id(fields: Fields) -> RequestId:
    return RequestId(fields.word("request_id"))


def _kind(fields: Fields) -> OutcomeKind:
    number = fields.uint("kind", 8)
    if number >= len(_KINDS):
        raise MalformedEvent("an unknown kind")
    return _KINDS[number]
