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
from relayer.cli.usage import WrongUsage
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

_KEPT_STATES = 32
"""Beyond finality. anvil copies its whole state with each block: a long bench would fill the machine's memory."""

_DEFAULT_SECONDS = 10.0

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "xvm bench --rate 500 --seconds 60",
        "xvm bench --mode query --burst 5000 --json",
        "xvm bench --rate 20 --seconds 30 --relayers 19 --threshold 13",
    )
)
def bench(
    mode: str = typer.Option("call", "--mode", metavar="call|query", help="What is asked for."),
    rate: float | None = typer.Option(None, "--rate", metavar="R", help="Requests a second, held for --seconds."),
    burst: int | None = typer.Option(None, "--burst", metavar="N", help="Instead: so many requests at once."),
    seconds: float | None = typer.Option(
        None, "--seconds", metavar="S", help=f"How long the rate is held; {_DEFAULT_SECONDS:g} if not given."
    ),
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    finality_depth: int = typer.Option(0, "--finality-depth", metavar="D", help="Blocks until a block is final."),
    as_json: JsonOption = False,
) -> None:
    """Put a load on a network of real processes and say what it cost, counted on the chains.

    Each request is its own transaction of a user. What each figure means: docs/reference/bench.md. Exit code 1 if a
    request was lost, doubled or wrongly answered.
    """
    load = _load(mode, rate, burst, seconds)
    spec = DevnetSpec(
        *(relayers, threshold, block_time, finality_depth),
        block_gas_limit=_BLOCK_GAS_LIMIT,
        kept_states=_KEPT_STATES + finality_depth,
    )
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
        print_lines(*(f"{name:<28} {_text(value)}" for name, value in found.items()))
    raise typer.Exit(1 if found["lost"] or found["duplicated"] or found["wrong"] else 0)


def _load(mode: str, rate: float | None, burst: int | None, seconds: float | None) -> Load:
    if mode.upper() not in Mode.__members__:
        raise WrongUsage([f"--mode {mode}: call or query"])
    if burst is not None and (rate is not None or seconds is not None):
        raise WrongUsage(["--burst asks all at once: leave out --rate and --seconds"])
    try:
        return Load(Mode[mode.upper()], rate or 0.0, burst or 0, _DEFAULT_SECONDS if seconds is None else seconds)
    except ConfigError as error:
        raise WrongUsage(error.faults) from None


def _text(value: object) -> str:
    """Of one figure, or of several under their names."""
    if isinstance(value, dict):
        return "  ".join(f"{name} {_text(part)}" for name, part in value.items())
    return "-" if value is None else str(value)
