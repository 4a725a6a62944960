"""What can happen to a request, in the past tense.

Its job: the input alphabet of `decide`. Each is a fact that a stage has established; none carries a wish.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.domain.blocks import Location
from relayer.domain.tracked import Conclusion


@dataclass(frozen=True, slots=True)
class RequestFinal:
    """The source block that holds the request is final. `execute_root` is the batch it was born into (CALL)."""

    execute_root: bytes = b""


@dataclass(frozen=True, slots=True)
class RequestOrphaned:
    """The source block that held the request left the chain before it was final."""


@dataclass(frozen=True, slots=True)
class RequestReobserved:
    """The same request stands in another source block now. `timestamp` is that block's, in seconds."""

    location: Location
    timestamp: int


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """It can never end here: no route, or malformed. `reason` is an error's code."""

    reason: str


@dataclass(frozen=True, slots=True)
class FeeRaised:
    """Someone added to the fee; `fee` is the whole of it now."""

    fee: int


@dataclass(frozen=True, slots=True)
class ExecuteCertified:
    """An Execute batch with this request has a quorum: the one it was born into, or a subset. `root` is its root."""

    root: bytes


@dataclass(frozen=True, slots=True)
class ExecutionHeld:
    """Executing does not pay, or is paused, by this node's policy."""

    reason: str


@dataclass(frozen=True, slots=True)
class ExecutionDispatched:
    """This node sent the transaction that executes it (or lets it expire)."""

    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class ExecutionLost:
    """This node's transaction is gone (dropped, replaced or failed) and left no receipt."""


@dataclass(frozen=True, slots=True)
class ExpiryPassed:
    """The destination gateway's own clock is past the request's expiry, and there is no receipt."""


@dataclass(frozen=True, slots=True)
class ReceiptSeen:
    """The destination gateway's receipt stands in a block that is not final yet."""

    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class ReceiptOrphaned:
    """The block with the receipt left the destination chain before it was final."""


@dataclass(frozen=True, slots=True)
class ReceiptFinal:
    """The receipt is final. `outcome_root` is the batch it was born into."""

    conclusion: Conclusion
    outcome_root: bytes


@dataclass(frozen=True, slots=True)
class AnswerFinal:
    """The answer to a QUERY, read at its pinned block, which is final; or what this node signs of it in a round."""

    conclusion: Conclusion
    outcome_root: bytes


@dataclass(frozen=True, slots=True)
class OutcomeCertified:
    """A batch with this outcome has a quorum: the one it was born into, or a subset. `root` is its root."""

    root: bytes


@dataclass(frozen=True, slots=True)
class CallbackHeld:
    """Delivering does not pay, or is paused, by this node's policy."""

    reason: str


@dataclass(frozen=True, slots=True)
class CallbackSubmitted:
    """This node sent the transaction that delivers the callback."""

    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class CallbackLost:
    """This node's delivery is gone and the request is still pending on its source."""


@dataclass(frozen=True, slots=True)
class CallbackFinal:
    """The source gateway says, in a final block, that the callback ran, or that its handler failed.

    `return_data_hash` (32 bytes) is of what was delivered, and empty where the gateway does not say.
    """

    is_handler_failed: bool
    return_data_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class CancelFinal:
    """The source gateway says, in a final block, that the requester cancelled; `returned` of the fee went back."""

    returned: int


@dataclass(frozen=True, slots=True)
class CancelSettledFinal:
    """The source gateway says, in a final block, that nothing is left of a cancelled request's fee.

    Its outcome paid whoever executed it, or the requester reclaimed the rest.
    """


@dataclass(frozen=True, slots=True)
class RequestForkedOff:
    """The final source block that held the request is gone: its chain was rewritten below finality."""


@dataclass(frozen=True, slots=True)
class EndForkedOff:
    """The final source block that told of the request's end may be gone; what is still there is told again."""


@dataclass(frozen=True, slots=True)
class ConclusionForkedOff:
    """The final destination block with the receipt, or at which the answer was read, is gone."""


Event = (
    RequestFinal
    | RequestOrphaned
    | RequestReobserved
    | RequestRejected
    | FeeRaised
    | ExecuteCertified
    | ExecutionHeld
    | ExecutionDispatched
    | ExecutionLost
    | ExpiryPassed
    | ReceiptSeen
    | ReceiptOrphaned
    | ReceiptFinal
    | AnswerFinal
    | OutcomeCertified
    | CallbackHeld
    | CallbackSubmitted
    | CallbackLost
    | CallbackFinal
    | CancelFinal
    | CancelSettledFinal
    | RequestForkedOff
    | EndForkedOff
    | ConclusionForkedOff
)
