"""How many questions are answered at a time.

SECURITY: people who look must not take the database from the stages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from relayer.api.errors import error_response

MAX_CONCURRENT_READS: Final = 16
"""Questions of people."""

MAX_CONCURRENT_PROBES: Final = 4
"""What monitoring asks, in places of its own: a flood of readers must not make a node look unready."""


class ReadingPlaces:
    """So many questions at a time; one more is refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    def bound(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler, or a refusal where all places are taken."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if self._taken >= self._limit:
                return error_response(503, "busy", "too many questions at once; try again")
            self._taken += 1
            try:
                return await handler(request)
            finally:
                self._taken -= 1

        return answer
