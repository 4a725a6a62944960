"""What peers tell this node.

Its job: verify each attestation before it is kept, keep early ones within bounds until their batch is born here, and
serve this node's own attestations and statements to peers that ask. A peer is believed about nothing but its signature.

What peers push is gathered, and written by the many: at once when a quorum may have come together, else with whatever
is written next. Nothing follows from an attestation short of a quorum or beyond it, and of one that is lost with the
process its signer tells again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
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

GATHER_SECONDS: Final = 1.0
"""How long what peers pushed short of a quorum, or beyond it, waits for others to be written with."""

_NOTHING_SETTLED: Final = -1
"""Below any count of births: what is early is to be looked at whatever was born since."""


@dataclass(slots=True)
class _Early:
    """Attestations of one signer whose batches are not born here, with when they came, and how many there ever were.

    It is forgotten with the last of them.
    """

    kept: dict[tuple[bytes, bytes], tuple[float, Attestation]] = field(default_factory=dict)
    seen: int = 0


class Inbox:
    """Implements `PeerInbox`; `settle` is called every now and then, and soon when it `is_urgent`.

    `draws` must be such that no peer can foresee them.
    """

    def __init__(self, desk: Desk, draws: random.Random) -> None:
        self._desk = desk
        self._draws = draws
        self._early: dict[bytes, _Early] = {}
        self._gathered: dict[bytes, dict[Attestation, None]] = {}
        self._signers: dict[bytes, set[bytes]] = {}
        self._births_settled = _NOTHING_SETTLED
        self._gathered_at: float | None = None
        self._is_quorum = False
        self.taken = 0
        """Attestations that `take_in` found to be new."""

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        """Verify each and gather what verifies, for the next `settle`. A bad one costs the others nothing.

        SECURITY: of one sender no more is gathered than is kept early. The rest is drawn for as all that comes early:
        were it left out, a flood before a lie would hide it. What is not drawn comes again by cursor.
        """
        desk = self._desk
        gathered = self._gathered.setdefault(sender, {})
        limit, counted = desk.settings.unknown_roots_per_signer, 0
        for count, attestation in enumerate(attestations, start=1):
            if count % _VERIFIED_IN_A_ROW == 0:
                await asyncio.sleep(0)
            if attestation in gathered or self._is_early(sender, attestation):
                continue
            is_fitting = len(gathered) < limit
            # SECURITY: drawn for before it is verified, or a flood would take our time without end.
            if not is_fitting and not self._is_drawn(sender):
                continue
            refusal = self._refusal(sender, attestation)
            if refusal:
                desk.metrics.attestations_rejected.labels(refusal).inc()
                continue
            counted += 1
            if is_fitting:
                gathered[attestation] = None
                self._is_quorum = self._completes_quorum(attestation) or self._is_quorum
            elif not self._is_rotation(attestation):
                self._keep_drawn(sender, attestation)
                self._births_settled = _NOTHING_SETTLED  # its batch may be born here already
        desk.metrics.attestations_received.labels(peer_label(sender)).inc(counted)
        if counted and self._gathered_at is None:
            self._gathered_at = desk.clock.now()
        if self._is_quorum:
            desk.bells.sign.ring()

    def _completes_quorum(self, attestation: Attestation) -> bool:
        """Whether those who are known to have signed the root, this node among them, are enough with this one.

        It may miss one, of a batch that this process has not signed itself: that one waits for the next `settle`.
        SECURITY: counted are signed batches of our own only, of which there are few; a peer can sign roots without end.
        """
        desk, root = self._desk, attestation.root
        if root not in desk.signed_at:
            return False
        signers = self._signers.setdefault(root, {desk.signer.key})
        signers.add(attestation.signer)
        signer_set = desk.epochs.signer_set(attestation.gateway, attestation.epoch)
        return signer_set.weight_of(signers) >= signer_set.threshold

    async def take_in(self, sender: bytes, attestations: Sequence[Attestation]) -> list[Attestation]:
        """Verify each, keep what verifies, certify what reaches its threshold.

        Returns those that may be stored later, when their batch or their epoch is known here.
        """
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
        self.taken += len(verified)
        return pending + early

    async def _held(
        self, sender: bytes, attestations: Sequence[Attestation]
    ) -> tuple[frozenset[Attestation], frozenset[Attestation]]:
        """Those of the sender that are stored, and those that are early: verified before, to the last bit.

        A peer's page is read again for as long as one of its batches is not born here.
        """
        own = [attestation for attestation in attestations if attestation.signer == sender]
        early = {attestation for attestation in own if self._is_early(sender, attestation)}
        known = await self._desk.store.load_attestations([attestation.root for attestation in own])
        return frozenset(a for a in own if a in known.get(a.root, ())), frozenset(early)

    def _is_early(self, sender: bytes, attestation: Attestation) -> bool:
        """Whether this very attestation of the sender's is kept until its batch is born."""
        held = self._early.get(sender, _Early()).kept.get(_place(attestation))
        return held is not None and held[1] == attestation

    @property
    def is_urgent(self) -> bool:
        """Whether something was gathered that may complete a quorum, or that has waited long enough."""
        return self._is_quorum or (
            self._gathered_at is not None and self._desk.clock.now() - self._gathered_at >= GATHER_SECONDS
        )

    async def settle(self) -> None:
        """Write what was gathered, as one commit, and with it early ones whose batch has been born since.

        Certifies what has a quorum now.
        """
        desk, births = self._desk, self._desk.births
        self._is_quorum = False
        gathered = [attestation for kept in self._gathered.values() for attestation in kept]
        early = self._all_early() if births != self._births_settled else []
        if not gathered and not early:
            return
        async with desk.writing:
            known = await desk.store.load_batches(list({a.root for a in (*gathered, *early)}))
            ripe = self._ripe([*gathered, *early], known)
            rotations = [attestation for attestation in gathered if self._is_rotation(attestation)]
            if ripe or rotations:
                kept = tuple(dict.fromkeys((*ripe, *rotations)))
                await commit_quorums(desk, {attestation.root for attestation in ripe}, Commit(attestations=kept))
        self._births_settled = births
        for attestation in gathered:
            if attestation.root not in known and attestation not in rotations:
                self._keep_early(attestation.signer, attestation)
        self.note_stored([*gathered, *(attestation for attestation in early if attestation.root in known)])

    def gathered_for(self, batches: Mapping[bytes, Batch]) -> list[Attestation]:
        """What is gathered or early over these batches, verified; once it is stored, `note_stored` is to be told."""
        gathered = (attestation for kept in self._gathered.values() for attestation in kept)
        return self._ripe([*gathered, *self._all_early()], batches)

    def note_stored(self, stored: Sequence[Attestation]) -> None:
        """These need to be kept here no more. Who signed what still lacks its quorum is remembered."""
        signed_at, key = self._desk.signed_at, self._desk.signer.key
        self._signers = {root: signers for root, signers in self._signers.items() if root in signed_at}
        for attestation in stored:
            gathered = self._gathered.get(attestation.signer, {})
            if gathered.pop(attestation, attestation) is attestation:
                self.forget(attestation)
            if attestation.root in signed_at:
                self._signers.setdefault(attestation.root, {key}).add(attestation.signer)
        self._gathered_at = self._desk.clock.now() if any(self._gathered.values()) else None

    def _all_early(self) -> list[Attestation]:
        return [attestation for early in self._early.values() for _, attestation in early.kept.values()]

    def heard(self, gateways: Collection[bytes]) -> list[Attestation]:
        """What peers were heard to sign for these gateways and is not stored: verified, in the order in which it came.

        The batches of some of it may be born here.
        """
        gathered = (attestation for kept in self._gathered.values() for attestation in kept)
        return [attestation for attestation in (*self._all_early(), *gathered) if attestation.gateway in gateways]

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
        if _place(attestation) not in self._early.get(sender, _Early()).kept and self._is_drawn(sender):
            self._keep_drawn(sender, attestation)

    def _is_drawn(self, sender: bytes) -> bool:
        """Whether one more early attestation of the sender's is to be kept.

        SECURITY: a peer can sign roots without end; only so many are kept, and only in memory. All that it signed are
        as likely to be among them: were it the newest or the oldest, a flood after or before a lie would hide it.
        """
        early, limit = self._early.setdefault(sender, _Early()), self._desk.settings.unknown_roots_per_signer
        early.seen += 1
        return len(early.kept) < limit or self._draws.randrange(early.seen) < limit

    def _keep_drawn(self, sender: bytes, attestation: Attestation) -> None:
        early, limit = self._early.setdefault(sender, _Early()), self._desk.settings.unknown_roots_per_signer
        if _place(attestation) in early.kept:
            return
        if len(early.kept) >= limit:
            del early.kept[self._draws.choice([*early.kept])]
        early.kept[_place(attestation)] = (self._desk.clock.now(), attestation)


def _place(attestation: Attestation) -> tuple[bytes, bytes]:
    """One root may be signed for several gateways: that of a rotation is the same at all."""
    return attestation.gateway, attestation.root
