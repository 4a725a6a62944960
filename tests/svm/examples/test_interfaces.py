"""The examples' IDLs and addresses are what their sources say."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from solders.pubkey import Pubkey

from attestation.address import parse_account_text
from attestation.keccak import keccak256
from relayer.devnet.svm.devnet_chain import PROGRAM
from tests.svm.examples.loans import open_pool
from tests.svm.examples.programs import ASKER, COUNT, COUNTER, LOAN, ask, open_with_examples, send
from tests.svm.program import idl

FOLDER = idl.FOLDER / "examples"
ADDRESSES = json.loads((FOLDER / "addresses.json").read_text())
EVM = idl.FOLDER.parents[1] / "relayer" / "vms" / "evm" / "artifacts"
LENDER = idl.FOLDER.parent / "evm" / "src" / "examples" / "LockedCollateralLoan.sol"
NAMES = sorted(idl.EXAMPLES)


def constants(text: str) -> dict[str, int]:
    return {
        name: int(value, 16) for name, value in re.findall(r"^#define ([A-Z_]+) (0x[0-9a-f]+)ULL", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", NAMES)
def test_instructions_and_accounts_have_anchor_s_discriminators(name: str) -> None:
    found = constants((FOLDER / f"{name}.c").read_text())
    handler = constants((idl.FOLDER / "src" / "source.h").read_text())["CALLBACK_DISCRIMINATOR"]
    expected = {}
    for entry in idl.EXAMPLES[name].idl["instructions"]:
        digest = hashlib.sha256(f"global:{entry['name']}".encode()).digest()[:8]
        assert bytes(entry["discriminator"]) == digest
        if entry["name"] == "xvm_callback":
            assert int.from_bytes(digest, "little") == handler
        else:
            expected[entry["name"].upper()] = int.from_bytes(digest, "little")
    for entry in idl.EXAMPLES[name].idl["accounts"]:
        digest = hashlib.sha256(f"account:{entry['name']}".encode()).digest()[:8]
        assert bytes(entry["discriminator"]) == digest
        expected[f"{entry['name'].upper()}_DISCRIMINATOR"] = int.from_bytes(digest, "little")
    assert found == expected


def test_errors_have_one_name_each() -> None:
    pattern = r"^  ([A-Z_0-9]+) = (\d+),"
    texts = ((idl.FOLDER / "src" / "errors.h").read_text(), (FOLDER / "errors.h").read_text())
    named = {
        int(code): "".join(part.capitalize() for part in name.split("_"))
        for text in texts
        for name, code in re.findall(pattern, text, re.MULTILINE)
    }
    own = [int(code) for _, code in re.findall(pattern, texts[1], re.MULTILINE)]
    assert own == list(range(7000, 7000 + len(own)))
    for program in idl.EXAMPLES.values():
        assert program.errors.items() <= named.items()
    assert set(own) <= set().union(*(program.errors for program in idl.EXAMPLES.values()))


@pytest.mark.parametrize("name", NAMES)
def test_a_program_s_address_is_a_hash_that_nobody_has_the_key_of(name: str) -> None:
    program = idl.EXAMPLES[name].address
    assert program == Pubkey(keccak256(f"xvm example program: {name}".encode()))
    assert ADDRESSES[name] == {
        "program": str(program),
        "code": f"{name}.so",
        "idl": f"{name}.idl.json",
        **({"accounts": {"counter": str(COUNT)}} if name == "counter" else {}),
    }


def test_accounts_are_laid_out_as_the_idl_says() -> None:
    ledger = open_with_examples()
    send(ledger, COUNTER, "initialize", {"payer": ledger.payer.pubkey(), "counter": COUNT})
    question = ask(ledger, ledger.sender)
    pool = open_pool(ledger)
    loan, _ = pool.borrow(ledger.sender)
    accounts = (
        (COUNTER, "Counter", COUNT),
        (ASKER, "Question", question.key),
        (LOAN, "Pool", pool.key),
        (LOAN, "Loan", loan.key),
    )
    for program, name, key in accounts:
        assert len(ledger.account(key).data) == program.account_length(name)


def test_the_loan_program_speaks_to_its_lender_s_contract() -> None:
    source = (FOLDER / "loan.c").read_text()
    abi = json.loads((EVM / "LockedCollateralLoan.json").read_text())["abi"]
    signatures = {
        entry["name"]: f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})"
        for entry in abi
        if entry["type"] == "function"
    }
    for name, constant in (("lend", "LEND"), ("status", "STATUS")):
        (found,) = re.findall(rf"{constant}\[4\] = {{(.*?)}};", source)
        assert bytes(int(one, 16) for one in found.split(", ")) == keccak256(signatures[name].encode())[:4]
    (numbered,) = re.findall(r"enum Status {(.*?)}", LENDER.read_text(), re.DOTALL)
    for number, status in enumerate(numbered.replace(" ", "").replace("\n", "").split(",")):
        assert f"REMOTE_{status} = {number}" in source


def test_the_own_account_that_the_page_funds_is_that_of_the_devnet_s_first_evm_account() -> None:
    asker = parse_account_text("eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8").to_bytes()
    own, _ = Pubkey.find_program_address([b"account", keccak256(asker)], Pubkey.from_string(PROGRAM))
    assert f"OWN={own} " in (FOLDER / "README.md").read_text()
