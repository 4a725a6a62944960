"""`xvm demo`: a devnet, a handful of requests, and what the chains say became of them.

Its job: bring the devnet up, run the demonstration, take the devnet down, and print the verdict last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import typer
from rich.console import Console

from attestation.schemes import DEFAULT_SCHEME
from relayer.cli.devnet import DEFAULT_STATE, StateOption, ended_by_signals, start_detached
from relayer.cli.output import JsonOption, examples, print_json, print_lines, print_note, typed
from relayer.cli.scheme import SchemeOption
from relayer.devnet.demo.demo import Place, run_demo
from relayer.devnet.network import Devnet
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.errors import RelayerError

_WIDTH_OFF_TERMINAL = 180
"""Columns that the demonstration's table needs to wrap nothing."""

_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, by the shells' convention."""

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("xvm demo", "xvm demo --keep", "xvm demo --block-time 2 --relayers 7 --threshold 5"))
def demo(
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    state: StateOption = DEFAULT_STATE,
    keep: bool = typer.Option(False, "--keep", help="Leave the devnet running afterwards, and say where to look."),
    as_json: JsonOption = False,
) -> None:
    """Send requests both ways between two chains, in both modes, and watch them end.

    Among them are targets that revert or have no code, requests that expire, queries, loans against collateral on the
    other chain, an ordered pair, a callback that fails and is replayed, and one that is cancelled. Exit code 0 only if
    every one ended as expected, by the chains' own events.
    """
    spec = DevnetSpec(relayers, threshold, block_time, scheme=scheme)
    folder = DevnetFolder(state.resolve())
    is_wide = sys.stdout.isatty() and not as_json
    console = Console(stderr=as_json, width=None if is_wide else _WIDTH_OFF_TERMINAL, highlight=False)
    with ended_by_signals("the demonstration was ended before its end", _INTERRUPTED), ExitStack() as stack:
        if keep:
            start_detached(spec, folder, print_note)
        else:
            stack.enter_context(Devnet(folder, spec, print_note)).start()
        try:
            verdict = run_demo(folder.description, console)
        except RelayerError:
            if keep:
                print_lines(*_where_to_look(folder))
            raise
        for fault in verdict.faults:
            print_note(fault)
        if keep:
            print_lines(*_where_to_look(folder), *_what_to_try(folder, verdict.places))
        stack.close()
        if as_json:
            print_json({"good": verdict.good, "total": verdict.total, "faults": list(verdict.faults)})
        else:
            print_lines(verdict.line)
        raise typer.Exit(0 if verdict.is_good else 1)


def _where_to_look(folder: DevnetFolder) -> tuple[str, ...]:
    return (
        "the devnet is still up:",
        f"  to join in     {folder.description}",
        f"  logs           {folder.log('relayer-1')} and its neighbours",
        f"  status         {typed('devnet', 'status')} --state {folder.root}",
        f"  requests       {typed('request', 'pending')} --devnet {folder.root}",
        f"  to end it      {typed('devnet', 'down')} --state {folder.root}",
    )


def _what_to_try(folder: DevnetFolder, places: Sequence[Place]) -> Iterator[str]:
    here, there = places[:2]
    way = f"--from {here.chain} --to {there.chain} --devnet {folder.root} --wait"
    yield "its contracts:"
    for place in places:
        yield f"  on {place.chain:<11} counter {place.counter}  asker {place.asker}"
        yield f"  {'':<14} token   {place.token}  loan  {place.loan}"
    yield "to try next:"
    yield f"  {typed('call')} {there.counter} --fn 'increment(uint256)' --args 5 --returns uint256 {way}"
    yield f"  {typed('query')} {there.counter} --fn 'count()' --returns uint256 {way}"
    yield f"  {typed('request', 'by-sender')} {here.caip2}:{here.loan} --devnet {folder.root}"
    yield f'  eval "$({typed("devnet", "env")} --state {folder.root})"   # for forge, cast and Hardhat'
