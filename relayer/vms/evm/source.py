"""An EVM chain as the home of requests.

Its job: the port `SourceChain`: what is still pending, the `deliver` transactions for it, and the rotations of its
verifier. It must not judge whether a delivery pays.

Source: contracts/evm/src/interfaces/IXvmSource.sol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from attestation.request import RequestId
from attestation.signer_set import SignerSet
from attestation.statement import Outcome
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.bundling.packing import Item, Part, part_of
from relayer.vms.bundling.preparing import Preparer
from relayer.vms.evm.bundling import encode_parts
from relayer.vms.evm.calldata import encode_delivery, encode_outcome_item
from relayer.vms.evm.chain import ChainParts, EvmChain
from relayer.vms.evm.gas import DELIVER_GAS, batch_load, item_load
from relayer.vms.evm.rotating import Rotator
from relayer.vms.evm.views import CANCELLED, PENDING, PendingState, parse_pending, pending_call
from relayer.vms.jsonrpc.rpc import RpcEndpoint

_PLAIN: Final = PendingState(PENDING, is_eoa=False)
"""The state of almost every request whose outcome is certified. Another one takes less gas, or nothing."""


class EvmSource(EvmChain):
    """The delivering side."""

    def __init__(self, parts: ChainParts, preparer: Preparer, rotator: Rotator) -> None:
        super().__init__(parts)
        self._preparer = preparer
        self._rotator = rotator
        self._is_plain = True

    async def prepare_rotate(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The verifier's `rotate`, simulated. Raises `CallReverted`."""
        return await self._rotator.prepare(signer_set, certificate)

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """Bundle and simulate deliveries; what M endpoints no longer hold as pending is `settled`."""
        identifiers = [request.request_id for batch in batches for request in batch.requests]
        looking = asyncio.create_task(self._fetch_states(identifiers))
        try:
            # Most are pending, with a contract to call: that is tried while M endpoints say whether it is so.
            plain = dict.fromkeys(identifiers, _PLAIN)
            prepared = await self._prepare(batches, plain) if self._is_plain else Preparation(())
            states = await looking
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        was_plain, self._is_plain = self._is_plain, states == plain
        return prepared if was_plain and self._is_plain else await self._prepare(batches, states)

    async def _prepare(self, batches: Sequence[CertifiedBatch], states: dict[RequestId, PendingState]) -> Preparation:
        settled = tuple(identifier for identifier, state in states.items() if state.state not in {PENDING, CANCELLED})
        done = frozenset(settled)
        parts = [_part(batch, done, states) for batch in batches]
        prepared = await self._preparer.prepare([part for part in parts if part.items], _encode)
        return Preparation(prepared.calls, (*settled, *prepared.settled), prepared.refused)

    async def _fetch_states(self, identifiers: Sequence[RequestId]) -> dict[RequestId, PendingState]:
        """The state that M endpoints give; PENDING where no M agree: then the simulation tells."""
        gateway = self._parts.identity.gateway
        calls = [pending_call(gateway, identifier) for identifier in identifiers]

        async def ask(endpoint: RpcEndpoint) -> list[PendingState]:
            return [parse_pending(answer, endpoint) for answer in await endpoint.call(calls)]

        verdicts = await self._parts.pool.vote(ask, at_tip=True) if calls else ()
        return {identifier: verdict.value or _PLAIN for identifier, verdict in zip(identifiers, verdicts, strict=True)}


def _encode(parts: Sequence[Part]) -> bytes:
    return encode_delivery(encode_parts(parts))


def _part(batch: CertifiedBatch, done: frozenset[RequestId], states: dict[RequestId, PendingState]) -> Part:
    def make_item(index: int, outcome: Outcome, tracked: TrackedRequest) -> Item:
        return _item(index, outcome, tracked, states[tracked.request_id])

    return part_of(batch, batch_load(batch.certificate, batch.batch.count), Outcome, done, make_item)


def _item(index: int, outcome: Outcome, tracked: TrackedRequest, state: PendingState) -> Item:
    assert tracked.conclusion is not None, "a request whose outcome is certified has a conclusion"
    return_data = tracked.conclusion.return_data
    encoded = encode_outcome_item(outcome, return_data)
    # A transaction's own sender that asked gets an event and no call, and who cancelled gets neither.
    limit = 0 if state.is_eoa or state.state == CANCELLED else tracked.request.callback_gas_limit
    return Item(index, tracked.request_id, encoded, item_load(encoded, DELIVER_GAS, limit, answer_limit=0))
