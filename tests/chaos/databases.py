"""What the honest nodes wrote down, read from their databases as they lie on disk.

Its job: whether they agree with each other and with the chains about every request, and whom they convict.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attestation.statement import Outcome
from attestation.statement_codec import parse_statements
from relayer.domain.status import Status

_ENDED = {Status.DELIVERED, Status.HANDLER_FAILED}
_REQUESTS = """
    SELECT r.request_id, r.status, r.block_hash, c.outcome
    FROM requests r LEFT JOIN conclusions c ON c.request_row = r.row
"""
_EVIDENCE = "SELECT offence, signer FROM evidence"


@dataclass(frozen=True, slots=True)
class Noted:
    """What one node holds of one request."""

    status: str
    block_hash: bytes
    outcome: bytes | None


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node's whole database, as far as it is compared."""

    requests: Mapping[bytes, Noted]
    evidence: frozenset[tuple[str, bytes]]


def read_record(path: Path) -> NodeRecord:
    """The database of a node that may be running."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        requests = {bytes(row[0]): Noted(row[1], row[2], row[3]) for row in database.execute(_REQUESTS)}
        evidence = frozenset((offence, bytes(signer)) for offence, signer in database.execute(_EVIDENCE))
    return NodeRecord(requests, evidence)


def disagreements(
    records: Mapping[str, NodeRecord], asked: Collection[bytes], read_by_each: Collection[bytes]
) -> Iterator[str]:
    """Where nodes differ from one another about what was asked, or have not come to its end.

    `read_by_each` are the queries of chains that cannot be read in the past: a node may hold the same answer of another
    round there, or know none.
    """
    for identifier in asked:
        noted = {name: record.requests.get(identifier) for name, record in records.items()}
        open_at = [name for name, note in noted.items() if note is None or note.status not in _ENDED]
        if open_at:
            told = {name: note.status if note else "unknown" for name, note in noted.items()}
            yield f"0x{identifier.hex()} has not ended at {', '.join(open_at)}: {told}"
        elif not _are_alike([note for note in noted.values() if note], identifier in read_by_each):
            yield f"0x{identifier.hex()} is noted differently: {noted}"
    for name, record in records.items():
        for identifier in record.requests.keys() - set(asked):
            status = record.requests[identifier].status
            if status != Status.ORPHANED:
                yield f"0x{identifier.hex()} was never asked on the final chain, and is {status} at {name}"


def _are_alike(notes: Sequence[Noted], is_read_by_each: bool) -> bool:  # noqa: FBT001 - beside what it is said of
    if not is_read_by_each:
        return len(set(notes)) == 1
    # Where the handler failed, the gateway does not say which answer it was given.
    outcomes = [note.outcome for note in notes if note.outcome and note.status == Status.DELIVERED]
    told = {
        (it.kind, it.cut, it.return_data_hash)
        for outcome in outcomes
        for it in parse_statements(outcome)
        if isinstance(it, Outcome)
    }
    return len({(note.status, note.block_hash) for note in notes}) == 1 and len(told) <= 1
