from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.jsonrpc.weighing import (
    MAX_GAS_PER_EXCHANGE,
    MAX_HEAVY_EXCHANGES,
    UNANSWERED,
    WeighedCall,
    call_by_weight,
)
from tests.unit.jsonrpc.scripted_node import PROBE, NodeFault, ScriptedNode, make_endpoint, serve

MILLION = 1_000_000
SOON = 0.2


def echo() -> ScriptedNode:
    return ScriptedNode(lambda _, params: params[0])


async def ask(node: ScriptedNode, *gas: int, timeout_seconds: float = 5) -> list[Any]:
    """Calls of so much gas, numbered, each answered by its number."""
    calls = [WeighedCall(RpcCall("run", [place]), each) for place, each in enumerate(gas)]
    async with serve(node) as session:
        return await call_by_weight(make_endpoint(session, node, 0, timeout_seconds), calls, PROBE.call)


def exchanges(node: ScriptedNode) -> list[list[int]]:
    """The numbers in each exchange."""
    return sorted([call["params"][0] for call in calls] for calls in node.exchanges if calls[0]["method"] == "run")


def holding(*numbers: int, most: int = 100) -> Any:
    """Whether an exchange holds one of these calls, or more than `most`."""

    def is_too_much(calls: Sequence[dict[str, Any]]) -> bool:
        return len(calls) > most or any(call["params"] == [number] for call in calls for number in numbers)

    return is_too_much


async def test_security_an_exchange_carries_no_more_gas_than_a_node_runs_in_time() -> None:
    """SECURITY: a hundred heavy calls in one exchange would never be answered, and stop the chain."""
    node = echo()
    assert await ask(node, *[10 * MILLION] * 7) == list(range(7))
    assert exchanges(node) == [[0, 1, 2], [3, 4, 5], [6]]


async def test_light_calls_are_one_exchange_and_none_is_none() -> None:
    node = echo()
    assert await ask(node, 0, 0, MAX_GAS_PER_EXCHANGE) == [0, 1, 2]
    assert exchanges(node) == [[0, 1, 2]]
    assert await ask(node) == []


async def test_a_call_beyond_the_limit_travels_alone() -> None:
    node = echo()
    assert await ask(node, 1, 2 * MAX_GAS_PER_EXCHANGE, 1) == [0, 1, 2]
    assert exchanges(node) == [[0], [1], [2]]


async def test_security_a_call_that_is_never_answered_spoils_no_other() -> None:
    """SECURITY: anyone can ask for a call that no node finishes."""
    node = echo()
    node.is_too_much = holding(1)
    assert await ask(node, *[10 * MILLION] * 4, timeout_seconds=SOON) == [0, UNANSWERED, 2, 3]


async def test_calls_that_are_too_much_together_are_answered_one_by_one() -> None:
    node = echo()
    node.is_too_much = holding(most=1)
    assert await ask(node, 1, 1, 1, timeout_seconds=SOON) == [0, 1, 2]


async def test_an_endpoint_that_is_down_is_given_up_and_not_asked_for_each_call() -> None:
    node = echo()
    node.is_hanging = True
    with pytest.raises(RpcUnavailable):
        await ask(node, *[MAX_GAS_PER_EXCHANGE] * 8, timeout_seconds=SOON)
    assert len(exchanges(node)) == MAX_HEAVY_EXCHANGES


async def test_a_nodes_error_is_the_answer_to_its_call_alone() -> None:
    def answer(_: str, params: list[Any]) -> Any:
        if params[0] == 1:
            raise NodeFault(-32000, "execution aborted (timeout = 5s)")
        return params[0]

    first, fault, last = await ask(ScriptedNode(answer), 1, 1, 1)
    assert (first, fault.code, last) == (0, -32000, 2)
