"""`xvm doctor` as a command: its exit code, its two forms, and what it never prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relayer.cli.app import app
from relayer.cli.config_example import example_config

RUNNER = CliRunner()
SECRET = "7c" * 32
SILENT = "http://127.0.0.1:1"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A relayer whose endpoints and peers do not answer; the endpoints' URLs hold access keys."""
    for name in ("signer.json", "wallet.json"):
        (tmp_path / name).write_text(SECRET)
        (tmp_path / name).chmod(0o600)
    text = example_config()
    for name in ("rpc-1.example", "rpc-2.example", "rpc-3.example", "rpc.beta.example"):
        text = text.replace(f"https://{name}", f"http://user:hunter2@127.0.0.1:1/apikey-{name}")
    path = tmp_path / "relayer.toml"
    path.write_text(text.replace("https://relayer-2.example", SILENT))
    return path


def test_faults_are_all_told_and_end_in_exit_code_1(config: Path) -> None:
    answer = RUNNER.invoke(app, ["doctor", "--config", str(config), "--json"])
    assert answer.exit_code == 1
    told = json.loads(answer.stdout)
    faults = [(check["subject"], check["check"]) for check in told["checks"] if check["state"] == "FAULT"]
    assert not told["is_ok"]
    assert faults == [
        ("alpha", "rpc_urls[0]"),
        ("alpha", "rpc_urls[1]"),
        ("alpha", "rpc_urls[2]"),
        ("alpha", "endpoints agree"),
        ("beta", "rpc_urls[0]"),
        ("beta", "endpoints agree"),
        ("relayer-2", "ping"),
    ]


def test_SECURITY_the_report_holds_no_key_and_no_more_of_a_url_than_its_host(config: Path) -> None:  # noqa: N802
    for form in ((), ("--json",)):
        answer = RUNNER.invoke(app, ["doctor", "--config", str(config), *form])
        assert "127.0.0.1" in answer.output
        for secret in (SECRET, "hunter2", "apikey"):
            assert secret not in answer.output


def test_people_read_a_table_that_ends_in_a_sum(config: Path) -> None:
    answer = RUNNER.invoke(app, ["doctor", "--config", str(config)])
    assert answer.stdout.splitlines()[-1] == "5 ok, 0 warnings, 7 faults"
    assert "→ check the URL, the provider, the network" in answer.stdout


def test_a_configuration_that_does_not_load_is_the_finding(config: Path) -> None:
    config.write_text(config.read_text().replace('name = "relayer-1"', ""))
    answer = RUNNER.invoke(app, ["doctor", "--config", str(config), "--json"])
    (check,) = json.loads(answer.stdout)["checks"]
    assert (answer.exit_code, check["subject"], check["state"]) == (1, "configuration", "FAULT")
    assert check["detail"].startswith("node.name: missing")


def test_the_doctor_leaves_nothing_behind(config: Path) -> None:
    before = sorted(path.name for path in config.parent.iterdir())
    RUNNER.invoke(app, ["doctor", "--config", str(config)])
    assert sorted(path.name for path in config.parent.iterdir()) == before
