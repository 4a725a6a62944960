"""Signs what was born, and tells the peers.

Its job: every batch that this node built is signed once per epoch, through the guard, and pushed. It does not propose,
negotiate or wait for anybody. A batch that contradicts something signed before is left unsigned and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from relayer.domain.batch import Batch
from relayer.domain.effects import EffectKind
from relayer.domain.rounds import is_proposed_by
from relayer.errors import ConflictingAttestation
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit, Deferral, OutboxRow
from relayer.stages.desk import SIGNED_REMEMBERED, Desk
from relayer.stages.inbox import Inbox
from relayer.stages.quorum import commit_quorums

_IDLE_SECONDS = 2.0
"""A lost bell delays a signature by no more than this, and what peers pushed beyond a quorum is written as often."""

_FIRST_TOLD = 3
"""Peers that are told of a batch at once: who submits, and the two after it. The others need no word before those fail,
and telling all at once takes as many exchanges as there are pairs of nodes."""

_LOADED_IN_A_ROW = 64
"""Batches loaded before others have their turn: full ones take some 60 ms to be made from their rows."""

_KINDS = frozenset({EffectKind.SIGN_BATCH})

_log = structlog.get_logger(__name__)


class AttestStage:
    """One per node."""

    name = "attest"
    chain = ""

    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self._desk = desk
        self._inbox = inbox
        self._unsound = frozenset(desk.tips)
        self._deferred_to = desk.clock.now() + desk.settings.hold_recheck_seconds
        """No row is deferred to later than this, those of an earlier process included."""
        self._look_ahead_to = 0.0
        """Rows that are not due until then are looked at as well: what they wait for may have come."""

    async def wait(self) -> None:
        """Until a batch is born, or peers have pushed what may complete a quorum."""
        await self._desk.bells.sign.wait(_IDLE_SECONDS)

    async def run_once(self) -> bool:
        """Sign what is due, commit, push."""
        desk = self._desk
        now = desk.clock.now()
        self._note_soundness()
        until = max(now, self._look_ahead_to)
        rows = await desk.store.load_due_effects(_KINDS, None, until, desk.settings.claim_limit)
        is_full = len(rows) == desk.settings.claim_limit
        if not is_full:
            self._look_ahead_to = 0.0
        if not rows:
            await self._inbox.settle()
            return False
        signable = await self._load_signable(rows)
        epochs = {batch.root: self._newest_epoch(batch) for batch in signable}
        signed = await self._sign(signable)
        async with desk.writing:
            # An epoch that was applied meanwhile has asked for these batches anew, in the very rows that were claimed.
            overtaken = {batch.root for batch in signable if self._newest_epoch(batch) != epochs[batch.root]}
            gathered = self._inbox.gathered_for({batch.root: batch for batch in signable})
            rest = Commit(
                attestations=(*signed, *gathered),
                done=tuple(
                    (row.kind, row.subject) for row in rows if row.subject in epochs and row.subject not in overtaken
                ),
                deferred=tuple(self._defer(row, now, until) for row in rows if row.subject not in epochs),
            )
            await commit_quorums(desk, {attestation.root for attestation in rest.attestations}, rest)
        self._inbox.note_stored(gathered)
        if signed:
            signed_roots = {attestation.root for attestation in signed}
            await desk.peers.push(signed, self._first_to_know(b for b in signable if b.root in signed_roots))
        if self._inbox.is_urgent:
            await self._inbox.settle()
        return bool(overtaken) or is_full

    def _note_soundness(self) -> None:
        """See which chains nothing can be signed for now; if it is one less, what waits is looked at again at once."""
        desk = self._desk
        unsound = frozenset(
            chain
            for chain, tip in desk.tips.items()
            if chain in desk.halted
            or not tip.is_verified
            or desk.epochs.newest(desk.chains[chain].source.gateway) is None
        )
        if self._unsound - unsound:
            self._look_ahead_to = self._deferred_to
        self._unsound = unsound

    async def _load_signable(self, rows: Sequence[OutboxRow]) -> list[Batch]:
        """The batches of these rows that can be signed now.

        SECURITY: what waits for a chain may be thousands of full batches, and grows for as long as it waits. Those of
        which the row says enough are not loaded, and the others not in one go.
        """
        roots = [row.subject for row in rows if row.chain not in self._unsound]
        signable: list[Batch] = []
        for start in range(0, len(roots), _LOADED_IN_A_ROW):
            batches = await self._desk.store.load_batches(roots[start : start + _LOADED_IN_A_ROW])
            signable += [batch for batch in batches.values() if self._is_signable(batch)]
        # SECURITY: a chain may have been halted while others were loaded.
        return [batch for batch in signable if self._is_signable(batch)]

    def _defer(self, row: OutboxRow, now: float, until: float) -> Deferral:
        """Look again at what waits, the later the longer it has waited; and after all that this look reaches.

        What waits must not stand before others: a claim takes the oldest due first.
        """
        settings = self._desk.settings
        first = settings.unsignable_recheck_seconds
        delay = min(first * 2.0 ** min(row.attempts, 16), max(first, settings.hold_recheck_seconds))
        due_at = max(now + delay, until + first)
        self._deferred_to = max(self._deferred_to, due_at)
        return Deferral(row.kind, row.subject, due_at, row.attempts + 1)

    def _first_to_know(self, batches: Iterable[Batch]) -> set[bytes]:
        """The peers whose turn it is to submit these batches, and those after them should they fail."""
        desk, first = self._desk, set[bytes]()
        for batch in batches:
            ranked = desk.epochs.ranked_signers(batch.verifying_gateway, batch.route, batch.first_height)
            if is_proposed_by(desk.signer.key, batch, ranked):
                return set(desk.peers.keys)  # nobody signs it who does not hear of it
            others = [key for key in ranked if key != desk.signer.key]
            # Who is not known to be up may be so all the same: it comes after those who are.
            first.update(sorted(others, key=lambda key: not desk.peers.is_up(key))[:_FIRST_TOLD])
        return first

    def _newest_epoch(self, batch: Batch) -> int:
        """The number of the epoch that is signed under; 0 before the first is known."""
        newest = self._desk.epochs.newest(batch.verifying_gateway)
        return 0 if newest is None else newest.epoch

    def _is_signable(self, batch: Batch) -> bool:
        """Whether it can be decided now who signs: the gateway's epochs are known, and both chains stand as taken in.

        SECURITY: nothing is signed about, or for, a chain that contradicted itself; and after a start each chain is
        looked at before anything that an earlier process left is signed, for it may have done so meanwhile.
        """
        desk = self._desk
        route = desk.routes.get(batch.route)
        if route is None or desk.epochs.newest(batch.verifying_gateway) is None:
            return False
        chains = {route.source_chain, route.destination_chain}
        return not desk.is_halted(route) and all(desk.tips[chain].is_verified for chain in chains)

    async def _sign(self, batches: Sequence[Batch]) -> list[Attestation]:
        """This node's word on those that it may sign and that contradict nothing signed before."""
        desk = self._desk
        due: list[tuple[Batch, int]] = []
        for batch in batches:
            newest = desk.epochs.newest(batch.verifying_gateway)
            # An observer follows, certifies from others' attestations, and signs nothing.
            if newest is not None and newest.signer_set.index_of(desk.signer.key) is not None:
                due.append((batch, newest.epoch))
        signed: list[Attestation] = []
        for (batch, _), attestation in zip(due, await desk.signer.sign_batches(due) if due else (), strict=True):
            if isinstance(attestation, ConflictingAttestation):
                _log.critical("signing_refused", root=batch.root.hex(), kind=batch.kind, reason=str(attestation))
                desk.metrics.guard_conflicts.inc()
                continue
            self._remember(batch.root)
            desk.metrics.attestations_signed.labels(batch.verifying_chain, batch.kind).inc()
            desk.metrics.batch_leaves.labels(batch.kind).observe(batch.count)
            signed.append(attestation)
        return signed

    def _remember(self, root: bytes) -> None:
        """This was signed now, and lacks its quorum.

        SECURITY: were the newest left out once there are many, batches that never find a quorum would slow all others.
        """
        signed_at = self._desk.signed_at
        signed_at.pop(root, None)
        if len(signed_at) >= SIGNED_REMEMBERED:
            del signed_at[next(iter(signed_at))]
        signed_at[root] = self._desk.clock.now()
