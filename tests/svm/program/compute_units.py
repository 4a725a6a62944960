"""Measures what instructions cost in compute units, on addresses that are the same in every run.

Run it to write `contracts/svm/compute_units.json`: `python -m tests.svm.program.compute_units`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

_ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(_ROOT / "contracts" / "svm" / "build"))

from solders.compute_budget import set_compute_unit_limit  # noqa: E402 - after the path is set
from solders.instruction import AccountMeta, Instruction  # noqa: E402
from solders.message import Message  # noqa: E402
from solders.pubkey import Pubkey  # noqa: E402

from attestation.keccak import keccak256  # noqa: E402
from attestation.request import RequestId  # noqa: E402
from attestation.statement import Execute  # noqa: E402
from tests.svm.program import idl  # noqa: E402
from tests.svm.program.ledger import (  # noqa: E402
    BASE,
    MEMO,
    PROBE,
    PROGRAM,
    Ledger,
    inbound_request,
    keypair,
    own_account,
    payload,
    pending_address,
    request_of,
    signer_set,
    signing_keys,
)

MAX_TRANSACTION_LENGTH: Final = 1232
_BUDGET_UNITS: Final = 150  # of the instruction that asks for a budget


def longest_certificate() -> int:
    """Signatures that fit one transaction, beside a compute budget."""
    ledger = Ledger(signers=19, threshold=13).open()
    batch = ledger.batch([b"\1" * 32])
    most = 0
    for count in range(1, 20):
        step = ledger.certify_step(batch, ledger.certificate(batch, range(count)))
        message = Message([set_compute_unit_limit(1_400_000), step], ledger.payer.pubkey())
        if 1 + 64 + len(bytes(message)) <= MAX_TRANSACTION_LENGTH:
            most = count
    return most


def measure() -> dict[str, int]:
    """Units by what was done."""
    units: dict[str, int] = {}
    for signers, threshold in ((4, 3), (19, 13)):
        ledger = Ledger(signers=signers, threshold=threshold).open()
        sent = ledger.certify(ledger.batch([b"\1" * 32]))
        units[f"verify_certificate, {threshold} of {signers}"] = sent.units - _BUDGET_UNITS
    ledger = Ledger().open()
    for label, others in (("alone", 0), ("of 256", 255)):
        leaves = [
            Execute(RequestId(keccak256(b"%d" % number)), 7, bytes(32), 0, number).leaf for number in range(others)
        ]
        asked = inbound_request(PROBE, payload(b"\2"), nonce=others)
        units[f"execute, a leaf {label}, a target that does nothing"] = (
            ledger.execute(asked, leaves=leaves).units - _BUDGET_UNITS
        )
    own = own_account(inbound_request(PROBE, b"").sender)
    signer = AccountMeta(own, is_signer=True, is_writable=False)
    asked = inbound_request(MEMO, payload(b"hello", [signer]), own_account=True)
    sent = ledger.execute(asked, more=[AccountMeta(own, is_signer=False, is_writable=False)])
    units["execute, own account, memo"] = sent.units - _BUDGET_UNITS
    expired = inbound_request(PROBE, payload(b"\2"), nonce=7, expiry=1)
    step, batch = ledger.execute_step(expired, name="expire")
    ledger.certify(batch)
    units["expire"] = ledger.send(step).units - _BUDGET_UNITS
    sent, first = ledger.request()
    units["request, the sender's first"] = sent.units - _BUDGET_UNITS
    sent, _ = ledger.request(1)
    units["request"] = sent.units - _BUDGET_UNITS
    pending = pending_address(ledger.sender.pubkey(), 0)
    units["deliver"] = ledger.deliver(ledger.outcome(first), pending).units - _BUDGET_UNITS
    units["callback, to a wallet"] = ledger.callback(pending).units - _BUDGET_UNITS
    units["callback, a handler that keeps 64 bytes"] = _handled(ledger) - _BUDGET_UNITS
    units["rotate, to 19 signers"] = _rotated(ledger) - _BUDGET_UNITS
    return units


def _handled(ledger: Ledger) -> int:
    sender, bump = Pubkey.find_program_address([b"xvm"], PROBE)
    args, accounts = ledger.request_parts(sender=sender, callback={"program": PROBE, "seed": b"", "bump": bump})
    metas = idl.instruction_accounts(PROGRAM, "request", {**BASE, **accounts})
    metas[4] = AccountMeta(sender, is_signer=False, is_writable=False)
    data = bytes([1, bump]) + idl.instruction_data("request", args)
    sent = ledger.send(Instruction(PROBE, data, [AccountMeta(PROGRAM, is_signer=False, is_writable=False), *metas]))
    asked = request_of(sent.event("XVMCallRequested")["request"])
    memory = keypair("memory").pubkey()
    ledger.remember(memory)
    ledger.deliver(ledger.outcome(asked, data=bytes(64)), accounts["pending"])
    more = [AccountMeta(memory, is_signer=False, is_writable=True)]
    return ledger.callback(accounts["pending"], bytes(64), handler=PROBE, more=more).units


def _rotated(ledger: Ledger) -> int:
    return ledger.rotate(signer_set(signing_keys(19, first=50), 13)).units


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - its output is its purpose
