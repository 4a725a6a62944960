"""Running programs where what they leave in the processor harms nobody.

Its job: a thread that does nothing else. LiteSVM turns programs into machine code whose calls by pointer write an MMX
register and never empty it (`emms`). The MMX registers are those of the x87 unit, and what is computed next on a unit
that is left full is no number. SQLite compares whole numbers with fractions there: it found a row that its own WHERE
excludes, and could as well have put one in the wrong place of an index. Each thread has registers of its own, and
what runs in this one computes nothing on that unit: Rust and CPython have their fractions in SSE registers.

Source: `mov_mmx` in `jit.rs` of solana-sbpf.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_Value = TypeVar("_Value")

_APART: Final = ThreadPoolExecutor(1, thread_name_prefix="svm")
"""One for all runs: to start a thread takes longer than what most programs do."""


def run_apart(work: Callable[[], _Value]) -> _Value:
    """What `work` returns or raises, computed in the thread for it. The caller waits meanwhile."""
    return _APART.submit(work).result()
