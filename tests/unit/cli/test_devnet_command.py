"""`xvm devnet` where its folder is no devnet's: one clear line, exit code 1, and nobody's files touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relayer.cli.app import app

RUNNER = CliRunner()
CHAIN = {"name": "a", "caip2": "eip155:1", "block_time_seconds": 1, "gateway": "0x", "accounts": []}


def told(command: str, folder: Path, *words: str) -> str:
    """The one line that a failing command prints."""
    answer = RUNNER.invoke(app, ["devnet", command, "--state", str(folder), *words])
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (1, "", 1), answer.output
    return answer.stderr


@pytest.mark.parametrize("words", [(), ("--detach",)])
def test_a_plain_file_is_no_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    assert told("up", path, *words).startswith(f"xvm: {path}: not a folder")
    assert path.read_text() == "years of work"


@pytest.mark.parametrize("command", ["down", "status"])
def test_a_plain_file_has_nothing_in_it(tmp_path: Path, command: str) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    assert "cannot be read: Not a directory" in told(command, path)


@pytest.mark.parametrize("words", [(), ("--detach",)])
@pytest.mark.parametrize("name", ["relayers", "chains", "logs", "processes.json", "supervisor.log", "owner.key"])
def test_security_a_link_is_not_followed(tmp_path: Path, name: str, words: tuple[str, ...]) -> None:
    """SECURITY: what an earlier devnet left is removed, never what lies elsewhere."""
    work, state = tmp_path / "work", tmp_path / "state"
    work.mkdir()
    state.mkdir()
    (work / "thesis.txt").write_text("years of work")
    (state / name).symlink_to(work if "." not in name else work / "thesis.txt")
    assert told("up", state, *words) == f"xvm: {state / name}: a symbolic link, which no devnet makes; remove it\n"
    assert (work / "thesis.txt").read_text() == "years of work"
    assert (state / name).is_symlink()


def test_a_place_where_no_folder_can_be_made_is_named() -> None:
    assert "/proc/xvm-devnet" in told("up", Path("/proc/xvm-devnet/state"))


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b"null",
        b"7",
        b'[{"name":"x"}]',
        b"[null]",
        b'[{"name":"x","pid":true,"started_at":1}]',
        b'[{"name":"x","pid":0,"started_at":1}]',
        b'[{"name":"x","pid":-1,"started_at":1}]',
        b'[{"name":"x","pid":1e99,"started_at":1}]',
        b'[{"name":"x","pid":99999999999999999999,"started_at":1}]',
        b'[{"name":"x","pid":7,"started_at":NaN}]',
        b'[{"name":"x","pid":7,"started_at":"now"}]',
        b'[{"name":"x","pid":7,"started_at":1,"more":1}]',
    ],
)
@pytest.mark.parametrize("command", ["up", "down"])
def test_a_record_of_processes_that_is_none_is_named_and_kept(tmp_path: Path, command: str, content: bytes) -> None:
    path = tmp_path / "processes.json"
    path.write_bytes(content)
    assert told(command, tmp_path).startswith(f"xvm: {path}: not a record of a devnet's processes; ")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "description",
    [
        {"schema_version": 1, "chains": 1, "relayers": []},
        {"schema_version": 1, "chains": [{**CHAIN, "rpc_url": "file:///etc/passwd"}], "relayers": []},
        {"schema_version": 1, "chains": [], "relayers": [{"name": "r", "api_url": "http://a b"}]},
        {"schema_version": 2, "chains": [], "relayers": []},
        [],
    ],
)
def test_a_description_that_is_none_is_named(tmp_path: Path, description: object) -> None:
    (tmp_path / "devnet.json").write_text(json.dumps(description))
    assert told("status", tmp_path).startswith(f"xvm: {tmp_path / 'devnet.json'}: ")


def test_a_description_that_lacks_things_is_told_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "devnet.json").write_text('{"chains":1}')
    answer = RUNNER.invoke(app, ["devnet", "status", "--state", str(tmp_path)])
    assert answer.exit_code == 1
    assert [line.split(": ")[2] for line in answer.stderr.splitlines()] == ["schema_version", "chains", "relayers"]


def test_where_none_is_up_it_says_how_to_start_one(tmp_path: Path) -> None:
    assert "xvm devnet up" in told("status", tmp_path)


def test_what_answers_no_more_is_shown_so(tmp_path: Path) -> None:
    chain = {**CHAIN, "rpc_url": "http://127.0.0.1:1:1"}
    relayer = {"name": "r", "api_url": "http://127.0.0.1:x"}
    (tmp_path / "devnet.json").write_text(json.dumps({"schema_version": 1, "chains": [chain], "relayers": [relayer]}))
    answer = RUNNER.invoke(app, ["devnet", "status", "--state", str(tmp_path)])
    assert answer.exit_code == 1
    assert "no answer" in answer.stdout
    assert "does not answer yet" in answer.stdout


def test_security_a_shell_takes_the_variables_and_runs_nothing_in_them(tmp_path: Path) -> None:
    """SECURITY: the file may be another program's, and its text ends up in a shell."""
    account = {"address": "0xa", "private_key": "0xb"}
    chain = {**CHAIN, "name": "al-pha;x", "gateway": "0x'; echo stolen; '", "rpc_url": "http://localhost:1/$(echo)"}
    description = {"schema_version": 1, "chains": [{**chain, "accounts": [account]}], "relayers": []}
    (tmp_path / "devnet.json").write_text(json.dumps(description))
    words = ["devnet", "env", "--state", str(tmp_path)]
    lines = RUNNER.invoke(app, words).stdout
    shown = 'echo "$AL_PHA_X_RPC_URL|$AL_PHA_X_CHAIN_ID|$AL_PHA_X_GATEWAY|$ACCOUNT|$PRIVATE_KEY"'
    done = subprocess.run(["sh", "-c", lines + shown], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("http://localhost:1/$(echo)|1|0x'; echo stolen; '|0xa|0xb\n", "")
    told_as_json = json.loads(RUNNER.invoke(app, [*words, "--json"]).stdout)
    assert told_as_json["AL_PHA_X_GATEWAY"] == chain["gateway"]
