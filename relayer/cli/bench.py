"""`xvm bench`: what a load of requests costs, and how long it takes, on a devnet of its own.

Its job: bring the devnet up, run the load, take the devnet down, print one JSON object last.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from attestation.request import Mode
from relayer.cli.devnet import ended_by_signals
from relayer.cli.output import JsonOption, examples, print_json, print_lines, print_note
from relayer.devnet.bench.bench import run_bench
from relayer.devnet.bench.load import Load
from relayer.devnet.network import Devnet
from relayer.devnet.processes import ProcessBook
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.errors import ConfigError

_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, by the shells' convention."""

_BLOCK_GAS_LIMIT = 2_000_000_000
"""The bench measures relayers: its chains take what is sent."""

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "xvm bench --rate 500 --seconds 60",
        "xvm bench --mode query --burst 5000 --json",
        "xvm bench --rate 2 --seconds 30 --finality-depth 0",
    )
)
def bench(
    mode: str = typer.Option("call", "--mode", metavar="call|query", help="What is asked for."),
    rate: float = typer.Option(0.0, "--rate", metavar="R", help="Requests a second, held for --seconds."),
    burst: int = typer.Option(0, "--burst", metavar="N", help="Instead: so many requests at once."),
    seconds: float = typer.Option(10.0, "--seconds", metavar="S", help="How long the rate is held."),
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    finality_depth: int = typer.Option(0, "--finality-depth", metavar="D", help="Blocks until a block is final."),
    as_json: JsonOption = False,
) -> None:
    """Put a load on a network of real processes and say what it cost, counted on the chains.

    Each request is its own transaction of a user. Exit code 1 if one was lost, doubled or wrong.
    """
    try:
        load = Load(Mode[mode.upper()], rate, burst, seconds)
    except KeyError:
        raise ConfigError([f"--mode {mode}: call or query"]) from None
    spec = DevnetSpec(relayers, threshold, block_time, finality_depth, block_gas_limit=_BLOCK_GAS_LIMIT)
    with (
        ended_by_signals("the bench was ended before its end", _INTERRUPTED),
        tempfile.TemporaryDirectory(prefix="xvm-bench-") as place,
    ):
        folder = DevnetFolder(Path(place) / "devnet")
        with Devnet(folder, spec, print_note) as devnet:
            description = devnet.start()
            pids = [item.pid for item in ProcessBook(folder.processes).read() if item.name.startswith("chain-")]
            found = run_bench(description, pids, load, print_note)
    if as_json:
        print_json(found)
    else:
        print_lines(*(f"{name:<28} {value}" for name, value in found.items()))
    raise typer.Exit(1 if found["lost"] or found["duplicated"] or found["wrong"] else 0)
