"""How long to wait after failures: doubling, capped. Callers add jitter where many would wake at once."""

from __future__ import annotations

from relayer.stages.settings import StageSettings

_MOST_DOUBLINGS = 16
"""Beyond it the cap holds anyway; it keeps the power small."""


def backoff_seconds(failures: int, settings: StageSettings) -> float:
    """The wait after this many failures in a row, from 0 on."""
    return _doubled(failures, settings.backoff_first_seconds, settings.backoff_cap_seconds)


def costly_backoff_seconds(failures: int, settings: StageSettings) -> float:
    """The same after failures that cost money."""
    return _doubled(failures, settings.backoff_first_seconds, settings.costly_backoff_cap_seconds)


def _doubled(failures: int, first: float, cap: float) -> float:
    return float(min(first * 2.0 ** min(failures, _MOST_DOUBLINGS), cap))
