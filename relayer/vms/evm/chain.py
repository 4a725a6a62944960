"""An EVM chain as a relayer watches it.

Its job: the port `Chain`, over a pool of endpoints: heads, linked blocks with what our contracts said in them, and the
signer sets that still verify, each agreed by M endpoints. It must not believe one endpoint, nor interpret what it saw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from attestation.address import checksum_address
from attestation.signer_set import SignerSet
from relayer.domain.blocks import BlockRef, Head, Location
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import EpochApplied, ObservedBlock
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.ports.chain import News
from relayer.vms.evm.agreed import HeadReport, common_ref, fetch_reports, parse_report, report_calls, vote_stamps
from relayer.vms.evm.block_reader import BlockContents, BlockReader
from relayer.vms.evm.codec import LogCodec
from relayer.vms.evm.headers import header_call, parse_header
from relayer.vms.evm.views import (
    current_epoch_call,
    parse_current_epoch,
    parse_signer_set,
    parse_verifier,
    signer_set_call,
    verifier_call,
)
from relayer.vms.jsonrpc.endpoints import EndpointPool, alike
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.pins import RecentTimes
from relayer.vms.jsonrpc.rpc import RpcEndpoint, require_result

_TIP_WINDOW: Final = 8
"""Heights below the tip in which an agreed block is looked for while endpoints follow rival forks."""

_MAX_LIVE_EPOCHS: Final = 16
"""Epochs looked back at: grace outlasts the longest finality, not sixteen rotations."""


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Names of the chain, and the 20-byte addresses of our contracts there."""

    name: str
    caip2: str
    chain_id: int
    gateway: bytes
    verifier: bytes


@dataclass(frozen=True, slots=True)
class ChainParts:
    """What both sides of a chain work with."""

    identity: ChainIdentity
    pool: EndpointPool
    codec: LogCodec
    hints: HeadHints
    times: RecentTimes
    finality: FinalityRule
    max_blocks_per_fetch: int


class EvmChain:
    """The reading side."""

    def __init__(self, parts: ChainParts) -> None:
        self._parts = parts
        self._reader = BlockReader(parts.codec.watched)
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
        """How many logs of our contracts said something impossible. Each is an alarm."""
        return self._parts.codec.dropped

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields whenever there may be a new head."""
        return self._parts.hints.wake_ups()

    async def fetch_head(self) -> Head:
        """The tip that M endpoints have reached, and the final height by the chain's finality rule."""
        return await self._head_of(await fetch_reports(self._parts.pool, self._parts.finality.tag))

    async def fetch_news(self, after: int, most: int) -> News:
        """The head, and blocks above the height `after`: in one exchange, unless endpoints differ."""
        pool, calls = self._parts.pool, report_calls(self._parts.finality.tag)
        first = after + 1
        # As many as the last head had; where it was not further on, the one that is likely to be there now.
        last = min(max(self._tip_number, first), after + min(most, self._parts.max_blocks_per_fetch))
        # The rest of the endpoints say where they are and need not write M times the same blocks.
        readers = {member.endpoint for member in pool.by_preference()[: pool.quorum]}

        async def ask(endpoint: RpcEndpoint) -> tuple[RpcEndpoint, HeadReport, list[BlockContents | None]]:
            if endpoint not in readers:
                return endpoint, parse_report(await endpoint.call(calls), endpoint), []
            answers, contents = await self._reader.read_beside(endpoint, calls, first, last)
            return endpoint, parse_report(answers, endpoint), contents

        answers = await pool.each(ask)
        pool.note_heights({endpoint: report.tip.ref.number for endpoint, report, _ in answers})
        head = await self._head_of([report for _, report, _ in answers])
        last = min(head.tip.number, after + most)
        agreed = alike([contents for _, _, contents in answers if contents], pool.quorum)
        # What was mined between two answers of one exchange is news of the next.
        blocks = self._take_in(agreed[: max(last - after, 0)])
        if not blocks and last > after:
            blocks = await self.fetch_blocks(first, last)
        return News(head, blocks)

    async def fetch_blocks(self, first: int, last: int) -> tuple[ObservedBlock, ...]:
        """Blocks first..last, or as many of them as M endpoints have and one fetch may hold, linked."""
        last = min(last, first + self._parts.max_blocks_per_fetch - 1)

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
        if not agreed and verdicts[0].is_disputed:
            raise RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on block {first}")
        return self._take_in(agreed)

    async def fetch_block_ref(self, number: int) -> BlockRef | None:
        """The block at this height on the chain now, or None above the tip that M endpoints have reached."""
        (verdict,) = await vote_stamps(self._parts.pool, [number])
        if verdict.value is None and verdict.is_disputed:
            raise RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on block {number}")
        return verdict.value.ref if verdict.value else None

    async def fetch_epochs(self, block: BlockRef) -> Sequence[EpochApplied]:
        """Every signer set that the gateway's verifier can still accept as of `block`, oldest first.

        A verifier does not tell where a set was applied: `location` is `block` itself, with indices 0 and no hash.
        """
        timestamp, newest = await self._fetch_clock(block)
        verifier = self._parts.identity.verifier
        epochs = range(max(newest - _MAX_LIVE_EPOCHS, 0) + 1, newest + 1)
        calls = [signer_set_call(verifier, epoch, block) for epoch in epochs]

        async def ask(endpoint: RpcEndpoint) -> list[tuple[SignerSet | None, int]]:
            return [parse_signer_set(answer, endpoint) for answer in await endpoint.call(calls)]

        verdicts = await self._parts.pool.vote(ask) if calls else ()
        location = Location(block, 0, 0, b"")
        applied = []
        for epoch, verdict in zip(epochs, verdicts, strict=True):
            if verdict.value is None:
                raise RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on epoch {epoch}")
            signer_set, valid_until = verdict.value
            # the epochs below its first are those of the gateway's former verifier
            if signer_set is not None and valid_until >= timestamp:
                applied.append(EpochApplied(epoch, signer_set, valid_until, location))
        return applied

    async def fetch_verifier_fault(self) -> str:
        """Why the gateway would take no certificate of the configured verifier's epochs; empty if it would."""
        identity = self._parts.identity
        calls = [verifier_call(identity.gateway)]

        async def ask(endpoint: RpcEndpoint) -> list[bytes | None]:
            return [parse_verifier(answer, endpoint) for answer in await endpoint.call(calls)]

        (verdict,) = await self._parts.pool.vote(ask, at_tip=True)
        if verdict.value is None:
            raise RpcDisagreement(
                f"{self.name}: no {self._parts.pool.quorum} endpoints agree on the gateway's verifier"
            )
        if verdict.value == identity.verifier or not any(verdict.value):
            return ""
        named, meant = checksum_address(verdict.value), checksum_address(identity.verifier)
        return f"the gateway's verifier is {named}, and {meant} is configured"

    async def _head_of(self, reports: Sequence[HeadReport]) -> Head:
        pool = self._parts.pool
        number = pool.reached(report.tip.ref.number for report in reports)
        # SECURITY: what is final decides what is signed: no single endpoint may raise it.
        tagged_number = pool.reached(report.tagged_number for report in reports)
        tip = common_ref(reports, number, pool.quorum) or await self._fetch_common_ancestor(number)
        self._tip_number = tip.number
        return Head(tip, self._parts.finality.final_number(tip.number, tagged_number))

    def _take_in(self, agreed: Sequence[BlockContents]) -> tuple[ObservedBlock, ...]:
        """What these blocks, on which M endpoints agree, say."""
        self._parts.times.remember(block.stamp for block in agreed)
        return tuple(
            ObservedBlock(stamp.ref, stamp.parent_hash, stamp.timestamp, self._parts.codec.decode(block))
            for block in agreed
            for stamp in (block.stamp,)
        )

    async def _fetch_clock(self, block: BlockRef) -> tuple[int, int]:
        """The block's timestamp, and the newest epoch as of it."""
        calls = [header_call(block.number), current_epoch_call(self._parts.identity.verifier, block)]

        async def ask(endpoint: RpcEndpoint) -> list[tuple[int, int] | None]:
            header_answer, epoch_answer = await endpoint.call(calls)
            header = parse_header(require_result(header_answer, endpoint), block.number)
            if header is None or header.stamp.ref != block:
                return [None]
            return [(header.stamp.timestamp, parse_current_epoch(epoch_answer, endpoint))]

        (verdict,) = await self._parts.pool.vote(ask)
        if verdict.value is None:
            raise RpcUnavailable(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on block {block.number}")
        return verdict.value

    async def _fetch_common_ancestor(self, number: int) -> BlockRef:
        """The highest block at or just below this height that M endpoints agree on, while their tips differ."""
        numbers = range(number, max(number - _TIP_WINDOW, -1), -1)
        for verdict in await vote_stamps(self._parts.pool, numbers):
            if verdict.value is not None:
                return verdict.value.ref
        raise RpcDisagreement(f"{self.name}: no {self._parts.pool.quorum} endpoints agree on any of the latest blocks")
