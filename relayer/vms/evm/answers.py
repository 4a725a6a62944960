"""What QUERYs read.

Its job: `eth_call` at exactly one block, several in one exchange, each answer agreed by M endpoints. SECURITY: a halt
of the VM is an answer, a node's failure is none; telling them apart wrongly would be signed. It must not choose the
block.

Source: EIP-1898; the protocol's rule for queries: from 0, value 0, gas = executionGasLimit, no gas price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attestation.address import Chain, parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.keccak import keccak256
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef
from relayer.ports.destination_vm import Answer
from relayer.vms.evm.chain_id import CHAIN_ID_CALL
from relayer.vms.evm.quantities import ADDRESS_LENGTH, format_data, parse_data
from relayer.vms.evm.views import at_block
from relayer.vms.evm.vm_faults import parse_revert
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import WeighedCall, call_by_weight

_ZERO_ADDRESS: Final = format_data(bytes(ADDRESS_LENGTH))
_ANY_CODE_HASH: Final = bytes(32)
_UNREACHED: Final = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")


class AnswerReader:
    """Reads on the pool's chain, the eip155 chain with this id."""

    def __init__(self, pool: EndpointPool, chain_id: int) -> None:
        self._pool = pool
        self._chain = Chain.evm(chain_id)

    async def read(self, pin: BlockRef, requests: Sequence[Request]) -> list[Answer | None]:
        """What each request reads at `pin`, in order; None where no M endpoints give one answer.

        Raises `RpcUnavailable` if fewer than M endpoints answer at all.
        """

        async def ask(endpoint: RpcEndpoint) -> list[Answer | None]:
            return await self._ask(endpoint, pin, requests)

        return [verdict.value for verdict in await self._pool.vote(ask)] if requests else []

    async def _ask(self, endpoint: RpcEndpoint, pin: BlockRef, requests: Sequence[Request]) -> list[Answer | None]:
        targets = [self._target(request) for request in requests]
        distinct = list(dict.fromkeys(target for target in targets if target is not None))
        reached = [(target, request) for target, request in zip(targets, requests, strict=True) if target is not None]
        code_calls = [WeighedCall(_code_call(target, pin), 0) for target in distinct]
        reads = [
            WeighedCall(_read_call(target, request, pin), request.execution_gas_limit) for target, request in reached
        ]
        answers = await call_by_weight(endpoint, [*code_calls, *reads], CHAIN_ID_CALL)
        code_hashes = dict(zip(distinct, map(_code_hash, answers[: len(distinct)]), strict=True))
        results = iter(answers[len(distinct) :])
        return [
            _UNREACHED if target is None else _answer(request, code_hashes[target], next(results))
            for target, request in zip(targets, requests, strict=True)
        ]

    def _target(self, request: Request) -> bytes | None:
        """The 20-byte target, or None if the request's target is no account of this chain."""
        try:
            target = parse_interoperable_address(request.target)
        except MalformedAddress:
            return None
        return target.address if target.chain == self._chain and target.address else None


def _code_call(target: bytes, pin: BlockRef) -> RpcCall:
    return RpcCall("eth_getCode", [format_data(target), at_block(pin)])


def _read_call(target: bytes, request: Request, pin: BlockRef) -> RpcCall:
    fields = {
        "from": _ZERO_ADDRESS,
        "to": format_data(target),
        "gas": hex(request.execution_gas_limit),
        "value": "0x0",
        "data": format_data(request.payload),
    }
    return RpcCall("eth_call", [fields, at_block(pin)])


def _code_hash(answer: Any) -> bytes | None:
    """The code's hash, empty where there is no code; None where the node cannot tell."""
    if isinstance(answer, RpcFault):
        return None
    code = parse_data(answer)
    return keccak256(code) if code else b""


def _answer(request: Request, code_hash: bytes | None, result: Any) -> Answer | None:
    if code_hash is None:
        return None
    if not code_hash or request.code_hash not in {_ANY_CODE_HASH, code_hash}:
        return _UNREACHED
    if isinstance(result, RpcFault):
        data = parse_revert(result)
        return None if data is None else _cut(request, OutcomeKind.REVERTED, data)
    return _cut(request, OutcomeKind.EXECUTED, parse_data(result))


def _cut(request: Request, kind: OutcomeKind, data: bytes) -> Answer:
    limit = request.return_limit
    return Answer(kind, cut=len(data) > limit, return_data=data[:limit])
