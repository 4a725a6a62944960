"""Own transactions: signed with the next nonce, recorded, then sent.

Its job: what every stage that writes to a chain does alike. What is on disk can be sent again, what is not on disk was
never sent. It decides nothing about what is worth sending.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import structlog

from relayer.ports.store import Attempt, OwnTransaction, TransactionPurpose, TransactionStatus
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall, SendResult, SpendTerms
from relayer.stages.desk import Desk

_log = structlog.get_logger(__name__)


async def sign_next(
    desk: Desk,
    chain: OpenChain,
    purpose: TransactionPurpose,
    call: PreparedCall,
    terms: SpendTerms,
    offset: int,
    now: float,
) -> OwnTransaction:
    """Reserve the next nonce and sign; nothing may be sent before the commit that records it.

    `offset` is how many were signed on the same terms since the last commit. The caller holds `desk.writing`.
    """
    wallet, caip2, bid, first_free = chain.wallet, chain.source.caip2, terms.bid, terms.next_nonce
    held = await desk.store.load_held_nonces(caip2, wallet.address, first_free)
    # SECURITY: the lowest that nothing of ours holds. Counting on from our highest would let an endpoint that once
    # told a high nonce leave a gap, behind which nothing is ever mined.
    free = (nonce for nonce in itertools.count(first_free) if nonce not in held)
    nonce = next(itertools.islice(free, offset, None))
    signed = wallet.sign(call, nonce, bid)
    return OwnTransaction(
        chain=caip2,
        sender=wallet.address,
        nonce=nonce,
        purpose=purpose,
        status=TransactionStatus.SIGNED,
        to=call.to,
        data=call.data,
        gas_limit=call.gas_limit,
        value=call.value,
        request_ids=call.request_ids,
        attempts=(Attempt(signed.hash, signed.raw, bid.max_fee, bid.priority_fee, now),),
        created_at=now,
    )


async def send_recorded(desk: Desk, chain: OpenChain, transactions: Sequence[OwnTransaction]) -> None:
    """Hand over what a commit has recorded, and have it followed."""
    if not transactions:
        return
    caip2 = chain.source.caip2
    results = await chain.wallet.send([transaction.attempts[-1].raw for transaction in transactions])
    for transaction, result in zip(transactions, results, strict=True):
        desk.metrics.transactions.labels(caip2, transaction.purpose, transaction.status).inc()
        if result not in {SendResult.ACCEPTED, SendResult.KNOWN}:
            _log.warning("transaction_not_accepted", chain=caip2, nonce=transaction.nonce, result=result)
    desk.bells.confirm[caip2].ring()
