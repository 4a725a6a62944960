"""What a transaction would do now.

Its job: run prepared calls on the tip's state, from our account, several in one exchange: do they revert, with what,
how much gas do they use, and which requests would the gateway pass over? One endpoint's word is enough: it decides
about spending only. It must not choose what to do about it.

Source: ethereum/execution-apis, `eth_simulateV1`; nodes that lack it are asked by `eth_call` and `eth_estimateGas`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attestation.request import RequestId
from relayer.errors import RpcUnavailable
from relayer.vms.bundling.trials import NO_ANSWER, SETTLED, Finding, Trial
from relayer.vms.evm import interface
from relayer.vms.evm.chain_id import CHAIN_ID_CALL
from relayer.vms.evm.contract_errors import error_name
from relayer.vms.evm.quantities import format_data, parse_address, parse_count, parse_data, parse_hash, parse_quantity
from relayer.vms.evm.vm_faults import is_unknown_method, parse_revert
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import WeighedCall, call_by_weight

_CALL_SKIPPED: Final = interface.topic(interface.CALL_SKIPPED)
_OUTCOME_SKIPPED: Final = interface.topic(interface.OUTCOME_SKIPPED)

_UNANSWERED: Final = Finding(NO_ANSWER, 0)


class Simulator:
    """Tries calls from `sender` to `gateway` (20-byte addresses)."""

    def __init__(self, pool: EndpointPool, gateway: bytes, sender: bytes) -> None:
        self._pool = pool
        self._gateway = gateway
        self._to = format_data(gateway)
        self._from = format_data(sender)
        self._without_simulate: set[RpcEndpoint] = set()

    @property
    def is_blind(self) -> bool:
        """Whether an endpoint was met that does not tell what would be passed over."""
        return bool(self._without_simulate)

    async def run(self, trials: Sequence[Trial]) -> list[Finding]:
        """The findings in order, each as if its trial alone were next. Raises `RpcUnavailable`.

        What is up and does not finish a trial makes it a finding with the error `NO_ANSWER`.
        """
        if not trials:
            return []

        is_any_up = False

        async def ask(endpoint: RpcEndpoint) -> list[Finding | None]:
            nonlocal is_any_up
            findings = await self._try(endpoint, trials)
            if not any(findings):
                # Either the trials are too heavy for anybody, or this endpoint simulates nothing: the next one tells.
                is_any_up = True
                raise RpcUnavailable(f"{endpoint.label} answered no simulation")
            return findings

        try:
            findings = await self._pool.first(ask)
        except RpcUnavailable:
            if not is_any_up:
                raise
            findings = [None] * len(trials)
        return [finding or _UNANSWERED for finding in findings]

    async def _try(self, endpoint: RpcEndpoint, trials: Sequence[Trial]) -> list[Finding | None]:
        """None for what the endpoint, though it is up, gives no answer to."""
        if endpoint not in self._without_simulate:
            calls = [WeighedCall(self._simulate_call(trial), trial.gas_limit) for trial in trials]
            answers = await call_by_weight(endpoint, calls, CHAIN_ID_CALL)
            if not any(isinstance(answer, RpcFault) and is_unknown_method(answer) for answer in answers):
                return [None if isinstance(answer, RpcFault) else self._parse_simulated(answer) for answer in answers]
            self._without_simulate.add(endpoint)
        return await self._estimate(endpoint, trials)

    def _simulate_call(self, trial: Trial) -> RpcCall:
        call = {"from": self._from, "to": self._to, "gas": hex(trial.gas_limit), "input": format_data(trial.data)}
        return RpcCall("eth_simulateV1", [{"blockStateCalls": [{"calls": [call]}], "validation": False}, "latest"])

    def _parse_simulated(self, answer: Any) -> Finding:
        try:
            ((call,),) = [block["calls"] for block in answer]
            logs = call["logs"]
            status = parse_quantity(call["status"])
            gas_used = parse_count(call["gasUsed"])
            if status == 1:
                return Finding("", gas_used, dict(filter(None, map(self._parse_skip, logs))))
            # Nodes disagree on where revert data belongs.
            data = (call.get("error") or {}).get("data") or call.get("returnData") or "0x"
            return Finding(error_name(parse_data(data)), gas_used)
        # SECURITY: one topic too few, as an endpoint may send at will, is a LookupError and must end no process.
        except (TypeError, ValueError, LookupError, AttributeError):
            raise RpcUnavailable("an endpoint answered with a malformed simulation") from None

    def _parse_skip(self, log: Any) -> tuple[RequestId, str] | None:
        topics = log["topics"]
        if parse_address(log["address"]) != self._gateway or not topics:
            return None
        topic = parse_hash(topics[0])
        if topic == _OUTCOME_SKIPPED:
            return RequestId(parse_hash(topics[1])), SETTLED
        if topic == _CALL_SKIPPED:
            return RequestId(parse_hash(topics[1])), error_name(parse_data(log["data"]))
        return None

    async def _estimate(self, endpoint: RpcEndpoint, trials: Sequence[Trial]) -> list[Finding | None]:
        """Without the younger method: reverts and a bound of the gas, but no skips."""
        fields = [
            {"from": self._from, "to": self._to, "gas": hex(trial.gas_limit), "data": format_data(trial.data)}
            for trial in trials
        ]
        calls = [
            WeighedCall(RpcCall(method, [each, "latest"]), trial.gas_limit)
            for method in ("eth_call", "eth_estimateGas")
            for each, trial in zip(fields, trials, strict=True)
        ]
        answers = await call_by_weight(endpoint, calls, CHAIN_ID_CALL)
        return [
            _judge(trial, called, estimated)
            for trial, called, estimated in zip(trials, answers[: len(trials)], answers[len(trials) :], strict=True)
        ]


def _judge(trial: Trial, called: Any, estimated: Any) -> Finding | None:
    if isinstance(called, RpcFault):
        data = parse_revert(called)
        return None if data is None else Finding(error_name(data), 0)
    # The call ran with this limit, whatever the estimate says.
    is_estimated = not isinstance(estimated, RpcFault)
    return Finding("", min(parse_count(estimated), trial.gas_limit) if is_estimated else trial.gas_limit)
