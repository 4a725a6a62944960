"""kill -9 of a real process at every place where something becomes durable or leaves it: nothing is lost or doubled.

A child process runs the stages over the real store and guard, and kills itself at the n-th place that it comes by; the
next one starts from the files. For every n the story ends as when nobody dies. `test_crashes` does the like with more
interleavings and without processes.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from attestation.request import RequestId, request_id
from attestation.statement import OutcomeKind
from relayer.domain.observations import CallbackDelivered, CallConcluded
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.store.engine import open_engine
from relayer.store.migrate import Schema, upgrade
from relayer.store.sql_store import SqlStore
from tests.simulation.chain import Transaction
from tests.simulation.gateway import Consume, Deliver
from tests.simulation.mortal import Outside, create_outside, databases, live, load_outside
from tests.simulation.truth import count_of

Ending = tuple[Status, OutcomeKind | None]

ENDINGS: Final[list[Ending]] = [
    (Status.DELIVERED, OutcomeKind.EXECUTED),
    (Status.DELIVERED, OutcomeKind.REVERTED),
    (Status.DELIVERED, OutcomeKind.EXECUTED),
    (Status.DELIVERED, OutcomeKind.EXECUTED),
    (Status.DELIVERED, OutcomeKind.EXPIRED),
]

KINDS: Final = {"around a commit or a sending", "within a commit", "before a claim", "within a claim", "after a claim"}

ALL: Final = "XVM_SIMULATION_EXAMPLES" in os.environ
STRIDE_OF_ONE: Final = 1 if ALL else 23
STRIDE_OF_FOUR: Final = 1 if ALL else 307
"""Every so many places somebody dies. XVM_SIMULATION_EXAMPLES makes them die at all."""

SPAWNING: Final = multiprocessing.get_context("forkserver")
SPAWNING.set_forkserver_preload(["tests.simulation.mortal"])

pytestmark = pytest.mark.timeout(0 if ALL else 180)

NewHome = Callable[[int], Path]


@pytest_asyncio.fixture
async def new_home(tmp_path: Path) -> NewHome:
    """Makes a world with so many nodes, their databases empty."""
    store, guard = f"sqlite:///{tmp_path}/store.db", f"sqlite:///{tmp_path}/guard.db"
    await upgrade(store)
    await upgrade(guard, Schema.GUARD)
    homes: list[Path] = []

    def make(nodes: int) -> Path:
        home = tmp_path / str(len(homes))
        homes.append(home)
        home.mkdir()
        outside = create_outside(nodes)
        outside.save(home)
        for key in outside.keys:
            for empty, url in zip((store, guard), databases(home, key), strict=True):
                shutil.copy(empty.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        return home

    return make


def is_killed(home: Path, deadly_place: int) -> bool:
    """One life; whether it ended by SIGKILL. Any other end than its own is a failure."""
    child = SPAWNING.Process(target=live, args=(home, deadly_place))
    child.start()
    child.join()
    assert child.exitcode in {0, -signal.SIGKILL}, f"place {deadly_place}: the process failed by itself"
    return child.exitcode != 0


async def assert_told(home: Path, why: str) -> Outside:
    """Every node and the chains tell the story that was asked for, once each."""
    outside = load_outside(home)
    ids = [request_id(request) for request in outside.asked]
    recorded: set[bytes] = set()
    for key in outside.keys:
        store_url, guard_url = databases(home, key)
        engine = open_engine(store_url)
        store = SqlStore(engine)
        requests = await store.load_requests(ids)
        own = [transaction for identifier in ids for transaction in await store.load_transactions_of(identifier)]
        recorded |= {attempt.hash for transaction in own for attempt in transaction.attempts}
        await engine.dispose()
        assert [ending_of(requests[identifier]) for identifier in ids] == ENDINGS, why
        for url in (store_url, guard_url):
            database = sqlite3.connect(url.removeprefix("sqlite:///"))
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], why
            database.close()
    assert {transaction.hash for transaction in ours_on(outside)} <= recorded, f"{why}: sent and not recorded"
    logs = [log for chain in outside.chains for log in chain.logs()]
    for identifier, request in zip(ids, outside.asked, strict=True):
        assert count_of(logs, CallConcluded, identifier) == bool(request.destination_gateway), why
        assert count_of(logs, CallbackDelivered, identifier) == 1, why
    return outside


def ending_of(request: TrackedRequest) -> Ending:
    """How it ended, and what its callback was told."""
    return request.status, request.conclusion.outcome.kind if request.conclusion else None


def ours_on(outside: Outside) -> list[Transaction]:
    """The nodes' own transactions that are on the chains."""
    return [
        transaction
        for chain in outside.chains
        for block in chain.blocks
        for transaction in block.transactions
        if isinstance(transaction.call, Consume | Deliver)
    ]


def times_carried(outside: Outside) -> Counter[tuple[type, RequestId]]:
    """In how many transactions that are on the chains each request was executed, and delivered."""
    carried: Counter[tuple[type, RequestId]] = Counter()
    for call in (transaction.call for transaction in ours_on(outside)):
        assert isinstance(call, Consume | Deliver)
        items = [item for batch in call.batches for item in batch.items]
        carried.update((type(call), item.statement.request_id) for item in items)
    return carried


async def test_the_story_comes_by_every_kind_of_place(new_home: NewHome) -> None:
    home = new_home(1)
    assert not is_killed(home, 0)
    outside = await assert_told(home, "nobody died")
    assert outside.places.keys() == KINDS


async def test_security_one_node_killed_at_any_place_loses_doubles_and_contradicts_nothing(new_home: NewHome) -> None:
    """SECURITY: what is signed after the death never contradicts what was signed before it; nothing is paid twice."""
    place, deaths = 1, 0
    while is_killed(home := new_home(1), place):
        died_at = f"died at place {place}: {load_outside(home).last_place}"
        assert not is_killed(home, 0), died_at
        outside = await assert_told(home, died_at)
        assert set(times_carried(outside).values()) == {1}, died_at
        place, deaths = place + STRIDE_OF_ONE, deaths + 1
    assert deaths > 5


async def test_four_nodes_killed_at_once_at_any_place_lose_and_double_nothing(new_home: NewHome) -> None:
    place, deaths = 1, 0
    while is_killed(home := new_home(4), place):
        died_at = f"died at place {place}: {load_outside(home).last_place}"
        assert not is_killed(home, 0), died_at
        await assert_told(home, died_at)
        place, deaths = place + STRIDE_OF_FOUR, deaths + 1
    assert deaths > 2


async def test_a_node_that_dies_again_and_again_a_little_later_each_time_still_ends(new_home: NewHome) -> None:
    home = new_home(1)
    lives = 1
    while is_killed(home, lives):
        lives += 1
    outside = await assert_told(home, f"{lives} lives")
    assert set(times_carried(outside).values()) == {1}
    assert lives > 10
