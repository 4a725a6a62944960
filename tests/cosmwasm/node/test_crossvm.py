"""Calls between VMs on a chain that has them: the queue, its pass, states, events, queries and limits, by raw RPC."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import CHAIN_ID, DENOM, OWNER, Devnet, Starting, told
from eth_abi.abi import decode

from relayer.cosmos import crossvm as proto
from relayer.cosmos.bank import BALANCE, QueryBalanceRequest, QueryBalanceResponse
from relayer.cosmos.base import Coin
from relayer.crossvm.precompile import PRECOMPILE, Form, PrecompileCall, encode_call
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import ChainSettings
from relayer.devnet.cosmwasm.crossvm.answerers import PLAYED, Asked, PlayedEvm, TargetFailedError
from relayer.devnet.cosmwasm.crossvm.module import CrossVmSettings

EVM_TARGET = "0x" + "11" * 20
SVM_TARGET = "11111111111111111111111111111111"
DONE = b'{"do":{}}'
REFUSED = b'{"refuse":{}}'


def settings(**limits: Any) -> ChainSettings:
    return ChainSettings(CHAIN_ID, crossvm=CrossVmSettings(**limits))


@pytest.fixture
async def triple(start: Starting) -> AsyncIterator[Devnet]:
    async with start(settings()) as devnet:
        await devnet.deploy()
        yield devnet


def to_evm(payload: bytes = b"\xd0\x9d\xe0\x8a", target: str = EVM_TARGET, **more: Any) -> proto.MsgCrossVMCall:
    return proto.MsgCrossVMCall(OWNER.address, "cosmwasm", "evm", target, payload, **more)


def to_cosmwasm(devnet: Devnet, payload: bytes = DONE, **more: Any) -> proto.MsgCrossVMCall:
    return proto.MsgCrossVMCall(OWNER.address, "evm", "cosmwasm", devnet.contract, payload, **more)


async def message(devnet: Devnet, name: str = "crossvm-00000001") -> Any:
    return await devnet.result("qor_getCrossVMMessage", message_id=name)


async def block_events(devnet: Devnet) -> list[tuple[str, dict[str, str]]]:
    found = await devnet.result("block_results")
    return [(event["type"], pairs(event)) for event in found["finalize_block_events"]]


def pairs(event: Any) -> dict[str, str]:
    return {attribute["key"]: attribute["value"] for attribute in event["attributes"]}


async def names(devnet: Devnet, path: str, request: Any, height: int = 0) -> list[str]:
    answer = await devnet.query(f"{proto.QUERY_SERVICE}/{path}", request, height)
    listed = proto.QueryMessagesResponse.decode(base64.b64decode(answer["value"] or "")).messages
    return [found.id for found in listed]


async def test_a_contract_is_called_by_the_pass_of_the_next_block_and_its_result_is_told(triple: Devnet) -> None:
    result = await triple.run(to_cosmwasm(triple))
    request = next(event for event in result["events"] if event["type"] == "crossvm_request")
    assert list(pairs(request))[:5] == ["message_id", "source_vm", "target_vm", "target_contract", "sender"]
    assert pairs(request)["message_id"] == "crossvm-00000001"
    submitted = await message(triple)
    assert (submitted["status"], submitted["result"], submitted["executed_height"]) == ("submitted", "0x", 0)
    await triple.node.advance()
    events = await block_events(triple)
    assert [kind for kind, _ in events][-2:] == ["wasm-XVMSeen", "crossvm_response"]
    assert events[-1][1] == {
        "message_id": "crossvm-00000001",
        "status": "executed",
        "result": "0x" + b"here".hex(),
        "mode": "EndBlock",
    }
    assert await message(triple) == {
        "message_id": "crossvm-00000001",
        "source_vm": "evm",
        "target_vm": "cosmwasm",
        "target_contract": triple.contract,
        "sender": OWNER.address,
        "payload": DONE.decode(),
        "status": "executed",
        "result": "0x" + b"here".hex(),
        "submitted_height": submitted["submitted_height"],
        "executed_height": submitted["submitted_height"] + 1,
    }


async def test_a_target_that_reverts_is_a_failure_with_its_error_and_the_coins_come_back(triple: Devnet) -> None:
    async def held() -> int:
        answer = await triple.query(BALANCE, QueryBalanceRequest(OWNER.address, DENOM))
        balance = QueryBalanceResponse.decode(base64.b64decode(answer["value"])).balance
        assert balance is not None
        return int(balance.amount)

    before = await held()
    await triple.run(to_cosmwasm(triple, REFUSED, funds=(Coin(DENOM, "500"),)))
    fee = 10_000
    assert await held() == before - fee - 500
    await triple.node.advance()
    assert await held() == before - fee
    found = await message(triple)
    assert found["status"] == "failed"
    assert "NotToday" in found["result"]
    kind, told_of = (await block_events(triple))[-1]
    assert (kind, told_of["status"], told_of["result"]) == ("crossvm_response", "failed", found["result"])


async def test_messages_are_carried_out_in_the_order_in_which_they_came(triple: Devnet) -> None:
    await triple.send(to_evm(b"\x01"), to_cosmwasm(triple), to_evm(b"\x02"))
    await triple.send(to_evm(b"\x03"))
    await triple.node.advance()
    await triple.node.advance()
    responses = [pairs["message_id"] for kind, pairs in await block_events(triple) if kind == "crossvm_response"]
    assert responses == [f"crossvm-{number:08d}" for number in (1, 2, 3, 4)]


async def test_what_a_pass_does_not_come_to_is_pending_and_times_out_by_blocks(start: Starting) -> None:
    async with start(settings(messages_per_pass=1, queue_timeout_blocks=3)) as devnet:
        sent = [to_evm(bytes([number])) for number in range(1, 5)]
        await devnet.run(*sent)
        statuses = []
        for _ in range(3):
            await devnet.node.advance()
            statuses.append([(await message(devnet, f"crossvm-{n:08d}"))["status"] for n in (1, 2, 3, 4)])
        assert statuses == [
            ["executed", "pending", "pending", "pending"],
            ["executed", "executed", "pending", "pending"],
            ["executed", "executed", "timed_out", "timed_out"],
        ]
        assert [(kind, pairs["message_id"], pairs["source_vm"]) for kind, pairs in await block_events(devnet)] == [
            ("crossvm_timeout", "crossvm-00000003", "cosmwasm"),
            ("crossvm_timeout", "crossvm-00000004", "cosmwasm"),
        ]
        assert (await message(devnet, "crossvm-00000004"))["result"] == "0x"


async def test_the_documented_timeout_is_a_hundred_blocks(start: Starting) -> None:
    async with start(settings()) as devnet:
        await devnet.result("devnet_boundCrossvmPass", messages="0")
        await devnet.run(to_evm())
        await devnet.result("devnet_advanceBlocks", blocks="99")
        assert (await message(devnet))["status"] == "pending"
        await devnet.node.advance()
        found = await message(devnet)
        assert (found["status"], found["executed_height"]) == ("timed_out", found["submitted_height"] + 100)


async def test_size_and_length_of_the_queue_are_bounded(start: Starting) -> None:
    async with start(settings(max_message_size=8, max_queue_size=2)) as devnet:
        assert (await devnet.run(to_evm(b"x" * 8)))["code"] == 0
        await devnet.result("devnet_boundCrossvmPass", messages="0")
        assert (await devnet.run(to_evm(b"x" * 9)))["log"].endswith("message exceeds the maximum size")
        assert (await devnet.run(to_evm()))["code"] == 0
        refused = await devnet.run(to_evm())
        assert (refused["codespace"], refused["code"]) == ("crossvm", 4)
        await devnet.result("devnet_boundCrossvmPass", messages="9")
        await devnet.node.advance()
        assert (await devnet.run(to_evm()))["code"] == 0


async def test_the_documented_limits_are_the_defaults(triple: Devnet) -> None:
    answer = await triple.query(f"{proto.QUERY_SERVICE}/{proto.PARAMS}", proto.QueryParamsRequest())
    assert proto.QueryParamsResponse.decode(base64.b64decode(answer["value"])).params == proto.Params(
        65_536, 1_000, 100
    )
    whole = {"gas": 10_000_000, "fee": 250_000}
    assert (await triple.run(to_evm(b"x" * 65_536), **whole))["code"] == 0
    assert (await triple.run(to_evm(b"x" * 65_537), **whole))["code"] == 3


@pytest.mark.parametrize(
    "call",
    [
        proto.MsgCrossVMCall(OWNER.address, "evm", "evm", EVM_TARGET, b"x"),
        proto.MsgCrossVMCall(OWNER.address, "move", "evm", EVM_TARGET, b"x"),
        proto.MsgCrossVMCall(OWNER.address, "svm", "evm", "", b"x"),
        proto.MsgCrossVMCall(OWNER.address, "svm", "evm", "x" * 257, b"x"),
        proto.MsgCrossVMCall(OWNER.address, "svm", "evm", EVM_TARGET, b""),
    ],
)
async def test_what_is_no_message_is_refused(triple: Devnet, call: proto.MsgCrossVMCall) -> None:
    assert (await triple.run(call))["codespace"] == "crossvm"


async def test_a_transaction_that_fails_leaves_no_message(triple: Devnet) -> None:
    result = await triple.run(to_evm(), triple.execute(REFUSED))
    assert result["code"] != 0
    await triple.run(to_evm())
    assert (await message(triple))["status"] == "submitted"
    assert "error" in await triple.call("qor_getCrossVMMessage", message_id="crossvm-00000002")


async def test_the_precompile_calls_a_contract_in_its_documented_form_and_in_no_other(triple: Devnet) -> None:
    call = PrecompileCall(triple.contract, DONE, 7)
    await triple.run(
        to_evm(encode_call(call), "0x" + PRECOMPILE.hex(), funds=(Coin(DENOM, "7"),)),
        to_evm(encode_call(call, Form.BARE), "0x" + PRECOMPILE.hex()),
    )
    await triple.node.advance()
    done = await message(triple)
    assert done["status"] == "executed"
    assert decode(["bytes"], bytes.fromhex(done["result"][2:])) == (b"here",)
    assert (await message(triple, "crossvm-00000002"))["status"] == "failed"


@pytest.mark.parametrize("form", list(Form))
async def test_other_forms_are_taken_where_they_are_named(start: Starting, form: Form) -> None:
    forms = (Form.CALL, Form.EXECUTE, Form.PLAIN, Form.BARE)
    async with start(settings(answerers={**PLAYED, "evm": PlayedEvm(forms)})) as devnet:
        await devnet.deploy()
        await devnet.run(to_evm(encode_call(PrecompileCall(devnet.contract, DONE), form), "0x" + PRECOMPILE.hex()))
        await devnet.node.advance()
        assert (await message(devnet))["status"] == "executed"


async def test_the_vms_that_are_not_there_are_played(start: Starting) -> None:
    def refuse(asked: Asked) -> bytes:
        raise TargetFailedError(f"program failed on {asked.payload.decode()}")

    async with start(settings(answerers={**PLAYED, "svm": refuse})) as devnet:
        await devnet.run(
            to_evm(b"\x2a"),
            to_evm(target="nobody"),
            proto.MsgCrossVMCall(OWNER.address, "evm", "svm", SVM_TARGET, b"0102"),
        )
        await devnet.node.advance()
        found = [await message(devnet, f"crossvm-{number:08d}") for number in (1, 2, 3)]
    assert [each["result"] for each in found] == [
        "0x2a",
        "'nobody' is no address of 20 bytes",
        "program failed on 0102",
    ]
    assert found[2]["payload"] == "0x0102"


async def test_instruction_data_is_hex_digits(triple: Devnet) -> None:
    for payload in (b"0x0102", b"zz", b"\xff"):
        await triple.run(proto.MsgCrossVMCall(OWNER.address, "evm", "svm", SVM_TARGET, payload))
    await triple.node.advance()
    found = [await message(triple, f"crossvm-{number:08d}") for number in (1, 2, 3)]
    assert [each["status"] for each in found] == ["executed", "failed", "failed"]
    assert found[0]["result"] == "0x0102"


async def test_messages_are_found_by_id_by_sender_and_while_they_wait_at_any_height(triple: Devnet) -> None:
    await triple.run(to_evm())
    first = triple.chain.view_height
    await triple.run(to_evm())
    both = ["crossvm-00000002", "crossvm-00000001"]
    by_sender = proto.QueryMessagesBySenderRequest(OWNER.address)
    assert await names(triple, proto.MESSAGES_BY_SENDER, by_sender) == both
    for name in proto.PENDING_NAMES:
        assert await names(triple, name, proto.QueryPendingRequest()) == ["crossvm-00000002"]
        assert await names(triple, name, proto.QueryPendingRequest(), first) == ["crossvm-00000001"]
    path = f"{proto.QUERY_SERVICE}/{proto.MESSAGE}"
    answer = await triple.query(path, proto.QueryMessageRequest("crossvm-00000001"))
    found = proto.QueryMessageResponse.decode(base64.b64decode(answer["value"])).message
    assert found is not None
    assert (found.status, found.response, found.payload) == ("executed", b"\xd0\x9d\xe0\x8a", b"\xd0\x9d\xe0\x8a")
    assert (await triple.query(path, proto.QueryMessageRequest("crossvm-9")))["code"] != 0


async def test_requests_and_responses_are_heard_over_the_websocket(triple: Devnet) -> None:
    asks = "tm.event='Tx' AND crossvm_request.message_id EXISTS"
    ends = "tm.event='NewBlock' AND crossvm_response.status='executed'"
    async with triple.socket() as socket:
        for number, query in enumerate((asks, ends), 1):
            await socket.send_json({"jsonrpc": "2.0", "method": "subscribe", "params": [query], "id": number})
            assert (await told(socket))["result"] == {}
        await triple.run(to_cosmwasm(triple))
        await triple.node.advance()
        request, response = await told(socket), await told(socket)
    assert (request["id"], request["result"]["events"]["crossvm_request.message_id"]) == (1, ["crossvm-00000001"])
    assert (response["id"], response["result"]["events"]["crossvm_response.result"]) == (2, ["0x" + b"here".hex()])


async def test_older_nodes_tell_the_pass_as_end_block_events_in_base64(start: Starting) -> None:
    chain = ChainSettings(CHAIN_ID, dialect=Dialect.V034, crossvm=CrossVmSettings())
    async with start(chain) as devnet:
        await devnet.run(to_evm())
        await devnet.node.advance()
        (event,) = (await devnet.result("block_results"))["end_block_events"]
    assert {base64.b64decode(key).decode() for key in pairs(event)} == {"message_id", "status", "result"}


async def test_a_chain_without_the_module_has_none_of_it(devnet: Devnet) -> None:
    result = await devnet.run(to_evm())
    assert re.match("failed to execute message.*unrecognized message route", result["log"])
    assert (await devnet.call("qor_getCrossVMMessage", message_id="crossvm-00000001"))["error"]["code"] == -32601
    answer = await devnet.query(f"{proto.QUERY_SERVICE}/{proto.MESSAGE}", proto.QueryMessageRequest("crossvm-00000001"))
    assert "unknown query path" in answer["log"]
