"""Whether memory grows, from samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pytest

from relayer.devnet.bench.memory import MIN_SAMPLES, MemoryWatch


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int], Callable[[int], int]], MemoryWatch]:
    """A watch of one process that was sampled at these numbers of requests, where it had so many bytes."""

    def build(done: list[int], size: Callable[[int], int]) -> MemoryWatch:
        sizes = iter([size(count) for count in done])
        monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=next(sizes)))
        watch = MemoryWatch([os.getpid()])
        for count in done:
            watch.sample(count)
        return watch

    return build


Grown = Callable[[list[int], Callable[[int], int]], MemoryWatch]


def test_growth_is_in_bytes_per_thousand_requests(grown: Grown) -> None:
    watch = grown(list(range(0, 40_000, 500)), lambda done: 10**8 + 3 * done)
    assert watch.growth == pytest.approx(3_000)
    assert watch.peak_bytes == 10**8 + 3 * 39_500


def test_what_is_taken_while_warming_up_is_no_growth(grown: Grown) -> None:
    assert grown(list(range(0, 30_000, 500)), lambda done: min(done, 5_000)).growth == 0


def test_samples_in_which_nothing_was_done_make_the_line_no_flatter(grown: Grown) -> None:
    busy = list(range(0, 30_000, 500))
    assert grown(busy + [busy[-1]] * 500, lambda done: done).growth == pytest.approx(1_000)


def test_a_short_bench_says_nothing_about_growth(grown: Grown) -> None:
    watch = grown(list(range(MIN_SAMPLES - 1)), lambda done: done)
    assert watch.growth is None
    assert watch.peak_bytes == MIN_SAMPLES - 2
