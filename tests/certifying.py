"""What the test signers would certify of blocks that were watched, whatever VM they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from attestation.batch import Batch as SignedBatch
from attestation.certificate import build_certificate
from relayer.domain.batch import Batch, conclusion_of, execute_batches, receipt_batches
from relayer.domain.lifecycle import observe
from relayer.domain.observations import CallConcluded, CallRequested, ObservedBlock
from relayer.domain.route import RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from tests.factories import SIGNING_KEYS


def certify(batch: Batch, requests: Sequence[TrackedRequest]) -> CertifiedBatch:
    """With the certificate of three of the four signers, under epoch 1."""
    signed = SignedBatch(batch.verifying_gateway, batch.root, batch.count, 1)
    signatures = {index: SIGNING_KEYS[index].sign(signed.digest()) for index in (0, 2, 3)}
    return CertifiedBatch(batch, build_certificate(signed, 1, signatures).to_bytes(), tuple(requests))


def executions(routes: RouteTable, *blocks: ObservedBlock) -> list[CertifiedBatch]:
    """The certified Execute batches of these source blocks, everything in them to be acted on."""
    certified = []
    for block in blocks:
        requests = {request.request_id: request for request in track_all(block)}
        for batch in execute_batches(block, routes):
            wanted = [requests[statement.request_id] for statement in batch.statements]  # type: ignore[union-attr]
            certified.append(certify(batch, wanted))
    return certified


def deliveries(
    routes: RouteTable, gateway: bytes, block: ObservedBlock, requests: Sequence[TrackedRequest]
) -> list[CertifiedBatch]:
    """The certified Outcome batches of a block of this destination gateway's (ERC-7930), for these requests."""
    receipts = {o.request_id: o for o in block.observations if isinstance(o, CallConcluded)}
    concluded = [
        replace(request, conclusion=conclusion_of(receipts[request.request_id]))
        for request in requests
        if request.request_id in receipts
    ]
    return [certify(batch, concluded) for batch in receipt_batches(block, gateway, routes)]


def track_all(block: ObservedBlock) -> list[TrackedRequest]:
    """The requests of a source block, as a relayer tracks them."""
    return [
        observe(o.request_id, o.request, o.route, o.location, block.timestamp, o.fee, o.deadline).request
        for o in block.observations
        if isinstance(o, CallRequested)
    ]
