"""What the gateway says of requests and of itself, as M endpoints know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from attestation.json_object import hex_text
from attestation.request import RequestId
from relayer.errors import RpcDisagreement, RpcUnavailable
from relayer.vms.cosmwasm.states import CANCELLED, PENDING, PendingState, StateReader
from tests.cosmwasm.adapter.comet_chain import GATEWAY_TEXT, CometChain, endpoint_of
from tests.factories import make_request, track
from tests.unit.jsonrpc.scripted_node import ScriptedNode, serve_pool

IDS = [RequestId(bytes([number]) * 32) for number in range(1, 25)]
NOTHING = hex_text(bytes(32))


def gateway_of(answer: Callable[[str, dict[str, Any]], Any]) -> ScriptedNode:
    """An endpoint with a gateway that answers (query, members) → JSON."""
    chain = CometChain()
    chain.mine()

    def gateway(asked: dict[str, Any], _: int) -> bytes:
        ((name, members),) = asked.items()
        return orjson.dumps(answer(name, members))

    chain.contracts[GATEWAY_TEXT] = (1, gateway)
    return endpoint_of(chain)


def pending_json(state: int, *, is_eoa: bool = False) -> dict[str, Any]:
    return {
        "requester": "wasm1x",
        "is_eoa": is_eoa,
        "callback_gas_limit": "300000",
        "deadline": "900",
        "state": state,
        "fee": "5000",
    }


async def test_states_are_told_by_request() -> None:
    states = {hex_text(identifier): place % 5 for place, identifier in enumerate(IDS)}
    node = gateway_of(lambda _, members: pending_json(states[members["request_id"]], is_eoa=True))
    async with serve_pool(node, quorum=1) as pool:
        told = await StateReader(pool, GATEWAY_TEXT).fetch_pendings(IDS)
    assert told == {identifier: PendingState(place % 5, is_eoa=True) for place, identifier in enumerate(IDS)}


async def test_security_a_state_that_no_quorum_tells_is_left_out() -> None:
    """SECURITY: what is called settled is not sent."""
    honest, liar = (gateway_of(lambda *_, state=state: pending_json(state)) for state in (PENDING, CANCELLED))
    async with serve_pool(honest, liar, quorum=2) as pool:
        assert await StateReader(pool, GATEWAY_TEXT).fetch_pendings(IDS[:2]) == {}
    async with serve_pool(liar, honest, honest, quorum=2) as pool:
        told = await StateReader(pool, GATEWAY_TEXT).fetch_pendings(IDS[:1])
    assert told == {IDS[0]: PendingState(PENDING, is_eoa=False)}


async def test_a_request_is_consumed_by_itself_or_as_the_attempt_that_ran() -> None:
    first = track(make_request(1))
    retry = track(make_request(2, origin=int.from_bytes(first.request_id, "big")))
    other = track(make_request(3))
    cases: list[tuple[dict[bytes, bytes], set[RequestId]]] = [
        ({}, set()),
        ({other.request_id: b"\x01" * 32}, {other.request_id}),
        ({first.request_id: b"\x00" + first.request_id[1:]}, {first.request_id}),
        ({first.request_id: b"\x00" + retry.request_id[1:]}, {first.request_id, retry.request_id}),
    ]
    for slots, expected in cases:
        words = {hex_text(slot): hex_text(word) for slot, word in slots.items()}
        node = gateway_of(lambda _, members, words=words: words.get(members["request_id"], NOTHING))
        async with serve_pool(node, quorum=1) as pool:
            consumed = await StateReader(pool, GATEWAY_TEXT).fetch_consumed([first, retry, other])
        assert consumed == expected


async def test_security_one_endpoint_does_not_call_a_request_consumed() -> None:
    """SECURITY: it would never be executed."""
    request = track(make_request(1))
    honest, liar = (gateway_of(lambda *_, word=word: word) for word in (NOTHING, hex_text(b"\x01" * 32)))
    async with serve_pool(honest, liar, quorum=2) as pool:
        assert await StateReader(pool, GATEWAY_TEXT).fetch_consumed([request]) == frozenset()


async def test_nothing_is_asked_about_no_requests() -> None:
    node = ScriptedNode()
    async with serve_pool(node, quorum=1) as pool:
        reader = StateReader(pool, GATEWAY_TEXT)
        assert await reader.fetch_pendings([]) == {}
        assert await reader.fetch_consumed([]) == frozenset()
    assert not node.exchanges


async def test_the_fee_denomination_is_agreed_on() -> None:
    honest, liar = (gateway_of(lambda *_, denomination=d: {"fee_denom": denomination}) for d in ("uxvm", "ufake"))
    async with serve_pool(liar, honest, honest, quorum=2) as pool:
        assert await StateReader(pool, GATEWAY_TEXT).fetch_fee_denomination() == "uxvm"
    async with serve_pool(liar, honest, quorum=2) as pool:
        with pytest.raises(RpcDisagreement):
            await StateReader(pool, GATEWAY_TEXT).fetch_fee_denomination()


@pytest.mark.parametrize(
    "junk",
    [
        None,
        7,
        "",
        "0x",
        "0x" + "0" * 63,
        "0x" + "0" * 66,
        "0x" + "g" * 64,
        "00" * 33,
        [],
        {},
        {"state": "1"},
        {"state": 1},
    ],
)
async def test_security_junk_is_no_state(junk: Any) -> None:
    """SECURITY: an endpoint is hostile input."""
    async with serve_pool(gateway_of(lambda *_: junk), quorum=1) as pool:
        reader = StateReader(pool, GATEWAY_TEXT)
        with pytest.raises(RpcUnavailable):
            await reader.fetch_pendings(IDS[:1])
        with pytest.raises(RpcUnavailable):
            await reader.fetch_consumed([track(make_request(1))])
        with pytest.raises(RpcUnavailable):
            await reader.fetch_fee_denomination()


async def test_security_an_answer_of_more_than_any_state_takes_is_not_read() -> None:
    """SECURITY: in base64 nothing of it is weighed before, and millions of tiny values take seconds to parse."""
    huge = gateway_of(lambda *_: pending_json(PENDING) | {"more": [{}] * 100_000})
    honest = gateway_of(lambda *_: pending_json(PENDING))
    async with serve_pool(huge, quorum=1) as pool:
        with pytest.raises(RpcUnavailable, match="300"):
            await StateReader(pool, GATEWAY_TEXT).fetch_pendings(IDS[:1])
    async with serve_pool(huge, honest, honest, quorum=2) as pool:
        told = await StateReader(pool, GATEWAY_TEXT).fetch_pendings(IDS[:1])
    assert told == {IDS[0]: PendingState(PENDING, is_eoa=False)}
