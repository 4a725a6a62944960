"""Answers QUERYs: what an account holds, or what a program returns when its call is tried.

Its job: outcomes read in finalized state that is no older than what M endpoints have reached, each agreed by M of them.
An abort of the program that was asked is an outcome; anything else that goes wrong is no answer at all. It must not
choose what is asked, nor send anything.

Source: agave's RPC, `getMultipleAccounts` and `simulateTransaction`; docs/reference/protocol.md, Queries of a chain
without history.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.address import Chain, parse_interoperable_address
from attestation.errors import MalformedAddress
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, require_result
from relayer.vms.jsonrpc.weighing import MAX_GAS_PER_EXCHANGE, WeighedCall, call_by_weight
from relayer.vms.svm.account_reading import DataPart, accounts_call, parse_accounts
from relayer.vms.svm.accounts import AccountState
from relayer.vms.svm.payloads import parse_payload
from relayer.vms.svm.slots import COMMITMENT, head_call, parse_head
from relayer.vms.svm.transactions import MAX_COMPUTE_UNITS, draft_of, is_fitting, trial_of
from relayer.vms.svm.values import parse_base64, parse_hash

_SLICE: Final = struct.Struct("<II")
_NOTHING_OF_IT: Final = DataPart(0, 0)

_ACCOUNT_WEIGHT: Final = MAX_GAS_PER_EXCHANGE // 20
"""Of an account's data, as far as it is asked for: twenty travel together, a megabyte or two."""

_CALL_PLACE: Final = 2
"""Of the call among the trial's instructions, behind the two of its budget."""

_BUDGET_UNITS: Final = 300
"""That those two use up before the call begins, 150 each."""

_UNREACHED: Final = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")
_REVERTED: Final = Answer(OutcomeKind.REVERTED, cut=False, return_data=b"")


class _Asked(NamedTuple):
    """A question that can be put to an endpoint: whose account, and how much of its data."""

    target: Pubkey
    part: DataPart | None
    """None where the payload names none: then only a program can be asked."""


class AnswerReader:
    """Reads on the pool's chain. `payer` is an account with lamports in whose name calls are tried, nothing else."""

    def __init__(self, pool: EndpointPool, chain: Chain, payer: Pubkey) -> None:
        self._pool = pool
        self._chain = chain
        self._payer = payer

    async def read(self, requests: Sequence[Request]) -> list[Answer | None]:
        """What each request reads, in order; None where no M endpoints give one answer just now.

        Raises `RpcUnavailable` if fewer than M endpoints answer at all.
        """
        if not requests:
            return []
        # SECURITY: a state from before the question was asked answers another one.
        min_slot = await self._fetch_reached_slot()

        async def ask(endpoint: RpcEndpoint) -> list[Answer | None]:
            return await self._ask(endpoint, requests, min_slot)

        return [verdict.value for verdict in await self._pool.vote(ask, at_tip=True)]

    async def _fetch_reached_slot(self) -> int:
        async def ask(endpoint: RpcEndpoint) -> int:
            (answer,) = await endpoint.call([head_call()])
            return parse_head(require_result(answer, endpoint)).number

        return self._pool.reached(await self._pool.each(ask))

    async def _ask(self, endpoint: RpcEndpoint, requests: Sequence[Request], min_slot: int) -> list[Answer | None]:
        asked = [self._parse(request) for request in requests]
        reached = [(place, each) for place, each in enumerate(asked) if each is not None]
        calls = [
            WeighedCall(
                accounts_call([each.target], COMMITMENT["commitment"], min_slot, each.part or _NOTHING_OF_IT),
                _ACCOUNT_WEIGHT,
            )
            for _, each in reached
        ]
        looks = await call_by_weight(endpoint, calls, head_call()) if calls else []
        answers: list[Answer | None] = [_UNREACHED] * len(requests)
        trials: list[tuple[int, WeighedCall]] = []
        for (place, each), look in zip(reached, looks, strict=True):
            if isinstance(look, RpcFault):
                answers[place] = None
                continue
            (account,) = parse_accounts(look, 1).accounts
            word = self._judge(requests[place], each, account, min_slot)
            if isinstance(word, WeighedCall):
                trials.append((place, word))
            else:
                answers[place] = word
        results = await call_by_weight(endpoint, [trial for _, trial in trials], head_call()) if trials else []
        for (place, _), result in zip(trials, results, strict=True):
            answers[place] = self._returned(requests[place], result)
        return answers

    def _parse(self, request: Request) -> _Asked | None:
        """What is asked, or None if the target is no account of this chain, or is to have a certain code.

        Whose code is looked at before a call is the gateway's business; a QUERY goes by no gateway.
        """
        try:
            target = parse_interoperable_address(request.target)
        except MalformedAddress:
            return None
        if target.chain != self._chain or len(target.address) != Pubkey.LENGTH or any(request.code_hash):
            return None
        return _Asked(Pubkey(target.address), _part(request))

    def _judge(
        self, request: Request, asked: _Asked, account: AccountState | None, min_slot: int
    ) -> Answer | WeighedCall | None:
        """The answer if the account is all that it takes, else the call to be tried; None where we cannot try it."""
        if account is None:
            return _UNREACHED
        if not account.is_executable:
            return _REVERTED if asked.part is None else _cut(request, account.data)
        payload = parse_payload(request.payload)
        # SECURITY: whoever simulates may pretend to sign for anybody; an answer must be one that the asker could get.
        if payload is None or any(meta.is_signer for meta in payload.accounts):
            return _REVERTED
        # SECURITY: the same: ours would sign, and what another node reads would be something else.
        if any(meta.pubkey == self._payer for meta in payload.accounts):
            return None
        draft = draft_of(self._payer, [Instruction(asked.target, payload.data, payload.accounts)])
        if not is_fitting(draft):
            return _REVERTED
        units = min(request.execution_gas_limit + _BUDGET_UNITS, MAX_COMPUTE_UNITS)
        return WeighedCall(_simulate_call(trial_of(draft, units), min_slot), units)

    def _returned(self, request: Request, result: Any) -> Answer | None:
        """What the call came to; None unless it ran, or the program that was asked failed."""
        if isinstance(result, RpcFault):
            return None
        match result:
            case {"value": {"err": None, "returnData": None}}:
                return _cut(request, b"")
            case {"value": {"err": None, "returnData": {"programId": program, "data": data}}}:
                target = parse_interoperable_address(request.target).address
                return _cut(request, parse_base64(data) if parse_hash(program) == target else b"")
            case {"value": {"err": {"InstructionError": [int(place), _]}}}:
                # SECURITY: whatever else fails, such as our account for want of money, is none of the program's doing.
                return _REVERTED if place == _CALL_PLACE else None
            case {"value": {"err": str() | dict()}}:
                return None
        raise RpcUnavailable("an endpoint answered with a malformed simulation")


def _part(request: Request) -> DataPart | None:
    """Which part of an account's data the payload names, and no more of it than shows that it is cut."""
    most = request.return_limit + 1
    if not request.payload:
        return DataPart(0, most)
    if len(request.payload) != _SLICE.size:
        return None
    offset, length = _SLICE.unpack(request.payload)
    return DataPart(offset, min(length, most))


def _simulate_call(raw: bytes, min_slot: int) -> RpcCall:
    options = {
        **COMMITMENT,
        "encoding": "base64",
        "sigVerify": False,
        "replaceRecentBlockhash": True,
        "minContextSlot": min_slot,
    }
    return RpcCall("simulateTransaction", [base64.b64encode(raw).decode(), options])


def _cut(request: Request, data: bytes) -> Answer:
    limit = request.return_limit
    return Answer(OutcomeKind.EXECUTED, cut=len(data) > limit, return_data=data[:limit])
