"""Two revisions side by side: figures of paired runs, and their ratios.

Its job: arithmetic. A ratio of two runs that follow each other holds where the machine's speed does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

_COUNTS: Final = ("requests", "lost", "duplicated", "wrong", "asked_per_second", "asked_late_seconds")
"""What was asked, and what must be zero: nothing to divide."""


def describe_pairs(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """Of the objects of paired runs (here, there): by figure both medians, and the median of here divided by there.

    A figure that is missing in a run is left out; a ratio is None where a run there has zero.
    """
    flat = [(dict(_flatten(here)), dict(_flatten(there))) for here, there in pairs]
    names = [name for name in flat[0][0] if all(name in here and name in there for here, there in flat)]
    return {name: _compare([(here[name], there[name]) for here, there in flat]) for name in names}


def _compare(values: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    ratios = [here / there for here, there in values if there]
    return {
        "here": median(here for here, _ in values),
        "there": median(there for _, there in values),
        "ratio": round(median(ratios), 3) if len(ratios) == len(values) else None,
    }


def _flatten(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and name not in _COUNTS:
            yield prefix + name, value
