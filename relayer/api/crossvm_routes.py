"""Our requests as messages between VMs, by that chain's own interfaces (`relayer.crossvm`).

| where | what |
| --- | --- |
| `POST /` | JSON-RPC 2.0: `qor_getCrossVMMessage` with `["<message id>"]` |
| `GET /v1/crossvm/messages/{id}` | one message |
| `GET /v1/crossvm/messages?sender=` | `{messages}` of an account, newest first; `limit` 1 to 200 |
| `GET /v1/crossvm/pending` | `{messages}` that wait, newest first; `limit` |
| `GET /v1/crossvm/params` | limits, under that chain's names |

Its job: look messages up and write them. Subscriptions are `crossvm_socket`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import orjson
from aiohttp import web

from attestation.address import parse_account_text
from attestation.errors import MalformedAddress, MalformedRequest
from attestation.request import parse_request_id
from relayer.api.errors import error_response
from relayer.api.json_rpc import SERVER_ERROR, Call, RpcRefused, parse_call
from relayer.api.reading import ReadingPlaces
from relayer.crossvm import limits
from relayer.crossvm.messages import OPEN_STATES, OPEN_STATUSES, Writing, message_view, parse_message_id, state_of
from relayer.domain.tracked import TrackedRequest
from relayer.errors import TransientError
from relayer.ports.node_status import NodeStatus
from relayer.ports.store import RequestFilter, Store

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
"""Messages in one answer."""

MAX_CALL_BYTES: Final = 4_096
"""A JSON-RPC call: its one parameter is an id."""

CALL_SECONDS: Final = 2.0
"""For a call, which fits one packet or a few, once the headers are there."""


class MessageNotFound(LookupError):  # noqa: N818 - errors of this project are named by the fault alone
    """This node has no such message, or the text is no id."""


class CrossVmRoutes:
    """The read-only routes."""

    def __init__(self, *, store: Store, status: NodeStatus, writing: Writing, places: ReadingPlaces) -> None:
        self._store = store
        self._status = status
        self._writing = writing
        self._places = places

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/", self._call)
        for path, handler in (
            ("/v1/crossvm/messages/{id}", self._show_message),
            ("/v1/crossvm/messages", self._list_of_sender),
            ("/v1/crossvm/pending", self._list_pending),
            ("/v1/crossvm/params", self._show_params),
        ):
            app.router.add_get(path, self._places.bound(handler))

    async def _show_message(self, request: web.Request) -> web.Response:
        try:
            return _json(await self._load_message(request.match_info["id"]))
        except MessageNotFound as error:
            return error_response(404, "unknown_message", str(error))

    async def _list_of_sender(self, request: web.Request) -> web.Response:
        text = request.query.get("sender", "")
        senders = list(self._accounts(text))
        if not senders:
            return error_response(400, "malformed_query", f"sender: {text!r} is no account of this node's chains")
        try:
            limit = _limit(request)
        except ValueError as error:
            return error_response(400, "malformed_query", str(error))
        found: list[tuple[int, TrackedRequest]] = []
        for sender in senders:
            found += await self._store.list_requests(RequestFilter(sender=sender), limit)
        found.sort(key=lambda item: -item[0])
        return _json({"messages": self._views(found[:limit])})

    async def _list_pending(self, request: web.Request) -> web.Response:
        try:
            limit = _limit(request)
        except ValueError as error:
            return error_response(400, "malformed_query", str(error))
        # Those that were cancelled wait for nothing, and are few.
        found = await self._store.list_requests(RequestFilter(statuses=OPEN_STATUSES), limit)
        return _json({"messages": self._views(item for item in found if state_of(item[1]) in OPEN_STATES)})

    async def _show_params(self, _request: web.Request) -> web.Response:
        return _json(
            {
                "max_message_size": limits.MAX_MESSAGE_SIZE,
                "max_queue_size": limits.MAX_QUEUE_SIZE,
                "queue_timeout_blocks": limits.QUEUE_TIMEOUT_BLOCKS,
            }
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        """JSON-RPC 2.0; what goes wrong is an error object of HTTP status 200, as there."""
        try:
            call = parse_call(await _read_call(request))
        except RpcRefused as refusal:
            return _json(refusal.answer(None))

        async def answer(_request: web.Request) -> web.StreamResponse:
            try:
                return _json(call.answer(await self._answer(call)))
            except RpcRefused as refusal:
                return _json(refusal.answer(call.number))

        # SECURITY: a place is taken by a call that is there. Who sends none would hold it from all who read.
        return await self._places.bound(answer)(request)

    async def _answer(self, call: Call) -> dict[str, Any]:
        if call.method != "qor_getCrossVMMessage":
            raise call.unknown()
        try:
            return await self._load_message(call.require_text("message_id"))
        except MessageNotFound as error:
            raise RpcRefused(SERVER_ERROR, str(error)) from None
        except TransientError:
            raise RpcRefused(SERVER_ERROR, "the node cannot look this up now; try again") from None

    async def _load_message(self, text: str) -> dict[str, Any]:
        """By message id, or by request id. Raises `MessageNotFound`."""
        row = parse_message_id(text)
        if row is not None:
            listed = await self._store.list_requests(RequestFilter(before_row=row + 1), 1)
            found = next((request for number, request in listed if number == row), None)
        else:
            try:
                identifier = parse_request_id(text)
            except MalformedRequest:
                raise MessageNotFound(
                    f"{text[:80]!r} is no message id: write crossvm-00000042, or a request id"
                ) from None
            found = (await self._store.load_requests([identifier])).get(identifier)
            row = (await self._store.load_rows([identifier])).get(identifier)
        if found is None or row is None:
            raise MessageNotFound(f"this node has no message {text[:80]}")
        return message_view(row, found, self._writing)

    def _views(self, found: Iterable[tuple[int, TrackedRequest]]) -> list[dict[str, Any]]:
        return [message_view(row, request, self._writing) for row, request in found]

    def _accounts(self, text: str) -> Iterable[bytes]:
        """What the text may mean: an account with its chain, or as any chain of this node writes it alone."""
        for prefix in ("", *(f"{chain.caip2}:" for chain in self._status.chains())):
            try:
                yield parse_account_text(prefix + text).to_bytes()
            except MalformedAddress:
                continue


async def _read_call(request: web.Request) -> bytes:
    """The whole body; nothing of one that is too long, or does not come in time."""
    body = b""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            while len(body) <= MAX_CALL_BYTES and (part := await request.content.read(MAX_CALL_BYTES + 1 - len(body))):
                body += part
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        return b""
    return body if len(body) <= MAX_CALL_BYTES else b""


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE)) and 1 <= int(text) <= MAX_PAGE):
        raise ValueError(f"limit is a number from 1 to {MAX_PAGE}")
    return int(text)


def _json(value: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
