"""Signer sets, their successors, and what their certificates certify."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from solders.account import Account
from solders.instruction import Instruction

from attestation.batch import Batch
from attestation.schemes.secp256k1 import ORDER
from attestation.signer_set import signer_set_hash
from attestation.statement import Rotate
from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    answering,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    NOW,
    PROGRAM,
    SLOT,
    Ledger,
    epoch_address,
    root_address,
    set_args,
    signer_set,
    signing_keys,
)

KEPT = 600
"""Seconds that a root serves before its payer may close it."""


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


def close_by_payer(ledger: Ledger, batch: Batch) -> None:
    places = {"payer": ledger.payer.pubkey(), "root": root_address(batch), "epoch": epoch_address(1)}
    ledger.call("close_root", places)


def test_security_a_root_serves_for_a_while_whatever_its_payer_wants(ledger: Ledger) -> None:
    """SECURITY: what other relayers have sent under it would fail, each at their expense."""
    batch = ledger.batch([b"\1" * 32])
    ledger.certify(batch)
    for seconds in (0, KEPT - 1):
        ledger.set_time(NOW + seconds, SLOT)
        with refused("RootInUse"):
            close_by_payer(ledger, batch)
    ledger.set_time(NOW + KEPT, SLOT)
    close_by_payer(ledger, batch)
    assert ledger.svm.get_account(root_address(batch)) is None


def test_security_a_root_serves_for_a_while_from_its_completion_on(ledger: Ledger) -> None:
    """SECURITY: who opens one early would close it as soon as others have completed it."""
    batch = ledger.batch([b"\1" * 32])
    ledger.certify(batch, [0])
    ledger.set_time(NOW + KEPT, SLOT)
    ledger.certify(batch, [1, 2])
    with refused("RootInUse"):
        close_by_payer(ledger, batch)
    ledger.set_time(NOW + 2 * KEPT, SLOT)
    close_by_payer(ledger, batch)


def test_security_nobody_keeps_a_payer_from_its_rent(ledger: Ledger) -> None:
    """SECURITY: neither by more signatures for what is complete nor by never completing it."""
    complete, never = ledger.batch([b"\1" * 32]), ledger.batch([b"\2" * 32])
    ledger.certify(complete)
    ledger.certify(never, [0])
    ledger.set_time(NOW + KEPT - 1, SLOT)
    ledger.certify(complete, [3])
    ledger.certify(never, [1])
    ledger.set_time(NOW + KEPT, SLOT)
    close_by_payer(ledger, complete)
    close_by_payer(ledger, never)


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
