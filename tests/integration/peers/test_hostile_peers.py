"""Messages that are not what they should be, over real HTTP: each is refused, counted, and costs little."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest

from attestation.schemes import SigningKey
from relayer.peers.bodies import encode_attestations, encode_cursor
from relayer.peers.limits import (
    BYTES_BURST,
    BYTES_PER_SECOND,
    MAX_CONCURRENT_VISITS,
    MAX_REMEMBERED,
    MESSAGES_BURST,
    MESSAGES_PER_SECOND,
)
from relayer.peers.wire import HEAD_LENGTH, MAX_BODY_BYTES, MAX_CLOCK_SKEW_SECONDS, MessageKind
from tests.factories import NOW, SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import STRANGER, MovedClock, Node, listening, message, until

ALICE, BOB, CAROL, _ = SIGNING_KEYS
BATCH = execute_batch(track(make_request(0)))
PUSH = MessageKind.ATTESTATIONS
ONE = encode_attestations([attest(BATCH, ALICE)])
MILLISECONDS = int(NOW * 1000)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def bob(clock: MovedClock) -> AsyncIterator[Node]:
    async with listening(BOB, clock) as node:
        yield node


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _post(session: aiohttp.ClientSession, node: Node, data: bytes) -> tuple[int, str]:
    """The status, and the code of the refusal."""
    async with session.post(f"{node.url}/v1/peer", data=io.BytesIO(data)) as response:
        body = await response.read()
        return response.status, "" if response.status == 200 else json.loads(body)["error"]["code"]


async def test_an_honest_message_is_taken(bob: Node, session: aiohttp.ClientSession) -> None:
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (200, "")
    assert bob.inbox.received == [(ALICE.key, attest(BATCH, ALICE))]


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * HEAD_LENGTH, b"\x01" * 5_000], ids=str
)
async def test_security_garbage_is_refused(bob: Node, session: aiohttp.ClientSession, data: bytes) -> None:
    """SECURITY: what is no message reaches nothing."""
    assert await _post(session, bob, data) == (400, "malformed")
    assert (bob.refused("malformed"), bob.inbox.calls) == (1, 0)


async def test_security_a_giant_body_is_refused_before_it_is_read(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: nobody can make us hold more than one message."""
    giant = message(ALICE, BOB.key, PUSH, ONE) + bytes(MAX_BODY_BYTES + 1)
    assert await _post(session, bob, giant) == (413, "oversize")
    announced = message(ALICE, BOB.key, PUSH, body_length=MAX_BODY_BYTES + 1)
    assert await _post(session, bob, announced) == (400, "malformed")


async def test_security_a_short_question_cannot_carry_a_long_body(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: each kind has its own limit."""
    for kind, length in (
        (MessageKind.PING, 1),
        (MessageKind.FETCH_STATEMENTS, 33),
        (MessageKind.FETCH_ATTESTATIONS, 66),
    ):
        assert await _post(session, bob, message(ALICE, BOB.key, kind, bytes(length))) == (413, "oversize")


async def test_security_a_message_to_another_recipient_is_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: what Alice told Carol cannot be told to Bob in her name."""
    assert await _post(session, bob, message(ALICE, CAROL.key, PUSH, ONE)) == (421, "other_recipient")


async def test_security_a_message_of_another_network_is_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: operators use one key in a test network and then in a real one."""
    data = message(ALICE, BOB.key, PUSH, ONE, network=bytes(32))
    assert await _post(session, bob, data) == (403, "other_network")


@pytest.mark.parametrize("skew", [-MAX_CLOCK_SKEW_SECONDS - 1, MAX_CLOCK_SKEW_SECONDS + 1, -86_400, 86_400 * 365])
async def test_security_a_message_of_another_time_is_refused(
    bob: Node, session: aiohttp.ClientSession, skew: float
) -> None:
    """SECURITY: a recorded message would stay good for ever."""
    data = message(ALICE, BOB.key, PUSH, ONE, sent_at_milliseconds=MILLISECONDS + int(skew * 1000))
    assert await _post(session, bob, data) == (401, "clock_skew")


async def test_clocks_may_differ_by_the_skew_allowed(bob: Node, session: aiohttp.ClientSession) -> None:
    for skew in (-MAX_CLOCK_SKEW_SECONDS, MAX_CLOCK_SKEW_SECONDS):
        data = message(ALICE, BOB.key, PUSH, ONE, sent_at_milliseconds=MILLISECONDS + int(skew * 1000))
        assert await _post(session, bob, data) == (200, "")


async def test_security_a_message_works_once(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: whoever records it cannot repeat it."""
    data = message(ALICE, BOB.key, PUSH, ONE)
    assert await _post(session, bob, data) == (200, "")
    assert await _post(session, bob, data) == (409, "replayed")
    assert bob.inbox.calls == 1


async def test_security_recorded_messages_that_are_repeated_cost_no_share_and_no_memory(
    bob: Node, session: aiohttp.ClientSession
) -> None:
    """SECURITY: whoever records a peer could else silence it, or fill us, by repeating what it said."""
    recorded = message(ALICE, BOB.key, PUSH, ONE)
    old = message(ALICE, BOB.key, PUSH, ONE, sent_at_milliseconds=MILLISECONDS - 86_400_000)
    assert await _post(session, bob, recorded) == (200, "")
    for _ in range(int(MESSAGES_BURST)):
        assert await _post(session, bob, recorded) == (409, "replayed")
        assert await _post(session, bob, old) == (401, "clock_skew")
    assert bob.inbox.calls == len(bob.doorkeeper._guests[ALICE.key].window) == 1
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (200, "")


async def test_security_a_stranger_is_refused_before_any_cryptography(
    bob: Node, session: aiohttp.ClientSession
) -> None:
    """SECURITY: a signature check is what a stranger could make us do without end. A wrong one is not even noticed."""
    data = message(STRANGER, BOB.key, PUSH, ONE)
    unsigned = data[: HEAD_LENGTH - 64] + bytes(64) + data[HEAD_LENGTH:]
    assert await _post(session, bob, data) == (403, "unknown_sender")
    assert await _post(session, bob, unsigned) == (403, "unknown_sender")
    assert bob.refused("forged") == 0


async def test_security_a_stranger_in_a_peers_name_is_refused_unheard(bob: Node) -> None:
    """SECURITY: the head is verified before one byte of the body is waited for."""
    forged = message(STRANGER, BOB.key, PUSH, ONE, sender=ALICE.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", bob.server.port)
    writer.write(f"POST /v1/peer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(forged)}\r\n\r\n".encode())
    writer.write(forged[:HEAD_LENGTH])
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    assert bob.refused("forged") == 1


async def test_security_forged_messages_use_up_nothing_of_the_peers_share(
    bob: Node, session: aiohttp.ClientSession
) -> None:
    """SECURITY: else anybody could silence a peer by shouting in its name."""
    for _ in range(int(MESSAGES_BURST) + 10):
        assert (await _post(session, bob, message(STRANGER, BOB.key, sender=ALICE.key)))[1] == "forged"
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (200, "")


async def test_security_a_changed_body_is_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: the signature covers the body."""
    data = message(ALICE, BOB.key, PUSH, ONE)
    assert await _post(session, bob, data[:-1] + bytes([data[-1] ^ 1])) == (408, "cut")
    assert bob.inbox.calls == 0


async def test_security_bytes_behind_the_body_are_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: what nobody signed is not read."""
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE) + b"\0") == (400, "malformed")
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)[:-1]) == (400, "malformed")


async def test_security_an_answer_is_not_taken_for_a_request(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: the answers that Alice gave to Bob could all be played back to him."""
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE, is_answer=True)) == (400, "malformed")


async def test_security_nobody_speaks_for_another_signer(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: Carol's true signature, sent by Alice, is taken as Alice's and does not verify."""
    bob.inbox.batches = {BATCH.root: BATCH}
    stolen = encode_attestations([attest(BATCH, CAROL)])
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, stolen)) == (422, "invalid")
    assert bob.inbox.received == []


async def test_a_true_envelope_around_nonsense_is_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, b"\xff\xff")) == (422, "invalid")
    assert await _post(session, bob, message(ALICE, BOB.key, MessageKind.FETCH_STATEMENTS, b"\0")) == (422, "invalid")
    cursor = message(ALICE, BOB.key, MessageKind.FETCH_ATTESTATIONS, b"\x01x")
    assert await _post(session, bob, cursor) == (422, "invalid")


async def test_security_a_body_without_a_length_is_refused(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: what has no end cannot be bounded."""

    async def endless() -> AsyncIterator[bytes]:
        with suppress(asyncio.CancelledError):
            for _ in range(10):
                yield message(ALICE, BOB.key)

    async with session.post(f"{bob.url}/v1/peer", data=endless()) as response:
        assert response.status == 400


async def test_security_ten_thousand_true_messages_take_no_more_than_a_peers_share(
    bob: Node, clock: MovedClock, session: aiohttp.ClientSession
) -> None:
    """SECURITY: a peer that floods is refused beyond its share, and what is remembered of it is bounded."""
    answers: dict[str, int] = {}
    taken = 0
    for _ in range(20):
        clock.move(1)
        for _ in range(500):
            status, code = await _post(
                session, bob, message(ALICE, BOB.key, PUSH, ONE, sent_at_milliseconds=int(clock.now() * 1000))
            )
            answers[code] = answers.get(code, 0) + 1
            taken += status == 200
    assert answers == {"": taken, "rate_limited": 10_000 - taken}
    assert taken <= MESSAGES_BURST + MESSAGES_PER_SECOND * 20
    assert len(bob.inbox.received) == taken
    assert len(bob.doorkeeper._guests[ALICE.key].window) <= min(taken, MAX_REMEMBERED)
    # The others have their own share.
    of_carol = message(CAROL, BOB.key, PUSH, ONE, sent_at_milliseconds=int(clock.now() * 1000))
    assert await _post(session, bob, of_carol) == (200, "")


async def test_security_a_peers_share_of_bytes_is_bounded(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: full messages cost a thousand times what pings do, and are charged for it."""
    full = encode_attestations([attest(BATCH, ALICE)] * 2_048)
    codes = [(await _post(session, bob, message(ALICE, BOB.key, PUSH, full)))[1] for _ in range(20)]
    assert "rate_limited" in codes
    assert len(full) * codes.count("") <= 4 << 20


async def test_security_long_answers_to_short_questions_are_charged_to_whoever_asks(
    bob: Node, clock: MovedClock, session: aiohttp.ClientSession
) -> None:
    """SECURITY: else catching up again and again would have us read and send without end."""
    bob.inbox.own = [attest(BATCH, BOB)] * 2_048
    page = len(encode_attestations(bob.inbox.own))

    def question(asker: SigningKey) -> bytes:
        now = int(clock.now() * 1000)
        return message(asker, BOB.key, MessageKind.FETCH_ATTESTATIONS, encode_cursor(""), sent_at_milliseconds=now)

    codes = [(await _post(session, bob, question(ALICE)))[1] for _ in range(40)]
    answered = codes.count("")
    assert codes == [""] * answered + ["rate_limited"] * (40 - answered)
    # The last answer may be longer than what was left.
    assert (answered - 1) * page < BYTES_BURST
    assert await _post(session, bob, question(CAROL)) == (200, "")
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (200, "")
    # An honest peer goes on a little later.
    clock.move(1 + page / BYTES_PER_SECOND)
    assert await _post(session, bob, question(ALICE)) == (200, "")


async def test_security_one_peer_has_few_places_at_a_time(bob: Node, session: aiohttp.ClientSession) -> None:
    """SECURITY: slow work for one peer leaves room for the others."""
    bob.inbox.go_on.clear()
    first = [
        asyncio.ensure_future(_post(session, bob, message(ALICE, BOB.key, PUSH, ONE)))
        for _ in range(MAX_CONCURRENT_VISITS)
    ]
    await until(lambda: bob.inbox.inside == MAX_CONCURRENT_VISITS)
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (503, "busy")
    of_carol = asyncio.ensure_future(_post(session, bob, message(CAROL, BOB.key, PUSH, ONE)))
    await until(lambda: bob.inbox.inside == MAX_CONCURRENT_VISITS + 1)
    bob.inbox.go_on.set()
    assert await asyncio.gather(*first, of_carol) == [(200, "")] * (MAX_CONCURRENT_VISITS + 1)
    assert await _post(session, bob, message(ALICE, BOB.key, PUSH, ONE)) == (200, "")


async def test_a_peer_that_hangs_up_frees_its_place(bob: Node, session: aiohttp.ClientSession) -> None:
    data = message(ALICE, BOB.key, PUSH, ONE)
    for _ in range(2 * MAX_CONCURRENT_VISITS):
        _, writer = await asyncio.open_connection("127.0.0.1", bob.server.port)
        request = message(ALICE, BOB.key, PUSH, ONE)
        writer.write(f"POST /v1/peer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request)}\r\n\r\n".encode())
        writer.write(request[:-1])
        await writer.drain()
        seen = bob.refused("cut")
        writer.close()
        await until(lambda seen=seen: bob.refused("cut") > seen)  # type: ignore[misc]
    assert await _post(session, bob, data) == (200, "")
