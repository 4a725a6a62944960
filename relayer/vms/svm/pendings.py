"""Where requests from here wait.

Its job: the account of each pending request. A request does not tell it: the asker chooses it, and the event by which
the request was asked for names it. SECURITY: it is a hint. What stands there is read and must be that very request.

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
from relayer.vms.svm.self_calls import parse_self_calls, transaction_call
from relayer.vms.svm.slots import head_call

_REMEMBERED: Final = 65_536
"""Requests whose account is known: as many as wait for their outcomes at a busy gateway, of some 200 bytes each."""

_REQUESTED: Final = event_discriminator("XVMCallRequested")


class PendingFinder:
    """Finds the accounts of one gateway's requests, each once."""

    def __init__(self, pool: EndpointPool, program: Pubkey) -> None:
        self._pool = pool
        self._program = program
        self._known: dict[RequestId, Pubkey] = {}

    async def find(self, requests: Sequence[TrackedRequest]) -> dict[RequestId, Pubkey]:
        """Where these are; those are left out of whose transaction M endpoints do not tell alike.

        Raises `RpcUnavailable`.
        """
        unknown = [request for request in requests if request.request_id not in self._known]
        if unknown:
            await self._learn(unknown)
        ids = [request.request_id for request in requests]
        found = {identifier: self._known[identifier] for identifier in ids if identifier in self._known}
        for oldest in list(self._known)[: max(len(self._known) - _REMEMBERED, 0)]:
            del self._known[oldest]
        return found

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
            self._known.update(verdict.value or ())

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
