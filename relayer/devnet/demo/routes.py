"""What a call cost and how long it took on each route between VMs.

Its job: one request of each route, with what its asker paid, its share of what relayers paid, and its times; and these
as a table of sources by destinations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.demo.cases import Case, Manner
from relayer.devnet.demo.chains import DemoChain, Unit
from relayer.devnet.demo.watching import Journey


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """Of the first call on a route that is executed. `source` and `destination` are VMs.

    Amounts are in smallest units: `paid` by who asked and `delivering` on the source chain, `executing` on the
    destination chain; these two by relayers, each the request's share of its transaction. Times are in seconds from the
    request to the receipt, and from there to the callback, as they were seen.
    """

    source: str
    destination: str
    source_unit: Unit
    destination_unit: Unit
    request_id: int
    paid: int
    executing: int
    delivering: int
    receipt_seconds: float
    callback_seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source": self.source,
            "destination": self.destination,
            "id": f"0x{self.request_id:064x}",
            "paid": self._amount(self.paid, self.source_unit),
            "executing": self._amount(self.executing, self.destination_unit),
            "delivering": self._amount(self.delivering, self.source_unit),
            "receipt_seconds": round(self.receipt_seconds, 3),
            "callback_seconds": round(self.callback_seconds, 3),
        }

    @property
    def lines(self) -> str:
        """For people."""
        return (
            f"paid {_shown(self.paid, self.source_unit)}\n"
            f"spent {_shown(self.executing, self.destination_unit)} + {_shown(self.delivering, self.source_unit)}\n"
            f"{self.receipt_seconds:.1f} s + {self.callback_seconds:.1f} s"
        )

    @staticmethod
    def _amount(amount: int, unit: Unit) -> dict[str, Any]:
        return {"amount": amount / unit.size, "unit": unit.name}


def measure_routes(chains: Mapping[str, DemoChain], journeys: Sequence[Journey]) -> tuple[RouteFigures, ...]:
    """Of each route between two VMs on which a call was executed and told."""
    sharing = Counter(
        (name, step.transaction)
        for journey in journeys
        for name, step in ((journey.case.destination, journey.executed), (journey.case.source, journey.delivered))
        if step is not None
    )

    def share(name: str, transaction: bytes) -> int:
        return chains[name].fee_of(transaction) // sharing[name, transaction]

    found: dict[tuple[str, str], RouteFigures] = {}
    for journey in journeys:
        case = journey.case
        source, destination = chains[case.source], chains[case.destination]
        requested, executed, delivered = journey.requested, journey.executed, journey.delivered
        if (
            (source.vm, destination.vm) not in found
            and _is_plain_call(case)
            and requested is not None
            and executed is not None
            and delivered is not None
        ):
            found[source.vm, destination.vm] = RouteFigures(
                source=source.vm,
                destination=destination.vm,
                source_unit=source.unit,
                destination_unit=destination.unit,
                request_id=journey.request_id,
                paid=journey.fee,
                executing=share(case.destination, executed.transaction),
                delivering=share(case.source, delivered.transaction),
                receipt_seconds=executed.at - requested.at,
                callback_seconds=delivered.at - executed.at,
            )
    return tuple(found.values())


def routes_table(figures: Sequence[RouteFigures]) -> Table:
    """Sources down, destinations across."""
    vms = list(dict.fromkeys(each.source for each in figures))
    by_route = {(each.source, each.destination): each for each in figures}
    table = Table(title="What a call costs and takes", header_style="bold", show_lines=True)
    for heading in ("from \\ to", *vms):
        table.add_column(heading)
    for source in vms:
        cells = (by_route.get((source, destination)) for destination in vms)
        table.add_row(source, *("-" if cell is None else cell.lines for cell in cells))
    table.caption = (
        "of one call: what its asker paid; what relayers spent to execute it and to tell its outcome, its share of "
        "their transactions; time from the request to the receipt, and from there to the callback"
    )
    return table


def _is_plain_call(case: Case) -> bool:
    return (
        case.mode is Mode.CALL
        and case.kind is OutcomeKind.EXECUTED
        and case.asker == "echo"
        and case.manner in {Manner.PLAIN, Manner.SIMPLE}
    )


def _shown(amount: int, unit: Unit) -> str:
    return f"{amount / unit.size:,.0f} {unit.name}"
