"""Requests to here: each runs once, with a quorum behind it, in its turn."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from attestation.address import InteroperableAddress
from attestation.keccak import keccak256
from attestation.request import request_id
from attestation.statement import OutcomeKind
from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    FAIL,
    answering,
    refused,
)
from tests.svm.program.ledger import (
    BASE,
    NOW,
    PROBE,
    PROGRAM,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    SLOT,
    SOLANA,
    Ledger,
    inbound_address,
    payload,
    root_address,
    slot_address,
)


def test_security_a_request_runs_once(ledger: Ledger) -> None:
    """SECURITY: by either door, from any batch, now and after its expiry."""
    asked = answering()
    ledger.execute(asked)
    with refused("AlreadyConsumed"):
        ledger.execute(asked, certified=True)
    with refused("AlreadyConsumed"):
        ledger.execute(asked, leaves=[b"\7" * 32])
    ledger.set_time(asked.expiry + 1, SLOT)
    step, _ = ledger.execute_step(asked, name="expire")
    with refused("AlreadyConsumed"):
        ledger.send(step)


def test_security_a_slot_stands_at_its_one_address(ledger: Ledger) -> None:
    """SECURITY: an empty place elsewhere would be shown for it, and another bump gives another place."""
    asked = answering()
    ledger.execute(asked)
    empty = slot_address(b"\7" * 32)
    with refused("WrongAddress"):
        ledger.execute(asked, certified=True, accounts={"slot": empty})
    identity = request_id(asked)
    canonical = Pubkey.find_program_address([b"slot", identity], PROGRAM)[1]
    for bump in range(canonical - 1, 0, -1):
        seeds = b"slot" + identity + bytes([bump])
        other = Pubkey(sha256(seeds + bytes(PROGRAM) + b"ProgramDerivedAddress").digest())
        if other.is_on_curve():
            continue  # no program's address
        with refused("WrongAddress"):
            ledger.execute(asked, certified=True, accounts={"slot": other})
        return


def test_security_only_what_is_in_a_certified_batch_runs(ledger: Ledger) -> None:
    """SECURITY: every field of the request and its place is what was signed."""
    asked = answering()
    _, batch = ledger.execute_step(asked)
    ledger.certify(batch)
    for changed in (
        replace(asked, nonce=1),
        replace(asked, payload=payload(FAIL)),
        replace(asked, sender=REMOTE_GATEWAY),
        replace(asked, own_account=True),
        replace(asked, expiry=asked.expiry + 1),
        replace(asked, execution_gas_limit=1),
        replace(asked, callback_gas_limit=1),
        replace(asked, return_limit=1),
        replace(asked, code_hash=b"\1" * 32),
        replace(asked, dispute_blocks=1),
        replace(asked, metadata=b"x"),
        replace(asked, origin=5),
        replace(asked, ordered_after=1),
    ):
        step, _ = ledger.execute_step(changed, accounts={"root": root_address(batch)})
        with refused("NotInBatch"):
            ledger.send(step)


def test_security_a_request_to_another_gateway_or_chain_is_in_no_batch_here(ledger: Ledger) -> None:
    """SECURITY: its gateway and chain are not read but are ours."""
    for asked in (
        answering(destination_gateway=InteroperableAddress(SOLANA, bytes(PROBE)).to_bytes()),
        replace(answering(), target=b"\0\1\0\2\x20" + bytes(32) + b"\x20" + bytes(PROBE)),
    ):
        step, batch = ledger.execute_step(asked)
        ledger.certify(batch)
        with refused("NotInBatch"):
            ledger.send(step)


def test_security_a_source_gateway_is_believed_if_the_owner_says_so(ledger: Ledger) -> None:
    """SECURITY: signers certify what anybody's gateway told."""
    ledger.set_inbound(is_open=False)
    with refused("UnregisteredSourceGateway"):
        ledger.execute(answering())
    foreign = answering(source_gateway=REMOTE_SENDER)
    with refused("WrongAddress"):
        ledger.execute(foreign, accounts={"inbound": inbound_address(REMOTE_GATEWAY)})


def test_security_a_retry_ends_as_a_duplicate(ledger: Ledger) -> None:
    """SECURITY: an earlier attempt that was consumed consumes the later ones, and not the other way round."""
    first = answering()
    ledger.execute(first)
    later = answering(1, origin=int.from_bytes(request_id(first), "big"))
    event = ledger.execute(later).event("XVMCallConcluded")
    assert event["kind"] == OutcomeKind.DUPLICATE
    assert event["return_data"] == bytes([0]) + request_id(first)[1:]
    with refused("AlreadyConsumed"):
        ledger.execute(later, certified=True)


def test_security_a_retry_consumes_the_first_attempt_s_slot(ledger: Ledger) -> None:
    """SECURITY: whichever attempt comes first is the only one."""
    first = answering()
    later = answering(1, origin=int.from_bytes(request_id(first), "big"))
    with refused("WrongAddress"):
        ledger.execute(later, accounts={"origin_slot": slot_address(b"\7" * 32)})
    ledger.execute(later, certified=True)
    with refused("AlreadyConsumed"):
        ledger.execute(later, certified=True)
    with refused("AlreadyConsumed"):
        ledger.execute(first)


def test_security_an_ordered_request_waits_for_its_predecessor(ledger: Ledger) -> None:
    """SECURITY: unless that one is consumed, or shown to have lapsed, at its own slot."""
    first = answering(ordered_after=1, expiry=NOW + 100)
    second = answering(1, ordered_after=int.from_bytes(request_id(first), "big"))
    with refused("PredecessorOpen"):
        ledger.execute(second)
    unrelated = answering(5)
    ledger.execute(unrelated)
    with refused("WrongAddress"):
        ledger.execute(second, certified=True, accounts={"predecessor": slot_address(request_id(unrelated))})
    step, _ = ledger.execute_step(first, name="expire")
    args = inbound_by_hash(first)
    places = {**BASE, "payer": ledger.payer.pubkey(), "slot": slot_address(request_id(first))}
    lapse = idl.instruction(PROGRAM, "show_lapsed", places, {"request": args})
    with refused("NotExpired"):
        ledger.send(lapse)
    ledger.set_time(NOW + 101, SLOT)
    ledger.send(lapse)
    ledger.execute(second, certified=True)
    # a lapse is no outcome: the first request still ends as expired
    _, batch = ledger.execute_step(first)
    ledger.certify(batch)
    assert ledger.send(step).event("XVMCallConcluded")["kind"] == OutcomeKind.EXPIRED


def inbound_by_hash(asked: Any) -> dict[str, Any]:
    """A request with its payload's hash."""
    return {
        "source_gateway": asked.source_gateway,
        "sender": asked.sender,
        "target": asked.target[38:],
        "nonce": asked.nonce,
        "own_account": asked.own_account,
        "payload_hash": keccak256(asked.payload),
        "execution_gas_limit": asked.execution_gas_limit,
        "callback_gas_limit": asked.callback_gas_limit,
        "return_limit": asked.return_limit,
        "expiry": asked.expiry,
        "ordered_after": asked.ordered_after.to_bytes(32, "big"),
        "origin": asked.origin.to_bytes(32, "big"),
        "code_hash": asked.code_hash,
        "dispute_blocks": asked.dispute_blocks,
        "metadata": asked.metadata,
    }
