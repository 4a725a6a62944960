"""The transactions of a deployment on a CosmWasm chain, held against the contracts' own schema."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from attestation.address import Chain, Namespace
from attestation.request import request_id
from attestation.schemes import BLS12381
from attestation.statement import Execute
from attestation.textcodecs import bech32_encode
from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.cosmos.contract_address import predictable_address
from relayer.cosmos.wasm import MsgExecuteContract, MsgInstantiateContract2, MsgStoreCode
from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentFailed, DeploymentPlan, Grant
from relayer.vms.cosmwasm.contract_code import ACCOUNT, GATEWAY, load_code
from relayer.vms.cosmwasm.deployment import CosmWasmDeployer
from relayer.vms.cosmwasm.deployment_steps import (
    StoredCode,
    configuration_steps,
    handover_steps,
    instantiation_step,
    offer,
    storing_steps,
)
from relayer.vms.cosmwasm.gas import EXECUTE_GAS, LEAF_GAS, OWN_ACCOUNT_GAS, call_limit, item_load
from relayer.vms.cosmwasm.messages import encode_execute_item
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.evm.deployment_steps import offer as evm_offer
from relayer.vms.svm.route_terms import offer as svm_offer
from tests.factories import make_request, make_signer_set

SCHEMA = Path(__file__).resolve().parents[3] / "contracts" / "cosmwasm" / "schema"
FINALITY = FinalityRule(depth_blocks=0)
ALPHA = ChainPlan("alpha", Chain.evm(31337), FinalityRule(depth_blocks=2), 1, 5 * 10**18, native_price=3_000.0)
GAMMA = ChainPlan("gamma", Chain(Namespace.SOLANA, b"\x01" * 32), FINALITY, 0.4, 2 * 10**8, native_price=150.0)
GRANTED = b"\x44" * 20
DELTA = ChainPlan(
    "delta",
    Chain(Namespace.COSMOS, b"osmosis-1"),
    FINALITY,
    1.5,
    25 * 10**6,
    native_price=0.5,
    owner=b"\x0f" * 20,
    grants=(Grant(GRANTED, 7_000_000),),
    bech32_prefix="osmo",
    fee_denom="uosmo",
)
PLAN = DeploymentPlan((ALPHA, GAMMA, DELTA), make_signer_set())
DEPLOYER, CONTRACT = b"\x0d" * 20, b"\x0c" * 32
DEPLOYED = {
    ALPHA.caip2: Deployed(b"\x0a" * 20, b"\x0b" * 20, 1, evm_offer(PLAN)),
    GAMMA.caip2: Deployed(b"\x09" * 32, b"\x09" * 32, 1, svm_offer(PLAN, GAMMA)),
    DELTA.caip2: Deployed(CONTRACT, CONTRACT, 1, offer(DELTA)),
}


def osmo(account: bytes) -> str:
    return bech32_encode("osmo", account)


def settings(plan: DeploymentPlan = PLAN, chain: ChainPlan = DELTA) -> list[tuple[str, Any]]:
    """The gateway's messages, each of which its schema takes."""
    validator = Draft7Validator(json.loads((SCHEMA / "execute.json").read_text("utf-8")))
    found = []
    for step in configuration_steps(plan, chain, DEPLOYER, DEPLOYED):
        if isinstance(step.message, MsgExecuteContract):
            assert (step.message.sender, step.message.contract) == (osmo(DEPLOYER), osmo(CONTRACT))
            message = json.loads(step.message.msg)
            validator.validate(message)
            found.extend(message.items())
    return found


def test_the_codes_are_stored_zipped_and_the_same_code_gives_the_same_bytes() -> None:
    messages = [step.message for step in storing_steps(osmo(DEPLOYER))]
    assert [step.message for step in storing_steps(osmo(DEPLOYER))] == messages
    for message, name in zip(messages, (GATEWAY, ACCOUNT), strict=True):
        assert isinstance(message, MsgStoreCode)
        assert gzip.decompress(message.wasm_byte_code) == load_code(name)
        assert load_code(name).startswith(b"\0asm")


def test_the_gateway_administers_itself() -> None:
    codes = StoredCode(8, b"\x11" * 32), StoredCode(9, b"\x22" * 32)
    message = instantiation_step(DELTA, DEPLOYER, CONTRACT, *codes).message
    assert isinstance(message, MsgInstantiateContract2)
    assert (message.admin, message.code_id, message.salt) == (osmo(CONTRACT), 8, bytes(7) + b"\x08")
    fields = json.loads(message.msg)
    Draft7Validator(json.loads((SCHEMA / "instantiate.json").read_text("utf-8"))).validate(fields)
    assert (fields["owner"], fields["treasury"], fields["guardian"]) == (osmo(DEPLOYER), osmo(b"\x0f" * 20), None)
    assert (fields["account_code_id"], fields["account_checksum"]) == ("9", "0x" + "22" * 32)
    assert (fields["fee_denom"], fields["block_milliseconds"]) == ("uosmo", 1_500)


def test_an_address_under_a_salt_is_the_chains() -> None:
    """As cosmwasm-std's own tests have it."""
    checksum = bytes.fromhex("13a1fc994cc6d1c81b746ee0c0ff6f90043875e0bf1d9be6b7d779fc978dc2a5")
    creator = bytes.fromhex("9999999999aaaaaaaaaabbbbbbbbbbcccccccccc")
    expected = "5e865d3e45ad3e961f77fd77d46543417ced44d924dc3e079b5415ff6775f847"
    assert predictable_address(checksum, creator, b"a").hex() == expected


def test_every_chain_gets_its_route_its_price_and_its_place_among_sources() -> None:
    made = settings()
    assert [name for name, _ in made[:3]] == ["install", "set_offices", "set_sender_limit"]
    routes = {fields["chain"]: fields["route"] for name, fields in made if name == "set_outbound"}
    sources = [fields["source_gateway"] for name, fields in made if name == "set_inbound"]
    gateways = [f"0x{chain.account(DEPLOYED[chain.caip2].gateway).hex()}" for chain in (ALPHA, GAMMA)]
    assert [route["destination_gateway"] for route in routes.values()] == gateways == sources
    assert list(routes) == [f"0x{chain.chain.to_bytes().hex()}" for chain in (ALPHA, GAMMA)]
    assert [route["address_lengths"] for route in routes.values()] == [str(1 << 20), str(1 << 32)]
    assert [route["deadline_blocks"] for route in routes.values()] == [2_400, 2_400]


def test_prices_are_in_the_smallest_unit_of_its_coin_and_never_nothing() -> None:
    prices = [fields["price"] for name, fields in settings() if name == "set_price"]
    # 5 ether for 10^9 gas, each worth 6,000 coins of 10^6 units; a lamport is worth 0.3 of a unit
    assert [price["execution_price"] for price in prices] == [str(5 * 6_000 * 10**6), str(6 * 10**7)]
    assert [price["callback_price"] for price in prices] == ["25000000", "25000000"]
    cheap = replace(PLAN, chains=(replace(ALPHA, price_per_gigagas=1), GAMMA, DELTA))
    assert "1" in {fields["price"]["execution_price"] for name, fields in settings(cheap) if name == "set_price"}


def test_costs_that_leave_the_routes_fields_are_refused() -> None:
    dear = replace(DEPLOYED[ALPHA.caip2].offer, execution_per_byte=1 << 16)
    deployed = {**DEPLOYED, ALPHA.caip2: replace(DEPLOYED[ALPHA.caip2], offer=dear)}
    with pytest.raises(DeploymentFailed, match="delta: no route holds the costs of alpha"):
        list(configuration_steps(PLAN, DELTA, DEPLOYER, deployed))


def test_grants_are_sent_and_ownership_is_handed_to_another() -> None:
    *_, last = configuration_steps(PLAN, DELTA, DEPLOYER, DEPLOYED)
    assert last.message == MsgSend(osmo(DEPLOYER), osmo(GRANTED), (Coin("uosmo", "7000000"),))
    (step,) = handover_steps(DELTA, DEPLOYER, CONTRACT)
    assert isinstance(step.message, MsgExecuteContract)
    assert json.loads(step.message.msg) == {"transfer_ownership": {"to": osmo(b"\x0f" * 20)}}
    assert not list(handover_steps(replace(DELTA, owner=None), DEPLOYER, CONTRACT))


def test_a_changed_setting_is_another_step() -> None:
    names = {step.name for step in configuration_steps(PLAN, DELTA, DEPLOYER, DEPLOYED)}
    changed = {step.name for step in configuration_steps(PLAN, replace(DELTA, guardian=GRANTED), DEPLOYER, DEPLOYED)}
    assert {name.partition(" ")[0] for name in names ^ changed} == {"set_offices"}
    assert len(names ^ changed) == 2


def test_what_such_a_chain_needs_is_asked_for_at_once() -> None:
    plan = replace(
        PLAN,
        chains=(ALPHA, replace(DELTA, bech32_prefix=None, fee_denom=None)),
        signer_set=replace(PLAN.signer_set, scheme=BLS12381.number),
    )
    with pytest.raises(ConfigError) as refused:
        CosmWasmDeployer(plan, {}, b"\x01" * 32, DeploymentRecord())
    assert [fault.partition(" ")[0] for fault in refused.value.faults] == ["delta:", "delta:", "signers.scheme:"]


@pytest.mark.parametrize("payload_length", [0, 65_536])
def test_security_no_request_costs_more_beside_others_than_it_is_priced_at(payload_length: int) -> None:
    """SECURITY: a handful of cheap ones would have a relayer hold all that it bundles them with."""
    terms, account = offer(DELTA), DELTA.account(bytes(32))
    asked = replace(
        make_request(payload=bytes(payload_length)),
        source_gateway=account,
        sender=account,
        destination_gateway=account,
        target=account,
        own_account=True,
        return_limit=terms.max_return_bytes,
        metadata=bytes(256),
    )
    encoded = encode_execute_item(asked, Execute(request_id(asked), 2**63, bytes(32), 9_999, 9_999))
    load = item_load(encoded, EXECUTE_GAS + OWN_ACCOUNT_GAS, call_limit(asked))
    priced = terms.execution_overhead + terms.execution_per_byte * payload_length
    assert load.gas + LEAF_GAS <= asked.execution_gas_limit + priced
