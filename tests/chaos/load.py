"""The users of a storm: accounts, contracts and programs on all chains that ask, all through it.

Its job: ask what was drawn when it is due. It does not look at what becomes of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from tests.chaos.cases import CASES
from tests.chaos.sides import Due, Side

ACCOUNTS = 8
"""Of the ten of a chain; the last is left to the byzantine node."""

ASKERS = 6
"""Asking contracts a chain: each has a line of ordered requests of its own."""

LAST_ASKED_PART = 0.95
"""Of the storm: what is asked last still meets faults."""

ANSWER_BYTES = 300
_TICK_SECONDS = 0.4


class Load:
    """All users."""

    def __init__(self, sides: Sequence[Side], requests: int, seconds: float, seed: int) -> None:
        self.sides = {side.name: side for side in sides}
        self.requests = requests
        self._due = {side.name: draw(requests, seconds, seed, [s.name for s in sides], side.name) for side in sides}

    @property
    def is_all_sent(self) -> bool:
        """Whether everything was sent, and is in blocks now."""
        return not any(self._due.values()) and all(side.is_all_sent for side in self.sides.values())

    @property
    def sent(self) -> int:
        """How many requests were due so far, and were sent."""
        return self.requests - sum(map(len, self._due.values()))

    async def deploy(self) -> None:
        """Targets and those who ask, and what each kind costs. Nothing disturbs yet."""
        await asyncio.gather(*(side.deploy() for side in self.sides.values()))
        for side in self.sides.values():
            await side.open_to([other for other in self.sides.values() if other is not side])

    async def run(self) -> None:
        """Ask, until cancelled."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for side in self.sides.values():
                tasks.create_task(self._ask_on(side, began))

    async def _ask_on(self, side: Side, began: float) -> None:
        due = self._due[side.name]
        while True:
            elapsed = asyncio.get_running_loop().time() - began
            count = next((place for place, it in enumerate(due) if it.at > elapsed), len(due))
            now = [(it, self.sides[it.destination].aim(it.case, it.number)) for it in due[:count]]
            await side.ask(now)
            del due[:count]
            await asyncio.sleep(_TICK_SECONDS)


def draw(requests: int, seconds: float, seed: int, chains: Sequence[str], source: str) -> list[Due]:
    """The requests from `source`, by time. The same arguments give the same requests."""
    rng = random.Random(seed)
    found: list[Due] = []
    for _ in range(requests):
        (case,) = rng.choices(CASES, [case.weight for case in CASES])
        number = ANSWER_BYTES if case.function == "answer" else rng.randrange(1, 1000)
        at = rng.uniform(0.0, seconds * LAST_ASKED_PART)
        here, there = rng.sample(list(chains), 2)
        found.append(Due(at, here, there, case, rng.randrange(ACCOUNTS), rng.randrange(ASKERS), number))
    return sorted((due for due in found if due.source == source), key=lambda due: due.at)
