"""A small storm, as often as the other tests run. `make storm` plays the great one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from relayer.devnet.spec import DevnetFolder
from tests.chaos.storm import Size, run_storm
from tests.e2e import devnets

pytestmark = [pytest.mark.devnet, pytest.mark.timeout(480)]


def test_nothing_is_lost_doubled_or_wrong_in_a_small_storm(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "20"))
    # Honest nodes look into what they did not build after two minutes only: no evidence can be there yet.
    size = Size(requests=80, seconds=9.0, seed=seed, needs_evidence=False)
    report = run_storm(size, DevnetFolder(tmp_path / "devnet"), print)
    told = report.document()
    assert told["is_good"], json.dumps(told, indent=1)
    assert told["asked"] >= 40
    assert {"kill -9 of relayers", "reorg"} & set(told["faults"])
    assert devnets.processes_of(tmp_path) == []
