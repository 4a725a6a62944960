"""Whether the other relayers answer this one.

Its job: the signed ping that the relayer itself sends, once to each peer; and where it gets no answer, why not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import orjson

from attestation.statement import Statement
from relayer.cli.checks.finding import Finding, fault, good, warning
from relayer.config import PeerSection, Settings
from relayer.domain.signers import signer_text
from relayer.errors import ConflictingAttestation
from relayer.observability.metrics import Metrics
from relayer.peers.client import PING_SECONDS, HttpPeers, PeerAddress
from relayer.peers.wire import MAX_CLOCK_SKEW_SECONDS, network_id
from relayer.ports.node_status import PeerStatus
from relayer.ports.signer import GuardConflict, Signer
from relayer.service import SystemClock

_LOOK_SECONDS: Final = 0.05
_STATUS_SECONDS: Final = 3.0

MAX_ANSWER_BYTES: Final = 1 << 20
"""A node's status, with its chains' signer sets, has some tens of KB."""


class ClosedGuard:
    """SECURITY: the doctor holds the signer's key and signs pings with it; a statement it must never sign."""

    async def claim(self, entries: Sequence[tuple[bytes, bytes, Statement]]) -> Sequence[GuardConflict]:
        """Refuses. Raises `ConflictingAttestation`."""
        raise ConflictingAttestation(f"the doctor signs no statements, and was asked for {len(entries)}")


async def examine_peers(settings: Settings, signer: Signer) -> list[Finding]:
    """One finding a peer. `signer` signs the pings; its guard is closed."""
    if not settings.peers:
        return [warning("peers", "ping", "none are configured", "a quorum needs others: add [[peers]]")]
    statuses = {status.key: status for status in await _ping(settings, signer)}
    findings = []
    for peer in settings.peers:
        status = statuses[peer.signer_key]
        findings.append(_told(peer, status) if status.is_up else await _why_not(peer, settings, signer))
    return findings


async def _ping(settings: Settings, signer: Signer) -> Sequence[PeerStatus]:
    """All peers at once, until all have answered or the time for one answer is over."""
    peers = HttpPeers(
        signer=signer,
        network=network_id(settings.node.network),
        peers=[PeerAddress(peer.signer_key, peer.message_key, peer.url) for peer in settings.peers],
        clock=SystemClock(),
        metrics=Metrics(),
        jitter=random.random,
    )
    async with peers:
        running = asyncio.create_task(peers.run())
        deadline = asyncio.get_running_loop().time() + PING_SECONDS + 2 * _LOOK_SECONDS
        while not all(status.is_up for status in peers.statuses()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        running.cancel()
        await asyncio.wait({running})
        return peers.statuses()


def _told(peer: PeerSection, status: PeerStatus) -> Finding:
    offset = status.clock_offset_seconds
    detail = f"answers; its clock is {abs(offset):.1f} s {'ahead' if offset >= 0 else 'behind'}"
    if abs(offset) > MAX_CLOCK_SKEW_SECONDS / 2:
        return warning(peer.name, "ping", detail, "keep both clocks by NTP: beyond 60 s messages are refused")
    return good(peer.name, "ping", detail)


async def _why_not(peer: PeerSection, settings: Settings, signer: Signer) -> Finding:
    """By its public status: whether it is there at all, and whether it is the one that is meant."""
    found = await _fetch_keys(peer.url)
    if found is None:
        return fault(
            peer.name,
            "ping",
            f"nothing answers at {peer.url}",
            "see whether it runs, and whether a firewall is between",
        )
    expected = (peer.signer_key, peer.message_key)
    if found != expected:
        shown, meant = (_shown(keys) for keys in (found, expected))
        advice = "correct peers.url, peers.signer or peers.peer_key; ask its operator which"
        return fault(peer.name, "ping", f"at {peer.url} is the relayer {shown}, not {meant}", advice)
    advice = (
        f"it must name {_shown((signer.key, signer.peer_key))} in its [[peers]], "
        f"be in the network {settings.node.network!r}, and have a clock within {MAX_CLOCK_SKEW_SECONDS:.0f} s of ours"
    )
    return fault(peer.name, "ping", "it is there, but does not take our messages", advice)


def _shown(keys: tuple[bytes, bytes]) -> str:
    """A signer key, and the peer key if it is another."""
    signer, peer_key = keys
    return signer_text(signer) if signer == peer_key else f"{signer_text(signer)} with the peer key 0x{peer_key.hex()}"


async def _fetch_keys(url: str) -> tuple[bytes, bytes] | None:
    """The signer key and the peer key of the relayer that serves there, None if none does."""
    timeout = aiohttp.ClientTimeout(total=_STATUS_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url.rstrip('/')}/v1/status", allow_redirects=False) as response,
        ):
            # SECURITY: whoever answers there may send without end.
            body = b""
            while len(body) < MAX_ANSWER_BYTES and (part := await response.content.read(MAX_ANSWER_BYTES - len(body))):
                body += part
            node: Any = orjson.loads(body)["node"]
            return bytes.fromhex(node["key"][2:]), bytes.fromhex(node.get("peer_key", node["key"])[2:])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        return None
