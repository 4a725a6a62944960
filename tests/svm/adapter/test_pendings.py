"""Where a request waits is told by the event by which it was asked for."""

from __future__ import annotations

import pytest

from relayer.domain.observations import CallRequested
from relayer.domain.tracked import TrackedRequest
from relayer.vms.svm.pending_places import PendingPlaces
from relayer.vms.svm.pendings import PendingFinder
from relayer.vms.svm.values import format_signature
from tests.certifying import track_all
from tests.svm.adapter.watching import Spoil, endpoint_of, follow, watched
from tests.svm.adapter.world import FINALIZED_AFTER, World, pool_of
from tests.svm.program.ledger import PROGRAM, pending_address


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.open()
    for salt in range(3):
        world.request(salt)
    world.advance(FINALIZED_AFTER)
    return world


async def requests_of(world: World) -> list[TrackedRequest]:
    async with watched(endpoint_of(world)) as chain:
        blocks = await follow(chain)
    asking = [block for block in blocks if any(isinstance(o, CallRequested) for o in block.observations)]
    return [request for block in asking for request in track_all(block)]


async def test_each_request_waits_where_its_event_says(world: World) -> None:
    requests, node = await requests_of(world), endpoint_of(world)
    async with pool_of(node) as pool:
        finder = PendingFinder(pool, PROGRAM, PendingPlaces())
        found = await finder.find(requests)
        assert [found[request.request_id] for request in requests] == [
            pending_address(world.sender.pubkey(), salt) for salt in range(3)
        ]
        asked = len(node.exchanges)
        assert await finder.find(requests) == found
        assert len(node.exchanges) == asked


async def test_security_a_transaction_that_nobody_can_read_keeps_no_other_request_from_being_found(
    world: World,
) -> None:
    """SECURITY: whoever asks chooses what else is in the transaction; together with others it may be unreadable."""
    first, second, third = await requests_of(world)
    node = endpoint_of(world)
    heavy = format_signature(second.location.tx_hash)
    node.is_too_much = lambda calls: any(heavy in call["params"] for call in calls)
    async with watched(node, timeout_seconds=0.3) as chain:
        finder = PendingFinder(chain._parts.pool, PROGRAM, PendingPlaces())
        assert set(await finder.find([first, second, third])) == {first.request_id, third.request_id}


async def test_what_two_endpoints_tell_differently_is_not_found(world: World) -> None:
    requests = await requests_of(world)
    hide: Spoil = lambda method, _, answer: None if method == "getTransaction" else answer  # noqa: E731
    async with pool_of(endpoint_of(world), endpoint_of(world, hide), quorum=2) as pool:
        assert await PendingFinder(pool, PROGRAM, PendingPlaces()).find(requests) == {}
