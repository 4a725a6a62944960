"""What nobody may do to the gateway. Each test fails without the check that it is about."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.address import Chain, InteroperableAddress
from attestation.keccak import keccak256
from attestation.request import request_id
from attestation.schemes.secp256k1 import ORDER
from attestation.signer_set import signer_set_hash
from attestation.statement import Execute, OutcomeKind, Rotate
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    EVENT_AUTHORITY,
    GATEWAY,
    LOADER,
    NOW,
    PROBE,
    PROGRAM,
    REMOTE_GATEWAY,
    REMOTE_SENDER,
    SLOT,
    SOLANA,
    Ledger,
    Refused,
    address,
    callback_authority,
    epoch_address,
    inbound_address,
    inbound_request,
    keypair,
    outbound_address,
    outcome_args,
    own_account,
    payload,
    pending_address,
    request_of,
    root_address,
    set_args,
    signer_set,
    signing_keys,
    slot_address,
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


# The owner's doors


@pytest.mark.parametrize("case", ["another's program data", "another authority", "no authority", "unsigned"])
def test_security_only_the_upgrade_authority_initializes(case: str) -> None:
    """SECURITY: whoever came first would own the gateway."""
    ledger = Ledger()
    code = address(bytes(PROGRAM), program=LOADER)
    ledger.svm.airdrop(STRANGER.pubkey(), 10**9)
    if case == "another's program data":
        # deployed by the stranger, who is its authority
        account = ledger.account(code)
        forged = bytes(account.data[:13]) + bytes(STRANGER.pubkey()) + bytes(account.data[45:])
        other = keypair("other code").pubkey()
        ledger.svm.set_account(other, Account(account.lamports, forged, LOADER))
        with refused("NotUpgradeAuthority"):
            ledger.initialize(upgrade_authority=STRANGER.pubkey(), program_data=other, signers=[STRANGER])
    elif case == "another authority":
        with refused("NotUpgradeAuthority"):
            ledger.initialize(upgrade_authority=STRANGER.pubkey(), signers=[STRANGER])
    elif case == "no authority":
        account = ledger.account(code)
        frozen = bytes(account.data[:12]) + b"\0" + bytes(account.data[13:])
        ledger.svm.set_account(code, Account(account.lamports, frozen, LOADER))
        with refused("NotUpgradeAuthority"):
            ledger.initialize()
    else:
        step = idl.instruction(
            PROGRAM,
            "initialize",
            {
                "payer": ledger.payer.pubkey(),
                "config": CONFIG,
                "upgrade_authority": ledger.owner.pubkey(),
                "program_data": code,
            },
            {
                "genesis_hash": bytes(32),
                "guardian": STRANGER.pubkey(),
                "treasury": STRANGER.pubkey(),
                "max_pause_slots": 1,
            },
        )
        with refused("MissingSigner"):
            ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_nothing_is_initialized_twice(ledger: Ledger) -> None:
    """SECURITY: what stands would be overwritten."""
    with refused("AlreadyInitialized"):
        ledger.initialize()
    with refused("EpochStillValid"):
        ledger.install(ledger.set, epoch=2, former=1)
    ledger.request()
    with refused("AlreadyInitialized"):
        ledger.request()


def owner_calls(ledger: Ledger, who: Pubkey) -> list[tuple[str, dict[str, Pubkey], dict[str, Any]]]:
    """All that an owner may do."""
    office = {"owner": who}
    route = {**office, "inbound": inbound_address(REMOTE_GATEWAY), "outbound": outbound_address(b"")}
    terms = {field["name"]: 0 for field in idl.TYPES["Terms"]} | {"reserved": bytes(4)}
    return [
        ("set_inbound", route, {"source_gateway": REMOTE_GATEWAY, "is_open": True}),
        ("set_outbound", route, {"chain": b"", "destination_gateway": b"", "terms": terms}),
        ("set_offices", office, {"guardian": who, "treasury": who}),
        ("transfer_ownership", office, {"new_owner": who}),
        ("unpause", office, {"direction": 0}),
        ("set_sender_limit", office, {"slots": 1, "requests": 1}),
        (
            "install",
            {**office, "next_epoch": epoch_address(2), "former_epoch": epoch_address(1)},
            {"signer_set": set_args(ledger.set)},
        ),
    ]


@pytest.mark.parametrize("number", range(7))
def test_security_the_owner_s_calls_are_the_owner_s(ledger: Ledger, number: int) -> None:
    """SECURITY: routes and signer sets say who is believed."""
    ledger.svm.airdrop(STRANGER.pubkey(), 10**10)
    name, accounts, args = owner_calls(ledger, STRANGER.pubkey())[number]
    with refused("NotOwner"):
        ledger.call(name, accounts, args, signers=[STRANGER])
    name, accounts, args = owner_calls(ledger, ledger.owner.pubkey())[number]
    step = idl.instruction(PROGRAM, name, {**BASE, **accounts}, args)
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_ownership_moves_in_two_steps(ledger: Ledger) -> None:
    """SECURITY: only who was named may accept."""
    ledger.call(
        "transfer_ownership",
        {"owner": ledger.owner.pubkey()},
        {"new_owner": ledger.sender.pubkey()},
        signers=[ledger.owner],
    )
    with refused("NotPendingOwner"):
        ledger.call("accept_ownership", {"new_owner": STRANGER.pubkey()}, signers=[STRANGER])
    step = idl.instruction(PROGRAM, "accept_ownership", {**BASE, "new_owner": ledger.sender.pubkey()}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    ledger.call("accept_ownership", {"new_owner": ledger.sender.pubkey()}, signers=[ledger.sender])
    assert ledger.state("Config", CONFIG)["owner"] == ledger.sender.pubkey()
    with refused("NotPendingOwner"):
        ledger.call("accept_ownership", {"new_owner": ledger.sender.pubkey()}, signers=[ledger.sender])


def pause(ledger: Ledger, who: Any, direction: int = 0, slots: int = 500) -> Any:
    """Pauses."""
    return ledger.call("pause", {"authority": who.pubkey()}, {"direction": direction, "slots": slots}, signers=[who])


def test_security_a_guardian_pauses_for_a_time_and_then_rests(ledger: Ledger) -> None:
    """SECURITY: who pauses without end has taken the gateway over."""
    with refused("NotGuardian"):
        pause(ledger, STRANGER)
    with refused("PauseTooLong"):
        pause(ledger, ledger.guardian, slots=501)
    with refused("UnknownDirection"):
        pause(ledger, ledger.guardian, direction=3)
    pause(ledger, ledger.guardian)
    with refused("Paused"):
        ledger.request()
    ledger.set_time(NOW, SLOT + 999)
    with refused("GuardianRests"):
        pause(ledger, ledger.guardian)
    ledger.request()
    pause(ledger, ledger.owner)
    with refused("Paused"):
        ledger.request(1)
    ledger.call("unpause", {"owner": ledger.owner.pubkey()}, {"direction": 0}, signers=[ledger.owner])
    ledger.request(1)
    step = idl.instruction(PROGRAM, "pause", {**BASE, "authority": ledger.owner.pubkey()}, {"direction": 0, "slots": 1})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.owner.pubkey(), ledger.owner.pubkey(), signer=False))


def test_security_pauses_stop_executions_deliveries_and_callbacks(ledger: Ledger) -> None:
    """SECURITY: that is what they are for."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    pause(ledger, ledger.guardian, direction=1)
    with refused("Paused"):
        ledger.execute(answering())
    pause(ledger, ledger.guardian, direction=2)
    with refused("Paused"):
        ledger.deliver(ledger.outcome(asked), pending)
    ledger.call("unpause", {"owner": ledger.owner.pubkey()}, {"direction": 2}, signers=[ledger.owner])
    ledger.deliver(ledger.outcome(asked), pending, certified=True)
    pause(ledger, ledger.owner, direction=2)
    with refused("Paused"):
        ledger.callback(pending)


# Signer sets and certificates


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scheme": 2}, "WrongScheme"),
        ({"signers": []}, "EmptySignerSet"),
        ({"threshold": 2}, "ThresholdTooLow"),
        ({"threshold": 5}, "ThresholdTooHigh"),
        ({"grace_seconds": 0}, "ZeroGrace"),
        ({"valid_until": NOW}, "ExpiredSignerSet"),
        ({"key": b"\1" * 19}, "MalformedKey"),
        ({"key": bytes(20)}, "ZeroKey"),
        ({"key": "repeated"}, "RepeatedKey"),
        ({"weight": 0}, "ZeroWeight"),
        ({"weight": 2**64 - 1}, "WeightTooHigh"),
        ({"operators": 3}, "OperatorTooHeavy"),
        ({"count": 129}, "TooManySigners"),
    ],
)
def test_security_a_set_keeps_the_rules(change: dict[str, Any], error: str) -> None:
    """SECURITY: each rule is what keeps a quorum from being few."""
    ledger = Ledger()
    ledger.initialize()
    chosen = set_args(ledger.set)
    signers = chosen["signers"]
    if "key" in change:
        signers[3]["key"] = signers[0]["key"] if change["key"] == "repeated" else change["key"]
    elif "weight" in change:
        signers[3]["weight"] = change["weight"]
    elif "operators" in change:
        for signer in signers[: change["operators"]]:
            signer["operator"] = bytes(32)
    elif "count" in change:
        raw = idl.instruction_data("install", {"signer_set": chosen})
        data = raw[:26] + (129).to_bytes(4, "little") + raw[30:]
        places = {**BASE, "owner": ledger.owner.pubkey(), "next_epoch": epoch_address(1)}
        with refused(error):
            ledger.send(
                Instruction(PROGRAM, data, idl.instruction_accounts(PROGRAM, "install", places)), signers=[ledger.owner]
            )
        return
    else:
        chosen.update(change)
    with refused(error):
        ledger.call(
            "install",
            {"owner": ledger.owner.pubkey(), "next_epoch": epoch_address(1)},
            {"signer_set": chosen},
            signers=[ledger.owner],
        )


def test_security_a_certificate_is_what_the_signers_signed(ledger: Ledger) -> None:
    """SECURITY: forged, high, foreign and misplaced signatures, other epochs, gateways and chains."""
    batch = ledger.batch([b"\1" * 32])
    good = ledger.certificate(batch, [0, 1, 2])
    with refused("MalformedCertificate"):
        ledger.certify(batch, certificate=good[:-64])
    step = ledger.certify_step(batch, good)
    with refused("MalformedCertificate"):
        ledger.send(Instruction(PROGRAM, bytes(step.data[:60]), step.accounts))
    with refused("WrongScheme"):
        ledger.certify(batch, certificate=b"\2" + good[1:])
    with refused("OtherChain"):
        ledger.certify(batch, certificate=good[:9] + b"abcd" + good[13:])
    with refused("OtherGateway"):
        ledger.certify(batch, certificate=good[:13] + b"abcd" + good[17:])
    with refused("UnknownEpoch"):
        ledger.certify(batch, certificate=good[:1] + (2).to_bytes(8, "big") + good[9:])
    with refused("UnknownSigner"):
        ledger.certify(batch, certificate=good[:17] + (0b10011).to_bytes(32, "big") + good[49:])
    with refused("HighS"):
        ledger.certify(batch, certificate=good[:-32] + (ORDER // 2 + 1).to_bytes(32, "big"))
    with refused("ForgedSignature"):
        ledger.certify(batch, certificate=good[:-64] + good[49:113])
    with refused("ForgedSignature"):
        ledger.certify(batch, certificate=good[:-64] + bytes(64))
    other = ledger.batch([b"\2" * 32])
    with refused("ForgedSignature"):
        ledger.certify(other, certificate=good)


@pytest.mark.parametrize(
    ("root", "count", "error"),
    [(bytes(32), 1, "ZeroRoot"), (b"\1" * 32, 0, "EmptyBatch"), (b"\1" * 32, 257, "BatchTooLong")],
)
def test_security_an_empty_batch_certifies_nothing(ledger: Ledger, root: bytes, count: int, error: str) -> None:
    """SECURITY: it is what uninitialised memory looks like."""
    batch = ledger.batch([b"\1" * 32])
    step = ledger.certify_step(batch, ledger.certificate(batch, [0]))
    data = bytes(step.data[:1]) + root + count.to_bytes(2, "little") + bytes(step.data[35:])
    with refused(error):
        ledger.send(Instruction(PROGRAM, data, step.accounts))


def test_security_a_quorum_counts_each_signer_once(ledger: Ledger) -> None:
    """SECURITY: one signature, brought three times, is no quorum; and brought first it stops nobody."""
    asked = answering()
    step, batch = ledger.execute_step(asked)
    for _ in range(3):
        ledger.certify(batch, [0])
    with refused("BelowThreshold"):
        ledger.send(step)
    ledger.certify(batch, [0, 1])
    with refused("BelowThreshold"):
        ledger.send(step)
    ledger.certify(batch, [0, 3])
    ledger.send(step)


def test_security_a_lapsed_epoch_verifies_nothing(ledger: Ledger) -> None:
    """SECURITY: its keys may be thrown away; neither new certificates nor roots that stand serve."""
    asked = answering(expiry=NOW + 10**7)
    step, batch = ledger.execute_step(asked)
    ledger.certify(batch)
    ledger.set_time(NOW + 10**6 + 1, SLOT)
    with refused("ExpiredEpoch"):
        ledger.send(step)
    with refused("ExpiredEpoch"):
        ledger.certify(ledger.batch([b"\1" * 32]))
    ledger.install(signer_set(ledger.keys, 3, NOW + 10**7), epoch=2, former=1)
    with refused("UnknownEpoch"):
        ledger.send(swap(step, epoch_address(1), epoch_address(2)))


def test_security_only_the_newest_epoch_hands_over_and_only_to_what_it_certified(ledger: Ledger) -> None:
    """SECURITY: a second successor would be a fork of the set."""
    chosen = signer_set(signing_keys(5, first=70), 4)
    batch = ledger.batch([Rotate(signer_set_hash(chosen), 2).leaf])
    ledger.certify(batch)
    places = {
        "payer": ledger.payer.pubkey(),
        "former_epoch": epoch_address(1),
        "next_epoch": epoch_address(2),
        "root": root_address(batch),
    }
    other = signer_set(signing_keys(5, first=80), 4)
    with refused("NotInBatch"):
        ledger.call("rotate", places, {"signer_set": set_args(other)})
    ledger.call("rotate", places, {"signer_set": set_args(chosen)})
    later = ledger.batch([Rotate(signer_set_hash(other), 3).leaf])
    ledger.certify(later)
    with refused("NotCurrentEpoch"):
        ledger.call(
            "rotate",
            {**places, "next_epoch": epoch_address(3), "root": root_address(later)},
            {"signer_set": set_args(other)},
        )


def test_security_the_owner_installs_after_the_newest_epoch_alone(ledger: Ledger) -> None:
    """SECURITY: an older one that has lapsed says nothing about whether signers answer."""
    ledger.rotate(signer_set(signing_keys(5, first=70), 4))
    ledger.set_time(NOW + 86_401, SLOT)
    with refused("NotCurrentEpoch"):
        ledger.install(ledger.set, epoch=3, former=1)
    with refused("EpochStillValid"):
        ledger.install(ledger.set, epoch=3, former=2)


def test_security_signatures_count_for_their_own_batch(ledger: Ledger) -> None:
    """SECURITY: brought to another batch's root they would complete that one."""
    target, other = ledger.batch([b"\1" * 32]), ledger.batch([b"\2" * 32])
    ledger.certify(target, [0])
    with refused("WrongAddress"):
        ledger.certify(other, [1, 2], root=root_address(target))


def test_security_a_rotation_is_a_batch_of_its_own(ledger: Ledger) -> None:
    """SECURITY: a count that is signed for something else names another batch."""
    chosen = signer_set(signing_keys(5, first=70), 4)
    leaf = Rotate(signer_set_hash(chosen), 2).leaf
    batch = replace(ledger.batch([leaf]), count=2)
    ledger.certify(batch)
    places = {
        "payer": ledger.payer.pubkey(),
        "former_epoch": epoch_address(1),
        "next_epoch": epoch_address(2),
        "root": root_address(batch),
    }
    with refused("NotInBatch"):
        ledger.call("rotate", places, {"signer_set": set_args(chosen)})


def test_security_a_root_s_rent_is_its_payer_s(ledger: Ledger) -> None:
    """SECURITY: and others may count on the root while it serves."""
    batch = ledger.batch([b"\1" * 32])
    ledger.certify(batch)
    root = root_address(batch)
    places = {"payer": ledger.payer.pubkey(), "root": root, "epoch": epoch_address(1)}
    with refused("WrongAddress"):
        ledger.call("close_root", {**places, "payer": ledger.sender.pubkey()})
    ledger.svm.set_account(
        root,
        Account(
            ledger.balance(root),
            bytes(ledger.account(root).data).replace(bytes(ledger.payer.pubkey()), bytes(ledger.sender.pubkey())),
            PROGRAM,
        ),
    )
    with refused("RootInUse"):
        ledger.call("close_root", {**places, "payer": ledger.sender.pubkey()})
    ledger.set_time(NOW + 10**6 + 1, SLOT)
    before = ledger.balance(ledger.sender.pubkey())
    rent = ledger.balance(root)
    ledger.call("close_root", {**places, "payer": ledger.sender.pubkey()})
    assert ledger.balance(ledger.sender.pubkey()) == before + rent
    assert ledger.svm.get_account(root) is None


def test_security_a_root_is_closed_by_its_own_epoch_s_end(ledger: Ledger) -> None:
    """SECURITY: another epoch's end says nothing about whether it serves."""
    chosen = signer_set(signing_keys(5, first=70), 4)
    ledger.rotate(chosen)
    ledger.keys = signing_keys(5, first=70)
    batch = ledger.batch([b"\1" * 32], epoch=2)
    ledger.certify(batch, [0, 1, 2, 3], payer=ledger.payer.pubkey())
    ledger.set_time(NOW + 86_401, SLOT)
    places = {"payer": ledger.payer.pubkey(), "root": root_address(batch), "epoch": epoch_address(1)}
    with refused("UnknownEpoch"):
        ledger.call("close_root", places)


# Accounts that are not what they are shown as


FORGED = {
    "config": CONFIG,
    "epoch": epoch_address(1),
    "inbound": inbound_address(REMOTE_GATEWAY),
}


@pytest.mark.parametrize("name", ["config", "epoch", "root", "inbound"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type", "short"])
def test_security_execute_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: another's account, another address, another type, one that ends early."""
    step, batch = ledger.execute_step(answering())
    ledger.certify(batch)
    key = {**FORGED, "root": root_address(batch)}[name]
    data = bytes(ledger.account(key).data)
    made = {
        "owner": lambda: (clone(ledger, key, "forged", PROBE), "WrongOwner"),
        "address": lambda: (clone(ledger, key, "forged"), "WrongAddress"),
        "type": lambda: (clone(ledger, key, "forged", data=bytes(8) + data[8:]), "WrongDiscriminator"),
        "short": lambda: (clone(ledger, key, "forged", data=data[:40]), "WrongDiscriminator"),
    }[forgery]
    forged, error = made()
    with refused(error):
        ledger.send(swap(step, key, forged))


@pytest.mark.parametrize("name", ["pending", "root", "epoch", "config"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type"])
def test_security_deliver_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: likewise."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    outcome = ledger.outcome(asked)
    batch = ledger.batch([outcome.leaf])
    ledger.certify(batch)
    key = {**FORGED, "root": root_address(batch), "pending": pending}[name]
    data = bytes(ledger.account(key).data)
    forged = clone(
        ledger,
        key,
        "forged",
        PROBE if forgery == "owner" else PROGRAM,
        bytes(8) + data[8:] if forgery == "type" else None,
    )
    error = {"owner": "WrongOwner", "address": "WrongAddress", "type": "WrongDiscriminator"}[forgery]
    with refused(error):
        if name == "pending":
            ledger.deliver(outcome, forged, certified=True)
        else:
            ledger.deliver(outcome, pending, certified=True, **{name: forged})


@pytest.mark.parametrize("name", ["outbound", "sender_state", "config"])
@pytest.mark.parametrize("forgery", ["owner", "address", "type"])
def test_security_request_believes_only_the_gateway_s_own_accounts(ledger: Ledger, name: str, forgery: str) -> None:
    """SECURITY: likewise; another chain's terms, or another sender's nonces, are none of this request's."""
    ledger.request()
    args, accounts = ledger.request_parts(1)
    key = {**accounts, "config": CONFIG}[name]
    data = bytes(ledger.account(key).data)
    forged = clone(
        ledger,
        key,
        "forged",
        PROBE if forgery == "owner" else PROGRAM,
        bytes(8) + data[8:] if forgery == "type" else None,
    )
    errors = {"owner": "WrongOwner", "address": "WrongAddress", "type": "WrongDiscriminator"}
    if name == "sender_state":
        errors["owner"] = "AlreadyInitialized"
    with refused(errors[forgery]):
        ledger.call("request", {**accounts, name: forged}, args, signers=[ledger.sender])


def test_security_another_chain_s_terms_are_not_taken(ledger: Ledger) -> None:
    """SECURITY: its gateway would be this request's."""
    other = Chain.evm(31338).to_bytes()
    args = {"chain": other, "destination_gateway": REMOTE_GATEWAY, "terms": ledger_terms(ledger)}
    ledger.call(
        "set_outbound",
        {"owner": ledger.owner.pubkey(), "outbound": outbound_address(other)},
        args,
        signers=[ledger.owner],
    )
    asked, accounts = ledger.request_parts()
    with refused("WrongAddress"):
        ledger.call("request", {**accounts, "outbound": outbound_address(other)}, asked, signers=[ledger.sender])


def ledger_terms(ledger: Ledger) -> dict[str, Any]:
    """The terms as they stand."""
    terms: dict[str, Any] = ledger.state("Outbound", outbound_address(Chain.evm(31337).to_bytes()))["terms"]
    return terms


def test_security_an_account_does_not_stand_at_two_places(ledger: Ledger) -> None:
    """SECURITY: it would be changed as two."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    with refused("DuplicateAccount"):
        ledger.deliver(ledger.outcome(asked), pending, credit=pending)


def test_security_signers_and_writable_accounts_are_asked_for(ledger: Ledger) -> None:
    """SECURITY: a request is its sender's; what changes is declared."""
    args, accounts = ledger.request_parts()
    step = idl.instruction(PROGRAM, "request", {**BASE, **accounts}, args)
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    with refused("NotWritable"):
        ledger.send(swap(step, accounts["pending"], accounts["pending"], writable=False), signers=[ledger.sender])
    ledger.request()
    args, accounts = ledger.request_parts(1)
    step = idl.instruction(PROGRAM, "request", {**BASE, **accounts}, args)
    with refused("NotWritable"):
        ledger.send(
            swap(step, accounts["sender_state"], accounts["sender_state"], writable=False), signers=[ledger.sender]
        )


def test_security_an_event_is_told_by_the_gateway_alone(ledger: Ledger) -> None:
    """SECURITY: anybody may call the program with an event's data."""
    data = idl.EVENT_TAG + bytes(8)
    with refused("MissingSigner"):
        ledger.send(Instruction(PROGRAM, data, [AccountMeta(EVENT_AUTHORITY, is_signer=False, is_writable=False)]))
    with refused("WrongAddress"):
        ledger.send(
            Instruction(PROGRAM, data, [AccountMeta(STRANGER.pubkey(), is_signer=True, is_writable=False)]),
            signers=[STRANGER],
        )
    with refused("MissingAccounts"):
        ledger.send(Instruction(PROGRAM, data, []))


# Requests to here


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


def meta(key: Pubkey, *, signer: bool = False, writable: bool = False) -> AccountMeta:
    """One account."""
    return AccountMeta(key, is_signer=signer, is_writable=writable)


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


# Requests from here


def delivered(ledger: Ledger, data: bytes = b"") -> tuple[Any, Pubkey]:
    """A request whose outcome has been recorded."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    ledger.deliver(ledger.outcome(asked, data=data), pending)
    return asked, pending


def test_security_an_outcome_is_certified_and_its_request_s_and_comes_once(ledger: Ledger) -> None:
    """SECURITY: or anybody could say what came of a request, or be paid twice."""
    _, first = ledger.request()
    _, second = ledger.request(1)
    one, two = (pending_address(ledger.sender.pubkey(), salt) for salt in (0, 1))
    outcome = ledger.outcome(first)
    with refused("OtherRequest"):
        ledger.deliver(outcome, two)
    batch = ledger.batch([outcome.leaf])
    other = ledger.outcome(second)
    with refused("NotInBatch"):
        ledger.deliver(other, two, certified=True, root=root_address(batch))
    ledger.deliver(outcome, one, certified=True)
    with refused("NotPending"):
        ledger.deliver(outcome, one, certified=True)


def test_security_an_outcome_is_of_a_kind_that_there_is(ledger: Ledger) -> None:
    """SECURITY: what nobody knows is not recorded, whoever signed it; nor is a credit what stands in its place."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    outcome = ledger.outcome(asked)
    credit = address(b"credit", outcome.payee)
    ledger.svm.set_account(credit, Account(10**9, bytes(48), PROGRAM))
    with refused("WrongDiscriminator"):
        ledger.deliver(outcome, pending)
    object.__setattr__(outcome, "kind", 5)
    with refused("MalformedInstruction"):
        ledger.deliver(outcome, pending)


def test_security_a_payee_is_paid_at_its_own_credit(ledger: Ledger) -> None:
    """SECURITY: whoever delivers would name itself; and the credit is its beneficiary's to withdraw."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    payee = ledger.treasury.pubkey()
    mine, theirs = (address(b"credit", bytes(key)) for key in (STRANGER.pubkey(), payee))
    for beneficiary, credit in ((STRANGER.pubkey(), mine), (payee, theirs)):
        ledger.call("open_credit", {"payer": ledger.payer.pubkey(), "beneficiary": beneficiary, "credit": credit})
    outcome = ledger.outcome(asked, payee=bytes(payee))
    with refused("WrongAddress"):
        ledger.deliver(outcome, pending, credit=mine)
    ledger.deliver(outcome, pending, certified=True)
    rent = ledger.svm.minimum_balance_for_rent_exemption(idl.account_length("Credit"))
    assert ledger.balance(theirs) == rent + 600_160
    with refused("NotRequester"):
        ledger.call("withdraw", {"beneficiary": STRANGER.pubkey(), "credit": theirs}, signers=[STRANGER])
    step = idl.instruction(PROGRAM, "withdraw", {"beneficiary": payee, "credit": theirs}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, payee, payee, signer=False))
    forged = clone(ledger, theirs, "forged credit")
    with refused("WrongAddress"):
        ledger.call("withdraw", {"beneficiary": payee, "credit": forged}, signers=[ledger.treasury])
    before = ledger.balance(payee)
    ledger.call("withdraw", {"beneficiary": payee, "credit": theirs}, signers=[ledger.treasury])
    assert (ledger.balance(payee), ledger.balance(theirs)) == (before + 600_160, rent)


def test_security_what_is_collected_goes_to_the_treasury(ledger: Ledger) -> None:
    """SECURITY: anybody may call."""
    delivered(ledger)
    places = {"epoch": epoch_address(1), "treasury": STRANGER.pubkey()}
    with refused("WrongAddress"):
        ledger.call("collect", places)
    before = ledger.balance(ledger.treasury.pubkey())
    ledger.call("collect", {**places, "treasury": ledger.treasury.pubkey()})
    assert ledger.balance(ledger.treasury.pubkey()) == before + 600_160 + 30_000
    ledger.call("collect", {**places, "treasury": ledger.treasury.pubkey()})
    assert ledger.balance(ledger.treasury.pubkey()) == before + 630_160


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


def test_security_cancel_is_the_requester_s_after_deadline_and_expiry(ledger: Ledger) -> None:
    """SECURITY: or it could be executed and cancelled, or a deliverer would go unpaid."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"sender": ledger.sender.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}

    def cancel(who: Any = ledger.sender, **changes: Pubkey) -> Any:
        return ledger.call("cancel", {**places, **changes}, signers=[who])

    with refused("DeadlineNotOver"):
        cancel()
    ledger.set_time(NOW, SLOT + 2_001)
    with refused("ExpiryNotOver"):
        cancel()
    ledger.set_time(asked.expiry + 300, SLOT + 2_001)
    with refused("ExpiryNotOver"):
        cancel()
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    with refused("NotRequester"):
        cancel(STRANGER, sender=STRANGER.pubkey())
    with refused("WrongAddress"):
        cancel(refund=STRANGER.pubkey())
    step = idl.instruction(PROGRAM, "cancel", {**BASE, **places}, {})
    with refused("MissingSigner"):
        ledger.send(swap(step, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    assert cancel().event("XVMCancelled")["returned"] == 35_000
    with refused("NotPending"):
        cancel()
    with refused("TooEarlyToReclaim"):
        ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey()})
    # a later certificate pays the payee, and ends it
    event = ledger.deliver(ledger.outcome(asked), pending).event("XVMOutcomeRecorded")
    assert event["was_cancelled"] is True
    with refused("NotDelivered"):
        ledger.callback(pending)
    with refused("WrongAddress"):
        ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey(), "refund": STRANGER.pubkey()})
    ledger.call("reclaim", {**places, "payer": ledger.payer.pubkey()})
    assert ledger.svm.get_account(pending) is None


def test_security_a_deadline_stands_still_while_callbacks_are_paused(ledger: Ledger) -> None:
    """SECURITY: or a pause would let requesters take back what deliverers have earned."""
    ledger.request(options={"mode": 1})
    pending = pending_address(ledger.sender.pubkey(), 0)
    pause(ledger, ledger.guardian, direction=2)
    places = {"sender": ledger.sender.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}
    ledger.set_time(NOW, SLOT + 2_500)
    with refused("DeadlineNotOver"):
        ledger.call("cancel", places, signers=[ledger.sender])
    ledger.set_time(NOW, SLOT + 2_501)
    ledger.call("cancel", places, signers=[ledger.sender])


def test_security_reclaim_waits_for_who_may_have_earned(ledger: Ledger) -> None:
    """SECURITY: a pending request cannot be reclaimed; one whose handler fails, after 7 days."""
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"payer": ledger.payer.pubkey(), "pending": pending, "refund": ledger.payer.pubkey()}
    ledger.set_time(NOW + 30 * 86_400, SLOT)
    with refused("NotPending"):
        ledger.call("reclaim", places)
    ledger.set_time(NOW, SLOT)
    ledger.deliver(ledger.outcome(asked), pending)
    ledger.set_time(NOW + 7 * 86_400 - 1, SLOT)
    with refused("TooEarlyToReclaim"):
        ledger.call("reclaim", places)
    ledger.set_time(NOW + 7 * 86_400, SLOT)
    ledger.call("reclaim", places)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"options": {"dispute_blocks": 1}}, "DisputesUnsupported"),
        ({"options": {"mode": 1, "ordered": True}}, "UnsupportedMode"),
        ({"options": {"mode": 2}}, "UnsupportedMode"),
        ({"options": {"mode": 1, "expiry": NOW + 100}}, "OutOfBounds"),
        ({"options": {"mode": 1, "own_account": True}}, "UnsupportedMode"),
        ({"options": {"execution_gas_limit": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"callback_gas_limit": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"return_limit": 2**32 - 1}}, "OutOfBounds"),
        ({"options": {"expiry": NOW + 59}}, "OutOfBounds"),
        ({"options": {"expiry": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"deadline_slots": 2**64 - 1}}, "OutOfBounds"),
        ({"options": {"deadline_slots": 1_999}}, "OutOfBounds"),
        ({"options": {"metadata": b"m" * 257}}, "OutOfBounds"),
        ({"target": b""}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\xff\1"}, "MalformedAddress"),
        ({"target": REMOTE_GATEWAY + b"\0"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\xff" + bytes(255) + b"\1\1"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\x3b" + bytes(59) + b"\1\1"}, "MalformedAddress"),
        ({"target": b"\0\1\0\0\x3a" + bytes(58) + b"\1\1"}, "WrongAddress"),
        ({"target": b"\0\2" + REMOTE_GATEWAY[2:]}, "MalformedAddress"),
        ({"target": REMOTE_GATEWAY[:7] + b"\x13" + b"\1" * 19}, "MalformedAddress"),
        ({"max_fee": 1}, "FeeTooHigh"),
    ],
)
def test_security_what_is_out_of_bounds_is_refused(ledger: Ledger, change: dict[str, Any], error: str) -> None:
    """SECURITY: every option at its edge, in 64 bits."""
    with refused(error):
        ledger.request(**change)


def test_security_a_closed_route_takes_nothing(ledger: Ledger) -> None:
    """SECURITY: nor one without a gateway, or without queries."""
    ledger.set_outbound(is_open=False)
    with refused("Paused"):
        ledger.request()
    ledger.set_outbound(takes_queries=False)
    with refused("UnsupportedMode"):
        ledger.request(options={"mode": 1})
    ledger.set_outbound(max_payload_bytes=3)
    with refused("OutOfBounds"):
        ledger.request()
    ledger.set_outbound()
    chain = Chain.evm(31337).to_bytes()
    args = {"chain": chain, "destination_gateway": b"", "terms": ledger_terms(ledger)}
    places = {"owner": ledger.owner.pubkey(), "outbound": outbound_address(chain)}
    ledger.call("set_outbound", places, args, signers=[ledger.owner])
    with refused("UnsupportedMode"):
        ledger.request()


def test_security_a_nonce_never_comes_again(ledger: Ledger) -> None:
    """SECURITY: an id would come again with it."""
    ledger.request()
    key = address(b"sender", bytes(ledger.sender.pubkey()))
    account = ledger.account(key)
    data = bytes(account.data[:40]) + b"\xff" * 8 + bytes(account.data[48:])
    ledger.svm.set_account(key, Account(account.lamports, data, PROGRAM))
    with refused("NonceExhausted"):
        ledger.request(1)


@pytest.mark.parametrize(
    "change",
    [
        {"max_execution_gas": 2**24 + 1},
        {"execution_price": 2**38 + 1},
        {"callback_price": 2**64 - 1},
        {"delivery_lamports": 2**56 + 1},
        {"signers_lamports": 2**64 - 1},
        {"expire_bps": 10_001},
        {"max_payload_bytes": 8_193},
        {"max_return_bytes": 8_193},
        {"deadline_slots": 99},
        {"deadline_slots": 100_001},
        {"min_expiry_seconds": 601},
        {"max_expiry_seconds": 599},
        {"execution_gas_per_byte": 1_025},
        {"execution_overhead_gas": 2**64 - 1},
        {"max_deadline_slots": 2**64 - 1},
    ],
)
def test_security_terms_keep_every_quote_within_64_bits(ledger: Ledger, change: dict[str, int]) -> None:
    """SECURITY: a product that wraps is a fee of nothing."""
    with refused("InvalidTerms"):
        ledger.set_outbound(**change)


def test_a_fee_that_is_added_is_split_as_the_fee_was(ledger: Ledger) -> None:
    ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    places = {"payer": ledger.payer.pubkey(), "pending": pending}
    event = ledger.call("add_fee", places, {"amount": 1_000_000}).event("XVMFeeAdded")
    state = ledger.state("Pending", pending)
    assert event["fee"] == 600_160 + 15_000 + 50_000 + 1_000_000
    assert state["execution_lamports"] == 600_160 + 1_000_000 * 600_160 // 615_160
    assert state["execution_lamports"] + state["callback_lamports"] == 615_160 + 1_000_000
    with refused("OutOfBounds"):
        ledger.call("add_fee", places, {"amount": 0})
    delivered_request = ledger.request(1)[1]
    other = pending_address(ledger.sender.pubkey(), 1)
    ledger.deliver(ledger.outcome(delivered_request), other)
    with refused("NotPending"):
        ledger.call("add_fee", {**places, "pending": other}, {"amount": 1})


def test_an_expired_request_gives_back_most_of_its_execution_share(ledger: Ledger) -> None:
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    ledger.deliver(ledger.outcome(asked, OutcomeKind.EXPIRED), pending)
    assert ledger.state("Config", CONFIG)["treasury_lamports"] == 60_016
    event = ledger.callback(pending).event("XVMCallbackDelivered")
    assert event["success"] is False


@pytest.mark.parametrize(("word", "success"), [(b"\0", True), (b"\1", False)])
def test_a_duplicate_tells_success_if_what_ran_did(ledger: Ledger, word: bytes, *, success: bool) -> None:
    _, asked = ledger.request()
    pending = pending_address(ledger.sender.pubkey(), 0)
    data = word + bytes(31)
    ledger.deliver(ledger.outcome(asked, OutcomeKind.DUPLICATE, data), pending)
    assert ledger.callback(pending, data).event("XVMCallbackDelivered")["success"] is success


# Limits, order, retries


def test_security_a_sender_asks_so_often_in_a_window(ledger: Ledger) -> None:
    """SECURITY: signers look at all that is asked: one sender must not keep them from everybody else's."""
    ledger.call(
        "set_sender_limit", {"owner": ledger.owner.pubkey()}, {"slots": 100, "requests": 2}, signers=[ledger.owner]
    )
    ledger.request(0)
    ledger.request(1)
    with refused("SenderLimit"):
        ledger.request(2)
    ledger.set_time(NOW, SLOT + 100)
    _, asked = ledger.request(2)
    assert asked.nonce == 2


def ask_ordered(ledger: Ledger, salt: int, expiry: int = 0, **accounts: Pubkey) -> Any:
    """An ordered request."""
    args, places = ledger.request_parts(salt, options={"ordered": True, "expiry": expiry})
    places["ordered"] = ordered_address(ledger.sender.pubkey())
    return ledger.call("request", {**places, **accounts}, args, signers=[ledger.sender]).event("XVMCallRequested")


def ordered_address(sender: Pubkey) -> Pubkey:
    """Where the sender's last ordered request on the remote route stands."""
    return address(b"ordered", bytes(sender), keccak256(GATEWAY + REMOTE_GATEWAY))


def test_security_an_ordered_request_runs_after_the_last_and_expires_no_sooner(ledger: Ledger) -> None:
    """SECURITY: if it expired first it could run although the last one still might."""
    first = ask_ordered(ledger, 0, NOW + 1_000)
    assert first["request"]["ordered_after"] == bytes(31) + b"\1"
    with refused("ExpiryBeforePredecessor"):
        ask_ordered(ledger, 1, NOW + 999)
    second = ask_ordered(ledger, 1)
    assert second["request"]["ordered_after"] == first["request_id"]
    assert second["request"]["expiry"] == NOW + 1_000
    third = ask_ordered(ledger, 2, NOW + 1_001)
    assert third["request"]["ordered_after"] == second["request_id"]
    assert ledger.state("Ordered", ordered_address(ledger.sender.pubkey()))["expiry"] == NOW + 1_001


@pytest.mark.parametrize("forgery", ["owner", "address", "type", "another sender's"])
def test_security_an_order_stands_at_its_one_address(ledger: Ledger, forgery: str) -> None:
    """SECURITY: a request would run after nothing, or after another's."""
    ask_ordered(ledger, 0)
    key = ordered_address(ledger.sender.pubkey())
    data = bytes(ledger.account(key).data)
    if forgery == "another sender's":
        with refused("WrongAddress"):
            ask_ordered(ledger, 1, ordered=ordered_address(STRANGER.pubkey()))
        return
    owner = PROBE if forgery == "owner" else PROGRAM
    forged = clone(ledger, key, "forged", owner, bytes(8) + data[8:] if forgery == "type" else None)
    with refused({"owner": "AlreadyInitialized", "address": "WrongAddress", "type": "WrongDiscriminator"}[forgery]):
        ask_ordered(ledger, 1, ordered=forged)


def cancelled(ledger: Ledger) -> Any:
    """A request that has been given up."""
    _, asked = ledger.request()
    ledger.set_time(asked.expiry + 301, SLOT + 2_001)
    places = {
        "sender": ledger.sender.pubkey(),
        "pending": pending_address(ledger.sender.pubkey(), 0),
        "refund": ledger.payer.pubkey(),
    }
    ledger.call("cancel", places, signers=[ledger.sender])
    return asked


def retry(ledger: Ledger, earlier: Any, salt: int = 1, earlier_salt: int = 0, **changes: Any) -> Any:
    """Asks again."""
    options = {"execution_gas_limit": earlier.execution_gas_limit, **changes.pop("options", {})}
    sender = changes.pop("sender", ledger.sender)
    args, places = ledger.request_parts(salt, sender=sender.pubkey(), options=options, **changes)
    attempt = {"nonce": earlier.nonce, "expiry": earlier.expiry, "origin": earlier.origin.to_bytes(32, "big")}
    places["earlier"] = pending_address(ledger.sender.pubkey(), earlier_salt)
    sent = ledger.call("retry", places, {"attempt": attempt, **args}, signers=[sender])
    return request_of(sent.event("XVMCallRequested")["request"])


def test_a_retry_names_the_first_attempt(ledger: Ledger) -> None:
    first = cancelled(ledger)
    second = retry(ledger, first)
    assert second.origin == int.from_bytes(request_id(first), "big")
    assert replace(second, nonce=first.nonce, expiry=first.expiry, origin=0) == first
    ledger.set_time(second.expiry + 301, SLOT + 5_000)
    places = {"pending": pending_address(ledger.sender.pubkey(), 1), "refund": ledger.payer.pubkey()}
    ledger.call("cancel", {**places, "sender": ledger.sender.pubkey()}, signers=[ledger.sender])
    third = retry(ledger, second, salt=2, earlier_salt=1)
    assert third.origin == second.origin


def test_security_a_retry_is_the_same_request_again_and_its_requester_s(ledger: Ledger) -> None:
    """SECURITY: another call, another gateway or another sender's would run as well as the earlier attempt."""
    _, open_request = ledger.request(7)
    with refused("NotCancelled"):
        retry(ledger, open_request, earlier_salt=7)
    first = cancelled(ledger)
    for changes in (
        {"payload": b"other"},
        {"options": {"execution_gas_limit": 1}},
        {"options": {"metadata": b"x"}},
        {"options": {"own_account": True}},
        {"options": {"mode": 1}},
        {"options": {"ordered": True}},
    ):
        with refused("OtherRequest"):
            retry(ledger, first, **changes)
    with refused("OtherRequest"):
        retry(ledger, replace(first, nonce=5))
    with refused("NotRequester"):
        retry(ledger, first, sender=STRANGER)
    moved = Chain.evm(31337).to_bytes()
    args = {"chain": moved, "destination_gateway": REMOTE_SENDER, "terms": ledger_terms(ledger)}
    ledger.call(
        "set_outbound",
        {"owner": ledger.owner.pubkey(), "outbound": outbound_address(moved)},
        args,
        signers=[ledger.owner],
    )
    with refused("OtherRequest"):
        retry(ledger, first)


# What the runtime would refuse as well, and less plainly


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


# Stages


def test_security_a_stage_is_its_authority_s_words(ledger: Ledger) -> None:
    """SECURITY: what a wallet signs for must not be another's; nothing is written past its end."""
    key = ledger.make_stage(64).pubkey()
    places = {"stage": key, "authority": STRANGER.pubkey()}
    for name, args in (("append", {"offset": 0, "piece": b"x"}), ("close_stage", {}), ("use_stage", {})):
        with refused("NotStageAuthority"):
            ledger.call(name, places, args, signers=[STRANGER])
        unsigned = idl.instruction(PROGRAM, name, {"stage": key, "authority": ledger.sender.pubkey()}, args)
        with refused("MissingSigner"):
            ledger.send(swap(unsigned, ledger.sender.pubkey(), ledger.sender.pubkey(), signer=False))
    mine = {"stage": key, "authority": ledger.payer.pubkey()}
    for offset, piece in ((0, bytes(65)), (64, b"x"), (2**32 - 1, b"x")):
        with refused("StageTooShort"):
            ledger.call("append", mine, {"offset": offset, "piece": piece})
    with refused("AlreadyInitialized"):
        ledger.call("stage", mine)
    with refused("AlreadyInitialized"):
        ledger.call("stage", {"stage": epoch_address(1), "authority": ledger.payer.pubkey()})
    foreign = clone(ledger, key, "foreign", PROBE)
    for name in ("stage", "close_stage"):
        with refused("WrongOwner"):
            ledger.call(name, {**mine, "stage": foreign})
    with refused("WrongDiscriminator"):
        ledger.call("append", {**mine, "stage": epoch_address(1)}, {"offset": 0, "piece": b"x"})


def test_security_a_stage_is_no_account_of_what_it_stages(ledger: Ledger) -> None:
    """SECURITY: the data would change while it is read."""
    asked = answering()
    step, batch = ledger.execute_step(asked)
    ledger.certify(batch)
    key = ledger.make_stage(len(step.data)).pubkey()
    ledger.fill_stage(key, bytes(step.data))
    own = swap(step, CONFIG, key)
    places = {"stage": key, "authority": ledger.payer.pubkey()}
    with refused("DuplicateAccount"):
        ledger.send(idl.instruction(PROGRAM, "use_stage", places, {}, more=list(own.accounts)))


def test_a_stage_s_lamports_come_back(ledger: Ledger) -> None:
    before = ledger.balance(ledger.payer.pubkey())
    key = ledger.make_stage(5_000).pubkey()
    places = {"stage": key, "authority": ledger.payer.pubkey()}
    ledger.call("close_stage", places)
    assert ledger.svm.get_account(key) is None
    assert ledger.balance(ledger.payer.pubkey()) == before - 3 * 5_000


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff", b"\x1c", bytes([22]), bytes([13]) + bytes(7)])
def test_security_data_that_is_no_instruction_is_refused(ledger: Ledger, data: bytes) -> None:
    """SECURITY: nothing is guessed."""
    metas = [meta(key) for key in (ledger.sender.pubkey(), CONFIG, EVENT_AUTHORITY, PROGRAM)]
    with pytest.raises(Refused, match=r"Malformed|Missing|Wrong"):
        ledger.send(Instruction(PROGRAM, data, metas))


def test_security_bytes_behind_an_instruction_are_refused(ledger: Ledger) -> None:
    """SECURITY: a wallet would sign for what means nothing here."""
    args, accounts = ledger.request_parts()
    with refused("MalformedInstruction"):
        ledger.call("request", accounts, args, tail=b"\0", signers=[ledger.sender])
    outcome = ledger.outcome(answering())
    batch = ledger.batch([outcome.leaf])
    places = {
        "payer": ledger.payer.pubkey(),
        "epoch": epoch_address(1),
        "root": root_address(batch),
        "pending": batch_less(ledger),
        "credit": address(b"credit", bytes(32)),
    }
    with refused("MalformedInstruction"):
        ledger.call("deliver", places, {"outcome": outcome_args(outcome), "path": []}, tail=b"\0")
    with refused("NotInBatch"):
        ledger.call("deliver", places, {"outcome": outcome_args(outcome), "path": [bytes(32)] * 9})
    step = idl.instruction(PROGRAM, "deliver", {**BASE, **places}, {"outcome": outcome_args(outcome), "path": []})
    with refused("MalformedInstruction"):
        ledger.send(Instruction(PROGRAM, bytes(step.data[:-4]) + b"\2\0\0\0" + bytes(33), step.accounts))


def batch_less(ledger: Ledger) -> Pubkey:
    """Where a request waits."""
    ledger.request()
    return pending_address(ledger.sender.pubkey(), 0)


def test_security_no_two_sets_of_seeds_run_together() -> None:
    """SECURITY: addresses are made of seeds run together; none of our first seeds begins another."""
    text = (idl.FOLDER / "src" / "layouts.h").read_text()
    seeds = [line.split('"')[1] for line in text.splitlines() if "_SEED " in line and "CLIENT_SEED" not in line]
    assert len(seeds) == 13
    assert not [(one, other) for one in seeds for other in seeds if one != other and other.startswith(one)]


def test_a_leaf_is_an_execute_statement(ledger: Ledger) -> None:
    asked = answering()
    assert Execute(request_id(asked), 7, b"\xb0" * 32, 3, 1).leaf == ledger.execute_step(asked)[1].root
    assert GATEWAY[-32:] == bytes(PROGRAM)
