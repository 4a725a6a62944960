"""One such chain, over several of its endpoints.

Its job: blocks with what they told of messages, messages by id, by sender and while they wait, each as M of N endpoints
tell it alike; the end of one message. WebSockets only wake. It sends nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from attestation.address import Chain, Namespace
from relayer.cosmos import crossvm as proto
from relayer.cosmos.protobuf import MalformedProtobuf, Message
from relayer.crossvm.events import REQUEST
from relayer.crossvm.limits import QUEUE_TIMEOUT_BLOCKS
from relayer.crossvm.reading import DEFAULT_NAMES, ChainMessage, Names, ToldMessage, read_json, read_stored
from relayer.errors import ConfigError, RejectedError, ReorgBelowFinality, RpcDisagreement, RpcUnavailable
from relayer.vms.cosmwasm.connect import LIMITS, NEW_BLOCKS, chain_probe
from relayer.vms.cosmwasm.headers import STATUS_CALL, fetch_reports, reach_of
from relayer.vms.cosmwasm.queries import abci_call, parse_abci
from relayer.vms.cosmwasm.values import parse_member, parse_text
from relayer.vms.crossvm.blocks import ToldBlock, read_blocks
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.heads import HeadHints
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault, are_distinct, open_session, require_result

MAX_BLOCKS_PER_FETCH: Final = 50
MAX_FAILED_LOOKS: Final = 10
"""In a row, each at a hint or when none came for long: then the chain counts as gone."""

_NOT_FOUND: Final = "not found"
_UNKNOWN_PATH: Final = "unknown query path"
_GET_MESSAGE: Final = "qor_getCrossVMMessage"
_METHOD_NOT_FOUND: Final = -32601
_MAX_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class CrossVmChainSettings:
    """How the chain is reached and what it calls things. `quorum` 0 means all of its endpoints.

    `evm_urls` are JSON-RPC endpoints of its EVM, asked for a message where queries by gRPC path are not answered: all
    of them must say the same. Times are in seconds.
    """

    urls: tuple[str, ...]
    quorum: int = 0
    ws_urls: tuple[str, ...] = ()
    evm_urls: tuple[str, ...] = ()
    names: Names = field(default_factory=lambda: DEFAULT_NAMES)
    query_service: str = proto.QUERY_SERVICE
    block_seconds: float = 1.0
    request_seconds: float = 10.0


class _Told(NamedTuple):
    """What an endpoint answers to a question for messages; none of them for one that is not there."""

    messages: tuple[ChainMessage, ...]


class CrossVmChain:
    """Opened by `open_chain`."""

    def __init__(
        self,
        settings: CrossVmChainSettings,
        pool: EndpointPool,
        evm: Sequence[RpcEndpoint],
        hints: HeadHints,
        name: str,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._evm = tuple(evm)
        self._hints = hints
        self._name = name

    @property
    def chain_id(self) -> str:
        """What it calls itself."""
        return self._name

    async def fetch_tip(self) -> int:
        """The height that M endpoints have reached."""
        return reach_of(await fetch_reports(self._pool), self._pool).tip

    async def fetch_blocks(self, first: int, last: int) -> tuple[ToldBlock, ...]:
        """Blocks first..last, as many of them as M endpoints tell alike. Raises `RpcUnavailable`."""
        names = self._settings.names

        async def ask(endpoint: RpcEndpoint) -> list[ToldBlock | None]:
            return await read_blocks(endpoint, first, last, names)

        agreed: list[ToldBlock] = []
        verdicts = await self._pool.vote(ask)
        for verdict in verdicts:
            block = verdict.value
            if block is None or (agreed and block.stamp.parent_hash != agreed[-1].stamp.ref.hash):
                break
            agreed.append(block)
        if not agreed and verdicts[0].is_disputed:
            raise self._disagreement(f"block {first}")
        return tuple(agreed)

    async def watch(self, after: int) -> AsyncIterator[ToldBlock]:
        """Every block above a height, in order, those that told nothing as well. Never ends by itself.

        Raises:
            ReorgBelowFinality: a block that was told is another one now.
            RpcUnavailable: the endpoints give no answer, or none alike, for long.
        """
        last: ToldBlock | None = None
        failures = 0
        async for _ in self._hints.wake_ups():
            tip = after + 1
            while after < tip:
                try:
                    tip = await self.fetch_tip()
                    blocks = await self._fetch_above(after, tip)
                except RpcUnavailable:
                    failures += 1
                    if failures > MAX_FAILED_LOOKS:
                        raise
                    break
                failures = 0
                for block in blocks:
                    self._require_next(last, block)
                    last, after = block, block.stamp.ref.number
                    yield block

    async def _fetch_above(self, after: int, tip: int) -> tuple[ToldBlock, ...]:
        """The next blocks up to the tip; at least one, if that is higher."""
        blocks = await self.fetch_blocks(after + 1, min(tip, after + MAX_BLOCKS_PER_FETCH)) if after < tip else ()
        if not blocks and after < tip:
            raise RpcUnavailable(f"{self._name}: the endpoints do not tell alike what came of block {after + 1}")
        return blocks

    async def find_sent(self, height: int, tx_hash: bytes) -> ToldMessage | None:
        """The message that a transaction in a block sent, as M endpoints tell it; None if it sent none."""
        for block in await self.fetch_blocks(height, height):
            for placed in block.messages:
                if placed.tx_hash == tx_hash and placed.told.type == REQUEST:
                    return placed.told
            return None
        raise RpcUnavailable(f"{self._name}: no endpoints tell what came of block {height}")

    async def follow(self, message_id: str, height: int, most_blocks: int = 2 * QUEUE_TIMEOUT_BLOCKS) -> ToldMessage:
        """The end of a message that was sent in the block at a height.

        Raises:
            RejectedError: so many blocks later it had none.
        """
        async for block in self.watch(height - 1):
            for placed in block.messages:
                if placed.told.message_id == message_id and placed.told.type != REQUEST:
                    return placed.told
            if block.stamp.ref.number >= height + most_blocks:
                break
        raise RejectedError(f"{self._name}: {message_id} has no end {most_blocks} blocks after it was sent")

    async def fetch_message(self, message_id: str) -> ChainMessage | None:
        """A message by its id, None if there is none: by gRPC path, else from its EVM's JSON-RPC."""
        kinds = (proto.QueryMessageResponse, proto.QueryNumberedMessageResponse)
        told = await self._ask((proto.MESSAGE,), proto.QueryMessageRequest(message_id), kinds)
        if told is None:
            told = await self._ask_evm(message_id)
        if told is None:
            raise self._unanswered("messages by id")
        return next((message for message in told.messages if message.message_id == message_id), None)

    async def fetch_pending(self) -> tuple[ChainMessage, ...]:
        """Those that wait."""
        kinds = (proto.QueryMessagesResponse, proto.QueryNumberedMessagesResponse)
        return self._listed(await self._ask(proto.PENDING_NAMES, proto.QueryPendingRequest(), kinds), "what is pending")

    async def fetch_by_sender(self, sender: str) -> tuple[ChainMessage, ...]:
        """Those of an account, as its chain writes it."""
        kinds = (proto.QueryMessagesResponse, proto.QueryNumberedMessagesResponse)
        request = proto.QueryMessagesBySenderRequest(sender)
        return self._listed(await self._ask((proto.MESSAGES_BY_SENDER,), request, kinds), "messages by sender")

    def _listed(self, told: _Told | None, what: str) -> tuple[ChainMessage, ...]:
        if told is None:
            raise self._unanswered(what)
        return told.messages

    async def _ask(self, paths: Sequence[str], request: Message, kinds: Sequence[type[Message]]) -> _Told | None:
        """What M endpoints answer to a query under the first name that they know; None if they know none."""
        for path in paths:
            call = abci_call(f"{self._settings.query_service}/{path}", request)

            async def ask(endpoint: RpcEndpoint, call: RpcCall = call) -> list[_Told | None]:
                (answer,) = await endpoint.call([call])
                return [self._parse(answer, endpoint, kinds)]

            (verdict,) = await self._pool.vote(ask, at_tip=True)
            if verdict.value is not None:
                return verdict.value
            if verdict.is_disputed:
                raise self._disagreement(path)
        return None

    def _parse(self, answer: Any, endpoint: RpcEndpoint, kinds: Sequence[type[Message]]) -> _Told | None:
        response = parse_abci(answer, endpoint)
        if response.code:
            if _UNKNOWN_PATH in response.log:
                return None
            if _NOT_FOUND in response.log.lower():
                return _Told(())
            shown = response.log[:_MAX_SHOWN_CHARACTERS]
            raise RpcUnavailable(f"{endpoint.label} refuses the query: {shown}")
        for kind in kinds:
            try:
                decoded: Any = kind.decode(response.value, is_lenient=True)
            except MalformedProtobuf:
                continue
            stored = decoded.messages if hasattr(decoded, "messages") else [decoded.message]
            read = [read_stored(each, self._settings.names) for each in stored if each is not None]
            return _Told(tuple(message for message in read if message is not None))
        # It numbers fields otherwise than anybody wrote down.
        return None

    async def _ask_evm(self, message_id: str) -> _Told | None:
        told: list[_Told | None] = []
        for endpoint in self._evm:
            (answer,) = await endpoint.call([RpcCall(_GET_MESSAGE, [message_id])])
            if isinstance(answer, RpcFault):
                if answer.code == _METHOD_NOT_FOUND:
                    told.append(None)
                elif _NOT_FOUND in f"{answer.message} {answer.data}".lower():
                    told.append(_Told(()))
                else:
                    require_result(answer, endpoint)
            else:
                message = None if answer is None else read_json(answer, self._settings.names)
                told.append(_Told(() if message is None else (message,)))
        # SECURITY: one of several endpoints that says something else is not outvoted here: nobody is believed.
        if any(one != told[0] for one in told):
            raise self._disagreement(message_id)
        return told[0] if told else None

    def _require_next(self, last: ToldBlock | None, block: ToldBlock) -> None:
        # SECURITY: what is in a block of such a chain is final. Two of one height, and nothing is to be believed.
        if last is not None and block.stamp.parent_hash != last.stamp.ref.hash:
            ref = last.stamp.ref
            raise ReorgBelowFinality(self._name, ref.number, ref.hash, block.stamp.parent_hash)

    def _disagreement(self, what: str) -> RpcDisagreement:
        return RpcDisagreement(f"{self._name}: no {self._pool.quorum} endpoints agree on {what}")

    def _unanswered(self, what: str) -> RejectedError:
        return RejectedError(f"{self._name}: no endpoint answers questions for {what}")


@asynccontextmanager
async def open_chain(settings: CrossVmChainSettings) -> AsyncIterator[CrossVmChain]:
    """Connect, and let go at the end. The chain is the one that the first endpoint names.

    Raises:
        ConfigError: an endpoint is named twice, or serves another chain.
        RpcUnavailable: the first endpoint does not answer.
    """
    if not settings.urls or not are_distinct(settings.urls):
        raise ConfigError(["name one node of the chain or several different ones"])
    if not 0 <= settings.quorum <= len(settings.urls):
        raise ConfigError([f"{settings.quorum} of {len(settings.urls)} nodes cannot agree"])
    async with open_session() as session:
        endpoints = [
            RpcEndpoint(session, url, number, settings.request_seconds, limits=LIMITS)
            for number, url in enumerate(settings.urls)
        ]
        evm = [
            RpcEndpoint(session, url, len(endpoints) + number, settings.request_seconds)
            for number, url in enumerate(settings.evm_urls)
        ]
        (answer,) = await endpoints[0].call([STATUS_CALL])
        network = parse_text(parse_member(require_result(answer, endpoints[0]), "node_info", "network"))
        chain = Chain(Namespace.COSMOS, network.encode())
        pool = EndpointPool(
            endpoints,
            settings.quorum or len(endpoints),
            chain_probe(chain),
            settings.request_seconds,
            clock=time.monotonic,
            jitter=random.random,
        )
        if foreign := await pool.find_foreign():
            raise ConfigError([f"{label} does not serve {chain}, as the first node does" for label in foreign])
        hints = HeadHints(
            session, network, settings.ws_urls, NEW_BLOCKS, settings.block_seconds, asyncio.sleep, random.random
        )
        yield CrossVmChain(settings, pool, evm, hints, network)
