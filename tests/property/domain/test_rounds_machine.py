"""Whatever values move, whoever proposes what, whenever nodes start again: what a node never signs, and always does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from attestation.request import request_id, route_of
from attestation.statement import Outcome, OutcomeKind
from relayer.domain.events import AnswerFinal
from relayer.domain.lifecycle import decide
from relayer.domain.rounds import (
    ROUND_SECONDS,
    Proposal,
    Questions,
    RoundBook,
    in_round,
    last_round,
    proposal_in,
    round_at,
    signable,
    value_read,
)
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from tests.unit.domain.examples import QUERY_ROUTE, location_at, query

SIGNERS: Final = (b"a", b"b", b"c", b"d")
ROGUE: Final = b"d"
QUESTION: Final = request_id(query())
QUESTIONS: Final = Questions(QUERY_ROUTE, 5, (QUESTION,))

honest = st.sampled_from([key for key in SIGNERS if key != ROGUE])
values = st.integers(0, 3)


def outcome_of(value: int, round_number: int) -> Outcome:
    """This value, in this round."""
    return in_round(value_read(QUESTION, OutcomeKind.EXECUTED, bytes([value]), cut=False), round_number).outcome


@dataclass
class Node:
    """What one node holds: its row of the question survives, its book does not."""

    request: TrackedRequest
    book: RoundBook = field(default_factory=RoundBook)
    read: set[int] = field(default_factory=set)
    signed: dict[int, set[Outcome]] = field(default_factory=lambda: defaultdict(set))


class Rounds(RuleBasedStateMachine):
    """Three nodes that keep to the rules, and a key in whose name anything is proposed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 4_000_000.0
        self.value = 0
        self.proposals: list[Proposal] = []
        asked = query()
        request = TrackedRequest(
            QUESTION, asked, route_of(asked), location_at(5), 1_005, 1_000, 500, status=Status.FINAL
        )
        self.nodes = {key: Node(request) for key in SIGNERS if key != ROGUE}

    @rule(seconds=st.integers(1, 3 * ROUND_SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(value=values)
    def the_value_changes(self, value: int) -> None:
        self.value = value

    @rule(key=honest)
    def a_node_reads(self, key: bytes) -> None:
        node = self.nodes[key]
        node.read.add(self.value)
        node.book.note_read(node.request, value_read(QUESTION, OutcomeKind.EXECUTED, bytes([self.value]), cut=False))

    @rule(key=honest)
    def a_node_starts_again(self, key: bytes) -> None:
        self.nodes[key].book = RoundBook()

    @rule()
    def the_proposer_proposes_what_it_read_last(self) -> None:
        round_number = round_at(self.now)
        key = SIGNERS[round_number % len(SIGNERS)]
        node = self.nodes.get(key)
        newest = None if node is None else node.book.newest(node.request)
        if node is None or newest is None or last_round(node.request) >= round_number:
            return
        self._propose(key, in_round(newest, round_number).outcome)
        self._hear(node, self.proposals[-1])

    @rule(value=values, offset=st.integers(-6, 6))
    def the_rogue_proposes_anything(self, value: int, offset: int) -> None:
        self._propose(ROGUE, outcome_of(value, round_at(self.now) + offset))

    @rule(key=honest, index=st.integers(0, 1_000))
    def a_node_hears_a_proposal(self, key: bytes, index: int) -> None:
        if self.proposals:
            self._hear(self.nodes[key], self.proposals[index % len(self.proposals)])

    def _propose(self, key: bytes, outcome: Outcome) -> None:
        proposal = proposal_in(key, outcome.leaf, (outcome,))
        assert proposal is not None
        self.proposals.append(proposal)

    def _hear(self, node: Node, proposal: Proposal) -> None:
        if not proposal.fits(QUESTIONS, SIGNERS, self.now):
            return
        for conclusion in signable(proposal, {QUESTION: node.request}, node.book):
            assert conclusion.outcome.round > last_round(node.request)
            node.signed[conclusion.outcome.round].add(conclusion.outcome)
            node.request = decide(node.request, AnswerFinal(conclusion, proposal.root)).request

    @invariant()
    def nobody_contradicts_itself(self) -> None:
        assert all(len(outcomes) == 1 for node in self.nodes.values() for outcomes in node.signed.values())

    @invariant()
    def nothing_is_signed_that_was_not_read(self) -> None:
        for node in self.nodes.values():
            for round_number, outcomes in node.signed.items():
                assert outcomes <= {outcome_of(value, round_number) for value in node.read}

    @invariant()
    def no_round_is_signed_before_its_time_nor_for_another_signer(self) -> None:
        proposed = {(p.signer, outcome) for p in self.proposals for outcome in p.outcomes.values()}
        for node in self.nodes.values():
            for round_number, outcomes in node.signed.items():
                assert round_number <= round_at(self.now) + 1
                assert {(SIGNERS[round_number % len(SIGNERS)], outcome) for outcome in outcomes} <= proposed

    @invariant()
    def the_last_round_signed_is_in_the_questions_row(self) -> None:
        for node in self.nodes.values():
            assert last_round(node.request) == max(node.signed, default=0)

    def teardown(self) -> None:
        """Once the value stands and all read it, the next honest proposer finds everybody's signature."""
        self.now += 2 * ROUND_SECONDS
        while SIGNERS[round_at(self.now) % len(SIGNERS)] == ROGUE:
            self.now += ROUND_SECONDS
        for key in self.nodes:
            self.a_node_reads(key)
        self.the_proposer_proposes_what_it_read_last()
        for node in self.nodes.values():
            self._hear(node, self.proposals[-1])
        assert {last_round(node.request) for node in self.nodes.values()} == {round_at(self.now)}
        assert len({outcome for node in self.nodes.values() for outcome in node.signed[round_at(self.now)]}) == 1


Rounds.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRounds = Rounds.TestCase
