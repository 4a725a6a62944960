"""The store in memory and the store in a database, given the same random commits, are the same store.

Hypothesis draws commits over a few requests, roots, blocks and peers, so that repetitions, conflicts and reorgs happen
all the time; after each commit every loader must answer alike, and the database also after being closed and reopened.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from attestation.request import RequestId
from relayer.domain.batch import BORN_KINDS, BatchKind
from relayer.domain.effects import EffectKind
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import StoreConflict
from relayer.ports.store import (
    Change,
    Commit,
    RequestFilter,
    Store,
)
from relayer.store.engine import open_engine
from relayer.store.memory import MemoryStore
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    NOW,
    QUERY_ROUTE,
    SENDER,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    make_transaction,
    word,
)
from tests.port_contracts.store import strategies
from tests.port_contracts.store.strategies import BATCHES, BLOCKS, CHAINS, GATEWAYS, IDS, OTHER_GATEWAY, ROOTS, SIGNERS

QUESTIONS: Final[dict[str, Callable[[Store], Awaitable[Any]]]] = {
    **{f"cursor of {c}": lambda s, c=c: s.load_cursor(c) for c in CHAINS},
    **{f"epochs of {g.hex()}": lambda s, g=g: s.load_epochs(g) for g in GATEWAYS},
    "requests": lambda s: s.load_requests([*reversed(IDS), RequestId(word("unknown")), IDS[0]]),
    "requests at": lambda s: s.load_requests_at(SOURCE_GATEWAY, [12, 10]),
    "requests elsewhere": lambda s: s.load_requests_at(OTHER_GATEWAY, [10, 11, 12]),
    "queries at": lambda s: s.load_queries_at(QUERY_ROUTE.key, 11),
    "expiring": lambda s: s.load_expiring(DESTINATION_CHAIN, 2**64 - 1, 10),
    "expiring first": lambda s: s.load_expiring(DESTINATION_CHAIN, 60, 1),
    "newest": lambda s: s.list_requests(RequestFilter(), 3),
    "before": lambda s: s.list_requests(RequestFilter(before_row=4), 2),
    "by sender": lambda s: s.list_requests(RequestFilter(sender=SENDER), 2),
    "by chain": lambda s: s.list_requests(RequestFilter(source_chain=SOURCE_CHAIN, before_row=5), 2),
    "by status": lambda s: s.list_requests(RequestFilter(statuses=frozenset({Status.FINAL, Status.LANDED})), 5),
    "by all": lambda s: s.list_requests(
        RequestFilter(frozenset({Status.OBSERVED, Status.CERTIFIED}), SENDER, SOURCE_CHAIN, 6), 5
    ),
    **{f"transitions of {n}": lambda s, i=i: s.load_transitions(i) for n, i in enumerate(IDS)},
    **{f"fees of {n}": lambda s, i=i: s.load_fees(i) for n, i in enumerate(IDS[:2])},
    "receipts": lambda s: s.load_receipts(IDS),
    **{f"receipts at {c}": lambda s, c=c: s.load_receipts_at(c, BLOCKS[::-2]) for c in CHAINS},
    "answers": lambda s: s.load_answers_of(IDS),
    "answers up to": lambda s: s.load_answers(DESTINATION_CHAIN, 51, 2),
    **{f"answers on {c}": lambda s, c=c: s.has_answers(c) for c in CHAINS},
    "answers above": lambda s: s.load_answers_above(DESTINATION_CHAIN, 51),
    "batches": lambda s: s.load_batches([batch.root for batch in BATCHES]),
    "attestations": lambda s: s.load_attestations([batch.root for batch in BATCHES]),
    "certificates": lambda s: s.load_certificates([batch.root for batch in BATCHES]),
    **{
        f"unlanded {k}": lambda s, k=k, g=g: s.load_unlanded_roots(k, g, 5)
        for k, g in zip(BORN_KINDS, GATEWAYS[::-1], strict=True)
    },
    "unlanded after": lambda s: s.load_unlanded_roots(BatchKind.OUTCOME, SOURCE_GATEWAY, 1, min(ROOTS[1:])),
    "due": lambda s: s.load_due_effects(frozenset(EffectKind), None, NOW + 2, 5),
    "due there": lambda s: s.load_due_effects(frozenset(list(EffectKind)[:3]), DESTINATION_CHAIN, NOW + 9, 9),
    "next due": lambda s: s.load_next_due(frozenset(EffectKind), SOURCE_CHAIN),
    "open transactions": lambda s: s.load_open_transactions(DESTINATION_CHAIN),
    "held nonces": lambda s: s.load_held_nonces(DESTINATION_CHAIN, make_transaction().sender, 0),
    "transactions of": lambda s: s.load_transactions_of(IDS[0]),
    **{f"cursor of peer {n}": lambda s, k=k: s.load_peer_cursor(k) for n, k in enumerate(SIGNERS)},
    "foreign": lambda s: s.load_foreign_statements(SIGNERS[0], IDS[:3]),
    "accepted": lambda s: s.load_accepted_sets(),
    "evidence": lambda s: s.list_evidence(),
    "halts": lambda s: s.load_halts(),
    "request blocks": lambda s: s.load_request_blocks(SOURCE_GATEWAY),
    **{f"conclusion blocks on {c}": lambda s, c=c: s.load_conclusion_blocks(c) for c in CHAINS},
    "ended since": lambda s: s.load_ended_since(SOURCE_GATEWAY, NOW + 2),
    "settled transactions": lambda s: s.load_settled_transactions(DESTINATION_CHAIN, 10),
}
"""Everything that can be asked and has an order; the rest is compared in `compare`."""


class Agreement(RuleBasedStateMachine):
    """Both stores, side by side."""

    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{shutil.copy(self.migrated / 'store.db', self.folder.name)}"
        self.memory = MemoryStore()
        self.open()

    def open(self) -> None:
        self.engine = open_engine(self.url)
        self.sql = SqlStore(self.engine)

    def teardown(self) -> None:
        self.runner.run(self.engine.dispose())
        self.runner.close()
        self.folder.cleanup()

    @rule(
        requests=strategies.some(strategies.tracked(), 5),
        rest=strategies.rests,
        is_careless=strategies.one_in(6),
        is_reopened=strategies.one_in(6),
        at=strategies.times,
    )
    def step(
        self, *, requests: tuple[TrackedRequest, ...], rest: Commit, is_careless: bool, is_reopened: bool, at: float
    ) -> None:
        """Observe what is new, change what is known, in one commit. A careless step does not look, and may conflict."""
        known = dict(self.runner.run(self.memory.load_requests(IDS)))
        observed, changes = [], []
        for request in requests:
            before = known.get(request.request_id)
            if is_careless:
                changes.append(Change(Status.FINAL, request, "Moved", at))
            elif before is None:
                observed.append(Change(request.status, request, "Observed", at))
            else:
                changes.append(Change(before.status, request, "Moved", at))
            known[request.request_id] = request
        self.commit(replace(rest, observed=tuple(observed), changes=tuple(changes)))
        if is_reopened:
            self.runner.run(self.engine.dispose())
            self.open()

    @rule(requests=strategies.some(strategies.tracked(), 2), rest=strategies.rests)
    def observe(self, requests: tuple[TrackedRequest, ...], rest: Commit) -> None:
        """Observe without looking: a conflict if one is known, or named twice."""
        self.commit(replace(rest, observed=tuple(Change(r.status, r, "Observed", NOW) for r in requests)))

    def commit(self, commit: Commit) -> None:
        outcomes = []
        for store in (self.memory, self.sql):
            try:
                self.runner.run(store.commit(commit))
                outcomes.append("written")
            except StoreConflict as conflict:
                outcomes.append(str(conflict))
        assert outcomes[0] == outcomes[1]

    @invariant()
    def every_answer_is_the_same(self) -> None:
        self.runner.run(self.compare())

    async def compare(self) -> None:
        for question, ask in QUESTIONS.items():
            expected, found = await ask(self.memory), await ask(self.sql)
            assert _plain(found) == _plain(expected), question
        for signer in SIGNERS:
            expected, found = [await store.load_own_attestations(signer, 0, 9) for store in (self.memory, self.sql)]
            assert [attestation for _, attestation in found] == [attestation for _, attestation in expected]
        for count in (SqlStore.count_by_status, SqlStore.count_effects):
            assert await count(self.sql) == await getattr(self.memory, count.__name__)()


def _plain(answer: Any) -> Any:
    """Dicts with their order, sequences whatever their type."""
    if isinstance(answer, dict):
        return list(answer.items())
    return list(answer) if isinstance(answer, list | tuple) else answer


@pytest.mark.timeout(600)  # a pass takes seconds; making a counterexample small takes minutes
def test_memory_and_database_are_the_same_store(migrated: Path) -> None:
    machine = type("Agreement", (Agreement,), {"migrated": migrated})
    run_state_machine_as_test(
        machine,
        # A few dozen questions a step: enough commits to meet every pair of parts, in some seconds.
        settings=settings(
            max_examples=12, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
