"""A quorum only grows, whatever comes in whatever order, and what it certifies verifies."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.batch import Batch, VerifiedAttestation, sign_batch
from attestation.certificate import verify_certificate
from attestation.epochs import Epochs
from attestation.errors import AttestationError, SignerSetError
from attestation.quorum import Quorum
from attestation.signer_set import Signer, SignerSet, rank_signers, verify_rules
from tests.vectors.examples import (
    DEPLOYED_AT,
    GRACE_SECONDS,
    SOURCE_GATEWAY,
    VALID_UNTIL,
    example_keys,
    example_leaves,
    hash_of,
)

KEYS = example_keys("property", 8)
BATCH = Batch.of_leaves(SOURCE_GATEWAY, example_leaves(3), 1)
ATTESTATIONS = [sign_batch(BATCH, index, key) for index, key in enumerate(KEYS)]


def keeps_the_rules(signer_set: SignerSet) -> bool:
    try:
        verify_rules(signer_set, DEPLOYED_AT)
    except SignerSetError:
        return False
    return True


@st.composite
def any_signer_sets(draw: st.DrawFn) -> SignerSet:
    weights = draw(st.lists(st.integers(1, 20), min_size=1, max_size=8))
    operators = draw(st.lists(st.integers(0, 5), min_size=len(weights), max_size=len(weights)))
    return SignerSet(
        scheme=1,
        threshold=draw(st.integers(sum(weights) // 3, sum(weights) + 2)),
        valid_until=VALID_UNTIL,
        grace_seconds=GRACE_SECONDS,
        signers=tuple(
            Signer(key.key, weight, hash_of(f"operator {operator}"))
            for key, weight, operator in zip(KEYS, weights, operators, strict=False)
        ),
    )


signer_sets = any_signer_sets().filter(keeps_the_rules)


def collect(signer_set: SignerSet, indices: list[int]) -> list[Quorum]:
    quorums = [Quorum(BATCH, signer_set)]
    for index in indices:
        quorums.append(quorums[-1].add(VerifiedAttestation(ATTESTATIONS[index % len(signer_set.signers)])))
    return quorums


arrivals = st.lists(st.integers(0, 7), max_size=24)


@given(signer_sets, arrivals)
def test_weight_never_falls_and_a_quorum_is_never_lost(signer_set: SignerSet, indices: list[int]) -> None:
    quorums = collect(signer_set, indices)
    for earlier, later in pairwise(quorums):
        assert earlier.weight <= later.weight <= signer_set.total_weight
        assert later.is_quorum or not earlier.is_quorum
        assert set(later.missing) <= set(earlier.missing)
        assert earlier.signatures.items() <= later.signatures.items()


@given(signer_sets, arrivals, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(signer_set: SignerSet, indices: list[int], random: Random) -> None:
    shuffled = list(indices)
    random.shuffle(shuffled)
    first, second = collect(signer_set, indices)[-1], collect(signer_set, shuffled)[-1]
    assert first == second
    assert first.is_quorum == second.is_quorum


@given(signer_sets, arrivals)
def test_a_certificate_exists_exactly_with_a_quorum_and_verifies(signer_set: SignerSet, indices: list[int]) -> None:
    quorum = collect(signer_set, indices)[-1]
    if not quorum.is_quorum:
        with pytest.raises(AttestationError):
            quorum.certificate()
        return
    certificate = quorum.certificate()
    epochs = Epochs(1).apply(1, signer_set, DEPLOYED_AT)
    encoded = certificate.to_bytes()
    assert verify_certificate(BATCH.gateway, BATCH.root, BATCH.count, encoded, epochs, DEPLOYED_AT) == 1
    weights = [signer_set.signers[index].weight for index in certificate.signer_indices]
    assert sum(weights) - min(weights) < signer_set.threshold


@given(any_signer_sets())
def test_two_quorums_of_a_lawful_set_share_a_signer_and_none_is_one_operator(signer_set: SignerSet) -> None:
    total, threshold = signer_set.total_weight, signer_set.threshold
    weights: dict[bytes, int] = {}
    for signer in signer_set.signers:
        weights[signer.operator] = weights.get(signer.operator, 0) + signer.weight
    lawful = total / 2 < threshold <= total and max(weights.values()) < threshold
    assert keeps_the_rules(signer_set) == lawful


@given(signer_sets, st.binary(max_size=60), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_everybody_has_one_rank(signer_set: SignerSet, route: bytes, height: int, epoch: int) -> None:
    assert sorted(rank_signers(route, height, epoch, signer_set)) == list(range(len(signer_set.signers)))
