"""A chain as the home of requests: where certified outcomes are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from attestation.request import RequestId
from attestation.signer_set import SignerSet
from relayer.domain.batch import Batch
from relayer.domain.tracked import TrackedRequest
from relayer.ports.chain import Chain
from relayer.ports.wallet import PreparedCall


@dataclass(frozen=True, slots=True)
class CertifiedBatch:
    """A batch with its certificate, and those of its requests that are to be acted on now."""

    batch: Batch
    certificate: bytes
    requests: tuple[TrackedRequest, ...]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What can be sent now.

    `calls` cover disjoint requests, each within the chain's transaction gas cap. `settled` are those that the chain at
    its tip no longer waits for (someone else was first): nothing is to be sent, the final block will tell. `refused`
    names requests that cannot be sent now, each with the contract's named error. `groundwork` is what has to be mined
    before the others can be sent, on chains where one transaction is too small; its calls name no requests. `following`
    wait for the transaction of another request that is on its way: they are to be looked at again soon.
    """

    calls: tuple[PreparedCall, ...]
    settled: tuple[RequestId, ...] = ()
    refused: tuple[tuple[RequestId, str], ...] = ()
    groundwork: tuple[PreparedCall, ...] = ()
    following: tuple[RequestId, ...] = ()


class SourceChain(Chain, Protocol):
    """The delivering side."""

    async def prepare_rotate(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """Simulate bringing in the gateway's next signer set; where that takes several transactions, the next of them.

        Raises:
            CallReverted: with the verifier's named error: another set, another epoch, or somebody was first.
        """
        ...

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """Bundle and simulate deliveries. Looks at the chain first: what is no longer pending is `settled`."""
        ...
