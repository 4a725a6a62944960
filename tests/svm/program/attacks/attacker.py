"""What attackers have in common: forged accounts, swapped ones, and requests to attack."""

from __future__ import annotations

from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.address import Chain
from tests.svm.program.ledger import (
    PROBE,
    PROGRAM,
    Ledger,
    Refused,
    inbound_request,
    keypair,
    outbound_address,
    payload,
    pending_address,
)

ANSWER, FAIL, PASS_ON, TELL_FLAGS = b"\2", b"\3", b"\4", b"\5"
STRANGER = keypair("stranger")


def refused(name: str) -> Any:
    """The gateway refuses with this error."""
    return pytest.raises(Refused, match=name)


def answering(nonce: int = 0, **changes: Any) -> Any:
    """A request to here that answers."""
    return inbound_request(PROBE, payload(ANSWER), nonce, **changes)


def clone(ledger: Ledger, key: Pubkey, name: str, owner: Pubkey = PROGRAM, data: bytes | None = None) -> Pubkey:
    """The same account at another address, as if anybody could make one."""
    account = ledger.account(key)
    other = keypair(name).pubkey()
    ledger.svm.set_account(other, Account(account.lamports, bytes(account.data) if data is None else data, owner))
    return other


def swap(step: Instruction, old: Pubkey, new: Pubkey, **flags: bool) -> Instruction:
    """An instruction with another account in an account's place."""
    metas = [
        AccountMeta(
            new if meta.pubkey == old else meta.pubkey,
            flags.get("signer", meta.is_signer) if meta.pubkey == old else meta.is_signer,
            flags.get("writable", meta.is_writable) if meta.pubkey == old else meta.is_writable,
        )
        for meta in step.accounts
    ]
    return Instruction(step.program_id, bytes(step.data), metas)


def pause(ledger: Ledger, who: Any, direction: int = 0, slots: int = 500) -> Any:
    """Pauses."""
    return ledger.call("pause", {"authority": who.pubkey()}, {"direction": direction, "slots": slots}, signers=[who])


def ledger_terms(ledger: Ledger) -> dict[str, Any]:
    """The terms as they stand."""
    terms: dict[str, Any] = ledger.state("Outbound", outbound_address(Chain.evm(31337).to_bytes()))["terms"]
    return terms


def meta(key: Pubkey, *, signer: bool = False, writable: bool = False) -> AccountMeta:
    """One account."""
    return AccountMeta(key, is_signer=signer, is_writable=writable)


def delivered(ledger: Ledger, data: bytes = b"") -> tuple[Any, Pubkey]:
    """A request whose outcome has been recorded."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    ledger.deliver(ledger.outcome(asked, data=data), pending)
    return asked, pending
