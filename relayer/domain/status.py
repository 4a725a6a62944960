"""The names of what a request can be. Persisted: names are only ever added."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """One word each, the protocol's words.

    CALL:  OBSERVED, FINAL, CERTIFIED, (HELD), DISPATCHED, LANDED, CONCLUDED, ATTESTED, (HELD), SUBMITTED, then an end.
    QUERY: OBSERVED, FINAL, CONCLUDED, ATTESTED, (HELD), SUBMITTED, then an end.
    """

    OBSERVED = "OBSERVED"
    FINAL = "FINAL"
    CERTIFIED = "CERTIFIED"
    EXECUTION_HELD = "EXECUTION_HELD"
    DISPATCHED = "DISPATCHED"
    LANDED = "LANDED"
    CONCLUDED = "CONCLUDED"
    ATTESTED = "ATTESTED"
    CALLBACK_HELD = "CALLBACK_HELD"
    SUBMITTED = "SUBMITTED"
    DELIVERED = "DELIVERED"
    HANDLER_FAILED = "HANDLER_FAILED"
    CANCELLED = "CANCELLED"
    ORPHANED = "ORPHANED"
    REJECTED = "REJECTED"


ENDS = frozenset({Status.DELIVERED, Status.CANCELLED, Status.REJECTED})
"""Nothing follows these. HANDLER_FAILED can still be replayed by anyone; ORPHANED can be observed again."""

UNSERVED = frozenset({Status.OBSERVED, Status.ORPHANED, Status.REJECTED})
"""In no final block of its source yet, or not to be served: no batch speaks of it."""
