"""From attestations to certificates, and from certificates to work.

Its job: given roots that gained an attestation, see which have a quorum now, pack the certificate, and move the
requests on. Weight, membership and signatures are judged in `attestation`; nothing here counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from attestation.batch import Attestation as IndexedAttestation
from attestation.batch import Batch as SignedBatch
from attestation.batch import VerifiedAttestation
from attestation.quorum import Quorum
from attestation.statement import Execute, Outcome
from relayer.domain.batch import Batch, BatchKind, request_ids
from relayer.domain.effects import EffectKind
from relayer.domain.events import AnswerFinal, ExecuteCertified, OutcomeCertified
from relayer.domain.rounds import ANSWERABLE
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.signer import Attestation
from relayer.ports.store import Certificate, Commit, StoredEpoch
from relayer.stages.desk import Desk
from relayer.stages.draft import Draft


async def commit_quorums(desk: Desk, roots: Iterable[bytes], rest: Commit) -> None:
    """Commit `rest` (the new attestations), with every certificate that they make possible and what follows from it.

    Only roots of batches that were born here are considered. The caller holds `desk.writing`.
    """
    store, now = desk.store, desk.clock.now()
    batches = await store.load_batches(list(roots))
    held = await store.load_certificates(list(batches))
    known = await store.load_attestations(list(batches))
    fresh: dict[bytes, list[Attestation]] = {}
    for attestation in rest.attestations:
        fresh.setdefault(attestation.root, []).append(attestation)
    certificates: list[Certificate] = []
    certified: list[Batch] = []
    for root, batch in batches.items():
        newest = desk.epochs.newest(batch.verifying_gateway)
        if newest is None or (root in held and held[root].epoch >= newest.epoch):
            continue
        certificate = certify(batch, newest, [*known.get(root, ()), *fresh.get(root, ())], now)
        if certificate is not None:
            certificates.append(certificate)
            certified.append(batch)
    ids = [identifier for batch in certified for identifier in request_ids(batch)]
    draft = Draft(desk.routes, now, await store.load_requests(ids))
    for batch in certified:
        _apply_certificate(desk, draft, batch, now)
    whole = tuple((EffectKind.SPLIT_BATCH, batch.root) for batch in certified)
    commit = draft.commit(replace(rest, certificates=(*rest.certificates, *certificates), done=(*rest.done, *whole)))
    await desk.commit(commit)
    for batch in certified:
        desk.metrics.certificates.labels(batch.verifying_chain, batch.kind).inc()
        signed_at = desk.signed_at.pop(batch.root, None)
        if signed_at is not None:
            quorum_duration = desk.metrics.quorum_duration.labels(batch.verifying_chain, batch.kind)
            quorum_duration.observe(max(now - signed_at, 0.0))
    desk.bells.ring_effects({effect.chain for effect in commit.effects})


def _apply_certificate(desk: Desk, draft: Draft, batch: Batch, now: float) -> None:
    """What a batch's certificate means to its requests."""
    due_at = now + desk.rank_delay(batch.route, batch.first_height, batch.verifying_gateway)
    event = ExecuteCertified(batch.root) if batch.kind is BatchKind.EXECUTE else OutcomeCertified(batch.root)
    for statement in batch.statements:
        if isinstance(statement, Outcome) and statement.round:
            _conclude_in_round(desk, draft, batch, statement)
        if isinstance(statement, Execute | Outcome) and _is_current(statement, draft.get(statement.request_id)):
            draft.apply(statement.request_id, event, due_at, batch.root)


def _conclude_in_round(desk: Desk, draft: Draft, batch: Batch, outcome: Outcome) -> None:
    """The round that found its quorum may be an earlier one than was signed last: then its value counts.

    Of a value that this node knows no more it can deliver nothing: those who do will, and it goes on with its rounds.
    """
    request = draft.get(outcome.request_id)
    if request is None or request.status not in ANSWERABLE:
        return
    conclusion = desk.rounds.named(request, outcome)
    if conclusion is not None:
        draft.apply(outcome.request_id, AnswerFinal(conclusion, batch.root))


def _is_current(statement: Execute | Outcome, request: TrackedRequest | None) -> bool:
    """Whether the statement is about what this node holds now.

    SECURITY: attestations over a fork that is dead still arrive; their certificate must move nothing on the new one.
    """
    if request is None or request.status is Status.ORPHANED:
        return False
    if isinstance(statement, Execute):
        return statement.block_hash == request.block.hash
    return request.conclusion is not None and request.conclusion.outcome == statement


def certify(batch: Batch, epoch: StoredEpoch, attestations: Sequence[Attestation], now: float) -> Certificate | None:
    """The certificate under this epoch, or None below its threshold.

    The attestations were verified when they came in; the signer set decides which of them count.
    """
    signed = SignedBatch(batch.verifying_gateway, batch.root, batch.count, epoch.epoch)
    quorum = Quorum(signed, epoch.signer_set)
    for attestation in attestations:
        index = epoch.signer_set.index_of(attestation.signer)
        is_ours = attestation.gateway == batch.verifying_gateway and attestation.count == batch.count
        if index is None or attestation.epoch != epoch.epoch or not is_ours:
            continue
        quorum = quorum.add(VerifiedAttestation(IndexedAttestation(signed, index, attestation.signature)))
    if not quorum.is_quorum:
        return None
    encoded = quorum.certificate().to_bytes()
    return Certificate(batch.root, batch.verifying_gateway, epoch.epoch, encoded, now)
