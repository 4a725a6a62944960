"""Whatever is sent, the gateway refuses by name or does what it should; no lamport appears or vanishes."""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.request import request_id
from tests.svm.program import idl
from tests.svm.program.ledger import (
    CONFIG,
    EVENT_AUTHORITY,
    PROBE,
    PROGRAM,
    REMOTE_CHAIN,
    REMOTE_GATEWAY,
    SYSTEM,
    Ledger,
    Refused,
    address,
    epoch_address,
    inbound_address,
    inbound_request,
    outbound_address,
    payload,
    pending_address,
    slot_address,
)


@cache
def opened() -> tuple[Ledger, list[Pubkey], list[bytes]]:
    """A ledger in the middle of everything, its accounts, and data that it would take."""
    ledger = Ledger().open()
    ledger.request()
    ledger.request(1)
    pending = pending_address(ledger.sender.pubkey(), 0)
    incoming = inbound_request(PROBE, payload(b"\2"))
    step, batch = ledger.execute_step(incoming)
    ledger.certify(batch)
    stage = ledger.make_stage(200).pubkey()
    ledger.fill_stage(stage, bytes(step.data)[:200])
    accounts = [
        CONFIG,
        EVENT_AUTHORITY,
        PROGRAM,
        PROBE,
        SYSTEM,
        ledger.payer.pubkey(),
        ledger.sender.pubkey(),
        epoch_address(1),
        epoch_address(2),
        inbound_address(REMOTE_GATEWAY),
        outbound_address(REMOTE_CHAIN.to_bytes()),
        address(b"sender", bytes(ledger.sender.pubkey())),
        address(b"credit", bytes(32)),
        pending,
        pending_address(ledger.sender.pubkey(), 1),
        slot_address(request_id(incoming)),
        step.accounts[5].pubkey,
        stage,
    ]
    args, _ = ledger.request_parts(2)
    certificate = ledger.certificate(batch, [0, 1, 2])
    samples = [
        bytes(step.data),
        idl.instruction_data("request", args),
        bytes(ledger.certify_step(batch, certificate).data),
        idl.instruction_data("callback", {"return_data": b""}),
        idl.instruction_data("append", {"offset": 0, "piece": b"abc"}),
    ]
    return ledger, accounts, samples


EXAMPLES: Final = int(os.environ.get("SVM_FUZZ_EXAMPLES", "300"))
"""Of each kind; `make fuzz-svm` takes many more."""

METAS = st.lists(st.tuples(st.integers(0, 17), st.booleans(), st.booleans()), max_size=16)


def lamports(ledger: Ledger, accounts: list[Pubkey]) -> int:
    return sum(ledger.balance(key) for key in accounts)


def attempt(data: bytes, metas: list[tuple[int, bool, bool]]) -> None:
    """Sends it. A failure must be a refusal by name, or the runtime's of what the transaction itself lacks."""
    ledger, accounts, _ = opened()
    signers = {ledger.payer.pubkey(), ledger.sender.pubkey()}
    listed = [
        AccountMeta(accounts[index], signer and accounts[index] in signers, writable)
        for index, signer, writable in metas
    ]
    keys = [ledger.sender] if any(one.is_signer and one.pubkey == ledger.sender.pubkey() for one in listed) else []
    before = lamports(ledger, accounts)
    refused = None
    try:
        ledger.send(Instruction(PROGRAM, data, listed), signers=keys)
    except Refused as refusal:
        refused = refusal
    if refused is not None:
        assert not any("ccess violation" in line or "unsupported BPF" in line for line in refused.logs), refused.logs
    # a transaction's fee goes to nobody here; everything else stays among these
    assert before - lamports(ledger, accounts) in {0, 5_000 * (1 + len(keys))}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(tag=st.integers(0, 30), data=st.binary(max_size=200), metas=METAS)
def test_security_any_data_is_refused_by_name(tag: int, data: bytes, metas: list[tuple[int, bool, bool]]) -> None:
    """SECURITY: nothing is read beyond what is there."""
    attempt(bytes([tag]) + data, metas)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(which=st.integers(0, 4), at=st.integers(0, 600), flip=st.integers(1, 255), metas=METAS, right=st.booleans())
def test_security_changed_instructions_are_refused_by_name(
    which: int, at: int, flip: int, metas: list[tuple[int, bool, bool]], *, right: bool
) -> None:
    """SECURITY: one byte changed, among accounts that fit or do not."""
    ledger, accounts, samples = opened()
    data = bytearray(samples[which])
    data[at % len(data)] ^= flip
    if right:
        tag = samples[which][0]
        (entry,) = (one for one in idl.IDL["instructions"] if one["discriminator"][0] == tag)
        step, _ = ledger.execute_step(inbound_request(PROBE, payload(b"\2")))
        by_name = {key: index for index, key in enumerate(accounts)}
        metas = [
            (by_name.get(meta.pubkey, 3), meta.is_signer, meta.is_writable)
            for meta in step.accounts[: len(entry["accounts"])]
        ]
    attempt(bytes(data), metas)
