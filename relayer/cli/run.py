"""`xvm run`: one relayer, until it is told to stop.

Its job: read the configuration, set up logging, start the service. What runs, and how it stops, is the service's.
"""

from __future__ import annotations

import asyncio

import typer

from relayer import service
from relayer.cli.output import ConfigOption, examples
from relayer.config import LogFormat, load_config
from relayer.observability.logging import configure_logging

app = typer.Typer(add_completion=False)

_IS_JSON = {LogFormat.AUTO: None, LogFormat.TEXT: False, LogFormat.JSON: True}


@app.command(epilog=examples("xvm run --config relayer.toml", "xvm run --config relayer.toml --json 2> relayer.log"))
def run(
    config: ConfigOption,
    as_json: bool = typer.Option(False, "--json", help="Log JSON, whatever the configuration says."),
) -> None:
    """Run a relayer until SIGTERM or Ctrl-C.

    It logs to stderr. Exit code 0 after a signal, 1 if it cannot start. `xvm doctor` says beforehand what is amiss.
    """
    settings = load_config(config)
    settings.require_loadable_keys()
    configure_logging(settings.node.log_level, is_json=True if as_json else _IS_JSON[settings.node.log_format])
    asyncio.run(service.run(settings))
