"""What is at hand is bounded, and what was used last stays longest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.events import RequestFinal
from relayer.domain.lifecycle import decide
from relayer.errors import StoreConflict
from relayer.ports.store import Change, Commit
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.recent import Recent
from relayer.store.sql_store import SqlStore
from tests.factories import NOW, attest, execute_batch, track, word

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
