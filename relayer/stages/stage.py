"""What the runner runs."""

from __future__ import annotations

from typing import Protocol


class Stage(Protocol):
    """One loop of one concern, for one chain or for the node (`chain` empty)."""

    @property
    def name(self) -> str:
        """The stage's word, also its metric label."""
        ...

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain it serves and that halts it, or empty."""
        ...

    async def run_once(self) -> bool:
        """One step: claim, decide, commit, perform. True if there is more to do at once."""
        ...

    async def wait(self) -> None:
        """Until there may be something to do: rung, due, or the stage's idle time over."""
        ...
