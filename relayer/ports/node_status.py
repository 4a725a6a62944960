"""What a running node knows about itself, for those who only look: the API, health checks, heartbeats.

Its job: a snapshot in memory, cheap enough for every question. It changes nothing and reaches no chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from attestation.statement import Rotate
from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """One configured chain as of the last look. `caip2` and `name` as the port `Chain` has them.

    `tip` is None before the first look; `final_number` is -1 while nothing is final; `taken_in_number` is the height up
    to which all final blocks are taken in, -1 before the first. `gateway` is ERC-7930, `halt` None while it is worked
    on. `rival_rotations` are signers found to have signed another set for the gateway's next epoch than this node's
    operator accepted, with what they signed. `reads_history` says whether queries are read there at a block, or in
    rounds.
    """

    caip2: str
    name: str
    gateway: bytes
    tip: BlockRef | None
    final_number: int
    taken_in_number: int
    halt: Halt | None = None
    rival_rotations: tuple[tuple[bytes, Rotate], ...] = ()
    reads_history: bool = True

    @property
    def halt_reason(self) -> str:
        """The error's code and text, empty while the chain is worked on."""
        return "" if self.halt is None else f"{self.halt.code}: {self.halt.reason}"

    @property
    def lag_blocks(self) -> int:
        """How many final blocks are not taken in yet."""
        return max(self.final_number - self.taken_in_number, 0)


@dataclass(frozen=True, slots=True)
class PeerHead:
    """How far a node says that it sees a chain (CAIP-2): heights only, for people, never an input of a decision."""

    chain: str
    tip_number: int
    final_number: int


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One configured peer: its signer key, and its 20-byte peer key.

    `last_answer_at` in wall-clock seconds, 0 for never; `queued` attestations wait to be sent.
    `clock_offset_seconds` is the peer's clock minus ours as of that answer, `heads` what it said then.
    """

    key: bytes
    peer_key: bytes
    url: str
    is_up: bool
    last_answer_at: float
    clock_offset_seconds: float
    queued: int
    heads: tuple[PeerHead, ...]


class NodeStatus(Protocol):
    """The node that answers."""

    @property
    def key(self) -> bytes:
        """Its signer key."""
        ...

    @property
    def peer_key(self) -> bytes:
        """The 20-byte address by which peers know its messages."""
        ...

    @property
    def version(self) -> str:
        """The version of the package that runs."""
        ...

    @property
    def started_at(self) -> float:
        """Wall-clock seconds."""
        ...

    @property
    def last_beat_at(self) -> float:
        """When the service's own loop last came round, in wall-clock seconds. It stands still if the node hangs."""
        ...

    @property
    def store_fault(self) -> str:
        """Why the last write to the store failed; empty if it did not."""
        ...

    def chains(self) -> Sequence[ChainStatus]:
        """All configured chains, in the order of the configuration."""
        ...

    def peers(self) -> Sequence[PeerStatus]:
        """All configured peers, in the order of the configuration."""
        ...
