"""Keeps the deposits of our account in order.

Its job: for one chain, compare what the account has lent with what became of the batches it was lent for, and send what
brings it back, and what the account has to lend before it earns. SECURITY: a batch is done with only when every request
of it is, in final blocks: what is taken back before would have to be lent again by whoever still acts under it.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from attestation.request import RequestId
from relayer.domain.batch import Batch, BatchKind, request_ids
from relayer.domain.status import ENDS, Status
from relayer.errors import RpcUnavailable
from relayer.ports.deposits import Deposit, Deposits
from relayer.ports.store import Commit, TransactionPurpose
from relayer.ports.vm import OpenChain
from relayer.stages.desk import Bell, Desk
from relayer.stages.sending import send_recorded, sign_next

_DELIVERED = ENDS | {Status.HANDLER_FAILED}
_CONCLUDED = _DELIVERED | {Status.CONCLUDED, Status.ATTESTED, Status.CALLBACK_HELD, Status.SUBMITTED}
_DONE = {BatchKind.EXECUTE: _CONCLUDED, BatchKind.OUTCOME: _DELIVERED}
"""What a request has become when nobody needs its batch of this kind any more."""

_log = structlog.get_logger(__name__)


class DepositStage:
    """One per chain that asks for deposits. It remembers nothing: the chain says what is lent."""

    name = "deposits"

    def __init__(self, desk: Desk, chain: OpenChain, deposits: Deposits) -> None:
        self._desk = desk
        self._chain = chain
        self._deposits = deposits
        self._bell = Bell()

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain that was lent to."""
        return self._chain.source.caip2

    async def wait(self) -> None:
        """Until the next look."""
        await self._bell.wait(self._desk.settings.deposit_seconds)

    async def run_once(self) -> bool:
        """One look at what is lent."""
        desk = self._desk
        under_way = await desk.store.load_open_transactions(self.chain)
        if any(transaction.purpose is TransactionPurpose.DEPOSIT for transaction in under_way):
            return False
        try:
            lent = await self._deposits.fetch()
            calls = await self._deposits.prepare(await self._idle(lent))
            terms = await self._chain.wallet.fetch_terms() if calls else None
        except RpcUnavailable as error:
            # There is time: what is lent is not lost.
            _log.warning("deposits_unknown", chain=self.chain, reason=str(error))
            return False
        if terms is None:
            return False
        async with desk.writing:
            now = desk.clock.now()
            transactions = [
                await sign_next(desk, self._chain, TransactionPurpose.DEPOSIT, call, terms, place, now)
                for place, call in enumerate(calls)
            ]
            await desk.commit(Commit(transactions=tuple(transactions)))
        await send_recorded(desk, self._chain, transactions)
        return False

    async def _idle(self, lent: Sequence[Deposit]) -> list[Deposit]:
        """The deposits that serve nobody any more."""
        desk, gateway = self._desk, self._chain.source.gateway
        batches = await desk.store.load_batches([deposit.root for deposit in lent])
        ids = {identifier for batch in batches.values() for identifier in request_ids(batch)}
        requests = await desk.store.load_requests(list(ids))
        statuses = {identifier: request.status for identifier, request in requests.items()}
        done = {root for root, batch in batches.items() if _is_done(batch, statuses)}
        now = desk.clock.now()
        return [deposit for deposit in lent if deposit.root in done or desk.epochs.is_over(gateway, deposit.epoch, now)]


def _is_done(batch: Batch, statuses: dict[RequestId, Status]) -> bool:
    done = _DONE.get(batch.kind, frozenset[Status]())
    # SECURITY: a request that is not known here may still be waiting.
    return bool(done) and all(statuses.get(identifier) in done for identifier in request_ids(batch))
