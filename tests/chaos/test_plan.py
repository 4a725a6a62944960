"""A storm's plan: drawn from its seed alone, and bounded so that everything can end."""

from __future__ import annotations

import itertools

import pytest

from tests.chaos.load import draw
from tests.chaos.plan import DOWN_SECONDS, REST_SECONDS, FaultKind, LieKind, Plan, draw_plan

NODES = ("relayer-1", "relayer-2", "relayer-3", "relayer-4")
BLOCK_CHAINS, SLOT_CHAINS, INSTANT_CHAINS = ("alpha", "beta"), ("gamma",), ("delta",)
CHAINS = BLOCK_CHAINS + SLOT_CHAINS + INSTANT_CHAINS
SECONDS = 300.0


def plan_of(seed: int, seconds: float = SECONDS) -> Plan:
    return draw_plan(seed, seconds, NODES, BLOCK_CHAINS, SLOT_CHAINS, INSTANT_CHAINS, 6)


def test_a_seed_gives_the_same_faults_and_the_same_requests_again() -> None:
    assert plan_of(7) == plan_of(7) != plan_of(8)
    requests = [draw(100, SECONDS, 7, CHAINS, chain) for chain in CHAINS]
    assert requests == [draw(100, SECONDS, 7, CHAINS, chain) for chain in CHAINS]
    assert sum(map(len, requests)) == 100


@pytest.mark.parametrize("seed", range(5))
def test_a_full_storm_has_every_fault_and_every_lie_of_every_endpoint(seed: int) -> None:
    plan = plan_of(seed)
    wanted = {(kind, count) for kind in (FaultKind.KILL, FaultKind.FREEZE) for count in (1, 2, 4)}
    assert {(fault.kind, len(fault.subjects)) for fault in plan.faults} == wanted | {(FaultKind.FREEZE_CHAIN, 1)}
    assert {fault.subjects for fault in plan.reorgs} == {("alpha",), ("beta",)}
    assert {(fault.kind, fault.subjects) for fault in plan.slot_faults} == {
        (kind, ("gamma",))
        for kind in (
            FaultKind.SKIP_SLOTS,
            FaultKind.EXPIRE,
            FaultKind.LAG,
            FaultKind.LATE_STATUSES,
            FaultKind.DROP_SOCKETS,
        )
    }
    assert {(fault.kind, fault.subjects) for fault in plan.instant_faults} == {
        (kind, ("delta",)) for kind in (FaultKind.LAG, FaultKind.PRUNE, FaultKind.LOSE, FaultKind.DROP_SOCKETS)
    }
    told = {(lie.node, lie.chain, lie.kind) for lie in plan.lies}
    assert told == {(node, chain, kind) for node in NODES for chain in CHAINS for kind in LieKind}


@pytest.mark.parametrize("seed", range(5))
def test_nodes_are_down_for_seconds_only_and_rest_in_between(seed: int) -> None:
    faults = plan_of(seed).faults
    assert all(DOWN_SECONDS[0] <= fault.seconds <= DOWN_SECONDS[1] for fault in faults)
    for before, after in itertools.pairwise(faults):
        assert after.at - (before.at + before.seconds) >= REST_SECONDS[0]


@pytest.mark.parametrize("seed", range(5))
def test_reorgs_are_shallower_than_finality(seed: int) -> None:
    depths = {fault.depth for fault in plan_of(seed).reorgs}
    assert depths <= set(range(1, 6))
    assert max(depths) == 5
