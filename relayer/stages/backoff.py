"""How long to wait after failures: doubling, capped. Callers add jitter where many would wake at once."""

from __future__ import annotations

from relayer.stages.settings import StageSettings

_MOST_DOUBLINGS = 16
"""Beyond it the cap holds anyway; it keeps the power small."""


def backoff_seconds(failures: int, settings: StageSettings) -> float:
    """The wait after this many failures in a row, from 0 on."""
    doubled = settings.backoff_first_seconds * 2.0 ** min(failures, _MOST_DOUBLINGS)
    return float(min(doubled, settings.backoff_cap_seconds))
