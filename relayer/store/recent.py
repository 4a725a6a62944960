"""What a store in a database keeps at hand: what was written or read last of what a stage loads again and again.

Its job: answer without a row being read. It is never the only place of anything, and believed only while nobody else
writes to the database (`Engine.write` tells): a commit that finds it disturbed forgets it all before it compares.
Bounded by weight, so that neither a flood of requests nor large ones fill the memory. It runs no statement.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from attestation.request import RequestId
from relayer.domain.batch import Batch
from relayer.domain.tracked import TrackedRequest
from relayer.ports.signer import Attestation
from relayer.ports.store import Certificate, Commit

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_REQUESTS_WEIGHT: Final = 32 * 1024 * 1024
"""Bytes: 7,000 to 14,000 requests with small payloads. At 500 a second that is more than is open at finality depth 0,
and what is open for longer is asked for seldom. What is not at hand is read.
"""

_BATCHES_WEIGHT: Final = 16 * 1024 * 1024
"""Bytes: 80 to 170 full batches, of which 500 requests a second make four a second."""

_SIGNED_WEIGHT: Final = 2 * 1024 * 1024
"""Bytes: what nineteen signers said of 90 to 190 batches, and four of 430 to 860; certificates of a thousand and more.
Both are asked for while a batch gathers its quorum and is sent, which takes seconds; of a thousand batches nothing else
would be left for an hour of light load.
"""

_OBJECT_BYTES: Final = 2_304
"""Of a request as Python holds it, measured, without what its sender makes long."""

_STATEMENT_BYTES: Final = 384
_SIGNATURE_BYTES: Final = 576
_ABSENCE_BYTES: Final = 128


@dataclass(slots=True)
class Held:
    """A request as it is on disk: its row number, how many transitions it has, and itself."""

    row: int
    steps: int
    request: TrackedRequest


AttestationKey = tuple[bytes, int, bytes]
"""What is unique of a root's attestations: gateway, epoch, signer."""


class Recent(Generic[_Key, _Value]):
    """A mapping that forgets what was not used lately. None says that it is known that there is nothing.

    What is used moves from the older half to the newer one; when the newer half is full, the older one is forgotten.
    """

    def __init__(self, weight_limit: int, weight_of: Callable[[_Value], int]) -> None:
        self._half = weight_limit // 2
        self._weight_of = weight_of
        self._newer: dict[_Key, _Value | None] = {}
        self._older: dict[_Key, _Value | None] = {}
        self._weight = 0

    def known(self, keys: Iterable[_Key]) -> dict[_Key, _Value | None]:
        """What is kept under these keys, None for what is known not to be there; others are left out."""
        newer, older = self._newer, self._older
        found: dict[_Key, _Value | None] = {}
        for key in keys:
            if key in newer:
                found[key] = newer[key]
            elif key in older:
                found[key] = older[key]
                self.keep(key, older[key])
        return found

    def keep(self, key: _Key, value: _Value | None) -> None:
        """This is so now."""
        self._weight -= self._weigh(key)
        self._newer[key] = value
        self._weight += self._weigh(key)
        if self._weight > self._half:
            self._older, self._newer, self._weight = self._newer, {}, 0

    def drop(self, key: _Key) -> None:
        """Keep this no longer."""
        self._weight -= self._weigh(key)
        self._newer.pop(key, None)
        self._older.pop(key, None)

    def clear(self) -> None:
        """Keep nothing."""
        self._newer, self._older, self._weight = {}, {}, 0

    def _weigh(self, key: _Key) -> int:
        """What the newer half holds under this key."""
        if key not in self._newer:
            return 0
        value = self._newer[key]
        return _ABSENCE_BYTES if value is None else self._weight_of(value)


class WorkingSet:
    """The requests that were moved or asked for last, and batches with what was signed about them.

    `mark` changes whenever what is kept may come to differ from what a load sees on disk; `is_settled` is False while
    a commit is on its way to the disk.
    """

    def __init__(self) -> None:
        self.requests: Recent[RequestId, Held] = Recent(_REQUESTS_WEIGHT, _weight_of_request)
        self.batches: Recent[bytes, Batch] = Recent(_BATCHES_WEIGHT, lambda batch: batch.count * _STATEMENT_BYTES)
        self.certificates: Recent[bytes, Certificate] = Recent(
            _SIGNED_WEIGHT, lambda it: len(it.encoded) + _SIGNATURE_BYTES
        )
        self.attestations: Recent[bytes, dict[AttestationKey, Attestation]] = Recent(
            _SIGNED_WEIGHT, _weight_of_signatures
        )
        self.next_row: int | None = None
        """The number of the next request that is observed, None if it is to be looked up."""
        self.mark = 0
        self.is_settled = True

    def clear(self) -> None:
        """Keep nothing."""
        for part in (self.requests, self.batches, self.certificates, self.attestations):
            part.clear()
        self.next_row = None

    def begin(self) -> None:
        """A commit is on its way."""
        self.mark += 1
        self.is_settled = False

    def end(self) -> None:
        """It is on disk, or it is not."""
        self.mark += 1
        self.is_settled = True

    def take_in(self, commit: Commit, written: Written) -> None:
        """What a commit has written."""
        for identifier, held in written.requests.items():
            self.requests.keep(identifier, held)
        self.next_row = written.next_row
        if written.are_batches_new:
            for batch in commit.batches:
                self.batches.keep(batch.root, batch)
        else:
            for batch in commit.batches:
                self.batches.drop(batch.root)
        self._add_attestations(commit.attestations)
        self._add_certificates(commit.certificates)

    def _add_attestations(self, attestations: Iterable[Attestation]) -> None:
        for new in attestations:
            known = self.attestations.known([new.root])
            if new.root in known:
                # Apart from what was given out: a load's answer does not change under its reader's hands.
                signed = dict(known[new.root] or {})
                signed.setdefault((new.gateway, new.epoch, new.signer), new)
                self.attestations.keep(new.root, signed)

    def _add_certificates(self, certificates: Iterable[Certificate]) -> None:
        for new in certificates:
            known = self.certificates.known([new.root])
            if new.root in known and ((newest := known[new.root]) is None or newest.epoch < new.epoch):
                self.certificates.keep(new.root, new)


@dataclass(frozen=True, slots=True)
class Written:
    """What a commit came to: its requests as they are now, whether none of its batches was there before."""

    requests: Mapping[RequestId, Held]
    next_row: int | None
    are_batches_new: bool


def _weight_of_request(held: Held) -> int:
    request, conclusion = held.request.request, held.request.conclusion
    answer = 0 if conclusion is None else len(conclusion.return_data)
    return _OBJECT_BYTES + len(request.payload) + len(request.metadata) + answer


def _weight_of_signatures(signed: Mapping[AttestationKey, Attestation]) -> int:
    return _ABSENCE_BYTES + len(signed) * _SIGNATURE_BYTES
