"""Shares of one peer, and the memory of its messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayer.peers.limits import ReplayWindow, TokenBucket


def test_a_bucket_gives_its_burst_at_once_and_its_rate_from_then_on() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0)
    for _ in range(3):
        assert bucket.has(1.0, 100.0)
        bucket.take(1.0)
    assert not bucket.has(1.0, 100.4)
    assert bucket.has(1.0, 100.5)
    assert bucket.has(3.0, 1_000.0)
    assert not bucket.has(3.1, 2_000.0)


def test_a_clock_that_steps_back_neither_gives_nor_takes() -> None:
    bucket = TokenBucket(rate=1.0, burst=2.0)
    assert bucket.has(2.0, 100.0)
    bucket.take(2.0)
    assert not bucket.has(1.0, 50.0)
    assert bucket.has(1.0, 51.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 4)), max_size=60))
def test_security_no_schedule_gets_more_than_burst_and_rate(asks: list[tuple[float, float]]) -> None:
    """SECURITY: a peer's share is a share however it asks."""
    bucket, now, taken = TokenBucket(rate=1.5, burst=4.0), 0.0, 0.0
    for pause, cost in asks:
        now += pause
        if bucket.has(cost, now):
            bucket.take(cost)
            taken += cost
        assert taken <= 4.0 + 1.5 * now + 1e-6


def test_security_a_message_is_fresh_once() -> None:
    """SECURITY: a recorded message works once."""
    window = ReplayWindow()
    assert window.is_fresh(5, b"a")
    window.remember(5, b"a", 0)
    assert not window.is_fresh(5, b"a")
    assert window.is_fresh(5, b"b")


def test_security_what_was_forgotten_is_not_fresh_again() -> None:
    """SECURITY: pushing a message out of the memory does not make it new."""
    window = ReplayWindow(limit=2)
    for sent_at in (10, 11, 12):
        window.remember(sent_at, bytes([sent_at]), 0)
    assert len(window) == 2
    assert not window.is_fresh(10, b"\x0a")
    assert not window.is_fresh(9, b"never seen, but as old")
    assert window.is_fresh(11, b"new")


def test_what_is_too_old_to_be_taken_is_forgotten() -> None:
    window = ReplayWindow()
    window.remember(10, b"a", 0)
    window.remember(90, b"b", 50)
    assert len(window) == 1
    assert not window.is_fresh(10, b"a")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=80))
def test_security_the_memory_is_bounded_and_never_takes_a_message_twice(messages: list[tuple[int, int]]) -> None:
    """SECURITY: for every order of arrival."""
    window, taken = ReplayWindow(limit=8), set()
    for sent_at, number in messages:
        digest = bytes((sent_at, number))
        if window.is_fresh(sent_at, digest):
            assert digest not in taken
            taken.add(digest)
            window.remember(sent_at, digest, 0)
        assert len(window) <= 8
