from dataclasses import replace

import pytest

from attestation.epochs import AppliedEpoch, Epochs
from attestation.errors import (
    EpochOutOfOrder,
    ExpiredEpoch,
    ExpiredSignerSet,
    ThresholdTooLow,
    UnknownEpoch,
    WrongScheme,
)
from tests.vectors.examples import (
    DEPLOYED_AT,
    FOUR,
    GRACE_SECONDS,
    NINETEEN,
    ROTATED_AT,
    VALID_UNTIL,
    WEIGHTED,
)

EMPTY = Epochs(1)
FIRST = EMPTY.apply(1, FOUR, DEPLOYED_AT)
SECOND = FIRST.apply(2, NINETEEN, ROTATED_AT)


def test_epochs_begin_at_1_and_rise_by_1() -> None:
    assert (EMPTY.current, FIRST.current, SECOND.current) == (0, 1, 2)
    for epochs, wrong in ((EMPTY, 0), (EMPTY, 2), (FIRST, 1), (FIRST, 3), (SECOND, 1), (SECOND, 2)):
        with pytest.raises(EpochOutOfOrder) as caught:
            epochs.apply(wrong, WEIGHTED, ROTATED_AT)
        assert (caught.value.epoch, caught.value.expected) == (wrong, epochs.current + 1)


def test_applying_changes_no_earlier_view() -> None:
    assert dict(EMPTY.applied) == {}
    assert FIRST.applied == {1: AppliedEpoch(FOUR, VALID_UNTIL)}


def test_a_rotation_cuts_the_former_epoch_to_its_grace() -> None:
    assert SECOND.applied == {
        1: AppliedEpoch(FOUR, ROTATED_AT + GRACE_SECONDS),
        2: AppliedEpoch(NINETEEN, VALID_UNTIL),
    }


def test_grace_never_prolongs_an_epoch() -> None:
    late = VALID_UNTIL - 1
    rotated = FIRST.apply(2, replace(NINETEEN, valid_until=VALID_UNTIL + 1), late)
    assert rotated.applied[1].valid_until == VALID_UNTIL


def test_a_second_rotation_leaves_the_first_epoch_alone() -> None:
    third = SECOND.apply(3, WEIGHTED, ROTATED_AT + 1)
    assert third.applied[1] == SECOND.applied[1]
    assert third.applied[2].valid_until == ROTATED_AT + 1 + GRACE_SECONDS


def test_a_set_keeps_the_rules_and_the_scheme() -> None:
    with pytest.raises(ThresholdTooLow):
        EMPTY.apply(1, replace(FOUR, threshold=2), DEPLOYED_AT)
    with pytest.raises(ExpiredSignerSet) as expired:
        EMPTY.apply(1, FOUR, VALID_UNTIL)
    assert expired.value.valid_until == VALID_UNTIL
    with pytest.raises(WrongScheme) as caught:
        Epochs(2).apply(1, FOUR, DEPLOYED_AT)
    assert caught.value.scheme == 1


def test_both_epochs_count_until_the_grace_is_over() -> None:
    last = ROTATED_AT + GRACE_SECONDS
    assert SECOND.signer_set_at(1, last) is FOUR
    assert SECOND.signer_set_at(2, last) is NINETEEN
    assert SECOND.signer_set_at(2, VALID_UNTIL) is NINETEEN


def test_security_an_epoch_that_is_over_or_never_was_does_not_count() -> None:
    """SECURITY: the stake behind a former set may be gone."""
    for epoch, now in ((1, ROTATED_AT + GRACE_SECONDS + 1), (2, VALID_UNTIL + 1)):
        with pytest.raises(ExpiredEpoch) as expired:
            SECOND.signer_set_at(epoch, now)
        assert expired.value.epoch == epoch
    for epoch in (0, 3):
        with pytest.raises(UnknownEpoch) as unknown:
            SECOND.signer_set_at(epoch, ROTATED_AT)
        assert unknown.value.epoch == epoch
