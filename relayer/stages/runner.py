"""Runs the stages, counts what they do, and keeps one chain's trouble from the others.

Its job: a loop per stage. A transient error is retried with backoff; a contradiction halts its chain and nothing else;
anything unknown is a bug and ends the process, so that nothing runs on in an unknown state.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import structlog

from relayer.errors import ConsistencyError, RejectedError, StoreUnavailable, TransientError
from relayer.stages.backoff import backoff_seconds
from relayer.stages.desk import Desk
from relayer.stages.halts import halt_chain, restore_halts
from relayer.stages.stage import Stage
from relayer.stages.watch import WatchStage

_log = structlog.get_logger(__name__)


class Runner:
    """All stages of one node."""

    def __init__(self, desk: Desk, stages: Sequence[Stage], jitter: random.Random) -> None:
        self._desk = desk
        self._stages = stages
        self._jitter = jitter

    async def run(self) -> None:
        """Until cancelled, or until a stage ends with an error that nobody planned for. Raises `StoreUnavailable`."""
        await restore_halts(self._desk)
        async with asyncio.TaskGroup() as group:
            for stage in self._stages:
                group.create_task(self._loop(stage), name=f"{stage.name} {stage.chain}".strip())
                if isinstance(stage, WatchStage):
                    group.create_task(stage.listen(), name=f"listen {stage.chain}")

    async def _loop(self, stage: Stage) -> None:
        failures = 0
        while stage.chain not in self._desk.halted:
            try:
                is_more = await self._step(stage)
            except (TransientError, RejectedError) as error:
                # Rejected input stays rejected, and may stay due: the step is taken again, as seldom as any that fails.
                self._desk.store_fault = str(error) if isinstance(error, StoreUnavailable) else ""
                self._report(stage, error)
                delay = backoff_seconds(failures, self._desk.settings)
                failures += 1
                await self._desk.clock.sleep(delay * self._jitter.uniform(0.5, 1.0))
                continue
            except ConsistencyError as error:
                await self._halt(stage, error)
                return
            failures = 0
            self._desk.store_fault = ""
            if not is_more:
                await stage.wait()

    async def _step(self, stage: Stage) -> bool:
        loop = asyncio.get_running_loop()
        started = loop.time()
        is_more = await stage.run_once()
        self._desk.metrics.stage_duration.labels(stage.name, stage.chain).observe(loop.time() - started)
        return is_more

    async def _halt(self, stage: Stage, error: ConsistencyError) -> None:
        """SECURITY: a chain that contradicts itself is not signed about any more until an operator has looked."""
        self._count(stage, error.code)
        _log.critical("chain_halted", chain=stage.chain, stage=stage.name, code=error.code, reason=str(error))
        if stage.chain:
            await halt_chain(self._desk, stage.chain, error)

    def _report(self, stage: Stage, error: TransientError | RejectedError) -> None:
        self._count(stage, error.code)
        log = _log.error if isinstance(error, RejectedError) else _log.warning
        log("stage_failed", stage=stage.name, chain=stage.chain, code=error.code, reason=str(error))

    def _count(self, stage: Stage, code: str) -> None:
        self._desk.metrics.stage_errors.labels(stage.name, stage.chain, code).inc()
