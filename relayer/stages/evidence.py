"""Finds signers that contradict themselves.

Its job: when a peer signed a root that was not born here, ask for its statements, keep them, and compare them with what
the same peer signed under this node's own roots. Two signed leaves under one guard key are EQUIVOCATION; signatures and
leaves are kept as a self-contained file. It accuses nobody of anything else: a different view alone is no offence.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from attestation.evidence import Equivocation, SignedStatement, verify_equivocation
from attestation.evidence_file import encode_evidence
from attestation.request import RequestId
from attestation.statement import Execute, Outcome, Rotate, Statement, guard_key
from relayer.domain.signers import signer_text
from relayer.domain.tracked import TrackedRequest
from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit, EvidenceRow, ForeignStatements
from relayer.stages.desk import Bell, Desk
from relayer.stages.inbox import Inbox

_PERIOD_SECONDS = 15.0
"""Evidence keeps; looking rarely costs an offender nothing and us little."""

_COMPARE_SECONDS = 3600.0
"""How long a foreign root is compared again: the contradicting signature may come later. In memory only."""

_KEPT_PER_SIGNER = 32
"""Foreign roots kept of one signer. SECURITY: a key can sign roots without end; one contradiction convicts it."""

_LOOKED_INTO_PER_SIGNER = 16
"""Roots of one signer that are asked for in one look: an exchange each."""

OFFENCE = "EQUIVOCATION"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A root that a peer signed and this node did not build, with what it says.

    `rivals` are its leaves, with their guard keys, under which a batch of this node has another leaf.
    """

    attestation: Attestation
    statements: tuple[Statement, ...]
    rivals: frozenset[tuple[bytes, bytes]]
    since: float


class EvidenceStage:
    """One per node. `draws` must be such that no peer can foresee them."""

    name = "evidence"
    chain = ""

    def __init__(self, desk: Desk, inbox: Inbox, draws: random.Random) -> None:
        self._desk = desk
        self._inbox = inbox
        self._draws = draws
        self._bell = Bell()
        self._foreign: dict[bytes, dict[bytes, _Foreign]] = {}
        # An alert on its rise would miss the first, were the series not there before.
        desk.metrics.evidence.labels(OFFENCE)

    async def wait(self) -> None:
        """Until the next look."""
        await self._bell.wait(_PERIOD_SECONDS)

    async def run_once(self) -> bool:
        """Look into overdue roots, and compare all that are foreign."""
        convicted = {row.signer for row in await self._desk.store.list_evidence()}
        looks: Counter[bytes] = Counter()
        overdue = self._inbox.overdue()
        # SECURITY: in no order that a signer could choose: it would hide one lie behind thousands of idle roots, such
        # as those of its split batches that found their quorum whole here.
        self._draws.shuffle(overdue)
        for attestation in overdue:
            looks[attestation.signer] += 1
            if attestation.signer in convicted:
                self._inbox.forget(attestation)  # one conviction is enough
            elif looks[attestation.signer] <= _LOOKED_INTO_PER_SIGNER and await self._look_into(attestation):
                convicted.add(attestation.signer)
        horizon = self._desk.clock.now() - _COMPARE_SECONDS
        for signer, kept in self._foreign.items():
            for root, foreign in list(kept.items()):
                if signer not in convicted and await self._compare(foreign):
                    convicted.add(signer)
                if foreign.since < horizon or signer in convicted:
                    del kept[root]
        return False

    async def _look_into(self, attestation: Attestation) -> bool:
        """Ask for the statements. Whether they convict the peer at once; else they are kept if they may do so later."""
        desk = self._desk
        try:
            statements = tuple(await desk.peers.fetch_statements(attestation.signer, attestation.root))
        except PeerUnavailable:
            return False  # asked again at the next look
        except PeerMessageInvalid as error:
            _log.warning("statements_withheld", peer=signer_text(attestation.signer), reason=str(error))
            self._inbox.forget(attestation)
            return False
        self._inbox.forget(attestation)
        if len(statements) != attestation.count:
            # SECURITY: its signature covers no batch of these statements: it proves nothing, whatever they say.
            _log.warning("attestation_miscounted", peer=signer_text(attestation.signer), count=attestation.count)
            return False
        self._note_rotation(attestation, statements)
        rivals = await self._rivals(attestation, statements)
        foreign = _Foreign(attestation, statements, rivals, desk.clock.now())
        # SECURITY: before it is known whether there is room for it: a signer fills the room that it has at will.
        if await self._compare(foreign):
            return True
        await self._keep(foreign)
        return False

    async def _keep(self, foreign: _Foreign) -> None:
        """Remember a root whose signer may still contradict it."""
        attestation = foreign.attestation
        kept = self._foreign.setdefault(attestation.signer, {})
        covered = {rival for other in kept.values() for rival in other.rivals}
        # SECURITY: statements that contradict nothing known are no evidence, and must take neither disk nor memory; nor
        # must one lie under many roots.
        if foreign.rivals <= covered:
            return
        is_full = len(kept) >= _KEPT_PER_SIGNER
        if is_full:
            # SECURITY: for one that the signer cannot choose, and on disk there are no more than had room.
            del kept[self._draws.choice([*kept])]
        kept[attestation.root] = foreign
        if not is_full:
            stored = ForeignStatements(attestation.root, attestation.signer, foreign.statements)
            async with self._desk.writing:
                await self._desk.commit(Commit(attestations=(attestation,), foreign=(stored,)))

    async def _rivals(
        self, attestation: Attestation, statements: tuple[Statement, ...]
    ) -> frozenset[tuple[bytes, bytes]]:
        """Those of these statements' leaves that have another one beside them in a batch of this node."""
        store = self._desk.store
        ids = [statement.request_id for statement in statements if isinstance(statement, Execute | Outcome)]
        requests = await store.load_requests(ids)
        roots = self._roots_of(requests)
        ours = {
            guard_key(statement, batch.verifying_gateway): statement.leaf
            for batch in (await store.load_batches([*roots])).values()
            for statement in batch.statements
        }
        if (rotation := self._desk.rotations.get(attestation.gateway)) is not None:
            [rotate] = rotation.statements
            ours[guard_key(rotate, attestation.gateway)] = rotate.leaf
        keys = [(guard_key(statement, attestation.gateway), statement.leaf) for statement in statements]
        return frozenset((key, leaf) for key, leaf in keys if ours.get(key, leaf) != leaf)

    def _roots_of(self, requests: Mapping[RequestId, TrackedRequest]) -> set[bytes]:
        """This node's roots that speak of these: the last of each kind, and those of former rounds."""
        roots = {root for r in requests.values() for root in (r.execute_root, r.outcome_root) if root}
        return roots | self._desk.rounds.roots([*requests])

    def _note_rotation(self, attestation: Attestation, statements: tuple[Statement, ...]) -> None:
        """Another set than ours for the gateway's next epoch: no offence, but people must know why nothing rotates."""
        newest = self._desk.epochs.newest(attestation.gateway)
        for statement in statements:
            if isinstance(statement, Rotate) and newest is not None and statement.new_epoch == newest.epoch + 1:
                self._desk.rival_rotations[attestation.gateway, attestation.signer] = statement

    async def _compare(self, foreign: _Foreign) -> bool:
        """Whether the peer is convicted by this root and something else that it signed."""
        row = await self._contradiction(foreign)
        if row is None:
            return False
        async with self._desk.writing:
            await self._desk.commit(Commit(evidence=(row,)))
        self._desk.metrics.evidence.labels(OFFENCE).inc()
        _log.critical("equivocation_found", peer=signer_text(foreign.attestation.signer))
        return True

    async def _contradiction(self, foreign: _Foreign) -> EvidenceRow | None:
        """The first contradiction with what the peer signed elsewhere, here or in another foreign root."""
        ours = {
            guard_key(statement, foreign.attestation.gateway): position
            for position, statement in enumerate(foreign.statements)
        }
        for attestation, statements in await self._signed_elsewhere(foreign):
            for position, other in enumerate(statements):
                key = guard_key(other, attestation.gateway)
                place = ours.get(key)
                if place is not None and foreign.statements[place].leaf != other.leaf:
                    document = self._document(
                        (foreign.attestation, foreign.statements, place), (attestation, statements, position)
                    )
                    return EvidenceRow(OFFENCE, foreign.attestation.signer, key, document, self._desk.clock.now())
        return None

    async def _signed_elsewhere(self, foreign: _Foreign) -> list[tuple[Attestation, tuple[Statement, ...]]]:
        """The peer's attestations over other roots that speak of the same requests."""
        store, signer = self._desk.store, foreign.attestation.signer
        ids = [s.request_id for s in foreign.statements if isinstance(s, Execute | Outcome)]
        requests = await store.load_requests(ids)
        roots = self._roots_of(requests)
        statements_by_root = {root: batch.statements for root, batch in (await store.load_batches([*roots])).items()}
        for other in await store.load_foreign_statements(signer, ids):
            if other.root != foreign.attestation.root:
                statements_by_root[other.root] = other.statements
        if (rotation := self._desk.rotations.get(foreign.attestation.gateway)) is not None:
            statements_by_root[rotation.root] = rotation.statements
        attestations = await store.load_attestations([*statements_by_root])
        kept = self._foreign.get(signer, {}).values()
        return [
            *((other.attestation, other.statements) for other in kept if other is not foreign),
            *(
                (attestation, statements)
                for root, statements in statements_by_root.items()
                for attestation in attestations.get(root, ())
                if attestation.signer == signer
            ),
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
