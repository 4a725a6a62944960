"""JSON values of CometBFT, parsed strictly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from relayer.vms.cosmwasm.values import (
    MAX_COUNT,
    parse_base64,
    parse_code,
    parse_count,
    parse_hash,
    parse_list,
    parse_member,
    parse_text,
    parse_time,
)


@given(st.integers(0, MAX_COUNT))
def test_counts_are_decimal_texts(count: int) -> None:
    assert parse_count(str(count)) == count


@given(st.integers(0, 250_000_000_000), st.integers(0, 999_999_999))
def test_times_are_cut_to_whole_seconds(seconds: int, nanoseconds: int) -> None:
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert parse_time(f"{text}Z") == seconds
    assert parse_time(f"{text}.{nanoseconds:09d}Z") == seconds


@given(st.binary(min_size=32, max_size=32))
def test_hashes_are_hex(data: bytes) -> None:
    assert parse_hash(data.hex().upper()) == parse_hash(data.hex()) == data


def test_null_is_nothing_where_go_writes_it_so() -> None:
    assert parse_list(None) == []
    assert parse_base64(None) == b""


@pytest.mark.parametrize(
    ("parse", "values"),
    [
        (
            parse_count,
            [None, 1, True, "", "-1", "+1", "01", " 1", "1 ", "1_0", "\u0661", "0x1", str(2**63), "9" * 10_000],
        ),
        (parse_code, [None, "0", True, -1, 2**32, 1.0]),
        (parse_hash, [None, 1, "", "AB", "0x" + "AB" * 31, "AB" * 33, "ZZ" * 32, "AB" * 31 + "A "]),
        (
            parse_time,
            [
                None,
                1,
                "",
                "2027-01-15",
                "2027-01-15T08:00:00",
                "2027-01-15T08:00:00+00:00",
                "2027-01-15 08:00:00Z",
                "2027-02-30T08:00:00Z",
                "2027-01-15T24:00:01Z",
                "2027-01-15T08:00:00.Z",
                "2027-01-15T08:00:00.1234567890Z",
                "1969-12-31T23:59:59Z",
                "0000-01-01T00:00:00Z",
            ],
        ),
        (parse_base64, [1, "%", "a", "é", [1]]),
        (parse_text, [None, 1, []]),
        (parse_list, [1, "x", {}]),
        (lambda value: parse_member(value, "a", "b"), [None, [], {}, {"a": 1}, {"a": {}}, {"a": None}]),
    ],
)
def test_security_what_is_no_such_value_is_refused(parse: Callable[[Any], Any], values: list[Any]) -> None:
    """SECURITY: an endpoint is hostile input."""
    for value in values:
        with pytest.raises(RpcUnavailable):
            parse(value)
