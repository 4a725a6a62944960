"""What `xvm bench` promises: one object, counted on the chains, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e import devnets

pytestmark = pytest.mark.devnet

FIELDS = {
    *("mode", "route", "requests", "lost", "duplicated", "wrong", "requests_per_second", "latency_seconds"),
    *("executed_seconds", "overhead_ms", "cpu_ms_per_request_per_node", "cpu_ms_per_request_chains"),
    *("gas_per_callback", "gas_per_execute", "rpc_calls_per_request", "database_bytes_per_request", "stages"),
}


@pytest.mark.parametrize("mode", ["call", "query"])
def test_a_bench_loses_nothing_and_says_what_it_cost(mode: str, tmp_path: Path) -> None:
    done = devnets.xvm("bench", "--mode", mode, "--burst", "40", "--block-time", "0.5", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said) >= FIELDS
    assert (said["mode"], said["requests"], said["lost"], said["duplicated"], said["wrong"]) == (mode, 40, 0, 0, 0)
    for name in ("latency_seconds", "overhead_ms"):
        assert 0 < said[name]["p50"] <= said[name]["p99"]
    assert (said["executed_seconds"]["p50"] > 0) == (said["gas_per_execute"] > 0) == (mode == "call")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("route", ["evm:svm", "svm:evm", "evm:cosmwasm", "cosmwasm:evm"])
def test_a_bench_goes_from_any_vm_to_any(route: str, tmp_path: Path) -> None:
    done = devnets.xvm("bench", "--route", route, "--burst", "20", "--block-time", "0.5", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["route"], said["requests"], said["lost"], said["duplicated"], said["wrong"]) == (route, 20, 0, 0, 0)
    assert 0 < said["executed_seconds"]["p50"] < said["latency_seconds"]["p50"]
    assert said["gas_per_execute"] > 0
    assert said["gas_per_callback"] > 0


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*devnets.XVM, "bench", "--rate", "10", "--seconds", "60", "--block-time", "0.5"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=devnets.environment(tmp_path),
    ) as bench:
        assert bench.stderr is not None
        for line in bench.stderr:
            if " asked, " in line:
                bench.send_signal(signal.SIGINT)
                break
        rest = bench.stderr.read()
        assert bench.wait(60) == 130, rest
    assert "Traceback" not in rest
    devnets.until(lambda: not devnets.processes_of(tmp_path), "processes of the bench still run")
    assert list(tmp_path.iterdir()) == []
