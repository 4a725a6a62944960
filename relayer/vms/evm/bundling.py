"""Which items go into which transaction.

Its job: cut certified batches into transactions that stay under the chain's gas cap and the pools' size cap, in the
order given. A batch may be spread over several: each gives some of its leaves and names the others bare. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from attestation.request import RequestId
from relayer.vms.evm.calldata import encode_batch
from relayer.vms.evm.gas import EMPTY_TRANSACTION, Load, batch_load

MAX_CALLDATA_LENGTH: Final = 120_000
"""Bytes. Nodes' pools refuse transactions above 128 KiB."""


@dataclass(frozen=True, slots=True)
class Item:
    """One leaf that is acted on: its place in the batch, encoded, with its load."""

    leaf_index: int
    request_id: RequestId
    encoded: bytes
    load: Load


@dataclass(frozen=True, slots=True)
class Part:
    """A batch, of which `items` are given here, ascending by leaf; the others of its `leaves` are bare."""

    leaves: tuple[bytes, ...]
    certificate: bytes
    items: tuple[Item, ...]

    def encode(self) -> bytes:
        """The batch as calldata has it."""
        given = sum(1 << item.leaf_index for item in self.items)
        bare = [leaf for index, leaf in enumerate(self.leaves) if not given >> index & 1]
        return encode_batch(given, bare, [item.encoded for item in self.items], self.certificate)

    def load(self) -> Load:
        """What the batch adds to a transaction besides its items."""
        return batch_load(self.certificate, len(self.leaves))


@dataclass(frozen=True, slots=True)
class Bundle:
    """One transaction to be."""

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
        return _sum(EMPTY_TRANSACTION, self.parts).gas

    def only(self, wanted: frozenset[RequestId]) -> Bundle:
        """With these requests' items alone, the others bare."""
        parts = (
            replace(part, items=tuple(item for item in part.items if item.request_id in wanted)) for part in self.parts
        )
        return Bundle(tuple(part for part in parts if part.items))

    def singles(self) -> Iterator[Bundle]:
        """Each item alone."""
        for part in self.parts:
            for item in part.items:
                yield Bundle((replace(part, items=(item,)),))


def pack(parts: Iterable[Part], gas_cap: int) -> tuple[list[Bundle], list[Item]]:
    """The transactions, and the items that fit no transaction even alone."""
    bundles: list[Bundle] = []
    misfits: list[Item] = []
    open_parts: list[tuple[Part, list[Item]]] = []
    load = EMPTY_TRANSACTION
    for part in parts:
        part_load = part.load()
        empty_load = EMPTY_TRANSACTION.plus(part_load)
        is_begun = False
        for item in part.items:
            alone = empty_load.plus(item.load)
            if not _fits(alone, gas_cap):
                misfits.append(item)
                continue
            grown = load.plus(item.load) if is_begun else load.plus(part_load).plus(item.load)
            if not _fits(grown, gas_cap):
                bundles.append(_bundle(open_parts))
                open_parts, grown, is_begun = [], alone, False
            if not is_begun:
                open_parts.append((part, []))
            open_parts[-1][1].append(item)
            load, is_begun = grown, True
    if open_parts:
        bundles.append(_bundle(open_parts))
    return bundles, misfits


def merge(bundles: Sequence[Bundle]) -> list[Part]:
    """The bundles' items put together again, one part a batch."""
    merged: dict[bytes, Part] = {}
    for part in (part for bundle in bundles for part in bundle.parts):
        known = merged.get(part.certificate)
        merged[part.certificate] = part if known is None else replace(known, items=(*known.items, *part.items))
    return list(merged.values())


def _bundle(parts: Iterable[tuple[Part, Sequence[Item]]]) -> Bundle:
    return Bundle(tuple(replace(part, items=tuple(items)) for part, items in parts))


def _fits(load: Load, gas_cap: int) -> bool:
    return load.gas <= gas_cap and load.length <= MAX_CALLDATA_LENGTH


def _sum(load: Load, parts: Iterable[Part]) -> Load:
    for part in parts:
        load = load.plus(part.load())
        for item in part.items:
            load = load.plus(item.load)
    return load
