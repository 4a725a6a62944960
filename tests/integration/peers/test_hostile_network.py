"""Somebody sits between two relayers and answers as they like: they can be silent, and nothing else."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web

from attestation.keccak import keccak256
from attestation.schemes import SigningKey
from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.peers.bodies import encode_page, encode_statements_answer
from relayer.peers.client import HttpPeers, PeerAddress
from relayer.peers.wire import HEAD_LENGTH, MAX_BODY_BYTES, Head, MessageKind, SignedHead, parse_head
from relayer.ports.peers import AttestationPage
from tests.factories import NOW, SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import STRANGER, MovedClock, impostor, message, reaching

ALICE, BOB, CAROL, _ = SIGNING_KEYS
BATCH, OTHER_BATCH = (execute_batch(track(make_request(nonce))) for nonce in range(2))
PAGE = encode_page(AttestationPage((attest(BATCH, BOB),), "1", is_end=True))


def _answer(request: bytes, body: bytes, signer: SigningKey = BOB, **changes: object) -> bytes:
    """The answer of the peer to a request. `changes` are fields of its head, made before it is signed."""
    asked = parse_head(request[:HEAD_LENGTH]).head
    head = Head(
        kind=asked.kind,
        is_answer=True,
        network=asked.network,
        sender=BOB.key,
        recipient=asked.sender,
        sent_at_milliseconds=int(NOW * 1000),
        reference=asked.digest(),
        body_length=len(body),
        body_hash=keccak256(body),
    )
    head = replace(head, **changes)  # type: ignore[arg-type]
    return SignedHead(head, signer.sign(head.digest())).to_bytes() + body


@asynccontextmanager
async def _behind(answer: Callable[[bytes], bytes | web.StreamResponse]) -> AsyncIterator[HttpPeers]:
    async with (
        impostor(answer) as url,
        reaching(ALICE, MovedClock(), PeerAddress(BOB.key, BOB.key, url), is_running=False) as peers,
    ):
        yield peers


async def test_the_honest_answer_is_taken() -> None:
    async with _behind(lambda request: _answer(request, PAGE)) as peers:
        page = await peers.fetch_attestations(BOB.key, "")
    assert page.attestations == (attest(BATCH, BOB),)


@pytest.mark.parametrize(
    "forge",
    [
        lambda request: _answer(request, PAGE, signer=STRANGER),
        lambda request: _answer(request, PAGE, signer=CAROL),
        lambda request: _answer(request, PAGE, signer=CAROL, sender=CAROL.key),
        lambda request: _answer(request, PAGE, recipient=CAROL.key),
        lambda request: _answer(request, PAGE, network=bytes(32)),
        lambda request: _answer(request, PAGE, reference=bytes(32)),
        lambda request: _answer(request, PAGE, is_answer=False),
        lambda request: _answer(request, PAGE, kind=MessageKind.FETCH_STATEMENTS),
        lambda request: _answer(request, PAGE)[:-1],
        lambda request: _answer(request, PAGE) + b"\0",
        lambda request: _answer(request, PAGE)[:-1] + b"\xff",
        lambda request: request,
        lambda _: b"",
        lambda _: b"\0" * HEAD_LENGTH,
        lambda request: _answer(request, b"\x00\x01\x00\x01"),
        lambda _: b"\x01" * (MAX_BODY_BYTES + HEAD_LENGTH + 1),
    ],
    ids=[
        "signed by a stranger",
        "signed by another peer",
        "of another peer",
        "to another recipient",
        "of another network",
        "to another request",
        "a request",
        "of another kind",
        "cut",
        "longer",
        "changed",
        "the request itself",
        "empty",
        "zeros",
        "signed nonsense",
        "too long",
    ],
)
async def test_security_an_answer_that_is_not_the_peers_to_this_request_is_refused(
    forge: Callable[[bytes], bytes],
) -> None:
    """SECURITY: nobody on the line can put words into a peer's mouth."""
    async with _behind(forge) as peers:
        with pytest.raises(PeerMessageInvalid):
            await peers.fetch_attestations(BOB.key, "")


async def test_security_a_recorded_answer_answers_nothing_else() -> None:
    """SECURITY: yesterday's answer to the same question is not today's."""
    recorded: list[bytes] = []

    def replay(request: bytes) -> bytes:
        recorded.append(_answer(request, PAGE))
        return recorded[0]

    async with _behind(replay) as peers:
        await peers.fetch_attestations(BOB.key, "")
        with pytest.raises(PeerMessageInvalid, match="to this request"):
            await peers.fetch_attestations(BOB.key, "")


async def test_security_not_even_the_peer_itself_can_feed_other_leaves() -> None:
    """SECURITY: leaves are what hashes to the root that was asked for, whoever serves them."""
    async with _behind(lambda request: _answer(request, encode_statements_answer(OTHER_BATCH.statements))) as peers:
        with pytest.raises(PeerMessageInvalid, match="do not hash"):
            await peers.fetch_statements(BOB.key, BATCH.root)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500, 503])
async def test_a_bare_http_status_is_nobodys_word(status: int) -> None:
    async with _behind(lambda _: web.Response(status=status, headers={"Location": "/v1/peer"})) as peers:
        with pytest.raises(PeerUnavailable, match=str(status)):
            await peers.fetch_attestations(BOB.key, "")


async def test_security_nobody_is_asked_but_the_configured_address() -> None:
    """SECURITY: a redirect would let anybody on the line point us at inner services."""
    asked: list[bytes] = []

    def seen(request: bytes) -> bytes:
        asked.append(request)
        return _answer(request, PAGE)

    async with impostor(seen) as elsewhere:
        moved = web.Response(status=307, headers={"Location": f"{elsewhere}/v1/peer"})
        async with _behind(lambda _: moved) as peers:
            with pytest.raises(PeerUnavailable, match="307"):
                await peers.fetch_attestations(BOB.key, "")
    assert asked == []


async def test_security_a_compressed_answer_is_never_unpacked() -> None:
    """SECURITY: a few kilobytes could become gigabytes. Not even an honest answer may come compressed."""

    def compressed(request: bytes) -> web.Response:
        return web.Response(body=gzip.compress(_answer(request, PAGE)), headers={"Content-Encoding": "gzip"})

    async with _behind(compressed) as peers:
        with pytest.raises(PeerMessageInvalid):
            await peers.fetch_attestations(BOB.key, "")


async def test_security_an_endless_answer_is_read_no_further_than_its_limit() -> None:
    """SECURITY: nobody makes us hold more than one answer can have."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with reaching(ALICE, MovedClock(), PeerAddress(BOB.key, BOB.key, url), is_running=False) as peers:
            with pytest.raises(PeerMessageInvalid, match="longer than"):
                await peers.fetch_attestations(BOB.key, "")


async def test_an_answer_that_breaks_off_is_none() -> None:
    def broken(request: bytes) -> web.Response:
        response = web.Response(body=_answer(request, PAGE))
        response.headers["Content-Length"] = "5000"
        response.force_close()
        return response

    async with _behind(broken) as peers:
        with pytest.raises((PeerUnavailable, PeerMessageInvalid)):
            await peers.fetch_attestations(BOB.key, "")


async def test_no_two_requests_are_alike() -> None:
    asked: list[bytes] = []

    def seen(request: bytes) -> bytes:
        asked.append(request)
        return _answer(request, PAGE)

    async with _behind(seen) as peers:
        await peers.fetch_attestations(BOB.key, "")
        await peers.fetch_attestations(BOB.key, "")
    assert len({parse_head(request[:HEAD_LENGTH]).head.digest() for request in asked}) == 2
    assert message(ALICE, BOB.key) != message(ALICE, BOB.key)
