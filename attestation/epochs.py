"""Which signer set counts when: the verifying gateway's view of its epochs. It has no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from attestation.errors import EpochOutOfOrder, ExpiredEpoch, UnknownEpoch, WrongScheme
from attestation.signer_set import SignerSet, verify_rules


@dataclass(frozen=True, slots=True)
class AppliedEpoch:
    """A set that a gateway applied. `valid_until` (seconds) is the set's own, or earlier once the next is applied."""

    signer_set: SignerSet
    valid_until: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """All epochs that one verifier has applied, by number. Its `scheme` is the one that it verifies."""

    scheme: int
    applied: Mapping[int, AppliedEpoch] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def current(self) -> int:
        """The newest epoch, 0 before the first."""
        return max(self.applied, default=0)

    def apply(self, epoch: int, signer_set: SignerSet, now: int) -> Self:
        """The view after applying `epoch` at `now`, which cuts the former epoch's validity to `now` + its grace.

        The caller has verified the certificate of the `Rotate`.

        Raises:
            EpochOutOfOrder: not the current epoch plus 1.
            WrongScheme: the set is of another scheme than the verifier.
            SignerSetError: the set breaks a rule.
        """
        current = self.current
        if epoch != current + 1:
            raise EpochOutOfOrder(epoch, current + 1)
        if signer_set.scheme != self.scheme:
            raise WrongScheme(signer_set.scheme)
        verify_rules(signer_set, now)
        applied = dict(self.applied)
        if current:
            former = applied[current]
            cut = min(former.valid_until, now + former.signer_set.grace_seconds)
            applied[current] = AppliedEpoch(former.signer_set, cut)
        applied[epoch] = AppliedEpoch(signer_set, signer_set.valid_until)
        return type(self)(self.scheme, MappingProxyType(applied))

    def signer_set_at(self, epoch: int, now: int) -> SignerSet:
        """The set of `epoch`, if it counts at `now`; its last second counts.

        Raises:
            UnknownEpoch: never applied.
            ExpiredEpoch: over.
        """
        applied = self.applied.get(epoch)
        if applied is None:
            raise UnknownEpoch(epoch)
        if now > applied.valid_until:
            raise ExpiredEpoch(epoch)
        return applied.signer_set
