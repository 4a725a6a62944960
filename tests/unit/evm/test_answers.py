from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from attestation.address import Chain, evm_account
from attestation.keccak import keccak256
from attestation.request import Request
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.vms.evm.answers import AnswerReader
from relayer.vms.evm.quantities import format_data
from relayer.vms.jsonrpc import rpc
from tests.factories import make_query
from tests.unit.jsonrpc.scripted_node import CHAIN_ID, NodeFault, ScriptedNode, serve_pool

PIN = BlockRef(7, b"\x0b" * 32)
TARGET = b"\x7a" * 20
CODE = b"\x60\x00"
EMPTY_UNREACHED = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")


def query(**changes: Any) -> Request:
    return make_query(**{"target": evm_account(CHAIN_ID, TARGET).to_bytes(), **changes})


class State:
    """A node's state at the pin: code by address, and what calls give: bytes or a fault."""

    def __init__(self, result: bytes | NodeFault = b"\x2a", code: bytes | NodeFault = CODE) -> None:
        self.result = result
        self.code = code
        self.calls: list[dict[str, Any]] = []

    def node(self) -> ScriptedNode:
        return ScriptedNode(self._answer)

    def _answer(self, method: str, params: list[Any]) -> str:
        assert params[1] == {"blockHash": format_data(PIN.hash), "requireCanonical": True}
        if method == "eth_call":
            self.calls.append(params[0])
        value = self.code if method == "eth_getCode" else self.result
        if isinstance(value, NodeFault):
            raise value
        return format_data(value)


async def read(*nodes: ScriptedNode, requests: Sequence[Request], quorum: int = 1) -> list[Answer | None]:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        return await AnswerReader(pool, CHAIN_ID).read(PIN, requests)


def _is_read(call: dict[str, Any]) -> bool:
    return bool(call["method"] == "eth_call")


async def test_a_query_is_a_plain_call_with_the_requests_gas() -> None:
    state = State()
    request = query(payload=b"\x01\x02", execution_gas_limit=123_456)
    assert await read(state.node(), requests=[request]) == [
        Answer(OutcomeKind.EXECUTED, cut=False, return_data=b"\x2a")
    ]
    assert state.calls == [
        {"from": "0x" + "00" * 20, "to": format_data(TARGET), "gas": "0x1e240", "value": "0x0", "data": "0x0102"}
    ]


@pytest.mark.parametrize(
    ("length", "limit", "cut"), [(0, 0, False), (1, 0, True), (9, 10, False), (10, 10, False), (11, 10, True)]
)
async def test_what_is_returned_is_cut_at_the_requests_limit(length: int, limit: int, *, cut: bool) -> None:
    data = b"\x2a" * length
    reverting = State(NodeFault(3, "execution reverted", format_data(data)))
    for state, kind in ((State(data), OutcomeKind.EXECUTED), (reverting, OutcomeKind.REVERTED)):
        answers = await read(state.node(), requests=[query(return_limit=limit)])
        assert answers == [Answer(kind, cut=cut, return_data=data[:limit])]


async def test_a_halt_is_reverted_without_data() -> None:
    state = State(NodeFault(-32000, "invalid opcode: INVALID"))
    assert await read(state.node(), requests=[query()]) == [Answer(OutcomeKind.REVERTED, cut=False, return_data=b"")]


@pytest.mark.parametrize("message", ["missing trie node", "header not found", "execution aborted (timeout = 5s)"])
async def test_security_missing_state_is_no_answer(message: str) -> None:
    """SECURITY: a pruned node's failure must never be signed as REVERTED or UNREACHED."""
    fault = NodeFault(-32000, message)
    for state in (State(result=fault), State(code=fault), State(result=fault, code=fault)):
        assert await read(state.node(), requests=[query()]) == [None]


async def test_a_target_without_code_is_unreached() -> None:
    assert await read(State(code=b"", result=b"").node(), requests=[query()]) == [EMPTY_UNREACHED]


async def test_a_target_with_other_code_than_demanded_is_unreached() -> None:
    requests = [query(code_hash=keccak256(CODE)), query(code_hash=keccak256(b"other"))]
    answers = await read(State().node(), requests=requests)
    assert answers == [Answer(OutcomeKind.EXECUTED, cut=False, return_data=b"\x2a"), EMPTY_UNREACHED]


@pytest.mark.parametrize(
    "target", [b"", b"\x00\x01", Chain.evm(CHAIN_ID).to_bytes(), evm_account(CHAIN_ID + 1, TARGET).to_bytes()]
)
async def test_what_is_no_account_of_this_chain_is_unreached_and_shifts_no_other(target: bytes) -> None:
    requests = [query(target=target), query(), query(target=target)]
    executed = Answer(OutcomeKind.EXECUTED, cut=False, return_data=b"\x2a")
    assert await read(State().node(), requests=requests) == [EMPTY_UNREACHED, executed, EMPTY_UNREACHED]


async def test_security_an_answer_that_one_endpoint_makes_up_is_outvoted_or_none() -> None:
    """SECURITY: no proof on chain convicts a false answer: agreement is all there is."""
    truth, lie = State(b"\x2a"), State(b"\x2b")
    requests = [query()]
    assert await read(truth.node(), lie.node(), requests=requests, quorum=2) == [None]
    answers = await read(lie.node(), truth.node(), truth.node(), requests=requests, quorum=2)
    assert answers == [Answer(OutcomeKind.EXECUTED, cut=False, return_data=b"\x2a")]


async def test_endpoints_that_differ_only_beyond_the_limit_agree() -> None:
    requests = [query(return_limit=1)]
    answers = await read(State(b"\x2a\x01").node(), State(b"\x2a\x02").node(), requests=requests, quorum=2)
    assert answers == [Answer(OutcomeKind.EXECUTED, cut=True, return_data=b"\x2a")]


async def test_queries_with_huge_answers_do_not_block_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_RESPONSE_BYTES", 5_000)
    answers = await read(State(b"\x2a" * 2_000).node(), requests=[query(return_limit=1)] * 5)
    assert answers == [Answer(OutcomeKind.EXECUTED, cut=True, return_data=b"\x2a")] * 5
    assert await read(State(b"\x2a" * 3_000).node(), requests=[query(return_limit=1)]) == [None]


async def test_security_a_query_that_no_node_finishes_spoils_no_other() -> None:
    """SECURITY: anyone could otherwise stop a chain's answers with one query."""
    node = State().node()
    node.is_too_much = lambda calls: any(call["params"][0].get("data") == "0xbad0" for call in calls if _is_read(call))
    requests = [query(), query(payload=b"\xba\xd0"), query(payload=b"\x01")]
    executed = Answer(OutcomeKind.EXECUTED, cut=False, return_data=b"\x2a")
    async with serve_pool(node, quorum=1, timeout_seconds=0.2) as pool:
        assert await AnswerReader(pool, CHAIN_ID).read(PIN, requests) == [executed, None, executed]


async def test_security_heavy_queries_travel_in_several_exchanges() -> None:
    """SECURITY: a hundred of them in one would never be answered, and stop the chain."""
    node = State().node()
    answers = await read(node, requests=[query(execution_gas_limit=10_000_000)] * 7)
    assert None not in answers
    assert max(sum(map(_is_read, calls)) for calls in node.exchanges) == 3


async def test_endpoints_that_are_down_answer_nothing() -> None:
    node = State().node()
    node.is_hanging = True
    async with serve_pool(node, quorum=1, timeout_seconds=0.2) as pool:
        with pytest.raises(RpcUnavailable):
            await AnswerReader(pool, CHAIN_ID).read(PIN, [query()])


async def test_no_queries_are_no_exchange() -> None:
    node = State().node()
    assert await read(node, requests=[]) == []
    assert not node.exchanges


async def test_each_targets_code_is_read_once() -> None:
    node = State().node()
    await read(node, requests=[query(nonce=n) for n in range(5)])
    assert node.methods.count("eth_getCode") == 1
