"""Configuring the gateway program on the Solana chains of a network, on clusters as on a devnet.

Its job: compare what is there with what the plan wants, and have the owner take the steps that are missing: a run that
was cut off goes on where it stood, and one more changes nothing. The program itself is put there by Solana's own tools,
under an upgrade authority that is the plan's owner. It must not choose anything: the plan does.

Source: contracts/svm/README.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from attestation.address import Namespace
from attestation.keccak import keccak256
from attestation.schemes import SECP256K1, scheme_of
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.deployment import (
    ChainPlan,
    Deployed,
    DeploymentFailed,
    DeploymentPlan,
    Grant,
    Report,
    StepRecord,
)
from relayer.vms.jsonrpc.rpc import open_session
from relayer.vms.svm.accounts import Config, Inbound, Outbound, Stage
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.instructions_owner import OwnerInstructions
from relayer.vms.svm.owner_account import OwnerAccount, Step, public_key
from relayer.vms.svm.program_account import fetch_lamports, fetch_program
from relayer.vms.svm.route_terms import offer, terms_to
from relayer.vms.svm.staging import Stager
from relayer.vms.svm.states import StateReader, States
from relayer.vms.svm.transactions import is_fitting

MAX_SIGNERS: Final = 128
"""Of a set, by the program."""

_INITIALIZE: Final = "initialize"
_HANDOVER: Final = "transfer_ownership"

T = TypeVar("T")


class SvmDeployer:
    """Implements the port `Deployer` for a plan's Solana chains. The owner's key is the seed of an ed25519 key there.

    Raises:
        ConfigError: what no gateway program takes, of all of the plan's Solana chains.
    """

    def __init__(self, plan: DeploymentPlan, rpc_urls: Mapping[str, str], owner_key: bytes, record: StepRecord) -> None:
        self._plan = plan
        self._rpc_urls = rpc_urls
        self._owner_key = owner_key
        self._record = record
        self._chains = [chain for chain in plan.chains if chain.chain.namespace is Namespace.SOLANA]
        faults = [
            f"{chain.name}: no gateway is named; put the program there with Solana's own tools, and name it"
            for chain in self._chains
            if chain.gateway is None
        ]
        if plan.signer_set.scheme != SECP256K1.number:
            faults.append(f"signers.scheme: Solana's gateway verifies {SECP256K1.name} only")
        if len(plan.signer_set.signers) > MAX_SIGNERS:
            faults.append(f"signers.members: Solana's gateway takes {MAX_SIGNERS} at the most")
        if faults:
            raise ConfigError(faults)

    def describe(self) -> Iterator[str]:
        """What will be done, in words, without asking any chain."""
        signer_set = self._plan.signer_set
        deployer = bytes(public_key(self._owner_key))
        for chain in self._chains:
            yield f"{chain.name} ({chain.caip2}), from {chain.account_text(deployer)}:"
            yield (
                f"  configure the program {chain.account_text(_gateway(chain))}; "
                f"owner in the end: {chain.account_text(chain.owner or deployer)}"
            )
            yield (
                f"  install a signer set: {len(signer_set.signers)} signers ({scheme_of(signer_set.scheme).name}), "
                f"threshold {signer_set.threshold} of {signer_set.total_weight}, "
                f"valid until {time.strftime('%Y-%m-%d', time.gmtime(signer_set.valid_until))}"
            )
            for other in self._plan.others(chain):
                yield f"  open the route to and from {other.name} ({other.caip2}), and price it"
            for grant in chain.grants:
                yield f"  send {grant.amount} lamports to {chain.account_text(grant.account)}"

    def require_chains(self) -> None:
        """Return if each endpoint serves the chain of the plan."""
        for chain in self._chains:
            self._on(chain, _ChainDeployment.require_chain)

    def create(self, report: Report) -> Mapping[str, Deployed]:
        """Make each program's config."""
        deployed = {}
        for chain in self._chains:
            start_block = self._on(chain, _ChainDeployment.initialize)
            gateway = _gateway(chain)
            deployed[chain.caip2] = Deployed(gateway, gateway, start_block, offer(self._plan, chain))
            report(f"{chain.name}: program initialized, gateway {chain.account_text(gateway)}")
        return deployed

    def configure(self, deployed: Mapping[str, Deployed], report: Report) -> None:
        """Make the settings that are not as the plan has them, then hand over."""
        for chain in self._chains:

            async def configure(work: _ChainDeployment) -> None:
                await work.configure(deployed, report)

            self._on(chain, configure)

    def _on(self, chain: ChainPlan, work: Callable[[_ChainDeployment], Awaitable[T]]) -> T:
        async def run() -> T:
            async with open_session() as session:
                addresses = GatewayAddresses(_gateway(chain))
                url = self._rpc_urls[chain.caip2]
                owner = OwnerAccount(session, chain, addresses, url, self._owner_key, self._record)
                return await work(_ChainDeployment(self._plan, chain, addresses, owner))

        return asyncio.run(run())


class _Setting(NamedTuple):
    """What an owner sets: the account that shows it, the step that makes it, and whether it is so."""

    account: Pubkey
    step: Step
    is_made: Callable[[States], bool]


class _GrantStep(NamedTuple):
    """Money to be sent, and the step that sends it."""

    grant: Grant
    step: Step


class _ChainDeployment:
    """The work on one chain."""

    def __init__(
        self, plan: DeploymentPlan, chain: ChainPlan, addresses: GatewayAddresses, owner: OwnerAccount
    ) -> None:
        self._plan = plan
        self._chain = chain
        self._at = addresses
        self._owner = owner
        self._instructions = OwnerInstructions(addresses, owner.key)
        self._reader = StateReader(owner.pool, addresses.program)

    async def require_chain(self) -> None:
        """SECURITY: a plan's keys and prices are for one chain."""
        if await self._owner.pool.find_foreign():
            raise DeploymentFailed(
                f"{self._chain.name}: the RPC serves another chain, the plan says {self._chain.caip2}; name another RPC"
            )

    async def initialize(self) -> int:
        """Make the config unless it is there; the first slot to look at."""
        program = await fetch_program(self._owner.pool, self._at)
        if program is None:
            raise DeploymentFailed(
                f"{self._chain.name}: {self._at.program} is no program of the upgradeable loader; "
                "put it there with Solana's own tools"
            )
        await self._owner.await_open([_INITIALIZE])
        states = await self._reader.fetch([self._at.config])
        if states.get(Config, self._at.config) is None:
            if program.upgrade_authority != self._owner.key:
                raise DeploymentFailed(
                    f"{self._chain.name}: {self._owner.key} is not the upgrade authority of {self._at.program}, "
                    "who alone may initialize it; let [owner] be who is"
                )
            instruction = self._instructions.initialize(
                self._chain.chain.reference, self._guardian, self._treasury, self._chain.max_pause_blocks
            )
            await self._owner.take([self._owner.step(_INITIALIZE, instruction)])
        receipt = await self._owner.fetch_receipt(_INITIALIZE)
        return program.slot if receipt is None else receipt.block.number

    async def configure(self, deployed: Mapping[str, Deployed], report: Report) -> None:
        """The signer set, what else is not as the plan has it, the money, then the handover."""
        chain, owner = self._chain, self._owner
        settings, grants = list(self._settings(deployed)), list(self._grants())
        install = self._instructions.install(self._plan.signer_set, 0)
        install_name = f"install {_digest(install)}"
        # What a former run signed is over before anything is compared.
        named = [*(setting.step.name for setting in settings), *(grant.step.name for grant in grants)]
        await owner.await_open([install_name, *named, _HANDOVER])
        config = await self._fetch_config()
        if config.owner != owner.key:
            report(f"{chain.name}: {config.owner} owns the gateway; what may not be as planned is left to it")
            return
        steps = [] if config.epoch else [await self._install_step(install_name, install)]
        states = await self._reader.fetch([setting.account for setting in settings])
        steps += [setting.step for setting in settings if not setting.is_made(states)]
        steps += [grant.step for grant in grants if not await self._is_sent(grant)]
        await owner.take(steps)
        if steps:
            report(f"{chain.name}: {len(steps)} settings made")
        new_owner = None if chain.owner is None else Pubkey(chain.owner)
        if new_owner not in {None, owner.key, config.pending_owner}:
            await owner.take([owner.step(_HANDOVER, self._instructions.transfer_ownership(new_owner))])
            report(f"{chain.name}: handed over; its owner must accept_ownership")

    async def _install_step(self, name: str, install: Instruction) -> Step:
        """The step that brings the first set in. What is too long for a transaction is staged when this returns."""
        step = self._owner.step(name, install)
        if is_fitting(step.draft):
            return step
        data = bytes(install.data)
        stager = Stager(GatewayInstructions(self._at, self._owner.key), self._owner.key, self._at.program)
        while True:
            stage = (await self._reader.fetch([stager.key_of(data)])).get(Stage, stager.key_of(data))
            plans = stager.plans(data, stage, ())
            if not plans:
                return self._owner.step(name, *stager.using(install))
            await self._owner.take([Step(f"stage {keccak256(plan.draft).hex()[:8]}", plan.draft) for plan in plans])

    def _settings(self, deployed: Mapping[str, Deployed]) -> Iterator[_Setting]:
        """What an owner sets, each with how it shows that it is so."""
        chain, make = self._chain, self._instructions
        offices, limit = (self._guardian, self._treasury), (chain.sender_window_blocks, chain.sender_max_requests)

        def has_offices(states: States) -> bool:
            config = states.get(Config, self._at.config)
            return config is not None and (config.guardian, config.treasury) == offices

        def has_limit(states: States) -> bool:
            config = states.get(Config, self._at.config)
            return config is not None and (config.limit_slots, config.limit_requests) == limit

        yield self._setting(self._at.config, make.set_offices(*offices), "set_offices", has_offices)
        yield self._setting(self._at.config, make.set_sender_limit(*limit), "set_sender_limit", has_limit)
        for other in self._plan.others(chain):
            yield from self._route(other, deployed[other.caip2])

    def _route(self, other: ChainPlan, its: Deployed) -> Iterator[_Setting]:
        gateway, destination = other.account(its.gateway), other.chain.to_bytes()
        terms = terms_to(self._plan, self._chain, other, its.offer)
        outbound, inbound = self._at.outbound(destination), self._at.inbound(gateway)

        def is_outbound(states: States) -> bool:
            route = states.get(Outbound, outbound)
            return route is not None and (route.terms, route.gateway) == (terms, gateway)

        def is_inbound(states: States) -> bool:
            route = states.get(Inbound, inbound)
            return route is not None and route.is_open

        make = self._instructions
        yield self._setting(
            outbound, make.set_outbound(destination, gateway, terms), f"set_outbound {other.name}", is_outbound
        )
        yield self._setting(inbound, make.set_inbound(gateway, is_open=True), f"set_inbound {other.name}", is_inbound)

    def _setting(
        self, account: Pubkey, instruction: Instruction, name: str, is_made: Callable[[States], bool]
    ) -> _Setting:
        return _Setting(account, self._owner.step(f"{name} {_digest(instruction)}", instruction), is_made)

    def _grants(self) -> Iterator[_GrantStep]:
        for grant in self._chain.grants:
            to = Pubkey(grant.account)
            sent = transfer(TransferParams(from_pubkey=self._owner.key, to_pubkey=to, lamports=grant.amount))
            yield _GrantStep(grant, self._owner.step(f"fund {to}", sent))

    async def _is_sent(self, grant: _GrantStep) -> bool:
        """Whether the recorded transaction was mined; whether the money is there if the endpoint has forgotten it."""
        if not self._owner.is_recorded(grant.step.name):
            return False
        receipt = await self._owner.fetch_receipt(grant.step.name)
        if receipt is not None:
            return receipt.is_success
        return await fetch_lamports(self._owner.pool, Pubkey(grant.grant.account)) >= grant.grant.amount

    async def _fetch_config(self) -> Config:
        config = (await self._reader.fetch([self._at.config])).get(Config, self._at.config)
        if config is None:
            raise RpcUnavailable(f"{self._chain.name}: the RPC does not tell the gateway's config; run it again")
        return config

    @property
    def _guardian(self) -> Pubkey:
        return Pubkey(self._chain.guardian) if self._chain.guardian else Pubkey.default()

    @property
    def _treasury(self) -> Pubkey:
        treasury = self._chain.treasury or self._chain.owner
        return Pubkey(treasury) if treasury else self._owner.key


def _gateway(chain: ChainPlan) -> bytes:
    assert chain.gateway is not None, "a deployer is not made for a chain without"
    return chain.gateway


def _digest(instruction: Instruction) -> str:
    """What tells a step from one that a changed plan asks for under the same name."""
    return keccak256(bytes(instruction.data)).hex()[:8]
