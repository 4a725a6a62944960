"""A request as a relayer tracks it: the protocol's immutable struct, and what became of it so far.

Its job: the value that `decide` takes and returns. It holds facts only; no method here changes status.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from attestation.request import Mode, Request, RequestId
from attestation.statement import Outcome
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.status import Status


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of a request: the outcome as signed, and the data that its hash commits to.

    For a CALL `outcome` names the receipt's place on the destination; for a QUERY the pinned block, or the round.
    """

    outcome: Outcome
    return_data: bytes
    tx_hash: bytes
    """32 bytes of the destination transaction that holds the receipt; empty for a QUERY."""


@dataclass(frozen=True, slots=True)
class TrackedRequest:
    """One request of one route. Fees in the source chain's smallest unit, `deadline` a source height.

    `source_timestamp` is that of the block which holds the request, in seconds. `hold_reason` says why it waits or was
    rejected, and is empty otherwise. The two transaction hashes are this node's own latest submissions, or empty.

    `returned_fee` is what a cancel gave back of the fee, None while nobody cancelled. A cancelled CALL goes on without
    a callback, for whoever executed it is still to be paid.
    """

    request_id: RequestId
    request: Request
    route: bytes
    location: Location
    source_timestamp: int
    fee: int
    deadline: int
    status: Status = Status.OBSERVED
    hold_reason: str = ""
    is_execute_certified: bool = False
    conclusion: Conclusion | None = None
    execute_root: bytes = b""
    outcome_root: bytes = b""
    execute_tx_hash: bytes = b""
    callback_tx_hash: bytes = b""
    returned_fee: int | None = None

    def with_facts(self, **facts: Any) -> TrackedRequest:
        """The request with other values in these fields: as `dataclasses.replace`, in a third of its time.

        Every step of every request comes by here.
        """
        values = list(_VALUES(self))
        for name, value in facts.items():
            values[_PLACES[name]] = value
        return TrackedRequest(*values)

    @property
    def fee_left(self) -> int:
        """What the gateway still holds to pay for the request's execution and delivery."""
        return self.fee - (self.returned_fee or 0)

    @property
    def is_call(self) -> bool:
        """Whether the request changes state on its destination."""
        return self.request.mode == Mode.CALL

    @property
    def block(self) -> BlockRef:
        """The source block that holds the request."""
        return self.location.block


_NAMES = tuple(field.name for field in fields(TrackedRequest))
_VALUES = attrgetter(*_NAMES)
_PLACES = {name: place for place, name in enumerate(_NAMES)}
