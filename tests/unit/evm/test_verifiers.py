"""Which verifier a scheme has, what it costs, and what a deployment does for its keys."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from attestation.address import Chain
from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.schemes import BLS12381, SCHEMES, SECP256K1
from attestation.signer_set import Signer, operator_id
from relayer.domain.finality import FinalityRule
from relayer.ports.deployment import ChainPlan, DeploymentPlan
from relayer.vms.evm.contract_artifacts import load_artifact
from relayer.vms.evm.deployment_steps import Contracts, created_contracts, creation_steps, handover_steps, proof_steps
from relayer.vms.evm.gas import BATCH_GAS
from relayer.vms.evm.verifiers import VERIFIERS, certificate_gas
from tests.factories import DESTINATION_GATEWAY, make_signer_set

SNAPSHOT: Final = Path(__file__).resolve().parents[3] / "contracts" / "evm" / "gas.json"
CHAIN = ChainPlan("alpha", Chain.evm(31337), FinalityRule(depth_blocks=2), 1, 5 * 10**18, owner=b"\x09" * 20)
OWN = Contracts(*(bytes(19) + bytes([number]) for number in range(1, 5)))


def plan_of(scheme: int, count: int) -> DeploymentPlan:
    """A set of so many keys; what they are is the verifier's to judge."""
    length = 20 if scheme == SECP256K1.number else 288
    signers = tuple(Signer(bytes([number + 1]) * length, 1, operator_id(str(number))) for number in range(count))
    return DeploymentPlan((CHAIN,), replace(make_signer_set(), scheme=scheme, signers=signers))


def test_every_scheme_has_a_verifier_whose_artifact_is_here() -> None:
    assert VERIFIERS.keys() == SCHEMES.keys()
    for verifier in VERIFIERS.values():
        assert load_artifact(verifier.contract).creation_code


def test_a_certificate_costs_by_its_signatures_or_by_those_that_are_missing() -> None:
    batch = Batch(DESTINATION_GATEWAY, b"\x01" * 32, 1, 1)
    for scheme, is_dearer in ((SECP256K1, True), (BLS12381, False)):
        key = scheme.signing_key(b"\x07" * 32)
        signature = key.sign(batch.digest())
        few, many = (
            certificate_gas(build_certificate(batch, scheme.number, dict.fromkeys(range(count), signature)).to_bytes())
            for count in (3, 13)
        )
        assert (few < many) is is_dearer


@pytest.mark.parametrize("name", ["3 of 4", "13 of 19", "3 of 4, bls12-381", "67 of 100, bls12-381"])
def test_the_bounds_are_above_what_was_measured(name: str) -> None:
    signer_count = int(name.partition(" ")[0])
    scheme = BLS12381 if name.endswith(BLS12381.name) else SECP256K1
    measured = json.loads(SNAPSHOT.read_text("utf-8"))
    # What a batch of one costs more than its share in the fullest batch is, for the most part, its certificate.
    alone, shared = (measured[f"deliver {count}, {name}"] for count in (1, 256))
    assert alone - shared < BATCH_GAS + VERIFIERS[scheme.number].certificate_gas(signer_count)
    terms = VERIFIERS[scheme.number].terms
    if name.startswith("3 of 4"):
        assert terms.execution_overhead > measured[f"execute 1, {name}"]
        assert terms.callback_overhead > alone
        assert terms.expire > measured[f"expire 1, {name}"]


def test_a_scheme_names_the_contract_that_is_created_and_handed_over() -> None:
    for scheme, contract in ((1, "EcdsaVerifier"), (2, "BlsVerifier")):
        plan = plan_of(scheme, 4)
        assert created_contracts(plan) == ("XvmRoutes", "XvmRegistry", "XvmGateway", contract)
        assert [step.name for step in creation_steps(plan, CHAIN, b"\x08" * 20, OWN)][3] == f"create {contract}"
        *_, last = handover_steps(plan, CHAIN, b"\x08" * 20, OWN)
        assert last.name.startswith(f"{contract}.transferOwnership")
        assert last.to == OWN.verifier


def test_keys_are_proven_ahead_where_all_at_once_do_not_fit_a_transaction() -> None:
    assert list(proof_steps(plan_of(1, 255), OWN)) == []
    assert list(proof_steps(plan_of(2, 40), OWN)) == []
    steps = list(proof_steps(plan_of(2, 100), OWN))
    assert [step.name.partition(" ")[0] for step in steps] == ["BlsVerifier.prove"] * 3
    assert len({step.name for step in steps}) == 3
    assert {step.to for step in steps} == {OWN.verifier}
    # each key in one of them, whole
    for signer in plan_of(2, 100).signer_set.signers:
        assert sum(signer.key in step.data for step in steps) == 1
