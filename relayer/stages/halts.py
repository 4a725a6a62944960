"""Halting a chain, so that it stays halted.

Its job: what stops all work on one chain is known to this process at once, and to every later one from the store. It
ends no halt: an operator does (`resume`).
"""

from __future__ import annotations

import structlog

from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.errors import ConsistencyError, ReorgBelowFinality, TransientError
from relayer.ports.store import Commit
from relayer.stages.backoff import backoff_seconds
from relayer.stages.desk import Desk

_log = structlog.get_logger(__name__)


async def restore_halts(desk: Desk) -> None:
    """Keep halted what an earlier process halted.

    SECURITY: to be awaited before any stage runs. A halt that a restart ended would sign on about a chain that may
    meanwhile look sound again, and is not what was signed before.
    """
    for halt in await desk.store.load_halts():
        chain = desk.chains.get(halt.chain)
        if halt.resumed_at is None and chain is not None:
            _take_in(desk, halt)
            # Its watcher will not: attestations for its gateway are still to be told from forged ones.
            desk.epochs.add(await desk.store.load_epochs(chain.source.gateway))
            _log.critical("chain_still_halted", chain=halt.chain, code=halt.code, reason=halt.reason)


async def halt_chain(desk: Desk, chain: str, error: ConsistencyError) -> None:
    """Stop work on `chain` now, and write down why, however long the store takes."""
    held, found_hash = None, b""
    if isinstance(error, ReorgBelowFinality):
        held, found_hash = BlockRef(error.number, error.held_hash), error.found_hash
    halt = Halt(chain, error.code, str(error), held, found_hash, desk.clock.now())
    _take_in(desk, halt)
    failures = 0
    while True:
        try:
            async with desk.writing:
                await desk.commit(Commit(halts=(halt,)))
        except TransientError as fault:
            _log.error("halt_not_recorded", chain=chain, reason=str(fault))
            await desk.clock.sleep(backoff_seconds(failures, desk.settings))
            failures += 1
        else:
            return


def _take_in(desk: Desk, halt: Halt) -> None:
    desk.halted[halt.chain] = halt
    desk.metrics.chain_halted.labels(halt.chain).set(1)
