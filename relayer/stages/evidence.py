"""Finds signers that contradict themselves.

Its job: when a peer signed a root that was not born here, ask for its statements, keep them, and compare them with what
the same peer signed under this node's own roots. Two signed leaves under one guard key are EQUIVOCATION; signatures and
leaves are kept as a self-contained file. It accuses nobody of anything else: a different view alone is no offence.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from attestation.evidence import Equivocation, SignedStatement, verify_equivocation
from attestation.evidence_file import encode_evidence
from attestation.statement import Execute, Outcome, Statement, guard_key
from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit, EvidenceRow, ForeignStatements
from relayer.stages.desk import Bell, Desk
from relayer.stages.inbox import Inbox

_PERIOD_SECONDS = 15.0
"""Evidence keeps; looking rarely costs an offender nothing and us little."""

_COMPARE_SECONDS = 3600.0
"""How long a foreign root is compared again: the contradicting signature may come later. In memory only."""

_COMPARED_AT_MOST = 4096
"""Foreign roots kept for comparing again, of all peers together."""

OFFENCE = "EQUIVOCATION"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A root that a peer signed and this node did not build, with what it says."""

    attestation: Attestation
    statements: tuple[Statement, ...]
    since: float


class EvidenceStage:
    """One per node."""

    name = "evidence"
    chain = ""

    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self._desk = desk
        self._inbox = inbox
        self._bell = Bell()
        self._foreign: dict[tuple[bytes, bytes], _Foreign] = {}

    async def wait(self) -> None:
        """Until the next look."""
        await self._bell.wait(_PERIOD_SECONDS)

    async def run_once(self) -> bool:
        """Look into overdue roots, and compare all that are foreign."""
        for attestation in self._inbox.overdue():
            await self._look_into(attestation)
        horizon = self._desk.clock.now() - _COMPARE_SECONDS
        for place, foreign in list(self._foreign.items()):
            await self._compare(foreign)
            if foreign.since < horizon:
                del self._foreign[place]
        return False

    async def _look_into(self, attestation: Attestation) -> None:
        desk = self._desk
        try:
            statements = tuple(await desk.peers.fetch_statements(attestation.signer, attestation.root))
        except PeerUnavailable:
            return  # asked again at the next look
        except PeerMessageInvalid as error:
            _log.warning("statements_withheld", peer=attestation.signer.hex(), reason=str(error))
            self._inbox.forget(attestation)
            return
        if len(statements) != attestation.count:
            # SECURITY: its signature covers no batch of these statements: it proves nothing, whatever they say.
            _log.warning("attestation_miscounted", peer=attestation.signer.hex(), count=attestation.count)
            self._inbox.forget(attestation)
            return
        kept = ForeignStatements(attestation.root, attestation.signer, statements)
        async with desk.writing:
            await desk.commit(Commit(attestations=(attestation,), foreign=(kept,)))
        self._inbox.forget(attestation)
        if len(self._foreign) < _COMPARED_AT_MOST:
            place = (attestation.signer, attestation.root)
            self._foreign[place] = _Foreign(attestation, statements, desk.clock.now())

    async def _compare(self, foreign: _Foreign) -> None:
        rows = await self._contradictions(foreign)
        if not rows:
            return
        known = {(row.signer, row.guard_key) for row in await self._desk.store.list_evidence()}
        fresh = tuple(row for row in rows if (row.signer, row.guard_key) not in known)
        if not fresh:
            return
        async with self._desk.writing:
            await self._desk.commit(Commit(evidence=fresh))
        self._desk.metrics.evidence.labels(OFFENCE).inc(len(fresh))
        _log.critical("equivocation_found", peer=foreign.attestation.signer.hex(), count=len(fresh))

    async def _contradictions(self, foreign: _Foreign) -> list[EvidenceRow]:
        """What the peer signed elsewhere, here or in another foreign root, that this root contradicts."""
        signer = foreign.attestation.signer
        others = await self._signed_elsewhere(foreign)
        rows = []
        for index, statement in enumerate(foreign.statements):
            key = guard_key(statement, foreign.attestation.gateway)
            for attestation, statements in others:
                for position, other in enumerate(statements):
                    if guard_key(other, attestation.gateway) == key and other.leaf != statement.leaf:
                        document = self._document(
                            (foreign.attestation, foreign.statements, index), (attestation, statements, position)
                        )
                        rows.append(EvidenceRow(OFFENCE, signer, key, document, self._desk.clock.now()))
        return rows

    async def _signed_elsewhere(self, foreign: _Foreign) -> list[tuple[Attestation, tuple[Statement, ...]]]:
        """The peer's attestations over other roots that speak of the same requests."""
        store, signer = self._desk.store, foreign.attestation.signer
        ids = [s.request_id for s in foreign.statements if isinstance(s, Execute | Outcome)]
        requests = await store.load_requests(ids)
        roots = {root for r in requests.values() for root in (r.execute_root, r.outcome_root) if root}
        statements_by_root = {root: batch.statements for root, batch in (await store.load_batches([*roots])).items()}
        for other in await store.load_foreign_statements(signer, ids):
            if other.root != foreign.attestation.root:
                statements_by_root[other.root] = other.statements
        return [
            (attestation, statements)
            for root, statements in statements_by_root.items()
            for attestation in await store.load_attestations(root)
            if attestation.signer == signer
        ]

    def _document(self, *places: tuple[Attestation, tuple[Statement, ...], int]) -> str:
        first, second = (
            SignedStatement.in_batch(a.gateway, statements, index, a.epoch, a.signature)
            for a, statements, index in places
        )
        attestation = places[0][0]
        scheme = self._desk.epochs.signer_set(attestation.gateway, attestation.epoch).scheme
        evidence = Equivocation(scheme, attestation.signer, first, second)
        verify_equivocation(evidence, attestation.signer)
        return encode_evidence(evidence)
