"""The committed contracts are what chains take. That they are what sources give is `build_contracts.py --check`."""

from __future__ import annotations

import re

import pytest

from relayer.devnet.cosmwasm.vm.gatekeeper import inspect
from tests.cosmwasm.contract.ledger import CONTRACTS, code

OURS = ("xvm_gateway", "xvm_account")
SOURCES = {path: path.read_text() for path in sorted(CONTRACTS.glob("*/src/*.rs"))}


@pytest.mark.parametrize("name", OURS)
def test_a_contract_is_what_a_chain_stores(name: str) -> None:
    """Without floats, threads or bulk memory, and below the limit of 800 KiB."""
    inspect(code(name))
    assert len(code(name)) < 800 * 1024


@pytest.mark.parametrize("name", OURS)
def test_no_path_of_the_builder_s_machine_is_in_a_contract(name: str) -> None:
    paths = set(re.findall(rb"/[a-z]+/[a-z0-9_./-]+\.rs", code(name)))
    of_the_compiler = {path for path in paths if path.startswith(b"/usr/src/rustc-1.63.0/library/")}
    assert not [path for path in paths - of_the_compiler if re.match(rb"/(home|root|tmp|work|usr)/", path)]


def test_the_gateway_has_no_door_for_the_chain_s_governance() -> None:
    """SECURITY: a `sudo` would be another owner."""
    for path, text in SOURCES.items():
        doors = set(re.findall(r'extern "C" fn (\w+)', text))
        if path.parts[-3] == "gateway":
            assert doors <= {"instantiate", "execute", "reply", "migrate", "query", "requires_cosmwasm_1_2"}
        if path.parts[-3] == "account":
            assert doors == {"instantiate", "execute", "reply"}
