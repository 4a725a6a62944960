"""A relayer's hands on the devnet's chain: what was certified, prepared, signed, sent, and looked at again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from solders.signature import Signature

from attestation.keccak import keccak256
from attestation.request import Request, RequestId, request_id, route_of
from attestation.statement import Execute, Outcome, OutcomeKind, Statement
from relayer.domain.batch import Batch, BatchKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.tracked import Conclusion, TrackedRequest
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import PreparedCall, SendResult
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.delivering import Deliverer
from relayer.vms.svm.deposits import SvmDeposits
from relayer.vms.svm.executing import Executor
from relayer.vms.svm.pending_places import PendingPlaces
from relayer.vms.svm.pendings import PendingFinder
from relayer.vms.svm.rotating import Rotator
from relayer.vms.svm.wallet import SvmWallet
from tests.svm.adapter.world import RELAYER, RELAYER_SEED, World
from tests.svm.program.ledger import CONFIG, GATEWAY, PROGRAM

PAYEE = b"\x0a" * 32
MOST_LOOKS = 40


def tracked(request: Request, signature: bytes = bytes(64), slot: int = 7) -> TrackedRequest:
    """A request as the stages have it."""
    place = Location(BlockRef(slot, b"\xb0" * 32), 3, 1, signature)
    return TrackedRequest(request_id(request), request, route_of(request), place, 0, 10**9, 10**6)


def execute_of(request: Request, log_index: int = 1) -> Execute:
    """The statement that a request is final."""
    return Execute(request_id(request), 7, b"\xb0" * 32, 3, log_index)


def concluded(one: TrackedRequest, data: bytes = b"", payee: bytes = PAYEE) -> TrackedRequest:
    """The request with what became of it elsewhere."""
    outcome = Outcome(one.request_id, OutcomeKind.EXECUTED, False, keccak256(data), 9, b"\xb1" * 32, 2, 0, payee, 0)  # noqa: FBT003
    return one.with_facts(conclusion=Conclusion(outcome, data, b"\7" * 32))


def certified(
    world: World,
    statements: Sequence[Statement],
    requests: Sequence[TrackedRequest],
    signers: Sequence[int] | None = None,
) -> CertifiedBatch:
    """A batch with its certificate."""
    signed = world.batch([statement.leaf for statement in statements])
    certificate = world.certificate(signed, range(world.set.threshold) if signers is None else signers)
    batch = Batch(BatchKind.EXECUTE, signed.root, b"", GATEWAY, "", 7, tuple(statements))
    return CertifiedBatch(batch, certificate, tuple(requests))


def executions(world: World, *requests: Request, signers: Sequence[int] | None = None) -> CertifiedBatch:
    """A batch of requests to here."""
    return certified(world, [execute_of(one) for one in requests], [tracked(one) for one in requests], signers)


def outcomes(world: World, *requests: TrackedRequest) -> CertifiedBatch:
    """A batch of outcomes of requests from here."""
    return certified(world, [one.conclusion.outcome for one in requests if one.conclusion], requests)


class Hands:
    """Prepares, signs and sends as the stages do: groundwork first, then the calls. `seconds` is its clock."""

    def __init__(self, world: World, pool: EndpointPool) -> None:
        acting = Acting(pool, GatewayAddresses(bytes(PROGRAM)), RELAYER.pubkey(), 1_400_000, lambda: self.seconds)
        self.seconds = 0.0
        self.world = world
        self.acting = acting
        self.wallet = SvmWallet(pool, RELAYER_SEED, bytes(CONFIG), 10**6)
        self.executor = Executor(acting)
        self.places = PendingPlaces()
        self.deliverer = Deliverer(acting, PendingFinder(pool, PROGRAM, self.places))
        self.rotator = Rotator(acting)
        self.deposits = SvmDeposits(pool, acting)
        self.sent: list[PreparedCall] = []

    async def execute(self, *batches: CertifiedBatch) -> Preparation:
        return await self.executor.prepare(batches, PAYEE, is_expiring=False)

    async def expire(self, *batches: CertifiedBatch) -> Preparation:
        return await self.executor.prepare(batches, PAYEE, is_expiring=True)

    async def deliver(self, *batches: CertifiedBatch) -> Preparation:
        return await self.deliverer.prepare(batches)

    async def send(self, calls: Sequence[PreparedCall]) -> list[Any]:
        """Send all, let a slot pass; the error of each, None for what ran."""
        terms = await self.wallet.fetch_terms()
        signed = [self.wallet.sign(call, terms.next_nonce + place, terms.bid) for place, call in enumerate(calls)]
        assert set(await self.wallet.send([one.raw for one in signed])) <= {SendResult.ACCEPTED}
        self.sent += calls
        landed = [self.world.chain.ledger.find(Signature(one.hash)) for one in signed]
        self.world.advance()
        return [one.error if one is not None else "never heard of" for one in landed]

    async def carry(self, look: Callable[[], Awaitable[Preparation]]) -> Preparation:
        """Look and send until there is nothing more to send; the last look."""
        for _ in range(MOST_LOOKS):
            preparation = await look()
            calls = [*preparation.groundwork, *preparation.calls]
            if not calls:
                return preparation
            errors = await self.send(calls)
            assert not any(errors), errors
        raise AssertionError("there is always more to send")


def named(preparation: Preparation) -> dict[RequestId, str]:
    """What is refused, and why."""
    return dict(preparation.refused)
