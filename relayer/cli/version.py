"""`xvm version`."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version

import typer

app = typer.Typer(add_completion=False)


@app.command()
def show_version(
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print the versions of this package and of its Python.

    Example: xvm version --json
    """
    facts = {"xvm": version("xvm-relayer"), "python": platform.python_version()}
    sys.stdout.write(json.dumps(facts) if as_json else "\n".join(f"{name} {text}" for name, text in facts.items()))
    sys.stdout.write("\n")
