"""The network between the nodes: messages that are delivered when the scheduler says so, late, or never.

Its job: connect inboxes. A peer that is down does not answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from attestation.statement import Statement
from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.ports.peers import AttestationPage, PeerInbox
from relayer.ports.signer import Attestation
from tests.simulation.views import Gate

PAGE_LENGTH = 5
"""Small, so that catching up takes several pages."""


@dataclass(frozen=True)
class Message:
    """A push on its way."""

    sender: bytes
    recipient: bytes
    attestations: tuple[Attestation, ...]


class Mailbox(Protocol):
    """Whoever can be reached."""

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        ...

    @property
    def inbox(self) -> PeerInbox:
        """Its ear."""
        ...


class Network:
    """All nodes by signer key, and what is on its way between them."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, Mailbox] = {}
        self.on_the_way: list[Message] = []
        self.lies: dict[bytes, list[Attestation]] = {}
        """What a hostile peer puts before its own attestations when it is asked."""


class SimPeers:
    """One node's `Peers`."""

    def __init__(self, network: Network, key: bytes, gate: Gate) -> None:
        self._network = network
        self._key = key
        self._gate = gate

    @property
    def keys(self) -> Sequence[bytes]:
        """All but this one."""
        return [key for key in self._network.nodes if key != self._key]

    def is_up(self, key: bytes) -> bool:
        """As the heartbeats would say."""
        node = self._network.nodes.get(key)
        return node is not None and node.is_alive

    async def push(self, attestations: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        """On their way, to the first no sooner than to the others."""
        del first
        self._network.on_the_way += [Message(self._key, key, tuple(attestations)) for key in self.keys]

    async def fetch_attestations(self, key: bytes, cursor: str) -> AttestationPage:
        """One page, with the lies of a hostile peer on top."""
        inbox = await self._reach(key)
        page = await inbox.load_own_attestations(cursor, PAGE_LENGTH)
        lies = tuple(self._network.lies.get(key, ()))
        return AttestationPage((*lies, *page.attestations), page.cursor, page.is_end)

    async def fetch_statements(self, key: bytes, root: bytes) -> Sequence[Statement]:
        """What the peer built under a root."""
        inbox = await self._reach(key)
        statements = await inbox.load_statements(root)
        if statements is None:
            raise PeerMessageInvalid("the peer does not know the root that it signed")
        return statements

    async def _reach(self, key: bytes) -> PeerInbox:
        await self._gate.rpc()
        if not self.is_up(key):
            raise PeerUnavailable("the peer is down")
        return self._network.nodes[key].inbox
