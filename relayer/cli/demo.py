"""`xvm demo`: a devnet, a handful of requests, and what the chains say became of them.

Its job: bring the devnet up, run the demonstration, take the devnet down, and print the verdict last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import typer
from rich.console import Console

from attestation.schemes import DEFAULT_SCHEME
from relayer.cli.devnet import DEFAULT_STATE, StateOption, ended_by_signals, start_detached
from relayer.cli.output import JsonOption, examples, print_json, print_lines, print_note, typed
from relayer.cli.relayer_api import ask_first, relayers_of
from relayer.cli.scheme import SchemeOption
from relayer.devnet.demo.chains import Place
from relayer.devnet.demo.demo import Verdict, run_demo
from relayer.devnet.network import Devnet
from relayer.devnet.spec import DevnetFolder, DevnetSpec
from relayer.errors import RelayerError

_WIDTH_OFF_TERMINAL = 180
"""Columns that the demonstration's table needs to wrap nothing."""

_VMS = "evm,svm,cosmwasm,svm,cosmwasm"
"""All that the demonstration shows: two chains of each VM, so that there is a route from each to each."""

_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, by the shells' convention."""

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples("xvm demo", "xvm demo --keep --relayers 7 --threshold 5", "xvm demo --vms evm --scheme bls12-381")
)
def demo(
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    vms: str = typer.Option(_VMS, "--vms", metavar="NAMES", help="Kinds of chains, as `xvm devnet up` has them."),
    state: StateOption = DEFAULT_STATE,
    keep: bool = typer.Option(False, "--keep", help="Leave the devnet running afterwards, and say where to look."),
    as_json: JsonOption = False,
) -> None:
    """Send requests from each VM to each, in both modes, watch them end, and tell what they cost and took.

    Among them are targets that revert, abort or have no code, requests that expire, queries, tokens that are moved from
    another chain, loans against collateral on another one, an ordered pair, a callback that fails and is replayed, and
    one that is cancelled. Exit code 0 only if every one ended as expected, by the chains' own events.
    """
    spec = DevnetSpec(relayers, threshold, block_time, scheme=scheme, vms=tuple(vms.split(",")))
    folder = DevnetFolder(state.resolve())
    is_wide = sys.stdout.isatty() and not as_json
    console = Console(stderr=as_json, width=None if is_wide else _WIDTH_OFF_TERMINAL, highlight=False)
    tell = _note_lines if as_json else print_lines
    with ended_by_signals("the demonstration was ended before its end", _INTERRUPTED), ExitStack() as stack:
        if keep:
            start_detached(spec, folder, print_note)
        else:
            stack.enter_context(Devnet(folder, spec, print_note)).start()
        try:
            verdict = run_demo(folder.description, console)
        except RelayerError:
            if keep:
                tell(*_where_to_look(folder))
            raise
        _note_lines(*verdict.faults)
        for request_id in verdict.aborted:
            tell(*_explained(folder, request_id))
        if keep:
            tell(*_where_to_look(folder), *_what_to_try(folder, verdict.places))
        stack.close()
        if as_json:
            print_json(_document(verdict))
        else:
            print_lines(verdict.line)
        raise typer.Exit(0 if verdict.is_good else 1)


def _note_lines(*lines: str) -> None:
    """Beside a document on stdout, what people read goes to stderr."""
    for line in lines:
        print_note(line)


def _document(verdict: Verdict) -> dict[str, Any]:
    requests = [
        {
            "id": _identifier(judged.request_id),
            "title": judged.case.title,
            "mode": judged.case.mode.name,
            "source": judged.case.source,
            "destination": judged.case.destination,
            "kind": None if judged.kind is None else judged.kind.name,
            "faults": list(judged.faults),
        }
        for judged in verdict.requests
    ]
    return {
        "good": verdict.good,
        "total": verdict.total,
        "faults": list(verdict.faults),
        "requests": requests,
        "routes": [route.document for route in verdict.routes],
    }


def _identifier(request_id: int) -> str:
    return f"0x{request_id:064x}"


def _where_to_look(folder: DevnetFolder) -> tuple[str, ...]:
    return (
        "the devnet is still up:",
        f"  to join in     {folder.description}",
        f"  logs           {folder.log('relayer-1')} and its neighbours",
        f"  status         {typed('devnet', 'status')} --state {folder.root}",
        f"  requests       {typed('request', 'pending')} --devnet {folder.root}",
        f"  to end it      {typed('devnet', 'down')} --state {folder.root}",
    )


def _explained(folder: DevnetFolder, request_id: int) -> Iterator[str]:
    """What a relayer says of a request that nobody executed: one whose turn it was to try knows why."""
    identifier = _identifier(request_id)
    for relayer in relayers_of(None, folder.root):
        answer = ask_first([relayer], f"/v1/requests/{identifier}")
        if any(step["reason"] for step in answer["timeline"]):
            yield f"{typed('request', 'explain')} {identifier} --api {relayer.url}"
            yield f"  {answer['explanation']}"
            return


def _what_to_try(folder: DevnetFolder, places: Sequence[Place]) -> Iterator[str]:
    yield "its contracts and programs:"
    for place in places:
        for number, (name, address) in enumerate(place.contracts.items()):
            yield f"  {'' if number else f'on {place.chain}':<14} {name:<8} {address}"
    yield "to try next:"
    here, *others = places
    for source, there in (*((here, other) for other in others), (others[-1], here)):
        way = f"--from {source.chain} --to {there.chain} --devnet {folder.root} --wait"
        yield f"  {typed('call')} {there.call} {way}"
        yield f"  {typed('query')} {there.query} {way}"
    yield f"  {typed('request', 'by-sender')} {here.caip2}:{here.contracts['asker']} --devnet {folder.root}"
    yield f'  eval "$({typed("devnet", "env")} --state {folder.root})"   # for forge, cast and Hardhat'
