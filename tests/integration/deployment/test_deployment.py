"""Deploying over real RPC: once, again, interrupted, and on the wrong chain."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

from attestation.address import Chain, checksum_address
from attestation.schemes import BLS12381
from relayer.deployment import deploy as deploy_plan
from relayer.deployment import open_deployers
from relayer.devnet.evm.anvil import anvil_command, dev_accounts, find_anvil
from relayer.devnet.evm.devnet_chain import fetch_height
from relayer.devnet.ports import free_ports
from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError, RpcUnavailable
from relayer.ports.deployment import (
    ChainPlan,
    Deployed,
    DeploymentFailed,
    DeploymentPlan,
    Grant,
    Operator,
    RecordedStep,
    Report,
    RouteTerms,
    StepRecord,
)
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.evm.contract_artifacts import load_artifact
from relayer.vms.evm.deployment import EvmDeployer
from tests.e2e.devnets import until
from tests.factories import make_signer_set

pytestmark = pytest.mark.anvil

OWNER = next(iter(dev_accounts()))
FRIEND = bytes(19) + b"\x77"
IDS = (31337, 31338)

PLAN = DeploymentPlan(
    chains=tuple(
        ChainPlan(
            name=f"chain-{chain_id}",
            chain=Chain.evm(chain_id),
            finality=FinalityRule(depth_blocks=2),
            block_time_seconds=1,
            price_per_gigagas=5 * 10**18,
            grants=(Grant(FRIEND, 12_345),),
        )
        for chain_id in IDS
    ),
    signer_set=make_signer_set(),
    operators=(Operator(b"one".ljust(32, b"\0"), "https://one.example.org", FRIEND),),
    terms=RouteTerms(min_expiry_seconds=1, default_expiry_seconds=300),
)


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


@pytest.fixture
def rpc_urls(tmp_path: Path) -> Iterator[dict[int, str]]:
    with ExitStack() as stack:
        urls = {}
        for chain_id, port in zip(IDS, free_ports(2), strict=True):
            command = anvil_command(
                find_anvil(), port=port, chain_id=chain_id, block_time_seconds=0.2, folder=tmp_path / str(chain_id)
            )
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            stack.callback(process.terminate)
            urls[chain_id] = f"http://127.0.0.1:{port}"
        for url in urls.values():
            until(lambda url=url: fetch_height(url) is not None, "anvil does not answer")  # type: ignore[misc]
        yield urls


def ignore(_: str) -> None:
    pass


def deploy(
    plan: DeploymentPlan, urls: dict[int, str], owner_key: bytes, record: StepRecord, report: Report
) -> dict[int, Deployed]:
    """What is deployed, by chain id."""
    by_name = {f"eip155:{chain_id}": url for chain_id, url in urls.items()}
    deployed = deploy_plan(open_deployers(plan, by_name, owner_key, record), report)
    return {chain.chain.chain_id: deployed[chain.caip2] for chain in plan.chains}


def test_both_gateways_quote_a_price_to_the_other_chain_and_grants_arrive(rpc_urls: dict[int, str]) -> None:
    deployed = deploy(PLAN, rpc_urls, OWNER.secret, DeploymentRecord(), ignore)
    for chain_id, other in (IDS, IDS[::-1]):
        web3 = Web3(HTTPProvider(rpc_urls[chain_id]))
        gateway = web3.eth.contract(
            address=Web3.to_checksum_address(deployed[chain_id].gateway), abi=load_artifact("XvmGateway").abi
        )
        assert gateway.get_function_by_signature("quote(uint256,uint256)")(other, 100).call() > 0
        assert web3.eth.get_balance(Web3.to_checksum_address(FRIEND)) == 12_345
        assert web3.eth.get_code(Web3.to_checksum_address(deployed[chain_id].others["registry"]))
        creation = web3.eth.get_block(deployed[chain_id].start_block, full_transactions=True)
        assert any("to" not in tx or tx["to"] is None for tx in creation["transactions"])  # type: ignore[operator]


@pytest.mark.parametrize("last", [1, 3, 8, 9, 20, 34])
def test_an_interrupted_run_goes_on_and_does_no_step_twice(rpc_urls: dict[int, str], tmp_path: Path, last: int) -> None:
    path = tmp_path / "record.json"
    with pytest.raises(Interrupted):
        deploy(PLAN, rpc_urls, OWNER.secret, FailingRecord(path, last), ignore)
    deployed = deploy(PLAN, rpc_urls, OWNER.secret, DeploymentRecord(path), ignore)
    assert deploy(PLAN, rpc_urls, OWNER.secret, DeploymentRecord(path), ignore) == deployed
    for chain_id in IDS:
        web3 = Web3(HTTPProvider(rpc_urls[chain_id]))
        steps = DeploymentRecord(path).next_nonce(f"eip155:{chain_id}")
        assert web3.eth.get_transaction_count(Web3.to_checksum_address(OWNER.address)) == steps
        assert web3.eth.get_balance(Web3.to_checksum_address(FRIEND)) == 12_345


def test_a_set_that_does_not_fit_one_transaction_is_proven_ahead_and_installed(rpc_urls: dict[int, str]) -> None:
    keys = [BLS12381.signing_key(number.to_bytes(32, "big")) for number in range(1, 86)]
    signer_set = make_signer_set(keys, threshold=57, scheme=BLS12381)
    told: list[str] = []
    deployed = deploy(replace(PLAN, signer_set=signer_set), rpc_urls, OWNER.secret, DeploymentRecord(), told.append)
    assert [line for line in told if "proven" in line] == [f"chain-{number}: 3 lots of keys proven" for number in IDS]
    for chain_id in IDS:
        web3 = Web3(HTTPProvider(rpc_urls[chain_id]))
        address = Web3.to_checksum_address(deployed[chain_id].verifier)
        verifier = web3.eth.contract(address=address, abi=load_artifact("BlsVerifier").abi)
        (scheme, threshold, *_, signers), _ = verifier.functions.signerSet(1).call()
        assert (scheme, threshold, [key for key, _, _ in signers]) == (2, 57, [s.key for s in signer_set.signers])


def test_another_owner_is_offered_every_contract(rpc_urls: dict[int, str]) -> None:
    plan = replace(PLAN, chains=tuple(replace(chain, owner=FRIEND) for chain in PLAN.chains))
    deployed = deploy(plan, rpc_urls, OWNER.secret, DeploymentRecord(), ignore)
    own = deployed[IDS[0]]
    web3 = Web3(HTTPProvider(rpc_urls[IDS[0]]))
    for name, address in (
        ("XvmRoutes", own.others["routes"]),
        ("XvmRegistry", own.others["registry"]),
        ("XvmGateway", own.gateway),
        ("EcdsaVerifier", own.verifier),
    ):
        contract = web3.eth.contract(address=Web3.to_checksum_address(address), abi=load_artifact(name).abi)
        assert contract.functions.pendingOwner().call() == checksum_address(FRIEND)
        assert contract.functions.owner().call() == checksum_address(OWNER.address)


def test_security_an_rpc_of_another_chain_is_refused_before_anything_is_sent(rpc_urls: dict[int, str]) -> None:
    """SECURITY: a plan's prices and signers are for one chain; its transactions must not go to another."""
    swapped = {IDS[0]: rpc_urls[IDS[1]], IDS[1]: rpc_urls[IDS[0]]}
    with pytest.raises(DeploymentFailed, match=r"the RPC serves eip155:31338, the plan says eip155:31337"):
        deploy(PLAN, swapped, OWNER.secret, DeploymentRecord(), ignore)
    for url in rpc_urls.values():
        assert Web3(HTTPProvider(url)).eth.get_transaction_count(Web3.to_checksum_address(OWNER.address)) == 0


def test_a_step_that_would_revert_names_the_contracts_error(rpc_urls: dict[int, str]) -> None:
    plan = replace(PLAN, terms=RouteTerms(min_expiry_seconds=500, default_expiry_seconds=300))
    with pytest.raises(DeploymentFailed, match=r"XvmRoutes\.setOutbound .* would revert with BadRoute; mend the plan"):
        deploy(plan, rpc_urls, OWNER.secret, DeploymentRecord(), ignore)


def test_security_an_rpc_that_does_not_answer_is_named_without_its_url() -> None:
    """SECURITY: an RPC URL may hold an access key."""
    urls = dict.fromkeys(IDS, "http://127.0.0.1:9/access-key")
    with pytest.raises(RpcUnavailable, match="chain-31337: the RPC does not answer") as caught:
        deploy(PLAN, urls, OWNER.secret, DeploymentRecord(), ignore)
    assert "access-key" not in str(caught.value)


def test_what_will_be_done_is_said_without_asking_any_chain() -> None:
    urls = dict.fromkeys((chain.caip2 for chain in PLAN.chains), "http://127.0.0.1:9")
    told = "\n".join(EvmDeployer(PLAN, urls, OWNER.secret, DeploymentRecord()).describe())
    assert "create XvmRoutes, XvmRegistry, XvmGateway, EcdsaVerifier" in told
    assert "send 12345 wei" in told


def test_a_file_that_is_no_record_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"schema_version": 1}')
    with pytest.raises(ConfigError, match="not a deployment record"):
        DeploymentRecord(path)
