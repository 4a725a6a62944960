"""What waits to be sent to one peer: the newest attestations, up to a bound.

Its job: lose the oldest rather than grow, and keep what is on its way until it has arrived. A peer that missed
something asks for it by cursor, so that nothing here needs to survive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from relayer.ports.signer import Attestation

MAX_QUEUED: Final = 8_192
"""Attestations for one peer that is slow or down: 1.3 MB, four full messages. Older ones it fetches by cursor."""


class OutgoingQueue:
    """For one sending task. `add` may be called at any time, `first` and `forget` by that task."""

    def __init__(self, limit: int = MAX_QUEUED) -> None:
        self._limit = limit
        self._waiting: deque[Attestation] = deque()
        self._first_number = 0
        self._is_due = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_patient(self) -> bool:
        """Whether something waits, and only for others to be sent with it."""
        return bool(self._waiting) and not self._is_due.is_set()

    def add(self, attestations: Sequence[Attestation], *, is_patient: bool = False) -> int:
        """Queue them, newest last; returns how many old ones were dropped to make room.

        Patient ones wait for others that are not, or for `hurry`.
        """
        self._waiting.extend(attestations)
        dropped = max(len(self._waiting) - self._limit, 0)
        for _ in range(dropped):
            self._waiting.popleft()
        self._first_number += dropped
        if attestations and not is_patient:
            self._is_due.set()
        return dropped

    def hurry(self) -> None:
        """What waits patiently has waited long enough."""
        if self._waiting:
            self._is_due.set()

    async def first(self, count: int) -> tuple[tuple[Attestation, ...], int]:
        """Wait until any is to be sent; the oldest ones, at most `count`, and the mark by which to `forget` them."""
        await self._is_due.wait()
        taken = tuple(self._waiting[index] for index in range(min(count, len(self._waiting))))
        return taken, self._first_number + len(taken)

    def forget(self, mark: int) -> None:
        """What `first` gave with this mark has arrived, or is given up. Newer ones stay, whatever was dropped since."""
        while self._first_number < mark:
            self._waiting.popleft()
            self._first_number += 1
        if not self._waiting:
            self._is_due.clear()
