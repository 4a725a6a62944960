"""A chain as the place where requests are executed and questions are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef
from relayer.ports.chain import Chain
from relayer.ports.source_chain import CertifiedBatch, Preparation


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a QUERY reads. `block` is the parent of `child`, the first block strictly later than the asking block."""

    block: BlockRef
    child: BlockRef


@dataclass(frozen=True, slots=True)
class Answer:
    """What a QUERY read, agreed by M endpoints: `return_data` is cut at the request's limit already."""

    kind: OutcomeKind
    cut: bool
    return_data: bytes


class ExecutingVm(Chain, Protocol):
    """The executing side."""

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundle and simulate executions. `payee` (32 bytes) is ours on the source; the consumed are `settled`."""
        ...

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """The same for requests that are past their expiry by the chain's own clock."""
        ...


class HistoricalVm(ExecutingVm, Protocol):
    """A VM that can be read as it was at an earlier block: all read the same, at a block that nobody chose."""

    @property
    def reads_history(self) -> Literal[True]:
        """What tells it from a `PresentVm`."""
        ...

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        """The pin for a request whose source block has this timestamp (s), or None while no later block exists."""
        ...

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads at `pin`, in order. None where there is no answer at all (missing state, discord)."""
        ...


class PresentVm(ExecutingVm, Protocol):
    """A VM that can be read as it is now, and in no other way: what it reads is agreed on in rounds."""

    @property
    def reads_history(self) -> Literal[False]:
        """What tells it from a `HistoricalVm`."""
        ...

    async def fetch_present_answers(self, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads in final state that is no older than what M endpoints called final before this call.

        In order; each answer is one that M endpoints give alike. None where no M do: their states differ just now, or
        there is no answer at all.
        """
        ...


DestinationVm = HistoricalVm | PresentVm
"""The executing and answering side."""
