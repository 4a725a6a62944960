"""The contracts' npm package: its version, what it asks of a project, and which compilers its sources take."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ROOT / "contracts" / "evm"
PACKAGE = json.loads((CONTRACTS / "package.json").read_text("utf-8"))

DEPLOYED = {".", "verifiers"}
"""Folders of what we deploy ourselves. All others are compiled into the contracts of those who use the package."""


def test_its_version_is_the_relayers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert PACKAGE["version"] == project["project"]["version"]


def test_it_asks_for_the_openzeppelin_that_it_is_tested_with() -> None:
    tested = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]["@openzeppelin/contracts"]
    asked = PACKAGE["peerDependencies"]["@openzeppelin/contracts"]
    assert asked == f"~{tested}"


@pytest.mark.parametrize("source", sorted((CONTRACTS / "src").rglob("*.sol")), ids=lambda path: path.stem)
def test_what_we_deploy_pins_its_compiler_and_what_others_compile_does_not(source: Path) -> None:
    (pragma,) = re.findall(r"^pragma solidity (.+);$", source.read_text("utf-8"), re.MULTILINE)
    pinned = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]["solc"]
    folder = str(source.parent.relative_to(CONTRACTS / "src"))
    assert pragma == (pinned if folder in DEPLOYED else "^0.8.27")
