from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import coincurve
import pytest

from attestation.request import RequestId
from relayer.cosmos.protobuf import Message
from relayer.cosmos.tx import SimulateResponse
from relayer.errors import RpcUnavailable
from relayer.vms.bundling.preparing import OVERSIZE
from relayer.vms.bundling.trials import NO_ANSWER, SETTLED, Finding, Trial
from relayer.vms.cosmwasm.limits import GasLimits
from relayer.vms.cosmwasm.simulation import Simulator
from tests.cosmwasm.adapter.scripted_comet import IDENTITY, SECRET, CometNode, Failed, gateway_event, ran
from tests.unit.jsonrpc.scripted_node import serve_pool

GAS_CAP = 10_000_000
TRIAL = Trial(b'{"deliver":{}}', 900_000)
ID = RequestId(b"\x1d" * 32)
SKIP = gateway_event("XVMCallSkipped", request_id=f"0x{ID.hex()}", reason="OutOfOrder")
DOUBLE = "failed to execute message; message index: 0: {}: execute wasm contract failed [CosmWasm/keeper.go:425]"


@asynccontextmanager
async def simulator_at(*nodes: CometNode, quorum: int) -> AsyncIterator[Simulator]:
    public_key = coincurve.PrivateKey(SECRET).public_key.format()
    async with serve_pool(*nodes, quorum=quorum) as pool:
        yield Simulator(pool, IDENTITY, public_key, GasLimits(pool, GAS_CAP))


def failing(log: str, code: int = 18) -> CometNode:
    def simulate(*_: Any) -> Message:
        raise Failed(code, log)

    return CometNode(simulate=simulate)


def running(gas: int, *events: Any) -> CometNode:
    return CometNode(simulate=lambda *_: ran(gas, *events))


async def try_at(*nodes: CometNode, quorum: int) -> Finding:
    async with simulator_at(*nodes, quorum=quorum) as simulator:
        (finding,) = await simulator.run([TRIAL])
    return finding


async def test_what_runs_tells_its_gas_and_what_is_passed_over() -> None:
    assert await try_at(running(700_000, SKIP), quorum=1) == Finding("", 700_000, {ID: "OutOfOrder"})
    outcome = gateway_event("XVMOutcomeSkipped", request_id=f"0x{ID.hex()}")
    assert await try_at(running(1, outcome), quorum=1) == Finding("", 1, {ID: SETTLED})


async def test_security_another_contracts_event_says_nothing() -> None:
    """SECURITY: any target may emit an event of any name, and would keep others' requests from being sent."""
    foreign = gateway_event("XVMCallSkipped", emitter="wasm1other", request_id=f"0x{ID.hex()}", reason="Paused")
    assert await try_at(running(5, foreign), quorum=1) == Finding("", 5, {})


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (DOUBLE.format("BelowThreshold: 1 of 3") + " with gas used: '5': unknown request", "BelowThreshold"),
        ("rpc error: code = Unknown desc = " + DOUBLE.format("Paused"), "Paused"),
        (DOUBLE.replace("0: {}", "0: dispatch: submessages: {}").format("NotPending"), "NotPending"),
        ("out of gas in location: ReadFlat; gasWanted: 1, gasUsed: 2: out of gas", "out of gas in location: ReadFlat"),
        ("\x1b[31mred\n", "[31mred"),
        ("", "failed"),
    ],
)
async def test_a_failure_is_named_in_one_printable_line(log: str, error: str) -> None:
    finding = await try_at(failing(log), quorum=1)
    assert finding.error.startswith(error)
    assert finding.error.isprintable()
    assert len(finding.error) <= 200


async def test_the_sequence_that_an_endpoints_pool_waits_for_is_found_out_and_remembered() -> None:
    node = CometNode(pool_sequence=41)
    async with simulator_at(node, quorum=1) as simulator:
        assert (await simulator.run([TRIAL, TRIAL]))[1] == Finding("", 100_000, {})
        before = len(node.exchanges)
        await simulator.run([TRIAL])
        assert len(node.exchanges) == before + 1


async def test_security_an_endpoint_that_never_takes_a_sequence_gives_no_answer() -> None:
    """SECURITY: it would be asked for ever."""
    told = iter(range(1, 100))

    def simulate(*_: Any) -> Message:
        raise Failed(32, f"account sequence mismatch, expected {next(told)}, got 0: incorrect account sequence")

    assert (await try_at(CometNode(simulate=simulate), quorum=1)).error == NO_ANSWER


async def test_security_one_endpoint_cannot_call_what_runs_failing() -> None:
    """SECURITY: it would keep us from sending anything, ever."""
    finding = await try_at(failing("Paused"), running(7), running(7), quorum=2)
    assert finding == Finding("", 7, {})


async def test_security_one_endpoint_cannot_call_what_fails_running() -> None:
    """SECURITY: what fails in a block is paid for."""
    finding = await try_at(running(7), failing("Paused"), failing("Paused"), quorum=2)
    assert finding.error == "Paused"


async def test_security_one_endpoint_cannot_have_requests_passed_over() -> None:
    """SECURITY: they would never be sent."""
    finding = await try_at(running(7, SKIP), running(7), running(7), quorum=2)
    assert finding == Finding("", 7, {})


async def test_security_one_endpoint_cannot_have_us_offer_more_gas() -> None:
    """SECURITY: all gas that is offered is paid for."""
    finding = await try_at(running(9_000_000), running(7), running(8), quorum=2)
    assert finding.gas_used <= 8


async def test_endpoints_that_disagree_and_are_too_few_give_no_answer() -> None:
    assert (await try_at(running(7), failing("Paused"), quorum=2)).error == NO_ANSWER


async def test_what_uses_more_than_the_cap_is_told_so() -> None:
    assert (await try_at(running(GAS_CAP), quorum=1)).error == OVERSIZE


async def test_security_more_events_than_anybody_reads_spoil_no_other_trial() -> None:
    """SECURITY: a target chooses how many it emits."""

    def simulate(message: dict[str, Any], _: int) -> Message:
        return ran(5, *[gateway_event("other")] * 10_001) if "noisy" in message else ran(6)

    async with simulator_at(CometNode(simulate=simulate), quorum=1) as simulator:
        findings = await simulator.run([Trial(b'{"noisy":{}}', 9), TRIAL])
    assert [finding.error for finding in findings] == [NO_ANSWER, ""]


@pytest.mark.parametrize(
    "simulate",
    [
        lambda *_: SimulateResponse(),
        lambda *_: ran(2**63),
        lambda *_: ran(5, gateway_event("XVMOutcomeSkipped", request_id="0x12")),
        lambda *_: ran(5, gateway_event("XVMOutcomeSkipped")),
    ],
)
async def test_a_malformed_simulation_is_no_answer(simulate: Callable[..., Message]) -> None:
    with pytest.raises(RpcUnavailable):
        await try_at(CometNode(simulate=simulate), quorum=1)
