"""What is signed when a whole batch finds no quorum.

Its job: a batch's distinct subsets by successive leading bits of the request id, down to single leaves, so that one odd
leaf stands alone and the rest lands. The family depends on the ids alone: every signer cuts alike, also one that does
not know all the statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.statement import Outcome
from relayer.domain.batch import MAX_BATCH_LEAVES, Batch, outcome_batches, request_ids
from relayer.domain.route import Route

_ID_BITS = 256


def split(batch: Batch) -> list[Batch]:
    """The batch's proper subsets, larger ones before those that they contain; none for a batch of one."""
    return [_subset(batch, positions) for positions in subset_positions(request_ids(batch))]


def complete_batches(
    route: Route, first_height: int, ids: Sequence[RequestId], outcomes: Mapping[RequestId, Outcome]
) -> list[Batch]:
    """The batches of one source block's queries that can be built from the outcomes known.

    `ids` are all the block's queries of the route, in log order. A part of 256 whose outcomes are all known is one
    batch; of another part it is every subset whose outcomes are.
    """
    born: list[Batch] = []
    for start in range(0, len(ids), MAX_BATCH_LEAVES):
        part = ids[start : start + MAX_BATCH_LEAVES]
        families = [tuple(range(len(part)))] if all(i in outcomes for i in part) else subset_positions(part)
        for positions in families:
            chosen = [part[position] for position in positions]
            if all(identifier in outcomes for identifier in chosen):
                born += outcome_batches(route, first_height, [outcomes[identifier] for identifier in chosen])
    return born


def largest_batches(
    route: Route, first_height: int, ids: Sequence[RequestId], outcomes: Mapping[RequestId, Outcome]
) -> list[Batch]:
    """Of `complete_batches` those that are in no other: each outcome once, where all of a part of 256 is known or not.

    What is in none of its part's subsets alone is in one of its own, for they go down to single leaves.
    """
    born: list[Batch] = []
    taken: set[RequestId] = set()
    for batch in complete_batches(route, first_height, ids, outcomes):
        if taken.isdisjoint(request_ids(batch)):
            taken.update(request_ids(batch))
            born.append(batch)
    return born


def is_born_together(ids: Sequence[RequestId], chosen: Sequence[RequestId]) -> bool:
    """Whether these are one of the batches that may be cut from all queries of a source block, `ids`, in log order."""
    for start in range(0, len(ids), MAX_BATCH_LEAVES):
        part = ids[start : start + MAX_BATCH_LEAVES]
        if not set(chosen).isdisjoint(part):
            subsets = (tuple(part[position] for position in positions) for positions in subset_positions(part))
            return tuple(chosen) == tuple(part) or any(tuple(chosen) == subset for subset in subsets)
    return False


def subset_positions(ids: Sequence[RequestId]) -> Iterator[tuple[int, ...]]:
    """Positions of each distinct proper subset, in the order of the list, larger before smaller.

    Ids are 32 bytes and differ from one another.
    """
    numbers = [int.from_bytes(identifier, "big") for identifier in ids]
    waiting = [(tuple(range(len(ids))), 0)]
    while waiting:
        positions, depth = waiting.pop(0)
        if len(positions) == 1:
            continue
        # Bits that all share part nobody: go on to the first in which two differ.
        while True:
            bit = 1 << (_ID_BITS - 1 - depth)
            ones = tuple(position for position in positions if numbers[position] & bit)
            depth += 1
            if 0 < len(ones) < len(positions):
                break
        zeros = tuple(position for position in positions if not numbers[position] & bit)
        yield zeros
        yield ones
        waiting += [(zeros, depth), (ones, depth)]


def _subset(batch: Batch, positions: Sequence[int]) -> Batch:
    statements = tuple(batch.statements[position] for position in positions)
    return replace(batch, statements=statements, root=merkle_root([statement.leaf for statement in statements]))
