"""Reaches the other relayers over HTTP.

Its job: one kept-open session, one sending task and one heartbeat a peer. It pushes, asks and believes nothing that is
not signed; what is signed is still the inbox's and the caller's to verify in content.

What it costs does not grow with the square of the peers where it need not: who submits first is told at once, the
others with all else that comes up in a heartbeat's time; whoever answered or said something in that time is not pinged;
and all pings together have a rate.

What a man in the middle can do is to be silent. Requests are signed, name their recipient and work once. Answers are
signed too and carry the digest of the very request (which has 32 random bytes): an answer of another peer, to another
question, or of another time is refused. Beyond that, statements are checked against their root, and attestations are
signatures in themselves: no transport can feed us leaves. A bare HTTP error is nobody's word; it counts as no answer.
Nothing of this rests on TLS, and nothing in these messages is secret; an https URL hides who talks of what.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import aiohttp
import structlog

from attestation.keccak import keccak256
from attestation.statement import Statement
from relayer.errors import PeerMessageInvalid, PeerUnavailable, RelayerError
from relayer.observability.metrics import Metrics, peer_label
from relayer.peers.bodies import (
    MAX_ANSWER_BODY_BYTES,
    MAX_ATTESTATIONS,
    encode_attestations,
    encode_cursor,
    parse_heads,
    parse_page,
    parse_statements_answer,
)
from relayer.peers.outgoing import OutgoingQueue
from relayer.peers.wire import HEAD_LENGTH, NETWORK_LENGTH, REFERENCE_LENGTH, Head, MessageKind, SignedHead, parse_head
from relayer.ports.clock import Clock
from relayer.ports.node_status import PeerHead, PeerStatus
from relayer.ports.peer_door import PEER_MEDIA_TYPE, PEER_PATH
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation, Signer

HEARTBEAT_SECONDS: Final = 2.0
"""Between pings of a peer that says nothing else: one that stopped is known to be down after two of them, before the
second rank after it acts."""

PINGS_PER_SECOND: Final = 4.0
"""To all peers together: beyond eight of them the time between two pings of one grows with their number."""

HEADS_SECONDS: Final = 10.0
"""How old a peer's heads may grow: only pings bring them. For people."""

FAILURES_UNTIL_DOWN: Final = 2
"""Pings in a row without an answer: one may be lost on the way."""

EXCHANGE_SECONDS: Final = 5.0
"""For one whole exchange, 1 MiB either way included. A slower peer is no help to a quorum."""

PING_SECONDS: Final = 2.0
"""For a ping and its answer: a peer that hangs is as down as one that refuses."""

CONNECT_SECONDS: Final = 2.0
"""Of these, for opening a connection."""

IDLE_SECONDS: Final = 15.0
"""An unused connection is closed after this long: before the server would, so that no request meets a closed one."""

CONNECTIONS_PER_PEER: Final = 4
"""One pushes, one pings, one catches up, one asks for statements."""

BACKOFF_FIRST_SECONDS: Final = 0.1
BACKOFF_CAP_SECONDS: Final = 5.0
"""Between tries to push; capped so that a peer which comes back is served at once."""

_EXCHANGE_TIMEOUT: Final = aiohttp.ClientTimeout(total=EXCHANGE_SECONDS, sock_connect=CONNECT_SECONDS)
_PING_TIMEOUT: Final = aiohttp.ClientTimeout(total=PING_SECONDS)
_MILLISECONDS: Final = 1000
_GIVE_UP_STATUSES: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""A push that the peer refuses for what it says would be refused again, and would hold up what comes after it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A configured peer.

    Whose attestations it tells, by the signer's public key; the 20-byte peer key that its messages are signed with; and
    the public URL below which it serves, without a path's end.
    """

    signer: bytes
    peer_key: bytes
    url: str


class _Refused(PeerUnavailable):
    """The peer's address refuses this message for what it says."""


@dataclass(slots=True)
class _Peer:
    """One peer and what is known of it."""

    address: PeerAddress
    label: str
    queue: OutgoingQueue = field(default_factory=OutgoingQueue)
    last_answer_at: float = 0.0
    heard_at: float = 0.0
    heads_at: float = 0.0
    clock_offset_seconds: float = 0.0
    failures: int = 0
    is_up: bool = False
    heads: tuple[PeerHead, ...] = ()


class HttpPeers:
    """Implements the port `Peers`. Use it as an async context manager, and have `run` running within."""

    def __init__(
        self,
        *,
        signer: Signer,
        network: bytes,
        peers: Sequence[PeerAddress],
        clock: Clock,
        metrics: Metrics,
        jitter: Callable[[], float],
    ) -> None:
        """`network` is `wire.network_id`; `jitter` gives numbers in 0 to 1, such as `random.Random().random`."""
        if len(network) != NETWORK_LENGTH:
            raise ValueError(f"a network id has {NETWORK_LENGTH} bytes")
        self._signer = signer
        self._network = network
        self._clock = clock
        self._metrics = metrics
        self._jitter = jitter
        self._peers = {peer.signer: _Peer(peer, peer_label(peer.signer)) for peer in peers}
        self._heartbeat_seconds = max(HEARTBEAT_SECONDS, len(self._peers) / PINGS_PER_SECOND)
        self._session: aiohttp.ClientSession | None = None
        for peer in self._peers.values():
            metrics.peer_up.labels(peer.label).set(0)

    async def __aenter__(self) -> Self:
        """Open the session; connections are made when they are needed."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=CONNECTIONS_PER_PEER, keepalive_timeout=IDLE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # SECURITY: a small compressed answer could grow beyond every limit while it is unpacked.
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close all connections. What is queued is lost; peers fetch it by cursor."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def keys(self) -> Sequence[bytes]:
        """The signer keys of all configured peers, this node not among them."""
        return tuple(self._peers)

    def is_up(self, key: bytes) -> bool:
        """Whether the peer answered or spoke within the last two heartbeats. False for whoever is no peer."""
        peer = self._peers.get(key)
        return peer is not None and peer.is_up

    def statuses(self) -> tuple[PeerStatus, ...]:
        """What is known of each peer, in the order of the configuration."""
        return tuple(
            PeerStatus(
                key=key,
                peer_key=peer.address.peer_key,
                url=peer.address.url,
                is_up=peer.is_up,
                last_answer_at=peer.last_answer_at,
                clock_offset_seconds=peer.clock_offset_seconds,
                queued=len(peer.queue),
                heads=peer.heads,
            )
            for key, peer in self._peers.items()
        )

    async def run(self) -> None:
        """Send what is queued and keep in touch, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for peer in self._peers.values():
                tasks.create_task(self._keep_sending(peer))
                tasks.create_task(self._keep_in_touch(peer))

    def note_heard(self, key: bytes) -> None:
        """The peer's own message came in, verified and fresh: it is up."""
        peer = self._peers[key]
        peer.heard_at = self._clock.now()
        self._mark_up(peer)

    async def push(self, attestations: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        """Queue for every peer; the sending tasks do the rest, one exchange for all that waits.

        Peers that are not among the `first` are told within a heartbeat; without `first` all are told at once.
        Never raises and never waits for a peer: a full queue drops its oldest, which the peer fetches by cursor.
        """
        for key, peer in self._peers.items():
            dropped = peer.queue.add(attestations, is_patient=first is not None and key not in first)
            if dropped:
                self._metrics.peer_queue_dropped.labels(peer.label).inc(dropped)

    async def fetch_attestations(self, key: bytes, cursor: str) -> AttestationPage:
        """The peer's own attestations from `cursor` on. Raises `PeerUnavailable`, `PeerMessageInvalid`."""
        answer = await self._exchange(self._peers[key], MessageKind.FETCH_ATTESTATIONS, encode_cursor(cursor))
        return parse_page(answer, key, cursor)

    async def fetch_statements(self, key: bytes, root: bytes) -> Sequence[Statement]:
        """The statements under a root that the peer signed; checked to hash to it.

        Raises:
            PeerUnavailable: no answer.
            PeerMessageInvalid: the answer is none, or the peer says that it has no such statements.
        """
        answer = await self._exchange(self._peers[key], MessageKind.FETCH_STATEMENTS, root)
        statements = parse_statements_answer(answer, root)
        if statements is None:
            raise PeerMessageInvalid("the peer does not serve the statements of this root")
        return statements

    async def _keep_sending(self, peer: _Peer) -> None:
        """Send what is queued, oldest first; try again what did not arrive, drop what is refused for its content."""
        failures = 0
        while True:
            attestations, mark = await peer.queue.first(MAX_ATTESTATIONS)
            try:
                await self._exchange(peer, MessageKind.ATTESTATIONS, encode_attestations(attestations))
            except _Refused as error:
                _log.warning("push_refused", peer=peer.label, count=len(attestations), reason=str(error))
            except (PeerUnavailable, PeerMessageInvalid):
                delay = min(BACKOFF_FIRST_SECONDS * 2.0 ** min(failures, 16), BACKOFF_CAP_SECONDS)
                failures += 1
                await self._clock.sleep(delay * (0.5 + self._jitter() / 2))
                continue
            failures = 0
            peer.queue.forget(mark)

    async def _keep_in_touch(self, peer: _Peer) -> None:
        while True:
            is_patient = peer.queue.is_patient
            if is_patient:
                peer.queue.hurry()  # and its answer is a heartbeat, but brings no heads
            if self._are_heads_old(peer) or (not is_patient and self._is_silent(peer)):
                await self._ping(peer)
            longest = self._heartbeat_seconds
            wait = longest if peer.failures else longest - self._silence(peer)
            await self._clock.sleep(max(wait, longest / 2))

    def _are_heads_old(self, peer: _Peer) -> bool:
        return self._clock.now() - peer.heads_at >= HEADS_SECONDS

    def _is_silent(self, peer: _Peer) -> bool:
        return self._silence(peer) >= self._heartbeat_seconds

    def _silence(self, peer: _Peer) -> float:
        """Seconds since the peer's last word."""
        return self._clock.now() - max(peer.last_answer_at, peer.heard_at)

    async def _ping(self, peer: _Peer) -> None:
        try:
            peer.heads = parse_heads(await self._exchange(peer, MessageKind.PING, b""))
        except (PeerUnavailable, PeerMessageInvalid) as error:
            peer.failures += 1
            if peer.failures >= FAILURES_UNTIL_DOWN:
                self._mark(peer, is_up=False, reason=str(error))
        else:
            peer.heads_at = self._clock.now()
            self._mark_up(peer)

    def _mark_up(self, peer: _Peer) -> None:
        peer.failures = 0
        self._mark(peer, is_up=True, reason="")

    def _mark(self, peer: _Peer, *, is_up: bool, reason: str) -> None:
        if peer.is_up is not is_up:
            peer.is_up = is_up
            self._metrics.peer_up.labels(peer.label).set(is_up)
            _log.info("peer_up" if is_up else "peer_down", peer=peer.label, url=peer.address.url, reason=reason)

    async def _exchange(self, peer: _Peer, kind: MessageKind, body: bytes) -> bytes:
        """One request and its verified answer's body. Raises `PeerUnavailable`, `PeerMessageInvalid`."""
        began = asyncio.get_running_loop().time()
        try:
            answer = await self._ask(peer, kind, body)
        except RelayerError as error:
            self._metrics.peer_exchanges.labels(peer.label, kind.name.lower(), error.code).inc()
            raise
        self._metrics.peer_exchanges.labels(peer.label, kind.name.lower(), "answered").inc()
        took = asyncio.get_running_loop().time() - began
        self._metrics.peer_exchange_duration.labels(peer.label, kind.name.lower()).observe(took)
        return answer

    async def _ask(self, peer: _Peer, kind: MessageKind, body: bytes) -> bytes:
        sent_at = self._clock.now()
        head = Head(
            kind=kind,
            is_answer=False,
            network=self._network,
            sender=self._signer.peer_key,
            recipient=peer.address.peer_key,
            sent_at_milliseconds=int(sent_at * _MILLISECONDS),
            reference=secrets.token_bytes(REFERENCE_LENGTH),
            body_length=len(body),
            body_hash=keccak256(body),
        )
        digest = head.digest()
        signature = self._signer.sign_peer_message(*head.signed_parts())
        message = SignedHead(head, signature).to_bytes() + body
        answer = await self._post(peer, kind, message)
        self._metrics.peer_bytes.labels(peer.label, "sent").inc(len(message))
        self._metrics.peer_bytes.labels(peer.label, "received").inc(len(answer))
        answer_head = self._verify_answer(peer, kind, digest, answer)
        received_at = self._clock.now()
        peer.last_answer_at = received_at
        # The answer was made about half way between sending and receiving.
        peer.clock_offset_seconds = answer_head.sent_at_milliseconds / _MILLISECONDS - (sent_at + received_at) / 2
        self._metrics.peer_clock_offset.labels(peer.label).set(peer.clock_offset_seconds)
        self._mark_up(peer)
        return answer[HEAD_LENGTH:]

    async def _post(self, peer: _Peer, kind: MessageKind, message: bytes) -> bytes:
        """The bytes of the answer to a message, at most as many as an answer of this kind can have."""
        if self._session is None:
            raise PeerUnavailable("the session is closed")
        limit = HEAD_LENGTH + MAX_ANSWER_BODY_BYTES[kind]
        try:
            async with self._session.post(
                f"{peer.address.url.rstrip('/')}{PEER_PATH}",
                data=message,
                headers={"Content-Type": PEER_MEDIA_TYPE, "Accept-Encoding": "identity"},
                timeout=_PING_TIMEOUT if kind is MessageKind.PING else _EXCHANGE_TIMEOUT,
                allow_redirects=False,  # SECURITY: nobody but the configured address is asked
            ) as response:
                if response.status != HTTPStatus.OK:
                    refused = _Refused if response.status in _GIVE_UP_STATUSES else PeerUnavailable
                    raise refused(f"the peer's address answers {response.status}")
                answer = b""
                # SECURITY: nobody makes us hold more than one answer can have.
                while len(answer) <= limit and (part := await response.content.read(limit + 1 - len(answer))):
                    answer += part
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PeerUnavailable(f"no answer: {type(error).__name__}") from error
        if len(answer) > limit:
            raise PeerMessageInvalid(f"the answer is longer than {limit} bytes")
        return answer

    def _verify_answer(self, peer: _Peer, kind: MessageKind, digest: bytes, answer: bytes) -> Head:
        """The head of an answer that is the peer's own, to this very request. Raises `PeerMessageInvalid`."""
        signed = parse_head(answer[:HEAD_LENGTH])
        head = signed.head
        expected = Head(
            kind=kind,
            is_answer=True,
            network=self._network,
            sender=peer.address.peer_key,
            recipient=self._signer.peer_key,
            sent_at_milliseconds=head.sent_at_milliseconds,
            reference=digest,
            body_length=len(answer) - HEAD_LENGTH,
            body_hash=keccak256(answer[HEAD_LENGTH:]),
        )
        # SECURITY: any other peer's answer, an answer to another question, or a changed body.
        if head != expected:
            raise PeerMessageInvalid("the answer is not the peer's to this request")
        # SECURITY: without it whoever sits on the line answers for the peer.
        signed.verify(head.digest())
        return head
