"""`xvm config`: the configuration file, checked and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relayer.cli.config_example import example_config
from relayer.cli.output import JsonOption, examples, print_json, print_lines
from relayer.config import load_config
from relayer.errors import ConfigError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check a configuration file, or print an example.")


@app.command(epilog=examples("xvm config validate relayer.toml", "xvm config validate relayer.toml --json"))
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration (TOML).", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Read the file as `xvm run` would and name every fault at once; connects to nothing.

    Exit code 0 if there is none, else 1.
    """
    try:
        settings = load_config(file)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"is_valid": False, "faults": error.faults})
        raise typer.Exit(1) from None
    if as_json:
        print_json({"is_valid": True, "faults": []})
        return
    chains = ", ".join(f"{chain.name} ({chain.caip2})" for chain in settings.chains)
    print_lines(f"{file}: valid; relayer {settings.node.name}, chains {chains}, {len(settings.peers)} peers")


@app.command(epilog=examples("xvm config example > relayer.toml"))
def example(as_json: JsonOption = False) -> None:
    """Print a complete configuration, every key with what it is for."""
    text = example_config()
    if as_json:
        print_json({"toml": text})
    else:
        print_lines(text.removesuffix("\n"))
