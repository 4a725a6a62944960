"""Which account holds which pending request, as the gateway's own events named them.

Its job: to remember the newest of what was seen. SECURITY: it is a hint. Whoever uses it reads what stands there, and
it must be that very request.
"""

from __future__ import annotations

from typing import Final

from solders.pubkey import Pubkey

from attestation.request import RequestId

MAX_REMEMBERED: Final = 65_536
"""Requests: as many as wait for their outcomes at a busy gateway, of some 200 bytes each."""


class PendingPlaces:
    """Of one gateway's requests."""

    def __init__(self) -> None:
        self._known: dict[RequestId, Pubkey] = {}

    def note(self, request_id: RequestId, account: Pubkey) -> None:
        """The request's event named this account. The oldest is forgotten for it."""
        self._known[request_id] = account
        if len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]

    def find(self, request_id: RequestId) -> Pubkey | None:
        """The account of a request; None if it was not seen, or too long ago."""
        return self._known.get(request_id)
