"""Configuring the gateway on a Solana chain over its RPC: once, again, interrupted, and where it cannot be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from solders.account import Account
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from attestation.address import Chain, Namespace
from attestation.keccak import keccak256
from attestation.schemes import BLS12381, SECP256K1
from attestation.signer_set import signer_set_hash
from relayer.deployment import deploy as deploy_plan
from relayer.devnet.ports import free_ports
from relayer.devnet.svm.chain import Chain as LocalChain
from relayer.devnet.svm.chain import ChainSettings, Commitment
from relayer.devnet.svm.devnet_chain import find_programs
from relayer.devnet.svm.programs import place_program
from relayer.devnet.svm.server import ServerSettings, serving
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.deployment import (
    ChainPlan,
    Deployed,
    DeploymentFailed,
    DeploymentPlan,
    Grant,
    Offer,
    RecordedStep,
    RouteTerms,
    StepRecord,
)
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.svm.accounts import AccountState, Config, Epoch, Inbound, Layout, Outbound, parse_account
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.deployment import SvmDeployer
from relayer.vms.svm.route_terms import offer, terms_to
from tests.factories import make_signer_set
from tests.svm.program import idl

OWNER_SECRET = keccak256(b"owner of the deployment's tests")
OWNER = Keypair.from_seed(OWNER_SECRET).pubkey()
PROGRAM = keccak256(b"program of the deployment's tests")
AT = GatewayAddresses(PROGRAM)
FRIEND = bytes(31) + b"\x77"
SLOT_SECONDS = 0.02
FINALIZED_AFTER_SLOTS = 2
EVM_GATEWAY = bytes(19) + b"\x51"
EVM_OFFER = Offer(18, 1 << 20, 65_536, 65_536, 10_000_000, 160_000, 48, 140_000)
EVM = ChainPlan("alpha", Chain.evm(31337), FinalityRule(depth_blocks=2), 1, 5 * 10**18)


T = TypeVar("T", bound=Layout)


class Interrupted(Exception):  # noqa: N818 - what happened to us
    """The power went."""


class FailingRecord(DeploymentRecord):
    """A record of a machine that dies when the step with this number was written, before it is sent."""

    def __init__(self, path: Path, last: int) -> None:
        super().__init__(path)
        self._left = last

    def put(self, chain: str, step: str, signed: RecordedStep) -> None:
        super().put(chain, step, signed)
        self._left -= 1
        if not self._left:
            raise Interrupted


class Cluster:
    """A chain that runs by itself, with the program in its genesis, and what is to be made of it."""

    def __init__(self, chain: LocalChain, port: int) -> None:
        self.chain = chain
        self.rpc_url = f"http://127.0.0.1:{port}"
        self.plan = ChainPlan(
            name="gamma",
            chain=Chain(Namespace.SOLANA, bytes(chain.genesis_hash)),
            finality=FinalityRule(tag=FinalityTag.FINALIZED),
            block_time_seconds=0.4,
            price_per_gigagas=2 * 10**8,
            gateway=PROGRAM,
            grants=(Grant(FRIEND, 10**9),),
        )
        self.network = DeploymentPlan(
            chains=(EVM, self.plan),
            signer_set=make_signer_set(),
            terms=RouteTerms(min_expiry_seconds=1, default_expiry_seconds=300),
        )

    async def deploy(
        self, record: StepRecord, network: DeploymentPlan | None = None, secret: bytes = OWNER_SECRET
    ) -> tuple[dict[str, Deployed], list[str]]:
        """Everything, in a thread as the command line has it; what is there, and what was told."""
        told: list[str] = []
        deployer = SvmDeployer(network or self.network, {self.plan.caip2: self.rpc_url}, secret, record)
        deployers = [deployer, RemoteDeployer()]
        return await asyncio.to_thread(deploy_plan, deployers, told.append), told

    def read(self, layout: type[T], key: Pubkey) -> T | None:
        account = self.chain.account(key, self.chain.slot_at(Commitment.PROCESSED))
        if account is None:
            return None
        return parse_account(layout, AccountState(account.owner, 0, bytes(account.data), False), AT.program)  # noqa: FBT003 - a field

    def lamports(self, key: Pubkey) -> int:
        account = self.chain.account(key, self.chain.slot_at(Commitment.PROCESSED))
        return 0 if account is None else account.lamports


class RemoteDeployer:
    """The other chain of the plan, where all is done."""

    def describe(self) -> list[str]:
        return []

    def require_chains(self) -> None:
        pass

    def create(self, _: Callable[[str], None]) -> dict[str, Deployed]:
        return {EVM.caip2: Deployed(EVM_GATEWAY, EVM_GATEWAY, 1, EVM_OFFER)}

    def configure(self, *_: object) -> None:
        pass


@asynccontextmanager
async def running(secret: bytes = OWNER_SECRET) -> AsyncIterator[Cluster]:
    """A chain with the program, whose upgrade authority this is, and with money for the owner."""
    chain = LocalChain(ChainSettings(finalized_after_slots=FINALIZED_AFTER_SLOTS, kept_slots=600), time.time)
    place_program(
        chain, AT.program, (find_programs() / "xvm_gateway.so").read_bytes(), Keypair.from_seed(secret).pubkey()
    )
    chain.place(OWNER, Account(10**12, b"", SYSTEM_PROGRAM))
    port, websocket_port = free_ports(2)
    async with serving(chain, ServerSettings(port, websocket_port, slot_seconds=SLOT_SECONDS, has_control=False)):
        yield Cluster(chain, port)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running() as made:
        yield made


async def test_the_gateway_is_configured_as_planned_and_a_second_run_changes_nothing(cluster: Cluster) -> None:
    record = DeploymentRecord()
    deployed, _ = await cluster.deploy(record)
    config = cluster.read(Config, AT.config)
    assert config is not None
    assert (config.genesis_hash, config.owner, config.treasury) == (cluster.plan.chain.reference, OWNER, OWNER)
    assert (config.guardian, config.limit_slots, config.limit_requests) == (Pubkey.default(), 100, 1_000)
    epoch = cluster.read(Epoch, AT.epoch(1))
    assert epoch is not None
    assert epoch.set_hash == signer_set_hash(cluster.network.signer_set)
    gateway = EVM.account(EVM_GATEWAY)
    inbound, outbound = (
        cluster.read(Inbound, AT.inbound(gateway)),
        cluster.read(Outbound, AT.outbound(EVM.chain.to_bytes())),
    )
    assert inbound is not None
    assert inbound.is_open
    assert outbound is not None
    assert (outbound.gateway, outbound.terms.address_lengths) == (gateway, 1 << 20)
    # 5 gwei of gas, a coin worth as much as SOL: 5 * 10^9 lamports for 10^9 gas
    assert outbound.terms.execution_price == 5_000_000
    assert cluster.lamports(Pubkey(FRIEND)) == 10**9
    own = deployed[cluster.plan.caip2]
    assert (own.gateway, own.verifier) == (PROGRAM, PROGRAM)
    assert own.start_block > 0
    left = cluster.lamports(OWNER)
    again, told = await cluster.deploy(record)
    assert again == deployed
    assert cluster.lamports(OWNER) == left
    assert not any("settings made" in line for line in told)


async def test_a_changed_plan_changes_what_it_says_and_no_more(cluster: Cluster) -> None:
    record = DeploymentRecord()
    await cluster.deploy(record)
    plan = replace(cluster.plan, guardian=FRIEND, owner=FRIEND)
    network = replace(cluster.network, chains=(EVM, plan))
    _, told = await cluster.deploy(record, network)
    config = cluster.read(Config, AT.config)
    assert config is not None
    assert (config.guardian, config.treasury) == (Pubkey(FRIEND), Pubkey(FRIEND))
    assert (config.owner, config.pending_owner) == (OWNER, Pubkey(FRIEND))
    assert [line for line in told if "settings" in line] == ["gamma: 1 settings made"]


async def test_once_another_owner_has_accepted_nothing_more_is_set_and_that_is_said(cluster: Cluster) -> None:
    record, heir = DeploymentRecord(), Keypair.from_seed(keccak256(b"heir"))
    network = replace(cluster.network, chains=(EVM, replace(cluster.plan, owner=bytes(heir.pubkey()))))
    await cluster.deploy(record, network)
    cluster.chain.place(heir.pubkey(), Account(10**9, b"", SYSTEM_PROGRAM))
    accept = idl.instruction(AT.program, "accept_ownership", {"new_owner": heir.pubkey(), "config": AT.config}, {})
    blockhash, _ = cluster.chain.blockhash_at(cluster.chain.block_at(Commitment.FINALIZED))
    message = MessageV0.try_compile(heir.pubkey(), [accept], [], blockhash)
    assert cluster.chain.send(VersionedTransaction(message, [heir])).error is None
    # The command reads what is final.
    for _ in range(FINALIZED_AFTER_SLOTS + 1):
        cluster.chain.close_slot()
    changed = replace(network, chains=(EVM, replace(network.chains[1], guardian=FRIEND)))
    _, told = await cluster.deploy(record, changed)
    config = cluster.read(Config, AT.config)
    assert config is not None
    assert (config.owner, config.guardian) == (heir.pubkey(), Pubkey.default())
    assert f"gamma: {heir.pubkey()} owns the gateway; what may not be as planned is left to it" in told


@pytest.mark.parametrize("last", [1, 2, 4, 6])
async def test_an_interrupted_run_goes_on_and_pays_no_grant_twice(cluster: Cluster, tmp_path: Path, last: int) -> None:
    path = tmp_path / "record.json"
    with pytest.raises(Interrupted):
        await cluster.deploy(FailingRecord(path, last))
    await cluster.deploy(DeploymentRecord(path))
    await cluster.deploy(DeploymentRecord(path))
    config = cluster.read(Config, AT.config)
    assert config is not None
    assert config.epoch == 1
    assert cluster.lamports(Pubkey(FRIEND)) == 10**9


async def test_a_set_too_long_for_a_transaction_is_staged(cluster: Cluster) -> None:
    keys = [SECP256K1.signing_key(keccak256(b"signer %d" % number)) for number in range(40)]
    network = replace(cluster.network, signer_set=make_signer_set(keys, threshold=27))
    await cluster.deploy(DeploymentRecord(), network)
    epoch = cluster.read(Epoch, AT.epoch(1))
    assert epoch is not None
    assert epoch.set_hash == signer_set_hash(network.signer_set)


async def test_a_route_to_another_solana_chain_has_its_program_and_long_addresses(cluster: Cluster) -> None:
    twin = ChainPlan("delta", Chain(Namespace.SOLANA, bytes(32)), FinalityRule(depth_blocks=1), 0.4, 2 * 10**8)
    twin = replace(twin, gateway=bytes(31) + b"\x01")
    network = replace(cluster.network, chains=(cluster.plan, twin))
    terms = terms_to(network, cluster.plan, twin, offer(network, twin))
    assert terms.address_lengths == 1 << 32
    # rent that a slot keeps for good, and two signatures, at 0.2 lamports a unit
    assert terms.execution_overhead_gas > (1_447_680 + 10_000) * 5
    assert terms.expire_bps < 10_000


async def test_security_an_rpc_of_another_chain_is_refused_before_anything_is_sent(cluster: Cluster) -> None:
    """SECURITY: a plan's prices and signers are for one chain; its transactions must not go to another."""
    foreign = replace(cluster.plan, chain=Chain(Namespace.SOLANA, bytes(32)))
    network = replace(cluster.network, chains=(EVM, foreign))
    deployer = SvmDeployer(network, {foreign.caip2: cluster.rpc_url}, OWNER_SECRET, DeploymentRecord())
    with pytest.raises(DeploymentFailed, match="serves another chain"):
        await asyncio.to_thread(deployer.require_chains)


async def test_who_is_not_the_upgrade_authority_is_told_so() -> None:
    async with running(keccak256(b"somebody else")) as cluster:
        with pytest.raises(DeploymentFailed, match="is not the upgrade authority"):
            await cluster.deploy(DeploymentRecord())


async def test_a_program_that_is_not_there_is_said_plainly(cluster: Cluster) -> None:
    network = replace(cluster.network, chains=(EVM, replace(cluster.plan, gateway=FRIEND)))
    with pytest.raises(DeploymentFailed, match="is no program"):
        await cluster.deploy(DeploymentRecord(), network)


async def test_terms_that_the_program_does_not_take_are_refused_by_its_error(cluster: Cluster) -> None:
    network = replace(cluster.network, terms=RouteTerms(min_expiry_seconds=500, default_expiry_seconds=300))
    with pytest.raises(DeploymentFailed, match="would fail with InvalidTerms"):
        await cluster.deploy(DeploymentRecord(), network)


async def test_security_an_rpc_that_does_not_answer_is_named_without_its_url(cluster: Cluster) -> None:
    """SECURITY: an RPC URL may hold an access key."""
    cluster.rpc_url = "http://127.0.0.1:9/access-key"
    with pytest.raises(RpcUnavailable) as caught:
        await cluster.deploy(DeploymentRecord())
    assert "access-key" not in str(caught.value)


async def test_what_will_be_done_is_said_and_what_no_program_takes_refused_without_asking(cluster: Cluster) -> None:
    urls = {cluster.plan.caip2: "http://127.0.0.1:9"}
    told = "\n".join(SvmDeployer(cluster.network, urls, OWNER_SECRET, DeploymentRecord()).describe())
    assert f"configure the program {AT.program}; owner in the end: {OWNER}" in told
    assert "send 1000000000 lamports" in told
    keys = [BLS12381.signing_key(bytes([number]) * 32) for number in range(1, 5)]
    chains = (EVM, replace(cluster.plan, gateway=None))
    refused = replace(cluster.network, chains=chains, signer_set=make_signer_set(keys, scheme=BLS12381))
    with pytest.raises(ConfigError) as caught:
        SvmDeployer(refused, urls, OWNER_SECRET, DeploymentRecord())
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["gamma", "signers.scheme"]
