"""From a peer that signs twice to a verdict elsewhere: stages and database of a node, then programs of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from attestation.merkle import merkle_root
from attestation.statement import Execute
from relayer.cli.config_example import example_config
from relayer.config import load_config
from relayer.domain.batch import Batch
from relayer.ports.store import Commit
from relayer.stages.attest import AttestStage
from relayer.stages.evidence import EvidenceStage
from relayer.stages.watch import WatchStage
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import SIGNING_KEYS, attest
from tests.unit.stages.steps import mine, new_world, step

ROOT = Path(__file__).resolve().parents[3]
LIAR = SIGNING_KEYS[3]


def contradiction(batch: Batch) -> Batch:
    """Another place for the same request."""
    [statement] = batch.statements
    assert isinstance(statement, Execute)
    other = replace(statement, height=statement.height + 1)
    return replace(batch, statements=(other,), root=merkle_root([other.leaf]))


async def record_a_lie(store: SqlStore) -> None:
    """A node on this database hears a peer sign two places of one request, and looks into it."""
    world = new_world()
    node, honest, liar = world.nodes[0], world.nodes[1], world.nodes[3]
    world.kill(node)
    node.store = cast("Any", store)
    world.start(node)
    world.ask(world.a, world.b)
    mine(world, world.a, 4)
    for each in (node, honest):
        await step(world, each, WatchStage, world.b)
        await step(world, each, WatchStage, world.a)
    await step(world, node, AttestStage)
    [batch] = honest.store._batches.values()
    lie = contradiction(batch)
    await liar.store.commit(Commit(batches=(lie,)))
    await node.running.inbox.take_in(LIAR.key, [attest(batch, LIAR), attest(lie, LIAR)])
    world.clock.seconds += 121
    await step(world, node, EvidenceStage)


def xvm(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a process that has nothing but its arguments."""
    return subprocess.run(
        [sys.executable, "-m", "relayer.cli", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_lie_is_recorded_exported_and_convicts_where_nothing_is_known_of_the_network(tmp_path: Path) -> None:
    config = tmp_path / "relayer.toml"
    config.write_text(example_config())
    for name in ("signer.json", "wallet.json"):
        (tmp_path / name).write_text("11" * 32)
        (tmp_path / name).chmod(0o600)
    settings = load_config(config)
    settings.node.data_dir.mkdir()
    await upgrade(settings.store_url)
    engine = open_engine(settings.store_url)
    await record_a_lie(SqlStore(engine))
    await engine.dispose()

    signer = f"0x{LIAR.key.hex()}"
    exported = xvm("evidence", "export", signer, "evidence.json", "--config", str(config), folder=tmp_path)
    assert exported.returncode == 0, exported.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "evidence.json").rename(elsewhere / "evidence.json")
    verdict = xvm("evidence", "verify", "evidence.json", "--json", folder=elsewhere)
    told = json.loads(verdict.stdout)
    assert (verdict.returncode, told["signer"], told["offence"]) == (0, signer, "EQUIVOCATION")
    assert told["differs"] == ["height"]
