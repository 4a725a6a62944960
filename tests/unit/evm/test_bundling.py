from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from attestation.request import RequestId
from relayer.vms.bundling.packing import Bundle, Item, Part, merge, pack
from relayer.vms.evm.bundling import MAX_CALLDATA_LENGTH, encode_parts, transaction_capacity
from relayer.vms.evm.calldata import encode_batch, encode_delivery
from relayer.vms.evm.gas import DELIVER_GAS, EMPTY_TRANSACTION, INTRINSIC_GAS, batch_load, calldata_gas, item_load
from tests.factories import blank_certificate

CAP = 16_777_216
CAPACITY = transaction_capacity(CAP)


def make_item(number: int, leaf_index: int, limit: int, length: int) -> Item:
    encoded = bytes([1 + number % 255]) * (32 * length)
    load = item_load(encoded, DELIVER_GAS, limit, 0)
    return Item(leaf_index, RequestId(number.to_bytes(32, "big")), encoded, load)


@st.composite
def part_lists(draw: st.DrawFn) -> list[Part]:
    parts: list[Part] = []
    number = 0
    for batch in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 30))
        given_leaves = sorted(draw(st.sets(st.integers(0, count - 1), min_size=1)))
        items = []
        for leaf_index in given_leaves:
            number += 1
            limit = draw(st.sampled_from([0, 100_000, 300_000, 10_000_000, 20_000_000]))
            items.append(make_item(number, leaf_index, limit, draw(st.sampled_from([1, 40, 1_000, 4_000]))))
        leaves = tuple(bytes([batch, index]) + bytes(30) for index in range(count))
        certificate = blank_certificate(batch)
        parts.append(Part(leaves, certificate, batch_load(certificate, count), tuple(items)))
    return parts


def items_of(bundles: list[Bundle]) -> list[Item]:
    return [item for bundle in bundles for item in bundle.items]


@given(part_lists())
def test_every_item_goes_into_exactly_one_transaction_or_fits_none(parts: list[Part]) -> None:
    bundles, misfits = pack(parts, CAPACITY)
    packed = items_of(bundles)
    assert Counter(item.request_id for item in packed + misfits) == Counter(
        item.request_id for part in parts for item in part.items
    )
    assert [item.request_id for item in packed] == sorted(item.request_id for item in packed)


@given(part_lists())
def test_no_transaction_is_above_the_caps_and_none_is_empty(parts: list[Part]) -> None:
    bundles, misfits = pack(parts, CAPACITY)
    for bundle in bundles:
        calldata = encode_delivery(encode_parts(bundle.parts))
        assert bundle.items
        assert bundle.gas <= CAP
        assert len(calldata) <= MAX_CALLDATA_LENGTH
    for misfit in misfits:
        assert misfit.load.work > 10**7 or misfit.load.length > 100_000


@given(part_lists())
def test_the_gas_of_a_transaction_covers_calldata_and_every_limit(parts: list[Part]) -> None:
    bundles, _ = pack(parts, CAPACITY)
    for bundle in bundles:
        calldata = encode_delivery(encode_parts(bundle.parts))
        plain = calldata_gas(calldata)
        zeros = calldata.count(0)
        floor = 10 * (zeros + 4 * (len(calldata) - zeros))
        assert bundle.gas >= INTRINSIC_GAS + plain + sum(item.load.highest_limit for item in bundle.items)
        assert bundle.gas >= INTRINSIC_GAS + floor


@given(part_lists())
def test_a_batch_names_each_leaf_once_given_or_bare(parts: list[Part]) -> None:
    for part in parts:
        positions = {item.leaf_index for item in part.items}
        bare = [leaf for index, leaf in enumerate(part.leaves) if index not in positions]
        expected = encode_batch(
            sum(1 << index for index in positions), bare, [item.encoded for item in part.items], part.certificate
        )
        assert encode_parts([part]) == [expected]


@given(part_lists())
def test_neighbours_share_a_transaction_as_long_as_they_fit(parts: list[Part]) -> None:
    bundles, misfits = pack(parts, CAPACITY)
    assume(not misfits)
    for left, right in pairwise(bundles):
        first = right.items[0]
        (source,) = [part for part in parts if first in part.items]
        is_begun = left.parts[-1].certificate == source.certificate
        joined = [*merge([left, next(right.singles())])] if is_begun else [*left.parts, next(right.singles()).parts[0]]
        joined_bundle = Bundle(EMPTY_TRANSACTION, tuple(joined))
        length = sum(item.load.length for item in joined_bundle.items) + sum(p.load.length for p in joined) + 160
        assert joined_bundle.gas > CAP or length > MAX_CALLDATA_LENGTH


@given(part_lists())
def test_bundles_taken_apart_and_merged_are_the_same_batches(parts: list[Part]) -> None:
    bundles, _ = pack(parts, transaction_capacity(10**12))
    singles = [single for bundle in bundles for single in bundle.singles()]
    packed = [part for bundle in bundles for part in bundle.parts]
    assert merge(singles) == merge(bundles)
    assert [item for part in merge(singles) for item in part.items] == [item for part in packed for item in part.items]


@given(part_lists(), st.data())
def test_items_that_are_taken_out_become_bare(parts: list[Part], data: st.DataObject) -> None:
    bundle = Bundle(EMPTY_TRANSACTION, tuple(parts))
    wanted = frozenset(data.draw(st.sets(st.sampled_from(bundle.request_ids))))
    kept = bundle.only(wanted)
    assert set(kept.request_ids) == wanted
    assert all(part.items for part in kept.parts)
    assert bundle.only(frozenset(bundle.request_ids)) == bundle
