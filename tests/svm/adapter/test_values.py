"""What Solana's RPC writes is parsed strictly, or not at all."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.textcodecs import base58_encode
from relayer.errors import RpcUnavailable
from relayer.vms.svm.borsh import Borsh, MalformedBorsh
from relayer.vms.svm.values import (
    MAX_COUNT,
    format_signature,
    parse_base58,
    parse_base64,
    parse_count,
    parse_hash,
    parse_signature,
)


@given(st.integers(0, MAX_COUNT))
def test_a_count_is_itself(number: int) -> None:
    assert parse_count(number) == number


@pytest.mark.parametrize("value", [-1, MAX_COUNT + 1, 2**64, True, 1.0, "1", None, []])
def test_security_a_count_fits_what_is_stored_and_signed(value: Any) -> None:
    """SECURITY: a larger one would raise far from the endpoint that made it up."""
    with pytest.raises(RpcUnavailable):
        parse_count(value)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.binary(max_size=300))
def test_bytes_are_read_as_they_are_written(hashed: bytes, signature: bytes, data: bytes) -> None:
    assert parse_hash(base58_encode(hashed)) == hashed
    assert parse_signature(format_signature(signature)) == signature
    assert parse_base58(base58_encode(data), 500) == data
    assert parse_base64([base64.b64encode(data).decode(), "base64"]) == data


@pytest.mark.parametrize("value", [None, 7, "", "0", "1" * 31, "1" * 33, base58_encode(b"\xff" * 33), "é"])
def test_a_hash_is_32_bytes_of_base58(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_hash(value)


@pytest.mark.parametrize("value", [None, 7, "", "1" * 63, "1" * 65, "l" * 64])
def test_a_signature_is_64_bytes_of_base58(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_signature(value)


@pytest.mark.parametrize("value", [None, 7, "0", "1" * 11])
def test_base58_is_bounded(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_base58(value, 10)


@pytest.mark.parametrize(
    "value", [None, "AAAA", ["AAAA"], ["AAAA", "base58"], ["AAA", "base64"], ["AA A", "base64"], [7, "base64"]]
)
def test_base64_names_itself(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_base64(value)


def test_borsh_is_read_in_order_and_to_its_end() -> None:
    data = (
        b"\x01" + b"\x02\x00" + b"\x03\0\0\0" + b"\x04" + bytes(7) + b"\x01" + b"\x02\0\0\0ab" + b"\x05" * 32 + b"rest"
    )
    borsh = Borsh(data)
    assert (borsh.u8(), borsh.u16(), borsh.u32(), borsh.u64()) == (1, 2, 3, 4)
    assert (borsh.boolean(), borsh.sized(), borsh.word(), borsh.rest()) == (True, b"ab", b"\x05" * 32, b"rest")
    borsh.finish()


@pytest.mark.parametrize("data", [b"\x05\0\0\0abcd", b"\xff\xff\xff\xff", b"\x01\0\0"])
def test_bytes_that_are_cut_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedBorsh):
        Borsh(data).sized()
