"""Which items go into which transaction.

Its job: cut certified batches into transactions that stay under the chain's gas cap and the pools' size cap, in the
order given. A batch may be spread over several: each gives some of its leaves and names the others bare. Pure. It must
not know what anything weighs, nor how a VM encodes it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from attestation.request import RequestId
from attestation.statement import Execute, Outcome
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch

S = TypeVar("S", Execute, Outcome)


class Load(Protocol):
    """What a part of a transaction adds to it, in the VM's own terms."""

    @property
    def gas(self) -> int:
        """The gas limit of a transaction with this load."""
        ...

    @property
    def length(self) -> int:
        """Bytes."""
        ...

    def plus(self, other: Self) -> Self:
        """Both in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a transaction holds: `empty` is one before its first batch, `max_length` bytes are the most."""

    empty: Load
    gas_cap: int
    max_length: int

    def fits(self, load: Load) -> bool:
        """Whether it is within both caps."""
        return load.gas <= self.gas_cap and load.length <= self.max_length


@dataclass(frozen=True, slots=True)
class Item:
    """One leaf that is acted on: its place in the batch, encoded, with its load."""

    leaf_index: int
    request_id: RequestId
    encoded: bytes
    load: Load


@dataclass(frozen=True, slots=True)
class Part:
    """A batch, of which `items` are given here, ascending by leaf; the others of its `leaves` are bare.

    `load` is what the batch adds to a transaction besides its items.
    """

    leaves: tuple[bytes, ...]
    certificate: bytes
    load: Load
    items: tuple[Item, ...]

    @property
    def given(self) -> int:
        """Bit i: leaf i is an item's."""
        return sum(1 << item.leaf_index for item in self.items)

    @property
    def bare(self) -> list[bytes]:
        """The other leaves, in order."""
        given = self.given
        return [leaf for index, leaf in enumerate(self.leaves) if not given >> index & 1]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One transaction to be. `empty` is what it weighs without its parts."""

    empty: Load
    parts: tuple[Part, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """All its items, in order."""
        return tuple(item for part in self.parts for item in part.items)

    @property
    def request_ids(self) -> tuple[RequestId, ...]:
        """The requests that it acts on."""
        return tuple(item.request_id for item in self.items)

    @property
    def gas(self) -> int:
        """The gas limit that suffices whatever its callees do."""
        return _sum(self.empty, self.parts).gas

    def only(self, wanted: frozenset[RequestId]) -> Bundle:
        """With these requests' items alone, the others bare."""
        parts = (
            replace(part, items=tuple(item for item in part.items if item.request_id in wanted)) for part in self.parts
        )
        return replace(self, parts=tuple(part for part in parts if part.items))

    def singles(self) -> Iterator[Bundle]:
        """Each item alone."""
        for part in self.parts:
            for item in part.items:
                yield replace(self, parts=(replace(part, items=(item,)),))


def part_of(
    batch: CertifiedBatch,
    load: Load,
    kind: type[S],
    done: Container[RequestId],
    make_item: Callable[[int, S, TrackedRequest], Item],
) -> Part:
    """The batch with the items of its requests that are to be acted on and are not `done`.

    `make_item` is told the leaf's index, its statement, which is of `kind`, and the request.
    """
    wanted = {tracked.request_id: tracked for tracked in batch.requests if tracked.request_id not in done}
    items = [
        make_item(index, statement, wanted[statement.request_id])
        for index, statement in enumerate(batch.batch.statements)
        if isinstance(statement, kind) and statement.request_id in wanted
    ]
    leaves = tuple(statement.leaf for statement in batch.batch.statements)
    return Part(leaves, batch.certificate, load, tuple(items))


def pack(parts: Iterable[Part], capacity: Capacity) -> tuple[list[Bundle], list[Item]]:
    """The transactions, and the items that fit no transaction even alone."""
    bundles: list[Bundle] = []
    misfits: list[Item] = []
    open_parts: list[tuple[Part, list[Item]]] = []
    load = capacity.empty
    for part in parts:
        empty_load = capacity.empty.plus(part.load)
        is_begun = False
        for item in part.items:
            alone = empty_load.plus(item.load)
            if not capacity.fits(alone):
                misfits.append(item)
                continue
            grown = load.plus(item.load) if is_begun else load.plus(part.load).plus(item.load)
            if not capacity.fits(grown):
                bundles.append(_bundle(capacity, open_parts))
                open_parts, grown, is_begun = [], alone, False
            if not is_begun:
                open_parts.append((part, []))
            open_parts[-1][1].append(item)
            load, is_begun = grown, True
    if open_parts:
        bundles.append(_bundle(capacity, open_parts))
    return bundles, misfits


def merge(bundles: Sequence[Bundle]) -> list[Part]:
    """The bundles' items put together again, one part a batch."""
    merged: dict[bytes, Part] = {}
    for part in (part for bundle in bundles for part in bundle.parts):
        known = merged.get(part.certificate)
        merged[part.certificate] = part if known is None else replace(known, items=(*known.items, *part.items))
    return list(merged.values())


def _bundle(capacity: Capacity, parts: Iterable[tuple[Part, Sequence[Item]]]) -> Bundle:
    return Bundle(capacity.empty, tuple(replace(part, items=tuple(items)) for part, items in parts))


def _sum(load: Load, parts: Iterable[Part]) -> Load:
    for part in parts:
        load = load.plus(part.load)
        for item in part.items:
            load = load.plus(item.load)
    return load
