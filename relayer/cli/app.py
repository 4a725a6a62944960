"""The program `xvm`: its commands put together, and what every failure looks like.

Its job: find a command in the module that has it, and turn an error that we raise on purpose into one line a fault on
stderr and exit code 1, or 2 for wrong usage. It must not hide what it does not know: any other exception is a bug and
keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from relayer.cli.usage import USAGE_EXIT_CODE, WrongUsage
from relayer.errors import ConfigError, RelayerError

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "relayer.cli.demo:app",
    "devnet": "relayer.cli.devnet:app",
    "deploy": "relayer.cli.deploy:app",
    "call": "relayer.cli.ask:call_app",
    "query": "relayer.cli.ask:query_app",
    "request": "relayer.cli.request:app",
    "signers": "relayer.cli.signers:app",
    "evidence": "relayer.cli.evidence:app",
    "bench": "relayer.cli.bench:app",
    "run": "relayer.cli.run:app",
    "keys": "relayer.cli.keys:app",
    "chain": "relayer.cli.chain:app",
    "config": "relayer.cli.config:app",
    "doctor": "relayer.cli.doctor:app",
    "version": "relayer.cli.version:app",
}
"""Command → `module:name` of its `typer.Typer`, in the order of the help.

A Typer with one command and no callback is that command, any other is a group. A module is imported when its command is
asked for: a node should not load the tools' libraries, nor `xvm version` a node's.
"""


class LazyCommands(TyperGroup):
    """The root group: imports what is asked for; a `RelayerError` ends any command with 1 (or 2), no traceback."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Their names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The command of this name, or None."""
        del ctx
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = typer.main.get_command(getattr(import_module(module), name))
        command.name = cmd_name
        return command

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except RelayerError as error:
            for fault in error.faults if isinstance(error, ConfigError) else (str(error) or error.code,):
                sys.stderr.write(f"xvm: {fault}\n")
            raise typer.Exit(USAGE_EXIT_CODE if isinstance(error, WrongUsage) else 1) from None


app = typer.Typer(
    name="xvm",
    cls=LazyCommands,
    help="Relayer network for cross-VM calls: run a node, ask for a call, look at what became of it.",
    no_args_is_help=True,
    # SECURITY: the library's own tracebacks show local variables, and so whatever key was in one.
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="xvm")
