"""A Solana chain as the home of requests.

Its job: the port `SourceChain`: the transactions that bring home what was certified, and the rotations of the gateway's
signer set. It must not judge whether a delivery pays.

Source: contracts/svm/src/source.h, epochs.h.
"""

from __future__ import annotations

from collections.abc import Sequence

from attestation.signer_set import SignerSet
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm.chain import ChainParts, SvmChain
from relayer.vms.svm.delivering import Deliverer
from relayer.vms.svm.rotating import Rotator


class SvmSource(SvmChain):
    """The delivering side."""

    def __init__(self, parts: ChainParts, deliverer: Deliverer, rotator: Rotator) -> None:
        super().__init__(parts)
        self._deliverer = deliverer
        self._rotator = rotator

    async def prepare_rotate(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The next transaction on the way to the gateway's `rotate`, simulated. Raises `CallReverted`."""
        return await self._rotator.prepare(signer_set, certificate)

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """Deliveries with their callbacks, simulated; what M endpoints no longer hold as pending is `settled`."""
        return await self._deliverer.prepare(batches)
