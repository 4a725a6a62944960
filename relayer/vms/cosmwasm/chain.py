"""A CosmWasm chain as a relayer watches it.

Its job: the port `Chain`, over a pool of endpoints: heads, linked blocks with what our gateway said in them, and the
signer sets that still verify, each agreed by M endpoints. A block is final as soon as it is there; the configured rule
may only wait longer. It must not believe one endpoint, nor interpret what it saw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from attestation.address import Chain, InteroperableAddress
from attestation.signer_set import SignerSet
from relayer.domain.blocks import BlockRef, Head, Location
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import EpochApplied, ObservedBlock
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.ports.chain import News
from relayer.vms.cosmwasm.blocks import BlockContents, BlockReader
from relayer.vms.cosmwasm.codec import EventCodec
from relayer.vms.cosmwasm.events import EventReader
from relayer.vms.cosmwasm.headers import (
    NO_BLOCK,
    PAGE,
    STATUS_CALL,
    HeadReport,
    fetch_reports,
    headers_calls,
    parse_headers,
    parse_report,
    reach_of,
    vote_stamps,
)
from relayer.vms.cosmwasm.states import current_epoch_call, parse_current_epoch, parse_epoch_set, signer_set_call
from relayer.vms.jsonrpc.endpoints import EndpointPool, Verdict, alike
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import RpcEndpoint

_MAX_LIVE_EPOCHS: Final = 16
"""Epochs looked back at: grace outlasts the longest finality, not sixteen rotations."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Names of the chain, the 32 bytes of our contract there, and with what the chain's accounts begin in bech32."""

    name: str
    chain: Chain
    gateway: bytes
    prefix: str

    @property
    def caip2(self) -> str:
        """CAIP-2 text."""
        return str(self.chain)

    @property
    def chain_id(self) -> str:
        """The chain's own name for itself."""
        return self.chain.reference_text

    @property
    def gateway_text(self) -> str:
        """The gateway in bech32."""
        return self.account_text(self.gateway)

    def account_text(self, address: bytes) -> str:
        """An account of 20 or 32 bytes in bech32."""
        return InteroperableAddress(self.chain, address).account_text(self.prefix)


@dataclass(frozen=True, slots=True)
class ChainParts:
    """What both sides of a chain work with."""

    identity: ChainIdentity
    pool: EndpointPool
    codec: EventCodec
    hints: HeadHints
    times: RecentTimes
    finality: FinalityRule
    max_blocks_per_fetch: int


class CosmwasmChain:
    """The reading side."""

    def __init__(self, parts: ChainParts) -> None:
        self._parts = parts
        self._reader = BlockReader(EventReader(parts.identity.gateway_text, parts.codec.watched))
        self._tip_number = -1

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
        """The tip that M endpoints have reached, and the final height by the configured rule."""
        return await self._head_of(await fetch_reports(self._parts.pool))

    async def fetch_news(self, after: int, most: int) -> News:
        """The head, and blocks above the height `after`, none of them above that head.

        In one exchange, and one or two more for blocks that are not empty, unless endpoints differ.
        """
        pool, first = self._parts.pool, after + 1
        # As many as the last head had, and a page for what came since: beyond its tip a node tells what it has.
        last = min(after + min(most, self._parts.max_blocks_per_fetch), max(self._tip_number, after) + PAGE)
        # The rest of the endpoints say where they are and need not write M times the same blocks.
        readers = {member.endpoint for member in pool.by_preference()[: pool.quorum]}

        async def ask(endpoint: RpcEndpoint) -> tuple[RpcEndpoint, HeadReport, list[BlockContents | None]]:
            if endpoint not in readers:
                (answer,) = await endpoint.call([STATUS_CALL])
                return endpoint, parse_report(answer, endpoint), []
            (answer,), contents = await self._reader.read_beside(endpoint, [STATUS_CALL], first, last)
            return endpoint, parse_report(answer, endpoint), contents

        answers = await pool.each(ask)
        pool.note_heights({endpoint: report.tip.number for endpoint, report, _ in answers})
        reports = [report for _, report, _ in answers]
        head = await self._head_of(reports)
        self._require_kept(first, reach_of(reports, pool).first)
        last = min(head.tip.number, after + most)
        agreed = alike([contents for _, _, contents in answers if contents], pool.quorum)
        # What was made between two answers of one exchange is news of the next.
        blocks = self._take_in(agreed[: max(last - after, 0)])
        if not blocks and last > after:
            blocks = await self.fetch_blocks(first, last)
        # A node has run a block when it has the next one.
        if not blocks and last > first:
            raise RpcUnavailable(
                f"{self.name}: no {pool.quorum} endpoints tell what came of block {first}; "
                "name endpoints that keep results, and give them time"
            )
        return News(head, blocks)

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        """Blocks first..last, or as many of them as M endpoints have and one fetch may hold, linked."""
        first = max(first, NO_BLOCK.number + 1)
        last = min(last, first + self._parts.max_blocks_per_fetch - 1)
        if last < first:
            return ()

        async def ask(endpoint: RpcEndpoint) -> list[BlockContents | None]:
            return await self._reader.read(endpoint, first, last)

        verdicts = await self._parts.pool.vote(ask)
        agreed: list[BlockContents] = []
        for verdict in verdicts:
            block = verdict.value
            # Neighbours may have been agreed on by different endpoints.
            if block is None or (agreed and block.stamp.parent_hash != agreed[-1].stamp.ref.hash):
                break
            agreed.append(block)
        # SECURITY: what endpoints tell differently may be a request that one of them left out: it is looked at again.
        if not agreed and verdicts[0].is_disputed:
            raise self._disagreement(f"block {first}")
        return self._take_in(agreed)

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        """The block at this height, or None above the tip that M endpoints have reached."""
        if number <= NO_BLOCK.number:
            return NO_BLOCK
        (verdict,) = await vote_stamps(self._parts.pool, [number])
        if verdict.value is None and verdict.is_disputed:
            raise self._disagreement(f"block {number}")
        return verdict.value.ref if verdict.value else None

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        """Every signer set that the gateway can still accept as of `block`, oldest first.

        The gateway does not tell where a set was applied: `location` is `block` itself, with indices 0 and no hash.
        """
        if block == NO_BLOCK:
            return ()
        timestamp, newest = await self._fetch_clock(block)
        gateway = self._parts.identity.gateway_text
        epochs = range(max(newest - _MAX_LIVE_EPOCHS, 0) + 1, newest + 1)
        calls = [signer_set_call(gateway, epoch, block.number) for epoch in epochs]

        async def ask(endpoint: RpcEndpoint) -> list[tuple[SignerSet, int]]:
            return [parse_epoch_set(answer, endpoint) for answer in await endpoint.call(calls)]

        verdicts = await self._parts.pool.vote(ask) if calls else ()
        location = Location(block, 0, 0, b"")
        told = [self._agreed(verdict, f"epoch {epoch}") for epoch, verdict in zip(epochs, verdicts, strict=True)]
        return [
            EpochApplied(epoch, signer_set, valid_until, location)
            for epoch, (signer_set, valid_until) in zip(epochs, told, strict=True)
            if valid_until >= timestamp
        ]

    async def fetch_verifier_fault(self) -> str:
        """Nothing: the gateway verifies by itself, for the chain that runs it."""
        return ""

    async def _head_of(self, reports: Sequence[HeadReport]) -> Head:
        pool = self._parts.pool
        # SECURITY: what is final decides what is signed: no single endpoint may raise it.
        number = reach_of(reports, pool).tip
        refs = [report.tip for report in reports if report.tip.number == number]
        tip = next((ref for ref in refs if refs.count(ref) >= pool.quorum), None) or await self._fetch_tip(number)
        self._tip_number = tip.number
        # No tag says more than that the tip itself is final.
        return Head(tip, self._parts.finality.final_number(tip.number, tip.number))

    def _take_in(self, agreed: Sequence[BlockContents]) -> tuple[ObservedBlock, ...]:
        """What these blocks, on which M endpoints agree, say."""
        self._parts.times.remember(block.stamp for block in agreed)
        return tuple(
            ObservedBlock(stamp.ref, stamp.parent_hash, stamp.timestamp, self._parts.codec.decode(block))
            for block in agreed
            for stamp in (block.stamp,)
        )

    def _require_kept(self, number: int, first: int) -> None:
        if number < first:
            raise RpcUnavailable(
                f"{self.name}: block {number} is wanted, and the endpoints have none below {first}; "
                "name endpoints that keep older blocks"
            )

    async def _fetch_tip(self, number: int) -> BlockRef:
        """The block at a height that M endpoints have reached, while their tips differ."""
        (verdict,) = await vote_stamps(self._parts.pool, [number])
        return self._agreed(verdict, f"block {number}").ref

    async def _fetch_clock(self, block: BlockRef) -> tuple[int, int]:
        """The block's timestamp, and the newest epoch as of it."""
        number = block.number
        calls = [
            *headers_calls(number, number),
            current_epoch_call(self._parts.identity.gateway_text, number),
        ]

        async def ask(endpoint: RpcEndpoint) -> list[tuple[int, int] | None]:
            header_answer, epoch_answer = await endpoint.call(calls)
            headers = parse_headers([header_answer], number, number)
            if not headers or headers[0].stamp.ref != block:
                return [None]
            return [(headers[0].stamp.timestamp, parse_current_epoch(epoch_answer, endpoint))]

        (verdict,) = await self._parts.pool.vote(ask)
        return self._agreed(verdict, f"the gateway's epoch at block {number}")

    def _agreed(self, verdict: Verdict[T], what: str) -> T:
        if verdict.value is None:
            raise self._disagreement(what)
        return verdict.value

    def _disagreement(self, what: str) -> RpcDisagreement:
        return RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on {what}")
