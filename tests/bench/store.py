"""What the store costs: `python -m tests.bench.store [--blocks N] [--there N]` prints one JSON object.

Takes CALLs through a whole life with the loads and the commits that a node's stages make of a block of 500 requests,
its own signature and those of three peers. Figures are CPU time of this process, which other work on the machine hardly
touches; only `*_wall_*` wait for the disk. `--there` fills the database with finished requests first, and times what a
node does with the store before it is ready. Asserts nothing: machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from attestation.statement import guard_key
from relayer.domain.batch import BORN_KINDS, MAX_BATCH_LEAVES, Batch
from relayer.domain.effects import EffectKind
from relayer.domain.events import (
    CallbackFinal,
    CallbackSubmitted,
    Event,
    ExecuteCertified,
    ExecutionDispatched,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptSeen,
    RequestFinal,
)
from relayer.domain.lifecycle import decide
from relayer.domain.reorg import ChainCursor
from relayer.domain.tracked import TrackedRequest
from relayer.ports.signer import Attestation, Guard
from relayer.ports.store import (
    Certificate,
    Change,
    Commit,
    FeeEntry,
    OutboxRow,
    OwnTransaction,
    Receipt,
    Store,
    TransactionPurpose,
    TransactionStatus,
)
from relayer.store.engine import database_file, open_engine
from relayer.store.guard_store import GUARD_CACHE_KIBIBYTES, SqlGuard
from relayer.store.migrate import Schema, upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    blank_certificate,
    block_ref,
    execute_batch,
    make_attempt,
    make_conclusion,
    make_location,
    make_request,
    make_transaction,
    outcome_batch,
    track,
)

REQUESTS_PER_BLOCK: Final = 500
REQUESTS_PER_TRANSACTION: Final = 64
FIRST_BLOCK: Final = 1_000_000
"""Above every block that `fill` writes."""
SMALL_COMMITS: Final = 200
LONELY_REQUESTS: Final = 20
CLAIM_LIMIT: Final = 1_024
SUBMISSIONS: Final = frozenset(kind for kind in EffectKind if kind.startswith("SUBMIT"))
SIGNING: Final = frozenset({EffectKind.SIGN_BATCH})


class Timer:
    """CPU seconds by stage, and how many transitions the commits held."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.transitions = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = process_time()
        yield
        self.seconds[name] += process_time() - started


class Block:
    """The life of the requests of one source block."""

    def __init__(self, store: Store, guard: Guard, timer: Timer, number: int, count: int) -> None:
        self._store, self._guard, self._timer, self._number = store, guard, timer, number
        self._requests = [
            track(make_request(number * REQUESTS_PER_BLOCK + n), location=make_location(number, n // 4, n))
            for n in range(count)
        ]
        self._ids = [request.request_id for request in self._requests]
        self._executes = [execute_batch(*part, first_height=number) for part in _parts(self._requests)]
        conclusions = [
            make_conclusion(i, make_location(number, n, n, DESTINATION_CHAIN)) for n, i in enumerate(self._ids)
        ]
        self._conclusions = dict(zip(self._ids, conclusions, strict=True))
        self._outcomes = [
            outcome_batch(*(c.outcome for c in part), first_height=number) for part in _parts(conclusions)
        ]
        self._execute_root = {s.request_id: b.root for b in self._executes for s in b.statements}
        self._outcome_root = {s.request_id: b.root for b in self._outcomes for s in b.statements}

    async def live(self) -> None:
        """From the first log to the final callback, stage by stage."""
        await self._observe()
        await self._sign(self._executes)
        await self._certify(self._executes, ExecuteCertified, EffectKind.SUBMIT_EXECUTE_BATCH, DESTINATION_CHAIN)
        await self._submit("dispatch", TransactionPurpose.EXECUTE, DESTINATION_CHAIN, self._executes)
        await self._land()
        await self._confirm("dispatch", TransactionPurpose.EXECUTE, DESTINATION_CHAIN)
        await self._sign(self._outcomes)
        await self._certify(self._outcomes, OutcomeCertified, EffectKind.SUBMIT_CALLBACK_BATCH, SOURCE_CHAIN)
        await self._submit("submit", TransactionPurpose.DELIVER, SOURCE_CHAIN, self._outcomes)
        await self._deliver()
        await self._confirm("submit", TransactionPurpose.DELIVER, SOURCE_CHAIN)

    async def _observe(self) -> None:
        """Seen and final at once, as at finality depth 0."""
        observed = tuple(Change(r.status, r, "CallRequested", NOW) for r in self._requests)
        moved = self._moves(lambda r: RequestFinal(self._execute_root[r.request_id]))
        commit = Commit(
            observed=observed,
            changes=moved,
            batches=tuple(self._executes),
            effects=_births(self._executes),
            cursors=(ChainCursor(SOURCE_CHAIN, block_ref(self._number)),),
        )
        with self._timer.stage("observe"):
            await self._store.load_requests(self._ids)
            await self._store.load_receipts(self._ids)
            await self._store.load_certificates([])
            await self._store.commit(commit)
        self._timer.transitions += len(observed) + len(moved)

    async def _sign(self, batches: Sequence[Batch]) -> None:
        roots = [batch.root for batch in batches]
        claims = [(guard_key(s, b.verifying_gateway), s.leaf, s) for b in batches for s in b.statements]
        with self._timer.stage("guard claim"):
            await self._guard.claim(claims)
        commit = Commit(
            attestations=tuple(_attestation(batch, 0) for batch in batches),
            done=tuple((EffectKind.SIGN_BATCH, root) for root in roots),
        )
        with self._timer.stage("attest"):
            await self._store.load_due_effects(SIGNING, None, NOW, CLAIM_LIMIT)
            await self._store.load_batches(roots)
            await self._load_quorum(roots)
            await self._store.commit(commit)

    async def _certify(
        self, batches: Sequence[Batch], event: Callable[[bytes], Event], wish: EffectKind, chain: str
    ) -> None:
        """Three peers' words arrive, each for all batches; the second makes the quorum."""
        roots = [batch.root for batch in batches]
        for peer in (1, 2, 3):
            commit = Commit(attestations=tuple(_attestation(batch, peer) for batch in batches))
            if peer == 2:
                root_of = self._execute_root if wish is EffectKind.SUBMIT_EXECUTE_BATCH else self._outcome_root
                moved = self._moves(lambda r, root_of=root_of: event(root_of[r.request_id]))
                commit = Commit(
                    changes=moved,
                    attestations=commit.attestations,
                    certificates=tuple(_certificate(batch) for batch in batches),
                    effects=tuple(OutboxRow(wish, root, chain, NOW) for root in roots),
                    done=tuple((EffectKind.SPLIT_BATCH, root) for root in roots),
                )
                self._timer.transitions += len(moved)
            with self._timer.stage("certify"):
                await self._store.load_attestations(roots)
                await self._store.load_batches(roots)
                await self._load_quorum(roots)
                if peer == 2:
                    await self._store.load_requests(self._ids)
                await self._store.commit(commit)

    async def _submit(self, stage: str, purpose: TransactionPurpose, chain: str, batches: Sequence[Batch]) -> None:
        roots = [batch.root for batch in batches]
        is_delivery = purpose is TransactionPurpose.DELIVER
        wish = EffectKind.SUBMIT_CALLBACK_BATCH if is_delivery else EffectKind.SUBMIT_EXECUTE_BATCH
        transactions = self._transactions(purpose, chain, TransactionStatus.SIGNED)
        sent = {i: t.attempts[0].hash for t in transactions for i in t.request_ids}
        event = CallbackSubmitted if is_delivery else ExecutionDispatched
        moved = self._moves(lambda r: event(sent[r.request_id]))
        commit = Commit(changes=moved, transactions=transactions, done=tuple((wish, root) for root in roots))
        with self._timer.stage(stage):
            await self._store.load_next_due(SUBMISSIONS, chain)
            await self._store.load_due_effects(SUBMISSIONS, chain, NOW, CLAIM_LIMIT)
            await self._store.load_open_transactions(chain)
            await self._store.load_requests(self._ids)
            await self._store.load_batches(roots)
            await self._store.load_certificates(roots)
            for batch in batches:
                await self._store.load_requests([s.request_id for s in batch.statements])
            for transaction in transactions:
                await self._store.load_held_nonces(chain, transaction.sender, transaction.nonce)
            await self._store.commit(commit)
        self._timer.transitions += len(moved)

    async def _confirm(self, stage: str, purpose: TransactionPurpose, chain: str) -> None:
        transactions = self._transactions(purpose, chain, TransactionStatus.CONFIRMED)
        fees = tuple(
            FeeEntry(i, chain, "spent", 10**12, t.attempts[0].hash, NOW) for t in transactions for i in t.request_ids
        )
        with self._timer.stage(stage):
            await self._store.load_open_transactions(chain)
            await self._store.load_requests(self._ids)
            await self._store.commit(Commit(transactions=transactions, fees=fees))

    async def _land(self) -> None:
        """The receipts, seen and final at once."""
        seen = self._moves(lambda r: ReceiptSeen(self._conclusions[r.request_id]))
        final = self._moves(lambda r: ReceiptFinal(self._conclusions[r.request_id], self._outcome_root[r.request_id]))
        commit = Commit(
            changes=seen + final,
            receipts=tuple(
                Receipt(i, DESTINATION_CHAIN, self._conclusions[i], self._outcome_root[i]) for i in self._ids
            ),
            batches=tuple(self._outcomes),
            effects=_births(self._outcomes),
            cursors=(ChainCursor(DESTINATION_CHAIN, block_ref(self._number, DESTINATION_CHAIN)),),
        )
        with self._timer.stage("land"):
            await self._store.load_requests(self._ids)
            await self._store.commit(commit)
        self._timer.transitions += len(seen) + len(final)

    async def _deliver(self) -> None:
        moved = self._moves(lambda _: CallbackFinal(is_handler_failed=False))
        with self._timer.stage("deliver"):
            await self._store.load_requests(self._ids)
            await self._store.commit(
                Commit(changes=moved, cursors=(ChainCursor(SOURCE_CHAIN, block_ref(self._number + 1)),))
            )
        self._timer.transitions += len(moved)

    async def _load_quorum(self, roots: Sequence[bytes]) -> None:
        await self._store.load_batches(roots)
        await self._store.load_certificates(roots)
        await self._store.load_attestations(roots)

    def _moves(self, event_of: Callable[[TrackedRequest], Event]) -> tuple[Change, ...]:
        before = self._requests
        self._requests = [decide(request, event_of(request)).request for request in before]
        return tuple(Change(old.status, new, "Event", NOW) for old, new in zip(before, self._requests, strict=True))

    def _transactions(
        self, purpose: TransactionPurpose, chain: str, status: TransactionStatus
    ) -> tuple[OwnTransaction, ...]:
        parts = [
            self._ids[n : n + REQUESTS_PER_TRANSACTION] for n in range(0, len(self._ids), REQUESTS_PER_TRANSACTION)
        ]
        first = self._number * len(parts)
        return tuple(
            make_transaction(
                first + n,
                part,
                status,
                chain=chain,
                purpose=purpose,
                data=bytes(300 * len(part)),
                attempts=(make_attempt((purpose, first + n)),),
                mined=block_ref(self._number, chain) if status is TransactionStatus.CONFIRMED else None,
            )
            for n, part in enumerate(parts)
        )


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[n : n + MAX_BATCH_LEAVES] for n in range(0, len(items), MAX_BATCH_LEAVES)]


def _births(batches: Iterable[Batch]) -> tuple[OutboxRow, ...]:
    return tuple(
        OutboxRow(kind, batch.root, batch.verifying_chain, due)
        for batch in batches
        for kind, due in ((EffectKind.SIGN_BATCH, NOW), (EffectKind.SPLIT_BATCH, NOW + 20))
    )


def _attestation(batch: Batch, signer: int) -> Attestation:
    return Attestation(batch.verifying_gateway, batch.root, batch.count, 1, SIGNING_KEYS[signer].key, bytes(64))


def _certificate(batch: Batch) -> Certificate:
    return Certificate(batch.root, batch.verifying_gateway, 1, blank_certificate(), NOW)


def fill(store_url: str, count: int) -> None:
    """Copies of the one block that this database holds: `count` finished requests, each under an id of its own."""
    path = database_file(store_url)
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("synchronous=OFF", "cache_size=-500000", "foreign_keys=OFF"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("BEGIN")
        database.execute("CREATE TEMP TABLE shifts (shift INTEGER)")
        copies = count // REQUESTS_PER_BLOCK
        database.executemany("INSERT INTO shifts VALUES (?)", [(n * REQUESTS_PER_BLOCK,) for n in range(1, copies + 1)])
        for table, replaced in _COPIED.items():
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            names = ", ".join(f'"{column}"' for column in columns)
            values = ", ".join(replaced.get(column, f'template."{column}"') for column in columns)
            database.execute(f"CREATE TEMP TABLE template AS SELECT * FROM {table}")  # noqa: S608 - names of ours
            database.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM shifts CROSS JOIN template")  # noqa: S608
            database.execute("DROP TABLE template")
        database.execute("UPDATE request_counts SET count = count + ? WHERE status = 'DELIVERED'", (count,))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_COPIED: Final = {
    "requests": {"row": "template.row + shift", "request_id": "randomblob(32)"},
    "request_bodies": {"request_row": "template.request_row + shift"},
    "conclusions": {"request_row": "template.request_row + shift"},
    "transitions": {"request_row": "template.request_row + shift"},
    "receipts": {"row": "template.row + shift", "request_id": "randomblob(32)"},
    "fee_entries": {"row": "template.row + 2 * shift", "request_id": "randomblob(32)"},
}


async def _start(store_url: str) -> dict[str, float]:
    """What a node asks its store before its first step, and with its first steps."""
    wall, cpu = perf_counter(), process_time()
    await upgrade(store_url)
    engine = open_engine(store_url)
    store = SqlStore(engine)
    await store.load_own_attestations(SIGNING_KEYS[0].key, 0, 1)
    await store.load_halts()
    await store.count_by_status()
    await store.count_effects()
    await store.load_due_effects(SIGNING, None, NOW, CLAIM_LIMIT)
    for chain, gateway in ((SOURCE_CHAIN, SOURCE_GATEWAY), (DESTINATION_CHAIN, DESTINATION_GATEWAY)):
        await store.load_cursor(chain)
        await store.load_epochs(gateway)
        for kind in BORN_KINDS:
            await store.load_unlanded_roots(kind, gateway, CLAIM_LIMIT)
        await store.load_due_effects(SUBMISSIONS, chain, NOW, CLAIM_LIMIT)
        await store.load_open_transactions(chain)
        await store.load_expiring(chain, int(NOW), CLAIM_LIMIT)
    figures = {"start_wall_ms": (perf_counter() - wall) * 1e3, "start_cpu_ms": (process_time() - cpu) * 1e3}
    await engine.dispose()
    return figures


async def _live(folder: Path, blocks: int, there: int) -> dict[str, float]:
    """The figures of `blocks` blocks and of small commits, in this folder."""
    store_url, guard_url = f"sqlite:///{folder}/store.db", f"sqlite:///{folder}/guard.db"
    figures: dict[str, float] = {}
    await upgrade(store_url)
    await upgrade(guard_url, Schema.GUARD)
    if there:
        async with _opened(store_url, guard_url) as (store, guard):
            await Block(store, guard, Timer(), FIRST_BLOCK, REQUESTS_PER_BLOCK).live()
        fill(store_url, there)
        figures = await _start(store_url)
    async with _opened(store_url, guard_url) as (store, guard):
        # What is done once is no cost of a request.
        await Block(store, guard, Timer(), FIRST_BLOCK + 2, REQUESTS_PER_BLOCK).live()
        return figures | await _run(store, guard, blocks)


async def _run(store: SqlStore, guard: SqlGuard, blocks: int) -> dict[str, float]:
    timer, alone = Timer(), Timer()
    for number in range(blocks):
        await Block(store, guard, timer, FIRST_BLOCK + 2 * number + 4, REQUESTS_PER_BLOCK).live()
    cpu, wall = process_time(), perf_counter()
    for number in range(SMALL_COMMITS):
        await store.commit(Commit(peer_cursors=((b"peer", str(number)),)))
    cpu, wall = process_time() - cpu, perf_counter() - wall
    for number in range(LONELY_REQUESTS):
        await Block(store, guard, alone, FIRST_BLOCK + 2 * (blocks + number) + 4, 1).live()
    requests, seconds = blocks * REQUESTS_PER_BLOCK, sum(timer.seconds.values())
    return {
        "us_per_request": seconds / requests * 1e6,
        "transitions_per_second": timer.transitions / (seconds - timer.seconds["guard claim"]),
        **{f"us_per_request, {stage}": cost / requests * 1e6 for stage, cost in timer.seconds.items()},
        "us_per_request, alone in its block": sum(alone.seconds.values()) / LONELY_REQUESTS * 1e6,
        "small_commit_us": cpu / SMALL_COMMITS * 1e6,
        "small_commit_wall_ms": wall / SMALL_COMMITS * 1e3,
    }


@asynccontextmanager
async def _opened(store_url: str, guard_url: str) -> AsyncIterator[tuple[SqlStore, SqlGuard]]:
    engines = open_engine(store_url), open_engine(guard_url, GUARD_CACHE_KIBIBYTES)
    yield SqlStore(engines[0]), SqlGuard(engines[1])
    for engine in engines:
        await engine.dispose()


def measure(blocks: int = 6, there: int = 0) -> dict[str, float]:
    """Microseconds of CPU per request and stage, transitions per second of CPU, and what a small commit takes.

    With `there` finished requests in the database beforehand, also what a node's start asks of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_live(Path(folder), blocks, there))
        size = (Path(folder) / "store.db").stat().st_size
    requests = there + blocks * REQUESTS_PER_BLOCK
    return {name: round(figure, 1) for name, figure in (figures | {"bytes_per_request": size / requests}).items()}


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=6, help="blocks of 500 requests")
    parser.add_argument("--there", type=int, default=0, help="finished requests that are there before")
    arguments = parser.parse_args()
    sys.stdout.write(json.dumps(measure(arguments.blocks, arguments.there), indent=2) + "\n")


if __name__ == "__main__":
    main()
