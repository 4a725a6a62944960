"""Nodes that consist of nothing but their peer side, over real loopback HTTP, and a clock that tests move."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from attestation.keccak import keccak256
from attestation.schemes import SECP256K1, SigningKey
from attestation.statement import Statement
from relayer.api.app import create_app
from relayer.api.server import ApiServer
from relayer.domain.batch import Batch
from relayer.errors import PeerMessageInvalid
from relayer.keys.local_signer import LocalSigner
from relayer.observability.metrics import Metrics
from relayer.peers.client import HttpPeers, PeerAddress
from relayer.peers.doorkeeper import Doorkeeper
from relayer.peers.wire import Head, MessageKind, SignedHead, network_id
from relayer.ports.node_status import ChainStatus, PeerHead, PeerStatus
from relayer.ports.peers import AttestationPage
from relayer.ports.signer import Attestation
from relayer.store.memory import MemoryGuard, MemoryStore
from tests.factories import LONG_KEYS, NOW, ROUTES, SIGNING_KEYS, attest

NETWORK = network_id("test network")
STRANGER = SECP256K1.signing_key(b"\x99" * 32)
KNOWN_KEYS = (*SIGNING_KEYS, *LONG_KEYS)


class MovedClock:
    """Stands still until it is moved; who sleeps wakes when it has passed."""

    def __init__(self) -> None:
        self._now = NOW
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def sleepers(self) -> int:
        return len(self._sleepers)

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        await woken

    def move(self, seconds: float) -> None:
        self._now += seconds
        for at, woken in self._sleepers:
            if at <= self._now and not woken.done():
                woken.set_result(None)
        self._sleepers = [(at, woken) for at, woken in self._sleepers if not woken.done()]


class KeptInbox:
    """Verifies and keeps what arrives, and serves what its node signed."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Attestation]] = []
        self.own: list[Attestation] = []
        self.batches: dict[bytes, Batch] = {}
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.inside = 0
        self.most_inside = 0
        self.calls = 0

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        self.calls += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.go_on.wait()
            for attestation in attestations:
                known = self.batches.get(attestation.root)
                key = next(key for key in KNOWN_KEYS if key.key == sender)
                if known is not None and attest(known, key, attestation.epoch) != attestation:
                    raise PeerMessageInvalid("the attestation does not verify")
            self.received += [(sender, attestation) for attestation in attestations]
        finally:
            self.inside -= 1

    async def load_statements(self, root: bytes) -> Sequence[Statement] | None:
        batch = self.batches.get(root)
        return None if batch is None else batch.statements

    async def load_own_attestations(self, cursor: str, limit: int) -> AttestationPage:
        if cursor and not cursor.isdigit():
            raise PeerMessageInvalid("the cursor is not one of ours")
        start = int(cursor or 0)
        page = tuple(self.own[start : start + limit])
        return AttestationPage(page, str(start + len(page)), is_end=len(page) < limit)


@dataclass
class SeenStatus:
    """A node without chains."""

    key: bytes
    peer_key: bytes
    version: str = "0"
    started_at: float = NOW
    last_beat_at: float = NOW
    store_fault: str = ""

    def chains(self) -> Sequence[ChainStatus]:
        return ()

    def peers(self) -> Sequence[PeerStatus]:
        return ()


@dataclass
class Node:
    """One node. `url` is where it listens."""

    key: SigningKey
    peer_key: SigningKey
    clock: MovedClock
    inbox: KeptInbox
    metrics: Metrics
    doorkeeper: Doorkeeper
    server: ApiServer
    heads: list[PeerHead] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.key.key, self.peer_key.key, self.url)

    def refused(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("xvm_peer_messages_refused_total", {"reason": reason}) or 0.0


@asynccontextmanager
async def listening(
    key: SigningKey,
    clock: MovedClock,
    *,
    signers: Mapping[bytes, bytes] | None = None,
    peer_key: SigningKey | None = None,
    port: int = 0,
    idle_seconds: float = 30.0,
    max_connections: int = 200,
    max_connections_per_address: int = 200,
) -> AsyncIterator[Node]:
    """A node that listens; its peers are the other three of `SIGNING_KEYS`, unless said (signers by peer key)."""
    inbox, metrics, heads = KeptInbox(), Metrics(), list[PeerHead]()
    others = {other.key: other.key for other in SIGNING_KEYS if other is not key} if signers is None else signers
    heard = list[bytes]()
    doorkeeper = Doorkeeper(
        signer=LocalSigner(key, MemoryGuard(), peer_key),
        network=NETWORK,
        signers=others,
        inbox=inbox,
        heads=lambda: heads,
        heard=heard.append,
        clock=clock,
    )
    status = SeenStatus(key.key, (peer_key or key).key)
    app = create_app(
        store=MemoryStore(),
        routes=ROUTES,
        status=status,
        door=doorkeeper,
        commands={},
        vm_names={"eip155": "evm"},
        gateways={},
        metrics=metrics,
        clock=clock,
    )
    server = ApiServer(
        app,
        metrics,
        host="127.0.0.1",
        port=port,
        idle_seconds=idle_seconds,
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
    )
    async with server:
        yield Node(key, peer_key or key, clock, inbox, metrics, doorkeeper, server, heads, heard)


@asynccontextmanager
async def reaching(
    key: SigningKey,
    clock: MovedClock,
    *peers: PeerAddress,
    peer_key: SigningKey | None = None,
    network: bytes = NETWORK,
    metrics: Metrics | None = None,
    is_running: bool = True,
) -> AsyncIterator[HttpPeers]:
    """The client side of the node with this key. Its tasks run, unless said."""
    client = HttpPeers(
        signer=LocalSigner(key, MemoryGuard(), peer_key),
        network=network,
        peers=peers,
        clock=clock,
        metrics=metrics or Metrics(),
        jitter=lambda: 1.0,
    )
    async with client:
        running = asyncio.ensure_future(client.run()) if is_running else None
        try:
            yield client
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait([running])


@asynccontextmanager
async def impostor(answer: Callable[[bytes], bytes | web.StreamResponse]) -> AsyncIterator[str]:
    """A server that answers messages as it likes: somebody on the line. Yields its URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        result = answer(await request.read())
        return web.Response(body=result) if isinstance(result, bytes) else result

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/peer", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


def message(
    signer: SigningKey, recipient: bytes, kind: MessageKind = MessageKind.PING, body: bytes = b"", **changes: object
) -> bytes:
    """A message as an honest relayer makes it at `NOW`. `changes` are fields of its head, made before it is signed."""
    head = Head(
        kind=kind,
        is_answer=False,
        network=NETWORK,
        sender=signer.key,
        recipient=recipient,
        sent_at_milliseconds=int(NOW * 1000),
        reference=secrets.token_bytes(32),
        body_length=len(body),
        body_hash=keccak256(body),
    )
    head = replace(head, **changes)  # type: ignore[arg-type]
    return SignedHead(head, signer.sign(head.digest())).to_bytes() + body


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop its turns until the condition holds, five seconds at the most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the condition is another task's plain state
            await asyncio.sleep(0)
