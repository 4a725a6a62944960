"""What paired runs of two revisions are compared by."""

from __future__ import annotations

from typing import Any

from relayer.devnet.bench.pairs import describe_pairs


def run(seconds: float, **more: Any) -> dict[str, Any]:
    return {"mode": "call", "requests": 5, "lost": 0, "latency_seconds": {"p50": seconds}, **more}


def test_ratios_are_the_median_of_the_pairs_not_the_ratio_of_medians() -> None:
    pairs = [(run(2.0), run(4.0)), (run(30.0), run(60.0)), (run(3.0), run(1.0))]
    assert describe_pairs(pairs) == {"latency_seconds.p50": {"here": 3.0, "there": 4.0, "ratio": 0.5}}


def test_a_figure_that_one_run_lacks_is_left_out() -> None:
    assert set(describe_pairs([(run(1.0, drain_seconds=None, new=2), run(1.0, drain_seconds=3.0))])) == {
        "latency_seconds.p50"
    }


def test_nothing_is_divided_by_zero() -> None:
    figures = describe_pairs([(run(1.0), run(0.0)), (run(1.0), run(1.0))])
    assert figures["latency_seconds.p50"] == {"here": 1.0, "there": 0.5, "ratio": None}
