"""Requests from here and to here, from their first transaction to their last."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.keccak import keccak256
from attestation.request import Mode, request_id, route_of
from attestation.statement import Execute, OutcomeKind
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    GATEWAY,
    MEMO,
    NOW,
    PROBE,
    PROGRAM,
    REMOTE_CHAIN,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    REMOTE_TARGET,
    SLOT,
    SYSTEM,
    Ledger,
    Refused,
    address,
    callback_authority,
    inbound_request,
    keypair,
    own_account,
    payload,
    pending_address,
    request_of,
    signer_set,
    signing_keys,
    slot_address,
)

ANSWER, FAIL, TELL_FLAGS = b"\2", b"\3", b"\5"
FEE = -(-(500_000 + 100_000 + 40 * 4) // 1) + -(-300_000 * 50_000 // 1_000_000) + 20_000 + 30_000


def expected_slot_word(kind: OutcomeKind, identity: bytes) -> bytes:
    return bytes([kind]) + identity[1:]


def test_a_wallet_asks_is_answered_and_gets_its_rent_back(ledger: Ledger) -> None:
    sent, asked = ledger.request()
    event = sent.event("XVMCallRequested")
    pending = pending_address(ledger.sender.pubkey(), 0)
    assert event["request_id"] == request_id(asked)
    assert event["route_hash"] == keccak256(route_of(asked))
    assert event["pending"] == pending
    assert event["fee"] == FEE
    assert event["deadline"] == SLOT + 2_000
    assert (asked.source_gateway, asked.destination_gateway) == (GATEWAY, REMOTE_GATEWAY)
    assert (asked.target, asked.nonce, asked.expiry) == (REMOTE_TARGET, 0, NOW + 600)
    state = ledger.state("Pending", pending)
    rent = ledger.svm.minimum_balance_for_rent_exemption(len(ledger.account(pending).data))
    assert ledger.balance(pending) == rent + FEE
    assert state["request_id"] == request_id(asked)

    before = ledger.balance(ledger.payer.pubkey())
    told = ledger.deliver(ledger.outcome(asked, data=b"done"), pending).event("XVMOutcomeRecorded")
    assert told["return_data_hash"] == keccak256(b"done")
    done = ledger.callback(pending, b"done").event("XVMCallbackDelivered")
    assert done == {
        "request_id": request_id(asked),
        "kind": 0,
        "success": True,
        "return_data_hash": keccak256(b"done"),
        "deliverer": ledger.payer.pubkey(),
    }
    assert ledger.svm.get_account(pending) is None
    # delivery and callback shares and the rent came back to the payer, who delivered; less fees and a root's rent
    gained = ledger.balance(ledger.payer.pubkey()) - before
    root_rent = ledger.svm.minimum_balance_for_rent_exemption(idl.account_length("Root"))
    assert gained == rent + 20_000 + 15_000 - root_rent - 3 * 5_000
    assert ledger.state("Config", CONFIG)["treasury_lamports"] == 600_160


def test_nonces_rise_by_one_and_a_salt_is_free_again_after_its_request(ledger: Ledger) -> None:
    _, first = ledger.request(5)
    with pytest.raises(Refused, match="AlreadyInitialized"):
        ledger.request(5)
    pending = pending_address(ledger.sender.pubkey(), 5)
    ledger.deliver(ledger.outcome(first), pending)
    ledger.callback(pending)
    _, second = ledger.request(5)
    assert (first.nonce, second.nonce) == (0, 1)
    assert request_id(first) != request_id(second)


def test_a_query_names_a_chain_and_no_gateway(ledger: Ledger) -> None:
    sent, asked = ledger.request(options={"mode": 1})
    assert (asked.mode, asked.destination_gateway, asked.expiry) == (Mode.QUERY, b"", 0)
    assert sent.event("XVMCallRequested")["route_hash"] == keccak256(GATEWAY + REMOTE_CHAIN.to_bytes())


def test_a_request_runs_a_program_with_the_accounts_that_it_declares(ledger: Ledger) -> None:
    asked = inbound_request(PROBE, payload(ANSWER + b"forty-two"))
    sent = ledger.execute(asked, payee=b"\xaa" * 32)
    assert sent.event("XVMCallConcluded") == {
        "request_id": request_id(asked),
        "source_gateway": REMOTE_GATEWAY,
        "kind": OutcomeKind.EXECUTED,
        "cut": False,
        "return_data": b"forty-two",
        "payee": b"\xaa" * 32,
    }
    slot = ledger.state("Slot", slot_address(request_id(asked)))
    assert slot["word"] == expected_slot_word(OutcomeKind.EXECUTED, request_id(asked))


def test_return_data_is_cut_at_the_request_s_limit(ledger: Ledger) -> None:
    asked = inbound_request(PROBE, payload(ANSWER + b"forty-two"), return_limit=5)
    event = ledger.execute(asked).event("XVMCallConcluded")
    assert (event["cut"], event["return_data"]) == (True, b"forty")


def test_a_leaf_of_a_full_batch_is_executed_by_its_path(ledger: Ledger) -> None:
    others = [Execute(keccak256(b"%d" % number), 7, bytes(32), 0, number).leaf for number in range(255)]  # type: ignore[arg-type]
    asked = inbound_request(PROBE, payload(ANSWER))
    assert ledger.execute(asked, leaves=others).event("XVMCallConcluded")["kind"] == OutcomeKind.EXECUTED


def test_the_sender_s_own_account_signs_a_memo_and_moves_its_lamports(ledger: Ledger) -> None:
    own = own_account(REMOTE_SENDER)
    signer = AccountMeta(own, is_signer=True, is_writable=False)
    asked = inbound_request(MEMO, payload(b"hello", [signer]), own_account=True)
    sent = ledger.execute(asked, more=[AccountMeta(own, is_signer=False, is_writable=False)])
    assert any("hello" in line for line in sent.logs)

    ledger.svm.airdrop(own, 10**9)
    receiver = keypair("receiver").pubkey()
    accounts = [
        AccountMeta(own, is_signer=True, is_writable=True),
        AccountMeta(receiver, is_signer=False, is_writable=True),
    ]
    move = struct.pack("<IQ", 2, 10**8)
    asked = inbound_request(SYSTEM, payload(move, accounts), nonce=1, own_account=True)
    more = [AccountMeta(own, is_signer=False, is_writable=True), accounts[1]]
    ledger.execute(asked, more=more)
    assert ledger.balance(receiver) == 10**8


def test_the_sender_s_own_account_moves_tokens(ledger: Ledger) -> None:
    token = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
    own, mint = own_account(REMOTE_SENDER), keypair("mint").pubkey()
    purse, theirs = keypair("purse").pubkey(), keypair("theirs").pubkey()
    supply = struct.pack("<I32sQBBI32s", 0, bytes(32), 1_000, 0, 1, 0, bytes(32))
    ledger.svm.set_account(mint, Account(10**9, supply, token))
    for key, holder, amount in ((purse, own, 1_000), (theirs, keypair("receiver").pubkey(), 0)):
        held = (
            bytes(mint) + bytes(holder) + struct.pack("<QI32sBIQQI32s", amount, 0, bytes(32), 1, 0, 0, 0, 0, bytes(32))
        )
        ledger.svm.set_account(key, Account(10**9, held, token))
    accounts = [
        AccountMeta(purse, is_signer=False, is_writable=True),
        AccountMeta(theirs, is_signer=False, is_writable=True),
        AccountMeta(own, is_signer=True, is_writable=False),
    ]
    asked = inbound_request(token, payload(b"\3" + struct.pack("<Q", 250), accounts), own_account=True)
    ledger.execute(asked, more=[*accounts[:2], AccountMeta(own, is_signer=False, is_writable=False)])
    assert struct.unpack_from("<Q", bytes(ledger.account(theirs).data), 64)[0] == 250


def test_a_failing_target_leaves_nothing_and_its_request_expires(ledger: Ledger) -> None:
    asked = inbound_request(PROBE, payload(FAIL))
    with pytest.raises(Refused):
        ledger.execute(asked)
    assert ledger.svm.get_account(slot_address(request_id(asked))) is None
    step, _ = ledger.execute_step(asked, name="expire")
    with pytest.raises(Refused, match="NotExpired"):
        ledger.send(step)
    ledger.set_time(asked.expiry + 1, SLOT)
    event = ledger.send(step).event("XVMCallConcluded")
    assert (event["kind"], event["return_data"]) == (OutcomeKind.EXPIRED, b"")


def test_execute_past_the_expiry_concludes_as_expired(ledger: Ledger) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    ledger.set_time(asked.expiry + 1, SLOT)
    assert ledger.execute(asked).event("XVMCallConcluded")["kind"] == OutcomeKind.EXPIRED


@pytest.mark.parametrize("case", ["no program", "gateway", "short address", "code hash", "payload", "foreign signer"])
def test_what_can_never_be_called_is_unreached(ledger: Ledger, case: str) -> None:
    asked = inbound_request(PROBE, payload(ANSWER))
    accounts: dict[str, Pubkey] = {}
    if case == "no program":
        asked = inbound_request(keypair("nobody").pubkey(), payload(ANSWER))
    elif case == "gateway":
        asked = inbound_request(PROGRAM, payload(ANSWER))
    elif case == "short address":
        asked = replace(asked, target=GATEWAY[:37] + b"\2ab")
        accounts = {"target": PROGRAM}
    elif case == "code hash":
        asked = inbound_request(PROBE, payload(ANSWER), code_hash=b"\1" * 32)
        accounts = {"program_data": address(bytes(PROBE), program=Pubkey(bytes(ledger.account(PROBE).owner)))}
    elif case == "payload":
        asked = inbound_request(PROBE, payload(ANSWER) + b"more")
    else:
        stranger = AccountMeta(keypair("stranger").pubkey(), is_signer=True, is_writable=False)
        asked = inbound_request(PROBE, payload(ANSWER, [stranger]))
    event = ledger.execute(asked, accounts=accounts).event("XVMCallConcluded")
    assert event["kind"] == OutcomeKind.UNREACHED
    word = ledger.state("Slot", slot_address(request_id(asked)))["word"]
    assert word == expected_slot_word(OutcomeKind.UNREACHED, request_id(asked))


def ask_from_probe(ledger: Ledger, salt: int = 0, **changes: object) -> tuple[Pubkey, object, Pubkey]:
    """The probe asks from its own address; returns its memory, the request and where it waits."""
    sender, bump = Pubkey.find_program_address([b"xvm"], PROBE)
    callback = {"program": PROBE, "seed": b"", "bump": bump}
    args, accounts = ledger.request_parts(salt, sender=sender, callback=callback, **changes)
    metas = idl.instruction_accounts(PROGRAM, "request", {**BASE, **accounts})
    metas[4] = AccountMeta(sender, is_signer=False, is_writable=False)
    data = bytes([1, bump]) + idl.instruction_data("request", args)
    # the probe passes on what follows the program that it calls
    sent = ledger.send(Instruction(PROBE, data, [AccountMeta(PROGRAM, is_signer=False, is_writable=False), *metas]))
    memory = keypair("memory").pubkey()
    ledger.svm.set_account(memory, Account(10**9, bytes(1_200), PROBE))
    return memory, request_of(sent.event("XVMCallRequested")["request"]), accounts["pending"]


def test_a_program_asks_and_takes_the_callback(ledger: Ledger) -> None:
    memory, asked, pending = ask_from_probe(ledger)
    ledger.deliver(ledger.outcome(asked, data=b"answer"), pending)  # type: ignore[arg-type]
    more = [AccountMeta(memory, is_signer=False, is_writable=True)]
    ledger.callback(pending, b"answer", handler=PROBE, more=more)
    told = bytes(ledger.account(memory).data)
    assert struct.unpack_from("<Q", told, 8)[0] == 1
    expected = bytes.fromhex("cdd89b989fa78f4b") + request_id(asked) + b"\1" + struct.pack("<I", 6) + b"answer"  # type: ignore[arg-type]
    assert told[16 : 16 + len(expected)] == expected


def test_a_handler_that_fails_is_called_again(ledger: Ledger) -> None:
    memory, asked, pending = ask_from_probe(ledger)
    ledger.svm.set_account(memory, Account(10**9, b"\1" + bytes(1_199), PROBE))
    ledger.deliver(ledger.outcome(asked, OutcomeKind.REVERTED, b"why"), pending)  # type: ignore[arg-type]
    more = [AccountMeta(memory, is_signer=False, is_writable=True)]
    for _ in range(2):
        with pytest.raises(Refused):
            ledger.callback(pending, b"why", handler=PROBE, more=more)
    ledger.svm.set_account(memory, Account(10**9, bytes(1_200), PROBE))
    event = ledger.callback(pending, b"why", handler=PROBE, more=more).event("XVMCallbackDelivered")
    assert (event["kind"], event["success"]) == (OutcomeKind.REVERTED, False)


def test_a_signer_set_hands_over_to_the_next(ledger: Ledger) -> None:
    keys = signing_keys(7, first=50)
    event = ledger.rotate(signer_set(keys, 5)).event("XVMEpochApplied")
    assert (event["epoch"], event["valid_until"]) == (2, NOW + 10**6)
    assert len(event["signer_set"]["signers"]) == 7
    asked = inbound_request(PROBE, payload(ANSWER))
    ledger.execute(asked)  # the former epoch, in its grace
    ledger.set_time(NOW + 86_401, SLOT)
    with pytest.raises(Refused, match="ExpiredEpoch"):
        ledger.execute(inbound_request(PROBE, payload(ANSWER), nonce=1, expiry=NOW + 10**6))


def test_a_stage_carries_what_no_transaction_can(ledger: Ledger) -> None:
    long = bytes(range(256)) * 8
    asked = inbound_request(PROBE, payload(ANSWER + long[:1_000], []), metadata=b"m" * 256)
    step, batch = ledger.execute_step(asked)
    ledger.certify(batch)
    sent = ledger.send_staged(step)
    assert sent.event("XVMCallConcluded")["return_data"] == long[:1_000]


def test_callback_authorities_differ_by_program() -> None:
    assert callback_authority(PROBE) != callback_authority(MEMO)
