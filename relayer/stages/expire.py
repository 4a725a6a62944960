"""Lets requests expire that nobody executed in time.

Its job: per destination chain, find certified requests whose expiry the chain's own clock has passed and which are held
or stuck, and wish for their `expire`. The gateway decides whether they expire; a request already dispatched is left to
its transaction, which concludes EXPIRED when it comes too late.
"""

from __future__ import annotations

import math

from relayer.domain.events import ExpiryPassed
from relayer.ports.store import Commit
from relayer.stages.desk import Bell, Desk
from relayer.stages.draft import Draft

_PERIOD_SECONDS = 2.0
"""Expiries are in whole seconds of the chain's clock; looking twice a block or so is enough."""

_CALM_PERIOD_SECONDS = 10.0
"""While nothing that waits for its execution is near its expiry: what comes later and expires within that time is let
expire so much later."""


class ExpireStage:
    """One per destination chain."""

    name = "expire"

    def __init__(self, desk: Desk, chain: str) -> None:
        self._desk = desk
        self._chain = chain
        self._bell = Bell()
        self._period_seconds = _PERIOD_SECONDS

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain whose clock counts."""
        return self._chain

    async def wait(self) -> None:
        """Until the next look."""
        await self._bell.wait(self._period_seconds)

    async def run_once(self) -> bool:
        """One look."""
        desk, limit = self._desk, self._desk.settings.claim_limit
        clock = desk.tips[self._chain].timestamp
        soon = await desk.store.load_expiring(self._chain, clock + math.ceil(_CALM_PERIOD_SECONDS), 1)
        self._period_seconds = _PERIOD_SECONDS if soon else _CALM_PERIOD_SECONDS
        ids = await desk.store.load_expiring(self._chain, clock, limit) if soon else ()
        if not ids:
            return False
        async with desk.writing:
            now = desk.clock.now()
            requests = await desk.store.load_requests(ids)
            batches = await desk.store.load_batches([request.execute_root for request in requests.values()])
            draft = Draft(desk.routes, now, requests)
            for request in requests.values():
                batch = batches[request.execute_root]
                delay = desk.rank_delay(batch.route, batch.first_height, batch.verifying_gateway)
                draft.apply(request.request_id, ExpiryPassed(), now + delay)
            commit = draft.commit(Commit())
            await desk.commit(commit)
        desk.bells.ring_effects({effect.chain for effect in commit.effects})
        return False
