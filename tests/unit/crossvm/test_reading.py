"""What another chain tells of its messages, in all the ways in which sources write it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.cosmos.crossvm import NumberedMessage, StoredMessage
from relayer.crossvm.events import REQUEST, RESPONSE, TIMEOUT
from relayer.crossvm.messages import State
from relayer.crossvm.reading import (
    MAX_ATTRIBUTES,
    Names,
    ToldMessage,
    UnreadableEvent,
    read_event,
    read_json,
    read_stored,
)

PLAIN = [
    ("message_id", "crossvm-00000042"),
    ("source_vm", "cosmwasm"),
    ("target_vm", "evm"),
    ("target_contract", "0xAb"),
    ("sender", "wasm1x"),
]
MEANT = ToldMessage(REQUEST, "crossvm-00000042", "cosmwasm", "evm", "0xAb", "wasm1x", State.SUBMITTED, "")


def encoded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(base64.b64encode(k.encode()).decode(), base64.b64encode(v.encode()).decode()) for k, v in pairs]


def response(*pairs: tuple[str, Any]) -> ToldMessage:
    told = read_event("crossvm_response", [("message_id", "42"), *pairs])
    assert told is not None
    return told


@pytest.mark.parametrize(
    "pairs",
    [
        PLAIN,
        encoded(PLAIN),
        PLAIN[::-1],
        [*PLAIN, ("msg_index", "0"), ("mode", "EndBlock"), ("payload_hash", "ab")],
        [*PLAIN, ("index", None)],
        [(key.title().replace("_", ""), value) for key, value in PLAIN],
        [(key.upper(), f'"{value}"') for key, value in PLAIN],
        [("id", "42"), ("from_vm", "wasm"), ("to_vm", "VM_TYPE_EVM"), ("target", "0xAb"), ("caller", "wasm1x")],
        [*PLAIN, ("MessageId", "crossvm-00000042")],
    ],
)
@pytest.mark.parametrize("kind", ["crossvm_request", "CrossVMRequest", "cross-vm.request"])
def test_a_request_is_read_however_it_is_written(kind: str, pairs: list[tuple[str, str]]) -> None:
    assert read_event(kind, pairs) == MEANT


def test_what_is_missing_is_empty() -> None:
    told = read_event("crossvm_timeout", [("message_id", "crossvm-7")])
    assert told == ToldMessage(TIMEOUT, "crossvm-00000007", "", "", "", "", State.TIMED_OUT, "")
    assert told.json() == {"event": "crossvm_timeout", "message_id": "crossvm-00000007", "status": "timed_out"}


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ((("status", "executed"),), State.EXECUTED),
        ((("status", "Executed"),), State.EXECUTED),
        ((("status", "MESSAGE_STATUS_EXECUTED"),), State.EXECUTED),
        ((("status", "Timed Out"),), State.TIMED_OUT),
        ((("status", "2"),), State.EXECUTED),
        ((("status", "3"),), State.FAILED),
        ((("status", "5"),), None),
        ((("status", "9" * 5_000),), None),
        ((("status", "unheard of"),), None),
        ((("success", "true"),), State.EXECUTED),
        ((("success", "0"), ("gas_used", "7")), State.FAILED),
        ((), None),
        ((("status", "executed"), ("status", "failed")), None),
    ],
)
def test_a_status_is_read_as_a_word_a_number_or_as_success(pairs: Any, status: State | None) -> None:
    assert response(*pairs).status is status


@pytest.mark.parametrize(
    ("pairs", "result"),
    [
        ((("result", "0x2A"),), "0x2a"),
        ((("result", "2a"),), "0x2a"),
        ((("result", ""),), "0x"),
        ((("response", "2a"),), "0x2a"),
        ((("error", "out of gas"),), "out of gas"),
        ((("result", "execution reverted"),), "execution reverted"),
    ],
)
def test_a_result_is_hex_wherever_it_can_be(pairs: Any, result: str) -> None:
    assert response(*pairs).result == result


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("message_id", "")],
        [("message_id", "crossvm-1"), ("message_id", "crossvm-2")],
        [("message_id", "a b")],
        [("message_id", "x" * 129)],
        [(f"a{number}", "b") for number in range(MAX_ATTRIBUTES)] + [("message_id", "1")],
        [(7, "crossvm-1")],
        [("message_id", ["crossvm-1"])],
        [("bWVzc2FnZV9pZA==", "no base64")],
    ],
)
def test_security_an_event_that_names_no_message_or_two_is_unreadable(pairs: Any) -> None:
    """SECURITY: of two ids, two readers could believe different ones."""
    with pytest.raises(UnreadableEvent):
        read_event("crossvm_response", pairs)


@pytest.mark.parametrize("kind", ["wasm-crossvm_request", "wasm-XVM", "crossvm_requests", "tx", ""])
def test_security_no_contract_speaks_for_the_chain(kind: str) -> None:
    """SECURITY: anybody's contract can emit an event of any name behind `wasm-`."""
    assert read_event(kind, PLAIN) is None
    with pytest.raises(ValueError, match="a contract's own"):
        Names(events={"wasm-crossvm_request": REQUEST})


def test_names_and_numbers_of_another_chain_can_be_given() -> None:
    names = Names(
        events={"vm.EventDone": RESPONSE},
        fields={"message_id": ("ticket",), "status": ("outcome",)},
        numbered=(State.FAILED, State.EXECUTED),
    )
    told = read_event("vm.EventDone", [("ticket", "t-1"), ("outcome", "1")], names)
    assert told is not None
    assert (told.message_id, told.status) == ("t-1", State.EXECUTED)
    assert read_event("crossvm_response", PLAIN, names) is None


JSON = {
    "message_id": "crossvm-00000042",
    "source_vm": "cosmwasm",
    "target_vm": "evm",
    "target_contract": "0xAb",
    "sender": "wasm1x",
    "payload": "0xd09de08a",
    "status": "executed",
    "result": "0x2a",
    "submitted_height": 10,
    "executed_height": 11,
}


@pytest.mark.parametrize(
    "document",
    [
        JSON,
        {"message": JSON},
        {**JSON, "status": 2, "result": "2A", "submitted_height": "10", "funds": []},
        {
            "id": 42,
            **{key: value for key, value in JSON.items() if key not in ("message_id", "status")},
            "success": True,
        },
    ],
)
def test_a_message_in_json_is_read_leniently_and_written_exactly(document: Any) -> None:
    found = read_json(document)
    assert found is not None
    assert found.json() == JSON


def test_a_message_in_protobuf_has_its_status_as_a_word_or_a_number() -> None:
    text = StoredMessage("42", "wasm", "evm", "wasm1x", "", "0xAb", b"\xd0\x9d\xe0\x8a", (), "executed", 10, 11, b"*")
    number = NumberedMessage("42", "wasm", "evm", "wasm1x", "", "0xAb", b"\xd0\x9d\xe0\x8a", (), 2, 10, 11, b"*")
    for stored in (text, number):
        found = read_stored(stored)
        assert found is not None
        assert found.json() == JSON
    assert read_stored(StoredMessage()) is None


_ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@given(st.text(max_size=20), st.lists(st.tuples(_ANY, _ANY), max_size=8))
def test_whatever_an_event_says_is_read_or_refused(kind: str, pairs: list[tuple[Any, Any]]) -> None:
    for name in (kind, "crossvm_request", "crossvm_response"):
        try:
            told = read_event(name, [("message_id", "1"), *pairs])
        except UnreadableEvent:
            continue
        assert told is None or told.message_id


@given(st.recursive(_ANY, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=12), inner), max_leaves=9))
def test_whatever_json_says_is_read_or_nothing(document: Any) -> None:
    for said in (document, {"message_id": "1", "status": document, "executed_height": document}):
        found = read_json(said)
        assert found is None or 0 <= found.executed_height < 2**63
