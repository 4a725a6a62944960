"""The other relayers of the network, as this one reaches and hears them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from attestation.statement import Statement
from relayer.ports.signer import Attestation


@dataclass(frozen=True, slots=True)
class AttestationPage:
    """A peer's own attestations from a cursor on, oldest first, and the cursor to go on from.

    `is_end` when there was no more at the time. A cursor is opaque, at most 64 bytes of text; "" starts at the oldest.
    """

    attestations: tuple[Attestation, ...]
    cursor: str
    is_end: bool


class Peers(Protocol):
    """Reaching out. Peers are named by the signer keys that the configuration binds to them."""

    @property
    def keys(self) -> Sequence[bytes]:
        """All configured peers, this node not among them."""
        ...

    def is_up(self, key: bytes) -> bool:
        """Whether the peer answered within the last heartbeats."""
        ...

    async def push(self, attestations: Sequence[Attestation], first: Collection[bytes] | None = None) -> None:
        """Tell every peer, as one exchange each. Never raises: a peer that is down catches up by cursor.

        With `first`, only these are told at once, the others soon, with whatever else there is to tell them by then.
        """
        ...

    async def fetch_attestations(self, key: bytes, cursor: str) -> AttestationPage:
        """The peer's own attestations from `cursor` on. Raises `PeerUnavailable`, `PeerMessageInvalid`."""
        ...

    async def fetch_statements(self, key: bytes, root: bytes) -> Sequence[Statement]:
        """The statements under a root that the peer signed; checked to hash to it. Raises as above."""
        ...


class PeerInbox(Protocol):
    """Being reached. The peer API calls this with messages that are already known to come from the peer of a signer.

    `sender` is that signer's key.
    """

    async def receive_attestations(self, sender: bytes, attestations: Sequence[Attestation]) -> None:
        """Take in a peer's attestations, each verified here; one that does not verify is counted and left out.

        Bounded: excess is dropped, not queued.
        """
        ...

    async def load_statements(self, root: bytes) -> Sequence[Statement] | None:
        """The statements under a root that this node signed, or None."""
        ...

    async def load_own_attestations(self, cursor: str, limit: int) -> AttestationPage:
        """This node's own attestations from `cursor` on."""
        ...
