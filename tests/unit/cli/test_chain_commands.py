"""`xvm chain` as a command, on a real database: what it lists, and what it refuses before it asks any endpoint."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relayer.cli.app import app
from relayer.cli.config_example import example_config
from relayer.config import load_config
from relayer.domain.blocks import BlockRef
from relayer.domain.halt import Halt
from relayer.ports.store import Commit
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore

RUNNER = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A relayer whose endpoints do not answer."""
    for name in ("signer.json", "wallet.json"):
        (tmp_path / name).write_text("7c" * 32)
        (tmp_path / name).chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = example_config().replace("#api_port = 8600", f"api_port = {port}")
    for name in ("rpc-1.example", "rpc-2.example", "rpc-3.example", "rpc.beta.example"):
        text = text.replace(f"https://{name}", "http://127.0.0.1:1/" + name)
    path = tmp_path / "relayer.toml"
    path.write_text(text)
    return path


def halt_of(config: Path) -> Halt:
    alpha = load_config(config).chains[0]
    return Halt(alpha.caip2, "reorg_below_finality", "block 7 is another", BlockRef(7, b"\x11" * 32), b"\x22" * 32, 1e9)


def keep(config: Path, *halts: Halt) -> None:
    """In the node's database."""

    async def commit() -> None:
        settings = load_config(config)
        settings.node.data_dir.mkdir(exist_ok=True)
        url = settings.store_url
        await upgrade(url)
        engine = open_engine(url)
        await SqlStore(engine).commit(Commit(halts=halts))
        await engine.dispose()

    asyncio.run(commit())


def test_halts_are_listed_with_both_blocks_and_the_command_that_ends_them(config: Path) -> None:
    halt = halt_of(config)
    keep(config, halt, replace(halt, at=2e9, resumed_at=2e9 + 60))
    answer = RUNNER.invoke(app, ["chain", "halts", "--config", str(config)])
    assert answer.exit_code == 0
    assert "`xvm chain resume alpha`" in answer.stdout
    assert "2033-05-18 03:34:20 UTC" in answer.stdout
    told = json.loads(RUNNER.invoke(app, ["chain", "halts", "--config", str(config), "--json"]).stdout)["halts"]
    assert [(item["chain"], item["held"]["number"], item["resumed_at"]) for item in told] == [
        (halt.chain, 7, None),
        (halt.chain, 7, 2e9 + 60),
    ]
    assert (told[0]["held"]["hash"], told[0]["found_hash"]) == ("0x" + "11" * 32, "0x" + "22" * 32)


def test_the_doctor_finds_a_halt_and_says_what_to_do(config: Path) -> None:
    keep(config, halt_of(config))
    told = json.loads(RUNNER.invoke(app, ["doctor", "--config", str(config), "--json"]).stdout)
    [finding] = [check for check in told["checks"] if check["check"] == "halted"]
    assert (finding["subject"], finding["state"]) == ("alpha", "FAULT")
    assert "block 7 is another" in finding["detail"]
    assert "xvm chain resume alpha --dry-run" in finding["advice"]


def test_a_node_that_never_halted_says_so_and_one_without_a_database_too(config: Path) -> None:
    answer = RUNNER.invoke(app, ["chain", "halts", "--config", str(config)])
    assert (answer.exit_code, "not there" in answer.stderr) == (1, True)
    keep(config)
    assert RUNNER.invoke(app, ["chain", "halts", "--config", str(config)]).stdout == "no chain was ever halted\n"


def test_a_chain_is_not_taken_up_under_a_running_relayer(config: Path) -> None:
    keep(config, halt_of(config))
    node = load_config(config).node
    with socket.create_server((node.api_host, node.api_port)):
        answer = RUNNER.invoke(app, ["chain", "resume", "alpha", "--config", str(config), "--yes"])
    assert (answer.exit_code, "stop the relayer first" in answer.stderr) == (1, True)


def test_a_chain_that_is_not_configured_is_refused_with_those_that_are(config: Path) -> None:
    keep(config)
    answer = RUNNER.invoke(app, ["chain", "resume", "gamma", "--config", str(config), "--yes"])
    assert (answer.exit_code, answer.stderr) == (
        1,
        "xvm: gamma is no chain of this configuration; they are alpha, beta\n",
    )


def test_security_nothing_is_taken_up_while_endpoints_do_not_answer(config: Path) -> None:
    """SECURITY: a history that nobody vouches for is not gone on with."""
    halt = halt_of(config)
    keep(config, halt)
    answer = RUNNER.invoke(app, ["chain", "resume", "alpha", "--config", str(config), "--yes"])
    assert answer.exit_code == 1
    told = json.loads(RUNNER.invoke(app, ["chain", "halts", "--config", str(config), "--json"]).stdout)["halts"]
    assert told[0]["resumed_at"] is None
