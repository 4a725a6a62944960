"""The HTTP side of the door for peers: POST `PEER_PATH`, one message a request, the answer in the response.

Its job: hand bytes to the door in the right order (head, then body) and never wait for them longer, or hold more of
them, than its limits say. Who may send what is the door's to decide. A message that is not taken gets a status and
`{"error": {"code": <Refusal>, "message": …}}`, both unsigned and nobody's word.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from relayer.api.errors import error_response
from relayer.api.places import PLACES
from relayer.observability.metrics import Metrics
from relayer.ports.peer_door import PEER_MEDIA_TYPE, PEER_PATH, PeerDoor, PeerMessageRefused, Refusal

HEAD_SECONDS: Final = 2.0
"""For the head, which fits one packet, once the headers are there."""

BODY_SECONDS: Final = 5.0
"""For the body: as long as a peer waits for its whole exchange."""

_STATUSES: Final = {
    Refusal.MALFORMED: HTTPStatus.BAD_REQUEST,
    Refusal.OVERSIZE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.OTHER_NETWORK: HTTPStatus.FORBIDDEN,
    Refusal.OTHER_RECIPIENT: HTTPStatus.MISDIRECTED_REQUEST,
    Refusal.UNKNOWN_SENDER: HTTPStatus.FORBIDDEN,
    Refusal.CLOCK_SKEW: HTTPStatus.UNAUTHORIZED,
    Refusal.REPLAYED: HTTPStatus.CONFLICT,
    Refusal.FORGED: HTTPStatus.UNAUTHORIZED,
    Refusal.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.CUT: HTTPStatus.REQUEST_TIMEOUT,
    Refusal.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class PeerRoutes:
    """The one route of peers."""

    def __init__(self, door: PeerDoor, metrics: Metrics) -> None:
        self._door = door
        self._metrics = metrics

    def register(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_post(PEER_PATH, self._post)

    async def _post(self, request: web.Request) -> web.Response:
        try:
            answer = await self._take_in(request)
        except PeerMessageRefused as refused:
            self._metrics.peer_messages_refused.labels(refused.refusal).inc()
            return error_response(_STATUSES[refused.refusal], refused.refusal, str(refused))
        return web.Response(body=answer, content_type=PEER_MEDIA_TYPE)

    async def _take_in(self, request: web.Request) -> bytes:
        length = request.content_length
        if length is None or length < self._door.head_length:
            raise PeerMessageRefused(Refusal.MALFORMED)
        if length > self._door.head_length + self._door.max_body_length:
            raise PeerMessageRefused(Refusal.OVERSIZE)
        head = await _read(request, self._door.head_length, HEAD_SECONDS)
        with self._door.admit(head) as visit, request.app[PLACES].hearing(request.protocol):
            # SECURITY: what follows the announced body is signed by nobody.
            if length != self._door.head_length + visit.body_length:
                raise PeerMessageRefused(Refusal.MALFORMED)
            return await visit.answer(await _read(request, visit.body_length, BODY_SECONDS))


async def _read(request: web.Request, length: int, seconds: float) -> bytes:
    """Exactly so many bytes, in time. Raises `PeerMessageRefused`."""
    try:
        # SECURITY: a sender that stops half way holds its place and our memory for this long and no longer.
        async with asyncio.timeout(seconds):
            return await request.content.readexactly(length)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, web.RequestPayloadError) as error:
        raise PeerMessageRefused(Refusal.CUT) from error
