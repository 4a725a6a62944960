"""What the gateway holds, as M endpoints know.

Its job: the gateway's own answers about requests, signer sets and its settings, for who watches and who prepares
transactions. SECURITY: what is called settled here is not sent: one endpoint that makes an answer up could keep a
request from being executed for ever. It must not judge what it read.

Source: contracts/cosmwasm/schema, queries of the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from attestation.errors import AttestationError
from attestation.json_object import hex_text
from attestation.request import RequestId
from attestation.signer_set import SignerSet
from attestation.words import WORD_LENGTH
from relayer.domain.slot_word import EMPTY_SLOT, is_consumed
from relayer.domain.tracked import TrackedRequest
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.vms.cosmwasm.documents import parse_signer_set
from relayer.vms.cosmwasm.queries import gateway_call, is_no_contract, parse_abci, parse_smart_object, parse_smart_text
from relayer.vms.cosmwasm.values import parse_count
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint

PENDING: Final = 1
CANCELLED: Final = 3

_WORD_TEXT_LENGTH: Final = 2 + 2 * WORD_LENGTH


class PendingState(NamedTuple):
    """What the gateway knows of a request: its `State`, and whether an account that is no contract asked."""

    state: int
    is_eoa: bool


class StateReader:
    """Asks the gateway with this bech32 text, as it is now."""

    def __init__(self, pool: EndpointPool, gateway: str) -> None:
        self._pool = pool
        self._gateway = gateway

    async def fetch_pendings(self, identifiers: Sequence[RequestId]) -> dict[RequestId, PendingState]:
        """The states of these; those are left out that no M endpoints tell alike. Raises `RpcUnavailable`."""
        calls = [
            gateway_call(self._gateway, "pending_request", request_id=hex_text(identifier))
            for identifier in identifiers
        ]

        async def ask(endpoint: RpcEndpoint) -> list[PendingState]:
            return [_parse_pending(answer, endpoint) for answer in await endpoint.call(calls)]

        verdicts = await self._pool.vote(ask, at_tip=True) if calls else ()
        return {
            identifier: verdict.value
            for identifier, verdict in zip(identifiers, verdicts, strict=True)
            if verdict.value is not None
        }

    async def fetch_consumed(self, requests: Sequence[TrackedRequest]) -> frozenset[RequestId]:
        """Those that this attempt of theirs, or an earlier consumption, has used up. Raises `RpcUnavailable`."""
        slots = [(tracked.request_id, tracked.request.first_attempt) for tracked in requests]
        calls = [
            gateway_call(self._gateway, "consumed", request_id=hex_text(slot))
            for pair in slots
            for slot in pair
            if slot is not None
        ]

        async def ask(endpoint: RpcEndpoint) -> list[bool]:
            words = iter([_parse_word(answer, endpoint) for answer in await endpoint.call(calls)])
            return [
                is_consumed(identifier, next(words), EMPTY_SLOT if origin is None else next(words))
                for identifier, origin in slots
            ]

        verdicts = await self._pool.vote(ask, at_tip=True) if calls else ()
        return frozenset(
            tracked.request_id for tracked, verdict in zip(requests, verdicts, strict=True) if verdict.value
        )

    async def fetch_fee_denomination(self) -> str:
        """The denomination of the coins that the gateway takes and pays. Raises `RpcUnavailable`."""
        calls = [gateway_call(self._gateway, "config")]

        async def ask(endpoint: RpcEndpoint) -> list[str]:
            return [
                parse_smart_object(answer, endpoint).value("fee_denom", str) for answer in await endpoint.call(calls)
            ]

        (verdict,) = await self._pool.vote(ask)
        if verdict.value is None:
            raise RpcDisagreement(f"no {self._pool.quorum} endpoints agree on the gateway's fee denomination")
        return verdict.value


def current_epoch_call(gateway: str, height: int) -> RpcCall:
    """The newest epoch, after the block at this height."""
    return gateway_call(gateway, "current_epoch", height)


def parse_current_epoch(answer: Any, endpoint: RpcEndpoint) -> int:
    """The newest epoch; 0 before the first, and where no gateway is deployed yet."""
    if is_no_contract(parse_abci(answer, endpoint)):
        return 0
    return parse_count(parse_smart_text(answer, endpoint))


def signer_set_call(gateway: str, epoch: int, height: int) -> RpcCall:
    """The set of an epoch, after the block at this height."""
    return gateway_call(gateway, "signer_set", height, epoch=str(epoch))


def parse_epoch_set(answer: Any, endpoint: RpcEndpoint) -> tuple[SignerSet, int]:
    """The set, and the last second at which it verifies. Raises `RpcUnavailable`."""
    document = parse_smart_object(answer, endpoint)
    try:
        document.require_names("set", "valid_until")
        return parse_signer_set(document.member("set")), document.uint64("valid_until")
    except AttestationError as fault:
        raise RpcUnavailable(f"{endpoint.label} answered with a malformed signer set: {fault}") from None


def _parse_pending(answer: Any, endpoint: RpcEndpoint) -> PendingState:
    document = parse_smart_object(answer, endpoint)
    return PendingState(document.value("state", int), document.value("is_eoa", bool))


def _parse_word(answer: Any, endpoint: RpcEndpoint) -> bytes:
    text = parse_smart_text(answer, endpoint)
    try:
        word = bytes.fromhex(text[2:])
    except ValueError:
        word = b""
    if len(text) != _WORD_TEXT_LENGTH or text[:2] != "0x" or len(word) != WORD_LENGTH:
        raise RpcUnavailable(f"{endpoint.label} answered with what is no word")
    return word
