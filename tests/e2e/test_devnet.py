"""What a devnet promises to whoever starts it, and to programs that join in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e import devnets
from tests.e2e.conftest import RunningDevnet

pytestmark = pytest.mark.devnet

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ask_and_answer" / "ask_and_answer.py"


def answered(devnet_file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(devnet_file)], capture_output=True, text=True, check=False, timeout=150
    )


def test_the_description_has_exactly_the_promised_fields(devnet: RunningDevnet) -> None:
    description = devnet.description
    assert set(description) == {"schema_version", "scheme", "chains", "relayers"}
    assert (description["schema_version"], description["scheme"]) == (1, "ecdsa-secp256k1")
    assert [chain["name"] for chain in description["chains"]] == ["alpha", "beta"]
    assert len(description["relayers"]) == 4
    for chain in description["chains"]:
        assert set(chain) == {
            *("name", "caip2", "rpc_url", "ws_url", "block_time_seconds", "finality_depth"),
            *("gateway", "registry", "verifier", "accounts"),
        }
        assert {field for account in chain["accounts"] for field in account} == {"address", "private_key"}
    for relayer in description["relayers"]:
        assert set(relayer) == {
            *("name", "api_url", "metrics_url", "signer", "peer_key", "pid", "config_path", "database_url"),
        }
        assert psutil.pid_exists(relayer["pid"])
        assert Path(relayer["database_url"].removeprefix("sqlite:///")).is_file()


def test_an_outside_program_asks_and_is_answered(devnet: RunningDevnet) -> None:
    done = answered(devnet.state / "devnet.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "success True, sum 42" in done.stdout


def test_its_status_is_shown_and_a_second_one_in_the_same_folder_refused(devnet: RunningDevnet) -> None:
    status = devnets.xvm("devnet", "status", "--json", "--state", str(devnet.state), home=devnet.home)
    assert status.returncode == 0
    assert json.loads(status.stdout)["is_ok"] is True
    second = devnets.xvm("devnet", "up", "--state", str(devnet.state), home=devnet.home)
    assert second.returncode == 1
    assert second.stderr.startswith(f"xvm: {devnet.state}: a devnet runs there already")
    assert second.stderr.count("\n") == 1


def test_security_key_files_are_their_owners_only(devnet: RunningDevnet) -> None:
    """SECURITY: who reads a key file signs in its owner's name."""
    keys = [path for path in devnet.state.rglob("*.key") if path.is_file()]
    assert len(keys) == 9
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}


def test_two_devnets_live_side_by_side_and_a_killed_supervisor_leaves_nothing(
    devnet: RunningDevnet, tmp_path: Path
) -> None:
    state, home = tmp_path / "second", tmp_path / "home"
    home.mkdir()
    second = devnets.up(state, home, "--relayers", "2", "--threshold", "2", "--block-time", "0.5")
    ports = devnets.ports_of(second)
    assert not ports & devnets.ports_of(devnet.description)
    done = answered(state / "devnet.json")
    assert done.returncode == 0, done.stdout + done.stderr
    supervisor = next(p for p in json.loads((state / "processes.json").read_text()) if p["name"] == "supervisor")
    os.kill(supervisor["pid"], signal.SIGKILL)
    devnets.until(lambda: not devnets.processes_of(state), "the supervisor's children outlive it")
    devnets.down(state, home)
    devnets.assert_nothing_left(state, ports)
    assert list(home.iterdir()) == []
    status = devnets.xvm("devnet", "status", "--state", str(devnet.state), home=devnet.home)
    assert status.returncode == 0, status.stdout


def test_ctrl_c_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    state, home = tmp_path / "state", tmp_path / "home"
    home.mkdir()
    for command, moment, code in (
        (("devnet", "up"), "chain alpha (", 0),
        (("devnet", "up"), "relayers started", 0),
        (("demo",), "contracts on alpha", 130),
    ):
        with subprocess.Popen(
            [*devnets.XVM, *command, "--state", str(state)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=devnets.environment(home),
        ) as foreground:
            assert foreground.stderr is not None
            for line in foreground.stderr:
                if moment in line:
                    foreground.send_signal(signal.SIGINT)
                    break
            rest = foreground.stderr.read()
            assert foreground.wait(60) == code, rest
        assert "Traceback" not in rest
        devnets.assert_nothing_left(state, set())
    assert list(home.iterdir()) == []
