"""A process may die at any moment: before or after any commit, before or after any sending. It goes on where it was.

A node is killed at its k-th such place, for the k that a quiet run of the same world comes by, and started again from
its disk. What becomes of every request is the same as without the death.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Final

import pytest

from attestation.request import Mode, RequestId, request_id
from attestation.statement import OutcomeKind
from relayer.domain.status import Status
from relayer.stages.settings import StageSettings
from tests.simulation.gateway import REVERTING
from tests.simulation.process import Process
from tests.simulation.world import POOR_FEE, POOR_SECONDS, Node, World

Story = list[tuple[Status, OutcomeKind | None, bytes]]
"""Of each request asked: how it ended, and what its callback was told."""

STRIDE: Final = 1 if "XVM_SIMULATION_EXAMPLES" in os.environ else 13
"""Each node dies at every thirteenth place, others at others. XVM_SIMULATION_EXAMPLES makes every node die at all."""


class Counted(World):
    """A world that counts the places at which each node could have died."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        super().__init__(random.Random(7), depth_blocks=2, settings=StageSettings())

    def is_fatal(self, process: Process) -> bool:
        """Counts, and is fatal where the world says."""
        for node in self.nodes:
            if node.process is process:
                self.places[node.name] = self.places.get(node.name, 0) + 1
        return super().is_fatal(process)


async def tell(world: World, dying: Node | None, place: int) -> Story:
    """The story of five requests, with a fork on each chain; one node dies on the way."""
    world.deadly_node, world.deadly_place = dying, place
    for act in range(24):
        if act == 0:
            world.ask(world.a, world.b)
            world.ask(world.a, world.b, payload=REVERTING)
            world.ask(world.b, world.a)
            world.ask(world.a, world.b, mode=Mode.QUERY)
        if act == 1:
            world.ask(world.a, world.b, fee=POOR_FEE, valid_seconds=POOR_SECONDS)
        if act in {2, 6}:
            world.a.reorganise(1, 2, int(world.clock.now()))
            world.b.reorganise(1, 2, int(world.clock.now()))
        await world.round()
        if dying is not None and not dying.is_alive and act % 3 == 0:
            world.start(dying)
    await world.come_right()
    return [story_of(world, request_id(request)) for request in world.asked]


def story_of(world: World, identifier: RequestId) -> tuple[Status, OutcomeKind | None, bytes]:
    """What all nodes know about one request."""
    [tracked] = {
        (request.status, request.conclusion) for node in world.nodes for request in [node.store._requests[identifier]]
    }
    status, conclusion = tracked
    return (status, conclusion.outcome.kind, conclusion.return_data) if conclusion else (status, None, b"")


def quiet_run() -> tuple[Story, dict[str, int]]:
    """The story when nobody dies, and how many places each node came by."""

    async def run() -> tuple[Story, dict[str, int]]:
        world = Counted()
        return await tell(world, None, 0), world.places

    return asyncio.run(run())


def test_the_quiet_run_is_the_story_that_was_asked_for() -> None:
    story, places = quiet_run()
    assert [status for status, _, _ in story] == [Status.DELIVERED] * 5
    assert [kind for _, kind, _ in story] == [
        OutcomeKind.EXECUTED,
        OutcomeKind.REVERTED,
        OutcomeKind.EXECUTED,
        OutcomeKind.EXECUTED,
        OutcomeKind.EXPIRED,
    ]
    assert len(places) == 4
    assert min(places.values()) > 40


@pytest.mark.parametrize("index", range(4))
def test_a_death_at_any_place_changes_no_ending(index: int) -> None:
    expected, places = quiet_run()
    count = list(places.values())[index]
    died = 0
    for place in range(1 + index, count + 1, STRIDE):

        async def run(place: int = place) -> tuple[Story, int]:
            world = Counted()
            dying = world.nodes[index]
            return await tell(world, dying, place), dying.deaths

        story, deaths = asyncio.run(run())
        assert told(story) == told(expected), f"died at place {place}"
        died += deaths
    assert died > 5


def told(story: Story) -> list[object]:
    """The story without what depends on the block that a query happened to read."""
    return [(status, kind, b"" if index == 3 else data) for index, (status, kind, data) in enumerate(story)]
