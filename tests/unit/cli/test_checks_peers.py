"""What the doctor says of peers, over real loopback HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from aiohttp import web

from attestation.schemes import SigningKey
from relayer.cli.checks.finding import Finding, State
from relayer.cli.checks.peers import ClosedGuard, examine_peers
from relayer.cli.config_example import example_config
from relayer.config import load_config
from relayer.errors import ConflictingAttestation
from relayer.keys.local_signer import LocalSigner
from relayer.peers.client import HttpPeers
from tests.factories import NOW, SIGNING_KEYS, execute_batch, track
from tests.integration.peers.nodes import STRANGER, MovedClock, listening

OURS, THEIRS, OTHER = SIGNING_KEYS[:3]
UNUSED = "http://127.0.0.1:1"


def clock(offset: float = 0.0) -> MovedClock:
    found = MovedClock()
    found.move(time.time() - NOW + offset)
    return found


async def told(
    folder: Path, url: str, peer: SigningKey, *, key: SigningKey = OURS, network: str = "test network"
) -> Finding:
    for name in ("signer.json", "wallet.json"):
        (folder / name).write_text("11" * 32)
        (folder / name).chmod(0o600)
    text = example_config().replace('network = "example"', f'network = "{network}"')
    text = text.replace("https://relayer-2.example", url).replace("0x" + "00" * 19 + "b2", f"0x{peer.key.hex()}")
    path = folder / "relayer.toml"
    path.write_text(text)
    (finding,) = await examine_peers(await asyncio.to_thread(load_config, path), LocalSigner(key, ClosedGuard()))
    return finding


async def test_a_peer_that_answers_is_found_well(tmp_path: Path) -> None:
    async with listening(THEIRS, clock()) as node:
        finding = await told(tmp_path, node.url, THEIRS)
    assert (finding.subject, finding.state) == ("relayer-2", State.OK)
    assert finding.detail.startswith("answers; its clock is 0.")


async def test_a_peer_whose_clock_is_off_is_a_warning(tmp_path: Path) -> None:
    async with listening(THEIRS, clock(-40)) as node:
        finding = await told(tmp_path, node.url, THEIRS)
    assert finding.state is State.WARNING
    # to the second: ours goes on meanwhile
    assert re.fullmatch(r"answers; its clock is 4\d\.\d s behind", finding.detail)


async def test_a_silent_peer_is_a_fault(tmp_path: Path) -> None:
    finding = await told(tmp_path, UNUSED, THEIRS)
    assert (finding.state, finding.detail) == (State.FAULT, f"nothing answers at {UNUSED}")


async def test_another_relayer_than_the_configured_one_is_named(tmp_path: Path) -> None:
    async with listening(OTHER, clock()) as node:
        finding = await told(tmp_path, node.url, THEIRS)
        assert finding.detail == f"at {node.url} is the relayer 0x{OTHER.key.hex()}, not 0x{THEIRS.key.hex()}"
    assert finding.state is State.FAULT


async def test_a_peer_that_does_not_know_us_or_is_of_another_network_is_told_from_a_silent_one(tmp_path: Path) -> None:
    async with listening(THEIRS, clock()) as node:
        (tmp_path / "abroad").mkdir()
        stranger, abroad = await asyncio.gather(
            told(tmp_path, node.url, THEIRS, key=STRANGER),
            told(tmp_path / "abroad", node.url, THEIRS, network="another"),
        )
    assert stranger.detail == abroad.detail == "it is there, but does not take our messages"
    assert f"0x{STRANGER.key.hex()} in its [[peers]]" in stranger.advice
    assert "the network 'another'" in abroad.advice


@pytest.mark.parametrize("body", [b"[" * 900_000, b" " * (3 << 20), b'{"node": []}'], ids=["deep", "endless", "other"])
async def test_SECURITY_whatever_answers_in_a_peer_s_place_is_a_finding(tmp_path: Path, body: bytes) -> None:  # noqa: N802
    """SECURITY: the doctor reads a bounded piece, and nesting without end does not end it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/v1/status", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    finding = await told(tmp_path, url, THEIRS)
    await runner.cleanup()
    assert (finding.state, finding.detail) == (State.FAULT, f"nothing answers at {url}")


async def test_SECURITY_the_doctor_signs_no_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: N802
    """The signer that it hands to the pinging client is asked for an attestation: it refuses."""
    batch = execute_batch(track())
    refusals: list[str] = []

    async def attest_instead(client: HttpPeers) -> None:
        try:
            await client._signer.sign_batch(batch, 1)
        except ConflictingAttestation as error:
            refusals.append(str(error))
        await asyncio.Event().wait()

    monkeypatch.setattr(HttpPeers, "run", attest_instead)
    await told(tmp_path, UNUSED, THEIRS)
    assert refusals == ["the doctor signs no statements, and was asked for 1"]
