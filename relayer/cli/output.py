"""What commands print, and the options that most of them share.

Its job: results to stdout, as text for people or as one JSON document with `--json`; nothing else goes there. It asks
nobody anything.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
DevnetOption = Annotated[
    Path, typer.Option("--devnet", metavar="DIR", help="Folder of a devnet, with its devnet.json.")
]
ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The relayer's configuration (TOML).")]

DEFAULT_DEVNET: Final = Path(".devnet")

_NAME: Final = "xvm"

_WIDTH_OFF_TERMINAL: Final = 1_000
"""Columns: more than any of our tables has."""


def examples(*commands: str) -> str:
    """The end of a command's help: how it is typed."""
    return "\n".join(("Examples:", *(f"  {escape(command)}" for command in commands)))


def typed(*command: str) -> str:
    """A command of ours as whoever reads it can type it: with the program's path, unless the shell finds it by name."""
    program = Path(sys.argv[0])
    is_found = program.name != _NAME or shutil.which(_NAME) is not None
    return " ".join((_NAME if is_found else str(program), *command))


def print_json(value: Any) -> None:
    """One document on stdout."""
    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")


def print_lines(*lines: str) -> None:
    """Text on stdout as it is: no markup, no wrapping, so that it can be cut and pasted."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def print_note(line: str) -> None:
    """A line beside the result, on stderr: progress, and where to look."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table on stdout: on a terminal it fits, elsewhere nothing is wrapped or cut."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OFF_TERMINAL)
    table = Table(*headings, title=title or None, header_style="bold", title_justify="left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
