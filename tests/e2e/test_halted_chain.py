"""A chain is rewritten below finality under a running network: it halts, stays so, and goes on by command."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest
from web3 import HTTPProvider, Web3

from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = pytest.mark.devnet

DEPTH = 12
"""Blocks that are undone; a devnet's are final two below the tip."""

UNREACHED = 4
"""The exit code of `xvm call --wait` then."""


@pytest.fixture(scope="module")
def restarted(devnet: RunningDevnet) -> Iterator[ExitStack]:
    """Holds relayers that were started again."""
    del devnet
    with ExitStack() as stack:
        yield stack


def call(devnet: RunningDevnet, *options: str) -> tuple[int, dict[str, Any]]:
    """A request from alpha to a target that beta forbids: it comes home as UNREACHED, and needs no contract."""
    target = devnet.description["chains"][1]["gateway"]
    done = devnets.xvm(
        "call", "--devnet", str(devnet.state), "--from", "alpha", "--to", "beta", target,
        "--data", "0x12345678", *options, "--json", home=devnet.home,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def is_halted(relayer: dict[str, Any]) -> bool:
    status = devnets.fetch(f"{relayer['api_url']}/v1/status")
    return bool(status) and any(chain["halt_reason"] for chain in status["chains"])


def stop(relayer: dict[str, Any]) -> None:
    process = psutil.Process(relayer["pid"])
    os.kill(process.pid, signal.SIGTERM)
    process.wait(30)


def resume(devnet: RunningDevnet, relayer: dict[str, Any], *options: str) -> Any:
    return devnets.xvm("chain", "resume", "alpha", "--config", relayer["config_path"], *options, home=devnet.home)


@pytest.mark.timeout(300)  # a dozen processes start, one after another
def test_it_halts_everywhere_survives_a_restart_and_goes_on_by_command(
    devnet: RunningDevnet, restarted: ExitStack
) -> None:
    relayers = devnet.description["relayers"]
    alpha = Web3(HTTPProvider(devnet.description["chains"][0]["rpc_url"]))
    code, first = call(devnet, "--wait")
    assert code == UNREACHED, first
    devnets.until(lambda: alpha.eth.block_number > DEPTH + 4, "no blocks")
    answer = alpha.provider.make_request("anvil_reorg", [DEPTH, []])  # type: ignore[arg-type]
    assert "error" not in answer, answer
    devnets.until(lambda: all(is_halted(relayer) for relayer in relayers), "not every relayer halted alpha")

    [halt] = json.loads(
        devnets.xvm("chain", "halts", "--config", relayers[0]["config_path"], "--json", home=devnet.home).stdout
    )["halts"]
    assert (halt["code"], halt["resumed_at"]) == ("reorg_below_finality", None)
    assert halt["held"]["hash"] != halt["found_hash"]
    doctor = devnets.xvm("doctor", "--config", relayers[0]["config_path"], home=devnet.home)
    assert (doctor.returncode, "xvm chain resume alpha" in doctor.stdout) == (1, True)
    refused = resume(devnet, relayers[0], "--yes")
    assert (refused.returncode, "stop the relayer first" in refused.stderr) == (1, True)

    stop(relayers[0])
    again = restarted.enter_context(devnets.relayer_process(relayers[0], devnet.home))
    devnets.until(lambda: is_halted(relayers[0]), "the halt did not survive a restart")
    again.terminate()
    again.wait(30)
    told = json.loads(resume(devnet, relayers[0], "--dry-run", "--json").stdout)
    assert (told["is_resumed"], told["is_rewritten"]) == (False, True)
    # Three are a quorum: the fourth goes on without alpha until its operator has looked as well.
    for relayer in relayers[1:3]:
        stop(relayer)
    for relayer in relayers[:3]:
        done = resume(devnet, relayer, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["is_resumed"]
        restarted.enter_context(devnets.relayer_process(relayer, devnet.home))
    devnets.until(
        lambda: all(devnets.fetch(f"{relayer['api_url']}/readyz") for relayer in relayers[:3]),
        "not all three are ready",
    )
    assert is_halted(relayers[3])
    code, second = call(devnet, "--wait")
    assert code == UNREACHED, second
