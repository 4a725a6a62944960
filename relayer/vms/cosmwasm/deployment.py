"""Deploying and configuring the gateway of a network's CosmWasm chains, on real chains as on a devnet.

Its job: send the steps of a plan from the owner's account, and wait for them. Every transaction is in the record before
it is sent, so that a run that was cut off goes on where it stood and never does a step twice. It must not choose
anything: the plan does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from attestation.address import Namespace
from attestation.schemes import SECP256K1, scheme_of
from relayer.cosmos.contract_address import predictable_address
from relayer.cosmos.wasm import MsgInstantiateContract2Response, MsgStoreCodeResponse
from relayer.errors import ConfigError
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentFailed, DeploymentPlan, Report, StepRecord
from relayer.vms.cosmwasm.deployment_steps import (
    INSTANTIATE,
    STORE_ACCOUNT,
    STORE_GATEWAY,
    StoredCode,
    configuration_steps,
    handover_steps,
    instantiation_step,
    offer,
    storing_steps,
)
from relayer.vms.cosmwasm.one_node import FoundTx
from relayer.vms.cosmwasm.owner_account import OwnerAccount


class CosmWasmDeployer:
    """Implements the port `Deployer` for a plan's CosmWasm chains: one contract on each, owned by the deployer.

    Raises:
        ConfigError: what the plan leaves out of what such a chain needs, of all of them.
    """

    def __init__(self, plan: DeploymentPlan, rpc_urls: Mapping[str, str], owner_key: bytes, record: StepRecord) -> None:
        chains = [chain for chain in plan.chains if chain.chain.namespace is Namespace.COSMOS]
        faults = list(_faults(plan, chains))
        if faults:
            raise ConfigError(faults)
        self._plan = plan
        self._owners = [OwnerAccount(chain, rpc_urls[chain.caip2], owner_key, record) for chain in chains]

    def describe(self) -> Iterator[str]:
        """What will be done, in words, without asking any chain."""
        signer_set = self._plan.signer_set
        for owner in self._owners:
            chain = owner.plan
            yield f"{chain.name} ({chain.caip2}), from {owner.text}:"
            yield f"  create the gateway; owner in the end: {chain.account_text(chain.owner or owner.account)}"
            yield (
                f"  install a signer set: {len(signer_set.signers)} signers ({scheme_of(signer_set.scheme).name}), "
                f"threshold {signer_set.threshold} of {signer_set.total_weight}, "
                f"valid until {time.strftime('%Y-%m-%d', time.gmtime(signer_set.valid_until))}"
            )
            for other in self._plan.others(chain):
                yield f"  open the route to and from {other.name} ({other.caip2}), and price it"
            for grant in chain.grants:
                yield f"  send {grant.amount} {chain.fee_denom} to {chain.account_text(grant.account)}"

    def require_chains(self) -> None:
        """Return if each endpoint serves the chain of the plan."""
        for owner in self._owners:
            owner.require_chain()

    def create(self, report: Report) -> Mapping[str, Deployed]:
        """Store the codes, then instantiate the gateway, on all chains side by side."""
        for owner in self._owners:
            owner.send(storing_steps(owner.text))
        planned: dict[str, bytes] = {}
        for owner in self._owners:
            stored = owner.wait(report)
            gateway_code, account_code = _stored(stored[STORE_GATEWAY]), _stored(stored[STORE_ACCOUNT])
            gateway = predictable_address(gateway_code.checksum, owner.account, gateway_code.salt)
            planned[owner.plan.caip2] = gateway
            owner.send([instantiation_step(owner.plan, owner.account, gateway, gateway_code, account_code)])
        deployed = {}
        for owner in self._owners:
            made, chain = owner.wait(report)[INSTANTIATE], owner.plan
            gateway = planned[chain.caip2]
            found = MsgInstantiateContract2Response.decode(made.responses[0].value, is_lenient=True).address
            if found != chain.account_text(gateway):
                # It would be its own administrator at an address that is another's.
                raise DeploymentFailed(
                    f"{chain.name}: the gateway is at {found}, not at {chain.account_text(gateway)}: "
                    "the chain derives addresses in another way"
                )
            deployed[chain.caip2] = Deployed(gateway, gateway, made.height, offer(chain))
            report(f"{chain.name}: gateway created, {found}")
        return deployed

    def configure(self, deployed: Mapping[str, Deployed], report: Report) -> None:
        """Make the settings that the plan asks for, then hand over; on all chains side by side."""
        for owner in self._owners:
            owner.send(configuration_steps(self._plan, owner.plan, owner.account, deployed))
        for owner in self._owners:
            report(f"{owner.plan.name}: {len(owner.wait(report))} settings made")
        for owner in self._owners:
            owner.send(handover_steps(owner.plan, owner.account, deployed[owner.plan.caip2].gateway))
        for owner in self._owners:
            if owner.wait(report):
                report(f"{owner.plan.name}: handed over; its owner must accept_ownership")


def _faults(plan: DeploymentPlan, chains: list[ChainPlan]) -> Iterator[str]:
    for chain in chains:
        if chain.bech32_prefix is None:
            yield f"{chain.name}: bech32_prefix is missing: what the chain's accounts begin with, before the 1"
        if chain.fee_denom is None:
            yield f"{chain.name}: fee_denom is missing: the denomination that fees are paid in"
    if plan.signer_set.scheme != SECP256K1.number:
        yield f"signers.scheme: the gateway on CosmWasm verifies {SECP256K1.name} only"


def _stored(found: FoundTx) -> StoredCode:
    response = MsgStoreCodeResponse.decode(found.responses[0].value, is_lenient=True)
    return StoredCode(response.code_id, response.checksum)
