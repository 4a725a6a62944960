"""Deploying and configuring the contracts of a network, on a real chain as on a devnet.

Its job: send the steps of a plan from the owner's account, many at a time, and wait for them. Every transaction is in
the record before it is sent, so that a run that was cut off goes on where it stood and never does a step twice. It must
not choose anything: the plan does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import requests
import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception
from web3.types import TxParams, TxReceipt

from attestation.address import Namespace, checksum_address
from attestation.keccak import keccak256
from attestation.schemes import scheme_of
from relayer.errors import RpcUnavailable
from relayer.ports.deployment import (
    ChainPlan,
    Deployed,
    DeploymentFailed,
    DeploymentPlan,
    RecordedStep,
    Report,
    StepRecord,
)
from relayer.vms.evm.contract_errors import error_name
from relayer.vms.evm.deployment_steps import (
    Contracts,
    Step,
    configuration_steps,
    created_contracts,
    creation_steps,
    handover_steps,
    offer,
    proof_steps,
)

RECEIPT_SECONDS: Final = 600.0
"""How long a transaction may take to be mined before the run gives up; it can be run again."""

_POLL_SECONDS: Final = 0.2
_REQUEST_SECONDS: Final = 30
_GAS_MARGIN_PERCENT: Final = 130
"""Of the estimate: state may differ by a few cold slots when the step is mined."""

DEFAULT_MAX_FEE_PER_GAS: Final = 500 * 10**9
"""Wei; where the plan does not say."""

TRANSACTION_GAS_CAP: Final = 16_777_216
"""EIP-7825."""


class EvmDeployer:
    """Implements the port `Deployer` for a plan's EVM chains: four contracts on each, owned by the deployer."""

    def __init__(self, plan: DeploymentPlan, rpc_urls: Mapping[str, str], owner_key: bytes, record: StepRecord) -> None:
        self._plan = plan
        self._senders = [
            _Sender(chain, rpc_urls[chain.caip2], owner_key, record)
            for chain in plan.chains
            if chain.chain.namespace is Namespace.EIP155
        ]
        self._contracts: dict[str, Contracts] = {}

    def describe(self) -> Iterator[str]:
        """What will be done, in words, without asking any chain."""
        signer_set = self._plan.signer_set
        scheme = scheme_of(signer_set.scheme).name
        for sender in self._senders:
            chain, deployer = sender.plan, sender.deployer
            owner = chain.owner or deployer
            yield f"{chain.name} ({chain.caip2}), from {checksum_address(deployer)}:"
            yield f"  create {', '.join(created_contracts(self._plan))}; owner in the end: {checksum_address(owner)}"
            yield (
                f"  install a signer set: {len(signer_set.signers)} signers ({scheme}), "
                f"threshold {signer_set.threshold} of {signer_set.total_weight}, "
                f"valid until {time.strftime('%Y-%m-%d', time.gmtime(signer_set.valid_until))}"
            )
            for other in self._plan.others(chain):
                yield f"  open the route to and from {other.name} ({other.caip2}), and price it"
            for grant in chain.grants:
                yield f"  send {grant.amount} wei to {checksum_address(grant.account)}"

    def require_chains(self) -> None:
        """Return if each endpoint serves the chain of the plan."""
        for sender in self._senders:
            sender.require_chain()

    def create(self, report: Report) -> Mapping[str, Deployed]:
        """Create the contracts, on all chains side by side."""
        created = created_contracts(self._plan)
        for sender in self._senders:
            contracts = self._contracts[sender.plan.caip2] = sender.planned_contracts(created)
            sender.send(creation_steps(self._plan, sender.plan, sender.deployer, contracts))
        deployed = {}
        for sender in self._senders:
            receipts, contracts = sender.wait(report), self._contracts[sender.plan.caip2]
            deployed[sender.plan.caip2] = Deployed(
                gateway=contracts.gateway,
                verifier=contracts.verifier,
                start_block=int(receipts[2]["blockNumber"]),
                offer=offer(self._plan),
                others={"registry": contracts.registry, "routes": contracts.routes},
            )
            report(f"{sender.plan.name}: contracts created, gateway {checksum_address(contracts.gateway)}")
        return deployed

    def configure(self, deployed: Mapping[str, Deployed], report: Report) -> None:
        """Make the settings that the plan asks for, then hand over; on all chains side by side."""

        def proofs(sender: _Sender) -> Iterable[Step]:
            return proof_steps(self._plan, self._contracts[sender.plan.caip2])

        def settings(sender: _Sender) -> Iterable[Step]:
            return configuration_steps(self._plan, sender.plan, self._contracts[sender.plan.caip2], deployed)

        def handover(sender: _Sender) -> Iterable[Step]:
            return handover_steps(self._plan, sender.plan, sender.deployer, self._contracts[sender.plan.caip2])

        for steps, told in (
            (proofs, "{count} lots of keys proven"),
            (settings, "{count} settings made"),
            (handover, "handed over; its owner must call acceptOwnership on each contract"),
        ):
            _run(self._senders, steps, told, report)


def contract_address(creator: bytes, nonce: int) -> bytes:
    """Where a creation with this nonce puts its contract, 20 bytes. Source: yellow paper, section 7."""
    encoded: bytes = rlp.encode([creator, nonce])
    return keccak256(encoded)[12:]


class _Sender:
    """The owner's account on one chain, and the steps that are under way there."""

    def __init__(self, plan: ChainPlan, rpc_url: str, owner_key: bytes, record: StepRecord) -> None:
        self.plan = plan
        self._account: LocalAccount = Account.from_key(owner_key)
        self._web3 = Web3(Web3.HTTPProvider(rpc_url, request_kwargs={"timeout": _REQUEST_SECONDS}))
        self._record = record
        self._waiting: list[tuple[str, RecordedStep]] = []

    @property
    def deployer(self) -> bytes:
        """The account, 20 bytes."""
        return bytes.fromhex(self._account.address[2:])

    def require_chain(self) -> None:
        """The endpoint serves the chain of the plan. SECURITY: a plan's keys and prices are for one chain."""
        with _translated(self.plan.name):
            found = self._web3.eth.chain_id
        if found != self.plan.chain.chain_id:
            raise DeploymentFailed(
                f"{self.plan.name}: the RPC serves eip155:{found}, the plan says {self.plan.caip2}; name another RPC"
            )

    def planned_contracts(self, created: Sequence[str]) -> Contracts:
        """Where the four creations put their contracts: by the recorded nonces, or the next ones."""
        first = self._next_nonce()
        nonces = []
        for name in created:
            known = self._record.get(self.plan.caip2, f"create {name}")
            nonces.append(first if known is None else known.nonce)
            first += known is None
        return Contracts(*(contract_address(self.deployer, nonce) for nonce in nonces))

    def send(self, steps: Iterable[Step]) -> None:
        """Sign, record, then send each step that is not recorded; send again what is recorded and not mined."""
        nonce = self._next_nonce()
        bid = self._fee_bid()
        for step in steps:
            known = self._record.get(self.plan.caip2, step.name)
            if known is None:
                known = self._sign(step, nonce, bid)
                self._record.put(self.plan.caip2, step.name, known)
                nonce += 1
            self._broadcast(known)
            self._waiting.append((step.name, known))

    def wait(self, report: Report) -> Sequence[TxReceipt]:
        """The receipts of all that was sent since the last wait, in order."""
        waiting, self._waiting = self._waiting, []
        return [self._receipt(name, step, report) for name, step in waiting]

    def _next_nonce(self) -> int:
        with _translated(self.plan.name):
            mined = self._web3.eth.get_transaction_count(self._account.address, "pending")
        return max(mined, self._record.next_nonce(self.plan.caip2))

    def _fee_bid(self) -> TxParams:
        with _translated(self.plan.name):
            base_fee = self._web3.eth.get_block("latest")["baseFeePerGas"]
            tip = self._web3.eth.max_priority_fee
        ceiling = DEFAULT_MAX_FEE_PER_GAS if self.plan.max_fee_per_gas is None else self.plan.max_fee_per_gas
        return {
            "maxFeePerGas": Web3.to_wei(min(2 * base_fee + tip, ceiling), "wei"),
            "maxPriorityFeePerGas": Web3.to_wei(min(tip, ceiling), "wei"),
        }

    def _sign(self, step: Step, nonce: int, bid: TxParams) -> RecordedStep:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.plan.chain.chain_id,
            "nonce": nonce,
            "value": step.value,
            "data": step.data,
            "gas": step.gas_limit or self._estimate(step),
            **bid,
        }
        if step.to is not None:
            fields["to"] = checksum_address(step.to)
        if fields["gas"] > TRANSACTION_GAS_CAP:
            raise DeploymentFailed(f"{self.plan.name}: {step.name} needs more gas than the chain gives a transaction")
        signed = self._account.sign_transaction(fields)
        return RecordedStep(nonce=nonce, tx_hash=bytes(signed.hash), raw=bytes(signed.raw_transaction))

    def _estimate(self, step: Step) -> int:
        call: TxParams = {
            "from": self._account.address,
            "data": Web3.to_bytes(step.data),
            "value": Web3.to_wei(step.value, "wei"),
        }
        if step.to is not None:
            call["to"] = Web3.to_checksum_address(step.to)
        with _translated(self.plan.name, step.name):
            estimate = self._web3.eth.estimate_gas(call)
        # What fits a transaction alone is not refused for its margin.
        cap = max(estimate, TRANSACTION_GAS_CAP)
        return min(estimate * _GAS_MARGIN_PERCENT // 100, cap)

    def _broadcast(self, step: RecordedStep) -> None:
        """Hand it to the endpoint. One that is known or mined already is refused, and its receipt tells."""
        with _translated(self.plan.name):
            try:
                self._web3.eth.get_transaction(Web3.to_hex(step.tx_hash))
            except TransactionNotFound:
                self._web3.eth.send_raw_transaction(step.raw)

    def _receipt(self, name: str, step: RecordedStep, report: Report) -> TxReceipt:
        deadline = time.monotonic() + RECEIPT_SECONDS
        while True:
            with _translated(self.plan.name):
                try:
                    receipt = self._web3.eth.get_transaction_receipt(Web3.to_hex(step.tx_hash))
                except TransactionNotFound:
                    pass
                else:
                    if receipt["status"] != 1:
                        raise DeploymentFailed(
                            f"{self.plan.name}: {name} reverted in transaction 0x{step.tx_hash.hex()}; "
                            "look at it, mend the plan, and start with a new record"
                        )
                    return receipt
            if time.monotonic() > deadline:
                report(f"{self.plan.name}: {name} is not mined after {RECEIPT_SECONDS:.0f} s")
                raise RpcUnavailable(f"{self.plan.name}: {name} is not mined; run the same command again")
            time.sleep(_POLL_SECONDS)


def _run(senders: Collection[_Sender], steps: Callable[[_Sender], Iterable[Step]], told: str, report: Report) -> None:
    """Do these steps on all chains side by side, and tell of each chain that had any."""
    for sender in senders:
        sender.send(steps(sender))
    for sender in senders:
        count = len(sender.wait(report))
        if count:
            report(f"{sender.plan.name}: {told.format(count=count)}")


@contextmanager
def _translated(chain: str, step: str = "") -> Iterator[None]:
    """The library's errors as ours. SECURITY: the URL, which may hold an access key, is left out."""
    try:
        yield
    except ContractLogicError as error:
        data = error.data if isinstance(error.data, str) else ""
        reason = error_name(bytes.fromhex(data.removeprefix("0x")))
        raise DeploymentFailed(f"{chain}: {step} would revert with {reason}; mend the plan") from None
    except requests.RequestException as error:
        raise RpcUnavailable(f"{chain}: the RPC does not answer ({type(error).__name__})") from None
    except Web3Exception as error:
        raise DeploymentFailed(f"{chain}: {step or 'the RPC'} was refused: {error}") from None
