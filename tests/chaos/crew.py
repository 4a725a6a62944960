"""The processes of a storm's devnet: ended, frozen, started again, weighed.

Its job: signals by name, and to notice what ends by itself. It plays no plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Mapping, Sequence

import psutil

from relayer.devnet.network import Devnet
from relayer.devnet.processes import ProcessBook

LOOK_SECONDS = 0.5


class Crew:
    """`peak_bytes` is the most resident memory of each process by name; `crashes` tells who ended unbidden."""

    def __init__(
        self, devnet: Devnet, book: ProcessBook, relayers: Sequence[str], programs: Mapping[str, Sequence[str]]
    ) -> None:
        self._devnet = devnet
        self._book = book
        self._relayers = tuple(relayers)
        self._programs = programs
        self._down: set[str] = set()
        self._frozen: set[str] = set()
        self.restarts: Counter[str] = Counter()
        self.peak_bytes: Counter[str] = Counter()
        self.crashes: list[str] = []

    def kill(self, name: str) -> None:
        """As a power cut does."""
        self._down.add(name)
        self._signal(name, signal.SIGKILL)

    async def start(self, name: str) -> None:
        """Start a relayer that was killed."""
        await asyncio.to_thread(self._devnet.start_relayer, name, self._programs.get(name))
        self.restarts[name] += 1
        self._down.discard(name)

    def freeze(self, name: str) -> None:
        """It neither runs nor hangs up."""
        self._frozen.add(name)
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """It goes on where it was."""
        self._signal(name, signal.SIGCONT)
        self._frozen.discard(name)

    async def heal(self) -> None:
        """Everybody up and running."""
        for name in list(self._frozen):
            self.thaw(name)
        for name in list(self._down):
            await self.start(name)

    async def watch(self) -> None:
        """Weigh all, and start again who ended unbidden, until cancelled."""
        while True:
            running = self._book.running()
            for name, recorded in running.items():
                with contextlib.suppress(psutil.NoSuchProcess, AttributeError):
                    self.peak_bytes[name] = max(self.peak_bytes[name], recorded.find().memory_info().rss)  # type: ignore[union-attr]
            for name in self._relayers:
                if name not in running and name not in self._down:
                    self.crashes.append(name)
                    self._down.add(name)
                    await self.start(name)
            await asyncio.sleep(LOOK_SECONDS)

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self._book.running().get(name)
        if process is not None:
            process.signal(number)
