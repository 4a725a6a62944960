"""`xvm version`: what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import version

import typer

from relayer.cli.output import JsonOption, examples, print_json, print_lines

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("xvm version", "xvm version --json"))
def show_version(as_json: JsonOption = False) -> None:
    """Print the versions of this package and of its Python."""
    facts = {"xvm": version("xvm-relayer"), "python": platform.python_version()}
    if as_json:
        print_json(facts)
    else:
        print_lines(*(f"{name} {text}" for name, text in facts.items()))
