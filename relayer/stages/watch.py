"""Takes a chain in, block by block: what is seen, what became final, and the batches that final blocks give birth to.

Its job: keep the cursor gap-free by parent hash, turn observations into events, and write each step in one commit. What
is seen is never signed; what is final is born into batches here and nowhere else. It must not judge: policy, peers and
other chains' progress are no input.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import structlog

from attestation.request import RequestId
from attestation.statement import Outcome
from relayer.domain.batch import (
    BORN_KINDS,
    Batch,
    conclusion_of,
    execute_batches,
    is_servable,
    receipt_batches,
    request_ids,
)
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.events import (
    CallbackFinal,
    CancelFinal,
    CancelSettledFinal,
    FeeRaised,
    OutcomeCertified,
    ReceiptFinal,
    ReceiptSeen,
    RequestFinal,
    RequestRejected,
    RequestReobserved,
)
from relayer.domain.lifecycle import observe
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    CallRequested,
    CancelSettled,
    EpochApplied,
    FeeAdded,
    ObservedBlock,
    RequestCancelled,
)
from relayer.domain.reorg import ChainCursor
from relayer.domain.status import Status
from relayer.domain.tracked import Conclusion
from relayer.errors import ReorgBelowFinality, RpcUnavailable
from relayer.ports.chain import Chain
from relayer.ports.store import Certificate, Commit, FeeEntry, OutboxRow, Receipt, StoredEpoch
from relayer.stages.desk import Bell, Desk
from relayer.stages.draft import Draft, birth_effects
from relayer.stages.rewind import rewind_commit

_IDLE_SECONDS = 5.0
"""A head is asked for at least this often, should every wake-up be lost."""

_log = structlog.get_logger(__name__)


class WatchStage:
    """One per chain. `start_block` is the first height of interest at the very first start."""

    name = "watch"

    def __init__(self, desk: Desk, chain: Chain, start_block: int) -> None:
        self._desk = desk
        self._chain = chain
        self._start_block = start_block
        self._cursor: ChainCursor | None = None
        self._unfinal: dict[bytes, ObservedBlock] = {}
        self._dropped_logs = 0
        self._bell = Bell()
        self._wake_ups: AsyncIterator[None] = chain.wake_ups()

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain that is watched."""
        return self._chain.caip2

    async def listen(self) -> None:
        """Ring this stage's bell at each wake-up of the chain. Runs beside the stage."""
        async for _ in self._wake_ups:
            self._bell.ring()

    async def wait(self) -> None:
        """Until the chain says that there may be a new head."""
        await self._bell.wait(_IDLE_SECONDS)

    async def run_once(self) -> bool:
        """Take in what is new, at most `max_blocks_per_step` blocks."""
        cursor = self._cursor or await self._start()
        news = await self._chain.fetch_news(cursor.tip.number, self._desk.settings.max_blocks_per_step)
        head, blocks = news.head, news.blocks
        self._desk.tips[self.chain].head = head
        if head.tip.number < cursor.tip.number:
            return False  # an endpoint behind us, or a shorter fork that is not worth following before it is longer
        self._count_dropped_logs()
        is_off_fork = not cursor.is_extended_by(blocks) if blocks else _is_rival(head.tip, cursor.tip)
        if is_off_fork:
            await self._rewind(cursor)
            return True
        # SECURITY: what was seen becomes final only with a tip that is known to follow it. While the next block is
        # withheld nobody says so, and the chain may have left what was seen long ago.
        if not blocks and head.tip != cursor.tip:
            return False
        self._desk.tips[self.chain].is_verified = True
        is_behind = bool(blocks) and blocks[-1].ref.number < head.tip.number
        if blocks or cursor.newly_final(head.final_number):
            await self._take_in(cursor, blocks, head.final_number)
        return is_behind

    def _count_dropped_logs(self) -> None:
        dropped = self._chain.dropped_logs
        self._desk.metrics.dropped_logs.labels(self.chain).inc(dropped - self._dropped_logs)
        self._dropped_logs = dropped

    async def _start(self) -> ChainCursor:
        """Go on where the last run stopped, or at the start block."""
        store, head = self._desk.store, await self._chain.fetch_head()
        self._desk.tips[self.chain].head = head
        cursor = await store.load_cursor(self.chain)
        if cursor is None:
            origin = await self._chain.fetch_block_ref(max(self._start_block - 1, 0))
            if origin is None:
                raise RpcUnavailable(f"{self._chain.name} has not reached block {self._start_block - 1} yet")
            cursor = ChainCursor(self.chain, origin)
            applied = await self._chain.fetch_epochs(origin)
            epochs = tuple(self._stored(epoch) for epoch in applied)
            await self._desk.commit(Commit(cursors=(cursor,), epochs=epochs))
        # SECURITY: a history that contradicts what was final teaches nothing; the next step halts the chain.
        elif (
            head.final_number >= cursor.final.number
            and await self._chain.fetch_block_ref(cursor.final.number) == cursor.final
        ):
            await self._read_epochs(head.final_number)
        self._desk.epochs.add(await store.load_epochs(self._chain.gateway))
        self._cursor = cursor
        tip = self._desk.tips[self.chain]
        tip.final_number, tip.tip_number = cursor.final.number, cursor.tip.number
        return cursor

    async def _read_epochs(self, final_number: int) -> None:
        """What the verifier holds by now: it may be another one than in the last run, with epochs behind the cursor.

        Epochs of a gateway never restart. SECURITY: what is held beyond the newest comes from a verifier that counts no
        more, and would outrank what does.
        """
        final = await self._chain.fetch_block_ref(final_number)
        if final is None:
            raise RpcUnavailable(f"{self._chain.name}: block {final_number} is not served at the moment")
        applied = [self._stored(epoch) for epoch in await self._chain.fetch_epochs(final)]
        if not applied:
            return
        desk, gateway, newest = self._desk, self._chain.gateway, applied[-1].epoch
        async with desk.writing:
            held = {epoch.epoch: epoch for epoch in await desk.store.load_epochs(gateway)}
            changed = tuple(epoch for epoch in applied if held.get(epoch.epoch) != epoch)
            beyond = tuple((gateway, number) for number in held if number > newest)
            if changed or beyond:
                is_new = newest not in held or bool(beyond)
                resigned = _resigning(desk, self.chain, await self._load_unlanded()) if is_new else ()
                await desk.commit(Commit(epochs=changed, dropped_epochs=beyond, effects=resigned))

    async def _rewind(self, cursor: ChainCursor) -> None:
        """Drop what is no longer on the chain, down to the newest block that still is."""
        ancestor = await self._fetch_ancestor(cursor)
        _log.warning("chain_reorganised", chain=self._chain.name, from_number=cursor.tip.number, to=ancestor.number)
        async with self._desk.writing:
            commit, rewound = await rewind_commit(self._desk, self._chain, cursor, ancestor)
            await self._desk.commit(commit)
            self._cursor = rewound
        for block in cursor.above(ancestor.number):
            self._unfinal.pop(block.ref.hash, None)
        self._desk.tips[self.chain].rewinds += 1
        self._desk.bells.ring_chain(self.chain)

    async def _fetch_ancestor(self, cursor: ChainCursor) -> BlockRef:
        for ref in (*(block.ref for block in reversed(cursor.seen)), cursor.final):
            if await self._chain.fetch_block_ref(ref.number) == ref:
                return ref
        found = await self._chain.fetch_block_ref(cursor.final.number)
        if found is None or found == cursor.final:
            # Endpoints that fell behind meanwhile prove nothing: only another block at this height does.
            raise RpcUnavailable(f"{self._chain.name}: block {cursor.final.number} is not served at the moment")
        # SECURITY: what was signed as final is not final. Nothing more is signed about this chain.
        raise ReorgBelowFinality(self._chain.name, found.number, cursor.final.hash, found.hash)

    async def _take_in(self, cursor: ChainCursor, blocks: Sequence[ObservedBlock], final_number: int) -> None:
        extended = cursor.extend(blocks)
        newly_final = extended.newly_final(final_number)
        fresh = {block.ref.hash: block for block in blocks}
        final = [
            fresh.get(seen.ref.hash) or self._unfinal.get(seen.ref.hash) or await self._refetch(seen.ref)
            for seen in newly_final
        ]
        moved = extended.finalise(final_number)
        desk = self._desk
        async with desk.writing:
            commit = await self._decide(blocks, final, moved)
            await desk.commit(commit)
            self._cursor = moved
            desk.epochs.add(commit.epochs)
        for block in blocks:
            self._unfinal[block.ref.hash] = block
        for seen in newly_final:
            self._unfinal.pop(seen.ref.hash, None)
        tip = desk.tips[self.chain]
        tip.final_number, tip.tip_number = moved.final.number, moved.tip.number
        tip.timestamp = blocks[-1].timestamp if blocks else tip.timestamp
        if commit.batches:
            desk.bells.sign.ring()
        if commit.effects:
            desk.bells.ring_effects({effect.chain for effect in commit.effects})
        desk.bells.ring_chain(self.chain)

    async def _refetch(self, ref: BlockRef) -> ObservedBlock:
        """The contents of a block that an earlier run of this process had seen."""
        blocks = await self._chain.fetch_blocks(ref.number, ref.number)
        if not blocks or blocks[0].ref != ref:
            raise RpcUnavailable(f"{self._chain.name}: block {ref.number} is not served as it was seen")
        return blocks[0]

    async def _decide(
        self, seen: Sequence[ObservedBlock], final: Sequence[ObservedBlock], moved: ChainCursor
    ) -> Commit:
        """Everything that these blocks change, as one commit."""
        store, now = self._desk.store, self._desk.clock.now()
        ids = _ids_in((*seen, *final))
        draft = Draft(self._desk.routes, now, await store.load_requests(ids))
        requested_now = [o.request_id for block in final for o in block.observations if isinstance(o, CallRequested)]
        earlier = await store.load_receipts(requested_now)
        certified = await store.load_certificates([r.outcome_root for r in earlier.values() if r.outcome_root])
        step = _Step(self._desk, self._chain.gateway, self.chain, draft, now, earlier, certified)
        final_now = {block.ref for block in final}
        for block in seen:
            step.see(block, is_final=block.ref in final_now)
        for block in final:
            step.finalise(block)
        if any(isinstance(observation, EpochApplied) for block in final for observation in block.observations):
            step.sign_again(await self._load_unlanded())
        return step.commit(moved)

    async def _load_unlanded(self) -> list[bytes]:
        """Roots whose certificate is still to be used at this chain's gateway."""
        store, limit = self._desk.store, self._desk.settings.resign_limit
        return [
            root for kind in BORN_KINDS for root in await store.load_unlanded_roots(kind, self._chain.gateway, limit)
        ]

    def _stored(self, epoch: EpochApplied) -> StoredEpoch:
        return StoredEpoch(self._chain.gateway, epoch.epoch, epoch.signer_set, epoch.valid_until)


class _Step:
    """One commit in the making: the decisions about seen and about final blocks."""

    def __init__(
        self,
        desk: Desk,
        gateway: bytes,
        chain: str,
        draft: Draft,
        now: float,
        earlier: dict[RequestId, Receipt],
        certified: dict[bytes, Certificate],
    ) -> None:
        self._desk = desk
        self._gateway = gateway
        self._chain = chain
        self._draft = draft
        self._now = now
        self._receipts = dict(earlier)
        self._new_receipts: dict[RequestId, Receipt] = {}
        self._certified = certified
        self._batches: list[Batch] = []
        self._epochs: list[StoredEpoch] = []
        self._fees: list[FeeEntry] = []
        self._resigned: tuple[OutboxRow, ...] = ()

    def see(self, block: ObservedBlock, *, is_final: bool) -> None:
        """What is known as soon as a block is there, final or not. What is final is told by `finalise` as well."""
        for observation in block.observations:
            if isinstance(observation, CallRequested):
                self._see_request(observation, block.timestamp)
            elif isinstance(observation, CallConcluded) and not is_final:
                receipt = Receipt(observation.request_id, self._chain, conclusion_of(observation))
                self._remember(receipt)
                self._draft.apply(observation.request_id, ReceiptSeen(receipt.conclusion))

    def finalise(self, block: ObservedBlock) -> None:
        """What a final block means: batches are born, and facts move requests on."""
        executes = execute_batches(block, self._desk.routes)
        receipts = receipt_batches(block, self._gateway, self._desk.routes)
        self._batches += executes + receipts
        root_of = {identifier: batch.root for batch in executes for identifier in request_ids(batch)}
        outcome_of = {
            s.request_id: (s, batch.root) for batch in receipts for s in batch.statements if isinstance(s, Outcome)
        }
        for observation in block.observations:
            match observation:
                case CallRequested():
                    self._finalise_request(observation, root_of.get(observation.request_id, b""))
                case CallConcluded():
                    self._finalise_receipt(observation, *outcome_of.get(observation.request_id, (None, b"")))
                case CallbackDelivered():
                    end = CallbackFinal(observation.is_handler_failed, observation.return_data_hash)
                    self._draft.apply(observation.request_id, end)
                case RequestCancelled():
                    self._draft.apply(observation.request_id, CancelFinal(observation.returned))
                case CancelSettled():
                    self._draft.apply(observation.request_id, CancelSettledFinal())
                case FeeAdded():
                    self._raise_fee(observation)
                case EpochApplied():
                    stored = StoredEpoch(
                        self._gateway, observation.epoch, observation.signer_set, observation.valid_until
                    )
                    self._epochs.append(stored)

    def sign_again(self, roots: Iterable[bytes]) -> None:
        """A new epoch counts here."""
        self._resigned = _resigning(self._desk, self._chain, roots)

    def commit(self, cursor: ChainCursor) -> Commit:
        """All of it."""
        rest = Commit(
            receipts=tuple(self._new_receipts.values()),
            batches=tuple(self._batches),
            effects=(*birth_effects(self._batches, self._now, self._desk.settings.split_seconds), *self._resigned),
            fees=tuple(self._fees),
            cursors=(cursor,),
            epochs=tuple(self._epochs),
        )
        return self._draft.commit(rest)

    def _see_request(self, seen: CallRequested, timestamp: int) -> None:
        known = self._draft.get(seen.request_id)
        if known is not None:
            # A fork that comes back brings the same block: the place is the same, and the request was orphaned.
            if known.location != seen.location or known.status is Status.ORPHANED:
                self._draft.apply(seen.request_id, RequestReobserved(seen.location, timestamp))
            return
        fresh = observe(seen.request_id, seen.request, seen.route, seen.location, timestamp, seen.fee, seen.deadline)
        is_routed = self._desk.routes.get(seen.route) is not None
        if is_routed and is_servable(seen.request):
            self._draft.observe(fresh)
        else:
            self._draft.observe_rejected(fresh.request, RequestRejected("malformed" if is_routed else "no_route"))
        self._fees.append(FeeEntry(seen.request_id, self._chain, "offered", seen.fee, seen.location.tx_hash, self._now))

    def _finalise_request(self, seen: CallRequested, root: bytes) -> None:
        self._draft.apply(seen.request_id, RequestFinal(root))
        receipt = self._receipts.get(seen.request_id)
        if receipt is None:
            return
        # The destination was ahead of our view of the source: its receipt waited for this moment.
        if not receipt.outcome_root:
            self._draft.apply(seen.request_id, ReceiptSeen(receipt.conclusion))
            return
        self._draft.apply(seen.request_id, ReceiptFinal(receipt.conclusion, receipt.outcome_root))
        if receipt.outcome_root in self._certified:
            due_at = self._now + self._desk.settings.takeover_seconds
            self._draft.apply(seen.request_id, OutcomeCertified(receipt.outcome_root), due_at)

    def _finalise_receipt(self, seen: CallConcluded, outcome: Outcome | None, root: bytes) -> None:
        if outcome is None:
            return  # from a source gateway that this node does not serve
        conclusion = Conclusion(outcome, seen.return_data, seen.location.tx_hash)
        receipt = Receipt(seen.request_id, self._chain, conclusion, root)
        self._remember(receipt)
        self._draft.apply(seen.request_id, ReceiptFinal(receipt.conclusion, root))

    def _raise_fee(self, seen: FeeAdded) -> None:
        known = self._draft.get(seen.request_id)
        if known is not None and seen.fee > known.fee:
            entry = FeeEntry(
                seen.request_id, self._chain, "added", seen.fee - known.fee, seen.location.tx_hash, self._now
            )
            self._fees.append(entry)
        self._draft.apply(seen.request_id, FeeRaised(seen.fee))

    def _remember(self, receipt: Receipt) -> None:
        self._receipts[receipt.request_id] = receipt
        self._new_receipts[receipt.request_id] = receipt


def _resigning(desk: Desk, chain: str, roots: Iterable[bytes]) -> tuple[OutboxRow, ...]:
    """A new epoch counts: what has not landed is signed under it as well, for the old one will lapse.

    And cut again if it finds no quorum there: parts that were signed before count under the old epoch only.
    """
    now = desk.clock.now()
    cut_at = now + desk.settings.split_seconds
    return tuple(
        OutboxRow(kind, root, chain, due_at)
        for root in roots
        for kind, due_at in ((EffectKind.SIGN_BATCH, now), (EffectKind.SPLIT_BATCH, cut_at))
    )


def _ids_in(blocks: Iterable[ObservedBlock]) -> list[RequestId]:
    ids = {
        observation.request_id
        for block in blocks
        for observation in block.observations
        if not isinstance(observation, EpochApplied)
    }
    return list(ids)


def _is_rival(head: BlockRef, tip: BlockRef) -> bool:
    """Whether the head is another block than ours at the same height."""
    return head.number == tip.number and head.hash != tip.hash
