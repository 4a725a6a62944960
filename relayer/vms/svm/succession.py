"""Which requests are about to run, so that what is ordered after them need not be tried yet.

Its job: to tell a predecessor that is on its way from one that stands still. Who follows the former is looked at again
soon; who follows the latter is refused, and looked at less and less often. SECURITY: an asker could otherwise have
everything that it ordered after a call which never runs looked at all the time. It must not ask the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attestation.request import RequestId

_UNDER_WAY_SECONDS: Final = 60.0
"""How long a transaction that was prepared may take to be mined: about as long as its blockhash lives."""


class Succession:
    """What was prepared lately. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._prepared_at: dict[RequestId, float] = {}

    def note_prepared(self, identifiers: Iterable[RequestId]) -> None:
        """Their transactions are about to be sent."""
        self._forget()
        now = self._clock()
        for identifier in identifiers:
            self._prepared_at.setdefault(identifier, now)

    def is_under_way(self, identifier: RequestId) -> bool:
        """Whether its transaction may be mined any moment."""
        self._forget()
        return identifier in self._prepared_at

    def _forget(self) -> None:
        before = self._clock() - _UNDER_WAY_SECONDS
        while self._prepared_at:
            oldest = next(iter(self._prepared_at))
            if self._prepared_at[oldest] > before:
                break
            del self._prepared_at[oldest]
