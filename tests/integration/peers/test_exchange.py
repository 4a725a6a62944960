"""Two honest relayers over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.observability.metrics import Metrics, peer_label
from relayer.peers.bodies import MAX_ATTESTATIONS
from relayer.peers.client import HEADS_SECONDS, HEARTBEAT_SECONDS, PeerAddress
from relayer.peers.outgoing import MAX_QUEUED
from relayer.peers.wire import network_id
from relayer.ports.node_status import PeerHead
from tests.factories import SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import STRANGER, MovedClock, Node, listening, reaching, until

ALICE, BOB, CAROL, _ = SIGNING_KEYS
BATCHES = [execute_batch(track(make_request(nonce))) for nonce in range(3)]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def alice(clock: MovedClock) -> AsyncIterator[Node]:
    async with listening(ALICE, clock) as node:
        yield node


@pytest.fixture
async def bob(clock: MovedClock) -> AsyncIterator[Node]:
    async with listening(BOB, clock) as node:
        yield node


async def test_two_relayers_exchange_their_attestations(alice: Node, bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address) as to_bob, reaching(BOB, clock, alice.address) as to_alice:
        of_alice = [attest(batch, ALICE) for batch in BATCHES]
        of_bob = [attest(batch, BOB) for batch in BATCHES]
        await to_bob.push(of_alice)
        await to_alice.push(of_bob)
        await until(lambda: len(bob.inbox.received) == len(alice.inbox.received) == 3)
    assert bob.inbox.received == [(ALICE.key, attestation) for attestation in of_alice]
    assert alice.inbox.received == [(BOB.key, attestation) for attestation in of_bob]


async def test_many_attestations_travel_in_few_messages(bob: Node, clock: MovedClock) -> None:
    attestation = attest(BATCHES[0], ALICE)
    async with reaching(ALICE, clock, bob.address) as to_bob:
        await to_bob.push([attestation] * (MAX_ATTESTATIONS + 100))
        await until(lambda: len(bob.inbox.received) == MAX_ATTESTATIONS + 100)
    assert bob.inbox.calls == 2


async def test_what_was_missed_is_fetched_by_cursor(bob: Node, clock: MovedClock) -> None:
    bob.inbox.own = [attest(BATCHES[index % 3], BOB, epoch=index + 1) for index in range(MAX_ATTESTATIONS + 5)]
    async with reaching(ALICE, clock, bob.address) as to_bob:
        first = await to_bob.fetch_attestations(BOB.key, "")
        rest = await to_bob.fetch_attestations(BOB.key, first.cursor)
        assert (first.is_end, rest.is_end) == (False, True)
        assert [*first.attestations, *rest.attestations] == bob.inbox.own
        with pytest.raises(PeerUnavailable):
            await to_bob.fetch_attestations(BOB.key, "not a cursor")


async def test_statements_are_fetched_by_root(bob: Node, clock: MovedClock) -> None:
    bob.inbox.batches = {BATCHES[0].root: BATCHES[0]}
    async with reaching(ALICE, clock, bob.address) as to_bob:
        assert await to_bob.fetch_statements(BOB.key, BATCHES[0].root) == BATCHES[0].statements
        with pytest.raises(PeerMessageInvalid, match="does not serve"):
            await to_bob.fetch_statements(BOB.key, BATCHES[1].root)


async def test_a_peer_that_answers_pings_is_up_and_tells_its_heads(bob: Node, clock: MovedClock) -> None:
    bob.heads.append(PeerHead("eip155:1", 9, 7))
    async with reaching(ALICE, clock, bob.address) as to_bob:
        await until(lambda: to_bob.is_up(BOB.key))
        (status,) = to_bob.statuses()
    assert (status.heads, status.last_answer_at, status.queued) == ((PeerHead("eip155:1", 9, 7),), clock.now(), 0)
    assert abs(status.clock_offset_seconds) < 0.002


async def test_a_peer_that_stops_is_down_after_two_pings_and_up_again_after_one(clock: MovedClock) -> None:
    async with listening(BOB, clock) as bob:
        address, port = bob.address, bob.server.port
        peers = reaching(ALICE, clock, address)
        to_bob = await peers.__aenter__()
        await until(lambda: to_bob.is_up(BOB.key) and clock.sleepers == 1)
    seen = []
    for _ in range(2):
        clock.move(HEARTBEAT_SECONDS)
        await until(lambda: clock.sleepers == 1)
        seen.append(to_bob.is_up(BOB.key))
    async with listening(BOB, clock, port=port):
        clock.move(HEARTBEAT_SECONDS)
        await until(lambda: clock.sleepers == 1)
        seen.append(to_bob.is_up(BOB.key))
        await peers.__aexit__(None, None, None)
    assert seen == [True, False, True]


async def test_who_comes_first_is_told_at_once_and_the_others_with_the_next_heartbeat(clock: MovedClock) -> None:
    async with listening(BOB, clock) as bob, listening(CAROL, clock) as carol:
        async with reaching(ALICE, clock, bob.address, carol.address) as peers:
            await until(lambda: clock.sleepers == 2)
            for batch in BATCHES[:2]:
                await peers.push([attest(batch, ALICE)], {BOB.key})
                await until(lambda: peers.statuses()[0].queued == 0)
            assert (len(bob.inbox.received), carol.inbox.calls) == (2, 0)
            clock.move(HEARTBEAT_SECONDS)
            await until(lambda: carol.inbox.calls == 1)
        assert len(carol.inbox.received) == 2


async def test_a_peer_that_says_something_or_answers_is_up_and_not_pinged(bob: Node, clock: MovedClock) -> None:
    metrics = Metrics()

    def pings() -> float | None:
        labels = {"peer": peer_label(BOB.key), "kind": "ping", "result": "answered"}
        return metrics.registry.get_sample_value("xvm_peer_exchanges_total", labels)

    async with reaching(ALICE, clock, bob.address, metrics=metrics) as to_bob:
        await until(lambda: clock.sleepers == 1)
        assert pings() == 1
        clock.move(HEARTBEAT_SECONDS - 1)
        to_bob.note_heard(BOB.key)
        clock.move(1)
        await until(lambda: clock.sleepers == 1)
        await to_bob.fetch_attestations(BOB.key, "")
        clock.move(HEARTBEAT_SECONDS - 1)
        await until(lambda: clock.sleepers == 1)
        assert (pings(), to_bob.is_up(BOB.key)) == (1, True)
        clock.move(HEARTBEAT_SECONDS)
        await until(lambda: pings() == 2)


async def test_a_peer_that_is_told_with_every_heartbeat_still_tells_its_heads(bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address) as to_bob:
        await until(lambda: clock.sleepers == 1)
        bob.heads.append(PeerHead("eip155:1", 9, 7))
        for told in range(1, int(HEADS_SECONDS / HEARTBEAT_SECONDS) + 2):
            await to_bob.push([attest(BATCHES[0], ALICE)], first=())
            clock.move(HEARTBEAT_SECONDS)
            await until(lambda told=told: len(bob.inbox.received) == told)
            await until(lambda: clock.sleepers == 1 and to_bob.statuses()[0].queued == 0)
        assert to_bob.statuses()[0].heads == (PeerHead("eip155:1", 9, 7),)


async def test_a_door_tells_whose_messages_came_in(bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address) as to_bob:
        await to_bob.fetch_attestations(BOB.key, "")
    assert set(bob.heard) == {ALICE.key}


async def test_what_is_pushed_while_a_peer_is_down_arrives_when_it_is_back(clock: MovedClock) -> None:
    async with listening(BOB, clock) as bob:
        address, port = bob.address, bob.server.port
    async with reaching(ALICE, clock, address) as to_bob:
        await to_bob.push([attest(BATCHES[0], ALICE)])
        await until(lambda: clock.sleepers == 2)
        await to_bob.push([attest(BATCHES[1], ALICE)])
        async with listening(BOB, clock, port=port) as bob:
            clock.move(60)
            await until(lambda: len(bob.inbox.received) == 2)
            await until(lambda: to_bob.statuses()[0].queued == 0)
    assert [attestation.root for _, attestation in bob.inbox.received] == [BATCHES[0].root, BATCHES[1].root]


async def test_security_what_waits_for_a_dead_peer_is_bounded(clock: MovedClock) -> None:
    """SECURITY: one peer that never answers must not fill the memory of the others."""
    metrics = Metrics()
    dead = PeerAddress(BOB.key, BOB.key, "http://127.0.0.1:1")
    async with reaching(ALICE, clock, dead, metrics=metrics) as to_bob:
        for _ in range(10):
            await to_bob.push([attest(BATCHES[0], ALICE)] * 1_000)
        assert to_bob.statuses()[0].queued == MAX_QUEUED
    dropped = metrics.registry.get_sample_value("xvm_peer_queue_dropped_total", {"peer": peer_label(BOB.key)})
    assert dropped == 10_000 - MAX_QUEUED


async def test_a_push_that_the_peer_refuses_for_its_content_holds_up_nothing(bob: Node, clock: MovedClock) -> None:
    bob.inbox.batches = {batch.root: batch for batch in BATCHES}
    wrong = replace(attest(BATCHES[0], ALICE), signature=attest(BATCHES[1], ALICE).signature)
    async with reaching(ALICE, clock, bob.address) as to_bob:
        await to_bob.push([wrong])
        await until(lambda: bob.refused("invalid") == 1 and to_bob.statuses()[0].queued == 0)
        await to_bob.push([attest(BATCHES[2], ALICE)])
        await until(lambda: len(bob.inbox.received) == 1)
    assert bob.inbox.received == [(ALICE.key, attest(BATCHES[2], ALICE))]


async def test_one_peer_that_is_down_delays_no_other(bob: Node, clock: MovedClock) -> None:
    dead = PeerAddress(CAROL.key, CAROL.key, "http://127.0.0.1:1")
    async with reaching(ALICE, clock, dead, bob.address) as peers:
        await peers.push([attest(BATCHES[0], ALICE)])
        await until(lambda: len(bob.inbox.received) == 1)
        await until(lambda: peers.is_up(BOB.key))
        assert not peers.is_up(CAROL.key)
        assert list(peers.keys) == [CAROL.key, BOB.key]


async def test_security_a_peer_that_takes_connections_and_says_nothing_delays_no_other(
    bob: Node, clock: MovedClock
) -> None:
    """SECURITY: half-open connections are what a broken peer, or somebody on the line, can always give us."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        mute = PeerAddress(CAROL.key, CAROL.key, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with reaching(ALICE, clock, mute, bob.address) as peers:
            await peers.push([attest(BATCHES[0], ALICE)])
            await until(lambda: len(bob.inbox.received) == 1)
            await until(lambda: peers.is_up(BOB.key))
            assert not peers.is_up(CAROL.key)


async def test_whoever_is_no_peer_is_not_up(clock: MovedClock) -> None:
    async with reaching(ALICE, clock) as peers:
        assert not peers.is_up(STRANGER.key)


async def test_another_networks_relayer_is_no_peer(bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address, network=network_id("other"), is_running=False) as to_bob:
        with pytest.raises(PeerUnavailable, match="403"):
            await to_bob.fetch_attestations(BOB.key, "")
    assert bob.refused("other_network") == 1


async def test_a_closed_client_reaches_nobody(bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address, is_running=False) as to_bob:
        pass
    with pytest.raises(PeerUnavailable, match="closed"):
        await to_bob.fetch_attestations(BOB.key, "")
