"""An EVM chain as the place where requests are executed and questions are answered.

Its job: the port `HistoricalVm`: the `execute` and `expire` transactions for what is not consumed yet, and the reading
of QUERYs. It must not judge whether an execution pays.

Source: contracts/evm/src/interfaces/IXvmDestination.sol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from attestation.request import Request, RequestId
from attestation.statement import Execute
from relayer.domain.blocks import BlockRef
from relayer.domain.slot_word import EMPTY_SLOT, is_consumed
from relayer.domain.tracked import TrackedRequest
from relayer.ports.destination_vm import Answer, Pin
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.bundling.packing import Item, Part, part_of
from relayer.vms.bundling.preparing import Preparer
from relayer.vms.bundling.trials import SETTLED
from relayer.vms.evm.agreed import EvmHeaders
from relayer.vms.evm.answers import AnswerReader
from relayer.vms.evm.bundling import encode_parts
from relayer.vms.evm.calldata import EXECUTE, EXPIRE, encode_consumption, encode_execute_item, encode_expire_item
from relayer.vms.evm.chain import ChainParts, EvmChain
from relayer.vms.evm.gas import EXECUTE_GAS, OWN_ACCOUNT_GAS, Load, batch_load, item_load
from relayer.vms.evm.simulation import Simulator
from relayer.vms.evm.views import consumed_call, parse_consumed
from relayer.vms.jsonrpc.pins import PinFinder
from relayer.vms.jsonrpc.rpc import RpcEndpoint

_Encode = Callable[[Request, Execute], bytes]
_Weigh = Callable[[Request, bytes], Load]


class EvmDestination(EvmChain):
    """The executing and answering side."""

    def __init__(self, parts: ChainParts, simulator: Simulator, preparer: Preparer) -> None:
        super().__init__(parts)
        self._simulator = simulator
        self._preparer = preparer
        self._pins = PinFinder(EvmHeaders(parts.pool), parts.times)
        self._answers = AnswerReader(parts.pool, parts.identity.chain_id)

    @property
    def reads_history(self) -> Literal[True]:
        """Nodes keep the state of recent blocks."""
        return True

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundle and simulate executions; what M endpoints know as consumed is `settled`."""
        return await self._prepare(batches, EXECUTE, payee, encode_execute_item, _execute_load)

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """The same for requests past their expiry by the chain's clock."""
        return await self._prepare(batches, EXPIRE, payee, encode_expire_item, _expire_load)

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        """The parent of the first block later than this timestamp (s), and that block."""
        return await self._pins.find(after_timestamp)

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads at `pin`, in order; None where there is no answer."""
        return await self._answers.read(pin, requests)

    async def _prepare(
        self, batches: Sequence[CertifiedBatch], selector: bytes, payee: bytes, encode: _Encode, weigh: _Weigh
    ) -> Preparation:
        # A sender's ordered requests run in the order in which they were asked, within a transaction too.
        batches = sorted(batches, key=lambda batch: batch.batch.first_height)
        requests = [tracked for batch in batches for tracked in batch.requests]
        was_blind = self._simulator.is_blind
        settled = await self._fetch_consumed(requests) if was_blind else frozenset()
        parts = [_part(batch, settled, encode, weigh) for batch in batches]

        def encode_call(parts: Sequence[Part]) -> bytes:
            return encode_consumption(selector, encode_parts(parts), payee)

        prepared = await self._preparer.prepare([part for part in parts if part.items], encode_call)
        if self._simulator.is_blind and not was_blind:
            return await self._prepare(batches, selector, payee, encode, weigh)
        # SECURITY: one endpoint that calls requests settled could keep them from being executed for ever.
        claimed = frozenset(prepared.settled)
        settled |= await self._fetch_consumed([tracked for tracked in requests if tracked.request_id in claimed])
        doubtful = tuple((identifier, SETTLED) for identifier in prepared.settled if identifier not in settled)
        settled_in_order = tuple(tracked.request_id for tracked in requests if tracked.request_id in settled)
        return Preparation(prepared.calls, settled_in_order, (*prepared.refused, *doubtful))

    async def _fetch_consumed(self, requests: Sequence[TrackedRequest]) -> frozenset[RequestId]:
        """Those that this attempt of theirs, or an earlier consumption, has used up, as M endpoints know."""
        gateway = self._parts.identity.gateway
        slots = [(tracked.request_id, tracked.request.first_attempt) for tracked in requests]
        calls = [consumed_call(gateway, slot) for pair in slots for slot in pair if slot is not None]

        async def ask(endpoint: RpcEndpoint) -> list[bool]:
            words = iter([parse_consumed(answer, endpoint) for answer in await endpoint.call(calls)])
            return [
                is_consumed(identifier, next(words), EMPTY_SLOT if origin is None else next(words))
                for identifier, origin in slots
            ]

        verdicts = await self._parts.pool.vote(ask, at_tip=True) if calls else ()
        return frozenset(
            tracked.request_id for tracked, verdict in zip(requests, verdicts, strict=True) if verdict.value
        )


def _part(batch: CertifiedBatch, done: frozenset[RequestId], encode: _Encode, weigh: _Weigh) -> Part:
    def make_item(index: int, statement: Execute, tracked: TrackedRequest) -> Item:
        encoded = encode(tracked.request, statement)
        return Item(index, tracked.request_id, encoded, weigh(tracked.request, encoded))

    return part_of(batch, batch_load(batch.certificate, batch.batch.count), Execute, done, make_item)


def _execute_load(request: Request, encoded: bytes) -> Load:
    base_gas = EXECUTE_GAS + (OWN_ACCOUNT_GAS if request.own_account else 0)
    return item_load(encoded, base_gas, request.execution_gas_limit, request.return_limit)


def _expire_load(_: Request, encoded: bytes) -> Load:
    return item_load(encoded, EXECUTE_GAS, 0, 0)
