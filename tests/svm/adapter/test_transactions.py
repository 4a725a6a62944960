"""Drafts, and what is made of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from relayer.vms.svm.transactions import (
    MAX_TRANSACTION_BYTES,
    draft_of,
    is_fitting,
    sign_draft,
    trial_of,
)
from tests.svm.adapter.world import RELAYER
from tests.svm.program.ledger import PROGRAM

PAYER = RELAYER.pubkey()


def step(data: bytes, keys: int = 2) -> Instruction:
    metas = [AccountMeta(Pubkey(bytes([place + 1]) * 32), is_signer=False, is_writable=True) for place in range(keys)]
    return Instruction(PROGRAM, data, metas)


@given(st.binary(max_size=1_300), st.integers(0, 20))
def test_what_fits_is_what_a_packet_carries(data: bytes, keys: int) -> None:
    draft = draft_of(PAYER, [step(data, keys)])
    _, raw = sign_draft(draft, RELAYER, 1_000, 5, bytes(32))
    assert is_fitting(draft) == (len(raw) <= MAX_TRANSACTION_BYTES)
    assert len(trial_of(draft, 7)) == len(raw)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_a_draft_is_signed_with_its_budget_and_blockhash(units: int, price: int, blockhash: bytes) -> None:
    signature, raw = sign_draft(draft_of(PAYER, [step(b"data")]), RELAYER, units, price, blockhash)
    transaction = VersionedTransaction.from_bytes(raw)
    assert transaction.verify_with_results() == [True]
    assert bytes(transaction.signatures[0]) == signature
    message = transaction.message
    assert isinstance(message, MessageV0)
    assert message.recent_blockhash == Hash(blockhash)
    limit, unit_price, call = message.instructions
    assert bytes(limit.data) == b"\2" + units.to_bytes(4, "little")
    assert bytes(unit_price.data) == b"\3" + price.to_bytes(8, "little")
    assert bytes(call.data) == b"data"


def test_a_draft_is_the_same_whatever_is_offered_for_it() -> None:
    assert draft_of(PAYER, [step(b"data")]) == draft_of(PAYER, [step(b"data")])
