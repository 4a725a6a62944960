"""The owner's account of a deployment on one CosmWasm chain, and the steps that it takes there.

Its job: sign each step, have it in the record before it is sent, and see it in a block. It must not choose any step.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from relayer.errors import CallReverted, RejectedError, RpcUnavailable
from relayer.ports.deployment import ChainPlan, DeploymentFailed, RecordedStep, Report, StepRecord
from relayer.vms.cosmwasm.deployment_steps import Step
from relayer.vms.cosmwasm.failures import failure_detail
from relayer.vms.cosmwasm.one_node import FoundTx, OneNode
from relayer.vms.cosmwasm.signing_account import SigningAccount
from relayer.vms.cosmwasm.transactions import hash_of

DEFAULT_MAX_FEE_PER_GAS: Final = 1_000_000
"""Millionths of the smallest unit, where the plan does not say: one for a unit of gas."""

BLOCK_SECONDS: Final = 600.0
"""How long a transaction may take to be in a block before the run gives up; it can be run again."""

_POLL_SECONDS: Final = 0.2


class OwnerAccount:
    """The account of `owner_key` (a 32-byte secp256k1 secret) on the chain of `plan`, by one node."""

    def __init__(self, plan: ChainPlan, rpc_url: str, owner_key: bytes, record: StepRecord) -> None:
        assert plan.bech32_prefix is not None, "a deployer is not made for a chain without"
        assert plan.fee_denom is not None, "a deployer is not made for a chain without"
        self.plan = plan
        self._fee_denom = plan.fee_denom
        self._account = SigningAccount(owner_key, plan.chain, plan.bech32_prefix, plan.fee_denom)
        self._node = OneNode(plan.chain, rpc_url)
        self._record = record
        self._waiting: dict[str, RecordedStep] = {}

    @property
    def account(self) -> bytes:
        """20 bytes."""
        return self._account.account

    @property
    def text(self) -> str:
        """In bech32."""
        return self._account.text

    def require_chain(self) -> None:
        """The node serves the chain of the plan. SECURITY: a plan's keys and prices are for one chain."""
        found = self._node.fetch_chain_id()
        if found != self.plan.chain.reference_text:
            raise DeploymentFailed(
                f"{self.plan.name}: the RPC serves cosmos:{found}, the plan says {self.plan.caip2}; name another RPC"
            )

    def send(self, steps: Iterable[Step]) -> None:
        """Sign, record, then send each step that is not recorded; send again what is recorded and in no block."""
        wanted = list(steps)
        known = {step.name: self._record.get(self.plan.caip2, step.name) for step in wanted}
        signed = self._sign([step for step in wanted if known[step.name] is None])
        for step in wanted:
            recorded = known[step.name] or signed[step.name]
            self._record.put(self.plan.caip2, step.name, recorded)
            self._broadcast(step.name, recorded)
            self._waiting[step.name] = recorded

    def wait(self, report: Report) -> Mapping[str, FoundTx]:
        """The transactions of all that was sent since the last wait, by name.

        Raises:
            DeploymentFailed: a step failed.
            RpcUnavailable: the node does not answer, or a step is in no block in time.
        """
        waiting, self._waiting = self._waiting, {}
        return {name: self._await_block(name, step, report) for name, step in waiting.items()}

    def _sign(self, steps: list[Step]) -> dict[str, RecordedStep]:
        """None of these steps waits for another, so that each is simulated as the next one."""
        if not steps:
            return {}
        told = self._node.fetch_account(self.text)
        first = max(told.sequence, self._record.next_nonce(self.plan.caip2))
        price = self._gas_price()
        signed = {}
        for sequence, step in enumerate(steps, first):
            raw = self._account.sign(step.message, told, sequence, self._simulate(step), price)
            signed[step.name] = RecordedStep(sequence, hash_of(raw), raw)
        return signed

    def _gas_price(self) -> int:
        """In millionths of the smallest unit for a unit of gas."""
        price = self._node.fetch_gas_price(self._fee_denom)
        ceiling = DEFAULT_MAX_FEE_PER_GAS if self.plan.max_fee_per_gas is None else self.plan.max_fee_per_gas
        if price > ceiling:
            raise DeploymentFailed(
                f"{self.plan.name}: the RPC asks for {price} millionths of {self._fee_denom} for a unit of gas, above "
                f"max_fee_per_gas {ceiling}; raise it in the plan"
            )
        return price

    def _simulate(self, step: Step) -> int:
        """Gas that it would use now."""
        try:
            return self._node.simulate_next(self.text, lambda told: self._account.draft(step.message, told))
        except CallReverted as error:
            raise DeploymentFailed(
                f"{self.plan.name}: {step.name} would fail with {error.error_name}; mend the plan, or give "
                f"{self.text} coins"
            ) from None

    def _broadcast(self, name: str, step: RecordedStep) -> None:
        """Hand it to the node, unless it stands in a block."""
        if self._node.find_tx(step.tx_hash) is not None:
            return
        try:
            self._node.broadcast(step.raw)
        except RejectedError as error:
            # It may have come into a block since it was looked for.
            if self._node.find_tx(step.tx_hash) is None:
                raise DeploymentFailed(f"{self.plan.name}: {name}: {error}") from None

    def _await_block(self, name: str, step: RecordedStep, report: Report) -> FoundTx:
        deadline = time.monotonic() + BLOCK_SECONDS
        while True:
            found = self._node.find_tx(step.tx_hash)
            if found is not None:
                if found.code != 0:
                    raise DeploymentFailed(
                        f"{self.plan.name}: {name} failed in transaction {step.tx_hash.hex().upper()} with "
                        f"{failure_detail(found.log)}; look at it, mend the plan, and start with a new record"
                    )
                return found
            if time.monotonic() > deadline:
                report(f"{self.plan.name}: {name} is in no block after {BLOCK_SECONDS:.0f} s")
                raise RpcUnavailable(f"{self.plan.name}: {name} is in no block; run the same command again")
            time.sleep(_POLL_SECONDS)
