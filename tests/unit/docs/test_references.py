"""The references of files that people write are what the program reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attestation.address import Namespace
from relayer.cli import plan_file
from relayer.cli.config_example import example_config

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def toml_of(page: str) -> str:
    found = _TOML.search((REFERENCE / page).read_text("utf-8"))
    assert found is not None
    return found[1]


def test_the_configuration_reference_is_current() -> None:
    assert toml_of("config.md").strip() == example_config().strip(), "renew it from: xvm config example"


def test_the_plan_of_the_reference_is_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_RPC", "https://rpc.alpha.example")
    path = tmp_path / "plan.toml"
    path.write_text(toml_of("deployment-plan.md"), "utf-8")
    file = plan_file.load_plan(path)
    assert file.rpc_urls == {"eip155:1": "https://rpc.alpha.example", "eip155:10": "https://rpc.beta.example"}


def test_the_chains_of_other_vms_in_the_plans_reference_belong_in_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALPHA_RPC", "GAMMA_RPC", "DELTA_RPC"):
        monkeypatch.setenv(name, "https://rpc.example")
    path = tmp_path / "plan.toml"
    path.write_text("".join(_TOML.findall((REFERENCE / "deployment-plan.md").read_text("utf-8"))), "utf-8")
    *_, gamma, delta = plan_file.load_plan(path).plan.chains
    assert (gamma.chain.namespace, len(gamma.gateway or b"")) == (Namespace.SOLANA, 32)
    assert (gamma.price_per_gigagas, gamma.signers_fee, gamma.max_fee_per_gas) == (2 * 10**8, 10_000, 10**6)
    assert (delta.chain.namespace, delta.bech32_prefix, delta.fee_denom) == (Namespace.COSMOS, "osmo", "uosmo")
    assert delta.account_text(delta.owner or b"").startswith("osmo1")


def test_every_key_of_a_plan_is_in_its_reference() -> None:
    text = toml_of("deployment-plan.md")
    sections = (plan_file.PlanDocument, plan_file.OwnerSection, plan_file.SignersSection, plan_file.MemberSection)
    sections += (plan_file.TermsSection, plan_file.GrantEntry, plan_file.ChainSection)
    keys = [key for section in sections for key in section.model_fields]
    assert [key for key in keys if not re.search(rf"\b{key}\b", text)] == []
