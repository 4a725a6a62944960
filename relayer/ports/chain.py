"""A chain as a relayer watches it.

Its job: heads, blocks and what our gateway said in them. Every answer that can lead to a signature has been given alike
by M of the chain's N configured endpoints. SECURITY: one poisoned RPC must never be believed alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from relayer.domain.blocks import BlockRef, Head
from relayer.domain.observations import EpochApplied, ObservedBlock


@dataclass(frozen=True, slots=True)
class News:
    """The head of a chain, and blocks that follow what was known of it, ascending and linked to each other."""

    head: Head
    blocks: tuple[ObservedBlock, ...]


class Chain(Protocol):
    """Reading side of one chain. All methods raise `RpcUnavailable` (transient) and nothing else on purpose."""

    @property
    def name(self) -> str:
        """The operator's short name for it, from the configuration."""
        ...

    @property
    def caip2(self) -> str:
        """CAIP-2 text, such as `eip155:31337`."""
        ...

    @property
    def gateway(self) -> bytes:
        """ERC-7930 address of the gateway that is watched."""
        ...

    @property
    def dropped_logs(self) -> int:
        """How many logs of our contracts said something impossible, since the start. Each is an alarm."""
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields whenever there may be a new head. Hints only: never an input of a decision; ends never by itself."""
        ...

    async def fetch_head(self) -> Head:
        """The tip that M endpoints have reached, and the final height by the chain's finality rule."""
        ...

    async def fetch_news(self, after: int, most: int) -> News:
        """The head, and at most so many blocks above the height `after`, none of them above that head.

        As `fetch_head` and then `fetch_blocks`, in as few exchanges as the chain allows. The head may be further on
        than the last of the blocks.
        """
        ...

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        """Blocks first..last inclusive, ascending, with all observations, agreed by M endpoints.

        They are linked: each one's parent hash is the one before's hash. Fewer come back if the chain got shorter
        meanwhile. At most `max_blocks_per_fetch` are asked for at once.
        """
        ...

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        """The block at this height on the chain now, or None above the tip."""
        ...

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        """Every signer set that the gateway's verifier can still accept as of `block`, oldest first."""
        ...

    async def fetch_verifier_fault(self) -> str:
        """Why certificates of the configured verifier's epochs are in vain at the gateway, at the tip, in one line.

        Empty if they are not, or the gateway has no verifier yet.
        """
        ...
