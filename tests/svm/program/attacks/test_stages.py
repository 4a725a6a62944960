"""Stages, and data that is no instruction."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.request import request_id
from attestation.statement import Execute
from tests.svm.program import idl
from tests.svm.program.attacks.attacker import (
    STRANGER,
    answering,
    clone,
    meta,
    refused,
    swap,
)
from tests.svm.program.ledger import (
    BASE,
    CONFIG,
    EVENT_AUTHORITY,
    GATEWAY,
    PROBE,
    PROGRAM,
    Ledger,
    Refused,
    address,
    epoch_address,
    outcome_args,
    pending_address,
    root_address,
)


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
