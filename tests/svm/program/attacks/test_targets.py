"""What a target gets, and what it does not."""

from __future__ import annotations

from attestation.request import request_id
from attestation.statement import OutcomeKind
from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    TELL_FLAGS,
    answering,
    meta,
    refused,
)
from tests.svm.program.ledger import (
    CONFIG,
    LOADER,
    PROBE,
    PROGRAM,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    Ledger,
    address,
    epoch_address,
    inbound_request,
    keypair,
    own_account,
    payload,
    slot_address,
)


def test_security_the_target_gets_the_declared_accounts_and_no_others(ledger: Ledger) -> None:
    """SECURITY: a submitter's choice is not the sender's."""
    declared, other = keypair("declared").pubkey(), keypair("other").pubkey()
    asked = inbound_request(PROBE, payload(TELL_FLAGS, [meta(declared, writable=True)]))
    ledger.certify(ledger.execute_step(asked)[1])
    for more in ([], [meta(other, writable=True)], [meta(declared)], [meta(declared, writable=True), meta(other)]):
        with refused("WrongTargetAccounts"):
            ledger.execute(asked, certified=True, more=more)
    with refused("WrongTargetAccounts"):
        ledger.execute(asked, certified=True, more=[meta(declared, writable=True)], accounts={"target": other})


def test_security_no_signature_of_the_transaction_reaches_the_target(ledger: Ledger) -> None:
    """SECURITY: who signs the transaction signs for no call in it; who pays for it is not passed on at all."""
    asked = inbound_request(PROBE, payload(TELL_FLAGS, [meta(ledger.sender.pubkey())]))
    step, batch = ledger.execute_step(asked, more=[meta(ledger.sender.pubkey(), signer=True, writable=True)])
    ledger.certify(batch)
    event = ledger.send(step, signers=[ledger.sender]).event("XVMCallConcluded")
    assert event["return_data"] == bytes([0, 0])
    greedy = inbound_request(PROBE, payload(TELL_FLAGS, [meta(ledger.payer.pubkey(), writable=True)]))
    with refused("PayerAmongAccounts"):
        ledger.execute(greedy, more=[meta(ledger.payer.pubkey(), writable=True)])


def test_security_no_account_of_the_gateway_reaches_the_target(ledger: Ledger) -> None:
    """SECURITY: nor the program itself, to be called back in the middle."""
    for key in (CONFIG, PROGRAM, epoch_address(1)):
        asked = inbound_request(PROBE, payload(TELL_FLAGS, [meta(key)]))
        with refused("WrongTargetAccounts"):
            ledger.execute(asked, more=[meta(key)])


def test_security_another_sender_s_account_does_not_sign(ledger: Ledger) -> None:
    """SECURITY: the only signer that is ever lent is the sender's own account."""
    other = own_account(REMOTE_GATEWAY)
    asked = inbound_request(PROBE, payload(TELL_FLAGS, [meta(other, signer=True)]), own_account=True)
    with refused("WrongAddress"):
        ledger.execute(asked, more=[meta(other)], accounts={"own_account": other})
    assert (
        ledger.execute(asked, certified=True, more=[meta(other)]).event("XVMCallConcluded")["kind"]
        == OutcomeKind.UNREACHED
    )
    own = own_account(REMOTE_SENDER)
    without = inbound_request(PROBE, payload(TELL_FLAGS, [meta(own, signer=True)]), 1)
    event = ledger.execute(without, more=[meta(own)]).event("XVMCallConcluded")
    assert event["kind"] == OutcomeKind.UNREACHED
    lent = inbound_request(PROBE, payload(TELL_FLAGS, [meta(own, signer=True)]), 2, own_account=True)
    event = ledger.execute(lent, more=[meta(own)]).event("XVMCallConcluded")
    assert (event["kind"], event["return_data"]) == (OutcomeKind.EXECUTED, bytes([1, 0]))


def test_security_a_code_hash_is_of_the_code_that_runs(ledger: Ledger) -> None:
    """SECURITY: other code would be looked at than is run."""
    import hashlib  # noqa: PLC0415 - only here

    code = address(bytes(PROBE), program=LOADER)
    elf = bytes(ledger.account(code).data)[45:].rstrip(b"\0")
    asked = answering(code_hash=hashlib.sha256(elf).digest())
    with refused("WrongTargetAccounts"):
        ledger.execute(asked, accounts={"program_data": address(bytes(PROGRAM), program=LOADER)})
    event = ledger.execute(asked, certified=True, accounts={"program_data": code}).event("XVMCallConcluded")
    assert event["kind"] == OutcomeKind.EXECUTED


def test_security_what_lies_at_an_address_before_stops_nothing(ledger: Ledger) -> None:
    """SECURITY: anybody may send lamports to where a slot will be."""
    asked = answering()
    ledger.svm.airdrop(slot_address(request_id(asked)), 5_000_000)
    assert ledger.execute(asked).event("XVMCallConcluded")["kind"] == OutcomeKind.EXECUTED
    args, accounts = ledger.request_parts()
    ledger.svm.airdrop(accounts["pending"], 1_000_000)
    sent = ledger.call("request", accounts, args, signers=[ledger.sender])
    fee = sent.event("XVMCallRequested")["fee"]
    rent = ledger.svm.minimum_balance_for_rent_exemption(idl.account_length("Pending"))
    assert ledger.balance(accounts["pending"]) == rent + fee
