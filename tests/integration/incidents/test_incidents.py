"""What real bridges lost their users' money by, played against this one: real contracts, real chains, real endpoints.

One section an incident, each with its attack as it was carried out, as far as it can be tried here at all.
docs/concepts/threat-model.md tells which actor each belongs to.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from web3 import HTTPProvider, Web3

from attestation.address import evm_account
from attestation.batch import Batch
from attestation.keccak import keccak256
from attestation.request import request_id
from attestation.statement import Execute, OutcomeKind
from relayer.devnet.evm.anvil import find_anvil
from relayer.devnet.ports import free_ports
from relayer.domain.observations import CallRequested
from relayer.stages.attest import AttestStage
from relayer.stages.settings import StageSettings
from relayer.stages.watch import WatchStage
from relayer.vms.evm import registration
from tests.integration.evm.acting import fetch_tip
from tests.integration.evm.network import OPTIONS, Network, calldata, start_network
from tests.integration.incidents.conftest import RESULT, Bridge
from tests.simulation.world import World
from tests.unit.stages.steps import mine, step

pytestmark = pytest.mark.anvil

OTHER_CHAIN_ID: Final = 10_001
FAR_SECONDS: Final = 4_000_000_000


# One signer enough. Keys were stolen where one or two of them sufficed, or where most belonged to one operator.


def test_security_incident_one_stolen_key_moves_nothing(bridge: Bridge) -> None:
    """SECURITY: a signature is one voice, however often it is given."""
    request = bridge.increment()
    honest = bridge.execute_batch([request])
    leaf = Execute(request_id(request), 1000, keccak256(request_id(request)), 0, 1).leaf
    batch = Batch.of_leaves(bridge.own_address, [leaf], 1)
    stolen = bridge.keys[2]
    for signers, error in (
        ({2: stolen}, "BelowThreshold"),
        ({2: stolen, 3: bridge.keys[3]}, "BelowThreshold"),
        ({1: stolen, 2: stolen, 3: stolen}, "SignerOutOfOrder"),
        ({2: stolen, 3: stolen, 0: bridge.keys[0]}, "RepeatedSigner"),
    ):
        forged = honest | {"certificate": bridge.signed_by(signers, batch)}
        assert bridge.refusal(bridge.execute(forged)) == error
    assert bridge.refusal(bridge.execute(honest)) == ""


def test_security_incident_no_operator_can_be_given_a_quorum(bridge: Bridge) -> None:
    """SECURITY: nine keys in one hand are one key."""
    bridge.rpc("evm_setNextBlockTimestamp", FAR_SECONDS + 1)  # the first set has lapsed: its owner may install another
    bridge.rpc("evm_mine")
    one, other = keccak256(b"one operator"), keccak256(b"another")

    def install(threshold: int, *operators: bytes) -> str:
        signers = [(key.key, 1, operator) for key, operator in zip(bridge.keys, operators, strict=True)]
        call = bridge.verifier.functions.install((1, threshold, FAR_SECONDS + 1000, 1, signers))
        fields = {"from": bridge.owner.address, "to": call.address, "data": call._encode_transaction_data()}
        answer = bridge.web3.provider.make_request("eth_call", [fields, "latest"])  # type: ignore[arg-type]
        return bridge.error_of(answer)

    assert install(3, one, one, one, other) == "OperatorTooHeavy"
    assert install(1, one, other, keccak256(b"c"), keccak256(b"d")) == "ThresholdTooLow"
    assert install(2, one, other, keccak256(b"c"), keccak256(b"d")) == "ThresholdTooLow"
    assert install(3, one, one, other, keccak256(b"c")) == ""


# One poisoned RPC. Nodes were made to tell a signer of deposits that never were.


@contextmanager
def poisoned_node(honest_url: str, folder: Path) -> Iterator[Web3]:
    """A node of the same chain that goes on as its master wants: same history so far, another from now on."""
    (port,) = free_ports(1)
    command = [str(find_anvil()), f"--port={port}", f"--fork-url={honest_url}", "--no-mining", f"--cache-path={folder}"]
    with subprocess.Popen(
        [*command, "--hardfork=prague"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            web3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
            deadline = time.monotonic() + 20
            while not web3.is_connected():
                assert process.poll() is None, "anvil ended"
                assert time.monotonic() < deadline, "anvil does not answer"
            yield web3
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with start_network(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


async def test_security_incident_a_deposit_that_one_endpoint_invents_is_not_seen(
    network: Network, tmp_path: Path
) -> None:
    """SECURITY: what may lead to a signature is told alike by M of N endpoints."""
    honest = network.source
    with poisoned_node(honest.url, tmp_path) as poisoned:
        poisoned_url = str(poisoned.provider.endpoint_uri)  # type: ignore[attr-defined]
        thief = poisoned.eth.accounts[1]
        ask = honest.echo.functions.ask(
            network.destination.account(network.destination.counter),
            calldata(network.destination.counter, "increment", 1_000_000),
            OPTIONS,
        )
        transaction = ask.build_transaction(
            {
                "from": thief,
                "value": 10**17,
                "gas": 700_000,
                "gasPrice": 10**10,
                "nonce": honest.web3.eth.get_transaction_count(thief),
            }
        )
        poisoned.eth.send_transaction(transaction)
        poisoned.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
        honest.mine()
        assert poisoned.eth.block_number == honest.web3.eth.block_number

        alone = await registration.open_chain(network.settings(honest, rpc_urls=(poisoned_url,), rpc_quorum=1))
        try:
            invented = (await fetch_tip(alone)).observations
            assert [type(o) for o in invented] == [CallRequested]  # whoever believes one endpoint is robbed
        finally:
            await alone.close()

        urls = (poisoned_url, honest.url, honest.url + "/?endpoint=2")
        for voices in (urls, urls[:2]):
            agreeing = await registration.open_chain(network.settings(honest, rpc_urls=voices, rpc_quorum=2))
            try:
                assert (await fetch_tip(agreeing)).observations == ()
            finally:
                await agreeing.close()


# An unchecked root. A root that nobody had proven counted as proven, since zero was what everything is at first.


def test_security_incident_a_root_that_nobody_signed_proves_nothing(bridge: Bridge) -> None:
    """SECURITY: there is no list of proven roots to be in by default; a root is what its leaves give, and is signed."""
    request = bridge.increment()
    honest = bridge.execute_batch([request])
    for changes, error in (
        ({"certificate": b""}, "MalformedCertificate"),
        ({"certificate": bytes(49)}, "WrongScheme"),
        ({"items": [], "given": 0, "bare": [bytes(32)]}, "ZeroRoot"),
        ({"items": [], "given": 0, "bare": []}, "EmptyBatch"),
        ({"items": honest["items"] * 2, "given": 3}, "ForgedSignature"),
    ):
        assert bridge.refusal(bridge.execute(honest | changes)) == error


def test_security_incident_a_verifier_without_signers_verifies_nothing(bridge: Bridge) -> None:
    """SECURITY: what is not set up yet must not let everything pass."""
    fresh = bridge.deploy("EcdsaVerifier", bridge.gateway.address, bridge.owner.address)
    batch = Batch.of_leaves(bridge.own_address, [keccak256(b"anything")], 1)
    nobodys = bridge.signed_by({}, batch)
    for epoch in (0, 1):
        certificate = nobodys[:1] + epoch.to_bytes(8, "big") + nobodys[9:]
        assert bridge.refusal(fresh.functions.verify(batch.root, batch.count, certificate)) == "UnknownEpoch"


# An arbitrary privileged call. The bridge could be asked to call its own keeper contract, or to speak as itself.


def test_security_incident_a_request_cannot_make_the_bridge_call_its_own_contracts(bridge: Bridge) -> None:
    """SECURITY: targets are called by an executor that nobody trusts, and never our own contracts."""
    own = [bridge.gateway, bridge.verifier, bridge.routes, bridge.registry]
    executor = bridge.gateway.functions.executor().call()
    takeover = bytes.fromhex(bridge.routes.encode_abi("transferOwnership", [bridge.deliverer.address])[2:])
    targets = [*(contract.address for contract in own), executor]
    requests = [bridge.ask(takeover, target) for target in targets]
    receipt = bridge.send(bridge.executing, bridge.execute(bridge.execute_batch(requests)))
    assert [event["kind"] for event in bridge.events(receipt, "XVMCallConcluded")] == [OutcomeKind.UNREACHED] * len(
        targets
    )
    assert {contract.functions.owner().call() for contract in own} == {bridge.owner.address}


def test_security_incident_a_request_cannot_forge_a_callback(bridge: Bridge) -> None:
    """SECURITY: whoever believes the gateway is never called by it for a stranger."""
    victim = bridge.increment()
    identifier = int.from_bytes(request_id(victim), "big")
    forged = bytes.fromhex(bridge.ping.encode_abi("xvmCallback", [identifier, True, RESULT])[2:])
    attack = bridge.ask(forged, bridge.ping.address)
    receipt = bridge.send(bridge.executing, bridge.execute(bridge.execute_batch([attack])))
    (concluded,) = bridge.events(receipt, "XVMCallConcluded")
    assert concluded["kind"] == OutcomeKind.REVERTED
    assert concluded["returnData"][:4] == keccak256(b"NotGateway(address)")[:4]
    assert not bridge.ping.functions.succeeded(identifier).call()


# Replay. What one chain had accepted was accepted again: by itself, by another, or by the other half of a split.


def test_security_incident_what_happened_does_not_happen_again(bridge: Bridge) -> None:
    """SECURITY: a request is consumed once and its callback delivered once."""
    request = bridge.increment()
    execution, delivery = bridge.execute_batch([request]), bridge.deliver_batch([request], RESULT)
    for _ in range(3):
        bridge.send(bridge.executing, bridge.execute(execution))
        receipt = bridge.send(bridge.deliverer, bridge.deliver(delivery))
    assert bridge.counter.functions.count().call() == 1
    assert bridge.events(receipt, "XVMCallbackDelivered") == []
    assert len(bridge.events(receipt, "XVMOutcomeSkipped")) == 1


def test_security_incident_a_certificate_for_one_chain_is_worth_nothing_on_another(bridge: Bridge) -> None:
    """SECURITY: the domain names the verifying chain and gateway."""
    request = bridge.increment()
    honest = bridge.execute_batch([request])
    leaf = Execute(request_id(request), 1000, keccak256(request_id(request)), 0, 1).leaf
    gateway = bytes.fromhex(bridge.gateway.address[2:])
    for verifying, error in (
        (evm_account(OTHER_CHAIN_ID, gateway), "OtherChain"),
        (evm_account(bridge.web3.eth.chain_id, bytes(19) + b"\x01"), "OtherGateway"),
    ):
        batch = Batch.of_leaves(verifying.to_bytes(), [leaf], 1)
        replayed = bridge.signed_by(dict(enumerate(bridge.keys)), batch)
        assert bridge.refusal(bridge.execute(honest | {"certificate": replayed})) == error


def test_security_incident_after_a_chain_split_signatures_count_on_one_side(bridge: Bridge) -> None:
    """SECURITY: same contracts, same keys, same state, and another chain id."""
    request = bridge.increment()
    delivery = bridge.deliver_batch([request], RESULT)
    assert bridge.refusal(bridge.deliver(delivery)) == ""
    before = bridge.web3.eth.chain_id
    bridge.rpc("anvil_setChainId", OTHER_CHAIN_ID)
    try:
        assert bridge.refusal(bridge.deliver(delivery)) == "OtherChain"
    finally:
        bridge.rpc("anvil_setChainId", before)


# Reorged finality. Deposits were credited that a reorganisation then took back.


async def test_security_incident_what_is_not_final_is_not_signed_and_broken_finality_stops_the_signer() -> None:
    """SECURITY: a signature cannot be taken back."""
    world = World(random.Random(5), settings=StageSettings())
    node = world.nodes[0]

    async def look() -> None:
        for chain in (world.a, world.b):
            await step(world, node, WatchStage, chain)
        await step(world, node, AttestStage)

    world.ask(world.a, world.b)
    mine(world, world.a)
    await look()
    assert node.key.key not in world.truth.signed  # the deposit can still be taken back

    mine(world, world.a, 5)
    await look()
    assert len(world.truth.signed[node.key.key]) == 1

    world.a.break_finality(6, int(world.clock.now()))  # ... and is, after it was final
    world.ask(world.a, world.b)
    mine(world, world.a, 6)
    await look()
    assert world.a.caip2 in node.running.desk.halted
    assert len(world.truth.signed[node.key.key]) == 1
