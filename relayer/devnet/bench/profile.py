"""Where relayers spend their CPU time while a load runs: how they are told to sample, and what they found put together.

Its job: the command line of a relayer that samples itself, and the sums over all of them.
"""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

BEGIN_SIGNAL: Final = signal.SIGUSR1
"""Tells a relayer that samples itself to begin."""

_FUNCTIONS_SHOWN: Final = 8
"""Of each concern: the costliest."""

_LEAST_SHARE: Final = 0.01
_REST: Final = "all others"
"""Concerns that take less than that share, together."""


def sampled_program(path: Path) -> list[str]:
    """The program `xvm`, which writes into this file at its end where its CPU time went."""
    return [sys.executable, "-m", "relayer.devnet.bench.sampled", str(path)]


def describe_profile(paths: Sequence[Path], requests: int) -> dict[str, Any]:
    """By concern, costliest first: CPU in ms a request and relayer, and the costliest functions of it alike."""
    spent: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in paths:
        for concern, functions in orjson.loads(path.read_bytes()).items():
            for function, seconds in functions.items():
                spent[concern][function] += seconds
    scale = 1000 / requests / len(paths)
    sums = {concern: sum(functions.values()) for concern, functions in spent.items()}
    least = _LEAST_SHARE * sum(sums.values())
    for concern in [concern for concern, seconds in sums.items() if seconds < least]:
        sums[_REST] = sums.get(_REST, 0.0) + sums.pop(concern)
    return {
        concern: {
            "cpu_ms_per_request": round(sums[concern] * scale, 4),
            "functions": {
                function: round(seconds * scale, 4)
                for function, seconds in _costliest(spent[concern])[:_FUNCTIONS_SHOWN]
                if function
            },
        }
        for concern, _ in _costliest(sums)
    }


def _costliest(costs: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(costs.items(), key=lambda item: -item[1])
