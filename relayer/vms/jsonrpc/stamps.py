"""What endpoints must agree on about a block's header, and who can tell it.

Its job: the one shape in which readers of headers speak of them, whatever their chain calls its parts. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import Verdict


class Stamp(NamedTuple):
    """A header, as far as it matters. `timestamp` in seconds."""

    ref: BlockRef
    parent_hash: bytes
    timestamp: int


class Reach(NamedTuple):
    """The lowest and the highest height of which M endpoints have the blocks between."""

    first: int
    tip: int


class Headers(Protocol):
    """A chain's headers, by height. Both raise `RpcUnavailable`."""

    async def vote(self, numbers: Sequence[int]) -> tuple[Verdict[Stamp], ...]:
        """The headers at these heights as M endpoints give them."""
        ...

    async def fetch_reach(self) -> Reach:
        """How far back and how far on M endpoints are."""
        ...


async def fetch_stamps(headers: Headers, numbers: Sequence[int]) -> list[Stamp]:
    """The headers at these heights, all of them. Raises `RpcUnavailable` if M endpoints do not agree on each."""
    stamps = [verdict.value for verdict in await headers.vote(numbers) if verdict.value is not None]
    if len(stamps) != len(numbers):
        raise RpcUnavailable(f"the endpoints have no blocks {numbers[0]} to {numbers[-1]} in common")
    return stamps
