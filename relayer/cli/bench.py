"""`xvm bench`: what a load of requests costs, and how long it takes, on a devnet of its own.

Its job: run it, or two revisions by turns, and print one JSON object last.
"""

from __future__ import annotations

from typing import Any

import typer

from attestation.request import Mode
from relayer.cli.devnet import ended_by_signals
from relayer.cli.output import JsonOption, examples, print_json, print_lines, print_note, print_table
from relayer.cli.usage import WrongUsage
from relayer.devnet.bench.bench import bench_once
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.pairs import describe_pairs
from relayer.devnet.bench.revision import checked_out
from relayer.devnet.bench.route import Route
from relayer.devnet.spec import DevnetSpec
from relayer.errors import ConfigError

_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, by the shells' convention."""

_BLOCK_GAS_LIMIT = 2_000_000_000
"""The bench measures relayers: its chains take what is sent."""

_KEPT_STATES = 32
"""Beyond finality. anvil copies its whole state with each block: a long bench would fill the machine's memory."""

_DEFAULT_ROUTE = "evm:evm"
_DEFAULT_SECONDS = 10.0
_DEFAULT_ROUNDS = 5
_MAX_ROUNDS = 99

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "xvm bench --rate 500 --seconds 60",
        "xvm bench --mode query --burst 5000 --json",
        "xvm bench --route evm:svm --rate 100 --seconds 20",
        "xvm bench --route evm:cosmwasm --burst 20",
        "xvm bench --rate 20 --seconds 30 --relayers 19 --threshold 13",
        "xvm bench --rate 200 --against HEAD~1 --rounds 5",
        "xvm bench --rate 200 --seconds 20 --profile",
    )
)
def bench(
    mode: str = typer.Option("call", "--mode", metavar="call|query", help="What is asked for."),
    route: str = typer.Option(
        _DEFAULT_ROUTE, "--route", metavar="SOURCE:DESTINATION", help="VMs, as `xvm devnet up --vms` names them."
    ),
    rate: float | None = typer.Option(None, "--rate", metavar="R", help="Requests a second, held for --seconds."),
    burst: int | None = typer.Option(None, "--burst", metavar="N", help="Instead: so many requests at once."),
    seconds: float | None = typer.Option(
        None, "--seconds", metavar="S", help=f"How long the rate is held; {_DEFAULT_SECONDS:g} if not given."
    ),
    relayers: int = typer.Option(4, "--relayers", metavar="N", help="How many relayers."),
    threshold: int = typer.Option(3, "--threshold", metavar="K", help="How many of them make a quorum."),
    block_time: float = typer.Option(1.0, "--block-time", metavar="S", help="Seconds between blocks."),
    finality_depth: int = typer.Option(0, "--finality-depth", metavar="D", help="Blocks until a block is final."),
    against: str | None = typer.Option(
        None, "--against", metavar="REF", help="Measure this git revision too, in turn, and print ratios."
    ),
    rounds: int | None = typer.Option(
        None,
        "--rounds",
        metavar="N",
        min=1,
        max=_MAX_ROUNDS,
        help=f"With --against: pairs; {_DEFAULT_ROUNDS} if not given.",
    ),
    profile: bool = typer.Option(False, "--profile", help="Also say where the relayers' CPU time goes."),
    as_json: JsonOption = False,
) -> None:
    """Put a load on a network of real processes and say what it cost, counted on the chains.

    Each request is its own transaction of a user. What each figure means: docs/reference/bench.md. Exit code 1 if a
    request was lost, doubled or wrongly answered.
    """
    load = _load(mode, rate, burst, seconds)
    if against is None and rounds is not None:
        raise WrongUsage(["--rounds says how often two revisions are measured: name one by --against"])
    if against is not None and profile:
        raise WrongUsage(["--profile slows what it measures: leave it out of a comparison"])
    try:
        way = Route.parse(route)
        spec = DevnetSpec(
            *(relayers, threshold, block_time, finality_depth),
            block_gas_limit=_BLOCK_GAS_LIMIT,
            kept_states=_KEPT_STATES + finality_depth,
            vms=way.vms,
        )
    except ConfigError as error:
        # Exit code 1 would say that requests were lost.
        raise WrongUsage(error.faults) from None
    with ended_by_signals("the bench was ended before its end", _INTERRUPTED):
        if against is None:
            found = bench_once(spec, way, load, print_note, is_profiled=profile)
            _show(found, as_json=as_json)
        else:
            found = _compare(spec, way, load, against, _DEFAULT_ROUNDS if rounds is None else rounds)
            _show_comparison(found, as_json=as_json)
    raise typer.Exit(1 if found["lost"] or found["duplicated"] or found["wrong"] else 0)


def _compare(spec: DevnetSpec, route: Route, load: Load, reference: str, rounds: int) -> dict[str, Any]:
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with checked_out(reference) as revision:
        for number in range(rounds):
            found: dict[bool, dict[str, Any]] = {}
            # By turns who is first: what the first run leaves warm must help neither.
            for is_here in (number % 2 == 0, number % 2 == 1):
                print_note(f"round {number + 1} of {rounds}: {'this tree' if is_here else reference}")
                found[is_here] = bench_once(spec, route, load, print_note, None if is_here else revision.program)
            pairs.append((found[True], found[False]))
    runs = [run for pair in pairs for run in pair]
    return {
        "against": reference,
        "commit": revision.commit,
        "rounds": rounds,
        **{count: sum(run[count] for run in runs) for count in ("lost", "duplicated", "wrong")},
        "figures": describe_pairs(pairs),
        "runs": [{"here": here, "there": there} for here, there in pairs],
    }


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_lines(*(f"{name:<28} {_text(value)}" for name, value in found.items() if name != "profile"))
    for concern, costs in found.get("profile", {}).items():
        print_lines("", f"{costs['cpu_ms_per_request']:8.4f} ms  {concern}")
        print_lines(*(f"{cost:8.4f}       {function}" for function, cost in costs["functions"].items()))


def _show_comparison(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        (name, f"{figure['here']:g}", f"{figure['there']:g}", _text(figure["ratio"]))
        for name, figure in found["figures"].items()
    ]
    title = f"medians of {found['rounds']} rounds, and of here/there in each round; there: {found['commit'][:12]}"
    print_table(("", "here", "there", "ratio"), rows, title=title)
    print_lines(f"lost {found['lost']}, duplicated {found['duplicated']}, wrong {found['wrong']}")


def _load(mode: str, rate: float | None, burst: int | None, seconds: float | None) -> Load:
    if mode.upper() not in Mode.__members__:
        raise WrongUsage([f"--mode {mode}: call or query"])
    if burst is not None and (rate is not None or seconds is not None):
        raise WrongUsage(["--burst asks all at once: leave out --rate and --seconds"])
    if rate == 0 or burst == 0:
        raise WrongUsage(["--rate and --burst are above 0"])
    try:
        return Load(Mode[mode.upper()], rate or 0.0, burst or 0, _DEFAULT_SECONDS if seconds is None else seconds)
    except ConfigError as error:
        raise WrongUsage(error.faults) from None


def _text(value: object) -> str:
    """Of one figure, or of several under their names."""
    if isinstance(value, dict):
        return "  ".join(f"{name} {_text(part)}" for name, part in value.items())
    return "-" if value is None else str(value)
