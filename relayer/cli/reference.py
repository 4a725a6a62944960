"""The reference of all commands, docs/reference/cli.md, written from the program itself.

Its job: text; a test compares it with the committed file. `python -m relayer.cli.reference > docs/reference/cli.md`
renews it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import typer
from rich.text import Text

from relayer.cli.app import app

_HEAD: Final = """\
# Commands

`xvm` is installed with the package. Every command has `--help` with examples, and `--json`, which prints one document
on stdout. Errors go to stderr, one line each, with what to do. This page is made from the program:
`python -m relayer.cli.reference > docs/reference/cli.md`.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | an error, or a check that failed |
| 2 | wrong usage |
| 3-7 | `call` and `query` with `--wait`: how the request ended |
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `path` as it is typed, the library's own object behind it."""

    path: str
    declared: Any


def commands() -> Iterator[Command]:
    """All commands that do something, in the order of the help."""
    root = typer.main.get_command(app)
    yield from _below("xvm", root, typer.Context(root))


def reference() -> str:
    """The whole page."""
    return "\n".join((_HEAD, *(line for command in commands() for line in _section(command))))


def _below(path: str, declared: Any, context: typer.Context) -> Iterator[Command]:
    if not hasattr(declared, "list_commands"):
        yield Command(path, declared)
        return
    for name in declared.list_commands(context):
        yield from _below(f"{path} {name}", declared.get_command(context, name), context)


def _section(command: Command) -> Iterator[str]:
    arguments = [param for param in command.declared.params if param.param_type_name == "argument"]
    options = [param for param in command.declared.params if param.param_type_name == "option"]
    yield f"## `{command.path}`"
    yield ""
    yield _plain(command.declared.help)
    yield ""
    if arguments or options:
        yield "| | | default |"
        yield "| --- | --- | --- |"
        yield from (_row(f"`{param.metavar}`", param) for param in arguments)
        yield from (_row(f"`{_spelled(param)}`", param) for param in options)
        yield ""
    yield "```sh"
    yield from (line.strip() for line in _plain(command.declared.epilog).splitlines()[1:])
    yield "```"
    yield ""


def _row(name: str, param: Any) -> str:
    help_text = _plain(param.help or "").replace("|", "\\|")
    return f"| {name} | {help_text} | {_default(param)} |"


def _spelled(param: Any) -> str:
    return ", ".join(param.opts) if param.is_flag else f"{', '.join(param.opts)} {param.metavar}"


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if param.is_flag or param.default is None or param.default in ("", ()):
        return ""
    return f"`{param.default}`"


def _plain(text: str) -> str:
    """Without the terminal's markup."""
    return Text.from_markup(text.strip()).plain


if __name__ == "__main__":
    sys.stdout.write(reference())
