"""What a VM brings to have its adapter held to the ports' contract: a chain that a test can move.

A new VM writes one `ChainHarness` and adds its name to `HARNESSES` in conftest.py; the tests stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from relayer.domain.observations import ObservedBlock
from relayer.domain.tracked import TrackedRequest
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import OpenChain
from relayer.ports.wallet import PreparedCall


class ChainHarness(Protocol):
    """Two chains of one VM: requests go from `source` to `destination`. Blocks are made on demand alone."""

    source: OpenChain
    destination: OpenChain

    def ask(self, count: int) -> None:
        """So many CALLs that succeed, in one new source block."""
        ...

    def ask_query(self) -> None:
        """One QUERY of something that exists, in one new source block."""
        ...

    def advance(self, chain: OpenChain, blocks: int = 1, seconds: int = 1) -> None:
        """So many new blocks, the first at least so much later than the one before."""
        ...

    def reorganise(self, chain: OpenChain, depth: int) -> bool:
        """Replace the newest blocks by empty ones. False for a chain that cannot reorganise."""
        ...

    def too_little_gas(self, call: PreparedCall) -> int:
        """A limit with which this call, prepared for the destination, cannot run."""
        ...

    def executions(self, block: ObservedBlock) -> Sequence[CertifiedBatch]:
        """The certified Execute batches of a source block."""
        ...

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> Sequence[CertifiedBatch]:
        """The certified Outcome batches of a destination block, for these requests."""
        ...
