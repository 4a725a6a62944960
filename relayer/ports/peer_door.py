"""Where messages of peers come in.

Its job: what the API needs to know to let a peer's message in: show the head, be refused or admitted, hand over the
body, carry back the answer. Formats, signatures and limits are behind it; sockets and timeouts are in front of it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Final, Protocol

from relayer.errors import PeerMessageInvalid

PEER_PATH: Final = "/v1/peer"
"""Where a relayer takes messages of its peers, below its public URL. POST, one message a request."""

PEER_MEDIA_TYPE: Final = "application/octet-stream"
"""Of messages and answers."""


class Refusal(StrEnum):
    """Why a message was not taken. Metric labels and answers to the sender: names are only ever added."""

    MALFORMED = "malformed"
    OVERSIZE = "oversize"
    OTHER_NETWORK = "other_network"
    OTHER_RECIPIENT = "other_recipient"
    UNKNOWN_SENDER = "unknown_sender"
    CLOCK_SKEW = "clock_skew"
    REPLAYED = "replayed"
    FORGED = "forged"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    CUT = "cut"
    INVALID = "invalid"


class PeerMessageRefused(PeerMessageInvalid):
    """The message was not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the peer message was refused: {refusal}")
        self.refusal = refusal


class Visit(Protocol):
    """One admitted message."""

    @property
    def body_length(self) -> int:
        """How many bytes follow the head: the signed word of the sender, within the limits."""
        ...

    async def answer(self, body: bytes) -> bytes:
        """Take the message in and give the answer to send back. Raises `PeerMessageRefused`."""
        ...


class PeerDoor(Protocol):
    """The way in."""

    @property
    def head_length(self) -> int:
        """Bytes of a message's head, which always comes first."""
        ...

    @property
    def max_body_length(self) -> int:
        """Bytes of the longest body that may follow it."""
        ...

    def admit(self, head: bytes) -> AbstractContextManager[Visit]:
        """Verify a head. Within the context the visit holds one of its sender's few places.

        The body is worth reading only after this: who sent the head is known then. Entering raises
        `PeerMessageRefused`.
        """
        ...
