"""Which signer set counts at each verifying gateway.

Its job: an in-memory copy of the epochs that gateways applied in final blocks, kept by the watch stage, read by those
that sign, verify and rank. It never talks to a chain.
"""

from __future__ import annotations

from collections.abc import Iterable

from attestation.errors import UnknownEpoch
from attestation.signer_set import SignerSet, rank_signers
from relayer.ports.store import StoredEpoch


class EpochBook:
    """Epochs by verifying gateway (ERC-7930 bytes)."""

    def __init__(self) -> None:
        self._epochs: dict[bytes, dict[int, StoredEpoch]] = {}

    def add(self, epochs: Iterable[StoredEpoch]) -> None:
        """Take in epochs that stand in final blocks; one that is known is replaced (its validity may have been cut)."""
        for epoch in epochs:
            self._epochs.setdefault(epoch.gateway, {})[epoch.epoch] = epoch

    def newest(self, gateway: bytes) -> StoredEpoch | None:
        """The newest epoch that the gateway has applied in a final block, under which everything is signed."""
        known = self._epochs.get(gateway)
        return known[max(known)] if known else None

    def is_over(self, gateway: bytes, epoch: int, now: float) -> bool:
        """Whether the gateway applied this epoch and verifies nothing by it any more. `now` in seconds."""
        stored = self._epochs.get(gateway, {}).get(epoch)
        return stored is not None and stored.valid_until < now

    def signer_set(self, gateway: bytes, epoch: int) -> SignerSet:
        """The signers of one epoch. Raises `UnknownEpoch`."""
        stored = self._epochs.get(gateway, {}).get(epoch)
        if stored is None:
            raise UnknownEpoch(epoch)
        return stored.signer_set

    def ranked_signers(self, gateway: bytes, route: bytes, first_height: int) -> tuple[bytes, ...]:
        """Signer keys of the newest epoch in the order in which they submit for a batch; empty without an epoch."""
        newest = self.newest(gateway)
        if newest is None:
            return ()
        order = rank_signers(route, first_height, newest.epoch, newest.signer_set)
        keys = newest.signer_set.keys
        return tuple(keys[index] for index in order)
