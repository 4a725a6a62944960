from dataclasses import replace

import pytest

from attestation.batch import Attestation, Batch, VerifiedAttestation, sign_batch
from attestation.certificate import verify_certificate
from attestation.epochs import Epochs
from attestation.errors import BelowThreshold, OtherBatch
from attestation.quorum import Quorum
from tests.vectors.examples import DEPLOYED_AT, FOUR, SOURCE_GATEWAY, WEIGHTED, example_keys, example_leaves

BATCH = Batch.of_leaves(SOURCE_GATEWAY, example_leaves(3), 1)
FOUR_ATTESTATIONS = [sign_batch(BATCH, index, key) for index, key in enumerate(example_keys("four", 4))]
WEIGHTED_ATTESTATIONS = [sign_batch(BATCH, index, key) for index, key in enumerate(example_keys("weighted", 4))]
EMPTY = Quorum(BATCH, FOUR)


def of_four(*indices: int) -> Quorum:
    quorum = EMPTY
    for index in indices:
        quorum = quorum.add(FOUR_ATTESTATIONS[index])
    return quorum


def test_nobody_is_no_quorum() -> None:
    assert (EMPTY.weight, EMPTY.is_quorum, EMPTY.missing) == (0, False, (0, 1, 2, 3))


def test_three_of_four_are_a_quorum() -> None:
    assert (of_four(2, 0).weight, of_four(2, 0).is_quorum, of_four(2, 0).missing) == (2, False, (1, 3))
    assert (of_four(2, 0, 3).weight, of_four(2, 0, 3).is_quorum, of_four(2, 0, 3).missing) == (3, True, (1,))
    assert of_four(0, 1, 2, 3).missing == ()


def test_weight_counts_not_heads() -> None:
    quorum = Quorum(BATCH, WEIGHTED).add(WEIGHTED_ATTESTATIONS[1]).add(WEIGHTED_ATTESTATIONS[2])
    assert (quorum.weight, quorum.is_quorum) == (50, False)
    assert quorum.add(WEIGHTED_ATTESTATIONS[0]).is_quorum


def test_collecting_changes_no_earlier_value() -> None:
    first = of_four(1)
    first.add(FOUR_ATTESTATIONS[2])
    assert first == of_four(1)
    assert dict(EMPTY.signatures) == {}


def test_security_a_signers_second_attestation_adds_no_weight() -> None:
    """SECURITY: the first stays, so nobody can push it out or count twice."""
    once = of_four(1)
    twin = VerifiedAttestation(Attestation(BATCH, 1, b"\x01" * 64))
    assert once.add(twin) is once
    assert once.signatures == {1: FOUR_ATTESTATIONS[1].signature}


def test_security_another_batchs_attestation_is_refused() -> None:
    """SECURITY: its weight would make a certificate that no gateway accepts."""
    other = sign_batch(replace(BATCH, epoch=2), 0, example_keys("four", 1)[0])
    with pytest.raises(OtherBatch):
        EMPTY.add(other)


def test_the_certificate_of_a_quorum_verifies() -> None:
    certificate = of_four(3, 1, 0).certificate()
    assert certificate.signer_indices == (0, 1, 3)
    epochs = Epochs(1).apply(1, FOUR, DEPLOYED_AT)
    verified = verify_certificate(BATCH.gateway, BATCH.root, BATCH.count, certificate.to_bytes(), epochs, DEPLOYED_AT)
    assert verified == 1


def test_the_certificate_names_no_more_than_needed() -> None:
    assert of_four(3, 2, 1, 0).certificate().signer_indices == (0, 1, 2)
    quorum = Quorum(BATCH, WEIGHTED)
    for attestation in WEIGHTED_ATTESTATIONS:
        quorum = quorum.add(attestation)
    assert quorum.certificate().signer_indices == (1, 2, 3)  # 30 + 20 + 15, threshold 51


def test_there_is_no_certificate_below_the_threshold() -> None:
    for quorum, weight in ((EMPTY, 0), (of_four(0, 1), 2)):
        with pytest.raises(BelowThreshold) as caught:
            quorum.certificate()
        assert (caught.value.weight, caught.value.threshold) == (weight, 3)
