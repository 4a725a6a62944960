"""The demonstration itself: ask, lend a hand where one is needed, show live, judge, tabulate.

Its job: the order of things and what a person sees. Whoever runs it prints the verdict's line last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Case, Manner, cases
from relayer.devnet.demo.chain_session import AskRefused, ChainSession, Sighting
from relayer.devnet.demo.watching import Journey, Step
from relayer.errors import ConfigError

PATIENCE_SECONDS = 75.0
"""All requests end within a dozen blocks; beyond this the network does not work."""

_EXPIRING_ATTEMPTS = 10
"""A busy machine may take the two blocks that are left to mine the question."""

_LOOK_SECONDS = 0.1
"""How often the chains are looked at: fine against blocks of a second."""

_WORDS = {
    "XVMCallRequested": "requested",
    "XVMCallConcluded": "concluded",
    "XVMCallbackDelivered": "callback",
    "XVMHandlerFailed": "handler failed",
    "XVMCancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Place:
    """The demonstration's contracts on one chain."""

    chain: str
    caip2: str
    counter: str
    asker: str
    token: str
    loan: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many requests ended as expected, and what else was not as it should be."""

    good: int
    total: int
    faults: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def is_good(self) -> bool:
        """Whether all of it was as expected."""
        return self.good == self.total and not self.faults

    @property
    def line(self) -> str:
        """The demonstration's last line."""
        return f"demo: {self.good} of {self.total} requests ended as expected"


def run_demo(devnet_file: Path, console: Console) -> Verdict:
    """Run it on the devnet that the file describes. The verdict is the chains', not the relayers'.

    Raises:
        ConfigError: the file is none, or describes fewer than two chains.
    """
    first, second = _open(devnet_file)
    console.print(
        f"[bold]Chains[/] {first.name} ({first.caip2}) and {second.name} ({second.caip2}); deploying examples"
    )
    for chain in (first, second):
        chain.deploy()
    first.open_lender(second)
    second.open_lender(first)
    to_ask = cases(first.name, second.name)
    journeys = _ask_all((first, second), [case for case in to_ask if case.manner is not Manner.CANCELLED], console)
    _watch((first, second), journeys, console)
    # Last and alone: a hundred blocks at once would make nonsense of the others' figures.
    given_up = _ask_all((first, second), [case for case in to_ask if case.manner is Manner.CANCELLED], console)
    _watch((first, second), given_up, console, first_number=len(journeys) + 1)
    journeys += given_up
    verdicts = {journey.request_id: _judge(journey, (first, second)) for journey in journeys}
    faults = (*_judge_counters((first, second), journeys), *_judge_order(journeys))
    console.print(_table((first, second), journeys, verdicts))
    for fault in faults:
        console.print(f"[red]{fault}[/]")
    places = tuple(
        Place(
            chain.name,
            chain.caip2,
            counter=chain.counter.address,
            asker=chain.echo.address,
            token=chain.token.address,
            loan=chain.loan.address,
        )
        for chain in (first, second)
    )
    return Verdict(sum(not wrong for wrong in verdicts.values()), len(journeys), faults, places)


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
    console.print(f"[bold]{len(sent)} request{'s' * (len(sent) > 1)}[/] sent")
    journeys = []
    for case, tx_hash in sent:
        journeys.append(Journey(case, request_id_of(case, by_name[case.source], tx_hash, by_name[case.destination])))
        if case.manner is Manner.CANCELLED:
            by_name[case.source].cancel(tx_hash)
    return journeys


def request_id_of(case: Case, source: ChainSession, tx_hash: bytes, destination: ChainSession) -> int:
    """Of the request that the transaction asks, or of another like it: what is to expire may do so before its block."""
    for _ in range(_EXPIRING_ATTEMPTS if case.manner is Manner.EXPIRING else 0):
        try:
            return source.request_id(tx_hash)
        except AskRefused:
            tx_hash = source.ask(case, destination)
    return source.request_id(tx_hash)


def _watch(
    chains: Sequence[ChainSession], journeys: Sequence[Journey], console: Console, *, first_number: int = 1
) -> None:
    """Look at the chains until every request has ended, telling each event as it is seen; replay what is to be."""
    by_id = {journey.request_id: (number, journey) for number, journey in enumerate(journeys, start=first_number)}
    began = time.monotonic()
    while not all(journey.is_ended for journey in journeys) and time.monotonic() - began < PATIENCE_SECONDS:
        # Both chains first, so that each knows how far the other is when an event is noted.
        seen = [(chain, chain.fetch_sightings()) for chain in chains]
        for (chain, sightings), (other, _) in zip(seen, reversed(seen), strict=True):
            for sighting in sightings:
                number, journey = by_id.get(sighting.request_id, (0, None))
                if journey is not None and journey.take_in(sighting, time.monotonic(), other.seen_block):
                    console.print(_line(time.monotonic() - began, chain.name, number, journey, sighting))
                    if sighting.name == "XVMHandlerFailed" and journey.case.manner is Manner.REPLAYED:
                        chain.replay(sighting)
        time.sleep(_LOOK_SECONDS)


def _line(elapsed: float, chain: str, number: int, journey: Journey, sighting: Sighting) -> str:
    kind = OutcomeKind(sighting.fields["kind"]).name if "kind" in sighting.fields else ""
    word = _WORDS[sighting.name]
    place = f"{chain:<6} block {sighting.block:<5}"
    return f"{elapsed:6.1f} s  {place} #{number:<3} {word:<14} {kind:<10} {journey.case.title}"


def _judge(journey: Journey, chains: Sequence[ChainSession]) -> list[str]:
    faults = journey.judge()
    case = journey.case
    source = next(chain for chain in chains if chain.name == case.source)
    if case.manner is Manner.CANCELLED and not source.is_given_up(journey.request_id):
        faults.append("the gateway does not hold it as cancelled")
    if journey.delivered is None:
        return faults
    if case.asker == "echo":
        arrived, success, _ = source.callback_of(journey.request_id)
        if not arrived or success is not journey.success:
            faults.append("the asking contract was told something else")
    if case.asker == "loan" and source.loan_of(journey.request_id) != (case.is_lent, case.loan * case.is_lent):
        faults.append("the lender did not do what the collateral asks for")
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


def _judge_order(journeys: Sequence[Journey]) -> list[str]:
    """Ordered requests must name the one before them, and stand behind it on their destination."""
    ordered = [journey for journey in journeys if journey.case.manner is Manner.ORDERED]
    places = [(step.block, step.log_index) for journey in ordered if (step := journey.executed) is not None]
    named = [journey.ordered_after for journey in ordered[1:]]
    is_named = named == [journey.request_id for journey in ordered[:-1]]
    return [] if is_named and places == sorted(places) else ["the ordered requests did not run in their order"]


def _table(chains: Sequence[ChainSession], journeys: Sequence[Journey], verdicts: dict[int, list[str]]) -> Table:
    gas_of = {chain.name: chain.gas_used for chain in chains}
    table = Table(title="What the chains say", header_style="bold")
    for heading in ("#", "request", "mode", "way", "state", "outcome", "to receipt", "to callback", "gas"):
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
            f"[red]{'; '.join(faults)}[/]" if faults else f"[green]{'-' if case.kind is None else case.kind.name}[/]",
            _stage(journey.requested, journey.executed, is_crossing=True),
            _stage(journey.executed or journey.requested, journey.delivered, is_crossing=journey.executed is not None),
            f"{execute_gas or '-'} + {deliver_gas or '-'}",
        )
    table.caption = (
        "blocks and time since the stage before; gas of the transactions that executed and that delivered, each shared "
        "by all requests in it"
    )
    return table


def _stage(before: Step | None, after: Step | None, *, is_crossing: bool) -> str:
    """Blocks and milliseconds between two sightings; the blocks are those of the chain of the later one."""
    if before is None or after is None:
        return "-"
    blocks = after.block - (before.other_block if is_crossing else before.block)
    return f"{blocks} blocks, {(after.at - before.at) * 1000:,.0f} ms"
