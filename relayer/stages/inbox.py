"""What peers tell this node.

Its job: verify each attestation before it is kept, keep early ones within bounds until their batch is born here, and
serve this node's own attestations and statements to peers that ask. A peer is believed about nothing but its signature.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from attestation.batch import Attestation as IndexedAttestation
from attestation.batch import Batch as SignedBatch
from attestation.batch import verify_attestation
from attestation.errors import AttestationError, OtherBatch, UnknownEpoch, WrongSigner
from attestation.statement import Statement
from relayer.domain.batch import Batch
from relayer.errors import PeerMessageInvalid
from relayer.observability.metrics import peer_label
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit
from relayer.stages.desk import Desk
from relayer.stages.quorum import commit_quorums

_VERIFIED_IN_A_ROW: Final = 32
"""Attestations of one list before others have their turn: of the slowest scheme some 50 ms of signature checks."""


@dataclass(slots=True)
class _Early:
    """Attestations of one signer whose batches are not born here, with when they came, and how many there ever were.

    It is forgotten with the last of them.
    """

    kept: dict[tuple[bytes, bytes], tuple[float, Attestation]] = field(default_factory=dict)
    seen: int = 0


class Inbox:
    """Implements `PeerInbox`; `settle_early` is called when batches are born.

    `draws` must be such that no peer can foresee them.
    """

    def __init__(self, desk: Desk, draws: random.Random) -> None:
        self._desk = desk
        self._draws = draws
        self._early: dict[bytes, _Early] = {}

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        """Verify each, keep what verifies, certify what reaches its threshold. A bad one costs the others nothing."""
        await self.take_in(sender, attestations)

    async def take_in(self, sender: bytes, attestations: Sequence[Attestation]) -> list[Attestation]:
        """The same; returns those that may be stored later, when their batch or their epoch is known here."""
        desk = self._desk
        verified: list[Attestation] = []
        stored, waiting = await self._held(sender, attestations)
        pending = [attestation for attestation in attestations if attestation in waiting]
        for count, attestation in enumerate(attestations, start=1):
            # SECURITY: one message may bring seconds of checks, and heartbeats wait meanwhile.
            if count % _VERIFIED_IN_A_ROW == 0:
                await asyncio.sleep(0)
            if attestation in stored or attestation in waiting:
                continue
            refusal = self._refusal(sender, attestation)
            if not refusal:
                verified.append(attestation)
            elif refusal == UnknownEpoch.code:
                pending.append(attestation)
            if refusal:
                desk.metrics.attestations_rejected.labels(refusal).inc()
        async with desk.writing:
            known = await desk.store.load_batches([attestation.root for attestation in verified])
            ripe = self._ripe(verified, known)
            if ripe:
                await commit_quorums(desk, set(known), Commit(attestations=tuple(ripe)))
            rotations = [attestation for attestation in verified if self._is_rotation(attestation)]
            if rotations:
                await desk.commit(Commit(attestations=tuple(rotations)))
            early = [a for a in verified if a.root not in known and a not in rotations]
            for attestation in early:
                self._keep_early(sender, attestation)
        desk.metrics.attestations_received.labels(peer_label(sender)).inc(len(verified))
        return pending + early

    async def _held(
        self, sender: bytes, attestations: Sequence[Attestation]
    ) -> tuple[frozenset[Attestation], frozenset[Attestation]]:
        """Those of the sender that are stored, and those that are early: verified before, to the last bit.

        A peer's page is read again for as long as one of its batches is not born here.
        """
        own = [attestation for attestation in attestations if attestation.signer == sender]
        kept = self._early.get(sender, _Early()).kept
        early = {a for a in own if (held := kept.get(_place(a))) is not None and held[1] == a}
        known = await self._desk.store.load_attestations([attestation.root for attestation in own])
        return frozenset(a for a in own if a in known.get(a.root, ())), frozenset(early)

    async def settle_early(self) -> None:
        """Take in early attestations whose batch has been born since."""
        waiting = [attestation for early in self._early.values() for _, attestation in early.kept.values()]
        if not waiting:
            return
        async with self._desk.writing:
            known = await self._desk.store.load_batches([attestation.root for attestation in waiting])
            ripe = self._ripe(waiting, known)
            if ripe:
                await commit_quorums(self._desk, set(known), Commit(attestations=tuple(ripe)))
        for attestation in waiting:
            if attestation.root in known:
                self.forget(attestation)

    def overdue(self) -> list[Attestation]:
        """Early ones whose batch was not born here within `unknown_root_seconds`: somebody sees another chain."""
        horizon = self._desk.clock.now() - self._desk.settings.unknown_root_seconds
        return [a for early in self._early.values() for at, a in early.kept.values() if at < horizon]

    def forget(self, attestation: Attestation) -> None:
        """An early attestation that has been looked into."""
        early = self._early.get(attestation.signer, _Early())
        early.kept.pop(_place(attestation), None)
        if not early.kept:
            self._early.pop(attestation.signer, None)

    async def load_statements(self, root: bytes) -> Sequence[Statement] | None:
        """The statements under a root of this node's own batches, or of a rotation that its operator accepted."""
        batches = await self._desk.store.load_batches([root])
        if root in batches:
            return batches[root].statements
        accepted = await self._desk.store.load_accepted_sets()
        return next(((a.numbered.rotate,) for a in accepted if a.numbered.rotate.leaf == root), None)

    async def load_own_attestations(self, cursor: str, limit: int) -> AttestationPage:
        """This node's own attestations after a cursor that it gave out. Raises `PeerMessageInvalid` on another."""
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):  # noqa: PLR2004 - below 2^63
            raise PeerMessageInvalid("the cursor is not one of ours")
        after = int(cursor or 0)
        if after and not await self._is_own_row(after):
            after = 0  # given out before this node's database was made anew: the peer starts over
        rows = await self._desk.store.load_own_attestations(self._desk.signer.key, after, limit)
        last = rows[-1][0] if rows else after
        return AttestationPage(tuple(attestation for _, attestation in rows), str(last), len(rows) < limit)

    async def _is_own_row(self, row: int) -> bool:
        """Whether an attestation of this node has this row number."""
        found = await self._desk.store.load_own_attestations(self._desk.signer.key, row - 1, 1)
        return bool(found) and found[0][0] == row

    def _refusal(self, sender: bytes, attestation: Attestation) -> str:
        """Why the attestation is not kept; empty if it verifies. `UnknownEpoch` may pass with the next final block.

        SECURITY: nobody speaks for another signer, and nothing unverified is stored or counted.
        """
        if attestation.signer != sender:
            return WrongSigner.code
        try:
            signer_set = self._desk.epochs.signer_set(attestation.gateway, attestation.epoch)
            index = signer_set.index_of(sender)
            if index is None:
                return WrongSigner.code
            batch = SignedBatch(attestation.gateway, attestation.root, attestation.count, attestation.epoch)
            verify_attestation(IndexedAttestation(batch, index, attestation.signature), signer_set)
        except AttestationError as error:
            return error.code
        return ""

    def _ripe(self, verified: Sequence[Attestation], known: Mapping[bytes, Batch]) -> list[Attestation]:
        """Those over batches of ours, as they are.

        SECURITY: a signature over the root with another count or for another gateway serves neither a certificate nor
        evidence, and would take the place of the signer's true one.
        """
        ripe: list[Attestation] = []
        for attestation in verified:
            batch = known.get(attestation.root)
            if batch is None:
                continue
            if (attestation.gateway, attestation.count) == (batch.verifying_gateway, batch.count):
                ripe.append(attestation)
            else:
                self._desk.metrics.attestations_rejected.labels(OtherBatch.code).inc()
        return ripe

    def _is_rotation(self, attestation: Attestation) -> bool:
        """Whether it is of the very batch that this node's operator accepted for the gateway's next epoch."""
        ours = self._desk.rotations.get(attestation.gateway)
        return ours is not None and (attestation.root, attestation.count) == (ours.root, ours.count)

    def _keep_early(self, sender: bytes, attestation: Attestation) -> None:
        early, limit = self._early.setdefault(sender, _Early()), self._desk.settings.unknown_roots_per_signer
        if _place(attestation) in early.kept:
            return
        early.seen += 1
        # SECURITY: a peer can sign roots without end; only so many are kept, and only in memory. All that it signed
        # are as likely to be among them: were it the newest or the oldest, a flood after or before a lie would hide it.
        if len(early.kept) >= limit:
            if self._draws.randrange(early.seen) >= limit:
                return
            del early.kept[self._draws.choice([*early.kept])]
        early.kept[_place(attestation)] = (self._desk.clock.now(), attestation)


def _place(attestation: Attestation) -> tuple[bytes, bytes]:
    """One root may be signed for several gateways: that of a rotation is the same at all."""
    return attestation.gateway, attestation.root
