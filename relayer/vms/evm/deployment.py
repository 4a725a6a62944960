"""Deploying and configuring the contracts of a network, on a real chain as on a devnet.

Its job: send the steps of a plan from the owner's account, many at a time, and wait for them. Every transaction is in
the record before it is sent, so that a run that was cut off goes on where it stood and never does a step twice. It must
not choose anything: the plan does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import requests
import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception
from web3.types import TxParams, TxReceipt

from attestation.address import checksum_address
from attestation.keccak import keccak256
from attestation.schemes import scheme_of
from relayer.errors import RejectedError, RpcUnavailable
from relayer.vms.evm.contract_errors import error_name
from relayer.vms.evm.deployment_plan import ChainPlan, Deployed, DeploymentPlan
from relayer.vms.evm.deployment_record import DeploymentRecord, RecordedStep
from relayer.vms.evm.deployment_steps import (
    Step,
    configuration_steps,
    created_contracts,
    creation_steps,
    handover_steps,
    proof_steps,
)

RECEIPT_SECONDS: Final = 600.0
"""How long a transaction may take to be mined before the run gives up; it can be run again."""

_POLL_SECONDS: Final = 0.2
_REQUEST_SECONDS: Final = 30
_GAS_MARGIN_PERCENT: Final = 130
"""Of the estimate: state may differ by a few cold slots when the step is mined."""

Report = Callable[[str], None]


class DeploymentFailed(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """A step cannot be done as planned; the text says which, why, and what to do."""

    code = "deployment_failed"


def deploy(
    plan: DeploymentPlan,
    rpc_urls: Mapping[int, str],
    owner_key: bytes,
    record: DeploymentRecord,
    report: Report,
) -> dict[int, Deployed]:
    """Deploy and configure every chain of the plan; the addresses by chain id.

    `rpc_urls` by chain id; `owner_key` is the 32-byte secret of the account that deploys and pays on every chain;
    `report` is told each thing done, in words.

    Raises:
        RpcUnavailable: an endpoint did not answer; run again with the same record.
        DeploymentFailed: a step would revert or did, or an endpoint serves another chain.
    """
    senders = {chain.chain_id: _Sender(chain, rpc_urls[chain.chain_id], owner_key, record) for chain in plan.chains}
    for sender in senders.values():
        sender.require_chain()
    created = created_contracts(plan)
    planned = {chain_id: sender.planned_addresses(created) for chain_id, sender in senders.items()}
    for chain_id, sender in senders.items():
        sender.send(creation_steps(plan, sender.plan, sender.deployer, planned[chain_id]))
    deployed = {}
    for chain_id, sender in senders.items():
        receipts = sender.wait(report)
        deployed[chain_id] = _at_block(planned[chain_id], receipts[2])
        report(f"{sender.plan.name}: contracts created, gateway {checksum_address(planned[chain_id].gateway)}")

    def proofs(sender: _Sender) -> Iterable[Step]:
        return proof_steps(plan, deployed[sender.plan.chain_id])

    def settings(sender: _Sender) -> Iterable[Step]:
        return configuration_steps(plan, sender.plan, deployed)

    def handover(sender: _Sender) -> Iterable[Step]:
        return handover_steps(plan, sender.plan, sender.deployer, deployed[sender.plan.chain_id])

    for steps, told in (
        (proofs, "{count} lots of keys proven"),
        (settings, "{count} settings made"),
        (handover, "handed over; its owner must call acceptOwnership on each contract"),
    ):
        _run(senders.values(), steps, told, report)
    return deployed


def describe(plan: DeploymentPlan, deployer: bytes) -> Iterator[str]:
    """What `deploy` will do, in words, without asking any chain."""
    signer_set = plan.signer_set
    scheme = scheme_of(signer_set.scheme).name
    for chain in plan.chains:
        owner = chain.owner or deployer
        yield f"{chain.name} ({chain.caip2}), from {checksum_address(deployer)}:"
        yield f"  create {', '.join(created_contracts(plan))}; owner in the end: {checksum_address(owner)}"
        yield (
            f"  install a signer set: {len(signer_set.signers)} signers ({scheme}), "
            f"threshold {signer_set.threshold} of {signer_set.total_weight}, "
            f"valid until {time.strftime('%Y-%m-%d', time.gmtime(signer_set.valid_until))}"
        )
        for other in plan.others(chain):
            yield f"  open the route to and from {other.name} ({other.caip2}), and price it"
        for grant in chain.grants:
            yield f"  send {grant.amount} wei to {checksum_address(grant.account)}"


def contract_address(creator: bytes, nonce: int) -> bytes:
    """Where a creation with this nonce puts its contract, 20 bytes. Source: yellow paper, section 7."""
    encoded: bytes = rlp.encode([creator, nonce])
    return keccak256(encoded)[12:]


class _Sender:
    """The owner's account on one chain, and the steps that are under way there."""

    def __init__(self, plan: ChainPlan, rpc_url: str, owner_key: bytes, record: DeploymentRecord) -> None:
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
        if found != self.plan.chain_id:
            raise DeploymentFailed(
                f"{self.plan.name}: the RPC serves eip155:{found}, the plan says {self.plan.caip2}; name another RPC"
            )

    def planned_addresses(self, created: Sequence[str]) -> Deployed:
        """Where the four creations put their contracts: by the recorded nonces, or the next ones."""
        first = self._next_nonce()
        nonces = []
        for name in created:
            known = self._record.get(self.plan.caip2, f"create {name}")
            nonces.append(first if known is None else known.nonce)
            first += known is None
        addresses = [contract_address(self.deployer, nonce) for nonce in nonces]
        routes, registry, gateway, verifier = addresses
        return Deployed(self.plan.chain_id, routes, registry, gateway, verifier, start_block=0)

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
        ceiling = self.plan.max_fee_per_gas
        return {
            "maxFeePerGas": Web3.to_wei(min(2 * base_fee + tip, ceiling), "wei"),
            "maxPriorityFeePerGas": Web3.to_wei(min(tip, ceiling), "wei"),
        }

    def _sign(self, step: Step, nonce: int, bid: TxParams) -> RecordedStep:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.plan.chain_id,
            "nonce": nonce,
            "value": step.value,
            "data": step.data,
            "gas": step.gas_limit or self._estimate(step),
            **bid,
        }
        if step.to is not None:
            fields["to"] = checksum_address(step.to)
        if fields["gas"] > self.plan.transaction_gas_cap:
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
        cap = max(estimate, self.plan.transaction_gas_cap)
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


def _at_block(planned: Deployed, creation: TxReceipt) -> Deployed:
    return replace(planned, start_block=int(creation["blockNumber"]))


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
