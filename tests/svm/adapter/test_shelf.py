"""How much is staged at a time, and for how long in vain."""

from __future__ import annotations

from solders.pubkey import Pubkey

from relayer.vms.svm.shelf import MAX_BYTES, PATIENCE_SECONDS, REST_SECONDS, Shelf

LENGTH = MAX_BYTES // 4


def key(number: int) -> Pubkey:
    return Pubkey(number.to_bytes(32, "big"))


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_security_no_more_is_lent_for_stages_than_a_bounded_sum() -> None:
    """SECURITY: calls that never run would hold all of our money until they expire."""
    shelf = Shelf(Seconds())
    assert [shelf.has_room(key(number), LENGTH) for number in range(6)] == [True] * 4 + [False] * 2
    assert all(shelf.has_room(key(number), LENGTH) for number in range(4))


def test_what_is_not_asked_for_any_more_makes_room() -> None:
    seconds = Seconds()
    shelf = Shelf(seconds)
    for number in range(4):
        assert shelf.has_room(key(number), LENGTH)
    seconds.now = 40
    assert shelf.has_room(key(0), LENGTH)
    seconds.now = 61
    assert [shelf.has_room(key(number), LENGTH) for number in (0, 5, 6, 7, 8)] == [True] * 4 + [False]


def test_security_what_is_staged_in_vain_is_staged_ever_more_rarely() -> None:
    """SECURITY: each time costs us fees, and its asker nothing."""
    seconds = Seconds()
    shelf = Shelf(seconds)
    times = []
    for now in range(0, 86_400, 30):
        seconds.now = now
        times.append(shelf.has_room(key(0), LENGTH))
    assert sum(1 for before, after in zip([False, *times], times, strict=False) if after and not before) == 7
    assert sum(times) * 30 <= 7 * (PATIENCE_SECONDS + 60)
    assert shelf.has_room(key(1), 3 * LENGTH)


def test_who_rests_gets_a_stage_again() -> None:
    seconds = Seconds()
    shelf = Shelf(seconds)
    for now in range(0, int(PATIENCE_SECONDS) + 60, 30):
        seconds.now = now
        last = shelf.has_room(key(0), LENGTH)
    assert not last
    seconds.now += REST_SECONDS
    assert shelf.has_room(key(0), LENGTH)
