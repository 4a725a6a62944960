"""Where a request comes from and goes to, as the text that rows are selected by.

Its job: CAIP-2 text from the ERC-7930 bytes that a request carries. What does not parse has the empty text: a malformed
request is kept for people to see, and no work is ever selected by an empty chain.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attestation.address import parse_interoperable_address
from attestation.errors import MalformedAddress
from relayer.domain.tracked import TrackedRequest

_KNOWN_ADDRESSES: Final = 1024
"""Gateways and chains are few; malformed requests may carry anything, and must not fill the memory."""


def source_chain_of(tracked: TrackedRequest) -> str:
    """CAIP-2 of the chain that the request was made on."""
    return _chain_text(tracked.request.source_gateway)


def destination_chain_of(tracked: TrackedRequest) -> str:
    """CAIP-2 of the chain that the request is for: the rest of its route is a gateway there, or that chain alone."""
    return _chain_text(tracked.route.removeprefix(tracked.request.source_gateway))


@lru_cache(maxsize=_KNOWN_ADDRESSES)
def _chain_text(address: bytes) -> str:
    try:
        return str(parse_interoperable_address(address).chain)
    except MalformedAddress:
        return ""
