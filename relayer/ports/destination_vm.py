"""A chain as the place where requests are executed and questions are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
    """What a QUERY read at its pin, agreed by M endpoints: `return_data` is cut at the request's limit already."""

    kind: OutcomeKind
    cut: bool
    return_data: bytes


class DestinationVm(Chain, Protocol):
    """The executing and answering side."""

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundle and simulate executions. `payee` (32 bytes) is ours on the source; the consumed are `settled`."""
        ...

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """The same for requests that are past their expiry by the chain's own clock."""
        ...

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        """The pin for a request whose source block has this timestamp (s), or None while no later block exists."""
        ...

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads at `pin`, in order. None where there is no answer at all (missing state, discord)."""
        ...
