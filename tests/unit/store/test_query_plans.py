"""Every load walks an index: a million finished requests cost it nothing.

The plans are SQLite's for an empty, migrated database. Without statistics they do not depend on what is in it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event

from relayer.domain.batch import BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.events import RequestFinal
from relayer.domain.lifecycle import decide
from relayer.domain.reorg import ChainCursor
from relayer.domain.status import Status
from relayer.ports.store import Change, Commit, Deferral, OutboxRow, RequestFilter
from relayer.store.engine import SqliteEngine, open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    NOW,
    QUERY_ROUTE,
    SENDER,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    block_ref,
    make_request,
    make_transaction,
    track,
    word,
)

REQUEST: Final = track()
IDS: Final = [REQUEST.request_id]
KINDS: Final = frozenset({EffectKind.SUBMIT_EXECUTE, EffectKind.SUBMIT_CALLBACK})
SETTLED: Final = replace(track(make_request(1)), status=Status.DELIVERED)
ONE_OF_EACH: Final = frozenset({Status.OBSERVED, Status.DELIVERED})
"""What is open and what is settled lie in different indexes."""

SMALL: Final = {"request_counts", "accepted_sets", "evidence"}
"""Tables that are read whole: one row a (chain, status), an offence, an epoch."""

Load = Callable[[SqlStore], Awaitable[Any]]

LOADS: Final[dict[str, tuple[Load, tuple[str, ...]]]] = {
    "load_cursor": (lambda s: s.load_cursor(SOURCE_CHAIN), ("cursors (chain=?)", "seen_blocks (chain=?)")),
    "load_epochs": (lambda s: s.load_epochs(SOURCE_GATEWAY), ("epochs (gateway=?)",)),
    "load_requests": (lambda s: s.load_requests(IDS), ("requests (request_id=?)", "conclusions (rowid=?)")),
    "load_requests_at": (
        lambda s: s.load_requests_at(SOURCE_GATEWAY, [10, 11]),
        ("ix_requests_place (source_gateway=? AND block_number=?)",),
    ),
    "load_queries_at": (
        lambda s: s.load_queries_at(QUERY_ROUTE.key, 10),
        ("ix_requests_queries (route=? AND block_number=?)",),
    ),
    "load_expiring": (
        lambda s: s.load_expiring(DESTINATION_CHAIN, 9, 9),
        ("ix_requests_expiring (destination_chain=? AND expiry<?)",),
    ),
    "list_requests before": (lambda s: s.list_requests(RequestFilter(before_row=9), 9), ("requests (rowid<?)",)),
    "list_requests by status": (
        lambda s: s.list_requests(RequestFilter(statuses=ONE_OF_EACH), 9),
        ("ix_requests_open (source_chain=?)", "ix_requests_settled (source_chain=? AND status=?)"),
    ),
    "list_requests by chain": (
        lambda s: s.list_requests(RequestFilter(source_chain=SOURCE_CHAIN, before_row=9), 9),
        (
            "ix_requests_open (source_chain=? AND row<?)",
            "ix_requests_settled (source_chain=? AND status=? AND row<?)",
        ),
    ),
    "list_requests by sender": (
        lambda s: s.list_requests(RequestFilter(sender=SENDER), 9),
        ("ix_requests_open_of_sender (sender=?)", "ix_requests_settled_of_sender (sender=? AND status=?)"),
    ),
    "list_requests by all": (
        lambda s: s.list_requests(RequestFilter(ONE_OF_EACH, SENDER, SOURCE_CHAIN, 9), 9),
        (
            "ix_requests_open_of_sender (sender=? AND row<?)",
            "ix_requests_settled_of_sender (sender=? AND status=? AND row<?)",
        ),
    ),
    "load_transitions": (lambda s: s.load_transitions(IDS[0]), ("transitions (request_row=?)",)),
    "load_fees": (lambda s: s.load_fees(IDS[0]), ("ix_fee_entries_request_id (request_id=?)",)),
    "count_by_status": (lambda s: s.count_by_status(), ()),
    "load_receipts": (lambda s: s.load_receipts(IDS), ("receipts (request_id=?)",)),
    "load_receipts_at": (
        lambda s: s.load_receipts_at(DESTINATION_CHAIN, [block_ref(1)]),
        ("ix_receipts_chain_block_hash (chain=? AND block_hash=?)",),
    ),
    "load_answers": (
        lambda s: s.load_answers(DESTINATION_CHAIN, 9, 9),
        ("ix_answers_chain_child_number (chain=? AND child_number<?)", "requests (request_id=?)"),
    ),
    "has_answers": (lambda s: s.has_answers(DESTINATION_CHAIN), ("ix_answers_chain_child_number (chain=?)",)),
    "load_answers_of": (lambda s: s.load_answers_of(IDS), ("answers (request_id=?)",)),
    "load_answers_above": (
        lambda s: s.load_answers_above(DESTINATION_CHAIN, 9),
        ("ix_answers_chain_child_number (chain=? AND child_number>?)",),
    ),
    "load_batches": (lambda s: s.load_batches([word(1)]), ("batches (root=?)",)),
    "load_attestations": (lambda s: s.load_attestations([word(1)]), ("attestations (root=?)",)),
    "load_own_attestations": (
        lambda s: s.load_own_attestations(b"", 9, 9),
        ("ix_attestations_signer_row (signer=? AND row>?)",),
    ),
    "load_certificates": (lambda s: s.load_certificates([word(1)]), ("certificates (root=?)",)),
    "load_unlanded_roots, execute": (
        lambda s: s.load_unlanded_roots(BatchKind.EXECUTE, SOURCE_GATEWAY, 9),
        ("ix_requests_awaiting_execute (destination_gateway=? AND execute_root>?)",),
    ),
    "load_unlanded_roots, outcome": (
        lambda s: s.load_unlanded_roots(BatchKind.OUTCOME, SOURCE_GATEWAY, 9, word(1)),
        ("ix_requests_awaiting_outcome (source_gateway=? AND outcome_root>?)",),
    ),
    "load_due_effects": (
        lambda s: s.load_due_effects(KINDS, DESTINATION_CHAIN, NOW, 9),
        ("ix_outbox_kind_chain_due_at (kind=? AND chain=? AND due_at<?)",),
    ),
    "load_due_effects, every chain": (
        lambda s: s.load_due_effects(KINDS, None, NOW, 9),
        ("ix_outbox_kind_due_at (kind=? AND due_at<?)",),
    ),
    "load_next_due": (
        lambda s: s.load_next_due(KINDS, DESTINATION_CHAIN),
        ("ix_outbox_kind_chain_due_at (kind=? AND chain=? AND due_at<?)",),
    ),
    "load_next_due, every chain": (
        lambda s: s.load_next_due(KINDS, None),
        ("ix_outbox_kind_due_at (kind=? AND due_at<?)",),
    ),
    "load_open_transactions": (
        lambda s: s.load_open_transactions(DESTINATION_CHAIN),
        ("ix_transactions_open (chain=?)",),
    ),
    "load_held_nonces": (
        lambda s: s.load_held_nonces(DESTINATION_CHAIN, make_transaction().sender, 3),
        ("transactions (chain=? AND sender=? AND nonce>?)",),
    ),
    "load_transactions_of": (
        lambda s: s.load_transactions_of(IDS[0]),
        ("carried_requests (request_id=?)", "transactions (rowid=?)", "attempts (transaction_row=?)"),
    ),
    "load_peer_cursor": (lambda s: s.load_peer_cursor(b""), ("peer_cursors (peer=?)",)),
    "load_foreign_statements": (
        lambda s: s.load_foreign_statements(b"", IDS),
        ("foreign_mentions (signer=? AND request_id=?)", "foreign_statements (rowid=?)"),
    ),
    "load_accepted_sets": (lambda s: s.load_accepted_sets(), ()),
    "list_evidence": (lambda s: s.list_evidence(), ()),
}


class Explained:
    """A store, and the plans of the statements that it has run since the last look."""

    def __init__(self, engine: SqliteEngine) -> None:
        self.store = SqlStore(engine)
        self._database = sqlite3.connect(str(engine.sync_engine.url.database))
        self._statements: list[str] = []
        event.listen(engine.sync_engine, "connect", self._listen)

    def _listen(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(self._statements.append)

    def plans(self) -> list[str]:
        """Each step as `SEARCH index (columns)` or `SCAN table`; an index of a key is named by its table."""
        steps = [
            row[3]
            for statement in dict.fromkeys(self._statements)
            if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA"))
            for row in self._database.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
        self._statements.clear()
        return [_shortened(step) for step in steps]

    def close(self) -> None:
        self._database.close()


def _shortened(step: str) -> str:
    step = re.sub(r" LEFT-JOIN$", "", step)
    step = re.sub(r"^SEARCH \w+ USING (?:COVERING )?INDEX (ix_\w+)", r"SEARCH \1", step)
    return re.sub(r"^SEARCH (\w+) USING (?:(?:COVERING )?INDEX \w+|(?:INTEGER )?PRIMARY KEY)", r"SEARCH \1", step)


@pytest.fixture
async def explained(tmp_path: Path) -> AsyncIterator[Explained]:
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    engine = open_engine(url)
    assert isinstance(engine, SqliteEngine)
    shown = Explained(engine)
    # Something of each status, chain and transaction, so that no load ends before its last statement.
    await shown.store.commit(
        Commit(
            observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in (REQUEST, SETTLED)),
            transactions=(make_transaction(0, IDS),),
            cursors=(ChainCursor(SOURCE_CHAIN, block_ref(0)),),
        )
    )
    shown.plans()
    shown.store = SqlStore(engine)  # one that has nothing at hand
    yield shown
    shown.close()
    await engine.dispose()


@pytest.mark.parametrize("name", LOADS)
async def test_a_load_walks_an_index(explained: Explained, name: str) -> None:
    load, expected = LOADS[name]
    await load(explained.store)
    steps = explained.plans()
    assert steps
    for index in expected:
        assert f"SEARCH {index}" in steps
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
    assert not {table for table in scanned if not table.startswith("anon_")} - SMALL


async def test_the_newest_requests_are_read_from_the_end_of_the_table(explained: Explained) -> None:
    await explained.store.list_requests(RequestFilter(), 9)
    steps = explained.plans()
    assert steps[0] == "SCAN requests"
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps


async def test_queue_depths_are_counted_from_an_index_of_what_is_open(explained: Explained) -> None:
    await explained.store.count_effects()
    assert explained.plans() == ["SCAN outbox USING COVERING INDEX ix_outbox_kind_chain_due_at"]


async def test_what_a_commit_looks_for_it_finds_by_key(explained: Explained) -> None:
    final = decide(REQUEST, RequestFinal(word("root"))).request
    await explained.store.commit(
        Commit(
            changes=(Change(REQUEST.status, final, "RequestFinal", NOW),),
            dropped_receipts=tuple(IDS),
            dropped_answers=tuple(IDS),
            effects=(OutboxRow(EffectKind.SIGN_BATCH, word("root"), SOURCE_CHAIN, NOW),),
            done=((EffectKind.READ_ANSWER, IDS[0]),),
            deferred=(Deferral(EffectKind.SUBMIT_EXECUTE, IDS[0], NOW, 1),),
            cursors=(ChainCursor(SOURCE_CHAIN, block_ref(1)),),
        )
    )
    steps = explained.plans()
    assert not [step for step in steps if not step.startswith("SEARCH")]
    assert "SEARCH requests (rowid=?)" in steps
