"""What the runtime would refuse as well, and less plainly."""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    meta,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    PROGRAM,
    Ledger,
    address,
    epoch_address,
    keypair,
    outcome_args,
    pending_address,
    root_address,
)


def test_security_who_pays_signs_and_what_changes_is_writable(ledger: Ledger) -> None:
    """SECURITY: of each account that pays, is paid or changes."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    outcome = ledger.outcome(asked)
    ledger.certify(ledger.batch([outcome.leaf]))
    ledger.svm.airdrop(STRANGER.pubkey(), 10**9)

    def deliver(key: Pubkey, **flags: bool) -> Any:
        batch = ledger.batch([outcome.leaf])
        places = {
            "payer": STRANGER.pubkey(),
            "epoch": epoch_address(1),
            "root": root_address(batch),
            "pending": pending,
            "credit": address(b"credit", outcome.payee),
        }
        step = idl.instruction(PROGRAM, "deliver", {**BASE, **places}, {"outcome": outcome_args(outcome), "path": []})
        signers = [] if key == STRANGER.pubkey() and flags.get("signer") is False else [STRANGER]
        return ledger.send(swap(step, key, key, **flags), signers=signers)

    with refused("MissingSigner"):
        deliver(STRANGER.pubkey(), signer=False)
    for key in (STRANGER.pubkey(), epoch_address(1), pending, CONFIG):
        with refused("NotWritable"):
            deliver(key, writable=False)
    deliver(STRANGER.pubkey())


def test_security_an_account_pays_no_more_than_it_has(ledger: Ledger) -> None:
    """SECURITY: its rent is no fee."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    account = ledger.account(pending)
    ledger.svm.set_account(pending, Account(account.lamports - 1, account.data, PROGRAM))
    ledger.deliver(ledger.outcome(asked), pending)
    with refused("InsufficientLamports"):
        ledger.callback(pending)


def test_security_no_more_accounts_than_there_is_room_for(ledger: Ledger) -> None:
    """SECURITY: the list of them lies before everything else."""
    with refused("TooManyAccounts"):
        ledger.send(Instruction(PROGRAM, b"\1", [meta(CONFIG)] * 65))
    with refused("MissingAccounts"):
        ledger.send(Instruction(PROGRAM, b"\1", [meta(CONFIG)] * 4))


def test_security_a_stage_is_closed_to_another_account_and_both_are_writable(ledger: Ledger) -> None:
    """SECURITY: its lamports would vanish."""
    key = ledger.make_stage(10).pubkey()
    step = idl.instruction(PROGRAM, "close_stage", {"stage": key, "authority": ledger.payer.pubkey()}, {})
    with refused("NotWritable"):
        ledger.send(swap(step, key, key, writable=False))
    own = keypair("its own authority")
    account = ledger.account(key)
    data = bytes(account.data[:8]) + bytes(own.pubkey()) + bytes(account.data[40:])
    ledger.svm.set_account(own.pubkey(), Account(account.lamports, data, PROGRAM))
    with refused("DuplicateAccount"):
        places = {"stage": own.pubkey(), "authority": own.pubkey()}
        ledger.call("close_stage", places, signers=[own])
