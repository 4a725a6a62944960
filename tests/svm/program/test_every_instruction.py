"""Every instruction, spoiled at every account in every way, is refused by name."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.examples import EXAMPLES, Example, example
from tests.svm.program.ledger import PROBE, PROGRAM, Refused, keypair

NAMES = [entry["name"] for entry in idl.IDL["instructions"]]
LEFT_ALONE = {"event_authority", "program", "system_program", "program_data", "target", "handler"}
"""What the runtime itself compares, or another test is about."""

USED_IN_OTHER_CASES = {
    ("set_outbound", "owner"),  # pays where the route is new
    ("set_inbound", "owner"),
    ("verify_certificate", "payer"),  # pays where the root is new
    ("deliver", "config"),  # keeps what a payee without a credit is owed
    ("execute", "slot"),  # of an attempt that runs, the first attempt's slot is written
    ("expire", "origin_slot"),  # and of one that expires, its own
}
"""What the example does not charge or write."""


def declared(name: str, index: int) -> dict[str, bool | str]:
    entry: dict[str, bool | str] = idl.INSTRUCTIONS[name]["accounts"][index]
    return entry


def spoiled(
    found: Example, index: int, *, key: Pubkey | None = None, signer: bool = True, writable: bool = True
) -> Instruction:
    """The example with another account at a place, or with less said of it."""
    metas = list(found.step.accounts)
    old = metas[index]
    metas[index] = AccountMeta(key or old.pubkey, old.is_signer and signer, old.is_writable and writable)
    return Instruction(PROGRAM, bytes(found.step.data), metas)


def refuse(found: Example, step: Instruction, errors: set[str], why: str) -> None:
    wanted = {meta.pubkey for meta in step.accounts if meta.is_signer}
    error = "nothing"
    try:
        found.ledger.send(step, signers=[key for key in found.signers if key.pubkey() in wanted])
    except Refused as refusal:
        error = refusal.name
    assert error in errors, why


def test_there_is_an_example_of_every_instruction() -> None:
    assert sorted(EXAMPLES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_security_what_an_instruction_asks_of_its_accounts_it_checks(name: str) -> None:
    """SECURITY: owner, address, type, signature, writability; then the example itself goes through."""
    found = example(name)
    for index, meta in enumerate(found.step.accounts[: len(idl.INSTRUCTIONS[name]["accounts"])]):
        entry = declared(name, index)
        why = f"{name}, {entry['name']}"
        others = [other for other in found.step.accounts if other.pubkey == meta.pubkey]
        if len(others) == 1 and (name, entry["name"]) not in USED_IN_OTHER_CASES:
            if entry.get("signer"):
                refuse(found, spoiled(found, index, signer=False), {"MissingSigner"}, f"{why} unsigned")
            # the transactions' payer is writable whatever an instruction says
            if entry.get("writable") and meta.is_writable and meta.pubkey != found.ledger.payer.pubkey():
                refuse(found, spoiled(found, index, writable=False), {"NotWritable"}, f"{why} not writable")
        account = found.ledger.svm.get_account(meta.pubkey)
        if entry["name"] in LEFT_ALONE or account is None or account.owner != PROGRAM:
            continue
        data = bytes(account.data)
        for error, owner, forged_data in (
            ("WrongOwner", PROBE, data),
            ("WrongAddress", PROGRAM, data),
            ("WrongDiscriminator", PROGRAM, b"\1" * 8 + data[8:]),
            ("WrongDiscriminator", PROGRAM, data[:9]),
        ):
            forged = keypair(f"{why} {error}").pubkey()
            found.ledger.svm.set_account(forged, Account(account.lamports, forged_data, owner))
            # where an account may also be made, what is not ours is taken for what is there already
            errors = {error, "AlreadyInitialized", "WrongAddress"} if error == "WrongOwner" else {error}
            if entry["name"] == "credit" and name == "deliver":
                errors = {error, "WrongAddress"}  # which is looked at first
            if entry["name"] == "stage" and error == "WrongAddress":
                continue  # a stage has no address of its own
            if name == "stage":
                errors = {error, "AlreadyInitialized", "StageTooShort"}
            refuse(found, spoiled(found, index, key=forged), errors, f"{why} forged")
    found.ledger.send(found.step, signers=found.signers)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "use_stage"])
def test_security_bytes_behind_any_instruction_are_refused(name: str) -> None:
    """SECURITY: who signs would sign for what means nothing here; and what is left out is not guessed."""
    found = example(name)
    metas = found.step.accounts
    data = bytes(found.step.data)
    errors = {"MalformedInstruction", "MalformedCertificate"}
    refuse(found, Instruction(PROGRAM, data + b"\0", metas), errors, f"{name} and a byte")
    if len(data) > 1:
        refuse(found, Instruction(PROGRAM, data[:-1], metas), errors, f"{name} without its last byte")
    refuse(found, Instruction(PROGRAM, data, metas[:-1]), {"MissingAccounts"}, f"{name} without an account")
