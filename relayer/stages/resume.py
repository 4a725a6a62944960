"""Taking up a halted chain again, after an operator has looked.

Its job: say what a rewrite below finality undid of what this node relied on, and make one commit that forgets it and
takes the cursor back below the fork: the watcher reads the new history from there. It runs while the node does not.

SECURITY: it never touches the guard. What was signed on the dead fork keeps its guard keys; the same requests on the
new fork are other leaves, so they are never signed again by this node and end by cancel or retry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from attestation.request import RequestId
from relayer.domain.batch import request_ids
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.events import (
    CallbackSubmitted,
    ConclusionForkedOff,
    EndForkedOff,
    ExecutionDispatched,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptSeen,
    RequestForkedOff,
)
from relayer.domain.halt import Halt
from relayer.domain.reorg import ChainCursor
from relayer.domain.route import RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.errors import ResumptionRefused, RpcUnavailable
from relayer.ports.chain import Chain
from relayer.ports.store import Commit, OwnTransaction, Store, StoredEpoch, TransactionStatus
from relayer.stages.draft import Draft

CLOCK_SKEW_SECONDS: Final = 3_600.0
"""How far a chain's clock may be ahead of ours: an hour is more than any chain allows its block makers."""

SUBMISSION_PAUSE_SECONDS: Final = 60.0
"""Before what is open again is submitted: until then the watcher has read what still stands, and transactions that are
handed over again are mined. All nodes resume in the same hour, and each would pay."""

_SIGNING: Final = frozenset({EffectKind.SIGN_BATCH, EffectKind.SPLIT_BATCH})

_NOWHERE: Final = BlockRef(0, bytes(32))

_MOST_ROWS: Final = 1 << 31
"""More than an outbox ever holds: a command reads all of it."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What taking up a chain comes to.

    `read_from` is the block above which everything is read again. Where the old history is back (`is_rewritten` is
    False), it is the final block held, and all else is empty.

    gone         requests whose source block is no longer there, as they were
    undone       requests whose receipt, or the block that their answer was read at, is no longer there, as they were
    unknown      ids of receipts that are no longer there, of requests that this node does not know
    reopened     requests whose callback or cancel may have stood in a block that is gone
    signed       those of the first three about which this node signed
    transactions own transactions that are no longer in a block
    epochs       what the chain's gateway verifies under on the new history
    """

    halt: Halt
    read_from: BlockRef
    is_rewritten: bool = False
    gone: tuple[TrackedRequest, ...] = ()
    undone: tuple[TrackedRequest, ...] = ()
    unknown: tuple[RequestId, ...] = ()
    reopened: tuple[TrackedRequest, ...] = ()
    signed: frozenset[RequestId] = frozenset()
    transactions: tuple[OwnTransaction, ...] = ()
    epochs: tuple[StoredEpoch, ...] = ()


async def examine_halt(store: Store, chain: Chain, start_block: int, signer: bytes) -> Resumption:
    """Look at the chain as M of its endpoints serve it now, and at what this node holds.

    `signer` is this node's key; `start_block` bounds how far back is read.

    Raises:
        ResumptionRefused: the chain is not halted, or its new history is not final at the height of the old one.
        RpcUnavailable: too few endpoints answer, or they disagree about the history.
    """
    halt = next((halt for halt in await store.load_halts() if _is_open(halt, chain.caip2)), None)
    if halt is None:
        raise ResumptionRefused(f"{chain.name} is not halted: there is nothing to take up")
    cursor = await store.load_cursor(chain.caip2)
    if cursor is None:
        raise ResumptionRefused(f"{chain.name} was never taken in here; start the node")
    head = await chain.fetch_head()
    if head.final_number < cursor.final.number:
        raise ResumptionRefused(
            f"{chain.name}: its endpoints call blocks up to {head.final_number} final, and {cursor.final.number} was "
            "final here; wait until the new history is as long"
        )
    if await chain.fetch_block_ref(cursor.final.number) == cursor.final:
        return Resumption(halt, cursor.final)
    final = await _fetch_block(chain, head.final_number)
    epochs = tuple(
        StoredEpoch(chain.gateway, applied.epoch, applied.signer_set, applied.valid_until)
        for applied in await chain.fetch_epochs(final)
    )
    return replace(await _examine_fork(store, chain, halt, start_block, signer), epochs=epochs)


async def resumption_commit(
    store: Store, routes: RouteTable, chain: Chain, resumption: Resumption, now: float
) -> Commit:
    """The commit that forgets what is gone and ends the halt. Nothing else may write to the store meanwhile."""
    ended = replace(resumption.halt, resumed_at=now)
    if not resumption.is_rewritten:
        return Commit(halts=(ended,))
    moved = (*resumption.gone, *resumption.undone, *resumption.reopened)
    draft = Draft(routes, now, {request.request_id: request for request in moved})
    for request in resumption.gone:
        draft.apply(request.request_id, RequestForkedOff())
    for request in resumption.undone:
        draft.apply(request.request_id, ConclusionForkedOff(), now + SUBMISSION_PAUSE_SECONDS)
    await _reopen(store, draft, resumption.reopened, now + SUBMISSION_PAUSE_SECONDS)
    _follow_again(draft, resumption)
    undone = {*(request.request_id for request in resumption.undone), *resumption.unknown}
    affected = undone | {request.request_id for request in resumption.gone}
    held = {epoch.epoch for epoch in await store.load_epochs(chain.gateway)}
    # All of the gateway's sets may have lapsed by the new history's clock: then none counts until another is applied.
    newest = max((epoch.epoch for epoch in resumption.epochs), default=0)
    rest = Commit(
        dropped_receipts=tuple(undone),
        dropped_answers=(*affected, *await _ask_again(store, draft, resumption, chain, affected, now)),
        done=await _unsigned_about(store, affected),
        transactions=tuple(
            replace(transaction, status=TransactionStatus.SIGNED, mined=None, gas_used=0, cost=0)
            for transaction in resumption.transactions
        ),
        cursors=(ChainCursor(chain.caip2, resumption.read_from),),
        epochs=resumption.epochs,
        dropped_epochs=tuple((chain.gateway, number) for number in held if number > newest),
        halts=(ended,),
    )
    return draft.commit(rest)


async def _examine_fork(store: Store, chain: Chain, halt: Halt, start_block: int, signer: bytes) -> Resumption:
    requests = await store.load_request_blocks(chain.gateway)
    conclusions = [
        # What was read in a round rests on no block.
        (identifier, block)
        for identifier, block in await store.load_conclusion_blocks(chain.caip2)
        if block != _NOWHERE
    ]
    ancestor = await _fetch_ancestor(chain, [block for _, block in (*requests, *conclusions)], start_block)
    gone = [identifier for identifier, block in requests if block.number > ancestor.number]
    undone = [identifier for identifier, block in conclusions if block.number > ancestor.number]
    since = await _fetch_time(chain, ancestor) - CLOCK_SKEW_SECONDS
    lost = {*gone, *undone}
    ended = [identifier for identifier in await store.load_ended_since(chain.gateway, since) if identifier not in lost]
    known = await store.load_requests([*gone, *undone, *ended])
    # A callback stands above its request: read from there, those that are not gone are told again.
    lowest = min((known[identifier].block.number for identifier in ended), default=ancestor.number + 1)
    return Resumption(
        halt=halt,
        read_from=ancestor if lowest > ancestor.number else await _fetch_block(chain, max(lowest - 1, 0)),
        is_rewritten=True,
        gone=tuple(known[identifier] for identifier in gone),
        undone=tuple(known[identifier] for identifier in undone if identifier in known),
        unknown=tuple(identifier for identifier in undone if identifier not in known),
        reopened=tuple(known[identifier] for identifier in ended),
        signed=await _signed_about(store, known, lost, signer),
        transactions=tuple(await store.load_settled_transactions(chain.caip2, ancestor.number)),
    )


async def _fetch_ancestor(chain: Chain, relied_on: Iterable[BlockRef], start_block: int) -> BlockRef:
    """The highest block relied on that is still there; the one before `start_block` if none is.

    Blocks without anything of ours are not remembered, and nothing rests on them.
    """
    falling = sorted(set(relied_on), reverse=True)
    first, past = 0, len(falling)
    while first < past:
        middle = (first + past) // 2
        if await chain.fetch_block_ref(falling[middle].number) == falling[middle]:
            past = middle
        else:
            first = middle + 1
    return falling[first] if first < len(falling) else await _fetch_block(chain, max(start_block - 1, 0))


async def _fetch_block(chain: Chain, number: int) -> BlockRef:
    block = await chain.fetch_block_ref(number)
    if block is None:
        raise RpcUnavailable(f"{chain.name}: block {number} is not served at the moment")
    return block


async def _fetch_time(chain: Chain, block: BlockRef) -> float:
    """The block's timestamp in seconds."""
    blocks = await chain.fetch_blocks(block.number, block.number)
    if not blocks or blocks[0].ref != block:
        raise RpcUnavailable(f"{chain.name}: block {block.number} is not served at the moment")
    return float(blocks[0].timestamp)


async def _reopen(store: Store, draft: Draft, reopened: Iterable[TrackedRequest], due_at: float) -> None:
    """Requests whose end is to be found again stand where all else that is known puts them."""
    ids = [request.request_id for request in reopened]
    receipts = await store.load_receipts(ids)
    certified = await store.load_certificates([receipt.outcome_root for receipt in receipts.values()])
    certified |= await store.load_certificates([request.outcome_root for request in reopened])
    for identifier in ids:
        draft.apply(identifier, EndForkedOff(), due_at)
        receipt = receipts.get(identifier)
        if receipt is not None:
            event = ReceiptFinal(receipt.conclusion, receipt.outcome_root) if receipt.outcome_root else None
            draft.apply(identifier, event or ReceiptSeen(receipt.conclusion))
        request = draft.get(identifier)
        if request is not None and request.outcome_root in certified:
            draft.apply(identifier, OutcomeCertified(request.outcome_root), due_at)


def _follow_again(draft: Draft, resumption: Resumption) -> None:
    """What one of our transactions carries is not sent in another: the same one is handed over again."""
    hashes = {attempt.hash for transaction in resumption.transactions for attempt in transaction.attempts}
    for before in (*resumption.undone, *resumption.reopened):
        if before.callback_tx_hash in hashes:
            draft.apply(before.request_id, CallbackSubmitted(before.callback_tx_hash))
        if before.execute_tx_hash in hashes:
            draft.apply(before.request_id, ExecutionDispatched(before.execute_tx_hash))


async def _ask_again(
    store: Store, draft: Draft, resumption: Resumption, chain: Chain, affected: set[RequestId], now: float
) -> list[RequestId]:
    """Answers that were read above the fork and have not counted yet, to be read anew."""
    answers = await store.load_answers_above(chain.caip2, resumption.read_from.number)
    ids = [answer.request_id for answer in answers if answer.request_id not in affected]
    for request in (await store.load_requests(ids)).values():
        draft.wish(EffectKind.READ_ANSWER, request, now)
    return ids


async def _unsigned_about(store: Store, affected: set[RequestId]) -> tuple[tuple[EffectKind, bytes], ...]:
    """Batches of the dead fork that were still to be signed. SECURITY: they must not be."""
    rows = await store.load_due_effects(_SIGNING, None, math.inf, _MOST_ROWS)
    batches = await store.load_batches([row.subject for row in rows])
    return tuple(
        (row.kind, row.subject)
        for row in rows
        if row.subject in batches and not affected.isdisjoint(request_ids(batches[row.subject]))
    )


async def _signed_about(
    store: Store, known: Mapping[RequestId, TrackedRequest], lost: set[RequestId], signer: bytes
) -> frozenset[RequestId]:
    roots = {identifier: {known[identifier].execute_root, known[identifier].outcome_root} for identifier in known}
    for identifier, receipt in (await store.load_receipts([*lost])).items():
        roots.setdefault(identifier, set()).add(receipt.outcome_root)
    attestations = await store.load_attestations([*{root for i in lost for root in roots.get(i, ()) if root}])
    signed = {root for root, found in attestations.items() if any(it.signer == signer for it in found)}
    return frozenset(identifier for identifier in lost if not signed.isdisjoint(roots.get(identifier, ())))


def _is_open(halt: Halt, chain: str) -> bool:
    return halt.chain == chain and halt.resumed_at is None
