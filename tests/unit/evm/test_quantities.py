from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from relayer.vms.evm.quantities import (
    MAX_COUNT,
    format_data,
    parse_address,
    parse_count,
    parse_data,
    parse_hash,
    parse_quantity,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(0, 2**256 - 1))
def test_a_quantity_is_read_as_written(value: int) -> None:
    assert parse_quantity(hex(value)) == value


@given(st.integers(0, 2**256 - 1))
def test_security_a_count_is_bounded(value: int) -> None:
    """SECURITY: heights, timestamps, nonces and gas that fit no column would end the process where they are stored."""
    if value <= MAX_COUNT:
        assert parse_count(hex(value)) == value
    else:
        with pytest.raises(RpcUnavailable):
            parse_count(hex(value))


@given(st.binary(max_size=100))
def test_data_is_read_as_written(value: bytes) -> None:
    assert parse_data(format_data(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        "1",
        "0X1",
        "0x+1",
        "0x-1",
        "0x_1",
        "0x 1",
        "0x1 ",
        "0x1\n",
        "0xg",
        "0x" + "1" * 65,
        "0x\u0661",
        1,
        None,
    ],
)
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_quantity(value)


@pytest.mark.parametrize(
    "value", ["", "0", "0x1", "0xzz", "0x 1", "0x11 ", "0x 1 1", "0x11\n", "11", 17, None, b"0x11"]
)
def test_what_is_no_data_is_refused(value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        parse_data(value)


@pytest.mark.parametrize("length", [0, 19, 21, 31, 33])
def test_hashes_and_addresses_have_exact_lengths(length: int) -> None:
    for parse in (parse_hash, parse_address):
        with pytest.raises(RpcUnavailable):
            parse(format_data(bytes(length)))


@given(json_values)
def test_any_json_is_parsed_or_refused_and_nothing_else(value: Any) -> None:
    for parse in (parse_quantity, parse_count, parse_data, parse_hash, parse_address):
        try:
            parse(value)
        except RpcUnavailable:
            continue
