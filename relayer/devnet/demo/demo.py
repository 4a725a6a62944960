"""The demonstration itself: ask, lend a hand where one is needed, show live, judge, tabulate.

Its job: the order of things and what a person sees. Whoever runs it prints the verdict's line last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Case, Manner
from relayer.devnet.demo.chains import AskRefused, DemoChain, Event, Place, Sighting, find_demo_kind
from relayer.devnet.demo.lookout import Lookout
from relayer.devnet.demo.routes import RouteFigures, measure_routes, routes_table
from relayer.devnet.demo.watching import Journey, Step
from relayer.errors import ConfigError

PATIENCE_SECONDS = 75.0
"""All requests end within a dozen blocks; beyond this the network does not work."""

_EXPIRING_ATTEMPTS = 10
"""A busy machine may take the two blocks that are left to mine the question."""

_CANCELLING_ATTEMPTS = 3
"""A busy machine may take longer for hundreds of blocks than the network for an answer."""

_LOOK_SECONDS = 0.1
"""How often the chains are looked at: fine against blocks of a second."""

_LATER = (Manner.SETTLING, Manner.CANCELLED)
"""Asked when all before have ended, and in this order: of cancelled ones a hundred blocks at once would make nonsense
of the others' figures."""

Chains = Mapping[str, DemoChain]
"""By name."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A request, how it ended, and what about that is not as expected."""

    case: Case
    request_id: int
    kind: OutcomeKind | None
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of each request, and what else was not as it should be."""

    requests: tuple[Judged, ...]
    faults: tuple[str, ...]
    places: tuple[Place, ...]
    routes: tuple[RouteFigures, ...]

    @property
    def total(self) -> int:
        """How many requests there were."""
        return len(self.requests)

    @property
    def good(self) -> int:
        """How many of them ended as expected."""
        return sum(not judged.faults for judged in self.requests)

    @property
    def aborted(self) -> list[int]:
        """The requests that nobody executed because their targets fail: relayers know with which words."""
        return [judged.request_id for judged in self.requests if judged.case.manner is Manner.ABORTING]

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
        ConfigError: the file is none, or describes no chains between which there is something to show.
    """
    chains, to_ask = _open(devnet_file)
    names = ", ".join(f"{chain.name} ({chain.caip2})" for chain in chains.values())
    console.print(f"[bold]Chains[/] {names}; deploying examples")
    with ThreadPoolExecutor(len(chains)) as pool:
        for deployed in [pool.submit(chain.deploy) for chain in chains.values()]:
            deployed.result()
    for chain in chains.values():
        chain.join([other for other in chains.values() if other is not chain])
    lookout, journeys = Lookout(tuple(chains.values())), list[Journey]()
    for asked in _phases(to_ask):
        added = _ask_all(chains, asked, lookout, console)
        _watch(chains, added, lookout, console, first_number=len(journeys) + 1)
        journeys += added
    verdicts = {journey.request_id: _judge(journey, chains) for journey in journeys}
    faults = (*_judge_counters(chains, journeys), *_judge_order(journeys))
    routes = measure_routes(chains, journeys)
    console.print(_table(chains, journeys, verdicts))
    console.print(routes_table(routes))
    for fault in faults:
        console.print(f"[red]{fault}[/]")
    return Verdict(
        requests=tuple(
            Judged(journey.case, journey.request_id, journey.kind, tuple(verdicts[journey.request_id]))
            for journey in journeys
        ),
        faults=faults,
        places=tuple(chain.place for chain in chains.values()),
        routes=routes,
    )


def _open(devnet_file: Path) -> tuple[Chains, Sequence[Case]]:
    try:
        described = json.loads(devnet_file.read_text("utf-8"))["chains"]
        found = [(str(chain["caip2"]).partition(":")[0], chain) for chain in described]
        kinds = {namespace: kind for namespace, _ in found if (kind := find_demo_kind(namespace)) is not None}
        chains = [(namespace, kinds[namespace].open(chain)) for namespace, chain in found if namespace in kinds]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError([f"{devnet_file}: not a devnet; `xvm devnet up` writes one"]) from error
    if not kinds:
        raise ConfigError(["this environment was made from an older tree, and knows no demonstration; run: make setup"])
    to_ask: list[Case] = []
    for namespace, kind in kinds.items():
        own = [chain.name for of, chain in chains if of == namespace]
        # The first of each: later ones of a kind do not replace it.
        others = {of: chain.name for of, chain in reversed(chains) if of != namespace}
        to_ask += kind.cases(own, others)
    if not to_ask:
        raise ConfigError([f"{devnet_file}: there is nothing to show between these chains; two EVM chains are a start"])
    return {chain.name: chain for _, chain in chains}, to_ask


def _phases(to_ask: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """What is asked at once; each when all before has ended."""
    yield [case for case in to_ask if case.manner not in _LATER]
    for manner in _LATER:
        if asked := [case for case in to_ask if case.manner is manner]:
            yield asked


def _ask_all(chains: Chains, asked: Sequence[Case], lookout: Lookout, console: Console) -> list[Journey]:
    sent = []
    for case in asked:
        source, destination = chains[case.source], chains[case.destination]
        transaction = source.ask(case, destination)
        if case.manner is Manner.CANCELLED:
            # At once: the network needs but a few blocks for an answer.
            transaction = _given_up(case, source, transaction, destination)
        sent.append((case, transaction))
        # What is asked first goes its way while the others are asked.
        lookout.look()
    console.print(f"[bold]{len(sent)} request{'s' * (len(sent) > 1)}[/] sent")
    journeys = []
    for case, transaction in sent:
        source, destination = chains[case.source], chains[case.destination]
        journeys.append(Journey(case, request_id_of(case, source, transaction, destination)))
        lookout.look()
    return journeys


def _given_up(case: Case, source: DemoChain, transaction: bytes, destination: DemoChain) -> bytes:
    """The transaction of a request that was cancelled: of this one, or of another like it where the network won."""
    for _ in range(_CANCELLING_ATTEMPTS):
        try:
            source.cancel(transaction)
        except AskRefused:
            transaction = source.ask(case, destination)
        else:
            return transaction
    raise AskRefused(f"{source.name}: nothing could be cancelled before it was answered")


def request_id_of(case: Case, source: DemoChain, transaction: bytes, destination: DemoChain) -> int:
    """Of the request that the transaction asks, or of another like it: what is to expire may do so before its block."""
    for _ in range(_EXPIRING_ATTEMPTS if case.manner is Manner.EXPIRING else 0):
        try:
            return source.request_id(transaction)
        except AskRefused:
            transaction = source.ask(case, destination)
    return source.request_id(transaction)


def _watch(
    chains: Chains, journeys: Sequence[Journey], lookout: Lookout, console: Console, *, first_number: int = 1
) -> None:
    """Look at the chains until every request has ended, telling each event as it is seen; replay what is to be."""
    by_id = {journey.request_id: (number, journey) for number, journey in enumerate(journeys, start=first_number)}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(journey.is_ended for journey in journeys) and time.monotonic() < deadline:
        lookout.look()
        for seen in lookout.take():
            number, journey = by_id.get(seen.sighting.request_id, (0, None))
            if journey is None:
                continue
            case = journey.case
            other = case.destination if seen.chain == case.source else case.source
            if journey.take_in(seen.sighting, seen.at, seen.tips[other]):
                console.print(_line(seen.at - lookout.began, seen.chain, number, journey, seen.sighting))
                if seen.sighting.event is Event.HANDLER_FAILED and case.manner is Manner.REPLAYED:
                    chains[seen.chain].replay(seen.sighting)
        time.sleep(_LOOK_SECONDS)


def _line(elapsed: float, chain: str, number: int, journey: Journey, sighting: Sighting) -> str:
    kind = "" if sighting.kind is None else sighting.kind.name
    place = f"{chain:<6} block {sighting.block:<5}"
    return f"{elapsed:6.1f} s  {place} #{number:<3} {sighting.event:<14} {kind:<10} {journey.case.title}"


def _judge(journey: Journey, chains: Chains) -> list[str]:
    case = journey.case
    source, destination = chains[case.source], chains[case.destination]
    faults = [*journey.judge(), *source.judge_asker(case, journey.request_id, success=journey.success)]
    if journey.success:
        answer = source.answer_of(journey.request_id)
        executed = None if journey.executed is None else journey.executed.transaction
        faults += destination.judge_target(case, executed, answer)
    if case.reason and case.reason not in (source.answer_of(journey.request_id) or b""):
        faults.append("its asker was not told why")
    return faults


def _judge_counters(chains: Chains, journeys: Sequence[Journey]) -> list[str]:
    """Each counter must hold exactly what its executed requests added: nothing lost, nothing twice."""
    faults = []
    for name, chain in chains.items():
        expected = sum(
            int(str(journey.case.call.arguments[0]))
            for journey in journeys
            if journey.case.destination == name
            and (journey.case.call.target, journey.case.call.function) == ("counter", "increment")
            and journey.case.kind is OutcomeKind.EXECUTED
        )
        found = chain.count()
        if found != expected:
            faults.append(f"the counter on {name} is {found}, expected {expected}")
    return faults


def _judge_order(journeys: Sequence[Journey]) -> list[str]:
    """Ordered requests must name the one before them, and stand behind it on their destination."""
    ordered = [journey for journey in journeys if journey.case.manner is Manner.ORDERED]
    places = [(step.block, step.place) for journey in ordered if (step := journey.executed) is not None]
    named = [journey.ordered_after for journey in ordered[1:]]
    is_named = named == [journey.request_id for journey in ordered[:-1]]
    return [] if is_named and places == sorted(places) else ["the ordered requests did not run in their order"]


def _table(chains: Chains, journeys: Sequence[Journey], verdicts: dict[int, list[str]]) -> Table:
    table = Table(title="What the chains say", header_style="bold")
    for heading in ("#", "request", "mode", "way", "state", "outcome", "to receipt", "to callback", "gas"):
        table.add_column(heading, justify="right" if heading in {"#", "gas"} else "left")
    for number, journey in enumerate(journeys, start=1):
        case = journey.case
        faults = verdicts[journey.request_id]
        execute_gas = chains[case.destination].gas_used(journey.executed.transaction) if journey.executed else 0
        deliver_gas = chains[case.source].gas_used(journey.delivered.transaction) if journey.delivered else 0
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
        "blocks and time since the stage before; gas, or what the chain has instead, of the transactions that executed "
        "and that delivered, each shared by all requests in it"
    )
    return table


def _stage(before: Step | None, after: Step | None, *, is_crossing: bool) -> str:
    """Blocks and milliseconds between two sightings; the blocks are those of the chain of the later one."""
    if before is None or after is None:
        return "-"
    blocks = after.block - (before.other_block if is_crossing else before.block)
    return f"{blocks} blocks, {(after.at - before.at) * 1000:,.0f} ms"
