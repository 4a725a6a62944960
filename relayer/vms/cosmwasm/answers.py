"""What QUERYs read.

Its job: questions to contracts in the state after exactly one block, each answer agreed by M endpoints. SECURITY: an
error of the contract is an answer, a node's failure is none, nor is a node's own limit on how much a question may cost;
telling them apart wrongly would be signed. It must not choose the block.

Source: wasmd's x/wasm/keeper/querier.go. How an error is put into words differs between versions of nodes, so that none
of its text is part of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attestation.address import Chain, InteroperableAddress, parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.cosmos.wasm import (
    CODE_INFO,
    CONTRACT_INFO,
    QueryCodeInfoRequest,
    QueryCodeInfoResponse,
    QueryContractInfoRequest,
    QueryContractInfoResponse,
)
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.vms.cosmwasm.headers import STATUS_CALL
from relayer.vms.cosmwasm.queries import (
    AbciAnswer,
    abci_call,
    decode_response,
    decode_smart,
    is_contract_error,
    is_no_contract,
    parse_abci,
    smart_call,
)
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import WeighedCall, call_by_weight

_QUESTION_GAS: Final = 3_000_000
"""That nodes let one question burn, if their operators did not choose otherwise. The request's own limit binds none."""

_NO_CODE: Final = 0
_ANY_CODE: Final = bytes(32)
_UNREACHED: Final = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")
_REVERTED: Final = Answer(OutcomeKind.REVERTED, cut=False, return_data=b"")


class AnswerReader:
    """Reads on the pool's chain, whose accounts begin with `prefix`."""

    def __init__(self, pool: EndpointPool, chain: Chain, prefix: str) -> None:
        self._pool = pool
        self._chain = chain
        self._prefix = prefix

    async def read(self, pin: BlockRef, requests: Sequence[Request]) -> list[Answer | None]:
        """What each request reads at `pin`, in order; None where no M endpoints give one answer.

        Raises `RpcUnavailable` if fewer than M endpoints answer at all.
        """

        async def ask(endpoint: RpcEndpoint) -> list[Answer | None]:
            return await _Reading(endpoint, pin.number).answer([self._target(r) for r in requests], requests)

        return [verdict.value for verdict in await self._pool.vote(ask)] if requests else []

    def _target(self, request: Request) -> str | None:
        """The target in bech32, or None if it is no account of this chain."""
        try:
            target = parse_interoperable_address(request.target)
        except MalformedAddress:
            return None
        if target.chain != self._chain or target.is_chain_only:
            return None
        return InteroperableAddress(self._chain, target.address).account_text(self._prefix)


class _Reading:
    """What one endpoint says of the state after one block."""

    def __init__(self, endpoint: RpcEndpoint, height: int) -> None:
        self._endpoint = endpoint
        self._height = height

    async def answer(self, targets: Sequence[str | None], requests: Sequence[Request]) -> list[Answer | None]:
        pairs = [(target, request) for target, request in zip(targets, requests, strict=True) if target is not None]
        codes = await self._codes([target for target, _ in pairs])
        checksums = await self._checksums([codes[target] for target, request in pairs if any(request.code_hash)])
        answers: list[Answer | None] = [_UNREACHED] * len(requests)
        asked: list[tuple[int, WeighedCall]] = []
        for place, (target, request) in enumerate(zip(targets, requests, strict=True)):
            is_there = target is not None and _is_there(request, codes[target], checksums)
            if is_there is None:
                answers[place] = None
            elif target is not None and is_there:
                asked.append((place, WeighedCall(smart_call(target, request.payload, self._height), _QUESTION_GAS)))
        for (place, _), result in zip(asked, await self._ask([call for _, call in asked]), strict=True):
            answers[place] = self._judge(requests[place], result)
        return answers

    async def _codes(self, targets: Sequence[str]) -> dict[str, int | None]:
        """The number of each contract's code, `_NO_CODE` where no contract is, None where the node cannot tell."""
        distinct = list(dict.fromkeys(targets))
        answers = await self._call(
            [abci_call(CONTRACT_INFO, QueryContractInfoRequest(target), self._height) for target in distinct]
        )
        return {target: self._code(answer) for target, answer in zip(distinct, answers, strict=True)}

    def _code(self, answer: AbciAnswer | None) -> int | None:
        if answer is None:
            return None
        if answer.code:
            return _NO_CODE if is_no_contract(answer) else None
        info = decode_response(answer.value, self._endpoint, QueryContractInfoResponse).contract_info
        return info.code_id or None if info is not None else None

    async def _checksums(self, codes: Sequence[int | None]) -> dict[int, bytes]:
        """The SHA-256 of each code; those are left out that the node cannot tell."""
        distinct = list(dict.fromkeys(code for code in codes if code))
        calls = [abci_call(CODE_INFO, QueryCodeInfoRequest(code), self._height) for code in distinct]
        return {
            code: decode_response(answer.value, self._endpoint, QueryCodeInfoResponse).checksum
            for code, answer in zip(distinct, await self._call(calls), strict=True)
            if answer is not None and not answer.code
        }

    def _judge(self, request: Request, answer: AbciAnswer | None) -> Answer | None:
        if answer is None:
            return None
        if answer.code:
            return _REVERTED if is_contract_error(answer) else None
        data, limit = decode_smart(answer.value, self._endpoint), request.return_limit
        return Answer(OutcomeKind.EXECUTED, cut=len(data) > limit, return_data=data[:limit])

    async def _call(self, calls: Sequence[RpcCall]) -> list[AbciAnswer | None]:
        return await self._ask([WeighedCall(call, 0) for call in calls])

    async def _ask(self, calls: Sequence[WeighedCall]) -> list[AbciAnswer | None]:
        """None where the node gives no answer."""
        answers = await call_by_weight(self._endpoint, calls, STATUS_CALL) if calls else []
        return [None if isinstance(answer, RpcFault) else self._parse(answer) for answer in answers]

    def _parse(self, answer: Any) -> AbciAnswer:
        parsed = parse_abci(answer, self._endpoint)
        # SECURITY: an answer from another state than the one that was asked for is another answer.
        if not parsed.code and parsed.height != self._height:
            raise RpcUnavailable(f"{self._endpoint.label} answered as of {parsed.height}, not of {self._height}")
        return parsed


def _is_there(request: Request, code: int | None, checksums: Mapping[int, bytes]) -> bool | None:
    """Whether a contract is at the target, of the code that is asked for if one is; None where the node cannot tell."""
    if code is None or code == _NO_CODE or request.code_hash == _ANY_CODE:
        return None if code is None else code != _NO_CODE
    checksum = checksums.get(code)
    return None if checksum is None else checksum == request.code_hash
