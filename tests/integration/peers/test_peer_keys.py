"""Signers whose scheme signs no messages, and the peer keys that speak for them, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.observability.metrics import Metrics, peer_label
from relayer.peers.client import PeerAddress
from tests.factories import LONG_KEYS, SIGNING_KEYS, attest, execute_batch, make_request, track
from tests.integration.peers.nodes import MovedClock, Node, listening, reaching, until

ALICE, BOB = LONG_KEYS[:2]
ALICE_SPEAKS, BOB_SPEAKS, CAROL_SPEAKS, _ = SIGNING_KEYS
CAROL = SIGNING_KEYS[3]
BATCH = execute_batch(track(make_request(1)))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def bob(clock: MovedClock) -> AsyncIterator[Node]:
    signers = {ALICE_SPEAKS.key: ALICE.key, CAROL_SPEAKS.key: CAROL.key}
    async with listening(BOB, clock, signers=signers, peer_key=BOB_SPEAKS) as node:
        yield node


async def test_attestations_of_any_scheme_travel_in_messages_of_the_peer_key(bob: Node, clock: MovedClock) -> None:
    metrics = Metrics()
    bob.inbox.own = [attest(BATCH, BOB)]
    async with reaching(ALICE, clock, bob.address, peer_key=ALICE_SPEAKS, metrics=metrics) as to_bob:
        await to_bob.push([attest(BATCH, ALICE)])
        page = await to_bob.fetch_attestations(BOB.key, "")
        await until(lambda: to_bob.is_up(BOB.key) and len(bob.inbox.received) == 1)
        (status,) = to_bob.statuses()
    assert bob.inbox.received == [(ALICE.key, attest(BATCH, ALICE))]
    assert list(page.attestations) == bob.inbox.own
    assert (status.key, status.peer_key) == (BOB.key, BOB_SPEAKS.key)
    assert metrics.registry.get_sample_value("xvm_peer_up", {"peer": peer_label(BOB.key)}) == 1.0
    assert peer_label(BOB.key) == f"0x{BOB.key[:20].hex()}"


async def test_security_a_list_speaks_for_the_signer_of_its_sender_alone(bob: Node, clock: MovedClock) -> None:
    """SECURITY: Alice's true signature, sent with Carol's peer key, is taken as Carol's and does not verify."""
    bob.inbox.batches = {BATCH.root: BATCH}
    async with reaching(CAROL, clock, bob.address, peer_key=CAROL_SPEAKS) as to_bob:
        await to_bob.push([attest(BATCH, ALICE)])
        await until(lambda: bob.inbox.calls == 1 and bob.refused("invalid") == 1)
    assert bob.inbox.received == []


async def test_security_an_answer_is_signed_by_the_peer_key_that_is_configured(bob: Node, clock: MovedClock) -> None:
    """SECURITY: who knows a signer's public key, or holds another peer's key, does not answer for it."""
    address = PeerAddress(BOB.key, CAROL_SPEAKS.key, bob.url)
    async with reaching(ALICE, clock, address, peer_key=ALICE_SPEAKS, is_running=False) as to_bob:
        with pytest.raises((PeerUnavailable, PeerMessageInvalid)):
            await to_bob.fetch_attestations(BOB.key, "")


async def test_a_peer_key_that_no_signer_is_bound_to_is_a_stranger(bob: Node, clock: MovedClock) -> None:
    async with reaching(ALICE, clock, bob.address, peer_key=SIGNING_KEYS[3], is_running=False) as to_bob:
        with pytest.raises(PeerUnavailable):
            await to_bob.fetch_attestations(BOB.key, "")
    assert bob.refused("unknown_sender") == 1
