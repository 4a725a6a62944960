"""A block is final when the chain's rule says so, and never before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.finality import FinalityRule, FinalityTag

HEIGHTS = st.integers(0, 2**64 - 1)


def test_a_depth_counts_from_the_tip() -> None:
    rule = FinalityRule(depth_blocks=3)
    assert [rule.final_number(tip, None) for tip in (10, 4, 3, 2, 0)] == [7, 1, 0, -1, -1]


def test_a_depth_ignores_what_a_tag_says() -> None:
    assert FinalityRule(depth_blocks=3).final_number(10, 10) == 7


def test_depth_zero_means_that_the_tip_is_final() -> None:
    assert FinalityRule(depth_blocks=0).final_number(10, None) == 10


@pytest.mark.parametrize("tag", FinalityTag)
def test_a_tag_is_believed_up_to_the_tip(tag: FinalityTag) -> None:
    rule = FinalityRule(tag=tag)
    assert rule.final_number(10, 7) == 7
    assert rule.final_number(10, 12) == 10


def test_without_a_tagged_block_nothing_is_final() -> None:
    assert FinalityRule(tag=FinalityTag.FINALIZED).final_number(10, None) == -1


@pytest.mark.parametrize(("depth_blocks", "tag"), [(None, None), (3, FinalityTag.SAFE), (0, FinalityTag.SAFE)])
def test_a_rule_is_either_a_depth_or_a_tag(depth_blocks: int | None, tag: FinalityTag | None) -> None:
    with pytest.raises(ValueError, match=r"^a finality rule is either a depth or a tag$"):
        FinalityRule(depth_blocks=depth_blocks, tag=tag)


def test_a_depth_is_not_negative() -> None:
    with pytest.raises(ValueError, match=r"^finality depth cannot be negative$"):
        FinalityRule(depth_blocks=-1)


@given(tip=HEIGHTS, tagged=st.none() | HEIGHTS, depth=st.none() | st.integers(0, 10_000))
def test_security_no_rule_calls_a_block_above_the_tip_final(tip: int, tagged: int | None, depth: int | None) -> None:
    """SECURITY: what is final is signed."""
    rule = FinalityRule(tag=FinalityTag.SAFE) if depth is None else FinalityRule(depth_blocks=depth)
    assert -1 <= rule.final_number(tip, tagged) <= max(tip - (depth or 0), -1)
