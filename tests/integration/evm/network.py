"""Two anvil chains with gateways that know each other, and what a test needs to act on them.

Blocks are made by `mine` alone. Contracts are deployed by the project's own deployment; what a relayer would do is done
by the package under test.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from web3 import HTTPProvider, Web3
from web3.contract import Contract

from attestation.address import Chain, checksum_address, evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request
from relayer.deployment import deploy, open_deployers
from relayer.devnet.evm.anvil import anvil_command, dev_accounts, find_anvil
from relayer.devnet.ports import free_ports
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import ObservedBlock
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentPlan, RouteTerms
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import ChainSettings
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.evm.contract_artifacts import load_artifact
from tests import certifying
from tests.certifying import track_all
from tests.factories import make_signer_set

SOURCE_ID: Final = 31337
DESTINATION_ID: Final = 31338
RELAYER_SECRET: Final = keccak256(b"relayer of the integration tests")
GAS_CAP: Final = 16_777_216
_DEPLOYMENT_BLOCK_SECONDS: Final = 0.1
_TERMS: Final = RouteTerms(min_expiry_seconds=5, default_expiry_seconds=600)

OPTIONS: Final = {
    "mode": 0,
    "ownAccount": False,
    "executionGasLimit": 0,
    "callbackGasLimit": 0,
    "returnLimit": 0,
    "expiry": 0,
    "ordered": False,
    "codeHash": bytes(32),
    "disputeBlocks": 0,
    "deadlineBlocks": 0,
    "metadata": b"",
}


class LocalChain:
    """One chain. `counter` is a target, `echo` a contract that asks."""

    def __init__(self, url: str, chain_id: int, deployed: Deployed) -> None:
        self.url = url
        self.web3 = Web3(HTTPProvider(url))
        self.deployed = deployed
        self.chain_id = chain_id
        self.gateway_address = evm_account(chain_id, deployed.gateway).to_bytes()
        self.gateway = self._contract("XvmGateway", deployed.gateway)
        self.routes = self._contract("XvmRoutes", deployed.others["routes"])
        self.owner = self.web3.eth.accounts[0]
        self.counter = self.deploy("XvmCounter", self.gateway.address)
        self.echo = self.deploy("XvmEcho", self.gateway.address)
        self._snapshot = ""

    def rpc(self, method: str, *params: Any) -> Any:
        """A raw call, for what only anvil has."""
        answer = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def mine(self, count: int = 1) -> int:
        """So many blocks; the number of the last."""
        for _ in range(count):
            self.rpc("evm_mine")
        return self.web3.eth.block_number

    def pass_seconds(self, seconds: int) -> None:
        """Let the chain's clock run ahead, and make a block."""
        self.rpc("evm_increaseTime", seconds)
        self.mine()

    def take_snapshot(self) -> None:
        self._snapshot = self.rpc("evm_snapshot")

    def restore(self) -> None:
        self.rpc("evm_revert", self._snapshot)
        self.take_snapshot()

    def deploy(self, name: str, *arguments: Any) -> Contract:
        artifact = load_artifact(name)
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=artifact.creation_code)
        sent = factory.constructor(*arguments).transact({"from": self.web3.eth.accounts[0]})
        self.mine()
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)
        assert receipt["contractAddress"] is not None
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=artifact.abi)

    def account(self, contract: Contract) -> bytes:
        """ERC-7930 bytes of a contract here."""
        return evm_account(self.chain_id, address_of(contract)).to_bytes()

    def set_code(self, contract: Contract, code: bytes) -> None:
        self.rpc("anvil_setCode", contract.address, "0x" + code.hex())

    def _contract(self, name: str, address: bytes) -> Contract:
        return self.web3.eth.contract(address=checksum_address(address), abi=load_artifact(name).abi)


def address_of(contract: Contract) -> bytes:
    return bytes.fromhex(contract.address[2:])


def calldata(contract: Contract, function: str, *arguments: Any) -> bytes:
    return bytes.fromhex(contract.encode_abi(function, list(arguments))[2:])


class Network:
    """Requests go from `source` to `destination`."""

    def __init__(self, source: LocalChain, destination: LocalChain) -> None:
        self.source = source
        self.destination = destination
        names = (f"eip155:{source.chain_id}", f"eip155:{destination.chain_id}")
        here, there = source.gateway_address, destination.gateway_address
        chain_only = evm_account(destination.chain_id, bytes(20)).chain.to_bytes()
        self.call_route = Route(here + there, Mode.CALL, *names, here, there)
        self.query_route = Route(here + chain_only, Mode.QUERY, *names, here, b"")
        self.routes = RouteTable((self.call_route, self.query_route))

    def settings(self, chain: LocalChain, **changes: Any) -> ChainSettings:
        settings = ChainSettings(
            name=f"chain-{chain.chain_id}",
            caip2=f"eip155:{chain.chain_id}",
            # Two names of one node: a quorum of two that always agrees.
            rpc_urls=(chain.url, chain.url + "/?endpoint=2"),
            rpc_quorum=2,
            ws_urls=(chain.url.replace("http", "ws"),),
            gateway=checksum_address(chain.deployed.gateway),
            verifier=checksum_address(chain.deployed.verifier),
            finality=FinalityRule(depth_blocks=0),
            block_time_seconds=1.0,
            max_blocks_per_fetch=64,
            transaction_gas_cap=GAS_CAP,
            max_fee_per_gas=500 * 10**9,
            request_timeout_seconds=10.0,
            wallet_key=RELAYER_SECRET,
        )
        return replace(settings, **changes)

    def ask(
        self,
        payload: bytes,
        target: bytes | None = None,
        *,
        by: Contract | None = None,
        value: int = 10**17,
        gas: int = 600_000,
        **options: Any,
    ) -> None:
        """A request waiting for its block. By `echo` to the destination's counter, unless said."""
        chain = self.source
        call = (by or chain.echo).functions.ask(
            target or self.destination.account(self.destination.counter), payload, {**OPTIONS, **options}
        )
        call.transact({"from": chain.web3.eth.accounts[1], "value": value, "gas": gas})

    def executions(self, *blocks: ObservedBlock) -> list[CertifiedBatch]:
        """The certified Execute batches of these source blocks, everything in them to be acted on."""
        return certifying.executions(self.routes, *blocks)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> list[CertifiedBatch]:
        """The certified Outcome batches of a destination block, for these requests."""
        return certifying.deliveries(self.routes, self.destination.gateway_address, block, requests)


def requests_of(block: ObservedBlock) -> list[Request]:
    return [request.request for request in track_all(block)]


@contextmanager
def start_network(folder: Path) -> Iterator[Network]:
    """Both chains, deployed, with blocks on demand from then on."""
    with ExitStack() as stack:
        ports = free_ports(2)
        chain_ids = (SOURCE_ID, DESTINATION_ID)
        urls = {}
        for chain_id, port in zip(chain_ids, ports, strict=True):
            stack.enter_context(_anvil(folder / str(chain_id), chain_id, port))
            urls[chain_id] = f"http://127.0.0.1:{port}"
        owner = next(dev_accounts())
        plan = DeploymentPlan(
            chains=tuple(
                ChainPlan(f"chain-{chain_id}", Chain.evm(chain_id), FinalityRule(depth_blocks=1), 1.0, 10**18)
                for chain_id in chain_ids
            ),
            signer_set=make_signer_set(),
            terms=_TERMS,
        )
        by_name = {chain.caip2: url for chain, url in zip(plan.chains, urls.values(), strict=True)}
        deployers = open_deployers(plan, by_name, owner.secret, DeploymentRecord())
        deployed = deploy(deployers, report=lambda _: None)
        chains = [LocalChain(urls[chain_id], chain_id, deployed[f"eip155:{chain_id}"]) for chain_id in chain_ids]
        for chain in chains:
            chain.rpc("evm_setIntervalMining", 0)
            chain.rpc("evm_setAutomine", False)  # noqa: FBT003 - anvil's own parameter
            relayer = Web3().eth.account.from_key(RELAYER_SECRET).address
            chain.rpc("anvil_setBalance", relayer, hex(10**21))
            chain.rpc("anvil_setBalance", chain.web3.eth.accounts[1], hex(10**24))
            chain.take_snapshot()
        yield Network(*chains)


@contextmanager
def _anvil(folder: Path, chain_id: int, port: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    command = anvil_command(
        find_anvil(), port=port, chain_id=chain_id, block_time_seconds=_DEPLOYMENT_BLOCK_SECONDS, folder=folder
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            web3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
            deadline = time.monotonic() + 20
            while not web3.is_connected():
                assert process.poll() is None, "anvil ended"
                assert time.monotonic() < deadline, "anvil does not answer"
            yield
        finally:
            process.terminate()
            process.wait()
