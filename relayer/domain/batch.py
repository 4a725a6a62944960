"""Batches are born, not proposed.

Its job: from the contents of final blocks alone, the batches that every honest signer builds alike: one route, one
block (or one answered source block), in log order, cut at 256. It depends on block contents; it must not depend on
policy, cancels, when this node started, or what other nodes say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from attestation.errors import MalformedRequest
from attestation.keccak import keccak256_of_repeated
from attestation.merkle import merkle_root
from attestation.request import Mode, Request, RequestId, validate_request
from attestation.signer_set_file import NumberedSet
from attestation.statement import Execute, Outcome, Statement
from relayer.domain.observations import CallConcluded, CallRequested, ObservedBlock
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import Conclusion

MAX_BATCH_LEAVES = 256
"""A verifier is given a batch's positions as one 256-bit word; more would not fit."""


class BatchKind(StrEnum):
    """What a batch says. Persisted: names are only ever added."""

    EXECUTE = "EXECUTE"
    OUTCOME = "OUTCOME"
    ROTATE = "ROTATE"


BORN_KINDS: Final = (BatchKind.EXECUTE, BatchKind.OUTCOME)
"""What blocks give birth to. A rotation is of the operators' making, a batch of one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Statements that one signature covers. `root` (32 bytes) commits to all of them, in order.

    `verifying_gateway` (ERC-7930) is where a certificate over it is accepted; `verifying_chain` is that gateway's chain
    (CAIP-2). `first_height` is the observed block's height, an input of the ranks.
    """

    kind: BatchKind
    root: bytes
    route: bytes
    verifying_gateway: bytes
    verifying_chain: str
    first_height: int
    statements: tuple[Statement, ...]

    @property
    def count(self) -> int:
        """How many leaves the root commits to."""
        return len(self.statements)


def execute_batches(block: ObservedBlock, routes: RouteTable) -> list[Batch]:
    """The Execute batches that a final source block gives rise to: one or more a CALL route, requests in log order."""
    by_route: dict[bytes, tuple[Route, list[Statement]]] = {}
    for route, request in routed_requests(block, routes):
        if route.mode is Mode.CALL:
            by_route.setdefault(route.key, (route, []))[1].append(_execute_statement(request))
    return [
        batch
        for route, statements in by_route.values()
        for batch in _cut(
            BatchKind.EXECUTE,
            route,
            route.destination_gateway,
            route.destination_chain,
            block.ref.number,
            statements,
        )
    ]


def receipt_batches(block: ObservedBlock, gateway: bytes, routes: RouteTable) -> list[Batch]:
    """The Outcome batches of a final destination block, one or more a source gateway, receipts in log order.

    `gateway` is the ERC-7930 address of the destination gateway that was watched.
    """
    by_route: dict[bytes, tuple[Route, list[Statement]]] = {}
    for observation in block.observations:
        if isinstance(observation, CallConcluded):
            route = routes.get(observation.source_gateway + gateway)
            if route is not None:
                by_route.setdefault(route.key, (route, []))[1].append(conclusion_of(observation).outcome)
    return [
        batch
        for route, statements in by_route.values()
        for batch in outcome_batches(route, block.ref.number, statements)
    ]


def outcome_batches(route: Route, first_height: int, outcomes: Sequence[Statement]) -> list[Batch]:
    """The batches over these outcomes of one route and one block, in the order given, cut at 256.

    For a QUERY route the outcomes are the answers to one source block's queries and `first_height` is that block's.
    """
    return _cut(BatchKind.OUTCOME, route, route.source_gateway, route.source_chain, first_height, outcomes)


def rotate_batch(gateway: bytes, chain: str, numbered: NumberedSet) -> Batch:
    """The batch of one by which this set becomes the gateway's (ERC-7930, on `chain`), ranked by gateway and epoch.

    Its root is the same at every gateway; only the domain that is signed tells them apart.
    """
    rotate = numbered.rotate
    root = merkle_root([rotate.leaf])
    return Batch(BatchKind.ROTATE, root, gateway, gateway, chain, numbered.epoch, (rotate,))


def routed_requests(block: ObservedBlock, routes: RouteTable) -> Iterable[tuple[Route, CallRequested]]:
    """The block's requests that stand on a known route and keep the protocol's rules, in log order."""
    for observation in block.observations:
        if isinstance(observation, CallRequested):
            route = routes.get(observation.route)
            if route is not None and is_servable(observation.request):
                yield route, observation


def is_servable(request: Request) -> bool:
    """Whether the request keeps the protocol's rules, whatever its route. Every node agrees: it sees nothing else."""
    try:
        validate_request(request)
    except MalformedRequest:
        return False
    return True


def conclusion_of(receipt: CallConcluded) -> Conclusion:
    """What a receipt says, as the outcome that is signed."""
    location = receipt.location
    outcome = Outcome(
        request_id=receipt.request_id,
        kind=receipt.kind,
        cut=receipt.cut,
        return_data_hash=keccak256_of_repeated(receipt.return_data),
        height=location.block.number,
        block_hash=location.block.hash,
        tx_index=location.tx_index,
        log_index=location.log_index,
        payee=receipt.payee,
        round=0,
    )
    return Conclusion(outcome, receipt.return_data, location.tx_hash)


def request_ids(batch: Batch) -> tuple[RequestId, ...]:
    """The requests that the batch's statements speak of, in order."""
    return tuple(statement.request_id for statement in batch.statements if isinstance(statement, Execute | Outcome))


def _execute_statement(request: CallRequested) -> Execute:
    location = request.location
    return Execute(
        request_id=request.request_id,
        height=location.block.number,
        block_hash=location.block.hash,
        tx_index=location.tx_index,
        log_index=location.log_index,
    )


def _cut(
    kind: BatchKind,
    route: Route,
    gateway: bytes,
    chain: str,
    first_height: int,
    statements: Sequence[Statement],
) -> list[Batch]:
    parts = [statements[start : start + MAX_BATCH_LEAVES] for start in range(0, len(statements), MAX_BATCH_LEAVES)]
    return [
        Batch(
            kind=kind,
            root=merkle_root([statement.leaf for statement in part]),
            route=route.key,
            verifying_gateway=gateway,
            verifying_chain=chain,
            first_height=first_height,
            statements=tuple(part),
        )
        for part in parts
    ]
