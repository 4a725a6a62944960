"""How the API says no: `{"error": {"code": …, "message": …}}`, whatever went wrong. Codes are stable, texts are not."""

from __future__ import annotations

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from relayer.errors import TransientError


def error_response(status: int, code: str, message: str) -> web.Response:
    """A refusal as JSON."""
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return web.Response(status=status, body=body, content_type="application/json")


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what handlers raise on purpose into JSON; anything else is a bug and a bare 500."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        code = error.reason.lower().replace(" ", "_")
        return error_response(error.status, code, error.reason)
    except TransientError as error:
        return error_response(503, error.code, "the node cannot look this up now; try again")
