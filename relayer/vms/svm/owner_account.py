"""The owner's account of a deployment on one Solana chain, and the steps that it takes there.

Its job: sign each step, have it in the record before it is sent, and see it final. What a former run signed is sent
again while its blockhash lives, and signed anew once that is known to be dead. It must not choose any step.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.errors import RpcUnavailable
from relayer.ports.deployment import ChainPlan, DeploymentFailed, RecordedStep, StepRecord
from relayer.ports.wallet import PreparedCall, TransactionReceipt
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcEndpoint
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.connect import LIMITS, chain_probe
from relayer.vms.svm.preparing import Plan, Preparer
from relayer.vms.svm.simulation import Simulator
from relayer.vms.svm.transactions import MAX_COMPUTE_UNITS, draft_of
from relayer.vms.svm.wallet import SvmWallet

DEFAULT_MAX_FEE_PER_GAS: Final = 1_000_000
"""Micro-lamports for a compute unit, where the plan does not say: a lamport."""

FINAL_SECONDS: Final = 600.0
"""How long a transaction may take to be final before the run gives up; it can be run again."""

_POLL_SECONDS: Final = 0.2
_REQUEST_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction. `draft` as `transactions` has them."""

    name: str
    draft: bytes


class OwnerAccount:
    """The account of `owner_key` (a 32-byte ed25519 seed) on the chain of `plan`, by one endpoint."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        plan: ChainPlan,
        addresses: GatewayAddresses,
        rpc_url: str,
        owner_key: bytes,
        record: StepRecord,
    ) -> None:
        self.plan = plan
        self.key: Final = public_key(owner_key)
        self.pool: Final = EndpointPool(
            [RpcEndpoint(session, rpc_url, 0, _REQUEST_SECONDS, limits=LIMITS)],
            1,
            chain_probe(plan.chain),
            _REQUEST_SECONDS,
            clock=time.monotonic,
            jitter=random.random,
        )
        max_fee = DEFAULT_MAX_FEE_PER_GAS if plan.max_fee_per_gas is None else plan.max_fee_per_gas
        self._wallet = SvmWallet(self.pool, owner_key, bytes(addresses.config), max_fee)
        self._preparer = Preparer(Simulator(self.pool, addresses.program), addresses.program, MAX_COMPUTE_UNITS)
        self._record = record

    def step(self, name: str, *instructions: Instruction) -> Step:
        """A step of these instructions."""
        return Step(name, draft_of(self.key, instructions))

    def is_recorded(self, name: str) -> bool:
        """Whether a step was signed under this name."""
        return self._record.get(self.plan.caip2, name) is not None

    async def await_open(self, names: Iterable[str]) -> None:
        """Wait until nothing that a former run signed under these names can be mined any more, or is."""
        known = {name: step for name in names if (step := self._record.get(self.plan.caip2, name)) is not None}
        await self._await_end(known)

    async def fetch_receipt(self, name: str) -> TransactionReceipt | None:
        """The final transaction of a recorded step; None if there is none, or the endpoint has forgotten it."""
        known = self._record.get(self.plan.caip2, name)
        if known is None:
            return None
        (receipt,) = await self._wallet.fetch_receipts([known.tx_hash])
        return receipt

    async def take(self, steps: Sequence[Step]) -> None:
        """Take these steps, none of which waits for another, and return when they are final.

        Raises:
            DeploymentFailed: a step would fail, or did.
            RpcUnavailable: the endpoint does not answer, or a step is not final in time.
        """
        left = {step.name: step for step in steps}
        while left:
            signed = await self._sign(list(left.values()))
            receipts = await self._await_end(signed)
            for name, receipt in receipts.items():
                if receipt is not None and not receipt.is_success:
                    raise DeploymentFailed(
                        f"{self.plan.name}: {name} failed in transaction {signed[name].tx_hash.hex()}; "
                        "look at it, and run the same command again"
                    )
            # What was lost with its blockhash is signed anew.
            left = {name: step for name, step in left.items() if receipts[name] is None}

    async def _sign(self, steps: Sequence[Step]) -> dict[str, RecordedStep]:
        calls = await self._prepare(steps)
        terms = await self._wallet.fetch_terms()
        signed = {}
        for number, (step, call) in enumerate(zip(steps, calls, strict=True)):
            nonce = terms.next_nonce + number
            transaction = self._wallet.sign(call, nonce, terms.bid)
            signed[step.name] = RecordedStep(nonce, transaction.hash, transaction.raw)
            self._record.put(self.plan.caip2, step.name, signed[step.name])
        return signed

    async def _prepare(self, steps: Sequence[Step]) -> list[PreparedCall]:
        plans = [Plan(step.draft, MAX_COMPUTE_UNITS, 0, ()) for step in steps]
        findings = await self._preparer.try_all(plans)
        for step, finding in zip(steps, findings, strict=True):
            if finding.error:
                raise DeploymentFailed(
                    f"{self.plan.name}: {step.name} would fail with {finding.error}; mend the plan, "
                    f"or give {self.key} lamports"
                )
        return [self._preparer.call_of(plan, finding) for plan, finding in zip(plans, findings, strict=True)]

    async def _await_end(self, signed: dict[str, RecordedStep]) -> dict[str, TransactionReceipt | None]:
        """The receipt of each when it is final, None where it can be mined no more."""
        ended: dict[str, TransactionReceipt | None] = {}
        deadline = time.monotonic() + FINAL_SECONDS
        while len(ended) < len(signed):
            open_steps = {name: step for name, step in signed.items() if name not in ended}
            # In this order: what is mined under a nonce that is over shows in the receipts.
            first_open = await self._wallet.fetch_next_nonce()
            receipts = await self._wallet.fetch_receipts([step.tx_hash for step in open_steps.values()])
            for (name, step), receipt in zip(open_steps.items(), receipts, strict=True):
                if receipt is not None or step.nonce < first_open:
                    ended[name] = receipt
            still_open = [step.raw for name, step in open_steps.items() if name not in ended]
            if still_open and time.monotonic() > deadline:
                raise RpcUnavailable(
                    f"{self.plan.name}: {len(still_open)} steps are not final; run the same command again"
                )
            if still_open:
                await self._wallet.send(still_open)
                await asyncio.sleep(_POLL_SECONDS)
        return ended


def public_key(owner_key: bytes) -> Pubkey:
    """The account of a 32-byte ed25519 seed."""
    return Keypair.from_seed(owner_key).pubkey()
