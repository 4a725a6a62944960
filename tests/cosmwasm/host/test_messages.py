"""What becomes of contracts' messages: replies, limits of gas, undoing, events."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.keeper import FailedError, Keeper
from relayer.devnet.cosmwasm.messages import ExecuteContract

Contract = Callable[..., bytes]
Place = Callable[[bytes], str]

_WRITE = '(import "env" "db_write" (func $write (param i32 i32)))'
_SAVE_REPLY = "(call $write (i32.const 1024) (local.get $p1))"
_KEY = {1024: b"reply"}


def _b64(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def _execute(address: str, **more: Any) -> dict[str, Any]:
    call = {"contract_addr": address, "msg": _b64({}), "funds": []}
    return {"id": 7, "msg": {"wasm": {"execute": call}}, "gas_limit": None, "reply_on": "never", **more}


def _asker(contract: Contract, *messages: dict[str, Any], reply: Any = None, **ok: Any) -> bytes:
    """It sends these, and keeps what its reply is told."""
    answers = {"execute": {"ok": {"messages": messages, **ok}}, "reply": reply or {"ok": {}}}
    return contract(answers, {"reply": _SAVE_REPLY}, imports=_WRITE, regions=_KEY)


def _told(chain: Keeper, asker: str) -> dict[str, Any]:
    told = chain.query_raw(asker, b"reply")
    assert told is not None
    value: dict[str, Any] = json.loads(told)
    return value


def _kinds(events: tuple[Event, ...]) -> list[str]:
    return [event.type for event in events]


def test_a_reply_is_told_data_responses_events_and_payload(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    attributes = [{"key": "zebra", "value": "1"}, {"key": "ape", "value": " 2 "}]
    target = place(contract({"execute": {"ok": {"data": _b64(b"done"), "attributes": attributes}}}))
    asker = place(_asker(contract, _execute(target, reply_on="always", payload=_b64(b"note"))))
    result = chain.execute(owner, asker, {})
    assert result.code == 0
    told = _told(chain, asker)
    response = _b64(b"\x0a\x04done")
    assert (told["id"], told["payload"], told["gas_used"]) == (7, _b64(b"note"), 0)
    ok = told["result"]["ok"]
    assert ok["data"] == response
    assert ok["msg_responses"] == [{"type_url": "/cosmwasm.wasm.v1.MsgExecuteContractResponse", "value": response}]
    assert [event["type"] for event in ok["events"]] == ["execute", "wasm"]
    assert [(pair["key"], pair["value"]) for pair in ok["events"][1]["attributes"]] == [
        ("_contract_address", target),
        ("ape", "2"),
        ("zebra", "1"),
    ]
    assert _kinds(result.events) == ["message", "execute", "execute", "wasm", "reply"]
    assert result.events[0].attributes == [
        ("action", "/cosmwasm.wasm.v1.MsgExecuteContract"),
        ("sender", owner),
        ("module", "wasm"),
    ]


def test_the_last_reply_with_data_has_the_last_word(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    target = place(contract({"execute": {"ok": {}}}))
    call = _execute(target, reply_on="success")
    own = {"data": _b64(b"own")}
    kept = place(_asker(contract, call, **own))
    replaced = place(_asker(contract, call, reply={"ok": {"data": _b64(b"reply")}}, **own))
    emptied = place(_asker(contract, call, reply={"ok": {"data": ""}}, **own))
    assert [chain.execute(owner, each, {}).data for each in (kept, replaced, emptied)] == [b"own", b"reply", b""]


def test_a_contracts_error_reaches_the_reply_as_it_is(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    target = place(contract({"execute": {"error": "Nope: 7"}}))
    asker = place(_asker(contract, _execute(target, reply_on="error")))
    assert chain.execute(owner, asker, {}).code == 0
    assert _told(chain, asker)["result"] == {"error": "Nope: 7: execute wasm contract failed"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"bank": {"send": {"to_address": "OWNER", "amount": [{"denom": "uxvm", "amount": "5"}]}}}, "sdk, code: 5"),
        ({"wasm": {"execute": {"contract_addr": "OWNER", "msg": "e30=", "funds": []}}}, "wasm, code: 22"),
        ({"wasm": {"execute": {"contract_addr": "nobody", "msg": "e30=", "funds": []}}}, "undefined, code: 1"),
        ({"wasm": {"migrate": {"contract_addr": "OWNER", "new_code_id": 1, "msg": "e30="}}}, "sdk, code: 18"),
        ({"staking": {}}, "wasm, code: 20"),
        ({"custom": {}}, "wasm, code: 20"),
    ],
)
def test_what_nodes_need_not_agree_on_is_not_told(
    chain: Keeper, owner: str, place: Place, contract: Contract, message: dict[str, Any], told: str
) -> None:
    text = json.dumps(message).replace("OWNER", owner)
    asker = place(_asker(contract, {"id": 1, "msg": json.loads(text), "reply_on": "always"}))
    assert chain.execute(owner, asker, {}).code == 0
    assert _told(chain, asker)["result"] == {"error": f"codespace: {told}"}


def test_a_submessages_limit_of_gas_is_an_error_for_its_sender(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    """SECURITY: a target that uses up what it is given cannot end the transaction."""
    target = place(contract(before={"execute": "(loop $on (br $on))"}))
    asker = place(_asker(contract, _execute(target, reply_on="always", gas_limit=100_000)))
    result = chain.execute(owner, asker, {}, gas_limit=1_000_000)
    assert (result.code, 100_000 < result.gas_used < 300_000) == (0, True)
    assert _told(chain, asker)["result"] == {"error": "codespace: sdk, code: 11"}


@pytest.mark.parametrize("limit", [None, 900_000, 2**64 - 1])
def test_a_transaction_that_runs_out_ends_whole_whatever_a_submessages_limit(
    chain: Keeper, owner: str, place: Place, contract: Contract, limit: int | None
) -> None:
    target = place(contract(before={"execute": "(loop $on (br $on))"}))
    asker = place(_asker(contract, _execute(target, reply_on="always", gas_limit=limit)))
    result = chain.execute(owner, asker, {}, gas_limit=800_000)
    assert (result.codespace, result.code, result.events) == ("sdk", 11, ())
    assert chain.query_raw(asker, b"reply") is None


def test_a_limit_within_a_limit_is_caught_by_the_one_that_is_hit(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    target = place(contract(before={"execute": "(loop $on (br $on))"}))
    inner = place(_asker(contract, _execute(target, reply_on="always", gas_limit=500_000)))
    outer = place(_asker(contract, _execute(inner, reply_on="always", gas_limit=300_000)))
    assert chain.execute(owner, outer, {}, gas_limit=5_000_000).code == 0
    assert _told(chain, outer)["result"] == {"error": "codespace: sdk, code: 11"}
    assert chain.query_raw(inner, b"reply") is None


def test_what_a_failed_submessage_changed_is_undone_and_the_rest_stays(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    write = "(call $write (i32.const 1024) (i32.const 1024))"
    failing = place(contract({"execute": {"error": "no"}}, {"execute": write}, imports=_WRITE, regions={1024: b"k"}))
    writing = place(contract(before={"execute": write}, imports=_WRITE, regions={1024: b"k"}))
    first, second = _execute(writing), _execute(failing, reply_on="error")
    asker = place(_asker(contract, first, second))
    assert chain.execute(owner, asker, {}).code == 0
    assert (chain.query_raw(writing, b"k"), chain.query_raw(failing, b"k")) == (b"k", None)
    ending = place(_asker(contract, first, _execute(failing)))
    chain.advance()
    assert chain.execute(owner, ending, {}).code == 5


def test_an_error_of_a_reply_ends_the_call_and_its_text_is_told_to_nobody(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    target = place(contract({"execute": {"ok": {}}}))
    failing = place(_asker(contract, _execute(target, reply_on="success"), reply={"error": "late"}))
    result = chain.execute(owner, failing, {})
    assert (result.codespace, result.code, "reply: late" in result.log) == ("wasm", 5, True)
    outer = place(_asker(contract, _execute(failing, reply_on="error")))
    assert chain.execute(owner, outer, {}).code == 0
    assert _told(chain, outer)["result"] == {"error": "codespace: wasm, code: 5"}


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"type": "x", "attributes": []}, "Event type too short"),
        ({"type": "fine", "attributes": [{"key": " ", "value": "1"}]}, "Empty attribute key"),
        ({"type": "fine", "attributes": [{"key": "_contract_address", "value": "1"}]}, "reserved prefix _"),
    ],
)
def test_security_events_that_a_chain_refuses_fail_the_call(
    chain: Keeper, owner: str, place: Place, contract: Contract, event: dict[str, Any], says: str
) -> None:
    """SECURITY: no contract speaks in another's name."""
    result = chain.execute(owner, place(contract({"execute": {"ok": {"events": [event]}}})), {})
    assert (result.codespace, result.code, says in result.log) == ("wasm", 21, True)


def test_custom_events_come_in_order_behind_the_attributes(
    chain: Keeper, owner: str, place: Place, contract: Contract
) -> None:
    events = [{"type": f"Thing{n}", "attributes": [{"key": "b", "value": ""}]} for n in range(2)]
    emitter = place(contract({"execute": {"ok": {"events": events, "attributes": [{"key": "a", "value": "1"}]}}}))
    result = chain.execute(owner, emitter, {})
    assert _kinds(result.events) == ["message", "execute", "wasm", "wasm-Thing0", "wasm-Thing1"]
    assert result.events[3].attributes == [("_contract_address", emitter), ("b", "")]


def test_security_contracts_that_call_themselves_without_end_are_stopped(
    chain: Keeper, owner: str, contract: Contract
) -> None:
    """SECURITY: a hundred calls deep, and the process has stack for it."""
    code = chain.store_code(owner, contract())
    address = chain.instantiate(owner, code, {}, salt=b"1", admin=owner)
    calls = contract({"execute": {"ok": {"messages": [_execute(address)]}}, "migrate": {"ok": {}}})
    assert chain.migrate(owner, address, chain.store_code(owner, calls), {}).code == 0
    result = chain.execute(owner, address, {})
    assert (result.codespace, result.code) == ("wasm", 30)


def test_money_goes_with_messages_and_by_itself(chain: Keeper, owner: str, place: Place, contract: Contract) -> None:
    send = {"bank": {"send": {"to_address": owner, "amount": [{"denom": "uxvm", "amount": "30"}]}}}
    burn = {"bank": {"burn": {"amount": [{"denom": "uxvm", "amount": "20"}]}}}
    messages = [{"id": 1, "msg": each, "reply_on": "never"} for each in (send, burn)]
    spender = place(contract({"execute": {"ok": {"messages": messages}}}))
    result = chain.execute(owner, spender, {}, funds={"uxvm": 100})
    assert (chain.balance(spender, "uxvm"), chain.supply("uxvm")) == (50, 999_980)
    moved = ["coin_spent", "coin_received", "transfer"]
    assert _kinds(result.events) == ["message", *moved, "execute", *moved, *moved, "coin_spent", "burn"]
    poor = chain.execute(owner, spender, {}, funds={"uxvm": 10_000_000})
    assert (poor.codespace, poor.code) == ("sdk", 5)


def test_security_a_contract_is_migrated_by_its_admin_alone(chain: Keeper, owner: str, contract: Contract) -> None:
    """SECURITY: nobody else gives a contract other code."""
    code = chain.store_code(owner, contract({"migrate": {"ok": {}}}))
    address = chain.instantiate(owner, code, {}, admin=owner)
    other = chain.addresses.text(b"\x09" * 20)
    refused = chain.migrate(other, address, code, {})
    assert (refused.codespace, refused.code) == ("sdk", 4)
    assert chain.migrate(owner, address, code, {}).code == 0
    assert [entry.operation for entry in chain.contract_history(address)] == ["init", "migrate"]


def test_addresses_are_those_of_a_chain(chain: Keeper, owner: str, contract: Contract) -> None:
    code = chain.store_code(owner, contract())
    first = "wasm14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s0phg4d"
    assert chain.instantiate(owner, code, {}) == first
    predicted = chain.instantiate(owner, code, {}, salt=b"salt")
    with pytest.raises(FailedError, match="already exists"):
        chain.instantiate(owner, code, {}, salt=b"salt")
    assert predicted not in (first, chain.instantiate(owner, code, {}, salt=b"other"))


def test_a_query_sees_the_block_that_it_asks_for(chain: Keeper, owner: str, place: Place, contract: Contract) -> None:
    write = "(call $write (i32.const 1024) (local.get $p2))"
    keeping = place(contract(before={"execute": write}, imports=_WRITE, regions={1024: b"k"}))
    for number in range(3):
        chain.execute(owner, keeping, {"n": number})
        chain.advance()
    assert [chain.query_raw(keeping, b"k", height) for height in (1, 2, 3)] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    with pytest.raises(KeyError):
        chain.query_raw(keeping, b"k", 4)
    assert chain.simulate([ExecuteContract(owner, keeping, b"{}")]).code == 0
    assert chain.query_raw(keeping, b"k") == b'{"n":2}'
