"""What gateways and verifiers say in their logs, as values.

Its job: one vocabulary for all VMs. A VM's codec turns its chain's logs into these, and nothing downstream knows which
VM they came from. Parsed and bounded at the edge; never trusted beyond what the block contains.
"""

from __future__ import annotations

from dataclasses import dataclass

from attestation.request import Request, RequestId
from attestation.signer_set import SignerSet
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef, Location


@dataclass(frozen=True, slots=True)
class CallRequested:
    """A source gateway's `XVMCallRequested`. Fee in the source chain's smallest unit, deadline a source height.

    The codec has checked that `request_id` is the hash of `request`, that `request.source_gateway` is the gateway that
    logged it, and that `route` is the request's own.
    """

    request_id: RequestId
    request: Request
    route: bytes
    fee: int
    deadline: int
    location: Location


@dataclass(frozen=True, slots=True)
class FeeAdded:
    """A source gateway's `XVMFeeAdded`: the request's whole fee now."""

    request_id: RequestId
    fee: int
    location: Location


@dataclass(frozen=True, slots=True)
class CallConcluded:
    """A destination gateway's `XVMCallConcluded`: the receipt of a CALL. `payee` is 32 bytes."""

    request_id: RequestId
    source_gateway: bytes
    kind: OutcomeKind
    cut: bool
    return_data: bytes
    payee: bytes
    location: Location


@dataclass(frozen=True, slots=True)
class CallbackDelivered:
    """A source gateway's `XVMCallbackDelivered`, or `XVMHandlerFailed` when `is_handler_failed`.

    `return_data_hash` (32 bytes) is of what was delivered, and empty where the log does not say.
    """

    request_id: RequestId
    is_handler_failed: bool
    location: Location
    return_data_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class RequestCancelled:
    """A source gateway's `XVMCancelled`: the requester took the request back; `returned` of its fee went with it."""

    request_id: RequestId
    returned: int
    location: Location


@dataclass(frozen=True, slots=True)
class CancelSettled:
    """A source gateway's `XVMCancelledConcluded` or `XVMReclaimed`: nothing of a cancelled request's fee is left."""

    request_id: RequestId
    location: Location


@dataclass(frozen=True, slots=True)
class EpochApplied:
    """A verifier's `XVMEpochApplied`: from this block on `signer_set` verifies as `epoch`, until `valid_until` (s)."""

    epoch: int
    signer_set: SignerSet
    valid_until: int
    location: Location


Observation = (
    CallRequested | FeeAdded | CallConcluded | CallbackDelivered | RequestCancelled | CancelSettled | EpochApplied
)


@dataclass(frozen=True, slots=True)
class ObservedBlock:
    """One block, with everything that our contracts said in it, in log order. `timestamp` in seconds."""

    ref: BlockRef
    parent_hash: bytes
    timestamp: int
    observations: tuple[Observation, ...]
