"""What a reorg above finality undoes.

Its job: one commit that forgets the blocks above the common ancestor: requests become ORPHANED, receipts and answers
are dropped and looked for again. What was final is never touched: that is `ReorgBelowFinality`, decided elsewhere.
"""

from __future__ import annotations

from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.events import ReceiptOrphaned, RequestOrphaned
from relayer.domain.reorg import ChainCursor
from relayer.ports.chain import Chain
from relayer.ports.store import Commit
from relayer.stages.desk import Desk
from relayer.stages.draft import Draft


async def rewind_commit(
    desk: Desk, chain: Chain, cursor: ChainCursor, ancestor: BlockRef
) -> tuple[Commit, ChainCursor]:
    """The commit that takes `chain` back to `ancestor`, and the cursor after it."""
    store, now = desk.store, desk.clock.now()
    dropped = [block.ref for block in cursor.above(ancestor.number)]
    hashes = {ref.hash for ref in dropped}
    at_heights = await store.load_requests_at(chain.gateway, [ref.number for ref in dropped])
    orphans = [request for request in at_heights if request.block.hash in hashes]
    receipts = await store.load_receipts_at(chain.caip2, dropped)
    answers = await store.load_answers_above(chain.caip2, ancestor.number)
    # SECURITY: an orphan's answer was read for the time of a block that is gone; a later block has another pin.
    obsolete = await store.load_answers_of([request.request_id for request in orphans])
    concerned = [receipt.request_id for receipt in receipts] + [answer.request_id for answer in answers]
    known = await store.load_requests(concerned)
    draft = Draft(desk.routes, now, known | {request.request_id: request for request in orphans})
    for request in orphans:
        draft.apply(request.request_id, RequestOrphaned())
    for receipt in receipts:
        # Whoever executed it has the transaction still, and a next block takes it: nobody pays for another yet.
        draft.apply(receipt.request_id, ReceiptOrphaned(), now + desk.settings.takeover_seconds)
    for answer in answers:
        asking = draft.get(answer.request_id)
        if asking is not None:
            draft.wish(EffectKind.READ_ANSWER, asking, now)
    rewound = cursor.rewind(ancestor.number)
    rest = Commit(
        dropped_receipts=tuple(receipt.request_id for receipt in receipts),
        dropped_answers=(*(answer.request_id for answer in answers), *obsolete),
        cursors=(rewound,),
    )
    return draft.commit(rest), rewound
