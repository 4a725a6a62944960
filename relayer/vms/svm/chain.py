"""A Solana chain as a relayer watches it.

Its job: the port `Chain`, over a pool of endpoints: heads, linked blocks with what our gateway said in them, and the
signer sets that still verify, each agreed by M endpoints. Heights are slots. All of it is finalized, so that nothing
that was told is ever taken back; the configured rule may only wait longer. It must not believe one endpoint, nor
interpret what it saw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from solders.pubkey import Pubkey

from attestation.address import Chain
from relayer.domain.blocks import BlockRef, Head, Location
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import EpochApplied, ObservedBlock
from relayer.errors import RpcDisagreement
from relayer.ports.chain import News
from relayer.vms.jsonrpc.endpoints import EndpointPool, Verdict
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result
from relayer.vms.svm.account_reading import accounts_call, parse_accounts
from relayer.vms.svm.accounts import AccountState, Config, Epoch, parse_account
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.blocks import BlockContents, BlockReader
from relayer.vms.svm.codec import EventCodec
from relayer.vms.svm.slots import (
    COMMITMENT,
    Stamp,
    block_call,
    fetch_slot_at_or_below,
    head_call,
    is_not_there,
    parse_block,
    parse_head,
)

_MAX_LIVE_EPOCHS: Final = 16
"""Epochs looked back at: grace outlasts the longest finality, not sixteen rotations."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Names of the chain, and the 32-byte id of our program there."""

    name: str
    chain: Chain
    gateway: bytes

    @property
    def caip2(self) -> str:
        """CAIP-2 text, with the whole genesis hash."""
        return str(self.chain)


@dataclass(frozen=True, slots=True)
class ChainParts:
    """What both sides of a chain work with."""

    identity: ChainIdentity
    addresses: GatewayAddresses
    pool: EndpointPool
    codec: EventCodec
    hints: HeadHints
    finality: FinalityRule
    max_blocks_per_fetch: int


class SvmChain:
    """The reading side."""

    def __init__(self, parts: ChainParts) -> None:
        self._parts = parts
        self._reader = BlockReader(parts.addresses.program)

    @property
    def name(self) -> str:
        """The operator's short name for it."""
        return self._parts.identity.name

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return self._parts.identity.caip2

    @property
    def gateway(self) -> bytes:
        """ERC-7930 address of the gateway that is watched."""
        return self._parts.codec.gateway

    @property
    def dropped_logs(self) -> int:
        """How many events of our gateway said something impossible. Each is an alarm."""
        return self._parts.codec.dropped

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields whenever there may be a new head."""
        return self._parts.hints.wake_ups()

    async def fetch_head(self) -> Head:
        """The newest finalized block that M endpoints have reached, and the final slot by the configured rule."""
        pool = self._parts.pool

        async def ask(endpoint: RpcEndpoint) -> tuple[RpcEndpoint, BlockRef]:
            (answer,) = await endpoint.call([head_call()])
            return endpoint, parse_head(require_result(answer, endpoint))

        reports = await pool.each(ask)
        pool.note_heights({endpoint: ref.number for endpoint, ref in reports})
        # SECURITY: what is final decides what is signed: no single endpoint may raise it.
        number = pool.reached(ref.number for _, ref in reports)
        refs = [ref for _, ref in reports if ref.number == number]
        tip = next((ref for ref in refs if refs.count(ref) >= pool.quorum), None) or await self._fetch_tip(number)
        # The tag `finalized` says no more than what is read anyway.
        return Head(tip, self._parts.finality.final_number(tip.number, tip.number))

    async def fetch_news(self, after: int, most: int) -> News:
        """The head, and blocks above the slot `after`, none of them above that head."""
        head = await self.fetch_head()
        if head.tip.number <= after:
            return News(head, ())
        blocks = await self._fetch(after + 1, most)
        return News(head, tuple(block for block in blocks if block.ref.number <= head.tip.number))

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        """The blocks of slots first..last, or as many of them as M endpoints have and one fetch may hold, linked."""
        blocks = await self._fetch(first, last - first + 1)
        return tuple(block for block in blocks if block.ref.number <= last)

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        """The newest block at or below this slot, or None above the head that M endpoints have reached."""

        async def ask(endpoint: RpcEndpoint) -> list[BlockRef | None]:
            slot = await fetch_slot_at_or_below(endpoint, number)
            stamp = None if slot is None else await _fetch_stamp(endpoint, slot)
            return [None if stamp is None else stamp.ref]

        (verdict,) = await self._parts.pool.vote(ask)
        if verdict.value is None and verdict.is_disputed:
            raise self._disagreement(f"block {number}")
        return verdict.value

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        """Every signer set that the gateway can still accept, oldest first, as of its newest state: no older is kept.

        An account does not tell where its set was applied: `location` is `block` itself, with indices 0 and no hash.
        Nor does it tell a set whose validity its successor has cut: until it lapses, only who saw it applied knows it.
        """
        location = Location(block, 0, 0, b"")

        async def ask(endpoint: RpcEndpoint) -> list[tuple[EpochApplied, ...] | None]:
            stamp = await _fetch_stamp(endpoint, block.number)
            epochs = await self._fetch_epochs(endpoint, block.number)
            if stamp is None or stamp.ref != block or epochs is None:
                return [None]
            applied = [
                EpochApplied(epoch.epoch, epoch.signer_set, epoch.valid_until, location)
                for epoch in epochs
                if epoch.signer_set is not None and epoch.valid_until >= stamp.timestamp
            ]
            return [tuple(applied)]

        (verdict,) = await self._parts.pool.vote(ask, at_tip=True)
        return self._agreed(verdict, "the signer sets")

    async def fetch_verifier_fault(self) -> str:
        """Why the gateway would take no certificate of this chain's relayers; empty if it would.

        It verifies itself, so that there is no other verifier to name; but its owner told it which chain it is on.
        """
        chain = self._parts.identity.chain

        async def ask(endpoint: RpcEndpoint) -> list[bytes | None]:
            states = await self._fetch_states(endpoint, [self._parts.addresses.config], 0)
            if states is None:
                return [None]
            config = parse_account(Config, states[0], self._parts.addresses.program)
            return [chain.reference if config is None else config.genesis_hash]

        (verdict,) = await self._parts.pool.vote(ask, at_tip=True)
        reference = self._agreed(verdict, "the gateway's config")
        if reference == chain.reference:
            return ""
        return f"the gateway was initialized for {Chain(chain.namespace, reference)}, and this is {chain}"

    async def _fetch(self, first: int, count: int) -> tuple[ObservedBlock, ...]:
        """At most so many blocks from slot `first` on, and not more than one fetch may hold."""
        count = min(count, self._parts.max_blocks_per_fetch)

        async def ask(endpoint: RpcEndpoint) -> list[BlockContents | None]:
            return await self._reader.read(endpoint, first, count)

        verdicts = await self._parts.pool.vote(ask)
        agreed: list[BlockContents] = []
        for verdict in verdicts:
            block = verdict.value
            # Neighbours may have been agreed on by different endpoints.
            if block is None or (agreed and block.stamp.parent != agreed[-1].stamp.ref):
                break
            agreed.append(block)
        # SECURITY: what endpoints tell differently may be a request that one of them left out: it is looked at again.
        if not agreed and verdicts[0].is_disputed:
            raise self._disagreement(f"the block from slot {first} on")
        return tuple(
            ObservedBlock(stamp.ref, stamp.parent.hash, stamp.timestamp, self._parts.codec.decode(block))
            for block in agreed
            for stamp in (block.stamp,)
        )

    async def _fetch_tip(self, number: int) -> BlockRef:
        """The block of a slot that M endpoints have reached, while their heads differ."""

        async def ask(endpoint: RpcEndpoint) -> list[BlockRef | None]:
            stamp = await _fetch_stamp(endpoint, number)
            return [None if stamp is None else stamp.ref]

        (verdict,) = await self._parts.pool.vote(ask)
        return self._agreed(verdict, f"block {number}")

    async def _fetch_epochs(self, endpoint: RpcEndpoint, min_slot: int) -> list[Epoch] | None:
        """The newest epochs, ascending; None if the endpoint is not that far."""
        addresses = self._parts.addresses
        states = await self._fetch_states(endpoint, [addresses.config], min_slot)
        if states is None:
            return None
        config = parse_account(Config, states[0], addresses.program)
        newest = config.epoch if config is not None else 0
        keys = [addresses.epoch(number) for number in range(max(newest - _MAX_LIVE_EPOCHS, 0) + 1, newest + 1)]
        states = await self._fetch_states(endpoint, keys, min_slot)
        if states is None:
            return None
        epochs = [parse_account(Epoch, state, addresses.program) for state in states]
        return [epoch for epoch in epochs if epoch is not None]

    @staticmethod
    async def _fetch_states(
        endpoint: RpcEndpoint, keys: Sequence[Pubkey], min_slot: int
    ) -> tuple[AccountState | None, ...] | None:
        (answer,) = await endpoint.call([accounts_call(keys, COMMITMENT["commitment"], min_slot)])
        if is_not_there(answer):
            return None
        return parse_accounts(require_result(answer, endpoint), len(keys)).accounts

    def _agreed(self, verdict: Verdict[T], what: str) -> T:
        if verdict.value is None:
            raise self._disagreement(what)
        return verdict.value

    def _disagreement(self, what: str) -> RpcDisagreement:
        return RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on {what}")


async def _fetch_stamp(endpoint: RpcEndpoint, slot: int) -> Stamp | None:
    (answer,) = await endpoint.call([block_call(slot)])
    block = parse_block(answer, slot, endpoint)
    return None if block is None else block.stamp
