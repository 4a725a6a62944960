"""What one of several processes does that claim the same guard keys at the same time. Imported by name in each."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from attestation.request import RequestId
from attestation.statement import Execute, guard_key
from relayer.store.engine import open_engine
from relayer.store.guard_store import SqlGuard
from tests.factories import DESTINATION_GATEWAY, word

KEYS_PER_ROUND = 8


def claims_of(contender: int, round_number: int) -> list[tuple[bytes, bytes, Execute]]:
    """The same keys for every contender, another leaf under each."""
    statements = [
        Execute(RequestId(word("raced", round_number, n)), round_number, word("fork", contender), 0, n)
        for n in range(KEYS_PER_ROUND)
    ]
    # Each in another order, as two batches would be.
    ordered = statements[:: 1 - 2 * (contender % 2)]
    return [(guard_key(statement, DESTINATION_GATEWAY), statement.leaf, statement) for statement in ordered]


def race(url: str, contender: int, rounds: int, start: Barrier, results: Connection) -> None:
    """Claim in every round as soon as all are there; send whether each claim was granted."""
    results.send(asyncio.run(_race(url, contender, rounds, start)))


async def _race(url: str, contender: int, rounds: int, start: Barrier) -> list[bool]:
    engine = open_engine(url)
    guard = SqlGuard(engine)
    granted = []
    for round_number in range(rounds):
        start.wait(timeout=60)
        granted.append(not await guard.claim(claims_of(contender, round_number)))
    await engine.dispose()
    return granted
