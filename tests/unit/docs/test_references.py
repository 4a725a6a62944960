"""The references of files that people write are what the program reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def test_every_key_of_a_plan_is_in_its_reference() -> None:
    text = toml_of("deployment-plan.md")
    sections = (plan_file.PlanDocument, plan_file.OwnerSection, plan_file.SignersSection, plan_file.MemberSection)
    sections += (plan_file.TermsSection, plan_file.GrantEntry, plan_file.ChainSection)
    keys = [key for section in sections for key in section.model_fields]
    assert [key for key in keys if not re.search(rf"\b{key}\b", text)] == []
