"""How stages are run: what is retried, what halts, what ends the process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.errors import CallReverted, ConflictingAttestation, ReorgBelowFinality, RpcUnavailable, StoreUnavailable
from relayer.ports.store import Commit
from relayer.stages.desk import Desk
from relayer.stages.runner import Runner
from relayer.store.memory import MemoryStore
from tests.unit.stages.steps import new_world

MORE: Final = True
IDLE: Final = False
"""What a step says: whether there is more to do at once."""

HALT: Final = Halt("eip155:1", "reorg_below_finality", "block 7", BlockRef(7, b"\x01" * 32), b"\x02" * 32, 1.0)


class Ended(Exception):  # noqa: N818 -- the script is over
    """Ends a run: an error that nobody planned for does."""


class ScriptedStage:
    """A stage that is never without work, and whose steps end as a script says."""

    name = "scripted"

    def __init__(self, chain: str, *script: Exception | bool) -> None:
        self.chain = chain
        self._script = list(script)
        self.waits = 0

    async def run_once(self) -> bool:
        """The next line of the script."""
        if not self._script:
            raise Ended
        line = self._script.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    async def wait(self) -> None:
        """Something is always due."""
        self.waits += 1
        await asyncio.sleep(0)


class RecordingClock:
    """Sleeps take no time and are remembered."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    def now(self) -> float:
        """It stands still."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Remembered."""
        self.sleeps.append(seconds)


class NoJitter(random.Random):
    """Always the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        """The larger one."""
        return max(a, b)


def new_desk() -> tuple[Desk, RecordingClock]:
    """A desk with a clock that remembers."""
    desk = new_world().nodes[0].running.desk
    clock = RecordingClock()
    desk.clock = clock
    return desk, clock


async def run(desk: Desk, stages: Sequence[ScriptedStage]) -> BaseException | None:
    """Run until the first script is over; what ended it, if anything did."""
    try:
        async with asyncio.timeout(5):
            await Runner(desk, stages, NoJitter()).run()
    except ExceptionGroup as group:
        return group.exceptions[0]
    return None


async def test_a_transient_error_is_retried_after_longer_and_longer_pauses() -> None:
    desk, clock = new_desk()
    errors = [RpcUnavailable("down")] * 9
    assert isinstance(await run(desk, [ScriptedStage("eip155:1", *errors)]), Ended)
    assert clock.sleeps == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


async def test_a_success_starts_the_pauses_anew() -> None:
    desk, clock = new_desk()
    script: list[Exception | bool] = [RpcUnavailable("down"), RpcUnavailable("down"), MORE, RpcUnavailable("down")]
    await run(desk, [ScriptedStage("eip155:1", *script)])
    assert clock.sleeps == [0.5, 1.0, 0.5]


async def test_rejected_input_does_not_spin_while_it_is_due() -> None:
    desk, clock = new_desk()
    stage = ScriptedStage("eip155:1", *[CallReverted("Paused")] * 3)
    await run(desk, [stage])
    assert clock.sleeps == [0.5, 1.0, 2.0]


async def test_a_stage_with_more_to_do_does_not_wait() -> None:
    desk, _ = new_desk()
    stage = ScriptedStage("eip155:1", MORE, MORE, IDLE)
    await run(desk, [stage])
    assert stage.waits == 1


async def test_a_contradiction_halts_its_chain_and_no_other() -> None:
    desk, _ = new_desk()
    broken = ScriptedStage("eip155:1", ReorgBelowFinality("alpha", 7, b"\x01" * 32, b"\x02" * 32), MORE, MORE)
    beside = ScriptedStage("eip155:1", IDLE, IDLE, IDLE)
    sound = ScriptedStage("eip155:2", IDLE, IDLE, IDLE)
    assert isinstance(await run(desk, [broken, beside, sound]), Ended)
    [halt] = await desk.store.load_halts()
    assert desk.halted == {"eip155:1": halt}
    assert (halt.code, halt.held, halt.found_hash) == (
        "reorg_below_finality",
        BlockRef(7, b"\x01" * 32),
        b"\x02" * 32,
    )
    assert len(broken._script) == 2
    assert len(beside._script) == 3
    assert sound._script == []


async def test_a_contradiction_of_no_chain_halts_none() -> None:
    desk, _ = new_desk()
    await run(desk, [ScriptedStage("", ConflictingAttestation("two leaves")), ScriptedStage("eip155:2", IDLE)])
    assert desk.halted == {}


async def test_a_stage_of_a_halted_chain_is_not_started() -> None:
    desk, _ = new_desk()
    desk.halted["eip155:1"] = HALT
    stage = ScriptedStage("eip155:1", MORE)
    assert await run(desk, [stage]) is None
    assert len(stage._script) == 1


async def test_security_a_halt_outlives_the_process_until_it_is_resumed() -> None:
    """SECURITY: a restart is no look at what happened."""
    desk, _ = new_desk()
    await desk.commit(Commit(halts=(HALT,)))
    stage = ScriptedStage("eip155:1", MORE)
    assert await run(desk, [stage]) is None
    assert len(stage._script) == 1
    assert desk.halted == {"eip155:1": HALT}
    assert 'xvm_chain_halted{chain="eip155:1"} 1.0' in desk.metrics.render().decode()

    desk.halted.clear()
    await desk.commit(Commit(halts=(replace(HALT, resumed_at=2.0),)))
    assert isinstance(await run(desk, [stage]), Ended)


async def test_a_halt_of_a_chain_that_is_no_longer_configured_is_none_of_ours() -> None:
    desk, _ = new_desk()
    await desk.commit(Commit(halts=(replace(HALT, chain="eip155:9"),)))
    assert await run(desk, []) is None
    assert desk.halted == {}


async def test_a_halt_counts_at_once_and_is_recorded_when_the_store_takes_it() -> None:
    desk, clock = new_desk()
    refusals = [StoreUnavailable("the disk is full")] * 3

    class FullDisk(MemoryStore):
        async def commit(self, commit: Commit) -> None:
            if refusals:
                assert "eip155:1" in desk.halted
                raise refusals.pop()
            await super().commit(commit)

    desk.store = FullDisk()
    broken = ScriptedStage("eip155:1", ReorgBelowFinality("alpha", 7, b"\x01" * 32, b"\x02" * 32))
    assert await run(desk, [broken]) is None
    assert clock.sleeps == [0.5, 1.0, 2.0]
    assert len(await desk.store.load_halts()) == 1


async def test_what_nobody_planned_for_ends_the_process() -> None:
    desk, _ = new_desk()
    ended = await run(desk, [ScriptedStage("eip155:1", ZeroDivisionError()), ScriptedStage("eip155:2", *[IDLE] * 9)])
    assert isinstance(ended, ZeroDivisionError)


async def test_a_store_that_is_away_is_said_until_it_is_back() -> None:
    desk, _ = new_desk()
    faults: list[str] = []

    class Looking(ScriptedStage):
        async def run_once(self) -> bool:
            faults.append(desk.store_fault)
            return await super().run_once()

    await run(desk, [Looking("eip155:1", StoreUnavailable("the disk is full"), MORE, MORE)])
    assert faults == ["", "the disk is full", "", ""]


@pytest.mark.parametrize(
    "error",
    [RpcUnavailable("down"), CallReverted("Paused"), ReorgBelowFinality("alpha", 7, b"\x01" * 32, b"\x02" * 32)],
)
async def test_every_planned_error_is_counted_under_its_code(error: Exception) -> None:
    desk, _ = new_desk()
    await run(desk, [ScriptedStage("eip155:1", error), ScriptedStage("eip155:2", IDLE)])
    code = error.code  # type: ignore[attr-defined]
    assert f'xvm_stage_errors_total{{chain="eip155:1",code="{code}",stage="scripted"}} 1.0' in (
        desk.metrics.render().decode()
    )
