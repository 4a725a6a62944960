"""Lets the messages of peers in.

Its job: decide by the head alone who may hand over a body, spend as little as possible on strangers, keep every peer
within its limits, and answer in this node's name. It opens no socket, and it believes a peer about nothing: what a body
claims is the inbox's to verify.

What a message costs before it is refused: a stranger's, or one for somebody else, a comparison or two; one that claims
to be of a peer, one signature check (some 50 µs); only the head of a true peer lets a body be read.

Answers are signed like requests and refer to the request's digest, so that a client behind a hostile network can tell
what its peer said, and said now, from everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, assert_never

import structlog

from attestation.keccak import keccak256
from relayer.errors import PeerMessageInvalid
from relayer.peers.bodies import (
    MAX_ATTESTATIONS,
    MAX_REQUEST_BODY_BYTES,
    ROOT_LENGTH,
    encode_heads,
    encode_page,
    encode_statements_answer,
    parse_attestations,
    parse_cursor,
)
from relayer.peers.limits import (
    BYTES_BURST,
    BYTES_PER_SECOND,
    MAX_CONCURRENT_VISITS,
    MESSAGES_BURST,
    MESSAGES_PER_SECOND,
    ReplayWindow,
    TokenBucket,
)
from relayer.peers.wire import (
    HEAD_LENGTH,
    MAX_BODY_BYTES,
    MAX_CLOCK_SKEW_SECONDS,
    NETWORK_LENGTH,
    Head,
    MessageKind,
    SignedHead,
    parse_head,
)
from relayer.ports.clock import Clock
from relayer.ports.node_status import PeerHead
from relayer.ports.peer_door import PeerMessageRefused, Refusal
from relayer.ports.peers import PeerInbox
from relayer.ports.signer import Signer

_MILLISECONDS: Final = 1000

_FETCHES: Final = frozenset({MessageKind.FETCH_ATTESTATIONS, MessageKind.FETCH_STATEMENTS})

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Guest:
    """What is remembered of one configured peer, which tells the attestations of `signer` (a public key)."""

    signer: bytes
    messages: TokenBucket = field(default_factory=lambda: TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST))
    bytes: TokenBucket = field(default_factory=lambda: TokenBucket(BYTES_PER_SECOND, BYTES_BURST))
    answers: TokenBucket = field(default_factory=lambda: TokenBucket(BYTES_PER_SECOND, BYTES_BURST))
    window: ReplayWindow = field(default_factory=ReplayWindow)
    visits: int = 0


class Doorkeeper:
    """Implements the port `PeerDoor`.

    `signers` names, by each peer's 20-byte key, the signer whose attestations it tells; `heads` tells what a ping is
    answered with; `heard` is told the signer whose peer has said something, whatever it was.
    """

    def __init__(
        self,
        *,
        signer: Signer,
        network: bytes,
        signers: Mapping[bytes, bytes],
        inbox: PeerInbox,
        heads: Callable[[], Sequence[PeerHead]],
        heard: Callable[[bytes], None],
        clock: Clock,
    ) -> None:
        if len(network) != NETWORK_LENGTH:
            raise ValueError(f"a network id has {NETWORK_LENGTH} bytes")
        self._signer = signer
        self._network = network
        self._guests = {key: _Guest(signer) for key, signer in signers.items()}
        self._inbox = inbox
        self._heads = heads
        self._heard = heard
        self._clock = clock

    @property
    def head_length(self) -> int:
        """Bytes of a message's head, which always comes first."""
        return HEAD_LENGTH

    @property
    def max_body_length(self) -> int:
        """Bytes of the longest body that may follow it."""
        return MAX_BODY_BYTES

    @contextmanager
    def admit(self, head: bytes) -> Iterator[_Visit]:
        """Verify a head; within the context the visit holds one of its sender's places. Raises `PeerMessageRefused`."""
        now = self._clock.now()
        try:
            signed = parse_head(head)
        except PeerMessageInvalid as error:
            raise PeerMessageRefused(Refusal.MALFORMED) from error
        guest = self._find_guest(signed.head, now)
        digest = signed.head.digest()
        # SECURITY: a recorded message works once. (After a restart once more; taking it in twice changes nothing.)
        if not guest.window.is_fresh(signed.head.sent_at_milliseconds, digest):
            raise PeerMessageRefused(Refusal.REPLAYED)
        try:
            signed.verify(digest)
        except PeerMessageInvalid as error:
            raise PeerMessageRefused(Refusal.FORGED) from error
        # SECURITY: only what is signed, fresh and new: a stranger, or a recording, would keep a dead peer up.
        self._heard(guest.signer)
        self._charge(guest, signed.head, digest, now)
        guest.visits += 1
        try:
            yield _Visit(self, signed.head, digest)
        finally:
            guest.visits -= 1

    def _find_guest(self, head: Head, now: float) -> _Guest:
        """The peer that claims to have sent this head, now, to this node. It costs no cryptography."""
        # SECURITY: an answer is never taken for a request: anybody could replay those that we caused.
        if head.is_answer:
            raise PeerMessageRefused(Refusal.MALFORMED)
        if head.body_length > MAX_REQUEST_BODY_BYTES[head.kind]:
            raise PeerMessageRefused(Refusal.OVERSIZE)
        # SECURITY: what was sent to another network or another relayer is not repeated here.
        if head.network != self._network:
            raise PeerMessageRefused(Refusal.OTHER_NETWORK)
        if head.recipient != self._signer.peer_key:
            raise PeerMessageRefused(Refusal.OTHER_RECIPIENT)
        # SECURITY: before any cryptography: strangers cost one look-up.
        guest = self._guests.get(head.sender)
        if guest is None:
            raise PeerMessageRefused(Refusal.UNKNOWN_SENDER)
        # SECURITY: bounds how long a recorded message stays dangerous, and so how many must be remembered.
        if abs(head.sent_at_milliseconds / _MILLISECONDS - now) > MAX_CLOCK_SKEW_SECONDS:
            raise PeerMessageRefused(Refusal.CLOCK_SKEW)
        return guest

    def _charge(self, guest: _Guest, head: Head, digest: bytes, now: float) -> None:
        """Take the message from the peer's shares.

        SECURITY: only verified messages are charged, or anybody could use up a peer's shares in its name.
        """
        if guest.visits >= MAX_CONCURRENT_VISITS:
            raise PeerMessageRefused(Refusal.BUSY)
        is_within = guest.messages.has(1.0, now) and guest.bytes.has(head.body_length, now)
        # Who fetched too much waits with fetching; its pings and pushes are taken.
        if not is_within or (head.kind in _FETCHES and not guest.answers.has(0.0, now)):
            raise PeerMessageRefused(Refusal.RATE_LIMITED)
        guest.messages.take(1.0)
        guest.bytes.take(head.body_length)
        oldest = int((now - MAX_CLOCK_SKEW_SECONDS) * _MILLISECONDS)
        guest.window.remember(head.sent_at_milliseconds, digest, oldest)

    async def take_in(self, head: Head, digest: bytes, body: bytes) -> bytes:
        """What a visit does once its body is there."""
        # SECURITY: the signature covers the body by this hash alone.
        if not head.is_body(body):
            raise PeerMessageRefused(Refusal.CUT)
        try:
            answer = await self._answer(head, body)
        except PeerMessageInvalid as error:
            _log.warning("peer_message_invalid", peer=head.sender, kind=head.kind.name, reason=str(error))
            raise PeerMessageRefused(Refusal.INVALID) from error
        # SECURITY: a short question may have a long answer: what is read and sent for a peer is at its expense.
        self._guests[head.sender].answers.take(len(answer))
        answer_head = Head(
            kind=head.kind,
            is_answer=True,
            network=self._network,
            sender=self._signer.peer_key,
            recipient=head.sender,
            sent_at_milliseconds=int(self._clock.now() * _MILLISECONDS),
            reference=digest,
            body_length=len(answer),
            body_hash=keccak256(answer),
        )
        signature = self._signer.sign_peer_message(*answer_head.signed_parts())
        return SignedHead(answer_head, signature).to_bytes() + answer

    async def _answer(self, head: Head, body: bytes) -> bytes:
        match head.kind:
            case MessageKind.PING:
                return encode_heads(self._heads())
            case MessageKind.ATTESTATIONS:
                # SECURITY: whose they are the configuration says, by the key that signed the head: a list can speak for
                # nobody but its sender.
                signer = self._guests[head.sender].signer
                await self._inbox.receive_attestations(signer, parse_attestations(body, signer))
                return b""
            case MessageKind.FETCH_ATTESTATIONS:
                return encode_page(await self._inbox.load_own_attestations(parse_cursor(body), MAX_ATTESTATIONS))
            case MessageKind.FETCH_STATEMENTS:
                if len(body) != ROOT_LENGTH:
                    raise PeerMessageInvalid(f"a root has {ROOT_LENGTH} bytes")
                return encode_statements_answer(await self._inbox.load_statements(body))
            case _:
                assert_never(head.kind)


class _Visit:
    """Implements the port `Visit`."""

    __slots__ = ("_digest", "_doorkeeper", "_head")

    def __init__(self, doorkeeper: Doorkeeper, head: Head, digest: bytes) -> None:
        self._doorkeeper = doorkeeper
        self._head = head
        self._digest = digest

    @property
    def body_length(self) -> int:
        """How many bytes follow the head."""
        return self._head.body_length

    async def answer(self, body: bytes) -> bytes:
        """Take the message in and give the answer to send back. Raises `PeerMessageRefused`."""
        return await self._doorkeeper.take_in(self._head, self._digest, body)
