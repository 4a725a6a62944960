from dataclasses import replace
from typing import Any

import pytest

from attestation.errors import (
    MalformedSignerSet,
    OperatorTooHeavy,
    ThresholdTooHigh,
    ThresholdTooLow,
    UnknownScheme,
)
from attestation.keccak import keccak256
from attestation.signer_set import (
    MAXIMUM_SIGNER_COUNT,
    SignerSet,
    operator_id,
    rank_signers,
    signer_set_hash,
    verify_rules,
)
from tests.vectors.examples import DEPLOYED_AT, FOUR, NINETEEN, VALID_UNTIL, WEIGHTED, example_set


@pytest.mark.parametrize(
    ("field", "bits"), [("scheme", 8), ("threshold", 64), ("valid_until", 64), ("grace_seconds", 64)]
)
def test_numbers_of_a_set_fit_their_widths(field: str, bits: int) -> None:
    assert getattr(replace(FOUR, **{field: 2**bits - 1}), field) == 2**bits - 1
    for value in (-1, 2**bits):
        with pytest.raises(MalformedSignerSet) as caught:
            replace(FOUR, **{field: value})
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", -1), ("weight", 2**64), ("operator", b""), ("operator", bytes(31)), ("operator", bytes(33))],
)
def test_fields_of_a_signer_fit_their_widths(field: str, value: Any) -> None:
    with pytest.raises(MalformedSignerSet) as caught:
        replace(FOUR.signers[0], **{field: value})
    assert caught.value.field == field


def test_an_operators_id_is_its_name_filled_up_with_zeros() -> None:
    assert operator_id("alice") == b"alice" + bytes(27)
    assert operator_id("ü" * 16) == "ü".encode() * 16
    for name in ("", "x" * 33, "ü" * 17):
        with pytest.raises(MalformedSignerSet) as caught:
            operator_id(name)
        assert caught.value.field == "operator"


def test_the_weight_of_some_is_counted_by_public_keys() -> None:
    keys = WEIGHTED.keys
    assert WEIGHTED.weight_of(keys) == WEIGHTED.total_weight
    assert WEIGHTED.weight_of({keys[1], b"another"}) == WEIGHTED.signers[1].weight
    assert WEIGHTED.weight_of(()) == 0


def test_the_hash_commits_to_everything() -> None:
    signer = FOUR.signers[0]
    rest = FOUR.signers[1:]
    sets = [
        FOUR,
        replace(FOUR, scheme=2),
        replace(FOUR, threshold=4),
        replace(FOUR, valid_until=1),
        replace(FOUR, grace_seconds=1),
        replace(FOUR, signers=FOUR.signers[::-1]),
        replace(FOUR, signers=rest),
        replace(FOUR, signers=(replace(signer, key=bytes(20)), *rest)),
        replace(FOUR, signers=(replace(signer, weight=2), *rest)),
        replace(FOUR, signers=(replace(signer, operator=bytes(32)), *rest)),
    ]
    assert len({signer_set_hash(signer_set) for signer_set in sets}) == len(sets)


def test_a_set_knows_its_weight_and_members() -> None:
    assert WEIGHTED.total_weight == 75
    assert FOUR.keys == tuple(signer.key for signer in FOUR.signers)
    assert [FOUR.index_of(key) for key in FOUR.keys] == [0, 1, 2, 3]
    assert FOUR.index_of(bytes(20)) is None


def test_the_rules_hold_at_their_edges() -> None:
    verify_rules(FOUR, VALID_UNTIL - 1)
    verify_rules(example_set("three", [1, 1, 1], 3), 0)  # the whole weight
    verify_rules(example_set("three", [1, 1, 1], 2), 0)  # just above half
    verify_rules(replace(FOUR, grace_seconds=1), 0)
    verify_rules(example_set("full", [1] * MAXIMUM_SIGNER_COUNT, 129), 0)


@pytest.mark.parametrize(("weights", "threshold"), [([1, 1], 1), ([1, 1, 1], 1), ([1, 1, 1, 1], 2), ([3, 3, 4], 5)])
def test_security_two_disjoint_quorums_are_impossible(weights: list[int], threshold: int) -> None:
    """SECURITY: with a threshold of half of the weight two halves could certify a contradiction."""
    with pytest.raises(ThresholdTooLow) as caught:
        verify_rules(example_set("three", weights, threshold), DEPLOYED_AT)
    assert (caught.value.threshold, caught.value.total) == (threshold, sum(weights))


def test_a_quorum_must_be_possible() -> None:
    with pytest.raises(ThresholdTooHigh) as caught:
        verify_rules(replace(FOUR, threshold=5), DEPLOYED_AT)
    assert (caught.value.threshold, caught.value.total) == (5, 4)


def test_security_no_operator_is_a_quorum_by_itself() -> None:
    """SECURITY: an operator's keys are added up, wherever they stand in the set."""
    operator = FOUR.signers[1].operator
    first, second, third, fourth = FOUR.signers
    shared = replace(
        FOUR, signers=(first, second, replace(third, operator=operator), replace(fourth, operator=operator))
    )
    with pytest.raises(OperatorTooHeavy) as caught:
        verify_rules(shared, DEPLOYED_AT)
    assert caught.value.operator == operator
    verify_rules(replace(shared, threshold=4), DEPLOYED_AT)


def test_the_heaviest_operator_may_hold_one_less_than_the_threshold() -> None:
    verify_rules(example_set("four", [3, 2, 1], 4), DEPLOYED_AT)
    with pytest.raises(OperatorTooHeavy):
        verify_rules(example_set("four", [4, 2, 1], 4), DEPLOYED_AT)


def test_the_scheme_is_asked_for_first() -> None:
    with pytest.raises(UnknownScheme) as caught:
        verify_rules(SignerSet(9, 0, 0, 0, ()), DEPLOYED_AT)
    assert caught.value.scheme == 9


def test_ranks_are_a_permutation_by_hash() -> None:
    route, height, epoch = b"route", 7, 3
    order = rank_signers(route, height, epoch, NINETEEN)
    assert sorted(order) == list(range(19))
    head = route + height.to_bytes(8, "big") + epoch.to_bytes(8, "big")
    hashes = [keccak256(head + NINETEEN.keys[index]) for index in order]
    assert hashes == sorted(hashes)


def test_ranks_change_with_route_height_and_epoch() -> None:
    orders = {
        rank_signers(route, height, epoch, NINETEEN)
        for route, height, epoch in ((b"a", 1, 1), (b"b", 1, 1), (b"a", 2, 1), (b"a", 1, 2))
    }
    assert len(orders) == 4


@pytest.mark.parametrize(
    ("field", "height", "epoch"), [("first_height", 2**64, 1), ("epoch", 1, 2**64), ("epoch", 1, -1)]
)
def test_ranks_need_uint64s(field: str, height: int, epoch: int) -> None:
    with pytest.raises(MalformedSignerSet) as caught:
        rank_signers(b"route", height, epoch, FOUR)
    assert caught.value.field == field
