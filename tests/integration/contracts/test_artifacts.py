"""The committed artifacts fit a chain and name their errors. That the sources give them, `make check` proves."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from attestation.keccak import keccak256
from tests.integration.contracts.local_gateway import ARTIFACTS, ROOT

EIP170_BYTES: Final = 24_576
EIP3860_BYTES: Final = 49_152
CONTRACTS: Final = sorted(path for path in ARTIFACTS.glob("*.json") if path.name != "errors.json")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_code_stays_below_the_chains_limits(path: Path) -> None:
    artifact = load(path)
    assert 0 < len(artifact["deployedBytecode"]) // 2 - 1 <= EIP170_BYTES
    assert len(artifact["bytecode"]) // 2 - 1 <= EIP3860_BYTES


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_code_tells_nothing_of_the_machine_that_compiled_it(path: Path) -> None:
    artifact = load(path)
    assert artifact["compiler"]["settings"]["metadata"] == {"bytecodeHash": "none", "appendCBOR": False}
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_errors_are_listed_by_their_selectors() -> None:
    errors = load(ARTIFACTS / "errors.json")
    for selector, error in errors.items():
        assert selector == "0x" + keccak256(error["signature"].encode()).hex()[:8]
    known = {error["signature"] for error in errors.values()}
    for path in CONTRACTS:
        for item in load(path)["abi"]:
            if item["type"] == "error":
                types = ",".join(argument["type"] for argument in item["inputs"])
                assert f"{item['name']}({types})" in known
