"""Columns order and compare numbers as the protocol does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.store.columns import number_in, uint64_bytes, uint256_bytes


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_stored_amounts_are_ordered_like_the_amounts(one: int, other: int) -> None:
    assert (uint256_bytes(one) < uint256_bytes(other)) == (one < other)


@given(st.integers(0, 2**64 - 1))
def test_a_number_comes_back(number: int) -> None:
    assert number_in(uint64_bytes(number)) == number
    assert number_in(uint256_bytes(number)) == number


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused_and_never_cut(number: int) -> None:
    with pytest.raises(OverflowError):
        uint64_bytes(number)
