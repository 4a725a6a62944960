"""What a bench says of what it saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.statement import OutcomeKind
from relayer.devnet.bench.load import Load
from relayer.devnet.bench.memory import MemoryWatch
from relayer.devnet.bench.records import ChainRecord, Outcome, Sighting
from relayer.devnet.bench.report import Findings, describe
from relayer.devnet.bench.usage import Usage

COUNT = 10
EXECUTED = Outcome(OutcomeKind.EXECUTED, is_success=True, return_data_hash=keccak256(b"executed"))
ANSWERED = EXECUTED._replace(return_data_hash=keccak256(b"answered"))


def found(mode: Mode = Mode.CALL, depth: int = 0) -> Findings:
    """One request a second, in blocks of both chains at each full second; executed a block later, home after two.

    Each of our transactions is in the pool 0.1 s after the block that makes it possible.
    """
    source, destination = ChainRecord(), ChainRecord()
    for chain in (source, destination):
        for height in range(3 * COUNT):
            chain.blocks[height] = float(height)
            chain.finals[height] = float(height + depth)
            chain.timestamps[height] = 1_000 + height
    sent = {}
    answer = EXECUTED if mode is Mode.CALL else ANSWERED
    for number in range(COUNT):
        identifier, asking, executing, delivering = (word(label, number) for label in ("id", "ask", "run", "home"))
        sent[asking] = number - 0.5
        source.asked.append(Sighting(identifier, asking, number))
        source.delivered.append(Sighting(identifier, delivering, number + 2 + depth, answer))
        if mode is Mode.CALL:
            destination.concluded.append(Sighting(identifier, executing, number + 1, EXECUTED))
        destination.pooled[executing] = number + depth + 0.1
        source.pooled[delivering] = number + 1 + depth + 0.1
    return Findings(
        load=Load(mode, rate=1.0, seconds=COUNT),
        route="evm:evm",
        answer_hash=ANSWERED.return_data_hash,
        source=source,
        destination=destination,
        sent=sent,
        asked_in=float(COUNT),
        late=0.25,
        relayers=4,
        used=Usage(0.4, 0.01, 0.005, 80, 400_000, {"watch": 0.04, "attest": 0.08}),
        memory=MemoryWatch([]),
        gas_executing=1_000_000,
        gas_delivering=500_000,
        counted=COUNT if mode is Mode.CALL else 0,
    )


def word(label: str, number: int) -> bytes:
    return keccak256(f"{label} {number}".encode())


def counts(findings: Findings) -> tuple[int, int, int]:
    said = describe(findings)
    return said["lost"], said["duplicated"], said["wrong"]


@pytest.mark.parametrize("mode", Mode)
def test_what_all_went_well_is_neither_lost_nor_doubled_nor_wrong(mode: Mode) -> None:
    assert counts(found(mode)) == (0, 0, 0)


def test_times_are_from_sending_to_the_blocks_sight() -> None:
    said = describe(found())
    assert said["latency_seconds"] == {"p50": 2.5, "p99": 2.5}
    assert said["executed_seconds"] == {"p50": 1.5, "p99": 1.5}


@pytest.mark.parametrize(("mode", "legs", "depth"), [(Mode.CALL, 2, 0), (Mode.QUERY, 1, 0), (Mode.QUERY, 1, 3)])
def test_overhead_is_from_the_block_that_makes_a_leg_possible_to_the_pool_over_all_legs(
    mode: Mode, legs: int, depth: int
) -> None:
    assert describe(found(mode, depth))["overhead_ms"] == {"p50": 100.0 * legs, "p99": 100.0 * legs}


def test_a_query_of_a_chain_that_is_read_as_it_is_now_is_possible_once_it_is_final() -> None:
    findings = found(Mode.QUERY, 3)
    findings.destination.timestamps.clear()
    assert describe(findings)["overhead_ms"] == {"p50": 1100.0, "p99": 1100.0}


def test_a_transaction_that_no_pool_told_of_counts_from_its_block() -> None:
    findings = found()
    findings.source.pooled.clear()
    assert describe(findings)["overhead_ms"]["p50"] == 100.0 + 1000.0


def test_a_held_rate_is_counted_between_the_first_and_the_last_callbacks() -> None:
    said = describe(found())
    assert (said["requests_per_second"], said["asked_per_second"]) == (1.0, 1.0)
    assert (said["drain_seconds"], said["asked_late_seconds"]) == (2.5, 0.25)


def test_a_burst_is_counted_from_its_first_request() -> None:
    findings = replace(found(), load=Load(burst=COUNT))
    said = describe(findings)
    assert said["requests_per_second"] == round(COUNT / 11.5, 1)
    assert said["asked_per_second"] is None


def test_costs_are_per_request_and_node() -> None:
    said = describe(found())
    assert said["cpu_ms_per_request_per_node"] == 10.0
    assert said["cpu_ms_per_request_chains"] == 1.0
    assert said["cpu_ms_per_request_bench"] == 0.5
    assert (said["gas_per_execute"], said["gas_per_callback"]) == (100_000, 50_000)
    assert (said["rpc_calls_per_request"], said["database_bytes_per_request"]) == (2.0, 10_000)
    assert said["stages"] == {"attest": 2.0, "watch": 1.0}


def test_a_callback_that_never_came_is_lost() -> None:
    findings = found()
    findings.source.delivered.pop()
    assert counts(findings) == (1, 0, 0)


def test_nothing_at_all_is_told_of_a_network_that_did_nothing() -> None:
    findings = found()
    findings.source.delivered.clear()
    findings.destination.concluded.clear()
    said: dict[str, Any] = describe(replace(findings, counted=0))
    assert (said["lost"], said["requests_per_second"], said["drain_seconds"]) == (COUNT, 0.0, None)


def test_a_second_callback_and_a_second_execution_are_duplicates() -> None:
    findings = found()
    findings.source.delivered.append(findings.source.delivered[0])
    findings.destination.concluded.append(findings.destination.concluded[0])
    assert counts(findings) == (0, 2, 0)


def test_what_the_target_counted_beyond_its_receipts_is_a_duplicate() -> None:
    assert counts(replace(found(), counted=COUNT + 1)) == (0, 1, 0)


@pytest.mark.parametrize("mode", Mode)
def test_an_answer_that_is_not_the_targets_is_wrong(mode: Mode) -> None:
    findings = found(mode)
    delivered = findings.source.delivered
    delivered[3] = delivered[3]._replace(outcome=EXECUTED._replace(return_data_hash=keccak256(b"a lie")))
    assert counts(findings) == (0, 0, 1)


def test_a_call_that_was_never_executed_is_wrong_and_has_no_overhead() -> None:
    findings = found()
    delivered = findings.source.delivered
    delivered[3] = delivered[3]._replace(
        outcome=Outcome(OutcomeKind.EXPIRED, is_success=False, return_data_hash=bytes(32))
    )
    findings.destination.concluded.pop(3)
    assert counts(replace(findings, counted=COUNT - 1)) == (0, 0, 1)
