"""A process that commits until it is killed, and says so after each commit. Run as a script."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from relayer.domain.effects import EffectKind
from relayer.domain.events import RequestFinal
from relayer.domain.lifecycle import decide
from relayer.domain.reorg import ChainCursor
from relayer.ports.store import Change, Commit, FeeEntry, OutboxRow, Receipt
from relayer.store.engine import open_engine
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    NOW,
    SOURCE_CHAIN,
    attest,
    block_ref,
    execute_batch,
    make_conclusion,
    make_location,
    make_request,
    make_transaction,
    track,
)

REQUESTS_PER_COMMIT = 5


def commit_number(number: int) -> Commit:
    """Requests in block `number`, final at once, and something in every other table; numbers count from 1."""
    requests = [
        track(make_request(number * REQUESTS_PER_COMMIT + n, payload=bytes(2_000)), location=make_location(number, n))
        for n in range(REQUESTS_PER_COMMIT)
    ]
    batch = execute_batch(*requests, first_height=number)
    ids = [request.request_id for request in requests]
    return Commit(
        observed=tuple(Change(r.status, r, "CallRequested", NOW) for r in requests),
        changes=tuple(
            Change(r.status, decide(r, RequestFinal(batch.root)).request, "RequestFinal", NOW) for r in requests
        ),
        receipts=tuple(Receipt(i, DESTINATION_CHAIN, make_conclusion(i)) for i in ids),
        batches=(batch,),
        attestations=(attest(batch),),
        effects=(OutboxRow(EffectKind.SIGN_BATCH, batch.root, DESTINATION_CHAIN, NOW),),
        transactions=(make_transaction(number, ids),),
        fees=tuple(FeeEntry(i, SOURCE_CHAIN, "offered", 1, b"", NOW) for i in ids),
        cursors=(ChainCursor(SOURCE_CHAIN, block_ref(number)),),
        peer_cursors=((b"peer", str(number)),),
    )


async def _commit_for_ever(url: str) -> None:
    store = SqlStore(open_engine(url))
    cursor = await store.load_cursor(SOURCE_CHAIN)
    number = 0 if cursor is None else cursor.final.number
    while True:
        number += 1
        await store.commit(commit_number(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_commit_for_ever(sys.argv[1]))
