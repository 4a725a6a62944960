"""The call in a payload has one encoding, and everything else is none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from relayer.vms.svm.payloads import MAX_ACCOUNTS, CallPayload, parse_payload

ACCOUNT = bytes(32) + b"\x00\x01"

accounts = st.builds(AccountMeta, st.builds(Pubkey, st.binary(min_size=32, max_size=32)), st.booleans(), st.booleans())
calls = st.builds(CallPayload, st.lists(accounts, max_size=MAX_ACCOUNTS).map(tuple), st.binary(max_size=200))


def encoded(call: CallPayload) -> bytes:
    """As Borsh has it."""
    listed = (bytes(meta.pubkey) + bytes((meta.is_signer, meta.is_writable)) for meta in call.accounts)
    lengths = (struct.pack("<I", len(call.accounts)), struct.pack("<I", len(call.data)))
    return lengths[0] + b"".join(listed) + lengths[1] + call.data


@given(calls)
def test_every_call_is_read_back(call: CallPayload) -> None:
    assert parse_payload(encoded(call)) == call


@given(calls, st.integers(0, 10_000))
def test_a_call_that_is_cut_is_none(call: CallPayload, at: int) -> None:
    whole = encoded(call)
    assert parse_payload(whole[: at % len(whole)]) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(9),
        b"\x01\0\0\0" + bytes(32) + b"\x02\x00" + bytes(4),
        b"\x01\0\0\0" + bytes(32) + b"\x00\x02" + bytes(4),
        (MAX_ACCOUNTS + 1).to_bytes(4, "little") + ACCOUNT * (MAX_ACCOUNTS + 1) + bytes(4),
        b"\xff\xff\xff\xff",
    ],
    ids=["nothing", "more behind it", "signs twice", "writes twice", "too many accounts", "no end of accounts"],
)
def test_what_is_no_call_is_none(payload: bytes) -> None:
    assert parse_payload(payload) is None
