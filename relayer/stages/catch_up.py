"""Asks peers for what a lost push would have told.

Its job: follow each peer's own attestations by cursor, so that a node that was down, or a peer whose push was lost,
still comes to the same certificates. The cursor on disk only passes what is stored here; a page that names batches not
born here yet is read again. Each round asks every peer: the less the last one brought, the longer until the next.
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

_WAITS_AFTER_NEWS = 3
"""Of `catch_up_seconds`, after a round that brought something: most of it was on its way here anyhow."""

_WAITS_AFTER_NOTHING = 12
"""After one that did not: what a lost push can hide for that long is only what was not needed for a quorum."""

_WAITS_FOR_LATE_QUORUM = 2
"""While something that this node signed lacks its quorum, and a round might bring it; one more after each in vain."""

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
        self._waits = 1
        self._rounds_in_vain = 0
        self._is_unread = False

    async def wait(self) -> None:
        """Until the next round."""
        for waits in range(1, self._waits + 1):
            await self._desk.bells.catch_up.wait(self._desk.settings.catch_up_seconds)
            is_late = waits >= _WAITS_FOR_LATE_QUORUM + self._rounds_in_vain and self._is_quorum_late()
            if is_late or self._has_peer_come_up():
                return

    def _has_peer_come_up(self) -> bool:
        up = {key for key in self._desk.peers.keys if self._desk.peers.is_up(key)}
        came_up, self._up = up - self._up, up
        return bool(came_up)

    def _is_quorum_late(self) -> bool:
        """Whether something lacks its quorum for longer than a push takes, and not since before the longest wait.

        What lacks it for longer has had its round, in vain; some of it never finds any: its requests went on in parts.
        """
        now, shortest = self._desk.clock.now(), self._desk.settings.catch_up_seconds
        return any(
            shortest <= now - signed_at <= shortest * _WAITS_AFTER_NOTHING
            for signed_at in self._desk.signed_at.values()
        )

    async def run_once(self) -> bool:
        """One round over all peers, side by side."""
        taken, self._is_unread = self._inbox.taken, False
        following = [self._follow(key) for key in self._desk.peers.keys]
        # All to their end: none goes on behind the back of a step that failed.
        for failure in await asyncio.gather(*following, return_exceptions=True):
            if failure is not None:
                raise failure
        is_news = self._inbox.taken != taken
        self._rounds_in_vain = 0 if is_news else self._rounds_in_vain + 1
        self._waits = _WAITS_AFTER_NEWS if is_news else _WAITS_AFTER_NOTHING
        if self._stuck_since or self._is_unread:
            self._waits = 1
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
            self._is_unread = True
        except PeerUnavailable:
            return  # heartbeats say who is down; the cursor stays where it is
        except PeerMessageInvalid as error:
            _log.warning("peer_attestations_refused", peer=signer_text(key), reason=str(error))

    def _is_overdue(self, key: bytes, cursor: str) -> bool:
        """Whether this page has waited for unknown batches so long that they are the peer's alone."""
        now = self._desk.clock.now()
        since = self._stuck_since.setdefault((key, cursor), now)
        return now - since > self._desk.settings.unknown_root_seconds
