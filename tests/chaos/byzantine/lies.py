"""What the byzantine node says that is not so.

Its job: twins of true batches with false leaves in them, signed with the node's true key, and the memory of all that
was told, so that it can be told again and its leaves be served. It knows no network.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace

from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import RequestId
from attestation.statement import Execute, Outcome, OutcomeKind, Statement
from relayer.domain.batch import MAX_BATCH_LEAVES, Batch
from relayer.ports.signer import Attestation

SEED_VARIABLE = "XVM_STORM_SEED"
"""Environment variable with what the lies are drawn from."""

REMEMBERED = 1024
"""Lies that are told again and again: honest nodes that were down shall hear them too."""


@dataclass(slots=True)
class Lies:
    """All lies of one process."""

    rng: random.Random
    fresh: list[Attestation] = field(default_factory=list)
    told: deque[Attestation] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    statements: dict[bytes, tuple[Statement, ...]] = field(default_factory=dict)

    def twin(self, batch: Batch) -> Batch:
        """The batch with at least one false leaf: an inverted outcome, another place, an invented request."""
        statements = list(batch.statements)
        for place in {self.rng.randrange(len(statements)) for _ in range(3)}:
            statements[place] = self._falsified(statements[place])
        if self.rng.random() < 0.2 and len(statements) < MAX_BATCH_LEAVES:
            statements.append(self._invented(batch))
        return replace(
            batch, root=merkle_root([statement.leaf for statement in statements]), statements=tuple(statements)
        )

    def tell(self, attestation: Attestation, statements: tuple[Statement, ...]) -> None:
        """A signed lie, to be pushed with what is pushed next."""
        self.fresh.append(attestation)
        self.statements[attestation.root] = statements

    def take_fresh(self) -> list[Attestation]:
        """The lies since the last call."""
        fresh, self.fresh = self.fresh, []
        self.told.extend(fresh)
        return fresh

    def _falsified(self, statement: Statement) -> Statement:
        match statement:
            case Outcome(kind=OutcomeKind.EXECUTED):
                return replace(statement, kind=OutcomeKind.REVERTED, return_data_hash=keccak256(b"refused"))
            case Outcome():
                return replace(statement, kind=OutcomeKind.EXECUTED, return_data_hash=keccak256(b"done"))
            case Execute():
                return replace(statement, block_hash=self.rng.randbytes(32), log_index=statement.log_index + 1)
            case _:
                return statement

    def _invented(self, batch: Batch) -> Statement:
        first = batch.statements[0]
        assert isinstance(first, Execute | Outcome)
        return replace(first, request_id=RequestId(self.rng.randbytes(32)))
