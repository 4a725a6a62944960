"""What a bench asks: how many requests of which mode, how fast.

Its job: the numbers. It sends nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from attestation.request import Mode
from relayer.errors import ConfigError

MAX_RATE: Final = 10_000
"""Requests a second. One process that sends could not hold more."""

MAX_REQUESTS: Final = 1_000_000
"""Of one bench: each is a kilobyte of the bench's memory, and more of the chain's."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` requests a second for `seconds`, or with rate 0 `burst` requests at once.

    Raises:
        ConfigError: the numbers contradict each other, or nobody can mean them.
    """

    mode: Mode = Mode.CALL
    rate: float = 0.0
    burst: int = 0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise ConfigError([fault])

    def _fault(self) -> str:
        # Written so that what is not a number at all is refused as well.
        if not 0 <= self.rate <= MAX_RATE:
            return f"--rate {self.rate:g}: more than 0 and at most {MAX_RATE} requests a second"
        if not 0 <= self.burst <= MAX_REQUESTS:
            return f"--burst {self.burst}: from 1 to {MAX_REQUESTS} requests"
        if bool(self.rate) == bool(self.burst):
            return "either --rate R, held for --seconds S, or --burst N"
        if not 0 < self.seconds <= MAX_REQUESTS:
            return f"--seconds {self.seconds:g}: more than 0 and at most {MAX_REQUESTS}"
        if not 1 <= self.count <= MAX_REQUESTS:
            asked = f"--rate {self.rate:g} for --seconds {self.seconds:g}"
            return f"{asked} is {self.count} requests; from 1 to {MAX_REQUESTS} can be asked"
        return ""

    @property
    def count(self) -> int:
        """Requests in all."""
        return self.burst or math.floor(self.rate * self.seconds)
