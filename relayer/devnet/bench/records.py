"""What a bench has seen of one chain: when each block and each transaction appeared, and what the gateway told.

Its job: one form for every VM. Times are of the bench's monotonic clock, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from attestation.statement import OutcomeKind


class Outcome(NamedTuple):
    """How a request ended, by a gateway's event: what the requester was told, and keccak256 of the data (32 bytes)."""

    kind: OutcomeKind
    is_success: bool
    return_data_hash: bytes


class Sighting(NamedTuple):
    """An event of the gateway about a request, in a transaction of a block; what is only asked has no outcome yet.

    `fee` is what was paid for it, in the smallest unit, where the reader of a chain's events tells it.
    """

    request_id: bytes
    transaction: bytes
    block: int
    outcome: Outcome | None = None
    fee: int = 0


@dataclass(eq=False)
class ChainRecord:
    """What was seen so far. `asked` and `delivered` are a source's, `concluded` is a destination's.

    `pooled` and `blocks` tell when a transaction and a block were first heard of, `finals` when a block became final.
    `timestamps` are the blocks' own, of chains whose state can be read as it was then.
    """

    asked: list[Sighting] = field(default_factory=list)
    concluded: list[Sighting] = field(default_factory=list)
    delivered: list[Sighting] = field(default_factory=list)
    pooled: dict[bytes, float] = field(default_factory=dict)
    blocks: dict[int, float] = field(default_factory=dict)
    finals: dict[int, float] = field(default_factory=dict)
    timestamps: dict[int, int] = field(default_factory=dict)

    def pooled_at(self, sighting: Sighting) -> float:
        """When its transaction was first heard of: before its block or, where nobody told of it there, with it."""
        return self.pooled.get(sighting.transaction, self.blocks[sighting.block])
