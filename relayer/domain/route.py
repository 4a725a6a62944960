"""Which gateway's requests go where.

Its job: the routes that a relayer serves, looked up by the bytes that requests and receipts carry. A request whose
route is not here is rejected; nothing else makes a route.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from attestation.request import Mode


@dataclass(frozen=True, slots=True)
class Route:
    """One direction between two chains, for one mode. Chains in CAIP-2 text, gateways as ERC-7930 bytes.

    `key` is sourceGateway ‖ destinationGateway for CALL, sourceGateway ‖ the chain-only address of the destination for
    QUERY. A QUERY needs no gateway on its destination: `destination_gateway` is empty.
    """

    key: bytes
    mode: Mode
    source_chain: str
    destination_chain: str
    source_gateway: bytes
    destination_gateway: bytes


class RouteTable:
    """The routes by key. Immutable after construction."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_key = {route.key: route for route in routes}

    def get(self, key: bytes) -> Route | None:
        """The route with this key, or None: requests on it cannot end here."""
        return self._by_key.get(key)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._by_key.values())
