"""What a submitter takes out of the outbox at a time.

Its job: due wishes of single requests, and those of whole batches taken apart into their requests. The wish of a batch
stays where it is until each of its requests was sent, does not want it, or has a wish of its own. It judges no request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from attestation.request import RequestId
from relayer.domain.batch import request_ids
from relayer.domain.effects import EffectKind
from relayer.domain.tracked import TrackedRequest
from relayer.ports.store import Commit, Deferral, OutboxRow
from relayer.stages.desk import Desk
from relayer.stages.draft import OF_BATCH

_OF_ONE = {of_batch: of_one for of_one, of_batch in OF_BATCH.items()}

KINDS = frozenset({*OF_BATCH, *_OF_ONE, EffectKind.SUBMIT_EXPIRE})
"""Every wish to submit something."""

IsWanted = Callable[[OutboxRow, TrackedRequest | None], bool]


@dataclass(eq=False)
class Claim:
    """`rows` are one per kind and request, oldest due first; `is_all` says that nothing else is due.

    `batches` are the rows that stand for whole batches; their requests' rows are in the outbox only once put off.
    """

    rows: list[OutboxRow] = field(default_factory=list)
    batches: list[OutboxRow] = field(default_factory=list)
    is_all: bool = True
    _of_batches: dict[tuple[EffectKind, bytes], OutboxRow] = field(default_factory=dict)
    _handled: set[tuple[EffectKind, bytes]] = field(default_factory=set)

    def put_off(self, rows: Iterable[OutboxRow]) -> Commit:
        """What writes that these rows are due when they say, as rows of single requests."""
        deferred: list[Deferral] = []
        effects: list[OutboxRow] = []
        for row in rows:
            place = (row.kind, row.subject)
            self._handled.add(place)
            if place in self._of_batches:
                effects.append(row)
            else:
                deferred.append(Deferral(row.kind, row.subject, row.due_at, row.attempts))
        return Commit(deferred=tuple(deferred), effects=tuple(effects))

    def finish(self, rows: Iterable[OutboxRow]) -> tuple[tuple[EffectKind, bytes], ...]:
        """What is done with these rows; none of them needs to be looked at again."""
        places = [(row.kind, row.subject) for row in rows]
        self._handled.update(places)
        return tuple(place for place in places if place not in self._of_batches)

    async def close(self, desk: Desk, is_wanted: IsWanted) -> None:
        """Take the batches out of the outbox, and leave a row for each request of theirs that nothing was done about.

        Looked at again now: a reorg may have made a request wanted that was not when it was claimed.
        """
        if not self.batches:
            return
        async with desk.writing:
            requests = await desk.store.load_requests([RequestId(row.subject) for row in self._of_batches.values()])
            left = tuple(
                row
                for place, row in self._of_batches.items()
                if place not in self._handled and is_wanted(row, requests.get(RequestId(row.subject)))
            )
            done = tuple((row.kind, row.subject) for row in self.batches)
            await desk.commit(Commit(done=done, effects=left))

    def is_stored(self, row: OutboxRow) -> bool:
        """Whether the outbox holds the row itself."""
        return (row.kind, row.subject) not in self._of_batches

    def take(self, row: OutboxRow) -> None:
        """A wish of one request."""
        self.rows.append(row)

    def take_apart(self, row: OutboxRow, ids: Iterable[RequestId], single: set[tuple[EffectKind, bytes]]) -> None:
        """The wish of a batch; a request that has one of its own besides (`single`) is claimed by that."""
        self.batches.append(row)
        kind = _OF_ONE[row.kind]
        for identifier in ids:
            if (kind, identifier) not in single and (kind, identifier) not in self._of_batches:
                of_one = OutboxRow(kind, identifier, row.chain, row.due_at)
                self._of_batches[kind, identifier] = of_one
                self.rows.append(of_one)


async def claim_submissions(desk: Desk, chain: str, now: float) -> Claim:
    """What is due on a chain, at least `claim_limit` requests if there are as many; the last batch comes whole."""
    limit = desk.settings.claim_limit
    due = await desk.store.load_due_effects(KINDS, chain, now, limit)
    batches = await desk.store.load_batches([row.subject for row in due if row.kind in _OF_ONE])
    single = {(row.kind, row.subject) for row in due}
    claim = Claim(is_all=len(due) < limit)
    for row in due:
        if len(claim.rows) >= limit:
            claim.is_all = False
            break
        if row.kind in _OF_ONE:
            claim.take_apart(row, request_ids(batches[row.subject]), single)
        else:
            claim.take(row)
    return claim
