"""What is signed when a whole batch finds no quorum: a family of subsets that every signer cuts alike."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import Mode, RequestId
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.domain.batch import Batch, BatchKind, outcome_batches, request_ids
from relayer.domain.route import Route
from relayer.domain.splitting import complete_batches, split, subset_positions

SOURCE = evm_account(1, b"\x01" * 20).to_bytes()
DESTINATION = evm_account(2, b"\x02" * 20)
ROUTE = Route(SOURCE + DESTINATION.chain.to_bytes(), Mode.QUERY, "eip155:1", "eip155:2", SOURCE, b"")


def identifier(number: int) -> RequestId:
    return RequestId(hashlib.sha256(number.to_bytes(4, "big")).digest())


def outcome(request_id: RequestId) -> Outcome:
    return Outcome(
        request_id=request_id,
        kind=OutcomeKind.EXECUTED,
        cut=False,
        return_data_hash=keccak256(request_id),
        height=7,
        block_hash=b"\x07" * 32,
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )


def batch_of(ids: list[RequestId]) -> Batch:
    statements = tuple(Execute(request_id=i, height=1, block_hash=b"\x05" * 32, tx_index=0, log_index=0) for i in ids)
    root = merkle_root([statement.leaf for statement in statements])
    return Batch(BatchKind.EXECUTE, root, b"route", SOURCE, "eip155:1", 1, statements)


def test_a_batch_of_one_has_no_parts() -> None:
    assert split(batch_of([identifier(1)])) == []


def test_parts_keep_the_order_of_the_batch_and_all_that_is_not_a_statement() -> None:
    whole = batch_of([identifier(n) for n in range(40)])
    ids = request_ids(whole)
    for part in split(whole):
        places = [ids.index(i) for i in request_ids(part)]
        assert places == sorted(places)
        assert part.root == merkle_root([statement.leaf for statement in part.statements])
        assert (part.kind, part.route, part.verifying_gateway, part.first_height) == (
            whole.kind,
            whole.route,
            whole.verifying_gateway,
            whole.first_height,
        )


@settings(deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), min_size=2, max_size=64))
def test_parts_are_distinct_nested_by_leading_bits_and_reach_every_single_leaf(raw: set[bytes]) -> None:
    ids = [RequestId(i) for i in raw]
    subsets = list(subset_positions(ids))
    assert len(set(subsets)) == len(subsets) == 2 * len(ids) - 2
    assert {subset for subset in subsets if len(subset) == 1} == {(n,) for n in range(len(ids))}
    for subset in subsets:
        # Whoever shares the subset's common leading bits is in it, and nobody else is.
        numbers = [int.from_bytes(ids[n], "big") for n in subset]
        shared = 256 - max(a ^ numbers[0] for a in numbers).bit_length()
        prefix = numbers[0] >> (256 - shared)
        inside = tuple(n for n, i in enumerate(ids) if int.from_bytes(i, "big") >> (256 - shared) == prefix)
        assert inside == subset


@settings(deadline=None, max_examples=25)
@given(st.integers(min_value=2, max_value=300), st.data())
def test_a_signer_that_lacks_an_answer_builds_only_what_the_others_split_into(count: int, data: st.DataObject) -> None:
    ids = [identifier(n) for n in range(count)]
    missing = data.draw(st.sets(st.sampled_from(ids), min_size=1, max_size=3))
    outcomes = {i: outcome(i) for i in ids}
    whole = outcome_batches(ROUTE, 9, list(outcomes.values()))
    family = {batch.root for batch in whole} | {part.root for batch in whole for part in split(batch)}
    partial = complete_batches(ROUTE, 9, ids, {i: o for i, o in outcomes.items() if i not in missing})
    assert {batch.root for batch in partial} <= family
    reached = {i for batch in partial for i in request_ids(batch)}
    assert reached == set(ids) - missing


def test_with_every_answer_the_batches_are_the_whole_ones() -> None:
    ids = [identifier(n) for n in range(300)]
    outcomes = {i: outcome(i) for i in ids}
    assert complete_batches(ROUTE, 9, ids, outcomes) == outcome_batches(ROUTE, 9, list(outcomes.values()))
