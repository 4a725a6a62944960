"""A CosmWasm chain behind its RPC, in a thread of its own, and a network that is deployed to it from here."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from attestation.address import Chain, Namespace
from relayer.cli.asking import Endpoint
from relayer.cosmos.accounts import account_of_secret, to_bech32
from relayer.devnet.cosmwasm.chain import Chain as DevnetChain
from relayer.devnet.cosmwasm.chain import ChainSettings
from relayer.devnet.cosmwasm.server import ServerSettings, serving
from relayer.devnet.ports import free_ports
from relayer.domain.finality import FinalityRule
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentPlan, Grant
from relayer.vms.cosmwasm.deployment import CosmWasmDeployer
from relayer.vms.cosmwasm.one_node import OneNode
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.evm.deployment_steps import offer as evm_offer
from tests.factories import make_signer_set

COSMWASM = Chain(Namespace.COSMOS, b"xvm-cosmwasm-1")
OWNER_SECRET, ASKER_SECRET = b"\x11" * 32, b"\x22" * 32
FRIEND = b"\x77" * 20
EVM_GATEWAY = b"\x0a" * 20

ALPHA = ChainPlan("alpha", Chain.evm(31337), FinalityRule(depth_blocks=2), 1, 5 * 10**18)
GAMMA = ChainPlan(
    "gamma",
    COSMWASM,
    FinalityRule(depth_blocks=0),
    0.05,
    4 * 10**7,
    grants=(Grant(FRIEND, 12_345),),
    bech32_prefix="wasm",
    fee_denom="uxvm",
)
PLAN = DeploymentPlan((ALPHA, GAMMA), make_signer_set())


@dataclass
class Place:
    """The chain, where it is asked, and what a deployment said."""

    url: str
    record: DeploymentRecord = field(default_factory=DeploymentRecord)
    said: list[str] = field(default_factory=list)

    @property
    def node(self) -> OneNode:
        return OneNode(COSMWASM, self.url)

    def deployer(self, plan: DeploymentPlan = PLAN, record: DeploymentRecord | None = None) -> CosmWasmDeployer:
        return CosmWasmDeployer(plan, {str(COSMWASM): self.url}, OWNER_SECRET, record or self.record)

    def deploy(self, plan: DeploymentPlan = PLAN, record: DeploymentRecord | None = None) -> bytes:
        """The gateway, 32 bytes, with everything set as the plan has it."""
        deployer = self.deploy_with(plan, record)
        return deployer[str(COSMWASM)].gateway

    def deploy_with(self, plan: DeploymentPlan, record: DeploymentRecord | None) -> dict[str, Deployed]:
        deployer = self.deployer(plan, record)
        deployer.require_chains()
        deployed = {ALPHA.caip2: Deployed(EVM_GATEWAY, EVM_GATEWAY, 1, evm_offer(plan)), **deployer.create(self.tell)}
        deployer.configure(deployed, self.tell)
        return deployed

    def tell(self, line: str) -> None:
        self.said.append(line)

    def query(self, gateway: bytes, name: str, **fields: Any) -> Any:
        return self.node.query(to_bech32("wasm", gateway), {name: fields})

    def endpoint(self, gateway: bytes) -> Endpoint:
        return Endpoint(COSMWASM, self.url, to_bech32("wasm", gateway))


@contextmanager
def running(**settings: Any) -> Iterator[str]:
    """A chain with these settings; its URL."""
    (port,) = free_ports(1)
    chain = DevnetChain(ChainSettings(**settings), time.time)
    for secret in (OWNER_SECRET, ASKER_SECRET):
        chain.fund(to_bech32("wasm", account_of_secret(secret)), 10**15)
    is_up, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving(chain, ServerSettings(port, 0.05, has_control=True)):
            is_up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert is_up.wait(30)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running() as url:
        yield Place(url)


@pytest.fixture(scope="module")
def gateway(place: Place) -> bytes:
    return place.deploy()
