"""Time, as an argument. Stages never read the system clock themselves."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall-clock time and waiting."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...
