from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import EndpointPool, Verdict
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint
from tests.unit.jsonrpc.scripted_node import CHAIN_ID, PROBE, NodeFault, ScriptedNode, make_endpoint, serve, serve_pool


def node_saying(*values: Any) -> ScriptedNode:
    return ScriptedNode(lambda _, params: values[params[0]])


def down() -> ScriptedNode:
    def answer(*_: Any) -> Any:
        raise NodeFault(-32000, "down")

    node = ScriptedNode(answer)
    node.overrides["eth_chainId"] = lambda _: answer()
    return node


def asking(count: int) -> Callable[[RpcEndpoint], Any]:
    async def ask(endpoint: RpcEndpoint) -> Sequence[Any]:
        return await endpoint.call([RpcCall("value", [place]) for place in range(count)])

    return ask


async def vote(
    *nodes: ScriptedNode, quorum: int, count: int = 1, timeout_seconds: float = 5
) -> tuple[Verdict[Any], ...]:
    async with serve_pool(*nodes, quorum=quorum, timeout_seconds=timeout_seconds) as pool:
        return await pool.vote(asking(count))


async def test_security_one_liar_among_three_is_outvoted() -> None:
    """SECURITY: whatever one endpoint says, M others decide, and in whatever order they are asked."""
    for place in range(3):
        nodes = [node_saying(7), node_saying(7), node_saying(7)]
        nodes[place] = node_saying(8)
        assert await vote(*nodes, quorum=2) == (Verdict(7, is_disputed=place < 2),)


async def test_security_two_of_two_that_differ_give_no_value() -> None:
    """SECURITY: without M equal voices nothing is believed."""
    assert await vote(node_saying(7), node_saying(8), quorum=2) == (Verdict(None, is_disputed=True),)


@pytest.mark.parametrize(("truth", "lie"), [("a", "A"), ([1, 2], [2, 1]), ({"a": 1}, {"a": 1, "b": 2}), (0, "0")])
async def test_values_that_only_look_alike_do_not_add_up(truth: Any, lie: Any) -> None:
    assert await vote(node_saying(truth), node_saying(lie), quorum=2) == (Verdict(None, is_disputed=True),)


async def test_items_are_decided_one_by_one() -> None:
    verdicts = await vote(node_saying(1, 2, 3), node_saying(1, 9, 3), node_saying(1, 2, 4), quorum=2, count=3)
    assert [verdict.value for verdict in verdicts] == [1, 2, 3]


async def test_one_that_lags_contradicts_nobody() -> None:
    assert await vote(node_saying(None), node_saying(7), node_saying(7), quorum=2) == (Verdict(7, is_disputed=False),)


async def test_what_too_few_know_is_unknown_and_not_disputed() -> None:
    assert await vote(node_saying(None), node_saying(7), quorum=2) == (Verdict(None, is_disputed=False),)


async def test_no_more_endpoints_are_asked_than_needed() -> None:
    nodes = [node_saying(7), node_saying(7), node_saying(7)]
    await vote(*nodes, quorum=2)
    assert [node.methods.count("value") for node in nodes] == [1, 1, 0]


async def test_a_failing_endpoint_is_replaced_by_the_next() -> None:
    assert await vote(down(), node_saying(7), node_saying(7), quorum=2) == (Verdict(7, is_disputed=False),)


async def test_too_few_answers_are_no_vote() -> None:
    with pytest.raises(RpcUnavailable, match="1 of 2"):
        await vote(down(), node_saying(7), down(), quorum=2)


async def test_a_hanging_endpoint_costs_a_part_of_its_timeout_only() -> None:
    hanging = node_saying(7)
    hanging.is_hanging = True
    async with asyncio.timeout(4):
        assert await vote(hanging, node_saying(7), node_saying(7), quorum=2, timeout_seconds=5) == (
            Verdict(7, is_disputed=False),
        )


async def test_security_an_endpoint_of_another_chain_has_no_voice() -> None:
    """SECURITY: it answers plausibly, and two of them would agree."""
    foreign = [node_saying(8), node_saying(8)]
    for node in foreign:
        node.overrides["eth_chainId"] = lambda _: hex(CHAIN_ID + 1)
    with pytest.raises(RpcUnavailable, match="another chain"):
        await vote(*foreign, node_saying(7), quorum=2)
    assert not any("value" in node.methods for node in foreign)


async def test_endpoints_of_another_chain_are_found() -> None:
    foreign, silent = node_saying(1), down()
    foreign.overrides["eth_chainId"] = lambda _: hex(CHAIN_ID + 1)
    async with serve_pool(node_saying(1), foreign, silent, quorum=1) as pool:
        assert await pool.find_foreign() == [pool.members[1].endpoint.label]


async def test_who_failed_is_asked_last_until_its_backoff_ends() -> None:
    nodes = [down(), node_saying(7), node_saying(7)]
    now = [0.0]
    async with serve(*nodes) as session:
        endpoints = [make_endpoint(session, node, number) for number, node in enumerate(nodes)]
        pool = EndpointPool(endpoints, 1, PROBE, 5, clock=lambda: now[0], jitter=lambda: 1.0)
        await pool.vote(asking(1))
        asked = len(nodes[0].exchanges)
        await pool.vote(asking(1))
        assert len(nodes[0].exchanges) == asked
        now[0] = 31.0
        assert pool.by_preference()[0].endpoint is endpoints[0]


async def test_backoff_grows_and_stays_below_half_a_minute() -> None:
    now = [0.0]
    node = down()
    async with serve(node) as session:
        pool = EndpointPool([make_endpoint(session, node)], 1, PROBE, 5, clock=lambda: now[0], jitter=lambda: 1.0)
        waits = []
        for _ in range(10):
            with pytest.raises(RpcUnavailable):
                await pool.vote(asking(1))
            waits.append(pool.members[0].resume_at)
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == 30.0


async def test_the_outvoted_are_asked_last() -> None:
    async with serve_pool(node_saying(8), node_saying(7), node_saying(7), quorum=2) as pool:
        await pool.vote(asking(1))
        assert pool.by_preference()[-1] is pool.members[0]


async def test_at_the_tip_nobody_is_blamed() -> None:
    async with serve_pool(node_saying(8), node_saying(7), node_saying(7), quorum=2) as pool:
        await pool.vote(asking(1), at_tip=True)
        assert all(member.failures == 0 for member in pool.members)


async def test_who_lags_is_asked_after_the_others() -> None:
    async with serve_pool(node_saying(1), node_saying(1), node_saying(1), quorum=2) as pool:
        pool.note_heights({member.endpoint: height for member, height in zip(pool.members, (9, 10, 11), strict=True)})
        assert [member.is_behind for member in pool.members] == [True, False, False]
        assert pool.by_preference()[-1] is pool.members[0]


async def test_each_hears_all_that_are_well() -> None:
    async with serve_pool(node_saying(1), down(), node_saying(3), quorum=1) as pool:
        assert sorted(answer for (answer,) in await pool.each(asking(1))) == [1, 3]


async def test_each_does_not_wait_for_one_that_hangs() -> None:
    hanging = node_saying(7)
    hanging.is_hanging = True
    async with (
        serve_pool(hanging, node_saying(1), node_saying(2), quorum=2, timeout_seconds=5) as pool,
        asyncio.timeout(4),
    ):
        assert sorted(answer for (answer,) in await pool.each(asking(1))) == [1, 2]


async def test_who_keeps_the_others_waiting_is_asked_last() -> None:
    hanging = node_saying(7)
    hanging.is_hanging = True
    nodes = [hanging, node_saying(7), node_saying(7)]
    async with serve(*nodes) as session:
        endpoints = [make_endpoint(session, node, number, 0.5) for number, node in enumerate(nodes)]
        pool = EndpointPool(endpoints, 2, PROBE, 0.5, clock=time.monotonic, jitter=lambda: 1.0)
        await pool.vote(asking(1))
        assert [member.failures for member in pool.members] == [1, 0, 0]
        pool.members[0].resume_at = 0.0
        await pool.each(asking(1))
        assert [member.failures for member in pool.members] == [2, 0, 0]
        assert pool.by_preference()[-1] is pool.members[0]


async def test_each_needs_as_many_as_the_quorum() -> None:
    async with serve_pool(node_saying(1), down(), quorum=2) as pool:
        with pytest.raises(RpcUnavailable, match="1 of 2"):
            await pool.each(asking(1))


async def test_each_turns_to_those_in_backoff_when_the_others_are_too_few() -> None:
    flaky = node_saying(5)
    async with serve_pool(flaky, node_saying(6), quorum=2) as pool:
        pool.members[0].resume_at = 100.0
        assert sorted(answer for (answer,) in await pool.each(asking(1))) == [5, 6]


async def test_first_takes_the_next_one_when_one_fails() -> None:
    async with serve_pool(down(), node_saying(3), quorum=2) as pool:
        assert await pool.first(asking(1)) == [3]


async def test_security_first_does_not_wait_for_one_that_hangs() -> None:
    """SECURITY: one that answers probes and nothing else would keep us waiting for all that we ask it."""
    hanging = node_saying(1)
    async with serve_pool(hanging, node_saying(3), quorum=2, timeout_seconds=20) as pool:
        hanging.is_hanging = True
        pool.members[0].is_verified = True
        async with asyncio.timeout(15):
            assert await pool.first(asking(1)) == [3]


async def test_first_fails_when_all_do() -> None:
    async with serve_pool(down(), down(), quorum=1) as pool:
        with pytest.raises(RpcUnavailable):
            await pool.first(asking(1))


async def test_a_bug_in_a_question_is_not_hidden() -> None:
    async def ask(_: RpcEndpoint) -> list[int]:
        raise ZeroDivisionError

    async with serve_pool(node_saying(1), node_saying(1), quorum=2) as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.vote(ask)


@pytest.mark.parametrize("fault", [IndexError, KeyError, ValueError, TypeError, OverflowError, AttributeError])
async def test_security_an_answer_that_breaks_a_parser_is_that_endpoints_fault(fault: type[Exception]) -> None:
    """SECURITY: one hostile endpoint that finds a bug in a parser would otherwise end the process."""

    async def ask(endpoint: RpcEndpoint) -> list[int]:
        (answer,) = await asking(1)(endpoint)
        if answer == "odd":
            raise fault(answer)
        return [answer]

    async with serve_pool(node_saying("odd"), node_saying(7), node_saying(7), quorum=2) as pool:
        assert await pool.vote(ask) == (Verdict(7, is_disputed=False),)
        assert await pool.each(ask) == [[7], [7]]
        pool.members[0].resume_at = 0
        assert await pool.first(ask) == [7]
        assert pool.members[0].failures == 2
    async with serve_pool(node_saying("odd"), quorum=1) as pool:
        with pytest.raises(RpcUnavailable, match=f"#0 answered with what no parser takes: {fault.__name__}"):
            await pool.vote(ask)


@given(
    honest=st.lists(st.integers(50, 60), min_size=1, max_size=5),
    lies=st.lists(st.integers(0, 2**256), max_size=4),
)
def test_security_fewer_liars_than_the_quorum_never_raise_a_number(honest: list[int], lies: list[int]) -> None:
    """SECURITY: final heights and fee bids are what M endpoints reach."""
    quorum = len(lies) + 1
    values = lies + honest
    if quorum > len(values):
        return
    pool = EndpointPool(
        [RpcEndpoint(None, f"http://{n}", n, 1) for n in range(len(values))],  # type: ignore[arg-type]
        quorum,
        PROBE,
        1,
        clock=lambda: 0.0,
        jitter=lambda: 0.0,
    )
    assert pool.reached(values) <= max(honest)


def test_a_quorum_is_within_the_endpoints() -> None:
    for quorum in (0, 2):
        with pytest.raises(ValueError, match="quorum"):
            EndpointPool([RpcEndpoint(None, "http://a", 0, 1)], quorum, PROBE, 1, lambda: 0.0, lambda: 0.0)  # type: ignore[arg-type]
