"""A program that was run or simulated leaves nothing behind that what runs after it would compute with."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from tests.integration.devnet.svm.cluster import Cluster, encoded
from tests.integration.devnet.svm.test_transactions import make_mint, open_token_account


async def calling_by_pointer(cluster: Cluster) -> VersionedTransaction:
    """What the associated token program does to open an account."""
    mint = await make_mint(cluster, 0)
    _, open_account = open_token_account(cluster.payer.pubkey(), Pubkey.new_unique(), mint)
    return await cluster.build(open_account)


def due_at_most(until: float) -> list[float]:
    """Of an outbox with one row, due at 3.5. Whole numbers are compared with fractions on the x87 unit."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE outbox (due_at FLOAT)")
        database.execute("CREATE INDEX outbox_due ON outbox (due_at)")
        database.execute("INSERT INTO outbox VALUES (?)", (3.5,))
        return [due_at for (due_at,) in database.execute("SELECT due_at FROM outbox WHERE due_at <= ?", (until,))]


async def test_a_program_that_was_run_brings_no_row_that_is_not_due(cluster: Cluster) -> None:
    await cluster.send(await calling_by_pointer(cluster), skipPreflight=True)
    assert due_at_most(2.0) == []


async def test_a_program_that_was_simulated_brings_no_row_that_is_not_due(cluster: Cluster) -> None:
    transaction = encoded(await calling_by_pointer(cluster))
    await cluster.ask("simulateTransaction", transaction, {"encoding": "base64", "commitment": "processed"})
    assert due_at_most(2.0) == []
