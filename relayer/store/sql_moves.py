"""Writing what a commit decided about requests.

Its job: compare every request with the status that was decided on, then write each part of it that has changed, and
only that: most steps write no index. What is told to be known is not read again; it must be exactly what is on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ClauseElement, Connection, Dialect, func, select

from attestation.request import RequestId
from relayer.domain.tracked import TrackedRequest
from relayer.errors import StoreConflict
from relayer.store.codec import encode_request
from relayer.store.folding import Folded, conflict_of
from relayer.store.mapping import (
    STEP_COLUMNS,
    TERM_COLUMNS,
    WORK_COLUMNS,
    Values,
    conclusion_values,
    request_values,
    step_values,
    term_values,
    text_of,
    transition_values,
    work_values,
)
from relayer.store.places import source_chain_of
from relayer.store.recent import Held, WorkingSet
from relayer.store.sql_requests import HELD, load_held
from relayer.store.sql_rows import Prepared, deleting, insert_in, inserting, names_of, updating, upserting
from relayer.store.tables import CONCLUSIONS, REQUEST_BODIES, REQUEST_COUNTS, REQUESTS, TRANSITIONS


def _counting(dialect: Dialect) -> ClauseElement:
    statement = insert_in(dialect, REQUEST_COUNTS)
    total = REQUEST_COUNTS.c.count + statement.excluded["count"]
    return statement.on_conflict_do_update(index_elements=["source_chain", "status"], set_={"count": total})


_LAST_ROW: Final = select(func.max(REQUESTS.c.row))
_OBSERVE: Final = inserting(REQUESTS, [column.name for column in REQUESTS.columns])
_ADD_BODIES: Final = inserting(REQUEST_BODIES)
_STEP: Final = updating(STEP_COLUMNS, REQUESTS.c.row, REQUESTS.c.status)
_TURN: Final = updating(STEP_COLUMNS + WORK_COLUMNS, REQUESTS.c.row, REQUESTS.c.status)
_AMEND: Final = updating(TERM_COLUMNS, REQUESTS.c.row)
_REOPEN: Final = deleting(CONCLUSIONS.c.request_row)
_CONCLUDE: Final = upserting(CONCLUSIONS, ["request_row"])
_TELL: Final = inserting(TRANSITIONS)
_COUNT: Final = Prepared(names_of(REQUEST_COUNTS), _counting)


def write_requests(
    connection: Connection, folded: Mapping[RequestId, Folded], known: WorkingSet
) -> tuple[dict[RequestId, Held], int | None]:
    """The requests as they are now, and the row number of the next new one. Raises `StoreConflict`."""
    held = known.requests.known(folded)
    held |= load_held(connection, HELD, [identifier for identifier in folded if identifier not in held])
    # SECURITY: the statuses are compared inside the transaction that writes: on SQLite it is the only writer, on
    # PostgreSQL it holds these rows. No two steps can both move a request on from one status.
    for identifier, change in folded.items():
        before = held.get(identifier)
        found = None if before is None else before.request.status
        if found is not change.expected:
            raise conflict_of(identifier, found, change.expected)
    next_row = known.next_row
    rows = _Rows()
    after: dict[RequestId, Held] = {}
    for identifier, change in folded.items():
        before = held.get(identifier)
        if before is not None:
            after[identifier] = rows.move(change, before)
            continue
        if next_row is None:
            next_row = (connection.execute(_LAST_ROW).scalar_one() or 0) + 1
        after[identifier] = rows.observe(change, next_row)
        next_row += 1
    rows.write(connection)
    _count(connection, folded.values())
    return after, next_row


@dataclass(slots=True)
class _Rows:
    """What is to be written, by statement."""

    observed: list[Values] = field(default_factory=list)
    bodies: list[Values] = field(default_factory=list)
    steps: list[Values] = field(default_factory=list)
    turns: list[Values] = field(default_factory=list)
    amended: list[Values] = field(default_factory=list)
    reopened: list[Values] = field(default_factory=list)
    concluded: list[Values] = field(default_factory=list)
    told: list[Values] = field(default_factory=list)

    def observe(self, change: Folded, row: int) -> Held:
        """A request that is new here."""
        request = change.request
        now = Held(row, len(change.moves), request)
        self.observed.append(request_values(request, row, now.steps))
        self.bodies.append((row, encode_request(request.request)))
        if request.conclusion is not None:
            self.concluded.append((row, *conclusion_values(request.conclusion)))
        self._tell(change, row, 0)
        return now

    def move(self, change: Folded, before: Held) -> Held:
        """A request that is there."""
        request, row, was = change.request, before.row, before.request
        now = Held(row, before.steps + len(change.moves), request)
        step, work, at = step_values(request, now.steps), work_values(request), (row, text_of(was.status))
        if work == work_values(was):
            self.steps.append(step + at)
        else:
            self.turns.append(step + work + at)
        if _terms(request) != _terms(was):
            self.amended.append((*term_values(request), row))
        # Return data can be large, and most steps leave it alone: the very object that is at hand.
        if request.conclusion is not was.conclusion and request.conclusion != was.conclusion:
            if request.conclusion is None:
                self.reopened.append((row,))
            else:
                self.concluded.append((row, *conclusion_values(request.conclusion)))
        self._tell(change, row, before.steps)
        return now

    def write(self, connection: Connection) -> None:
        """All of it."""
        _OBSERVE.run(connection, self.observed)
        _ADD_BODIES.run(connection, self.bodies)
        for statement, rows in ((_STEP, self.steps), (_TURN, self.turns)):
            # SECURITY: compared once more, by the database itself.
            if statement.run(connection, rows) not in {len(rows), -1}:
                raise StoreConflict("a request is in another status on disk than at hand")
        _AMEND.run(connection, self.amended)
        _REOPEN.run(connection, self.reopened)
        _CONCLUDE.run(connection, self.concluded)
        _TELL.run(connection, self.told)

    def _tell(self, change: Folded, row: int, first: int) -> None:
        self.told += [transition_values(row, first + n, *move) for n, move in enumerate(change.moves)]


def _terms(request: TrackedRequest) -> tuple[object, ...]:
    return (request.location, request.fee, request.deadline, request.returned_fee, request.source_timestamp)


def _count(connection: Connection, changes: Iterable[Folded]) -> None:
    moved = Counter(
        (source_chain_of(change.request), None if change.expected is None else text_of(change.expected), text_of(now))
        for change in changes
        if (now := change.request.status) is not change.expected
    )
    differences: Counter[tuple[str, str]] = Counter()
    for (chain, before, after), number in moved.items():
        differences[chain, after] += number
        if before is not None:
            differences[chain, before] -= number
    _COUNT.run(connection, [(*place, difference) for place, difference in differences.items() if difference])
