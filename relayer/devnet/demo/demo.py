"""The demonstration itself: ask, show live, judge, tabulate.

Its job: the order of things and what a person sees. The last line is `demo: N of N requests ended as expected`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Case, cases
from relayer.devnet.demo.chain_session import ChainSession, Sighting
from relayer.devnet.demo.watching import Journey, Step
from relayer.errors import ConfigError

PATIENCE_SECONDS = 75.0
"""All requests end within a dozen blocks; beyond this the network does not work."""

_LOOK_SECONDS = 0.1
"""How often the chains are looked at: fine against blocks of a second."""

_WORDS = {
    "XVMCallRequested": "requested",
    "XVMCallConcluded": "executed",
    "XVMCallbackDelivered": "callback",
    "XVMHandlerFailed": "handler failed",
}


def run_demo(devnet_file: Path, console: Console) -> bool:
    """Run it on the devnet that the file describes. True if every request ended as expected.

    Raises:
        ConfigError: the file is none, or describes fewer than two chains.
    """
    first, second = _open(devnet_file)
    console.print(
        f"[bold]Chains[/] {first.name} ({first.caip2}) and {second.name} ({second.caip2}); deploying examples"
    )
    for chain in (first, second):
        chain.deploy()
    journeys = _ask_all((first, second), cases(first.name, second.name), console)
    _watch((first, second), journeys, console)
    verdicts = {journey.request_id: _judge(journey, (first, second)) for journey in journeys}
    wrong_sums = _judge_counters((first, second), journeys)
    console.print(_table((first, second), journeys, verdicts))
    for fault in wrong_sums:
        console.print(f"[red]{fault}[/]")
    good = sum(not faults for faults in verdicts.values())
    console.print(f"demo: {good} of {len(journeys)} requests ended as expected", highlight=False)
    return good == len(journeys) and not wrong_sums


def _open(devnet_file: Path) -> tuple[ChainSession, ChainSession]:
    try:
        description = json.loads(devnet_file.read_text("utf-8"))
        first, second, *_ = (ChainSession(chain) for chain in description["chains"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError([f"{devnet_file}: not a devnet of two chains; `xvm devnet up` writes one"]) from error
    return first, second


def _ask_all(chains: Sequence[ChainSession], asked: Sequence[Case], console: Console) -> list[Journey]:
    by_name = {chain.name: chain for chain in chains}
    sent = [(case, by_name[case.source].ask(case, by_name[case.destination])) for case in asked]
    console.print(f"[bold]{len(sent)} requests[/] sent")
    return [Journey(case, by_name[case.source].request_id(tx_hash)) for case, tx_hash in sent]


def _watch(chains: Sequence[ChainSession], journeys: Sequence[Journey], console: Console) -> None:
    """Look at the chains until every request has its callback, telling each event as it is seen."""
    by_id = {journey.request_id: (number, journey) for number, journey in enumerate(journeys, start=1)}
    began = time.monotonic()
    while any(journey.delivered is None for journey in journeys) and time.monotonic() - began < PATIENCE_SECONDS:
        for chain in chains:
            for sighting in chain.fetch_sightings():
                number, journey = by_id.get(sighting.request_id, (0, None))
                if journey is not None and journey.take_in(sighting, time.monotonic()):
                    console.print(
                        _line(time.monotonic() - began, chain.name, number, journey, sighting), highlight=False
                    )
        time.sleep(_LOOK_SECONDS)


def _line(elapsed: float, chain: str, number: int, journey: Journey, sighting: Sighting) -> str:
    kind = "" if sighting.name == "XVMCallRequested" else OutcomeKind(sighting.fields["kind"]).name
    word = _WORDS[sighting.name]
    place = f"{chain:<6} block {sighting.block:<5}"
    return f"{elapsed:6.1f} s  {place} #{number:<3} {word:<14} {kind:<10} {journey.case.title}"


def _judge(journey: Journey, chains: Sequence[ChainSession]) -> list[str]:
    faults = journey.judge()
    if journey.case.asker == "echo" and journey.delivered is not None:
        source = next(chain for chain in chains if chain.name == journey.case.source)
        arrived, success, _ = source.callback_of(journey.request_id)
        if not arrived or success is not journey.success:
            faults.append("the asking contract was told something else")
    return faults


def _judge_counters(chains: Sequence[ChainSession], journeys: Sequence[Journey]) -> list[str]:
    """Each counter must hold exactly what its executed requests added: nothing lost, nothing twice."""
    faults = []
    for chain in chains:
        expected = sum(
            int(str(journey.case.call.arguments[0]))
            for journey in journeys
            if journey.case.destination == chain.name
            and journey.case.mode is Mode.CALL
            and journey.case.kind is OutcomeKind.EXECUTED
        )
        found = chain.count()
        if found != expected:
            faults.append(f"the counter on {chain.name} is {found}, expected {expected}")
    return faults


def _table(chains: Sequence[ChainSession], journeys: Sequence[Journey], verdicts: dict[int, list[str]]) -> Table:
    gas_of = {chain.name: chain.gas_used for chain in chains}
    table = Table(title="What the chains say", header_style="bold")
    for heading in ("#", "request", "mode", "way", "state", "outcome", "to execution", "to callback", "gas"):
        table.add_column(heading, justify="right" if heading in {"#", "gas"} else "left")
    for number, journey in enumerate(journeys, start=1):
        case = journey.case
        faults = verdicts[journey.request_id]
        execute_gas = gas_of[case.destination](journey.executed.tx_hash) if journey.executed else 0
        deliver_gas = gas_of[case.source](journey.delivered.tx_hash) if journey.delivered else 0
        table.add_row(
            str(number),
            case.title,
            case.mode.name,
            f"{case.source} → {case.destination}",
            journey.state,
            f"[red]{'; '.join(faults)}[/]" if faults else f"[green]{case.kind.name}[/]",
            _stage(None, journey.requested, journey.executed),
            _stage(journey.requested, journey.executed or journey.requested, journey.delivered),
            f"{execute_gas or '-'} + {deliver_gas or '-'}",
        )
    table.caption = (
        "times since the stage before, blocks of the source chain in brackets; gas of the transactions that executed "
        "and delivered, shared by all requests in them"
    )
    return table


def _stage(asked: Step | None, before: Step | None, after: Step | None) -> str:
    """Milliseconds between two sightings, with the source blocks from asking to the callback where both are there."""
    if before is None or after is None:
        return "-"
    blocks = "" if asked is None else f" ({after.block - asked.block} blocks)"
    return f"{(after.at - before.at) * 1000:,.0f} ms{blocks}"
