"""Where a relayer says that its CPU time goes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path

from attestation.keccak import keccak256
from relayer.devnet.bench.profile import describe_profile, sampled_program
from relayer.devnet.bench.sampled import Loops, Sampler


def test_costs_of_all_relayers_are_summed_costliest_first_and_small_ones_put_together(tmp_path: Path) -> None:
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    paths[0].write_text(json.dumps({"watch": {"a": 1.0, "b": 2.0}, "split": {"c": 0.001}, "rotate": {"d": 0.002}}))
    paths[1].write_text(json.dumps({"attest": {"e": 1.0}, "watch": {"a": 3.0}}))
    said = describe_profile(paths, 1_000)
    assert list(said) == ["watch", "attest", "all others"]
    assert said["watch"] == {"cpu_ms_per_request": 3.0, "functions": {"a": 2.0, "b": 1.0}}
    assert said["all others"] == {"cpu_ms_per_request": 0.0015, "functions": {}}


def test_cpu_time_is_told_by_the_task_it_was_for_and_by_what_its_children_do() -> None:
    sampler = Sampler()

    async def burn() -> None:
        began = time.process_time()
        while time.process_time() < began + 0.3:
            keccak256(bytes(1_000))

    async def stage() -> None:
        await asyncio.gather(burn())

    async def node() -> None:
        await asyncio.create_task(stage(), name="watch eip155:1")

    loop = Loops().new_event_loop()
    before = signal.getsignal(signal.SIGPROF)
    sampler.begin()
    try:
        loop.run_until_complete(node())
    finally:
        sampler.end()
        signal.signal(signal.SIGPROF, before)
        loop.close()
    spent = sampler.spent["watch"]
    assert sum(spent.values()) > 0.9 * sum(sum(functions.values()) for functions in sampler.spent.values())
    assert any(function.startswith("attestation.keccak.") for function in spent)


def test_a_sampled_program_is_the_program_and_writes_its_samples_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    done = subprocess.run([*sampled_program(path), "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("xvm ")
    assert json.loads(path.read_text()) == {}
