"""Cuts batches that found no quorum in time.

Its job: when a batch's time is up, have its subsets signed as well, all at once, so that what most signers see alike
lands without what they do not. A batch that has its certificate, or whose requests went on without it, is left whole.
"""

from __future__ import annotations

import structlog

from relayer.domain.batch import Batch, BatchKind, request_ids
from relayer.domain.effects import EffectKind
from relayer.domain.splitting import split
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Commit
from relayer.stages.desk import Desk
from relayer.stages.draft import birth_effects

_LOOKS = 8
"""In the time that a batch is given: one born after a look is found by the next, an eighth of that time late."""

_LONGEST_PERIOD_SECONDS = 5.0
"""Between two looks, however much time a batch is given."""

_CLAIM_LIMIT = 16
"""Batches cut in one step: each may have 510 subsets to sign."""

_KINDS = frozenset({EffectKind.SPLIT_BATCH})
_WAITING_FOR = {
    BatchKind.EXECUTE: frozenset({Status.FINAL}),
    BatchKind.OUTCOME: frozenset({Status.CONCLUDED}),
}

_log = structlog.get_logger(__name__)


class SplitStage:
    """One per node."""

    name = "split"
    chain = ""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def wait(self) -> None:
        """Until the next look."""
        period = min(self._desk.settings.split_seconds / _LOOKS, _LONGEST_PERIOD_SECONDS)
        await self._desk.bells.split.wait(period)

    async def run_once(self) -> bool:
        """One claim."""
        desk, now = self._desk, self._desk.clock.now()
        rows = await desk.store.load_due_effects(_KINDS, None, now, _CLAIM_LIMIT)
        if not rows:
            return False
        roots = [row.subject for row in rows]
        batches = await desk.store.load_batches(roots)
        certified = await desk.store.load_certificates(roots)
        async with desk.writing:
            ids = [identifier for batch in batches.values() for identifier in request_ids(batch)]
            requests = await desk.store.load_requests(ids)
            stuck = [
                batch
                for batch in batches.values()
                if batch.root not in certified and any(_waits(batch, requests.get(i)) for i in request_ids(batch))
            ]
            subsets = [subset for batch in stuck for subset in split(batch)]
            done = tuple((row.kind, row.subject) for row in rows)
            # No effect to split again: the subsets go down to single leaves already.
            signing = birth_effects(subsets, now, None)
            await desk.commit(Commit(batches=tuple(subsets), effects=signing, done=done))
        for root in roots:
            # Its parts are signed now, or its requests went on without it: nobody waits for its quorum.
            desk.signed_at.pop(root, None)
        for batch in stuck:
            _log.warning("batch_split", root=batch.root.hex(), kind=batch.kind, count=batch.count)
        desk.bells.sign.ring()
        return len(rows) == _CLAIM_LIMIT


def _waits(batch: Batch, request: TrackedRequest | None) -> bool:
    """Whether the request still needs this batch's word. One that is not observed here yet may."""
    return request is None or request.status in _WAITING_FOR[batch.kind]
