"""How a question is answered on a chain that can only be read as it is now: in rounds.

Its job: say which round it is and whose, what a round's outcomes look like, and remember, within bounds, what this node
has read of each question since that became final. A round is a slice of time and its proposer a rank: nobody counts,
so nothing about rounds needs to survive a restart. It reads no chain, asks no peer and signs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.statement import Outcome, OutcomeKind, Statement
from relayer.domain.batch import MAX_BATCH_LEAVES, Batch
from relayer.domain.blocks import BlockRef
from relayer.domain.route import Route
from relayer.domain.splitting import is_born_together, largest_batches
from relayer.domain.status import Status
from relayer.domain.tracked import Conclusion, TrackedRequest

ROUND_SECONDS: Final = 4
"""What all nodes of a network must hold alike: long enough for a proposal to reach everybody and be signed, and longer
than clocks that are kept by NTP are ever apart."""

ROUNDS_AHEAD: Final = 1
"""How far in the future another clock may see a round. SECURITY: a query is signed in rising rounds only, and whoever
could name far ones would take all those before them away from the others."""

MAX_VALUES: Final = 16
"""Different values remembered of a question, the newest: one that changes so often finds its quorum in few rounds or
in none."""

MAX_VALUE_BYTES: Final = 131_072
"""Of them together; the newest is kept however long it is, and routes cap that at half of this."""

MAX_QUESTIONS: Final = 4096
"""Questions remembered, those last read. SECURITY: whoever asks more makes us read again, not grow."""

MAX_ROOTS: Final = 64
"""Roots remembered of a question: what two contradicting proposals can be apart to be found together."""

MOST_PATIENT_TURNS: Final = 16
"""Own turns let pass at most between two proposals for the same questions."""

_EAGER_PROPOSALS: Final = 4
"""Proposals made in a row before turns are let pass: most questions need one, those of restless accounts a few."""

ANSWERABLE: Final = frozenset({Status.FINAL, Status.CONCLUDED})
"""In these a question may still be signed in another round: it is final, and no answer has its quorum here."""


def round_at(now: float) -> int:
    """The round at this moment (wall-clock seconds). It fits 32 bits until the year 2514, and is never 0."""
    return int(now // ROUND_SECONDS)


def is_in_turn(round_number: int, signer: bytes, ranked: Sequence[bytes], now: float) -> bool:
    """Whether this signer may propose in this round, now or with a clock ahead of ours. `ranked` are keys by rank."""
    return (
        bool(ranked)
        and 0 < round_number <= round_at(now) + ROUNDS_AHEAD
        and ranked[round_number % len(ranked)] == signer
    )


def is_proposed_by(signer: bytes, batch: Batch, ranked: Sequence[bytes]) -> bool:
    """Whether the batch is of a round of this signer's."""
    first = batch.statements[0]
    if not isinstance(first, Outcome) or not first.round or not ranked:
        return False
    return ranked[first.round % len(ranked)] == signer


def value_read(request_id: RequestId, kind: OutcomeKind, return_data: bytes, *, cut: bool) -> Conclusion:
    """What was read, as an outcome of no round yet: it stands nowhere, and nobody is paid for it."""
    outcome = Outcome(
        request_id=request_id,
        kind=kind,
        cut=cut,
        return_data_hash=keccak256(return_data),
        height=0,
        block_hash=bytes(32),
        tx_index=0,
        log_index=0,
        payee=bytes(32),
        round=0,
    )
    return Conclusion(outcome, return_data, b"")


def in_round(value: Conclusion, round_number: int) -> Conclusion:
    """The same value as an outcome of this round."""
    return replace(value, outcome=replace(value.outcome, round=round_number))


def is_same_value(one: Conclusion | None, other: Conclusion | None) -> bool:
    """Whether both say the same, whatever their rounds."""
    return one is not None and other is not None and in_round(one, 0).outcome == in_round(other, 0).outcome


def last_round(request: TrackedRequest) -> int:
    """The last round in which this node signed an answer to the question, 0 if in none. It survives restarts."""
    return 0 if request.conclusion is None else request.conclusion.outcome.round


@dataclass(frozen=True, slots=True)
class Questions:
    """All that one final source block asks of one chain; `ids` in log order."""

    route: Route
    height: int
    ids: tuple[RequestId, ...]

    def batches(self, outcomes: Mapping[RequestId, Outcome]) -> list[Batch]:
        """The largest batches over these outcomes that all signers cut alike, disjoint."""
        return largest_batches(self.route, self.height, self.ids, outcomes)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a signer's leaves under a root of its own come to, if they are outcomes of one round."""

    signer: bytes
    root: bytes
    round: int
    outcomes: Mapping[RequestId, Outcome]

    def fits(self, questions: Questions, ranked: Sequence[bytes], now: float) -> bool:
        """Whether it is this signer's turn, and these are questions of one source block as all signers cut them."""
        return is_in_turn(self.round, self.signer, ranked, now) and is_born_together(
            questions.ids, tuple(self.outcomes)
        )


def proposal_in(signer: bytes, root: bytes, statements: Sequence[Statement]) -> Proposal | None:
    """The proposal that a signer's leaves make, or None: they are no outcomes of one round."""
    outcomes = {statement.request_id: statement for statement in statements if isinstance(statement, Outcome)}
    rounds = {outcome.round for outcome in outcomes.values()}
    if not 0 < len(outcomes) == len(statements) <= MAX_BATCH_LEAVES or len(rounds) != 1 or rounds == {0}:
        return None
    return Proposal(signer, root, rounds.pop(), outcomes)


@dataclass(frozen=True, slots=True)
class OwnTurns:
    """How often this process has proposed for the same questions, and when last. Alone, it keeps its own pace."""

    count: int = 0
    last: int = 0

    def is_due(self, round_number: int, newest_signed: int, signers: int, *, is_news: bool) -> bool:
        """Whether to propose in this round, which is ours.

        Something new is proposed at once. What was signed already is proposed again only when each of so many signers
        has had a turn since: some may have been away, or a signer may have shown its proposal to few. The more often it
        was in vain, the more turns pass.
        """
        turns = min(1 << max(self.count - _EAGER_PROPOSALS, 0), MOST_PATIENT_TURNS)
        if self.count and round_number - self.last < signers * turns:
            return False
        return is_news or round_number - newest_signed >= signers * turns

    def after(self, round_number: int) -> OwnTurns:
        """With one more proposal, in this round."""
        return OwnTurns(self.count + 1, round_number)


@dataclass(slots=True)
class _Known:
    """Of one question as it stands in `block`: the values read, newest last, and the roots signed."""

    block: BlockRef
    values: list[Conclusion] = field(default_factory=list[Conclusion])
    roots: OrderedDict[bytes, None] = field(default_factory=OrderedDict[bytes, None])


class RoundBook:
    """What this process has read and signed of questions that are answered in rounds.

    SECURITY: only what was read here is ever signed here. After a restart the book is empty and reading begins anew:
    what is read then was read since the question became final as well.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[RequestId, _Known] = OrderedDict()

    def note_read(self, request: TrackedRequest, value: Conclusion) -> None:
        """A value of a question that was final before it was read."""
        known = self._known.get(request.request_id)
        if known is None or known.block != request.block:
            known = self._known[request.request_id] = _Known(request.block)
        self._known.move_to_end(request.request_id)
        known.values = [other for other in known.values if other.outcome != value.outcome]
        known.values.append(value)
        while len(known.values) > MAX_VALUES or (len(known.values) > 1 and _size(known.values) > MAX_VALUE_BYTES):
            del known.values[0]
        while len(self._known) > MAX_QUESTIONS:
            self._known.popitem(last=False)

    def note_signed(self, batch_root: bytes, ids: Sequence[RequestId]) -> None:
        """These are spoken of under a root that is signed here."""
        for identifier in ids:
            known = self._known.get(identifier)
            if known is None:
                continue
            known.roots[batch_root] = None
            while len(known.roots) > MAX_ROOTS:
                known.roots.popitem(last=False)

    def newest(self, request: TrackedRequest) -> Conclusion | None:
        """What was read last, in no round."""
        known = self._of(request)
        return known.values[-1] if known is not None and known.values else None

    def named(self, request: TrackedRequest, outcome: Outcome) -> Conclusion | None:
        """What the outcome says, whole, if exactly that was read here; else None.

        SECURITY: the whole outcome is compared: one with a place or a payee in it is no outcome of a round.
        """
        known = self._of(request)
        held = () if request.conclusion is None else (request.conclusion,)
        for value in (*(known.values if known is not None else ()), *held):
            if in_round(value, outcome.round).outcome == outcome:
                return in_round(value, outcome.round)
        return None

    def roots(self, ids: Sequence[RequestId]) -> set[bytes]:
        """The roots signed by this process that speak of these."""
        return {root for identifier in ids if identifier in self._known for root in self._known[identifier].roots}

    def forget(self, request_id: RequestId) -> None:
        """The question has its answer, or wants none."""
        self._known.pop(request_id, None)

    def _of(self, request: TrackedRequest) -> _Known | None:
        known = self._known.get(request.request_id)
        return known if known is not None and known.block == request.block else None


def signable(proposal: Proposal, requests: Mapping[RequestId, TrackedRequest], book: RoundBook) -> list[Conclusion]:
    """What of a fitting proposal this node may sign: still open, in no round before, and read here just so."""
    found: list[Conclusion] = []
    for identifier, outcome in proposal.outcomes.items():
        request = requests.get(identifier)
        if request is None or request.status not in ANSWERABLE or proposal.round <= last_round(request):
            continue
        conclusion = book.named(request, outcome)
        if conclusion is not None:
            found.append(conclusion)
    return found


def _size(values: Sequence[Conclusion]) -> int:
    return sum(len(value.return_data) for value in values)
