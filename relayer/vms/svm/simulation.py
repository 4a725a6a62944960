"""What a transaction would do now.

Its job: run drafts on the newest state, many in one exchange: do they fail, where and why, how many compute units do
they use? It is asked of M endpoints. It must not choose what to do about it.

Source: agave's RPC, `simulateTransaction`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import WeighedCall, call_by_weight
from relayer.vms.svm.failures import failed_place, failure_text
from relayer.vms.svm.transactions import BUDGET_LENGTH, MAX_COMPUTE_UNITS, trial_of
from relayer.vms.svm.values import parse_count

NO_ANSWER: Final = "no_answer"
"""The error of a trial that endpoints which are up did not finish: it is too heavy for them."""

_COMMITMENT: Final = "processed"
"""The newest there is: what another relayer sent a moment ago would fail, and cost its fee. A fork that goes away again
misleads us about spending only."""

_OPTIONS: Final = {
    "encoding": "base64",
    "commitment": _COMMITMENT,
    "sigVerify": False,
    "replaceRecentBlockhash": True,
}
_PROBE: Final = RpcCall("getSlot", [{"commitment": _COMMITMENT}])


class Trial(NamedTuple):
    """A draft to be tried with a limit of compute units."""

    draft: bytes
    compute_units: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial did: `error` says why it failed, empty if it ran.

    `failed_at` is which of the draft's instructions failed, None if none did or the transaction as a whole.
    """

    error: str
    compute_units: int
    failed_at: int | None = None


_UNANSWERED: Final = Finding(NO_ANSWER, 0)


class Simulator:
    """Tries drafts that call one gateway."""

    def __init__(self, pool: EndpointPool, gateway: Pubkey) -> None:
        self._pool = pool
        self._gateway = gateway

    async def run(self, trials: Sequence[Trial]) -> list[Finding]:
        """The findings in order, each as if its trial alone were next. Raises `RpcUnavailable`.

        A trial runs if M endpoints say so, or the only ones that try it at all, and uses the most that any of them saw.
        """
        if not trials:
            return []
        running: list[Finding | None] = [None] * len(trials)
        failing: list[Finding] = [_UNANSWERED] * len(trials)

        async def ask(endpoint: RpcEndpoint) -> list[bool | None]:
            findings = await self._try(endpoint, trials)
            for place, finding in enumerate(findings):
                if finding.error:
                    failing[place] = failing[place] if finding is _UNANSWERED else finding
                else:
                    running[place] = max(running[place] or finding, finding, key=lambda one: one.compute_units)
            return [None if finding is _UNANSWERED else not finding.error for finding in findings]

        # SECURITY: one endpoint alone would keep us from sending anything, ever, by calling all of it failing, or have
        # all of it fail for want of compute units, and be paid for.
        verdicts = await self._pool.vote(ask, at_tip=True)
        return [
            ran if ran is not None and (verdict.value or not verdict.is_disputed) else failed
            for ran, failed, verdict in zip(running, failing, verdicts, strict=True)
        ]

    async def fetch_agreed_places(self, trials: Sequence[Trial]) -> list[int | None]:
        """Which instruction M endpoints say fails, None where they do not say the same or nothing fails.

        Raises `RpcUnavailable`.
        """

        async def ask(endpoint: RpcEndpoint) -> list[int | None]:
            return [finding.failed_at for finding in await self._try(endpoint, trials)]

        verdicts = await self._pool.vote(ask, at_tip=True) if trials else ()
        return [verdict.value for verdict in verdicts]

    async def _try(self, endpoint: RpcEndpoint, trials: Sequence[Trial]) -> list[Finding]:
        calls = [WeighedCall(_simulate_call(trial), trial.compute_units) for trial in trials]
        answers = await call_by_weight(endpoint, calls, _PROBE)
        return [
            _UNANSWERED if isinstance(answer, RpcFault) else self._parse(answer, trial.compute_units)
            for trial, answer in zip(trials, answers, strict=True)
        ]

    def _parse(self, answer: Any, limit: int) -> Finding:
        match answer:
            case {"value": {"err": error, "logs": logs, "unitsConsumed": units}}:
                pass
            case _:
                raise RpcUnavailable("an endpoint answered with a malformed simulation")
        # SECURITY: what an endpoint makes up must not be offered for: no trial uses more than its limit.
        used = min(parse_count(units), limit)
        if error is None:
            return Finding("", used)
        place = failed_place(error)
        text = failure_text(error, logs if isinstance(logs, list) else [], self._gateway)
        is_ours = place is not None and place >= BUDGET_LENGTH
        return Finding(text, used, place - BUDGET_LENGTH if is_ours and place is not None else None)


def _simulate_call(trial: Trial) -> RpcCall:
    raw = trial_of(trial.draft, min(trial.compute_units, MAX_COMPUTE_UNITS))
    return RpcCall("simulateTransaction", [base64.b64encode(raw).decode(), _OPTIONS])
