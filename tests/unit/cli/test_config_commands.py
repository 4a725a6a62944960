"""What `xvm config` says, and that its example is the whole configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from relayer.cli.app import app
from relayer.cli.config_example import example_config
from relayer.config import Settings, load_config

RUNNER = CliRunner()
OPTIONAL_KEY = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("signer.json", "peer.json", "wallet.json"):
        (tmp_path / name).write_text("11" * 32)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def save(folder: Path, text: str) -> Path:
    path = folder / "relayer.toml"
    path.write_text(text)
    return path


def fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = [c for c in (field.annotation, *get_args(field.annotation)) if isinstance(c, type)]
        sections = [candidate for candidate in inner if issubclass(candidate, BaseModel)]
        if sections and name != "finality":
            yield from fields(sections[0])
        else:
            yield name, field.description or ""


def test_the_example_is_a_configuration(folder: Path) -> None:
    settings = load_config(save(folder, example_config()))
    assert [chain.caip2 for chain in settings.chains] == ["eip155:31337", "eip155:31338"]


def test_what_the_example_comments_out_is_a_configuration_too(folder: Path) -> None:
    settings = load_config(save(folder, OPTIONAL_KEY.sub("", example_config())))
    assert settings.signer.password_file == folder / "password"


def test_the_example_shows_the_defaults(folder: Path) -> None:
    required = load_config(save(folder, example_config()))
    whole = load_config(save(folder, OPTIONAL_KEY.sub("", example_config())))
    assert (whole.policy, whole.node) == (required.policy, required.node)


def test_the_example_explains_every_key() -> None:
    text = example_config()
    unwrapped = re.sub(r"\n# ", " ", text)
    for name, description in fields(Settings):
        assert re.search(rf"^#?{name} = ", text, re.MULTILINE), name
        assert description, name
        assert description in unwrapped, name


def test_the_command_prints_the_example() -> None:
    assert RUNNER.invoke(app, ["config", "example"]).stdout == example_config()
    answer = RUNNER.invoke(app, ["config", "example", "--json"])
    assert json.loads(answer.stdout) == {"toml": example_config()}


def test_a_valid_file_is_called_valid(folder: Path) -> None:
    path = save(folder, example_config())
    answer = RUNNER.invoke(app, ["config", "validate", str(path)])
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "valid; relayer relayer-1, chains alpha (eip155:31337), beta (eip155:31338), 1 peers" in answer.stdout
    answer = RUNNER.invoke(app, ["config", "validate", str(path), "--json"])
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, {"is_valid": True, "faults": []})


def test_every_fault_of_a_file_is_a_line_and_there_is_no_traceback(folder: Path) -> None:
    path = save(folder, example_config().replace('name = "relayer-1"', "").replace("wallet.json", "gone.json"))
    answer = RUNNER.invoke(app, ["config", "validate", str(path)])
    assert (answer.exit_code, answer.stdout) == (1, "")
    lines = answer.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("xvm: node.name: missing; set it: ")
    assert all("gone.json is not a file; `xvm keys new` makes a key file" in line for line in lines[1:])
    answer = RUNNER.invoke(app, ["config", "validate", str(path), "--json"])
    assert (answer.exit_code, answer.stderr) == (1, "")
    assert [f"xvm: {fault}" for fault in json.loads(answer.stdout)["faults"]] == lines


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    answer = RUNNER.invoke(app, ["run", "--config", str(tmp_path / "gone.toml")])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.splitlines() == [
        f"xvm: {tmp_path}/gone.toml: cannot be read: No such file or directory; name another with --config"
    ]
