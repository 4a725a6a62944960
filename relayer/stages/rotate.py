"""Brings in the signer set that the operator accepted.

Its job: for one gateway, when the accepted set is the next one after the set that counts there: sign its rotation,
gather the peers' signatures, and carry the certificate to the chain in turn. It judges no set. SECURITY: it signs for
the very set that this node's operator accepted, after the very set that it was accepted to follow, and for no other:
nothing that a peer, an owner or a chain says can put a set before it.
"""

from __future__ import annotations

import structlog

from relayer.domain.batch import Batch, rotate_batch
from relayer.errors import CallReverted, ConflictingAttestation
from relayer.ports.signer import Attestation
from relayer.ports.store import AcceptedSet, Certificate, Commit, StoredEpoch, TransactionPurpose
from relayer.ports.vm import OpenChain
from relayer.stages.desk import Bell, Desk
from relayer.stages.quorum import certify
from relayer.stages.sending import send_recorded, sign_next

_PERIOD_SECONDS = 2.0
"""While there is something to bring in: rotations are rare and wait for people anyway."""

_CALM_PERIOD_SECONDS = 10.0
"""While there is nothing: another process writes what the operator accepts."""

_TELL_SECONDS = 30.0
"""How often our signature is told again: an operator who accepts later has dropped it as unknown."""

_log = structlog.get_logger(__name__)


class RotateStage:
    """One per chain, idle ones too: without it a gateway that nobody uses would be left to its lapsing set."""

    name = "rotate"

    def __init__(self, desk: Desk, chain: OpenChain) -> None:
        self._desk = desk
        self._chain = chain
        self._bell = Bell()
        self._begin(b"")

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain whose gateway gets its next set."""
        return self._chain.source.caip2

    async def wait(self) -> None:
        """Until the next look."""
        is_calm = self._chain.source.gateway not in self._desk.rotations
        await self._bell.wait(_CALM_PERIOD_SECONDS if is_calm else _PERIOD_SECONDS)

    async def run_once(self) -> bool:
        """One look at what the operator accepted and the peers signed."""
        desk, gateway = self._desk, self._chain.source.gateway
        newest = desk.epochs.newest(gateway)
        accepted = None if newest is None else await self._accepted_after(newest)
        # SECURITY: nothing is signed for a chain before this process has found what it knows of it to stand.
        if newest is None or accepted is None or not desk.tips[self.chain].is_verified:
            desk.rotations.pop(gateway, None)
            return False
        batch = rotate_batch(gateway, self.chain, accepted.numbered)
        if batch.root != self._root:
            self._begin(batch.root)
        desk.rotations[gateway] = batch
        attestations = [
            attestation
            for attestation in (await desk.store.load_attestations([batch.root])).get(batch.root, ())
            if (attestation.gateway, attestation.epoch) == (gateway, newest.epoch)
        ]
        own = next((a for a in attestations if a.signer == desk.signer.key), None) or await self._sign(batch, newest)
        if own is not None:
            attestations.append(own)
            await self._tell(own)
        certificate = certify(batch, newest, attestations, desk.clock.now())
        if certificate is not None:
            await self._carry(accepted, batch, certificate)
        return False

    def _begin(self, root: bytes) -> None:
        """Another rotation than before: nothing of it was done yet."""
        self._root = root
        self._told_at = 0.0
        self._certified_at: float | None = None
        self._not_before = 0.0
        self._is_refused = False

    async def _accepted_after(self, newest: StoredEpoch) -> AcceptedSet | None:
        """What the operator accepted to follow this very epoch."""
        accepted = await self._desk.store.load_accepted_sets()
        return next((each for each in accepted if each.replaces(newest)), None)

    async def _sign(self, batch: Batch, newest: StoredEpoch) -> Attestation | None:
        desk = self._desk
        if newest.signer_set.index_of(desk.signer.key) is None or self._is_refused:
            return None
        try:
            attestation = await desk.signer.sign_batch(batch, newest.epoch)
        except ConflictingAttestation as conflict:
            self._is_refused = True
            _log.critical("signing_refused", root=batch.root.hex(), kind=batch.kind, reason=str(conflict))
            desk.metrics.guard_conflicts.inc()
            return None
        async with desk.writing:
            await desk.commit(Commit(attestations=(attestation,)))
        desk.metrics.attestations_signed.labels(self.chain, batch.kind).inc()
        _log.info("rotation_signed", chain=self.chain, epoch=batch.first_height, root=batch.root.hex())
        return attestation

    async def _tell(self, own: Attestation) -> None:
        now = self._desk.clock.now()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            await self._desk.peers.push([own])

    async def _carry(self, accepted: AcceptedSet, batch: Batch, certificate: Certificate) -> None:
        """Send the rotation when it is this node's turn, and none of ours is under way."""
        desk, now = self._desk, self._desk.clock.now()
        if self._certified_at is None:
            self._certified_at = now
            desk.metrics.certificates.labels(self.chain, batch.kind).inc()
        turn = self._certified_at + desk.rank_delay(batch.route, batch.first_height, batch.verifying_gateway)
        is_under_way = any(
            transaction.purpose is TransactionPurpose.ROTATE
            for transaction in await desk.store.load_open_transactions(self.chain)
        )
        if is_under_way or now < max(turn, self._not_before):
            return
        self._not_before = now + desk.settings.settle_recheck_seconds
        try:
            call = await self._chain.source.prepare_rotate(accepted.numbered.signer_set, certificate.encoded)
        except CallReverted as refusal:
            # Somebody was first, most often: the final block will tell. Else the operators are told why it waits.
            _log.info("rotation_not_sent", chain=self.chain, epoch=batch.first_height, reason=refusal.error_name)
            return
        terms = await self._chain.wallet.fetch_terms()
        async with desk.writing:
            transaction = await sign_next(
                desk, self._chain, TransactionPurpose.ROTATE, call, terms, 0, desk.clock.now()
            )
            await desk.commit(Commit(transactions=(transaction,)))
        await send_recorded(desk, self._chain, [transaction])
