"""A CosmWasm chain as the home of requests.

Its job: the port `SourceChain`: what is still pending, the `deliver` transactions for it, and the rotations of the
gateway's signer set. It must not judge whether a delivery pays.

Source: contracts/cosmwasm/gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attestation.request import RequestId
from attestation.signer_set import SignerSet
from attestation.statement import Outcome
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.bundling.packing import Item, Part, part_of
from relayer.vms.bundling.trials import SETTLED
from relayer.vms.cosmwasm.bundling import CosmwasmPreparer, encode_parts
from relayer.vms.cosmwasm.chain import ChainParts, CosmwasmChain
from relayer.vms.cosmwasm.gas import DELIVER_GAS, batch_load, item_load
from relayer.vms.cosmwasm.messages import ItemList, encode_delivery, encode_outcome_item
from relayer.vms.cosmwasm.rotating import Rotator
from relayer.vms.cosmwasm.states import CANCELLED, PENDING, PendingState, StateReader

_UNTOLD: Final = PendingState(PENDING, is_eoa=False)
"""Of a request on whose state no M endpoints agree: then the simulation tells."""


class CosmwasmSource(CosmwasmChain):
    """The delivering side."""

    def __init__(self, parts: ChainParts, states: StateReader, preparer: CosmwasmPreparer, rotator: Rotator) -> None:
        super().__init__(parts)
        self._states = states
        self._preparer = preparer
        self._rotator = rotator

    async def prepare_rotate(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The gateway's `rotate`, simulated. Raises `CallReverted`."""
        return await self._rotator.prepare(signer_set, certificate)

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """Bundle and simulate deliveries; what M endpoints no longer hold as pending is `settled`."""
        identifiers = [request.request_id for batch in batches for request in batch.requests]
        states = await self._states.fetch_pendings(identifiers)
        settled = tuple(each for each, state in states.items() if state.state not in {PENDING, CANCELLED})
        done = frozenset(settled)
        parts = [_part(batch, done, states) for batch in batches]
        prepared = await self._preparer.prepare([part for part in parts if part.items], _encode)
        # What was delivered since M endpoints said that it was not is looked at again, and settled then.
        doubtful = tuple((identifier, SETTLED) for identifier in prepared.settled)
        return Preparation(prepared.calls, settled, (*prepared.refused, *doubtful))


def _encode(parts: Sequence[Part]) -> bytes:
    return encode_delivery(encode_parts(parts, ItemList.OUTCOMES))


def _part(batch: CertifiedBatch, done: frozenset[RequestId], states: Mapping[RequestId, PendingState]) -> Part:
    def make_item(index: int, outcome: Outcome, tracked: TrackedRequest) -> Item:
        return _item(index, outcome, tracked, states.get(tracked.request_id, _UNTOLD))

    return part_of(batch, batch_load(batch.certificate, batch.batch.count), Outcome, done, make_item)


def _item(index: int, outcome: Outcome, tracked: TrackedRequest, state: PendingState) -> Item:
    assert tracked.conclusion is not None, "a request whose outcome is certified has a conclusion"
    encoded = encode_outcome_item(outcome, tracked.conclusion.return_data)
    # An account that is no contract gets an event and no call, and who cancelled gets neither.
    limit = 0 if state.is_eoa or state.state == CANCELLED else tracked.request.callback_gas_limit
    return Item(index, tracked.request_id, encoded, item_load(encoded, DELIVER_GAS, limit))
