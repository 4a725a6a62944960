"""Callbacks: to whom, by whom, with which accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    PASS_ON,
    STRANGER,
    answering,
    delivered,
    meta,
    refused,
)
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    PROBE,
    PROGRAM,
    Ledger,
    Refused,
    callback_authority,
    inbound_request,
    keypair,
    payload,
    pending_address,
)


def test_security_a_callback_tells_what_was_certified_once_and_pays_back_who_paid(ledger: Ledger) -> None:
    """SECURITY: other data, another receiver of what is left, a request without an outcome, a second time."""
    ledger.request(9)
    with refused("NotDelivered"):
        ledger.callback(pending_address(ledger.sender.pubkey(), 9))
    _, pending = delivered(ledger, b"true")
    with refused("OtherOutcome"):
        ledger.callback(pending, b"false")
    with refused("WrongAddress"):
        ledger.callback(pending, b"true", refund=STRANGER.pubkey())
    ledger.callback(pending, b"true")
    with refused("WrongOwner"):
        ledger.callback(pending, b"true")


def ask_for(ledger: Ledger, program: Pubkey, sender: Any, bump: int, seed: bytes = b"") -> Any:
    """Asks with a callback to a program."""
    args, accounts = ledger.request_parts(callback={"program": program, "seed": seed, "bump": bump})
    return ledger.call("request", accounts, args, signers=[sender])


def test_security_nobody_has_another_s_program_called_back(ledger: Ledger) -> None:
    """SECURITY: a callback goes to the program whose own address asked."""
    _, bump = Pubkey.find_program_address([b"xvm"], PROBE)
    with refused("NotCallbackSender"):
        ask_for(ledger, PROBE, ledger.sender, bump)
    with refused("NotCallbackSender"):
        ask_for(ledger, PROBE, ledger.sender, bump, seed=b"s" * 33)


def test_security_each_handler_has_an_authority_of_its_own(ledger: Ledger) -> None:
    """SECURITY: one for all could be carried from one handler to another."""
    pending = probe_asks(ledger)
    more = [meta(probe_memory(ledger), writable=True)]
    with refused("WrongAddress"):
        ledger.callback(pending, handler=PROBE, more=more, callback_authority=callback_authority(STRANGER.pubkey()))


def test_security_a_handler_gets_neither_payer_nor_gateway(ledger: Ledger) -> None:
    """SECURITY: and so cannot call the gateway in the middle of its own callback."""
    pending = probe_asks(ledger)
    memory = meta(probe_memory(ledger), writable=True)
    with refused("PayerAmongAccounts"):
        ledger.callback(pending, handler=PROBE, more=[memory, meta(ledger.payer.pubkey(), writable=True)])
    for key in (CONFIG, PROGRAM, pending):
        with refused("WrongTargetAccounts"):
            ledger.callback(pending, handler=PROBE, more=[memory, meta(key)])
    ledger.callback(pending, handler=PROBE, more=[memory])


def probe_memory(ledger: Ledger) -> Pubkey:
    """Where the probe remembers."""
    memory = keypair("memory").pubkey()
    ledger.svm.set_account(memory, Account(10**9, bytes(1_200), PROBE))
    return memory


def probe_asks(ledger: Ledger) -> Pubkey:
    """The probe asks, and its outcome is recorded."""
    sender, bump = Pubkey.find_program_address([b"xvm"], PROBE)
    args, accounts = ledger.request_parts(sender=sender, callback={"program": PROBE, "seed": b"", "bump": bump})
    metas = idl.instruction_accounts(PROGRAM, "request", {**BASE, **accounts})
    metas[4] = meta(sender)
    data = bytes([1, bump]) + idl.instruction_data("request", args)
    sent = ledger.send(Instruction(PROBE, data, [meta(PROGRAM), *metas]))
    identity = sent.event("XVMCallRequested")["request_id"]
    leafless = ledger.outcome(answering())
    ledger.deliver(replace(leafless, request_id=identity), accounts["pending"])
    return accounts["pending"]


def test_security_the_runtime_refuses_a_call_back_into_the_gateway(ledger: Ledger) -> None:
    """SECURITY: a program below the gateway that calls it again fails, whatever it would ask for."""
    inner = idl.instruction_data("pause", {"direction": 0, "slots": 1})
    asked = inbound_request(PROBE, payload(PASS_ON + inner, [meta(PROGRAM)]))
    with pytest.raises(Refused):
        ledger.execute(asked, more=[meta(PROGRAM)])
