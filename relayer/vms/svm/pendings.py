"""Where requests from here wait.

Its job: the account of each pending request. A request does not tell it: the asker chooses it, and the event by which
the request was asked for names it. What was watched since the start is known; the rest, such as what others watched
before, is looked up. SECURITY: it is a hint. What stands there is read and must be that very request.

Source: contracts/svm/xvm_gateway.idl.json, `XVMCallRequested`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from attestation.request import RequestId
from relayer.domain.blocks import Location
from relayer.domain.tracked import TrackedRequest
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import call_by_weight
from relayer.vms.svm.borsh import Borsh
from relayer.vms.svm.codec import event_discriminator
from relayer.vms.svm.mentions import Mention
from relayer.vms.svm.pending_places import PendingPlaces
from relayer.vms.svm.self_calls import parse_self_calls, transaction_call
from relayer.vms.svm.slots import head_call

_REQUESTED: Final = event_discriminator("XVMCallRequested")


class PendingFinder:
    """Finds the accounts of one gateway's requests, each once; `places` are those that are known."""

    def __init__(self, pool: EndpointPool, program: Pubkey, places: PendingPlaces) -> None:
        self._pool = pool
        self._program = program
        self._places = places

    async def find(self, requests: Sequence[TrackedRequest]) -> dict[RequestId, Pubkey]:
        """Where these are; those are left out of whose transaction M endpoints do not tell alike.

        Raises `RpcUnavailable`.
        """
        unknown = [request for request in requests if self._places.find(request.request_id) is None]
        if unknown:
            await self._learn(unknown)
        found = ((request.request_id, self._places.find(request.request_id)) for request in requests)
        return {identifier: account for identifier, account in found if account is not None}

    async def _learn(self, requests: Sequence[TrackedRequest]) -> None:
        # Several requests may have been asked for in one transaction.
        places = list({request.location.tx_hash: request.location for request in requests}.values())
        calls = [transaction_call(place.tx_hash) for place in places]

        async def ask(endpoint: RpcEndpoint) -> list[tuple[tuple[RequestId, Pubkey], ...] | None]:
            answers = await call_by_weight(endpoint, calls, head_call())
            return [
                None if isinstance(answer, RpcFault) else self._parse(answer, place)
                for place, answer in zip(places, answers, strict=True)
            ]

        for verdict in await self._pool.vote(ask):
            for identifier, account in verdict.value or ():
                self._places.note(identifier, account)

    def _parse(self, answer: object, place: Location) -> tuple[tuple[RequestId, Pubkey], ...] | None:
        events = parse_self_calls(answer, Mention(place.block.number, place.tx_hash), self._program)
        if events is None:
            return None
        told = []
        for event in events:
            if event.startswith(_REQUESTED):
                fields = Borsh(event[len(_REQUESTED) :])
                told.append((RequestId(fields.word()), Pubkey(fields.word())))
        return tuple(told)
