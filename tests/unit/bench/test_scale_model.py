"""What must hold of the scale model whatever things cost."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.bench.scale.inputs import Calls, Costs, Cpu, Scenario, load_costs
from tests.bench.scale.machines import Process, Timeline
from tests.bench.scale.model import Simulation
from tests.bench.scale.report import HEADINGS, as_object, examine, row

COSTS = load_costs()
SMALL = Scenario(chains=5, nodes=4, threshold=3, rate=20.0, seconds=12.0)


def cpu_of(**changes: float) -> Costs:
    """The measured costs with another CPU time of something."""
    return replace(COSTS, cpu_ms=replace(COSTS.cpu_ms, **changes))


def free() -> Costs:
    """Nothing costs anything but its time on the way."""
    nothing = Cpu(**dict.fromkeys((field.name for field in fields(Cpu)), 0.0))
    return replace(COSTS, cpu_ms=nothing, calls=Calls(0.0, 0.0, 0.0, 0.0))


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    assert examine(COSTS, SMALL) == examine(COSTS, SMALL)
    assert examine(COSTS, SMALL) != examine(COSTS, replace(SMALL, seed=2))


@pytest.mark.parametrize(
    "changed",
    [
        SMALL,
        replace(SMALL, window=3),
        replace(SMALL, depth=2),
        replace(SMALL, hubs=2, rate=400.0),
        replace(SMALL, groups=2),
        replace(SMALL, groups=3, watchers=True),
        replace(SMALL, rate=3_000.0, seconds=4.0),
    ],
)
def test_every_request_is_called_back_once_or_still_under_way(changed: Scenario) -> None:
    simulation = Simulation(COSTS, changed)
    account = simulation.run()
    assert account.asked > 0
    assert account.called_back == len(account.latencies)
    assert account.called_back + sum(account.under_way.values()) == account.asked
    assert min(account.under_way.values()) >= 0


def test_a_network_that_keeps_up_calls_back_as_much_as_is_asked() -> None:
    finding = examine(COSTS, replace(SMALL, seconds=60.0))
    assert finding.called_back_per_second == pytest.approx(SMALL.rate, rel=0.15)
    assert max(finding.load.values()) < 1


def test_who_computes_for_nothing_takes_two_blocks_each_way_and_no_more() -> None:
    finding = examine(free(), replace(SMALL, seconds=30.0))
    assert finding.cores_node == 0
    # Into a block of the source, one of the destination, one of the source: at most a block time for each.
    assert 1.0 <= finding.latency_p50 <= finding.latency_p99 <= 3 * SMALL.block_seconds + 0.5


def test_what_costs_more_uses_more_and_nothing_is_faster_for_it() -> None:
    cheap = examine(COSTS, SMALL)
    for field in fields(Cpu):
        dear = examine(cpu_of(**{field.name: 3 * getattr(COSTS.cpu_ms, field.name)}), SMALL)
        assert dear.cores_node > cheap.cores_node, field.name


def test_more_requests_take_more_of_everything() -> None:
    found = [examine(COSTS, replace(SMALL, rate=rate)) for rate in (5.0, 20.0, 80.0)]
    for name in ("cores_node", "cores_busiest", "exchanges_per_second", "attestations_per_second", "calls_per_second"):
        figures = [getattr(finding, name) for finding in found]
        assert figures == sorted(figures), name


def test_beyond_what_a_process_can_do_the_network_falls_behind() -> None:
    finding = examine(COSTS, replace(SMALL, rate=20_000.0, seconds=4.0))
    assert finding.first == "cpu"
    assert finding.load["cpu"] > 1
    assert finding.in_flight > 40_000


def test_more_nodes_mean_more_messages_and_more_signatures_to_verify() -> None:
    found = [examine(COSTS, replace(SMALL, nodes=n, threshold=k)) for n, k in ((4, 3), (8, 6), (19, 13))]
    for name in ("exchanges_per_second", "attestations_per_second"):
        figures = [getattr(finding, name) for finding in found]
        assert figures == sorted(set(figures)), name


def test_windows_make_larger_batches_of_the_same_requests() -> None:
    alone, together = (examine(COSTS, replace(SMALL, window=window, seconds=24.0)) for window in (1, 6))
    assert together.leaves_per_batch > 2 * alone.leaves_per_batch
    assert together.attestations_per_second < alone.attestations_per_second
    assert together.latency_p50 > alone.latency_p50


def test_processes_share_the_work_and_watchers_read_each_block_once() -> None:
    one, many, watched = (
        examine(COSTS, replace(SMALL, chains=8, rate=200.0, groups=groups, watchers=watchers))
        for groups, watchers in ((1, False), (4, False), (4, True))
    )
    assert (one.processes, many.processes, watched.processes) == (1, 10, 14)
    assert many.cores_busiest < one.cores_busiest
    assert many.cores_node > one.cores_node, "each reads its chains for itself"
    assert watched.cores_node < many.cores_node
    assert watched.calls_per_second < many.calls_per_second


def test_a_process_does_one_thing_after_the_other() -> None:
    process = Process()
    assert process.work(1.0, 500.0) == 1.5
    assert process.work(1.1, 500.0) == 2.0
    assert process.work(5.0, 250.0) == 5.25
    assert process.busy_seconds == 1.25


def test_events_happen_in_the_order_of_their_times_then_of_their_planning() -> None:
    timeline, seen = Timeline(), list[str]()
    for at, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "never")):
        timeline.at(at, lambda _at, name=name: seen.append(name))  # type: ignore[misc]
    timeline.run_until(2.0)
    assert seen == ["a", "b", "c"]


@pytest.mark.parametrize(
    "fault", [{"chains": 1}, {"threshold": 2}, {"rate": -1.0}, {"hubs": 1}, {"groups": 6}, {"window": 0}]
)
def test_a_network_that_cannot_be_is_refused(fault: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no such network"):
        replace(SMALL, **fault)


def test_a_line_of_the_table_has_a_cell_for_each_heading_and_the_object_says_what_breaks_first() -> None:
    finding = examine(COSTS, SMALL)
    assert len(row("name", finding)) == len(HEADINGS)
    assert as_object(finding)["first"] == finding.first
