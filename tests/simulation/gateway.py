"""A gateway as a state machine in memory: the protocol's rules for both of its sides, without a VM.

Its job: refuse what a real gateway refuses (certificates are verified as contracts verify them), consume a request
once, run a callback once. A request's payload says how its target behaves, its metadata how its callback does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from attestation.certificate import verify_certificate
from attestation.epochs import Epochs
from attestation.errors import AttestationError
from attestation.keccak import keccak256
from attestation.merkle import merkle_root
from attestation.request import Request, RequestId, request_id, route_of
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Execute, Outcome, OutcomeKind, Rotate
from relayer.domain.blocks import Location
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    CallRequested,
    CancelSettled,
    EpochApplied,
    FeeAdded,
    Observation,
    RequestCancelled,
)

REVERTING: Final = b"revert"
MISSING: Final = b"missing"
"""Payloads of requests whose target fails, or is not there. Any other payload runs and returns its hash."""

FIRST_ORDERED: Final = 1
"""`orderedAfter` of a sender's first ordered request on a route."""

FAILING_HANDLER: Final = b"failing handler"
"""Metadata of requests whose callback fails."""


class Reverted(Exception):  # noqa: N818 -- what happened to a transaction
    """The transaction had no effect but on its sender's nonce. `name` is the contract's error."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Item:
    """One leaf of a batch that is acted on, with what it takes."""

    index: int
    statement: Execute | Outcome
    request: Request | None = None
    return_data: bytes = b""


@dataclass(frozen=True)
class Certified:
    """A batch as a gateway is given it: all its leaves, some with their contents, and the certificate."""

    leaves: tuple[bytes, ...]
    items: tuple[Item, ...]
    certificate: bytes


@dataclass(frozen=True)
class Ask:
    """A contract asks."""

    request: Request
    fee: int
    deadline: int = 10_000


@dataclass(frozen=True)
class AddFee:
    """Somebody adds to a request's fee."""

    request_id: RequestId
    amount: int


@dataclass(frozen=True)
class Cancel:
    """The requester takes a request back."""

    request_id: RequestId


@dataclass(frozen=True)
class Reclaim:
    """What is left of a cancelled request's fee goes back. When there has been time enough, the test decides."""

    request_id: RequestId


@dataclass(frozen=True)
class Replay:
    """Somebody runs a failed callback again, now with enough gas."""

    request_id: RequestId


@dataclass(frozen=True)
class Consume:
    """`execute`, or `expire` when `is_expiry`."""

    batches: tuple[Certified, ...]
    payee: bytes
    is_expiry: bool


@dataclass(frozen=True)
class Deliver:
    """`deliver`."""

    batches: tuple[Certified, ...]


@dataclass(frozen=True)
class Apply:
    """A rotation as if it had been certified, or the owner's after a set has lapsed."""

    signer_set: SignerSet


@dataclass(frozen=True)
class BringIn:
    """`rotate`, with its certificate."""

    signer_set: SignerSet
    certificate: bytes


@dataclass(frozen=True)
class Prove:
    """A certificate is verified before anything of its batch is acted on, where a transaction is too small for both."""

    root: bytes
    certificate: bytes


@dataclass(frozen=True)
class Forget:
    """The deposits for these roots are taken back; whoever needs one proves it again."""

    roots: tuple[bytes, ...]


Call = Prove | Forget | Ask | AddFee | Cancel | Reclaim | Replay | Consume | Deliver | Apply | BringIn


@dataclass(frozen=True)
class Pending:
    """What the source side stores about a request. `state` is pending, failed or cancelled."""

    request: Request
    fee: int
    state: str = "pending"

    @property
    def callback_share(self) -> int:
        """What a cancel returns."""
        return self.fee // 2

    @property
    def execution_share(self) -> int:
        """What who executed is paid."""
        return self.fee - self.callback_share


@dataclass
class GatewayState:
    """Everything that one block leaves behind. Copied for the next."""

    gateway: bytes
    epochs: Epochs
    pending: dict[RequestId, Pending] = field(default_factory=dict)
    slots: dict[RequestId, OutcomeKind] = field(default_factory=dict)
    account_nonces: dict[bytes, int] = field(default_factory=dict)
    credits: dict[tuple[RequestId, bytes], int] = field(default_factory=dict)
    """What execution shares came to, by request and account: a payee, or the sender."""
    proven: set[bytes] = field(default_factory=set)
    """Roots that were proven in a transaction of their own."""

    def copy(self) -> GatewayState:
        """A state that changes alone."""
        return GatewayState(
            self.gateway,
            self.epochs,
            dict(self.pending),
            dict(self.slots),
            dict(self.account_nonces),
            dict(self.credits),
            set(self.proven),
        )

    def is_waiting(self, request: Request, now: int) -> bool:
        """Whether it may not run yet: what was ordered before it is not consumed."""
        predecessor = RequestId(request.ordered_after.to_bytes(32, "big"))
        return request.ordered_after > FIRST_ORDERED and predecessor not in self.slots and now <= request.expiry

    def run(self, call: Call, now: int, place: Callable[[int], Location]) -> list[Observation]:
        """What the call logs; `place` gives the location of each log by its index. Raises `Reverted`."""
        logs = _Logs(place)
        match call:
            case Ask():
                self._ask(call, logs)
            case AddFee():
                self._add_fee(call, logs)
            case Cancel():
                self._cancel(call, logs)
            case Reclaim():
                self._reclaim(call, logs)
            case Replay():
                self._replay(call, logs)
            case Consume():
                self._consume(call, now, logs)
            case Deliver():
                self._deliver(call, now, logs)
            case Prove() | Forget() | Apply() | BringIn():
                self._believe(call, now, logs)
        return logs.observations

    def _believe(self, call: Prove | Forget | Apply | BringIn, now: int, logs: _Logs) -> None:
        match call:
            case Prove():
                self.proven.add(call.root)
            case Forget():
                self.proven -= set(call.roots)
            case Apply():
                self._apply(call.signer_set, now, logs)
            case BringIn():
                self._bring_in(call, now, logs)

    def _ask(self, call: Ask, logs: _Logs) -> None:
        request = call.request
        identifier = request_id(request)
        if identifier in self.pending:
            raise Reverted("NonceUsed")
        self.pending[identifier] = Pending(request, call.fee)
        logs.add(lambda at: CallRequested(identifier, request, route_of(request), call.fee, call.deadline, at))

    def _add_fee(self, call: AddFee, logs: _Logs) -> None:
        known = self._open(call.request_id)
        fee = known.fee + call.amount
        self.pending[call.request_id] = replace(known, fee=fee)
        logs.add(lambda at: FeeAdded(call.request_id, fee, at))

    def _cancel(self, call: Cancel, logs: _Logs) -> None:
        known = self._open(call.request_id)
        self.pending[call.request_id] = replace(known, state="cancelled")
        logs.add(lambda at: RequestCancelled(call.request_id, known.callback_share, at))

    def _reclaim(self, call: Reclaim, logs: _Logs) -> None:
        known = self.pending.get(call.request_id)
        if known is None or known.state != "cancelled":
            raise Reverted("NotCancelled")
        del self.pending[call.request_id]
        self.credits[call.request_id, known.request.sender] = known.execution_share
        logs.add(lambda at: CancelSettled(call.request_id, at))

    def _replay(self, call: Replay, logs: _Logs) -> None:
        known = self.pending.get(call.request_id)
        if known is None or known.state != "failed":
            raise Reverted("NotFailed")
        del self.pending[call.request_id]
        logs.add(lambda at: CallbackDelivered(call.request_id, is_handler_failed=False, location=at))

    def _consume(self, call: Consume, now: int, logs: _Logs) -> None:
        for batch in call.batches:
            self._verify(batch, now)
            for item in batch.items:
                assert item.request is not None
                if request_id(item.request) != item.statement.request_id:
                    raise Reverted("OtherRequest")
                self._consume_one(item.request, call, now, logs)

    def _consume_one(self, request: Request, call: Consume, now: int, logs: _Logs) -> None:
        identifier = request_id(request)
        is_late = now > request.expiry
        if request.destination_gateway != self.gateway or identifier in self.slots or (call.is_expiry and not is_late):
            return
        if self.is_waiting(request, now):
            return
        kind, data = (OutcomeKind.EXPIRED, b"") if is_late else run_target(request.payload)
        self.slots[identifier] = kind
        logs.add(lambda at: CallConcluded(identifier, request.source_gateway, kind, False, data, call.payee, at))  # noqa: FBT003

    def _deliver(self, call: Deliver, now: int, logs: _Logs) -> None:
        for batch in call.batches:
            self._verify(batch, now)
            for item in batch.items:
                assert isinstance(item.statement, Outcome)
                if keccak256(item.return_data) != item.statement.return_data_hash:
                    raise Reverted("OtherReturnData")
                self._deliver_one(item.statement, logs)

    def _deliver_one(self, outcome: Outcome, logs: _Logs) -> None:
        identifier = outcome.request_id
        known = self.pending.get(identifier)
        if known is None or known.state == "failed":
            return
        self._pay(known, outcome)
        if known.state == "cancelled":
            del self.pending[identifier]
            logs.add(lambda at: CancelSettled(identifier, at))
            return
        is_failed = known.request.metadata == FAILING_HANDLER
        if is_failed:
            self.pending[identifier] = replace(known, state="failed")
        else:
            del self.pending[identifier]
        told = b"" if is_failed else outcome.return_data_hash
        logs.add(lambda at: CallbackDelivered(identifier, is_failed, at, told))

    def _pay(self, known: Pending, outcome: Outcome) -> None:
        """Who let a request expire keeps half of the share, the sender gets the rest back."""
        kept = known.execution_share // (2 if outcome.kind is OutcomeKind.EXPIRED else 1)
        self.credits[outcome.request_id, outcome.payee] = kept
        self.credits[outcome.request_id, known.request.sender] = known.execution_share - kept

    def _apply(self, signer_set: SignerSet, now: int, logs: _Logs) -> None:
        epoch = self.epochs.current + 1
        self.epochs = self.epochs.apply(epoch, signer_set, now)
        logs.add(lambda at: EpochApplied(epoch, signer_set, signer_set.valid_until, at))

    def _bring_in(self, call: BringIn, now: int, logs: _Logs) -> None:
        leaf = Rotate(signer_set_hash(call.signer_set), self.epochs.current + 1).leaf
        try:
            signed_by = verify_certificate(self.gateway, leaf, 1, call.certificate, self.epochs, now)
        except AttestationError as error:
            raise Reverted(error.code) from error
        if signed_by != self.epochs.current:
            raise Reverted("NotCurrentEpoch")
        self._apply(call.signer_set, now, logs)

    def _open(self, identifier: RequestId) -> Pending:
        known = self.pending.get(identifier)
        if known is None or known.state != "pending":
            raise Reverted("NotPending")
        return known

    def _verify(self, batch: Certified, now: int) -> None:
        leaves = list(batch.leaves)
        for item in batch.items:
            leaves[item.index] = item.statement.leaf
        try:
            verify_certificate(self.gateway, merkle_root(leaves), len(leaves), batch.certificate, self.epochs, now)
        except AttestationError as error:
            raise Reverted(error.code) from error


def run_target(payload: bytes) -> tuple[OutcomeKind, bytes]:
    """What the target of a CALL does."""
    if payload.startswith(REVERTING):
        return OutcomeKind.REVERTED, b"\xba\xad"
    if payload.startswith(MISSING):
        return OutcomeKind.UNREACHED, b""
    return OutcomeKind.EXECUTED, keccak256(payload)[:4]


class _Logs:
    """The logs of one transaction, each told where it stands."""

    def __init__(self, place: Callable[[int], Location]) -> None:
        self._place = place
        self.observations: list[Observation] = []

    def add(self, log: Callable[[Location], Observation]) -> None:
        self.observations.append(log(self._place(len(self.observations))))

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.observations)
