"""Who is told of commits.

Its job: call each of them after each commit, in order. It decides nothing about what is written.
"""

from __future__ import annotations

from collections.abc import Callable

from relayer.ports.store import Commit


class Watchers:
    """Those that were added and have not left."""

    def __init__(self) -> None:
        self._watchers: dict[object, Callable[[Commit], None]] = {}

    def add(self, watcher: Callable[[Commit], None]) -> Callable[[], None]:
        """Tell this one from now on; what is given back ends it, and may be called again."""
        place = object()
        self._watchers[place] = watcher

        def leave() -> None:
            self._watchers.pop(place, None)

        return leave

    def tell(self, commit: Commit) -> None:
        """A commit was written."""
        for watcher in tuple(self._watchers.values()):
            watcher(commit)
