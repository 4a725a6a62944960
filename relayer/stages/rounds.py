"""Answers queries of a chain that can only be read as it is now.

Its job: one per such chain. It reads what is asked again and again while no answer has its quorum, proposes what it
reads when it is this node's turn, and signs what others propose in theirs if it has read the same since the question
became final. SECURITY: no value is signed that was not read here, none in a round that is not the proposer's, and no
second one in a round; what does not fit costs its signer its own place, and nobody else's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from attestation.request import RequestId
from attestation.statement import Statement
from relayer.domain.batch import Batch, request_ids
from relayer.domain.effects import EffectKind
from relayer.domain.events import AnswerFinal
from relayer.domain.rounds import (
    ANSWERABLE,
    MAX_QUESTIONS,
    ROUND_SECONDS,
    OwnTurns,
    Proposal,
    Questions,
    in_round,
    is_in_turn,
    is_same_value,
    last_round,
    proposal_in,
    round_at,
    signable,
    value_read,
)
from relayer.domain.signers import signer_text
from relayer.domain.status import UNSERVED, Status
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.errors import PeerMessageInvalid, PeerUnavailable, RpcUnavailable
from relayer.ports.destination_vm import PresentVm
from relayer.ports.signer import Attestation
from relayer.ports.store import Commit, Deferral, OutboxRow
from relayer.stages.desk import REST_SECONDS, Desk
from relayer.stages.draft import Draft, birth_effects
from relayer.stages.inbox import Inbox

_LOOK_SECONDS: Final = 0.5
"""While something is asked: an eighth of a round, for chain and peers ring no bell for what is looked for here."""

_READ_SECONDS: Final = 1.0
"""Between two readings of a question: what stands for a second is read by all, and endpoints are paid by the call."""

_READ_AT_ONCE: Final = 128
"""Questions read in one look, those first that have waited longest: what public endpoints bear in a second."""

_PART_SECONDS: Final = ROUND_SECONDS / 2
"""How long who reads some of a proposal otherwise waits to read it alike: the rest is to be signed before the next
round, for nobody goes back to this one then."""

_SPLIT_SECONDS: Final = float(ROUND_SECONDS)
"""How long those who signed a proposal whole wait for its quorum before they sign its parts as well."""

_PROPOSAL_SECONDS: Final = 60.0
"""How long a proposal is compared with what is read: a value that others saw comes to us within seconds, or not."""

_KEPT_PER_SIGNER: Final = 32
"""Proposals of one signer that are compared at a time. SECURITY: its newest; a key can sign without end."""

_ASKED_PER_SIGNER: Final = 4
"""Roots of one signer whose leaves are asked for in one look: an exchange each."""

_LOOKED_PER_SIGNER: Final = 8192
"""Roots of one signer that are remembered as looked at: twice what the inbox keeps of it."""

_PEER_SECONDS: Final = 2.0
"""What a peer is given to show leaves. SECURITY: one that never answers holds up no more than half of a round."""

_PEER_PAUSE_SECONDS: Final = 2.0 * ROUND_SECONDS
"""For how long a peer that did not show them is asked for nothing."""

_TURN_SECONDS: Final = 2.0
"""How long a question that filled a claim makes room for others."""

_KINDS: Final = frozenset({EffectKind.READ_ANSWER})
_OPEN: Final = ANSWERABLE | {Status.OBSERVED}
"""A query in these is looked at again. It is read once it is final, until an answer has its quorum."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The questions of one final source block, and those as they stand."""

    questions: Questions
    requests: Mapping[RequestId, TrackedRequest]

    @property
    def place(self) -> tuple[bytes, int]:
        """What tells them from others: route and height."""
        return self.questions.route.key, self.questions.height


@dataclass(slots=True)
class _Peer:
    """What this stage remembers of one signer, within bounds."""

    looked: OrderedDict[tuple[bytes, bytes], None] = field(default_factory=OrderedDict)
    proposals: OrderedDict[bytes, tuple[float, Proposal]] = field(default_factory=OrderedDict)
    """By root, with when they were shown."""
    pause_until: float = 0.0

    def note_looked(self, attestation: Attestation) -> None:
        """Its leaves were shown, or never will be."""
        self.looked[attestation.gateway, attestation.root] = None
        while len(self.looked) > _LOOKED_PER_SIGNER:
            self.looked.popitem(last=False)

    def keep(self, proposal: Proposal, now: float) -> None:
        """Compare it from now on."""
        self.proposals[proposal.root] = (now, proposal)
        while len(self.proposals) > _KEPT_PER_SIGNER:
            self.proposals.popitem(last=False)


class RoundsStage:
    """One per destination chain that cannot be read in the past."""

    name = "rounds"

    def __init__(self, desk: Desk, inbox: Inbox, destination: PresentVm) -> None:
        self._desk = desk
        self._inbox = inbox
        self._destination = destination
        self._peers: defaultdict[bytes, _Peer] = defaultdict(_Peer)
        self._read_at: OrderedDict[RequestId, float] = OrderedDict()
        self._turns: OrderedDict[tuple[bytes, int], OwnTurns] = OrderedDict()

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain that is read."""
        return self._destination.caip2

    async def wait(self) -> None:
        """Until a query arrives, or while there is one, until the next look."""
        is_resting = self._desk.bells.answer_rest.is_resting(self.chain)
        await self._desk.bells.answer[self.chain].wait(REST_SECONDS if is_resting else _LOOK_SECONDS)

    async def run_once(self) -> bool:
        """Read what is asked, hear what others propose, sign what agrees."""
        desk, now = self._desk, self._desk.clock.now()
        look = desk.bells.answer_rest.look(self.chain)
        rows = await desk.store.load_due_effects(_KINDS, self.chain, now, desk.settings.claim_limit)
        if not rows:
            if await desk.store.load_next_due(_KINDS, self.chain) is None:
                desk.bells.answer_rest.begin(self.chain, look)
            return False
        asked = await self._load_asked(rows)
        await self._read(asked)
        await self._hear(asked)
        async with desk.writing:
            commit, batches = await self._decide(rows, asked)
            if commit != Commit():
                await desk.commit(commit)
        for batch in batches:
            desk.rounds.note_signed(batch.root, request_ids(batch))
        if batches:
            desk.bells.sign.ring()
        return False

    async def _load_asked(self, rows: Sequence[OutboxRow]) -> list[_Asked]:
        """All servable questions of each final source block that one of these rows belongs to, in log order.

        SECURITY: orphans of another block with the same number are none of it.
        """
        store = self._desk.store
        requests = await store.load_requests([RequestId(row.subject) for row in rows])
        places = dict.fromkeys((r.route, r.block.number) for r in requests.values() if r.status in ANSWERABLE)
        asked = []
        for key, height in places:
            route = self._desk.routes.get(key)
            if route is None or self._desk.is_halted(route):
                continue
            group = [r for r in await store.load_queries_at(key, height) if r.status not in UNSERVED]
            questions = Questions(route, height, tuple(request.request_id for request in group))
            asked.append(_Asked(questions, {request.request_id: request for request in group}))
        return asked

    # reading

    async def _read(self, asked: Sequence[_Asked]) -> None:
        """Read what has waited longest, block by block."""
        now = self._desk.clock.now()
        waiting = [
            (self._read_at.get(identifier, 0.0), index, request)
            for index, block in enumerate(asked)
            for identifier, request in block.requests.items()
            if request.status in ANSWERABLE
        ]
        due = [each for each in waiting if each[0] <= now - _READ_SECONDS]
        due.sort(key=lambda each: each[0])
        by_block: dict[int, list[TrackedRequest]] = defaultdict(list)
        for _, index, request in due[:_READ_AT_ONCE]:
            self._note_reading(request.request_id, now)
            by_block[index].append(request)
        await _all_of(self._read_block(requests) for requests in by_block.values())

    def _note_reading(self, request_id: RequestId, now: float) -> None:
        self._read_at[request_id] = now
        self._read_at.move_to_end(request_id)
        while len(self._read_at) > MAX_QUESTIONS:
            self._read_at.popitem(last=False)

    async def _read_block(self, requests: Sequence[TrackedRequest]) -> None:
        try:
            answers = await self._destination.fetch_present_answers([request.request for request in requests])
        except RpcUnavailable as error:
            # SECURITY: what one block's queries cost an endpoint must not keep the others waiting.
            _log.warning("queries_postponed", chain=self.chain, count=len(requests), reason=str(error))
            return
        for request, answer in zip(requests, answers, strict=True):
            if answer is not None:
                value = value_read(request.request_id, answer.kind, answer.return_data, cut=answer.cut)
                self._desk.rounds.note_read(request, value)

    # hearing

    async def _hear(self, asked: Sequence[_Asked]) -> None:
        """Ask for the leaves of what peers signed and this node did not build: it may be a proposal."""
        heard = await self._unknown(asked)
        await _all_of(self._ask_peer(signer, attestations) for signer, attestations in heard.items())

    async def _unknown(self, asked: Sequence[_Asked]) -> dict[bytes, list[Attestation]]:
        """Roots to look at now, by signer, newest first: of gateways that ask here, no longer than what they ask."""
        if not asked:
            return {}
        now, most = self._desk.clock.now(), max(len(block.questions.ids) for block in asked)
        heard = [
            attestation
            for attestation in self._inbox.heard({block.questions.route.source_gateway for block in asked})
            if attestation.count <= most
            and self._peers[attestation.signer].pause_until <= now
            and (attestation.gateway, attestation.root) not in self._peers[attestation.signer].looked
        ]
        known = await self._desk.store.load_batches([attestation.root for attestation in heard]) if heard else {}
        by_signer: dict[bytes, list[Attestation]] = defaultdict(list)
        for attestation in reversed(heard):
            if attestation.root not in known and len(by_signer[attestation.signer]) < _ASKED_PER_SIGNER:
                by_signer[attestation.signer].append(attestation)
        return by_signer

    async def _ask_peer(self, signer: bytes, attestations: Sequence[Attestation]) -> None:
        peer = self._peers[signer]
        try:
            async with asyncio.timeout(_PEER_SECONDS):
                for attestation in attestations:
                    statements = await self._fetch_leaves(attestation)
                    peer.note_looked(attestation)
                    proposal = proposal_in(signer, attestation.root, statements)
                    # SECURITY: a signature over another count covers no batch of these leaves.
                    if proposal is not None and len(statements) == attestation.count:
                        peer.keep(proposal, self._desk.clock.now())
        except (PeerUnavailable, TimeoutError):
            peer.pause_until = self._desk.clock.now() + _PEER_PAUSE_SECONDS

    async def _fetch_leaves(self, attestation: Attestation) -> Sequence[Statement]:
        """The leaves under a root; none if its signer does not show them: that is left to those who seek evidence."""
        try:
            return await self._desk.peers.fetch_statements(attestation.signer, attestation.root)
        except PeerMessageInvalid as error:
            _log.warning("proposal_withheld", peer=signer_text(attestation.signer), reason=str(error))
            return ()

    # deciding

    async def _decide(self, rows: Sequence[OutboxRow], asked: Sequence[_Asked]) -> tuple[Commit, list[Batch]]:
        """What agrees, as batches to sign, and what of the rows is over."""
        desk, now = self._desk, self._desk.clock.now()
        ids = dict.fromkeys([RequestId(row.subject) for row in rows])
        ids |= dict.fromkeys(identifier for block in asked for identifier in block.questions.ids)
        known = await desk.store.load_requests([*ids])
        draft = Draft(desk.routes, now, known)
        batches: list[Batch] = []
        for block in asked:
            for proposal in self._fitting(block.questions, now):
                batches += self._join(draft, block.questions, proposal, now)
            batches += self._propose(draft, block, now)
        over = [row for row in rows if not _is_open(known.get(RequestId(row.subject)))]
        for row in over:
            desk.rounds.forget(RequestId(row.subject))
        is_full = len(rows) == desk.settings.claim_limit
        rest = Commit(
            batches=tuple(batches),
            done=tuple((row.kind, row.subject) for row in over),
            # SECURITY: queries that never find an answer must not keep others out.
            deferred=tuple(
                Deferral(row.kind, row.subject, now + _TURN_SECONDS, row.attempts)
                for row in rows
                if is_full and row not in over
            ),
            effects=birth_effects(batches, now, _SPLIT_SECONDS),
        )
        return draft.commit(rest), batches

    def _fitting(self, questions: Questions, now: float) -> list[Proposal]:
        """Proposals for these questions that were made in their turn, the earliest round first."""
        ranked = self._ranked(questions)
        fitting = []
        for peer in self._peers.values():
            for root, (since, proposal) in list(peer.proposals.items()):
                if since < now - _PROPOSAL_SECONDS:
                    del peer.proposals[root]
                elif not set(questions.ids).isdisjoint(proposal.outcomes) and proposal.fits(questions, ranked, now):
                    fitting.append(proposal)
        return sorted(fitting, key=lambda proposal: proposal.round)

    def _join(self, draft: Draft, questions: Questions, proposal: Proposal, now: float) -> list[Batch]:
        """Sign a proposal whole, or what this node has read alike of it once others had time to read the rest."""
        requests = {i: request for i in proposal.outcomes if (request := draft.get(i)) is not None}
        agreed = signable(proposal, requests, self._desk.rounds)
        peer = self._peers[proposal.signer]
        since, _ = peer.proposals[proposal.root]
        if not agreed or (len(agreed) < len(proposal.outcomes) and now - since < _PART_SECONDS):
            return []
        return self._sign(draft, questions, agreed)

    def _propose(self, draft: Draft, block: _Asked, now: float) -> list[Batch]:
        """This node's own proposal, if it is its turn and there is anything to propose."""
        desk, questions, round_number = self._desk, block.questions, round_at(now)
        ranked = self._ranked(questions)
        if not is_in_turn(round_number, desk.signer.key, ranked, now):
            return []
        still_open = [r for i in questions.ids if (r := draft.get(i)) is not None and r.status in ANSWERABLE]
        if not all(request.request_id in self._read_at for request in still_open):
            return []  # the rest is read in the next looks, and proposed with these
        values = [
            (request, value)
            for request in still_open
            if last_round(request) < round_number and (value := desk.rounds.newest(request)) is not None
        ]
        if not values:
            return []
        turns = self._turns.get(block.place, OwnTurns())
        newest_signed = max(last_round(request) for request in still_open)
        is_news = any(not is_same_value(request.conclusion, value) for request, value in values)
        if not turns.is_due(round_number, newest_signed, len(ranked), is_news=is_news):
            return []
        self._turns[block.place] = turns.after(round_number)
        self._turns.move_to_end(block.place)
        while len(self._turns) > MAX_QUESTIONS:
            self._turns.popitem(last=False)
        return self._sign(draft, questions, [in_round(value, round_number) for _, value in values])

    def _sign(self, draft: Draft, questions: Questions, conclusions: Iterable[Conclusion]) -> list[Batch]:
        by_id = {conclusion.outcome.request_id: conclusion for conclusion in conclusions}
        batches = questions.batches({identifier: conclusion.outcome for identifier, conclusion in by_id.items()})
        for batch in batches:
            for identifier in request_ids(batch):
                draft.apply(identifier, AnswerFinal(by_id[identifier], batch.root))
        return batches

    def _ranked(self, questions: Questions) -> tuple[bytes, ...]:
        route = questions.route
        return self._desk.epochs.ranked_signers(route.source_gateway, route.key, questions.height)


def _is_open(request: TrackedRequest | None) -> bool:
    return request is not None and request.status in _OPEN


async def _all_of(works: Iterable[Awaitable[None]]) -> None:
    """All to their end, side by side: none goes on behind the back of a step that failed."""
    for failure in await asyncio.gather(*works, return_exceptions=True):
        if failure is not None:
            raise failure
