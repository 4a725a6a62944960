"""From plans to transactions that are known to run.

Its job: simulate what is planned, all at once, and sort it: what can be sent, what has to be sent before other things
can, and what cannot be sent, with the reason. It signs nothing and reads no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.pubkey import Pubkey

from attestation.request import RequestId
from relayer.ports.source_chain import Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm.simulation import Finding, Simulator, Trial
from relayer.vms.svm.transactions import MAX_COMPUTE_UNITS

OVERSIZE: Final = "ExceedsTransactionSize"
"""Why a request is refused whose transaction is too long, in whatever pieces its data come."""

NO_STAGE: Final = "StageUnavailable"
"""Why a request is refused whose data is too long for a transaction, while enough is staged or it was so in vain."""

_MARGIN_DIVISOR: Final = 10
_MARGIN_UNITS: Final = 10_000
"""Above what a simulation used: its block's state is a little older than that in which the transaction runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction that might be sent. `value` is what it spends besides compute units, in lamports; no deposits.

    `compute_units` is the most that it may use. `serves` are the requests that wait for it; if it `is_groundwork`, it
    carries none of them.
    """

    draft: bytes
    compute_units: int
    value: int
    serves: tuple[RequestId, ...]
    is_groundwork: bool = False


@dataclass(slots=True)
class Progress:
    """What is known so far of the requests that something is prepared for."""

    calls: list[PreparedCall] = field(default_factory=list)
    groundwork: list[PreparedCall] = field(default_factory=list)
    settled: list[RequestId] = field(default_factory=list)
    following: list[RequestId] = field(default_factory=list)
    refused: dict[RequestId, str] = field(default_factory=dict)

    def refuse(self, identifiers: Iterable[RequestId], reason: str) -> None:
        """The first reason counts."""
        for identifier in identifiers:
            self.refused.setdefault(identifier, reason)

    def result(self) -> Preparation:
        """As the port has it."""
        return Preparation(
            tuple(self.calls),
            tuple(self.settled),
            tuple(self.refused.items()),
            tuple(self.groundwork),
            tuple(self.following),
        )


class Preparer:
    """Prepares calls of one gateway; no transaction gets more than `unit_cap` compute units."""

    def __init__(self, simulator: Simulator, gateway: Pubkey, unit_cap: int) -> None:
        self._simulator = simulator
        self._gateway = bytes(gateway)
        self._unit_cap = min(unit_cap, MAX_COMPUTE_UNITS)

    def trial_of(self, plan: Plan) -> Trial:
        """How a plan is tried."""
        return Trial(plan.draft, min(plan.compute_units, self._unit_cap))

    async def try_all(self, plans: Sequence[Plan]) -> list[Finding]:
        """What each plan would do. Raises `RpcUnavailable`."""
        return await self._simulator.run([self.trial_of(plan) for plan in plans])

    async def take_in(self, plans: Sequence[Plan], progress: Progress) -> None:
        """Sort the plans by what they would do. Raises `RpcUnavailable`."""
        for plan, finding in zip(plans, await self.try_all(plans), strict=True):
            if finding.error:
                progress.refuse(plan.serves, finding.error)
            else:
                (progress.groundwork if plan.is_groundwork else progress.calls).append(self.call_of(plan, finding))

    def call_of(self, plan: Plan, finding: Finding) -> PreparedCall:
        """The plan as the port has it, with room above what it used."""
        used = finding.compute_units
        return PreparedCall(
            to=self._gateway,
            data=plan.draft,
            gas_limit=min(used + used // _MARGIN_DIVISOR + _MARGIN_UNITS, self.trial_of(plan).compute_units),
            expected_gas=used,
            value=plan.value,
            request_ids=() if plan.is_groundwork else plan.serves,
        )
