"""Asking relayers' APIs.

Its job: read-only GETs, bounded and with a deadline, and the relayer's own words where it says no. It interprets no
answer; `relayer.api.views` documents their shapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from relayer.cli.devnet_file import load_devnet
from relayer.errors import RejectedError, TransientError

ASK_SECONDS: Final = 10.0
"""For one answer; a node that is under load refuses at once."""

MAX_ANSWER_BYTES: Final = 16 << 20
"""A page of 200 requests, or one request with the longest payload and return data, has under 1 MB."""

Parameters = Sequence[tuple[str, str]]


class RelayerUnavailable(TransientError):  # noqa: N818 - named as relayer.errors names its own
    """No relayer answered, or none that makes sense."""

    code = "relayer_unavailable"


class RelayerRefused(RejectedError):  # noqa: N818
    """The relayer answered that it will not or cannot tell; the text is its own."""

    code = "relayer_refused"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = code


@dataclass(frozen=True, slots=True)
class RelayerAddress:
    """A relayer: its name for people, and the URL below which its API is served."""

    name: str
    url: str


def relayers_of(api: str | None, devnet: Path) -> list[RelayerAddress]:
    """The one at `api`, else all of the devnet in this folder. Raises `ConfigError`."""
    if api is not None:
        return [RelayerAddress(api, api)]
    return [RelayerAddress(relayer.name, relayer.api_url) for relayer in load_devnet(devnet).relayers]


def ask_first(relayers: Sequence[RelayerAddress], path: str, parameters: Parameters = ()) -> dict[str, Any]:
    """The answer of the first relayer, in order, that answers at all.

    Raises:
        RelayerUnavailable: none did.
        RelayerRefused: it says no.
    """

    async def ask_in_turn() -> dict[str, Any]:
        faults: list[str] = []
        async with _session() as session:
            for relayer in relayers:
                try:
                    return await _ask(session, relayer, path, parameters)
                except RelayerUnavailable as error:
                    faults.append(str(error))
        raise RelayerUnavailable("; ".join(faults) or "no relayer is named")

    return asyncio.run(ask_in_turn())


def ask_all(relayers: Sequence[RelayerAddress], path: str) -> Mapping[str, dict[str, Any] | str]:
    """What each relayer answers, by name: a document, or in words why there is none."""

    async def ask_one(session: aiohttp.ClientSession, relayer: RelayerAddress) -> dict[str, Any] | str:
        try:
            return await _ask(session, relayer, path, ())
        except (RelayerUnavailable, RelayerRefused) as error:
            return str(error)

    async def ask_together() -> list[dict[str, Any] | str]:
        async with _session() as session:
            return await asyncio.gather(*(ask_one(session, relayer) for relayer in relayers))

    return dict(zip((relayer.name for relayer in relayers), asyncio.run(ask_together()), strict=True))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS))


async def _ask(
    session: aiohttp.ClientSession, relayer: RelayerAddress, path: str, parameters: Parameters
) -> dict[str, Any]:
    url = f"{relayer.url.rstrip('/')}{path}"
    try:
        async with session.get(url, params=parameters) as response:
            body = b""
            while len(body) < MAX_ANSWER_BYTES and (part := await response.content.read(MAX_ANSWER_BYTES - len(body))):
                body += part
            status = response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = "" if isinstance(error, aiohttp.ClientConnectorError) else f" ({type(error).__name__})"
        raise RelayerUnavailable(f"{relayer.name} does not answer at {relayer.url}{reason}; is it running?") from None
    return _parse(relayer, status, body)


def _parse(relayer: RelayerAddress, status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    # SECURITY: libraries raise the interpreter's recursion limit, and the standard parser then dies of deep nesting.
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise RelayerUnavailable(f"{relayer.url} answers {status} and no JSON object; is it a relayer's API?")
    if status == HTTPStatus.OK:
        return answer
    error = answer.get("error")
    if not isinstance(error, dict):
        raise RelayerUnavailable(f"{relayer.url} answers {status} without a reason; is it a relayer's API?")
    code, message = str(error.get("code")), str(error.get("message"))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RelayerUnavailable(f"{relayer.name}: {message}")
    raise RelayerRefused(code, f"{relayer.name}: {message}")
