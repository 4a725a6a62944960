"""Columns order and compare numbers as the protocol does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from relayer.store.columns import BigEndian, uint64, uint256

DIALECT = sqlite.dialect()


def stored(column: BigEndian, value: int) -> bytes:
    form = column.process_bind_param(value, DIALECT)
    assert form is not None
    return form


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_stored_amounts_are_ordered_like_the_amounts(one: int, other: int) -> None:
    assert (stored(uint256(), one) < stored(uint256(), other)) == (one < other)


@given(st.integers(0, 2**64 - 1))
def test_a_number_comes_back(number: int) -> None:
    assert uint64().process_result_value(stored(uint64(), number), DIALECT) == number


def test_nothing_stays_nothing() -> None:
    assert uint64().process_bind_param(None, DIALECT) is None
    assert uint64().process_result_value(None, DIALECT) is None


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused_and_never_cut(number: int) -> None:
    with pytest.raises(OverflowError):
        stored(uint64(), number)
