"""A CosmWasm chain as the place where requests are executed and questions are answered.

Its job: the port `HistoricalVm`: the `execute` and `expire` transactions for what is not consumed yet, and the reading
of QUERYs. It must not judge whether an execution pays.

Source: contracts/cosmwasm/gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from attestation.request import Request, RequestId
from attestation.statement import Execute
from relayer.domain.blocks import BlockRef
from relayer.domain.tracked import TrackedRequest
from relayer.ports.destination_vm import Answer, Pin
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.bundling.packing import Item, Part, part_of
from relayer.vms.bundling.trials import SETTLED
from relayer.vms.cosmwasm.answers import AnswerReader
from relayer.vms.cosmwasm.bundling import CosmwasmPreparer, encode_parts
from relayer.vms.cosmwasm.chain import ChainParts, CosmwasmChain
from relayer.vms.cosmwasm.gas import EXECUTE_GAS, EXPIRE_GAS, OWN_ACCOUNT_GAS, Load, batch_load, call_limit, item_load
from relayer.vms.cosmwasm.headers import CosmwasmHeaders
from relayer.vms.cosmwasm.messages import (
    Consumption,
    ItemList,
    encode_consumption,
    encode_execute_item,
    encode_expire_item,
)
from relayer.vms.cosmwasm.states import StateReader
from relayer.vms.jsonrpc.pins import PinFinder

_Encode = Callable[[Request, Execute], bytes]
_Weigh = Callable[[Request, bytes], Load]


class CosmwasmDestination(CosmwasmChain):
    """The executing and answering side."""

    def __init__(self, parts: ChainParts, states: StateReader, preparer: CosmwasmPreparer) -> None:
        super().__init__(parts)
        self._states = states
        self._preparer = preparer
        self._pins = PinFinder(CosmwasmHeaders(parts.pool), parts.times)
        self._answers = AnswerReader(parts.pool, parts.identity.chain, parts.identity.prefix)

    @property
    def reads_history(self) -> Literal[True]:
        """Nodes keep the state of recent blocks."""
        return True

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundle and simulate executions; what M endpoints know as consumed is `settled`."""
        return await self._prepare(batches, Consumption.EXECUTE, payee, encode_execute_item, _execute_load)

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """The same for requests past their expiry by the chain's clock."""
        return await self._prepare(batches, Consumption.EXPIRE, payee, encode_expire_item, _expire_load)

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        """The parent of the first block later than this timestamp (s), and that block."""
        return await self._pins.find(after_timestamp)

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads at `pin`, in order; None where there is no answer."""
        return await self._answers.read(pin, requests)

    async def _prepare(
        self, batches: Sequence[CertifiedBatch], message: Consumption, payee: bytes, encode: _Encode, weigh: _Weigh
    ) -> Preparation:
        # A sender's ordered requests run in the order in which they were asked, within a transaction too.
        batches = sorted(batches, key=lambda batch: batch.batch.first_height)
        requests = [tracked for batch in batches for tracked in batch.requests]
        consumed = await self._states.fetch_consumed(requests)
        settled = tuple(tracked.request_id for tracked in requests if tracked.request_id in consumed)
        parts = [_part(batch, consumed, encode, weigh) for batch in batches]

        def encode_call(parts: Sequence[Part]) -> bytes:
            return encode_consumption(message, encode_parts(parts, ItemList.REQUESTS), payee)

        prepared = await self._preparer.prepare([part for part in parts if part.items], encode_call)
        # What was consumed since M endpoints said that it was not is looked at again, and settled then.
        doubtful = tuple((identifier, SETTLED) for identifier in prepared.settled)
        return Preparation(prepared.calls, settled, (*prepared.refused, *doubtful))


def _part(batch: CertifiedBatch, done: frozenset[RequestId], encode: _Encode, weigh: _Weigh) -> Part:
    def make_item(index: int, statement: Execute, tracked: TrackedRequest) -> Item:
        encoded = encode(tracked.request, statement)
        return Item(index, tracked.request_id, encoded, weigh(tracked.request, encoded))

    return part_of(batch, batch_load(batch.certificate, batch.batch.count), Execute, done, make_item)


def _execute_load(request: Request, encoded: bytes) -> Load:
    base_gas = EXECUTE_GAS + (OWN_ACCOUNT_GAS if request.own_account else 0)
    return item_load(encoded, base_gas, call_limit(request))


def _expire_load(_: Request, encoded: bytes) -> Load:
    return item_load(encoded, EXPIRE_GAS, 0)
