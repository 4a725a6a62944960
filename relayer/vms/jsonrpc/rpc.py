"""One JSON-RPC endpoint of a chain, over kept-open HTTP connections.

Its job: many calls in one exchange, and from whatever the endpoint says either answers or `RpcUnavailable`. SECURITY:
an endpoint is hostile input: bodies are bounded, every exchange has a deadline, answers are matched by id, nothing is
followed or decompressed. It must not judge what an answer means, nor show the endpoint's URL, which may hold a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import orjson

from relayer.errors import RpcUnavailable
from relayer.ports.vm import UNMETERED, RpcMeter

MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one response body: several times the logs of the fullest block, and what a node can hold many times over."""

MAX_POURED_BYTES: Final = 2 * 1024 * 1024 * 1024
"""Bytes of a response body that is read as it comes: more than the events of the fullest block of any chain."""

POUR_SECONDS: Final = 300.0
"""For such a body, of which pieces must come as answers must."""

MAX_UNCOUNTED_BYTES: Final = 1024 * 1024
"""Bytes of a response body up to which it may hold as many values as fit: tens of milliseconds and megabytes."""

MAX_PARALLEL_EXCHANGES: Final = 4
"""Exchanges under way at once at one endpoint: enough to hide latency, not so many as to be throttled."""

_MAX_CONNECTIONS: Final = 4 * MAX_PARALLEL_EXCHANGES
"""To one endpoint: watching, preparing, confirming and answering do not wait for each other."""

_KEEPALIVE_SECONDS: Final = 60.0  # longer than any block time, so that the next block finds the connections open
_MAX_SHOWN_CHARACTERS: Final = 200  # of what an endpoint wrote, in an error: enough to recognise it
_HTTP_OK: Final = 200
_HEADERS: Final = {
    "Content-Type": "application/json",
    # A compressed body has no bound that holds before it is unpacked, and unpacking costs more than loopback or a LAN.
    "Accept-Encoding": "identity",
}


def open_session() -> aiohttp.ClientSession:
    """The connections that a chain's endpoints share."""
    connector = aiohttp.TCPConnector(limit_per_host=_MAX_CONNECTIONS, keepalive_timeout=_KEEPALIVE_SECONDS)
    # SECURITY: compressed answers are not asked for; one that comes all the same is not unpacked, for it has no bound.
    # SECURITY: no endpoint's cookies are kept: one could set some for `com`, and have the others refuse our headers.
    jar = aiohttp.DummyCookieJar()
    # SECURITY: calls follow no redirect, but the handshake of a WebSocket would, to hosts that only we can reach.
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=jar, auto_decompress=False, trust_env=False, trace_configs=[tracing]
    )


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: Any, redirect: aiohttp.TraceRequestRedirectParams
) -> None:
    redirect.response.close()
    raise aiohttp.ClientConnectionError("a redirect is not followed")


class ExchangeLimits(NamedTuple):
    """The most that one HTTP exchange carries. A single call that is larger travels alone.

    Beyond 100 calls the gain is small, and public endpoints refuse larger batches; nodes refuse bodies from 2 MB on.

    The last two are bytes that a body of more than `MAX_UNCOUNTED_BYTES` has, on average, for each object and list, and
    for each comma, of which there is one between any two values. On EVM the shortest there are many of are a log
    without topics or data, 165 bytes with a comma every 33, and a withdrawal in a header, 109 with one every 27; a
    transaction's hash in a header has 69.
    """

    calls: int = 100
    request_bytes: int = 1_000_000
    bytes_per_container: int = 64
    bytes_per_comma: int = 20


DEFAULT_LIMITS: Final = ExchangeLimits()


class RpcCall(NamedTuple):
    """A method and its parameters, as JSON values, by place or by name."""

    method: str
    params: Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RpcFault:
    """The endpoint's own error to one call: JSON-RPC's code and message, and its data as it came (untrusted)."""

    code: int
    message: str
    data: Any = None

    def __str__(self) -> str:
        return f"{self.message[:_MAX_SHOWN_CHARACTERS]} ({self.code})"


class ResponseTooLarge(RpcUnavailable):
    """The body went beyond its bound: ask for less at once."""


class RpcEndpoint:
    """One endpoint, the `number`th of its chain.

    `label` names it in logs and errors: scheme, host, port and number, never path, query or credentials.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        number: int,
        timeout_seconds: float,
        meter: RpcMeter = UNMETERED,
        limits: ExchangeLimits = DEFAULT_LIMITS,
    ) -> None:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        self.label: Final = f"{parts.scheme}://{parts.hostname}{port}#{number}"
        self._number = number
        self._meter = meter
        self._limits = limits
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._next_id = 1
        self._parallel = asyncio.Semaphore(MAX_PARALLEL_EXCHANGES)

    def __repr__(self) -> str:
        return f"RpcEndpoint({self.label})"

    async def call(self, calls: Sequence[RpcCall]) -> list[Any]:
        """The calls' results in order, each a JSON value or an `RpcFault`.

        Few calls are one HTTP exchange; many are cut into several, so they may be answered as of different blocks.

        Raises:
            RpcUnavailable: no complete, well-formed answer within the timeout, which holds for each exchange.
        """
        parts = list(_cut(calls, self._limits))
        if len(parts) == 1:
            return await self._exchange(parts[0])
        tasks: list[asyncio.Task[list[Any]]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks.extend(group.create_task(self._exchange(part)) for part in parts)
        except* RpcUnavailable as failures:
            raise _first(failures) from None
        return [answer for task in tasks for answer in task.result()]

    async def call_in_order(self, calls: Sequence[RpcCall]) -> list[Any]:
        """As `call`, but no exchange begins before the one before it is answered."""
        return [answer for part in _cut(calls, self._limits) for answer in await self._exchange(part)]

    async def pour(self, call: RpcCall, into: Callable[[bytes], None]) -> None:
        """The body of the answer to one call, piece by piece as it comes, for answers larger than `call` takes.

        Nothing of it is kept or looked at here. Raises `RpcUnavailable`, and what `into` raises.
        """
        timeout = aiohttp.ClientTimeout(total=POUR_SECONDS, sock_read=self._timeout.total)
        body = b'{"jsonrpc":"2.0","id":%d,%b' % (self._next_id, _encode(call)[1:])
        self._next_id += 1
        with self._metered(calls=1):
            async with self._parallel:
                with self._told_apart(timeout):
                    await self._post_once(body, timeout, MAX_POURED_BYTES, into)

    async def _exchange(self, encoded: Sequence[bytes]) -> list[Any]:
        with self._metered(len(encoded)):
            return await self._ask(encoded)

    @contextmanager
    def _metered(self, calls: int) -> Iterator[None]:
        started, fault = time.perf_counter(), ""
        try:
            yield
        except RpcUnavailable as error:
            fault = error.code
            raise
        finally:
            self._meter.exchanged(self._number, calls, time.perf_counter() - started, fault)

    async def _ask(self, encoded: Sequence[bytes]) -> list[Any]:
        first_id = self._next_id
        self._next_id += len(encoded)
        calls = (
            b'{"jsonrpc":"2.0","id":%d,%b' % (first_id + place, members[1:]) for place, members in enumerate(encoded)
        )
        async with self._parallel:
            text = await self._post(b"[%b]" % b",".join(calls))
        # SECURITY: a body of nothing but tiny values takes gigabytes and seconds of the event loop to parse.
        if _is_dense(text, self._limits):
            raise RpcUnavailable(f"{self.label} answered with more values than its {len(text)} bytes can mean")
        try:
            answers = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise RpcUnavailable(f"{self.label} answered with no JSON") from None
        return self._match(answers, first_id, len(encoded))

    async def _post(self, body: bytes) -> bytes:
        with self._told_apart(self._timeout):
            try:
                return await self._post_for_text(body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError, aiohttp.ClientOSError):
                # Nodes close idle connections, now and then under our hands. Every call may be made twice.
                return await self._post_for_text(body)

    @contextmanager
    def _told_apart(self, timeout: aiohttp.ClientTimeout) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise RpcUnavailable(f"{self.label} did not answer in {timeout.total} s") from None
        except aiohttp.ClientError as error:
            # The library's errors may show the URL, so only their kind is kept.
            raise RpcUnavailable(f"{self.label}: {type(error).__name__}") from None

    async def _post_for_text(self, body: bytes) -> bytes:
        chunks: list[bytes] = []
        await self._post_once(body, self._timeout, MAX_RESPONSE_BYTES, chunks.append)
        return b"".join(chunks)

    async def _post_once(
        self, body: bytes, patience: aiohttp.ClientTimeout, most: int, into: Callable[[bytes], None]
    ) -> None:
        async with self._session.post(
            self._url,
            data=body,
            headers=_HEADERS,
            timeout=patience,
            # SECURITY: a redirect would let an endpoint point us at hosts that only we can reach.
            allow_redirects=False,
        ) as response:
            if response.status != _HTTP_OK:
                raise RpcUnavailable(f"{self.label} answered with HTTP status {response.status}")
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                # SECURITY: without the bound one endpoint could exhaust the relayer's memory, or its time.
                if size > most:
                    raise ResponseTooLarge(f"{self.label} answered with more than {most} bytes")
                into(chunk)

    def _match(self, answers: Any, first_id: int, count: int) -> list[Any]:
        if count == 1 and self._place(answers, first_id, count) is not None:
            # CometBFT answers a batch of one as if the call had come without one.
            answers = [answers]
        if not isinstance(answers, list):
            # Nodes refuse a whole batch with one error object.
            fault = _parse_fault(answers.get("error")) if isinstance(answers, dict) else None
            raise RpcUnavailable(f"{self.label} refused the batch: {fault or 'no error given'}")
        results: list[Any] = [_MISSING] * count
        for answer in answers:
            place = self._place(answer, first_id, count)
            # SECURITY: an answer under a wrong or repeated id would pass for that of another call.
            if place is None or results[place] is not _MISSING:
                raise RpcUnavailable(f"{self.label} answered under a wrong id")
            error = answer.get("error")
            if error is not None:
                fault = _parse_fault(error)
                if fault is None:
                    raise RpcUnavailable(f"{self.label} answered with a malformed error")
                results[place] = fault
            elif "result" in answer:
                results[place] = answer["result"]
            else:
                raise RpcUnavailable(f"{self.label} answered with neither result nor error")
        if any(result is _MISSING for result in results):
            raise RpcUnavailable(f"{self.label} left calls unanswered")
        return results

    @staticmethod
    def _place(answer: Any, first_id: int, count: int) -> int | None:
        identifier = answer.get("id") if isinstance(answer, dict) else None
        if type(identifier) is not int or not first_id <= identifier < first_id + count:
            return None
        return identifier - first_id


def are_distinct(urls: Sequence[str]) -> bool:
    """Whether no two URLs are of one endpoint, however they are written: with or without its port, or credentials."""
    return len({_place_of(url) for url in urls}) == len(urls)


def require_result(answer: Any, endpoint: RpcEndpoint) -> Any:
    """The result of a call that has no business failing. Raises `RpcUnavailable` for a fault."""
    if isinstance(answer, RpcFault):
        raise RpcUnavailable(f"{endpoint.label}: {answer}")
    return answer


_MISSING: Final = object()
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _place_of(url: str) -> tuple[str, int | None, str, str]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return host, parts.port or _DEFAULT_PORTS.get(parts.scheme), parts.path.rstrip("/"), parts.query


def _is_dense(text: bytes, limits: ExchangeLimits) -> bool:
    """Whether this JSON is large and holds more values than any answer of that length. Counts within strings, too."""
    if len(text) <= MAX_UNCOUNTED_BYTES:
        return False
    return text.count(b",") * limits.bytes_per_comma > len(text) or (
        text.count(b"{") + text.count(b"[")
    ) * limits.bytes_per_container > len(text)


def _parse_fault(error: Any) -> RpcFault | None:
    if not isinstance(error, dict):
        return None
    code, message = error.get("code"), error.get("message")
    if type(code) is not int or not isinstance(message, str):
        return None
    return RpcFault(code, message, error.get("data"))


def _encode(call: RpcCall) -> bytes:
    """Without the members that every call has."""
    return orjson.dumps({"method": call.method, "params": call.params})


def _cut(calls: Sequence[RpcCall], limits: ExchangeLimits) -> Iterator[list[bytes]]:
    """The calls' encodings, without the members that every call has, in parts that each fit an exchange."""
    part: list[bytes] = []
    size = 0
    for call in calls:
        encoded = _encode(call)
        if part and (len(part) == limits.calls or size + len(encoded) > limits.request_bytes):
            yield part
            part, size = [], 0
        part.append(encoded)
        size += len(encoded)
    if part:
        yield part


def _first(group: BaseExceptionGroup[RpcUnavailable]) -> RpcUnavailable:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
