"""Running programs where what they leave in the processor harms nobody.

Its job: a thread of its own for each run. LiteSVM turns programs into machine code whose calls by pointer write an MMX
register and never empty it (`emms`). The MMX registers are those of the x87 unit, and what is computed next on a unit
that is left full is no number. SQLite compares whole numbers with fractions there: it found a row that its own WHERE
excludes, and could as well have put one in the wrong place of an index. Each thread has registers of its own.

Source: `mov_mmx` in `jit.rs` of solana-sbpf.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Value = TypeVar("_Value")


def run_apart(work: Callable[[], _Value]) -> _Value:
    """What `work` returns or raises, computed in a thread that ends with it. The caller waits meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="svm") as apart:
        return apart.submit(work).result()
