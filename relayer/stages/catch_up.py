"""Asks peers for what a lost push would have told.

Its job: follow each peer's own attestations by cursor, so that a node that was down, or a peer whose push was lost,
still comes to the same certificates. The cursor on disk only passes what is stored here; a page that names batches not
born here yet is read again. While rounds bring nothing new, and nothing that this node signed lacks its quorum, they
are seldom: each asks every peer.
"""

from __future__ import annotations

import asyncio

import structlog

from relayer.domain.signers import signer_text
from relayer.errors import PeerMessageInvalid, PeerUnavailable
from relayer.ports.store import Commit
from relayer.stages.desk import Desk
from relayer.stages.inbox import Inbox

_PAGES_PER_ROUND = 20
"""Pages read from one peer before the next one's turn: a peer far ahead must not starve the others."""

_QUIET_ROUNDS = 12
"""Of `catch_up_seconds`, from a round that brought nothing to the next one if nothing else calls for it: what a lost
push can hide for that long is only what was not needed for a quorum."""

_log = structlog.get_logger(__name__)


class CatchUpStage:
    """One per node."""

    name = "catch_up"
    chain = ""

    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self._desk = desk
        self._inbox = inbox
        self._stuck_since: dict[tuple[bytes, str], float] = {}
        self._up: set[bytes] = set()
        self._is_quiet = False

    async def wait(self) -> None:
        """Until the next round."""
        for _ in range(_QUIET_ROUNDS):
            await self._desk.bells.catch_up.wait(self._desk.settings.catch_up_seconds)
            if self._is_called_for():
                return

    def _is_called_for(self) -> bool:
        """Whether peers may well have something new: the last round was told that, one came up, or a quorum is late."""
        desk = self._desk
        up = {key for key in desk.peers.keys if desk.peers.is_up(key)}
        came_up, self._up = up - self._up, up
        oldest = next(iter(desk.signed_at.values()), desk.clock.now())
        is_late = desk.clock.now() - oldest >= desk.settings.catch_up_seconds
        return not self._is_quiet or bool(came_up) or is_late

    async def run_once(self) -> bool:
        """One round over all peers, side by side."""
        taken = self._inbox.taken
        following = [self._follow(key) for key in self._desk.peers.keys]
        # All to their end: none goes on behind the back of a step that failed.
        for failure in await asyncio.gather(*following, return_exceptions=True):
            if failure is not None:
                raise failure
        self._is_quiet = self._inbox.taken == taken and not self._stuck_since
        return False

    async def _follow(self, key: bytes) -> None:
        desk = self._desk
        cursor = await desk.store.load_peer_cursor(key)
        try:
            for _ in range(_PAGES_PER_ROUND):
                page = await desk.peers.fetch_attestations(key, cursor)
                pending = await self._inbox.take_in(key, page.attestations)
                if pending and not self._is_overdue(key, cursor):
                    return
                self._stuck_since.pop((key, cursor), None)
                if page.cursor != cursor:
                    async with desk.writing:
                        await desk.commit(Commit(peer_cursors=((key, page.cursor),)))
                cursor = page.cursor
                if page.is_end:
                    return
        except PeerUnavailable:
            return  # heartbeats say who is down; the cursor stays where it is
        except PeerMessageInvalid as error:
            _log.warning("peer_attestations_refused", peer=signer_text(key), reason=str(error))

    def _is_overdue(self, key: bytes, cursor: str) -> bool:
        """Whether this page has waited for unknown batches so long that they are the peer's alone."""
        now = self._desk.clock.now()
        since = self._stuck_since.setdefault((key, cursor), now)
        return now - since > self._desk.settings.unknown_root_seconds
