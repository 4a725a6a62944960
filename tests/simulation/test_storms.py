"""Whatever goes wrong, in whatever order: once it is over, every request has ended, once, and all nodes agree.

While it goes on, every signature is held against the chains (`truth`): nothing is signed that is not final and true.

The examples are the same at every run. XVM_SIMULATION_EXAMPLES=2000 looks for new ones instead.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.stages.settings import StageSettings
from tests.simulation.faults import ASKS, FAULTS
from tests.simulation.world import SMALL, World

_NEW_EXAMPLES: Final = int(os.environ.get("XVM_SIMULATION_EXAMPLES", "0"))
STORMS: Final = settings(
    max_examples=_NEW_EXAMPLES or 25,
    derandomize=not _NEW_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class Plan:
    """What happens, in order: the name of an act, and how many ticks pass after it."""

    seed: int
    depth_blocks: int
    is_small: bool
    pauses: float
    acts: tuple[tuple[str, int], ...]


def plans(*faults: str, asks: Sequence[str] = tuple(ASKS)) -> st.SearchStrategy[Plan]:
    """Plans with these faults (all, if none is named) and these kinds of request."""
    names = [*asks, *(faults or FAULTS)]
    acts = st.tuples(st.sampled_from(names), st.sampled_from([0, 20, 150, 500]))
    return st.builds(
        Plan,
        seed=st.integers(0, 2**32),
        depth_blocks=st.integers(1, 4),
        is_small=st.booleans(),
        pauses=st.sampled_from([0.1, 0.3, 1.0]),
        acts=st.lists(acts, min_size=4, max_size=25).map(tuple),
    )


def live_through(plan: Plan, blocks_per_value: int | None = None) -> World:
    """The world after the plan, when everything has come right. Raises AssertionError if it does not.

    With `blocks_per_value` the second chain has no history, and what is read there stands for so many blocks.
    """

    async def live() -> World:
        world = World(
            random.Random(plan.seed),
            depth_blocks=plan.depth_blocks,
            settings=SMALL if plan.is_small else StageSettings(),
            without_history=() if blocks_per_value is None else (2,),
        )
        world.b.blocks_per_value = blocks_per_value or 0
        world.pauses = plan.pauses
        for name, ticks in plan.acts:
            (ASKS | FAULTS)[name](world)
            await world.storm(ticks)
        await world.come_right()
        return world

    return asyncio.run(live())


@STORMS
@given(plan=plans())
def test_everything_comes_right_after_anything(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans("reorganise", "fork and return", "flip back", "mine", asks=("call", "query")))
def test_everything_comes_right_after_forks(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans("kill", "restart", "lose sends", "lose transactions", "fail transactions", "mine"))
def test_everything_comes_right_after_deaths_and_lost_transactions(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans("blind", "blind to some", "lag", "freeze", "thaw", "pass time", "mine", asks=("query", "call")))
def test_everything_comes_right_after_missing_answers(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans("rotate", "lag", "thaw", "lose pushes", "kill", "restart", "mine"))
def test_everything_comes_right_after_new_epochs(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans("lose pushes", "lag", "thaw", "lie", "stop lying", "break endpoints", "pass time", "mine"))
def test_everything_comes_right_after_silence_and_lies(plan: Plan) -> None:
    live_through(plan)


@STORMS
@given(plan=plans(asks=("query", "query", "poor query", "call")), blocks_per_value=st.sampled_from([0, 1, 4, 20]))
def test_everything_comes_right_where_only_the_present_can_be_read(plan: Plan, blocks_per_value: int) -> None:
    live_through(plan, blocks_per_value)


@pytest.mark.parametrize("ask", ASKS)
def test_every_kind_of_request_ends_in_a_quiet_world(ask: str) -> None:
    plan = Plan(seed=1, depth_blocks=2, is_small=False, pauses=0.3, acts=((ask, 2_000), (ask, 0)))
    live_through(plan)
