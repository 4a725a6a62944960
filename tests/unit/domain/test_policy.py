"""Spending is held exactly when it costs more than the operator's terms allow."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.policy import SpendPolicy

AMOUNTS = st.integers(0, 2**128)


def test_by_default_the_fees_must_cover_the_cost() -> None:
    policy = SpendPolicy()
    assert policy.hold_reason(100, "eip155:1", 100, "eip155:1") == ""
    assert policy.hold_reason(101, "eip155:1", 100, "eip155:1") == "fee_below_cost"


@pytest.mark.parametrize(("percent", "most"), [(100, 200), (150, 300), (50, 100), (0, 0), (33, 66)])
def test_the_limit_is_a_percentage_of_the_fees(percent: int, most: int) -> None:
    policy = SpendPolicy(cost_limit_percent=percent)
    assert policy.hold_reason(most, "eip155:1", 200, "eip155:1") == ""
    assert policy.hold_reason(most + 1, "eip155:1", 200, "eip155:1") == "fee_below_cost"


def test_each_side_is_valued_at_its_own_chains_price() -> None:
    policy = SpendPolicy(prices={"eip155:1": Fraction(3), "eip155:2": Fraction(1, 2)})
    assert policy.hold_reason(600, "eip155:2", 100, "eip155:1") == ""
    assert policy.hold_reason(601, "eip155:2", 100, "eip155:1") == "fee_below_cost"
    assert policy.hold_reason(100, "eip155:1", 600, "eip155:2") == ""
    assert policy.hold_reason(101, "eip155:1", 600, "eip155:2") == "fee_below_cost"


def test_a_chain_without_a_price_counts_one_for_one() -> None:
    policy = SpendPolicy(prices={"eip155:2": Fraction(2)})
    assert policy.hold_reason(50, "eip155:2", 100, "eip155:9") == ""
    assert policy.hold_reason(51, "eip155:2", 100, "eip155:9") == "fee_below_cost"


@given(cost=AMOUNTS, fees=AMOUNTS, more=AMOUNTS, percent=st.integers(0, 1_000))
def test_a_higher_fee_never_holds_what_was_worth_it(cost: int, fees: int, more: int, percent: int) -> None:
    policy = SpendPolicy(cost_limit_percent=percent)
    if not policy.hold_reason(cost, "eip155:1", fees, "eip155:2"):
        assert policy.hold_reason(cost, "eip155:1", fees + more, "eip155:2") == ""
