"""Follows this node's own transactions to their end.

Its job: per chain, see what was mined and what is final; hand over again what pools forgot; outbid what is stuck; and
say so when a transaction is gone, so that its requests are looked at again. It never sends anything that is not on
disk first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from attestation.request import RequestId
from relayer.domain.events import CallbackLost, ExecutionLost
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import (
    Attempt,
    Commit,
    FeeEntry,
    OwnTransaction,
    TransactionPurpose,
    TransactionStatus,
)
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import FeeBid, PreparedCall, SendResult, TransactionReceipt
from relayer.stages.backoff import costly_backoff_seconds
from relayer.stages.desk import REST_SECONDS, Desk
from relayer.stages.draft import Draft

_IDLE_SECONDS = 5.0
"""New blocks ring the bell; this is for chains that stand still while a transaction is to be sent again."""

_ALONE_SECONDS = 2.0
"""Between requests of a bundle that failed: time enough for each to be prepared by itself."""

_HUNDRED = 100

_MAX_FAILING: Final = 65_536
"""Requests whose failures are remembered, of some 200 bytes; the longest ago are forgotten beyond, and at a restart."""

_log = structlog.get_logger(__name__)


class ConfirmStage:
    """One per chain. After a start everything open is handed over once more: it may never have left the process."""

    name = "confirm"

    def __init__(self, desk: Desk, chain: OpenChain) -> None:
        self._desk = desk
        self._chain = chain
        self._started_at = desk.clock.now()
        self._handed_over_at: dict[int, float] = {}
        self._unpayable: set[int] = set()
        self._looked_at: dict[int, float] = {}
        """When a mined transaction, by nonce, was last found in its block."""
        self._rewinds = 0
        self._failures: OrderedDict[tuple[TransactionPurpose, RequestId], int] = OrderedDict()
        """How often a transaction that carried the request alone was mined and failed."""

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain whose transactions are followed."""
        return self._chain.source.caip2

    async def wait(self) -> None:
        """Until the chain has a new block or something was sent."""
        is_resting = self._desk.bells.confirm_rest.is_resting(self.chain)
        await self._desk.bells.confirm[self.chain].wait(REST_SECONDS if is_resting else _IDLE_SECONDS)

    async def run_once(self) -> bool:
        """One look at the open transactions that may have moved."""
        desk, rest = self._desk, self._desk.bells.confirm_rest
        look = rest.look(self.chain)
        open_transactions = await desk.store.load_open_transactions(self.chain)
        if not open_transactions:
            rest.begin(self.chain, look)
            self._handed_over_at.clear()
            self._unpayable.clear()
            self._looked_at.clear()
            return False
        tip, now = desk.tips[self.chain], desk.clock.now()
        # Taken before anything is fetched: what is found to be mined below a height that is final by now, is final.
        final_number = tip.final_number
        restless = self._restless(open_transactions, final_number, tip.rewinds, now)
        if not restless:
            return False
        wallet = self._chain.wallet
        hashes = [attempt.hash for transaction in restless for attempt in transaction.attempts]
        # In this order: a nonce used up between the two would look as if somebody else had used it.
        next_nonce = await wallet.fetch_next_nonce()
        receipts = {receipt.hash: receipt for receipt in await wallet.fetch_receipts(hashes) if receipt is not None}
        moved = [self._move(transaction, receipts, next_nonce, final_number, now) for transaction in restless]
        await self._commit([new for new, old in zip(moved, restless, strict=True) if new != old], now)
        for transaction in moved:
            if transaction.status is TransactionStatus.MINED:
                self._looked_at[transaction.nonce] = now
            else:
                self._looked_at.pop(transaction.nonce, None)
        await self._hand_over([transaction for transaction in moved if transaction.status is TransactionStatus.SIGNED])
        return False

    def _restless(
        self, transactions: Sequence[OwnTransaction], final_number: int, rewinds: int, now: float
    ) -> list[OwnTransaction]:
        """Those that may have moved. A mined one stays where it is until it is final, or a fork is left.

        Chains of slow finality have hundreds of them. A fork that this node did not see itself is found out in time.
        """
        if rewinds != self._rewinds:
            self._rewinds = rewinds
            return list(transactions)
        before = now - self._desk.settings.resend_seconds
        return [
            transaction
            for transaction in transactions
            if transaction.mined is None
            or transaction.mined.number <= final_number
            or self._looked_at.get(transaction.nonce, 0.0) < before
        ]

    def _move(
        self,
        transaction: OwnTransaction,
        receipts: dict[bytes, TransactionReceipt],
        next_nonce: int,
        final_number: int,
        now: float,
    ) -> OwnTransaction:
        mined = next((receipts[a.hash] for a in transaction.attempts if a.hash in receipts), None)
        if mined is None:
            is_used_up = next_nonce > transaction.nonce
            is_old = now - transaction.attempts[-1].sent_at > self._desk.settings.resend_seconds
            status = TransactionStatus.LOST if is_used_up and is_old else TransactionStatus.SIGNED
            return replace(transaction, status=status, mined=None)
        seen = replace(transaction, mined=mined.block, gas_used=mined.gas_used, cost=mined.cost)
        if mined.block.number > final_number:
            return replace(seen, status=TransactionStatus.MINED)
        return replace(seen, status=TransactionStatus.CONFIRMED if mined.is_success else TransactionStatus.FAILED)

    async def _commit(self, moved: Sequence[OwnTransaction], now: float) -> None:
        if not moved:
            return
        desk = self._desk
        ended = [t for t in moved if t.status not in {TransactionStatus.SIGNED, TransactionStatus.MINED}]
        async with desk.writing:
            ids = [identifier for transaction in ended for identifier in transaction.request_ids]
            draft = Draft(desk.routes, now, await desk.store.load_requests(ids))
            for transaction in ended:
                self._release(draft, transaction, now)
            fees = tuple(entry for transaction in ended for entry in _spent(transaction, now))
            await desk.commit(draft.commit(Commit(transactions=tuple(moved), fees=fees)))
        for transaction in ended:
            labels = (self.chain, transaction.purpose)
            desk.metrics.transactions.labels(*labels, transaction.status).inc()
            desk.metrics.gas_used.labels(*labels).inc(transaction.gas_used)
            desk.metrics.gas_cost.labels(*labels).inc(transaction.cost)
            if transaction.status is not TransactionStatus.CONFIRMED:
                _log.warning(
                    "transaction_ended_badly", chain=self.chain, nonce=transaction.nonce, how=transaction.status
                )
        desk.bells.submit[self.chain].ring()

    def _release(self, draft: Draft, transaction: OwnTransaction, now: float) -> None:
        """Requests that this ended transaction should have moved and did not are to be looked at again."""
        hashes = {attempt.hash for attempt in transaction.attempts}
        for position, identifier in enumerate(transaction.request_ids):
            request = draft.get(identifier)
            if request is not None and _waits_for(request, transaction.purpose, hashes):
                lost = CallbackLost() if transaction.purpose is TransactionPurpose.DELIVER else ExecutionLost()
                draft.apply(identifier, lost, now + self._pause_seconds(transaction, position))

    def _pause_seconds(self, transaction: OwnTransaction, position: int) -> float:
        """When the request at a position is looked at again whose transaction ended badly."""
        settings, place, failures = self._desk.settings, (transaction.purpose, transaction.request_ids[position]), 0
        is_failed = transaction.status is TransactionStatus.FAILED
        if is_failed and len(transaction.request_ids) > 1:
            # A bundle's failure says nothing of a request in it. SECURITY: together again, one that fails would have
            # all of them wait until they expire, and us pay each time: they go one after the other, each alone.
            return settings.backoff_first_seconds + position * _ALONE_SECONDS
        if is_failed:
            # SECURITY: a target or a handler can tell a simulation from a block, run in the one and fail in the other,
            # and would have us pay for each attempt until its request expires.
            failures = self._failures.pop(place, 0)
            self._failures[place] = failures + 1
            while len(self._failures) > _MAX_FAILING:
                self._failures.popitem(last=False)
        return costly_backoff_seconds(failures, settings)

    async def _hand_over(self, signed: Iterable[OwnTransaction]) -> None:
        """Send again what pools may have forgotten, at a higher price where it has waited long."""
        settings, now = self._desk.settings, self._desk.clock.now()
        raws: dict[int, bytes] = {}
        for transaction in signed:
            sent_at = transaction.attempts[-1].sent_at
            # What an earlier process signed may never have left it: it is handed over at once, and waits from now on.
            first_handed_over_at = sent_at if sent_at >= self._started_at else 0.0
            handed_over_at = max(first_handed_over_at, self._handed_over_at.get(transaction.nonce, 0.0))
            if now - handed_over_at <= settings.resend_seconds:
                continue
            is_overdue = now - max(sent_at, self._started_at) > settings.replace_seconds
            # What the account cannot pay for is not made dearer: it waits for funds. SECURITY: nor is anything where a
            # dearer transaction would not take its place, but be mined as well.
            if is_overdue and self._chain.wallet.is_sequenced and transaction.nonce not in self._unpayable:
                transaction = await self._outbid(transaction, now)  # noqa: PLW2901 - the same one, outbid
            raws[transaction.nonce] = transaction.attempts[-1].raw
            self._handed_over_at[transaction.nonce] = now
        results = await self._chain.wallet.send([*raws.values()]) if raws else ()
        for nonce, result in zip(raws, results, strict=True):
            self._unpayable.discard(nonce)
            if result is SendResult.INSUFFICIENT_FUNDS:
                self._unpayable.add(nonce)
                _log.error("transaction_unpayable", chain=self.chain, nonce=nonce)

    async def _outbid(self, transaction: OwnTransaction, now: float) -> OwnTransaction:
        """Sign and record a replacement; the transaction as it was if the price cap or the most attempts are reached.

        The latter bound what we pay above the market; a market that rose beyond our bid is always followed.
        """
        settings, last = self._desk.settings, transaction.attempts[-1]
        market = await self._chain.wallet.fetch_fee_bid()
        bid = _raised(last, market, settings.replacement_percent)
        is_vain = len(transaction.attempts) >= settings.max_attempts and market.max_fee < bid.max_fee
        if is_vain or bid.max_fee > self._chain.wallet.max_fee_cap:
            _log.error(
                "transaction_stuck", chain=self.chain, nonce=transaction.nonce, attempts=len(transaction.attempts)
            )
            return transaction
        call = PreparedCall(
            transaction.to, transaction.data, transaction.gas_limit, transaction.gas_limit, transaction.value, ()
        )
        signed = self._chain.wallet.sign(call, transaction.nonce, bid)
        attempt = Attempt(signed.hash, signed.raw, bid.max_fee, bid.priority_fee, now)
        outbid = replace(transaction, attempts=(*transaction.attempts, attempt))
        async with self._desk.writing:
            await self._desk.commit(Commit(transactions=(outbid,)))
        return outbid


def _raised(last: Attempt, market: FeeBid, percent: int) -> FeeBid:
    """At least `percent` of the last bid, at least the market: never lower than before."""
    max_fee = max(-(-last.max_fee * percent // _HUNDRED), market.max_fee)
    priority_fee = max(-(-last.priority_fee * percent // _HUNDRED), market.priority_fee)
    return FeeBid(max_fee, min(priority_fee, max_fee), market.expected_fee)


def _waits_for(request: TrackedRequest, purpose: TransactionPurpose, hashes: set[bytes]) -> bool:
    if purpose is TransactionPurpose.DELIVER:
        return request.status is Status.SUBMITTED and request.callback_tx_hash in hashes
    return request.status is Status.DISPATCHED and request.execute_tx_hash in hashes


def _spent(transaction: OwnTransaction, now: float) -> list[FeeEntry]:
    """The transaction's cost, shared evenly by the requests it carried; the first bears the remainder."""
    if not transaction.cost or not transaction.request_ids:
        return []
    kind = "spent_deliver" if transaction.purpose is TransactionPurpose.DELIVER else "spent_execute"
    share, rest = divmod(transaction.cost, len(transaction.request_ids))
    return [
        FeeEntry(
            identifier,
            transaction.chain,
            kind,
            share + (rest if position == 0 else 0),
            transaction.attempts[-1].hash,
            now,
        )
        for position, identifier in enumerate(transaction.request_ids)
    ]
