"""Connections that say little, slowly or nothing: each costs little, for a short while."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from relayer.api import peer_routes, server
from relayer.observability.metrics import Metrics
from relayer.peers.bodies import encode_attestations
from relayer.peers.limits import MAX_CONCURRENT_VISITS
from relayer.peers.wire import HEAD_LENGTH, MessageKind
from tests.factories import SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import MovedClock, Node, listening, message, until

ALICE, BOB, CAROL, _ = SIGNING_KEYS
ONE = encode_attestations([attest(execute_batch(track(make_request(0))), ALICE)])


@pytest.fixture
async def bob() -> AsyncIterator[Node]:
    async with listening(BOB, MovedClock(), idle_seconds=0.2) as node:
        yield node


async def _begin(node: Node, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.server.port)
    for part in parts:
        writer.write(part)
    await writer.drain()
    return reader, writer


def _headers(length: int) -> bytes:
    return f"POST /v1/peer HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.read()


async def test_security_a_connection_that_says_nothing_is_closed(bob: Node) -> None:
    """SECURITY: half-open connections would pile up until no descriptor is left."""
    reader, writer = await _begin(bob)
    assert await _rest(reader) == b""
    await until(lambda: bob.server.connections == 0)
    writer.close()


async def test_security_a_connection_that_drips_its_headers_is_closed(bob: Node) -> None:
    """SECURITY: one byte now and then keeps no connection open."""
    reader, writer = await _begin(bob, b"POST /v1/peer HTTP/1.1\r\n")

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.ensure_future(drip())
    assert await _rest(reader) == b""
    dripping.cancel()
    await until(lambda: bob.server.connections == 0)
    writer.close()


async def test_security_a_slow_head_is_cut_off(bob: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: nobody holds a handler by sending slowly."""
    monkeypatch.setattr(peer_routes, "HEAD_SECONDS", 0.05)
    reader, writer = await _begin(bob, _headers(HEAD_LENGTH), b"\x01\x01")
    assert (await _rest(reader)).startswith(b"HTTP/1.1 408")
    assert bob.refused("cut") == 1
    writer.close()


async def test_security_a_slow_body_frees_its_place_in_time(bob: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY: a peer that never finishes holds its own few places only, and not for long."""
    monkeypatch.setattr(peer_routes, "BODY_SECONDS", 0.2)
    slow = []
    for _ in range(MAX_CONCURRENT_VISITS):
        data = message(ALICE, BOB.key, MessageKind.ATTESTATIONS, ONE)
        slow.append(await _begin(bob, _headers(len(data)), data[:-1]))
    await until(lambda: bob.doorkeeper._guests[ALICE.key].visits == MAX_CONCURRENT_VISITS)
    async with aiohttp.ClientSession() as session:
        codes = []
        for sender in (ALICE, CAROL):
            async with session.post(f"{bob.url}/v1/peer", data=message(sender, BOB.key)) as response:
                codes.append(response.status)
        assert codes == [503, 200]
        for reader, writer in slow:
            assert (await _rest(reader)).startswith(b"HTTP/1.1 408")
            writer.close()
        async with session.post(f"{bob.url}/v1/peer", data=message(ALICE, BOB.key)) as response:
            assert response.status == 200
    assert bob.doorkeeper._guests[ALICE.key].visits == 0


async def test_security_connections_are_bounded_in_all() -> None:
    """SECURITY: descriptors and memory are ours, and connecting is free."""
    async with listening(BOB, MovedClock(), max_connections=3) as bob:
        held = []
        for _ in range(5):
            held.append(await _begin(bob))
            await until(lambda: bob.server.connections == min(len(held), 3))
        for reader, _ in held[:2]:
            with suppress(ConnectionResetError):
                assert await _rest(reader) == b""
        assert bob.metrics.registry.get_sample_value("xvm_api_connections_refused_total") == 2
        assert bob.server.connections == 3
        for _, writer in held:
            writer.close()


async def test_security_silent_connections_keep_no_peer_out() -> None:
    """SECURITY: a few addresses have as many connections as there are places, and opening them is free."""
    async with listening(BOB, MovedClock(), max_connections=3) as bob:
        silent = [await _begin(bob, part) for part in (b"", b"GET / HTTP/1.1\r\n", _headers(HEAD_LENGTH))]
        await until(lambda: bob.server.connections == 3)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{bob.url}/v1/peer", data=message(ALICE, BOB.key)) as response,
        ):
            assert response.status == 200
        for _, writer in silent:
            writer.close()


async def test_security_a_peer_that_is_heard_keeps_its_place() -> None:
    """SECURITY: who opens connections without end must not close the peers' amid their messages, nor between them."""
    async with listening(BOB, MovedClock(), max_connections=3) as bob:
        data = message(ALICE, BOB.key, MessageKind.ATTESTATIONS, ONE)
        reader, writer = await _begin(bob, _headers(len(data)), data[:-1])
        await until(lambda: bob.doorkeeper._guests[ALICE.key].visits == 1)
        flood = [await _begin(bob) for _ in range(6)]
        await until(lambda: bob.metrics.registry.get_sample_value("xvm_api_connections_refused_total") == 4)
        writer.write(data[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await until(lambda: bob.doorkeeper._guests[ALICE.key].visits == 0)
        # Its silence begins anew: the two that are there since before give way first.
        flood += [await _begin(bob) for _ in range(2)]
        await until(lambda: bob.metrics.registry.get_sample_value("xvm_api_connections_refused_total") == 6)
        again = message(ALICE, BOB.key)
        writer.write(_headers(len(again)) + again)
        await reader.readuntil(b"HTTP/1.1 200")
        for _, opened in [*flood, (reader, writer)]:
            opened.close()


async def test_security_where_peers_are_heard_on_all_places_no_more_are_let_in() -> None:
    """SECURITY: descriptors are bounded, whoever takes them."""
    async with listening(BOB, MovedClock(), max_connections=1) as bob:
        data = message(ALICE, BOB.key, MessageKind.ATTESTATIONS, ONE)
        _, writer = await _begin(bob, _headers(len(data)), data[:-1])
        await until(lambda: bob.doorkeeper._guests[ALICE.key].visits == 1)
        assert bob.server.enter("192.0.2.1") is None
        writer.close()


async def test_security_one_address_takes_no_more_than_its_part() -> None:
    """SECURITY: one machine must not take all the connections there are."""
    async with listening(BOB, MovedClock(), max_connections_per_address=2) as bob:
        held = [await _begin(bob) for _ in range(2)]
        await until(lambda: bob.server.connections == 2)
        assert bob.server.enter("127.0.0.1") is None
        stranger = bob.server.enter("192.0.2.1")
        assert stranger is not None
        bob.server.leave(stranger)
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ],
)
def test_security_an_ipv6_network_counts_as_one_address(address: str, group: str) -> None:
    """SECURITY: every household has 2^64 addresses."""
    assert server._address_group(address) == group


async def test_security_a_compressed_body_is_never_unpacked() -> None:
    """SECURITY: a few kilobytes could become gigabytes."""

    async def measure(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app = web.Application()
    app.router.add_post("/", measure)
    bomb = gzip.compress(bytes(1 << 20))
    async with (
        server.ApiServer(app, Metrics(), host="127.0.0.1", port=0) as listener,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{listener.port}", data=bomb, headers={"Content-Encoding": "gzip"}) as response,
    ):
        assert await response.text() == str(len(bomb))


async def test_security_a_reader_that_is_slow_makes_us_hold_little() -> None:
    """SECURITY: an answer that nobody reads waits with its writer, not in our memory."""
    written = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(bytes(1 << 18))
            written += 1 << 18
        return response

    app = web.Application()
    app.router.add_get("/", pour)
    async with server.ApiServer(app, Metrics(), host="127.0.0.1", port=0) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1 << 12)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await reader.readline()
        held = -1
        while written != held:
            held = written
            for _ in range(50):
                await asyncio.sleep(0)
        assert held < 64 << 18
        assert len(await _rest(reader)) > 64 << 18
        writer.close()


async def test_pipelined_messages_are_answered_in_order(bob: Node) -> None:
    first, second = message(ALICE, BOB.key), message(CAROL, BOB.key)
    reader, writer = await _begin(bob, _headers(len(first)), first, _headers(len(second)), second)
    answers = await _rest(reader)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    writer.close()


async def test_what_a_refused_sender_had_still_to_say_is_not_taken_for_a_message(bob: Node) -> None:
    smuggled = message(ALICE, BOB.key, MessageKind.ATTESTATIONS, ONE)
    inner = _headers(len(smuggled)) + smuggled
    reader, writer = await _begin(bob, _headers(HEAD_LENGTH + len(inner)), b"\0" * HEAD_LENGTH, inner)
    answers = await _rest(reader)
    assert answers.count(b"HTTP/1.1") == 1
    assert bob.inbox.calls == 0
    writer.close()


async def test_a_server_that_stops_closes_its_connections() -> None:
    async with listening(BOB, MovedClock()) as bob:
        reader, writer = await _begin(bob)
        await until(lambda: bob.server.connections == 1)
    assert await _rest(reader) == b""
    writer.close()
