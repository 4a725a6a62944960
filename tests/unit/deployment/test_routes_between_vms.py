"""What a chain of one VM asks for requests to a chain of another, and who deploys to which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode

from attestation.address import Chain, Namespace
from relayer.deployment import deployable_namespaces, open_deployers
from relayer.domain.finality import FinalityRule
from relayer.errors import ConfigError
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentFailed, DeploymentPlan
from relayer.vms.deployment_record import DeploymentRecord
from relayer.vms.evm.deployment_steps import Contracts, Step, configuration_steps
from relayer.vms.evm.deployment_steps import offer as evm_offer
from relayer.vms.svm.route_terms import offer, terms_to
from tests.factories import make_signer_set

FINALITY = FinalityRule(depth_blocks=2)
ALPHA = ChainPlan("alpha", Chain.evm(31337), FINALITY, 1, 5 * 10**18, native_price=3_000.0)
GAMMA = ChainPlan(
    "gamma",
    Chain(Namespace.SOLANA, b"\x01" * 32),
    FINALITY,
    0.4,
    2 * 10**8,
    native_price=150.0,
    gateway=b"\x09" * 32,
)
PLAN = DeploymentPlan((ALPHA, GAMMA), make_signer_set())
OWN = Contracts(*(bytes(19) + bytes([number]) for number in range(1, 5)))
SLOT_RENT = 1_447_680
"""Lamports that the runtime asks for 80 bytes, which a consumed request keeps for good."""


def deployed(gamma: ChainPlan = GAMMA) -> dict[str, Deployed]:
    return {
        ALPHA.caip2: Deployed(OWN.gateway, OWN.verifier, 1, evm_offer(PLAN)),
        GAMMA.caip2: Deployed(b"\x09" * 32, b"\x09" * 32, 1, offer(PLAN, gamma)),
    }


def steps(gamma: ChainPlan = GAMMA) -> list[Step]:
    return list(configuration_steps(PLAN, ALPHA, OWN, deployed(gamma)))


def arguments(name: str, *types: str) -> Any:
    (step,) = (step for step in steps() if step.name.startswith(f"XvmRoutes.{name} "))
    return decode(types, step.data[4:])


def test_an_evm_chains_route_to_solana_has_its_program_its_addresses_and_its_bounds() -> None:
    chain, outbound = arguments("setOutbound", "bytes", f"(bytes,bool,uint64{',uint32' * 9})")
    gateway, takes_queries, lengths, payload, returned, execution_gas, *_ = outbound
    assert chain == GAMMA.chain.to_bytes()
    assert gateway == GAMMA.account(b"\x09" * 32)
    assert (takes_queries, lengths, payload, returned, execution_gas) == (True, 1 << 32, 8_192, 65_536, 1_300_000)
    source, is_believed = arguments("setInbound", "bytes", "bool")
    assert (source, is_believed) == (GAMMA.account(b"\x09" * 32), True)


def test_an_evm_chain_asks_for_the_rent_that_a_request_to_solana_leaves_behind() -> None:
    _, price = arguments(
        "setPrice", "bytes", "(uint128,uint128,uint96,uint32,uint32,uint32,uint16,uint16,uint16,uint16)"
    )
    wei_per_gigagas, *_, overhead, _, expire, per_byte, _, _, _ = price
    # a lamport is worth 150 / 3000 of 10^9 wei
    lamport = 50_000_000
    assert wei_per_gigagas == 2 * 10**8 * lamport
    assert SLOT_RENT * lamport < overhead * wei_per_gigagas // 10**9 < 1.1 * SLOT_RENT * lamport
    assert SLOT_RENT * lamport < expire * wei_per_gigagas // 10**9
    assert per_byte > 0


def test_a_price_at_which_costs_leave_the_routes_fields_is_refused() -> None:
    with pytest.raises(DeploymentFailed, match="alpha: no route holds the costs of gamma"):
        steps(replace(GAMMA, price_per_gigagas=100_000))


def test_a_solana_chains_terms_to_evm_and_to_its_like() -> None:
    terms = terms_to(PLAN, GAMMA, ALPHA, evm_offer(PLAN))
    # 5 gwei for a gas: 5 * 10^15 wei for a million, each worth 20 / 10^9 lamports
    assert terms.execution_price == 100_000_000
    assert (terms.address_lengths, terms.max_payload_bytes, terms.max_return_bytes) == (1 << 20, 8_192, 8_192)
    assert terms.callback_price == 200_000
    assert terms.deadline_slots == 9_000
    twin = replace(GAMMA, name="delta", chain=Chain(Namespace.SOLANA, b"\x02" * 32))
    to_twin = terms_to(PLAN, GAMMA, twin, offer(PLAN, twin))
    assert to_twin.address_lengths == 1 << 32
    assert to_twin.execution_overhead_gas * to_twin.execution_price // 10**6 > SLOT_RENT
    with pytest.raises(DeploymentFailed, match="gamma: the program takes no terms with the costs of delta"):
        terms_to(PLAN, GAMMA, twin, offer(PLAN, replace(twin, price_per_gigagas=10**7)))


def test_each_namespace_has_its_deployer_and_others_are_named() -> None:
    assert deployable_namespaces() >= {"eip155", "solana", "cosmos"}
    strange = replace(GAMMA, chain=Chain(Namespace.APTOS, b"\x02"))
    with pytest.raises(ConfigError) as caught:
        open_deployers(replace(PLAN, chains=(ALPHA, strange)), {}, bytes(31) + b"\x01", DeploymentRecord())
    assert caught.value.faults == ["nothing that is installed deploys to aptos chains"]
