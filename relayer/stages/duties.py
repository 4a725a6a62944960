"""What is due by the clock and not by an event: balances, queue depths, the node's own beat.

Its job: keep gauges true and say early what will stop the node. It moves no request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from relayer.errors import TransientError
from relayer.ports.store import TransactionPurpose
from relayer.stages.desk import Desk

_BEAT_SECONDS = 5
"""Well below what liveness allows."""

_GAUGE_SECONDS = 10
"""Prometheus scrapes about this often."""

_BALANCE_SECONDS = 60
"""A balance falls by transactions, of which a minute holds few enough to react in time."""

_log = structlog.get_logger(__name__)


def schedule_duties(desk: Desk, beat: Callable[[], None]) -> AsyncIOScheduler:
    """A scheduler with all periodic duties, not started yet. A duty that overruns is not started twice."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
    scheduler.add_job(beat, "interval", seconds=_BEAT_SECONDS)
    scheduler.add_job(_refresh_gauges, "interval", (desk,), seconds=_GAUGE_SECONDS)
    scheduler.add_job(_refresh_balances, "interval", (desk,), seconds=_BALANCE_SECONDS)
    return scheduler


async def _refresh_gauges(desk: Desk) -> None:
    metrics = desk.metrics
    metrics.outbox_depth.clear()
    for (chain, kind), count in (await desk.store.count_effects()).items():
        metrics.outbox_depth.labels(chain, kind).set(count)
    for caip2 in desk.chains:
        carried = Counter(dict.fromkeys(TransactionPurpose, 0))
        for transaction in await desk.store.load_open_transactions(caip2):
            carried[transaction.purpose] += len(transaction.request_ids)
        for purpose, count in carried.items():
            metrics.requests_in_flight.labels(caip2, purpose).set(count)
    for caip2, tip in desk.tips.items():
        if tip.head is not None:
            metrics.chain_head.labels(caip2).set(tip.head.tip.number)
            metrics.chain_final.labels(caip2).set(tip.head.final_number)
            metrics.chain_lag.labels(caip2).set(max(tip.head.final_number - tip.final_number, 0))


async def _refresh_balances(desk: Desk) -> None:
    for caip2, chain in desk.chains.items():
        try:
            balance = await chain.wallet.fetch_balance()
        except TransientError as error:
            _log.warning("balance_unknown", chain=caip2, reason=str(error))
            continue
        desk.metrics.wallet_balance.labels(caip2).set(balance)
