"""What all commands have in common: examples, --json, one line an error, a traceback for a bug."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from relayer.cli.app import COMMANDS, LazyCommands, app
from relayer.cli.reference import commands
from relayer.errors import ConfigError, RpcUnavailable

RUNNER = CliRunner()


def failing(error: Exception) -> typer.Typer:
    broken = typer.Typer(cls=LazyCommands, pretty_exceptions_enable=False)

    @broken.callback(invoke_without_command=True)
    def fail() -> None:
        raise error

    return broken


@pytest.mark.parametrize("path", [command.path for command in commands()])
def test_every_command_has_help_examples_and_json(path: str) -> None:
    answer = RUNNER.invoke(app, [*path.split()[1:], "--help"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert "Examples:" in answer.stdout
    assert f" {path}" in answer.stdout.partition("Examples:")[2]
    assert "--json" in answer.stdout


def test_no_arguments_show_all_commands() -> None:
    answer = RUNNER.invoke(app, [])
    for name in COMMANDS:
        assert f" {name} " in answer.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    assert RUNNER.invoke(app, ["dance"]).exit_code == 2


def test_an_error_raised_on_purpose_is_one_line_and_exit_code_1() -> None:
    answer = RUNNER.invoke(failing(RpcUnavailable("nobody answers")), [])
    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", "xvm: nobody answers\n")


def test_a_configuration_error_is_one_line_a_fault() -> None:
    answer = RUNNER.invoke(failing(ConfigError(["a: is missing", "b: is wrong"])), [])
    assert (answer.exit_code, answer.stderr) == (1, "xvm: a: is missing\nxvm: b: is wrong\n")


def test_a_bug_is_not_hidden() -> None:
    answer = RUNNER.invoke(failing(ZeroDivisionError("a bug")), [])
    assert isinstance(answer.exception, ZeroDivisionError)


def test_SECURITY_the_traceback_of_a_bug_shows_no_local_variables() -> None:  # noqa: N802
    code = (
        "import typer\n"
        "from relayer.cli import app as cli\n"
        "broken = typer.Typer(pretty_exceptions_enable=cli.app.pretty_exceptions_enable)\n"
        "@broken.command()\n"
        "def fail() -> None:\n"
        "    private_key = 'hun' + 'ter2'\n"
        "    raise ZeroDivisionError(len(private_key))\n"
        "broken()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ZeroDivisionError: 7" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [("relayer.cli.version", ("web3", "aiohttp", "sqlalchemy")), ("relayer.cli.run", ("web3",))],
)
def test_a_command_loads_no_other_commands_libraries(module: str, unneeded: tuple[str, ...]) -> None:
    code = f"import sys, relayer.cli.app, {module}; print([name for name in {unneeded} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_program_is_also_a_module() -> None:
    command = [sys.executable, "-m", "relayer.cli", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"xvm {version('xvm-relayer')}\n")
