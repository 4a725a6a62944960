"""QUERYs of contracts, in the state after one block."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.request import Mode, Request
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef
from relayer.errors import RpcUnavailable
from relayer.ports.destination_vm import Answer
from relayer.vms.cosmwasm.answers import AnswerReader
from tests.cosmwasm.adapter.comet_chain import (
    COSMOS,
    PREFIX,
    CometChain,
    Failed,
    changing,
    endpoint_of,
    refusing,
    text_of,
)
from tests.cosmwasm.adapter.gateway_events import base64_text, outbound_request
from tests.unit.jsonrpc.scripted_node import NodeFault, ScriptedNode, serve_pool

COUNTER = b"\xc0" * 32
CHECKSUM = b"\x5c" * 32
UNREACHED = Answer(OutcomeKind.UNREACHED, cut=False, return_data=b"")
REVERTED = Answer(OutcomeKind.REVERTED, cut=False, return_data=b"")
PIN = 3


def question(payload: bytes = b'{"count":{}}', address: bytes = COUNTER, **changes: Any) -> Request:
    target = InteroperableAddress(COSMOS, address).to_bytes()
    return outbound_request(**{"mode": Mode.QUERY, "target": target, "payload": payload} | changes)


def counting(asked: dict[str, Any], height: int) -> bytes:
    """A contract that counts blocks."""
    if "count" in asked:
        return orjson.dumps({"count": height})
    raise refusing(asked.get("say", "Generic error: unknown question"))


def counted(height: int) -> Answer:
    return Answer(OutcomeKind.EXECUTED, cut=False, return_data=orjson.dumps({"count": height}))


def make_chain() -> CometChain:
    chain = CometChain()
    for _ in range(6):
        chain.mine()
    chain.contracts[text_of(COUNTER)] = (8, counting)
    chain.codes[8] = CHECKSUM
    return chain


async def read(*requests: Request, nodes: list[ScriptedNode], quorum: int = 1) -> list[Answer | None]:
    async with serve_pool(*nodes, quorum=quorum) as pool:
        return await AnswerReader(pool, COSMOS, PREFIX).read(BlockRef(PIN, b"\x03" * 32), requests)


async def read_one(request: Request, *nodes: ScriptedNode, quorum: int = 1) -> Answer | None:
    (answer,) = await read(request, nodes=list(nodes) or [endpoint_of(make_chain())], quorum=quorum)
    return answer


async def test_a_contract_answers_as_of_the_pin() -> None:
    assert await read_one(question()) == counted(PIN)


async def test_many_questions_are_answered_in_order() -> None:
    asked = [question(), question(b'{"no":{}}'), question(address=b"\xee" * 32)] * 12
    answers = await read(*asked, nodes=[endpoint_of(make_chain())])
    assert answers == [counted(PIN), REVERTED, UNREACHED] * 12


async def test_an_answer_is_cut_at_the_requests_limit() -> None:
    whole = counted(PIN).return_data
    assert await read_one(question(return_limit=4)) == Answer(OutcomeKind.EXECUTED, cut=True, return_data=whole[:4])
    exact = Answer(OutcomeKind.EXECUTED, cut=False, return_data=whole)
    assert await read_one(question(return_limit=len(whole))) == exact


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"\x00\x01",
        evm_account(31337, b"\x7a" * 20).to_bytes(),
        COSMOS.to_bytes(),
        InteroperableAddress(Chain(Namespace.COSMOS, b"elsewhere-1"), COUNTER).to_bytes(),
        InteroperableAddress(COSMOS, b"\xc0" * 20).to_bytes(),
        InteroperableAddress(COSMOS, b"\xee" * 32).to_bytes(),
    ],
)
async def test_what_is_no_contract_of_this_chain_is_not_reached(target: bytes) -> None:
    assert await read_one(question(target=target)) == UNREACHED


async def test_a_code_that_is_asked_for_must_be_there() -> None:
    assert await read_one(question(code_hash=CHECKSUM)) == counted(PIN)
    assert await read_one(question(code_hash=b"\x5d" * 32)) == UNREACHED
    chain = make_chain()
    unknown = endpoint_of(chain, lambda _, params, answer: _fail_on("CodeInfo", params, answer))
    assert await read_one(question(code_hash=CHECKSUM), unknown) is None
    assert await read_one(question(), unknown) == counted(PIN)


def _fail_on(path: str, params: Any, answer: Any) -> Any:
    if params.get("path", "").endswith(path):
        raise NodeFault(-32603, "Internal error", "unknown query path")
    return answer


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b'{"other":{}}', b'{"say":"out of gas in location: x"}'])
async def test_a_question_that_a_contract_refuses_is_reverted_without_words(payload: bytes) -> None:
    assert await read_one(question(payload)) == REVERTED


@pytest.mark.parametrize(
    "failure",
    [
        refusing("Generic error: no"),
        Failed("codespace wasm code 9: query wasm contract failed: Generic error: no", code=6),
        Failed("Generic error: no: query wasm contract failed", codespace="wasm", code=9),
        refusing("address x: no such contract"),
        Failed("Error executing Wasm: Wasmer runtime error: RuntimeError: Aborted: panicked at x: wasmvm error"),
        Failed("Wasmer runtime error: RuntimeError: Aborted: panicked at x", codespace="wasm", code=29),
    ],
)
async def test_a_contracts_error_is_one_answer_however_a_node_words_it(failure: Failed) -> None:
    assert await read_one(question(), endpoint_of(failing(failure))) == REVERTED


@pytest.mark.parametrize(
    "failure",
    [
        Failed("out of gas in location: wasm contract; gasWanted: 3000000, gasUsed: 3000001: out of gas"),
        Failed("out of gas", codespace="wasm", code=6),
        Failed("Error calling the VM: cache: wasmvm error", codespace="wasm", code=29),
        Failed("panic", codespace="sdk", code=111222),
        Failed("version does not exist", code=18),
        Failed("", codespace="", code=1),
    ],
)
async def test_security_a_nodes_own_failure_is_no_answer(failure: Failed) -> None:
    """SECURITY: an outcome would be signed that the state does not give."""
    assert await read_one(question(), endpoint_of(failing(failure))) is None


def failing(failure: Failed) -> CometChain:
    chain = make_chain()

    def fail(*_: Any) -> bytes:
        raise failure

    chain.contracts[text_of(COUNTER)] = (8, fail)
    return chain


async def test_a_pruned_state_is_no_answer() -> None:
    chain = make_chain()
    chain.first = PIN + 1
    assert await read_one(question(), endpoint_of(chain)) is None
    assert await read_one(question(), endpoint_of(chain), endpoint_of(make_chain())) in {None, counted(PIN)}


async def test_security_an_answer_is_one_of_a_quorum() -> None:
    """SECURITY: one poisoned RPC is never believed alone."""

    def lying(_: dict[str, Any], __: int) -> bytes:
        return b'{"count":1000}'

    liar = make_chain()
    liar.contracts[text_of(COUNTER)] = (8, lying)
    nodes = [endpoint_of(liar), endpoint_of(make_chain())]
    assert await read_one(question(), *nodes, quorum=2) is None
    assert await read_one(question(), *nodes, endpoint_of(make_chain()), quorum=2) == counted(PIN)
    without = make_chain()
    without.contracts.clear()
    nodes = [endpoint_of(without), endpoint_of(make_chain()), endpoint_of(make_chain())]
    assert await read_one(question(), *nodes, quorum=2) == counted(PIN)


async def test_security_an_answer_is_of_the_state_that_was_asked_for() -> None:
    """SECURITY: what a contract says now is not what it said then."""
    newest = changing("abci_query", lambda answer: answer["response"].update(height="6"))
    with pytest.raises(RpcUnavailable):
        await read_one(question(), endpoint_of(make_chain(), newest))


@pytest.mark.parametrize(
    "response",
    [
        None,
        {},
        {"code": "0"},
        {"code": -1},
        {"code": 0, "value": 7, "height": "3"},
        {"code": 0, "value": "%", "height": "3"},
        {"code": 0, "value": base64_text(b"\xff\xff"), "height": "3"},
        {"code": 0, "value": "", "height": 3},
        {"code": 6, "log": 1},
        {"code": 6, "codespace": None},
    ],
)
async def test_an_answer_of_another_shape_is_none(response: Any) -> None:
    node = endpoint_of(make_chain(), changing("abci_query", lambda _: {"response": response}))
    with pytest.raises(RpcUnavailable):
        await read_one(question(), node)
