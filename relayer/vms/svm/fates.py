"""Where transactions of ours failed.

Its job: which instruction of a final transaction failed by its own fault, as M endpoints tell alike. It must not judge
what comes of it.

Source: agave's RPC, `getTransaction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import call_by_weight
from relayer.vms.svm.failures import failed_place
from relayer.vms.svm.self_calls import transaction_call
from relayer.vms.svm.slots import head_call
from relayer.vms.svm.transactions import BUDGET_LENGTH
from relayer.vms.svm.values import parse_count, parse_member

_OUT_OF_UNITS: Final = frozenset({"ComputationalBudgetExceeded", "ProgramFailedToComplete"})
"""What an instruction that got too few compute units fails with; one may also fail so on purpose."""


class FateReader:
    """Reads on the pool's chain."""

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool

    async def fetch_failed_places(self, allowances: Mapping[bytes, int]) -> dict[bytes, int]:
        """Of transactions by signature: which of its draft's instructions failed, where one did.

        `allowances` are the compute units that each owes its instructions: one that ran out of less was starved by us.
        Raises `RpcUnavailable`.
        """
        signatures = list(allowances)
        calls = [transaction_call(signature) for signature in signatures]

        async def ask(endpoint: RpcEndpoint) -> list[int | None]:
            answers = await call_by_weight(endpoint, calls, head_call())
            return [
                None if answer is None or isinstance(answer, RpcFault) else _parse(answer, allowances[signature])
                for signature, answer in zip(signatures, answers, strict=True)
            ]

        verdicts = await self._pool.vote(ask) if calls else ()
        return {
            signature: verdict.value
            for signature, verdict in zip(signatures, verdicts, strict=True)
            if verdict.value is not None
        }


def _parse(answer: Any, allowance: int) -> int | None:
    meta = parse_member(answer, "meta")
    error = parse_member(meta, "err")
    place = failed_place(error)
    if place is None or place < BUDGET_LENGTH:
        return None
    reason = error["InstructionError"][1]
    is_out_of_units = isinstance(reason, str) and reason in _OUT_OF_UNITS
    if is_out_of_units and parse_count(parse_member(meta, "computeUnitsConsumed")) < allowance:
        return None
    return place - BUDGET_LENGTH
