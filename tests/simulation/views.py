"""How one node sees and uses the chains: the ports of a VM over `SimChain`.

Every call is a place where the process may be interrupted (`Gate`): by another step, by an endpoint that does not
answer, or by its death.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal, Protocol

from attestation.keccak import keccak256
from attestation.request import Request, RequestId
from attestation.signer_set import SignerSet
from attestation.statement import Execute, Outcome
from relayer.domain.blocks import BlockRef, Head, Location
from relayer.domain.observations import EpochApplied, ObservedBlock
from relayer.domain.tracked import TrackedRequest
from relayer.errors import CallReverted
from relayer.ports.chain import News
from relayer.ports.deposits import Deposit
from relayer.ports.destination_vm import Answer, Pin
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.ports.wallet import (
    FeeBid,
    PreparedCall,
    SendResult,
    SignedTransaction,
    SpendTerms,
    TransactionReceipt,
)
from tests.simulation.chain import SimBlock, SimChain, Transaction
from tests.simulation.gateway import BringIn, Call, Certified, Consume, Deliver, Forget, Item, Prove, Reverted

REQUESTS_PER_CALL = 3
"""Small, so that work is cut into several transactions."""

GAS_PER_REQUEST = 100
GAS_PER_PROOF = 50
OFFERED_FEE = 1


class Gate(Protocol):
    """Where a process may be interrupted."""

    async def rpc(self) -> None:
        """Before a call to an endpoint. Raises `RpcUnavailable` or `ProcessDied`."""
        ...

    async def send(self) -> None:
        """Before transactions leave the process, and after. Raises `RpcUnavailable` or `ProcessDied`."""
        ...


class ChainView:
    """One node's endpoints of one chain: it may see less than there is. Implements every port of a VM but answering."""

    def __init__(self, chain: SimChain, gate: Gate, calls: dict[bytes, Call], account: bytes) -> None:
        self._chain = chain
        self._gate = gate
        self._calls = calls
        self._account = account
        self.lag_blocks = 0
        self.frozen: list[SimBlock] | None = None
        """A fork that its endpoints are stuck on."""
        self.is_lossy = False
        self.is_unreadable = False
        self.unreadable_payloads: set[bytes] = set()
        """What its endpoints have no state for: of all queries, or of these."""
        self.misread_payloads: set[bytes] = set()
        """What its endpoints answer otherwise than all others."""

    @property
    def name(self) -> str:
        """Short name."""
        return self._chain.caip2

    @property
    def caip2(self) -> str:
        """CAIP-2."""
        return self._chain.caip2

    @property
    def gateway(self) -> bytes:
        """ERC-7930."""
        return self._chain.gateway

    @property
    def dropped_logs(self) -> int:
        """None: what is logged here is possible."""
        return 0

    @property
    def source(self) -> ChainView:
        """All sides are this one object."""
        return self

    @property
    def wallet(self) -> ChainView:
        """All sides are this one object."""
        return self

    @property
    def deposits(self) -> DepositsView | None:
        """Of a chain where certificates take a transaction of their own."""
        return DepositsView(self, self._calls) if self._chain.proves_first else None

    async def close(self) -> None:
        """Nothing is open."""

    # looking

    async def wake_ups(self) -> AsyncIterator[None]:
        """Never: the test decides who looks when."""
        await asyncio.Event().wait()
        yield

    async def fetch_head(self) -> Head:
        """Tip and final height as far as this node sees."""
        await self._gate.rpc()
        tip = self._seen()[-1].ref
        return Head(tip, tip.number - self._chain.depth_blocks)

    async def fetch_news(self, after: int, most: int) -> News:
        """Both in one look."""
        head = await self.fetch_head()
        seen = self._seen()[after + 1 : after + 1 + most]
        return News(head, tuple(block.observed for block in seen))

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        """Blocks first..last, fewer if there are fewer now."""
        await self._gate.rpc()
        return tuple(block.observed for block in self._seen()[first : last + 1])

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        """The block at this height now."""
        await self._gate.rpc()
        seen = self._seen()
        return seen[number].ref if number < len(seen) else None

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        """What the verifier knows at this block."""
        await self._gate.rpc()
        epochs = self._chain.blocks[block.number].state.epochs.applied
        return [
            EpochApplied(number, applied.signer_set, applied.valid_until, _anywhere(0))
            for number, applied in sorted(epochs.items())
        ]

    async def fetch_verifier_fault(self) -> str:
        """A simulated gateway has one verifier for ever."""
        return ""

    # asking

    def _read_all(self, block: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What is read at a block; None while this node's endpoints have not got its state."""
        if self.is_unreadable:
            return [None for _ in requests]
        return [self._read(block, request.payload) for request in requests]

    def _read(self, pin: BlockRef, payload: bytes) -> Answer | None:
        if payload in self.unreadable_payloads:
            return None
        kind, data = self._chain.read(pin, payload)
        return Answer(kind, cut=False, return_data=b"otherwise" if payload in self.misread_payloads else data)

    # acting

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundled and tried on the tip."""
        return await self._prepare_consume(batches, payee, is_expiry=False)

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Bundled and tried on the tip."""
        return await self._prepare_consume(batches, payee, is_expiry=True)

    async def prepare_rotate(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """Tried on the tip."""
        await self._gate.rpc()
        call = BringIn(signer_set, certificate)
        data = keccak256(repr(call).encode())
        self._calls[data] = call
        try:
            self._chain.tip.state.copy().run(call, self._chain.tip.observed.timestamp + 1, _anywhere)
        except Reverted as error:
            raise CallReverted(error.name) from error
        return PreparedCall(self._chain.gateway, data, 2 * GAS_PER_REQUEST, GAS_PER_REQUEST, 0, ())

    async def prepare_deliver(self, batches: Sequence[CertifiedBatch]) -> Preparation:
        """Bundled and tried on the tip."""
        await self._gate.rpc()
        pending = self._chain.tip.state.pending

        def is_settled(request: TrackedRequest) -> bool:
            known = pending.get(request.request_id)
            return known is None or known.state == "failed"

        settled, parts = _split(batches, is_settled)
        return self._bundle(settled, parts, lambda part: Deliver((_certified(part),)))

    async def _prepare_consume(
        self, batches: Sequence[CertifiedBatch], payee: bytes, *, is_expiry: bool
    ) -> Preparation:
        await self._gate.rpc()
        tip = self._chain.tip
        settled, parts = _split(batches, lambda request: request.request_id in tip.state.slots)
        now = tip.observed.timestamp
        open_requests = [request for _, part in parts for request in part]
        if is_expiry:
            reason, refused = "NotExpired", [r for r in open_requests if r.request.expiry >= now]
        else:
            reason, refused = "PredecessorOpen", [r for r in open_requests if tip.state.is_waiting(r.request, now)]
        if refused:
            return Preparation((), settled, tuple((request.request_id, reason) for request in refused))
        if self._chain.following:
            following = (r.request_id for r in open_requests if r.request_id in self._chain.following)
            return Preparation((), settled, following=tuple(following))
        return self._bundle(settled, parts, lambda part: Consume((_certified(part),), payee, is_expiry))

    def _bundle(self, settled: Sequence[RequestId], parts: Sequence[_Part], build: _Build) -> Preparation:
        calls: list[PreparedCall] = []
        refused: list[tuple[RequestId, str]] = []
        unproven: dict[bytes, PreparedCall] = {}
        for part in parts:
            root, certificate = part[0].batch.root, part[0].certificate
            if self._chain.proves_first and root not in self._seen()[-1].state.proven:
                self._calls[root] = Prove(root, certificate)
                unproven[root] = PreparedCall(self._chain.gateway, root, 2 * GAS_PER_PROOF, GAS_PER_PROOF, 0, ())
                continue
            call, ids = build(part), tuple(request.request_id for request in part[1])
            data = keccak256(repr(call).encode())
            self._calls[data] = call
            try:
                self._chain.tip.state.copy().run(call, self._chain.tip.observed.timestamp + 1, _anywhere)
            except Reverted as error:
                refused += [(identifier, error.name) for identifier in ids]
                continue
            gas = GAS_PER_REQUEST * len(ids)
            calls.append(PreparedCall(self._chain.gateway, data, 2 * gas, gas, 0, ids))
        return Preparation(tuple(calls), tuple(settled), tuple(refused), tuple(unproven.values()))

    # paying

    @property
    def address(self) -> bytes:
        """The node's account here."""
        return self._account

    @property
    def payee(self) -> bytes:
        """The same, as a payee."""
        return bytes(12) + self._account

    @property
    def max_fee_cap(self) -> int:
        """Far off."""
        return 1_000_000

    @property
    def fee_divisor(self) -> int:
        """Plain units."""
        return 1

    @property
    def is_sequenced(self) -> bool:
        """As the chain is."""
        return self._chain.is_sequenced

    async def fetch_next_nonce(self) -> int:
        """By mined transactions."""
        await self._gate.rpc()
        return self._chain.tip.state.account_nonces.get(self._account, 0)

    async def fetch_fee_bid(self) -> FeeBid:
        """Always the same."""
        await self._gate.rpc()
        return FeeBid(10, OFFERED_FEE, OFFERED_FEE)

    async def fetch_balance(self) -> int:
        """Enough."""
        await self._gate.rpc()
        return 10**18

    async def fetch_terms(self) -> SpendTerms:
        """One after the other."""
        return SpendTerms(await self.fetch_fee_bid(), await self.fetch_next_nonce(), await self.fetch_balance())

    def sign(self, call: PreparedCall, nonce: int, bid: FeeBid) -> SignedTransaction:
        """The chain knows the transaction by its hash."""
        transaction = Transaction(self._account, nonce, bid.max_fee, self._calls[call.data])
        raw = b"|".join((call.data, nonce.to_bytes(8, "big").hex().encode(), str(bid.max_fee).encode()))
        return SignedTransaction(transaction.hash, raw)

    async def send(self, transactions: Sequence[bytes]) -> Sequence[SendResult]:
        """Into the pool, unless the endpoint loses them."""
        await self._gate.send()
        results = [SendResult.ACCEPTED if self.is_lossy else self._chain.send(self._parse(raw)) for raw in transactions]
        await self._gate.send()
        return results

    async def fetch_receipts(self, hashes: Sequence[bytes]) -> Sequence[TransactionReceipt | None]:
        """From the fork that this node sees."""
        await self._gate.rpc()
        known = {key: receipt for block in self._seen() for key, receipt in block.receipts.items()}
        return [known.get(key) for key in hashes]

    def _parse(self, raw: bytes) -> Transaction:
        data, rest = raw[:32], raw[33:]
        nonce, max_fee = rest.split(b"|")
        return Transaction(self._account, int(nonce, 16), int(max_fee), self._calls[data])

    def _seen(self) -> list[SimBlock]:
        blocks = self._chain.blocks if self.frozen is None else self.frozen
        return blocks[: max(len(blocks) - self.lag_blocks, 1)]


class DepositsView:
    """Implements the port `Deposits`: whoever looks has lent for all that is proven."""

    def __init__(self, view: ChainView, calls: dict[bytes, Call]) -> None:
        self._view = view
        self._calls = calls

    async def fetch(self) -> list[Deposit]:
        """By the first epoch's certificates."""
        return [Deposit(root, root, 1) for root in sorted(self._view._seen()[-1].state.proven)]

    async def prepare(self, deposits: Sequence[Deposit]) -> list[PreparedCall]:
        """All in one transaction."""
        if not deposits:
            return []
        call = Forget(tuple(deposit.root for deposit in deposits))
        data = keccak256(repr(call).encode())
        self._calls[data] = call
        return [PreparedCall(self._view.gateway, data, 2 * GAS_PER_PROOF, GAS_PER_PROOF, 0, ())]


class HistoricalView(ChainView):
    """Of a chain that can be read as it was."""

    @property
    def reads_history(self) -> Literal[True]:
        """It can."""
        return True

    @property
    def destination(self) -> HistoricalView:
        """All sides are this one object."""
        return self

    async def fetch_pin(self, after_timestamp: int) -> Pin | None:
        """The blocks around a moment."""
        await self._gate.rpc()
        found = self._chain.pin_of(after_timestamp, self._seen())
        return None if found is None else Pin(*found)

    async def fetch_answers(self, pin: BlockRef, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What is read at the pin."""
        await self._gate.rpc()
        return self._read_all(pin, requests)


class PresentView(ChainView):
    """Of a chain that can only be read as it is now."""

    @property
    def reads_history(self) -> Literal[False]:
        """It cannot."""
        return False

    @property
    def destination(self) -> PresentView:
        """All sides are this one object."""
        return self

    async def fetch_present_answers(self, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What is read at the newest final block that this node sees."""
        await self._gate.rpc()
        seen = self._seen()
        final = seen[max(len(seen) - 1 - self._chain.depth_blocks, 0)]
        return self._read_all(final.ref, requests)


_Part = tuple[CertifiedBatch, Sequence[TrackedRequest]]
_Build = Callable[[_Part], Call]


def _anywhere(log_index: int) -> Location:
    return Location(BlockRef(0, bytes(32)), 0, log_index, bytes(32))


def _split(
    batches: Sequence[CertifiedBatch], is_settled: Callable[[TrackedRequest], bool]
) -> tuple[tuple[RequestId, ...], list[_Part]]:
    """What needs nothing any more, and the rest in parts that fit a transaction."""
    settled: list[RequestId] = []
    parts: list[_Part] = []
    for batch in batches:
        settled += [request.request_id for request in batch.requests if is_settled(request)]
        still_open = [request for request in batch.requests if not is_settled(request)]
        parts += [
            (batch, still_open[start : start + REQUESTS_PER_CALL])
            for start in range(0, len(still_open), REQUESTS_PER_CALL)
        ]
    return tuple(settled), parts


def _certified(part: _Part) -> Certified:
    certified, requests = part
    wanted = {request.request_id: request for request in requests}
    items = []
    for index, statement in enumerate(certified.batch.statements):
        assert isinstance(statement, Execute | Outcome)
        request = wanted.get(statement.request_id)
        if request is not None:
            data = request.conclusion.return_data if request.conclusion else b""
            items.append(Item(index, statement, request.request, data))
    leaves = tuple(statement.leaf for statement in certified.batch.statements)
    return Certified(leaves, tuple(items), certified.certificate)
