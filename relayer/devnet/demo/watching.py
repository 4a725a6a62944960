"""From what gateways said to what became of each request.

Its job: join the events of all chains by request id, note when each was first seen, and judge the end against what was
expected. Pure but for the clock that the caller passes in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Case, Manner
from relayer.devnet.demo.chains import Event, Sighting


@dataclass(slots=True)
class Step:
    """Where and when an event of a request was first seen. `at` in seconds of the caller's clock.

    `other_block` is how far the other chain was at that moment.
    """

    block: int
    place: int
    at: float
    transaction: bytes
    other_block: int


@dataclass(slots=True)
class Journey:
    """One request of the demonstration, as the chains tell it."""

    case: Case
    request_id: int
    requested: Step | None = None
    executed: Step | None = None
    delivered: Step | None = None
    cancelled: Step | None = None
    ordered_after: int = 0
    fee: int = 0
    executed_kind: OutcomeKind | None = None
    kind: OutcomeKind | None = None
    success: bool | None = None
    is_handler_failed: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is to happen, as expected or not."""
        if self.case.manner is Manner.CANCELLED:
            return self.cancelled is not None
        return self.delivered is not None or (self.is_handler_failed and self.case.manner is not Manner.REPLAYED)

    @property
    def state(self) -> str:
        """One word for people."""
        if self.cancelled is not None:
            return "cancelled"
        if self.delivered is not None:
            return "replayed" if self.is_handler_failed else "delivered"
        if self.is_handler_failed:
            return "handler failed"
        if self.executed is not None:
            return "concluded"
        return "requested" if self.requested is not None else "asked"

    def take_in(self, sighting: Sighting, now: float, other_block: int) -> bool:
        """Note an event of this request. False if it says nothing new."""
        step = Step(sighting.block, sighting.place, now, sighting.transaction, other_block)
        match sighting.event:
            case Event.REQUESTED if self.requested is None:
                self.requested, self.ordered_after, self.fee = step, sighting.ordered_after, sighting.fee
            case Event.CONCLUDED if self.executed is None:
                self.executed, self.executed_kind = step, sighting.kind
            case Event.CONCLUDED:
                self.faults.append("concluded twice")
            case Event.HANDLER_FAILED if self.delivered is None and not self.is_handler_failed:
                self.is_handler_failed = True
            case Event.CALLED_BACK if self.delivered is None:
                self.delivered, self.kind, self.success = step, sighting.kind, sighting.success
            case Event.CALLED_BACK | Event.HANDLER_FAILED:
                self.faults.append("delivered twice")
            case Event.CANCELLED if self.cancelled is None:
                self.cancelled = step
            case _:
                return False
        return True

    def judge(self) -> list[str]:
        """What is not as expected; empty if all is."""
        faults = list(self.faults)
        if self.case.kind is None:
            return faults if self.cancelled and not self.delivered else [*faults, f"it stands at {self.state!r}"]
        if self.delivered is None or self.kind is None:
            return [*faults, f"no callback; it stands at {self.state!r}"]
        if self.kind is not self.case.kind:
            faults.append(f"ended {self.kind.name}, expected {self.case.kind.name}")
        if self.success is not (self.case.kind is OutcomeKind.EXECUTED):
            faults.append(f"success was {self.success}")
        if self.is_handler_failed is not (self.case.manner is Manner.REPLAYED):
            faults.append("its handler failed" if self.is_handler_failed else "its handler did not fail")
        if self.case.mode is Mode.CALL and self.executed_kind is not self.kind:
            faults.append("the callback tells another outcome than the receipt")
        return faults
