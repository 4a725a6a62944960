"""What the adapter sends is what the IDL says: data, accounts, their order and flags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.keccak import keccak256
from attestation.request import Request, request_id
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.vms.svm.addresses import GatewayAddresses, program_data_address
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.program_errors import FIRST_ERROR, error_name
from tests.svm.program import idl
from tests.svm.program.ledger import (
    BASE,
    GATEWAY,
    PROBE,
    PROGRAM,
    callback_authority,
    epoch_address,
    inbound_address,
    inbound_args,
    inbound_request,
    keypair,
    outcome_args,
    own_account,
    payload,
    set_args,
    signer_set,
    signing_keys,
    slot_address,
)

PAYER = keypair("relayer").pubkey()
AT = GatewayAddresses(bytes(PROGRAM))
MAKE = GatewayInstructions(AT, PAYER)
ROOT, PENDING, STAGE, PAYEE = (keypair(name).pubkey() for name in ("root", "pending", "stage", "payee"))
PATH = [b"\1" * 32, b"\2" * 32]
MORE = [AccountMeta(Pubkey(b"\7" * 32), is_signer=False, is_writable=True)]
PLACE = {"height": 7, "block_hash": b"\xb0" * 32, "tx_index": 3, "log_index": 1}


def expected(name: str, accounts: dict[str, Pubkey], args: dict[str, Any], **options: Any) -> Instruction:
    return idl.instruction(PROGRAM, name, {**BASE, "payer": PAYER, **accounts}, args, **options)


def consumption(asked: Request) -> dict[str, Pubkey]:
    places = {
        "epoch": epoch_address(3),
        "root": ROOT,
        "inbound": inbound_address(asked.source_gateway),
        "slot": slot_address(request_id(asked)),
    }
    if asked.origin:
        places["origin_slot"] = slot_address(asked.origin.to_bytes(32, "big"))
    if asked.ordered_after > 1:
        places["predecessor"] = slot_address(asked.ordered_after.to_bytes(32, "big"))
    return places


def arguments(asked: Request, left_out: str) -> dict[str, Any]:
    fields = inbound_args(asked)
    del fields[left_out]
    return {"request": fields, "place": PLACE, "payee": bytes(PAYEE), "path": PATH}


requests = st.builds(
    lambda **changes: replace(inbound_request(PROBE, payload(b"abc")), **changes),
    nonce=st.integers(0, 2**64 - 1),
    own_account=st.booleans(),
    ordered_after=st.sampled_from([0, 1, 2, 2**255]),
    origin=st.sampled_from([0, 5, 2**256 - 1]),
    code_hash=st.sampled_from([bytes(32), b"\7" * 32]),
    metadata=st.binary(max_size=40),
    execution_gas_limit=st.integers(0, 2**64 - 1),
    return_limit=st.integers(0, 2**32 - 1),
    target=st.binary(max_size=40).map(lambda tail: GATEWAY[:37] + bytes([len(tail)]) + tail),
)


@given(requests)
def test_a_request_is_executed_with_the_accounts_that_it_needs(asked: Request) -> None:
    statement = Execute(request_id(asked), 7, b"\xb0" * 32, 3, 1)
    places = consumption(asked)
    target = asked.target[38:]
    if len(target) == 32:
        places["target"] = Pubkey(target)
        if any(asked.code_hash):
            places["program_data"] = program_data_address(Pubkey(target))
    if asked.own_account:
        places["own_account"] = own_account(asked.sender)
    made = MAKE.execute(asked, statement, bytes(PAYEE), PATH, ROOT, 3, MORE)
    assert made == expected("execute", places, arguments(asked, "payload_hash"), more=MORE)


@given(requests)
def test_a_request_expires_by_the_hash_of_its_payload(asked: Request) -> None:
    statement = Execute(request_id(asked), 7, b"\xb0" * 32, 3, 1)
    made = MAKE.expire(asked, statement, bytes(PAYEE), PATH, ROOT, 3)
    assert made == expected("expire", consumption(asked), arguments(asked, "payload"))


def test_an_outcome_is_delivered_with_its_payee_s_credit() -> None:
    outcome = Outcome(
        b"\3" * 32,
        OutcomeKind.REVERTED,
        True,  # noqa: FBT003 - a field
        keccak256(b"x"),
        9,
        b"\xb1" * 32,
        2,
        4,
        bytes(PAYEE),
        6,
    )
    places = {"epoch": epoch_address(3), "root": ROOT, "pending": PENDING, "credit": AT.credit(bytes(PAYEE))}
    made = MAKE.deliver(outcome, PATH, ROOT, 3, PENDING)
    assert made == expected("deliver", places, {"outcome": outcome_args(outcome), "path": PATH})


@pytest.mark.parametrize("handler", [None, PROBE])
def test_a_callback_names_the_handler_and_its_authority(handler: Pubkey | None) -> None:
    places = {"pending": PENDING, "refund": PAYEE, "callback_authority": PROGRAM}
    if handler is not None:
        places |= {"handler": handler, "callback_authority": callback_authority(handler)}
    made = MAKE.callback(PENDING, PAYEE, handler, b"answer", MORE)
    assert made == expected("callback", places, {"return_data": b"answer"}, more=MORE)


def test_a_certificate_is_verified_for_its_batch() -> None:
    certificate = bytes(range(49)) + b"\5" * 128
    head = {
        "scheme": 0,
        "epoch_big_endian": certificate[1:9],
        "chain_tag": certificate[9:13],
        "gateway_tag": certificate[13:17],
        "bitmap_big_endian": certificate[17:49],
    }
    places = {"root": AT.root(b"\4" * 32, 3, 256), "epoch": epoch_address(3)}
    args = {"batch_root": b"\4" * 32, "count": 256, "certificate": head}
    made = MAKE.verify_certificate(b"\4" * 32, 256, 3, certificate)
    assert made == expected("verify_certificate", places, args, tail=certificate[49:])


def test_a_root_is_closed_by_who_paid_for_it() -> None:
    metas = [
        AccountMeta(PAYER, is_signer=True, is_writable=True),
        AccountMeta(ROOT, is_signer=False, is_writable=True),
        AccountMeta(epoch_address(3), is_signer=False, is_writable=False),
    ]
    made = MAKE.close_root(ROOT, 3)
    told = expected("close_root", {"root": ROOT, "epoch": epoch_address(3)}, {})
    assert (made.program_id, made.data, list(made.accounts)) == (told.program_id, told.data, metas)
    assert [meta.pubkey for meta in told.accounts] == [meta.pubkey for meta in metas]


def test_a_set_follows_the_former_one() -> None:
    chosen = signer_set(signing_keys(5), 4)
    places = {"former_epoch": epoch_address(3), "next_epoch": epoch_address(4), "root": ROOT}
    assert MAKE.rotate(chosen, 3, ROOT) == expected("rotate", places, {"signer_set": set_args(chosen)})


def test_a_credit_is_opened_for_a_payee() -> None:
    places = {"beneficiary": PAYEE, "credit": AT.credit(bytes(PAYEE))}
    assert MAKE.open_credit(PAYEE) == expected("open_credit", places, {})


def test_a_stage_is_made_filled_used_and_closed() -> None:
    places = {"stage": STAGE, "authority": PAYER}
    staged = MAKE.open_credit(PAYEE)
    assert MAKE.stage(STAGE) == expected("stage", places, {})
    assert MAKE.append(STAGE, 900, b"piece") == expected("append", places, {"offset": 900, "piece": b"piece"})
    assert MAKE.use_stage(STAGE, staged) == expected("use_stage", places, {}, more=list(staged.accounts))
    assert MAKE.close_stage(STAGE) == expected("close_stage", places, {})


def test_errors_have_the_names_of_the_idl() -> None:
    errors = {entry["code"]: entry["name"] for entry in idl.IDL["errors"]}
    assert {code: error_name(code) for code in errors} == errors
    assert error_name(max(errors) + 1) == f"Custom({max(errors) + 1})"
    assert error_name(FIRST_ERROR - 1) == "Custom(5999)"
