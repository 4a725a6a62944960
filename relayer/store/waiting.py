"""Which statuses wait for what.

Its job: the few sets of statuses by which stores select work, so that every store selects alike and a database can keep
finished requests out of its indexes. They select; whether something is done is decided by `decide`.
"""

from __future__ import annotations

from typing import Final

from attestation.request import Mode
from relayer.domain.batch import BatchKind
from relayer.domain.status import Status
from relayer.ports.store import TransactionStatus

EXPIRABLE: Final = (Status.CERTIFIED, Status.EXECUTION_HELD)
"""A CALL that may be executed by a certificate, and is not under way: past its expiry it is to be let expire.

DISPATCHED is not among them: its transaction concludes it as expired, and many would fill a claim and keep others out.
"""

AWAITING_EXECUTE: Final = (*EXPIRABLE, Status.DISPATCHED, Status.FINAL, Status.LANDED)
"""A CALL whose Execute statement may still be needed. LANDED is among them: its receipt can be undone by a reorg."""

AWAITING_OUTCOME: Final = (Status.CONCLUDED, Status.ATTESTED, Status.CALLBACK_HELD, Status.SUBMITTED)
"""A request whose Outcome statement has not been used on its source in a final block."""

ENDED_ON_SOURCE: Final = (Status.DELIVERED, Status.HANDLER_FAILED, Status.CANCELLED)
"""What a final block of the source chain says has become of a request."""

SETTLED: Final = (*ENDED_ON_SOURCE, Status.ORPHANED, Status.REJECTED)
"""A request that nothing is done about. In time, nearly all that there are."""

SETTLED_TRANSACTIONS: Final = (TransactionStatus.CONFIRMED, TransactionStatus.FAILED)
"""One of our own transactions that stands in a final block."""

OPEN_TRANSACTIONS: Final = (TransactionStatus.SIGNED, TransactionStatus.MINED)
"""One of our own transactions that may still change."""


def awaited_by(status: Status, mode: Mode) -> BatchKind | None:
    """Which statement a request in this status waits for to be used."""
    if status in AWAITING_OUTCOME:
        return BatchKind.OUTCOME
    return BatchKind.EXECUTE if mode == Mode.CALL and status in AWAITING_EXECUTE else None
