"""The places that open connections take.

Its job: count them, by address and in all, and say who gives its place up when all are taken: who has been silent for
longest. A configured peer is not silent while its message is taken in, and anew from its end on. It closes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler


class Places:
    """At most `limit` connections, of which `limit_per_address` from one address. In the order of their silence."""

    def __init__(self, limit: int, limit_per_address: int) -> None:
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._addresses: dict[RequestHandler, str] = {}
        self._counts: Counter[str] = Counter()
        self._heard: set[RequestHandler] = set()

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def are_full(self) -> bool:
        """Whether somebody must leave before another one comes."""
        return len(self._addresses) >= self._limit

    def is_open_to(self, address: str) -> bool:
        """Whether the address has fewer connections than its part."""
        return self._counts[address] < self._limit_per_address

    def take(self, connection: RequestHandler, address: str) -> None:
        """A connection is let in. What it says is not heard yet."""
        self._addresses[connection] = address
        self._counts[address] += 1

    def leave(self, connection: RequestHandler) -> None:
        """It is closed, or given up to be closed; twice is as good as once."""
        address = self._addresses.pop(connection, None)
        if address is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def find_silent(self) -> RequestHandler | None:
        """The connection that gives its place up; None if peers are heard on all."""
        return next((connection for connection in self._addresses if connection not in self._heard), None)

    @contextmanager
    def hearing(self, connection: RequestHandler) -> Iterator[None]:
        """Within the context a verified message of a peer is taken in: it keeps its place.

        SECURITY: only what a peer's key signed counts, and of each peer a few at a time: anybody else could have all
        places by saying something now and then.
        """
        self._heard.add(connection)
        try:
            yield
        finally:
            self._heard.discard(connection)
            if (address := self._addresses.pop(connection, None)) is not None:
                self._addresses[connection] = address


PLACES: Final = web.AppKey("PLACES", Places)
"""Where the application finds those of its server."""
