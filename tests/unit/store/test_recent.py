"""What is at hand is bounded, and what was used last stays longest."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.request import RequestId, request_id
from relayer.domain.batch import MAX_BATCH_LEAVES
from relayer.domain.events import ReceiptFinal, RequestFinal
from relayer.domain.lifecycle import decide
from relayer.errors import StoreConflict
from relayer.ports.signer import Attestation
from relayer.ports.store import Certificate, Change, Commit
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.recent import Held, Recent, WorkingSet
from relayer.store.sql_store import SqlStore
from tests.factories import (
    NOW,
    SENDER,
    SOURCE_GATEWAY,
    TARGET,
    attest,
    blank_certificate,
    execute_batch,
    make_conclusion,
    make_outcome,
    make_request,
    outcome_batch,
    track,
    word,
)

LIMIT = 10_000


def weigh(value: bytes) -> int:
    return len(value)


def test_it_knows_what_it_keeps_and_what_is_known_not_to_be_there() -> None:
    recent: Recent[int, bytes] = Recent(LIMIT, weigh)
    recent.keep(1, b"one")
    recent.keep(2, None)
    assert recent.known([2, 3, 1]) == {2: None, 1: b"one"}
    recent.keep(2, b"two")
    recent.drop(1)
    assert recent.known([1, 2]) == {2: b"two"}
    recent.clear()
    assert recent.known([1, 2]) == {}


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    recent: Recent[int, bytes] = Recent(LIMIT, weigh)
    recent.keep(0, b"used")
    recent.keep(1, b"unused")
    for number in range(2, 1_000):
        recent.keep(number, bytes(100))
        assert recent.known([0]) == {0: b"used"}
    assert recent.known([1]) == {}


@given(st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, LIMIT // 2)), max_size=200))
def test_its_weight_is_bounded_however_values_grow(changes: list[tuple[int, int | None]]) -> None:
    """SECURITY: requests carry payloads of 64 KiB each, at the price of a fee."""
    recent: Recent[int, bytes] = Recent(LIMIT, weigh)
    last: dict[int, bytes | None] = {}
    for key, size in changes:
        last[key] = None if size is None else bytes(size)
        recent.keep(key, last[key])
        kept = {**recent._older, **recent._newer}
        assert sum(weigh(value) for value in kept.values() if value is not None) <= LIMIT + LIMIT // 2
        assert all(kept[known] == last[known] for known in kept)


def own(value: bytes) -> bytes:
    """The same bytes, shared with nobody: as a row that was read has them."""
    return bytes(bytearray(value))


def keep_request(held: WorkingSet, number: int) -> None:
    made = make_request(number, sender=own(SENDER), target=own(TARGET), payload=bytes(64))
    conclusion = make_conclusion(request_id(made))
    batch = execute_batch(track(made))
    tracked = track(made, RequestFinal(batch.root), ReceiptFinal(conclusion, word("outcomes", number)))
    held.requests.keep(tracked.request_id, Held(number, 7, tracked))


def keep_batch(held: WorkingSet, number: int) -> None:
    outcomes = (make_outcome(RequestId(word(number, place))) for place in range(MAX_BATCH_LEAVES))
    batch = outcome_batch(*outcomes)
    held.batches.keep(batch.root, batch)


def keep_attestations(held: WorkingSet, number: int) -> None:
    root = word(number)
    signed = [
        Attestation(own(SOURCE_GATEWAY), own(root), MAX_BATCH_LEAVES, 1, word(signer)[:20], bytes(65))
        for signer in range(19)
    ]
    held.attestations.keep(root, {(each.gateway, each.epoch, each.signer): each for each in signed})


def keep_certificate(held: WorkingSet, number: int) -> None:
    root = word(number)
    held.certificates.keep(root, Certificate(own(root), own(SOURCE_GATEWAY), 1, blank_certificate(), NOW + number))


def keep_absence(held: WorkingSet, number: int) -> None:
    held.certificates.keep(word(number), None)


@pytest.mark.parametrize(
    ("keep", "count", "mebibytes"),
    [
        (keep_request, 24_000, 32),
        (keep_batch, 260, 16),
        (keep_attestations, 400, 2),
        (keep_certificate, 6_000, 2),
        (keep_absence, 40_000, 2),
    ],
)
def test_what_is_at_hand_takes_no_more_memory_than_its_limit(
    keep: Callable[[WorkingSet, int], None], count: int, mebibytes: int
) -> None:
    """A node has the memory after a day that it has after an hour only if what is weighed is no heavier than told.

    Each count is of more than the limit leaves room for.
    """
    held, most = WorkingSet(), 0
    tracemalloc.start()
    try:
        for number in range(count):
            keep(held, number)
            most = max(most, tracemalloc.get_traced_memory()[0])
        held.clear()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - left <= mebibytes * 1024 * 1024


async def test_what_another_process_changed_is_seen_by_the_next_commit_and_every_load_after_it(tmp_path: Path) -> None:
    """SECURITY: a decision on what is only remembered must not be written over what is on disk."""
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    engines = open_engine(url), open_engine(url)
    one, other = (SqlStore(engine) for engine in engines)
    request = track()
    batch = execute_batch(request)
    final = decide(request, RequestFinal(batch.root)).request
    await one.commit(Commit(observed=(Change(request.status, request, "CallRequested", NOW),), batches=(batch,)))
    assert await one.load_attestations([batch.root]) == {}
    await other.commit(
        Commit(changes=(Change(request.status, final, "RequestFinal", NOW),), attestations=(attest(batch),))
    )
    with pytest.raises(StoreConflict, match="is FINAL here, the step decided on OBSERVED"):
        await one.commit(Commit(changes=(Change(request.status, final, "RequestFinal", NOW),)))
    assert await one.load_requests([request.request_id]) == {request.request_id: final}
    assert await one.load_attestations([batch.root]) == {batch.root: [attest(batch)]}
    assert await one.load_batches([word("unknown"), batch.root]) == {batch.root: batch}
    for engine in engines:
        await engine.dispose()
