"""Only what the gateway tells itself, in a transaction that succeeded, is an event."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from attestation.textcodecs import base58_encode
from relayer.errors import RpcUnavailable
from relayer.vms.svm.mentions import Mention
from relayer.vms.svm.self_calls import EVENT_TAG, MAX_EVENT_LENGTH, parse_self_calls
from relayer.vms.svm.values import format_signature

GATEWAY = Pubkey(b"\x61" * 32)
OTHER = Pubkey(b"\x62" * 32)
WALLET = Pubkey(b"\x63" * 32)
MENTION = Mention(7, b"\x51" * 64)

# Places in the list of keys; OTHER and GATEWAY come out of lookup tables in some tests.
WALLET_AT, GATEWAY_AT, OTHER_AT = range(3)


def told(text: bytes) -> bytes:
    return EVENT_TAG + text


def calling(program: int, data: bytes = b"", height: int | None = None) -> dict[str, Any]:
    return {"programIdIndex": program, "accounts": [0], "data": base58_encode(data), "stackHeight": height}


def transaction(*outer: tuple[dict[str, Any], list[dict[str, Any]]], **meta: Any) -> dict[str, Any]:
    """Instructions, each with those that it led to."""
    groups = [{"index": index, "instructions": inner} for index, (_, inner) in enumerate(outer) if inner]
    return {
        "slot": MENTION.slot,
        "blockTime": 1_800_000_000,
        "transaction": {
            "signatures": [format_signature(MENTION.signature)],
            "message": {
                "accountKeys": [str(WALLET), str(GATEWAY), str(OTHER)],
                "instructions": [own for own, _ in outer],
            },
        },
        "meta": {"err": None, "innerInstructions": groups, "logMessages": [], **meta},
    }


HONEST = transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, told(b"one"), 2)]))


def events_of(answer: Any) -> list[bytes] | None:
    return parse_self_calls(answer, MENTION, GATEWAY)


def test_what_the_gateway_tells_itself_is_told_in_order() -> None:
    answer = transaction(
        (calling(GATEWAY_AT), [calling(GATEWAY_AT, told(b"one"), 2), calling(GATEWAY_AT, told(b"two"), 2)]),
        (calling(OTHER_AT), []),
        (
            calling(OTHER_AT),
            [
                calling(GATEWAY_AT, b"an instruction of the gateway's", 2),
                calling(WALLET_AT, b"what it calls", 3),
                calling(GATEWAY_AT, told(b"three"), 3),
                calling(GATEWAY_AT, b"another", 2),
                calling(GATEWAY_AT, told(b"four"), 3),
            ],
        ),
    )
    assert events_of(answer) == [b"one", b"two", b"three", b"four"]


def test_a_transaction_without_events_has_none() -> None:
    assert events_of(transaction((calling(GATEWAY_AT), []))) == []


def test_a_transaction_that_is_not_there_yet_is_none() -> None:
    assert events_of(None) is None


def test_security_an_instruction_of_the_transaction_itself_is_no_event() -> None:
    """SECURITY: anybody can send the gateway an instruction that looks like an event."""
    assert events_of(transaction((calling(GATEWAY_AT, told(b"forged")), []))) == []


def test_security_what_another_program_tells_the_gateway_is_no_event() -> None:
    """SECURITY: a program could tell of requests that nobody paid for."""
    assert events_of(transaction((calling(OTHER_AT), [calling(GATEWAY_AT, told(b"forged"), 2)]))) == []
    deeper = [calling(GATEWAY_AT, b"", 2), calling(OTHER_AT, b"", 3), calling(GATEWAY_AT, told(b"forged"), 4)]
    assert events_of(transaction((calling(GATEWAY_AT), deeper))) == []


def test_security_what_is_told_to_another_program_is_no_event() -> None:
    """SECURITY: every Anchor program has the same tag."""
    assert events_of(transaction((calling(OTHER_AT), [calling(OTHER_AT, told(b"forged"), 2)]))) == []
    assert events_of(transaction((calling(GATEWAY_AT), [calling(OTHER_AT, told(b"forged"), 2)]))) == []


def test_security_a_transaction_that_failed_tells_nothing() -> None:
    """SECURITY: what it did never happened."""
    failed = deepcopy(HONEST)
    failed["meta"]["err"] = {"InstructionError": [0, "InvalidAccountData"]}
    with pytest.raises(RpcUnavailable):
        events_of(failed)


def test_security_logs_are_no_events() -> None:
    """SECURITY: anybody can log anything."""
    logs = [f"Program {GATEWAY} invoke [1]", "Program data: 5EWlLlHLmh0=", f"Program {GATEWAY} success"]
    assert events_of(transaction((calling(GATEWAY_AT), []), logMessages=logs)) == []


def test_a_gateway_out_of_a_lookup_table_is_the_gateway() -> None:
    answer = deepcopy(HONEST)
    answer["transaction"]["message"]["accountKeys"] = [str(WALLET)]
    answer["meta"]["loadedAddresses"] = {"writable": [str(GATEWAY)], "readonly": [str(OTHER)]}
    assert events_of(answer) == [b"one"]


def test_security_another_program_out_of_a_lookup_table_is_not_the_gateway() -> None:
    """SECURITY: counted otherwise than the runtime counts, a hostile program's words would be the gateway's."""
    answer = deepcopy(HONEST)
    answer["transaction"]["message"]["accountKeys"] = [str(WALLET)]
    for writable, readonly in ([[OTHER], [GATEWAY]], [[], [OTHER, GATEWAY]], [[OTHER, GATEWAY], []]):
        answer["meta"]["loadedAddresses"] = {"writable": list(map(str, writable)), "readonly": list(map(str, readonly))}
        assert events_of(answer) == []


def test_a_call_without_the_tag_is_no_event() -> None:
    assert events_of(transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, EVENT_TAG[:7], 2)]))) == []


def test_the_longest_event_is_read_and_what_is_longer_is_no_answer() -> None:
    longest = told(b"\xff" * (MAX_EVENT_LENGTH - len(EVENT_TAG)))
    assert events_of(transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, longest, 2)]))) == [longest[8:]]
    with pytest.raises(RpcUnavailable):
        events_of(transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, longest * 2, 2)])))


def test_security_a_transaction_of_more_calls_than_there_can_be_is_no_answer() -> None:
    """SECURITY: each takes milliseconds, and an endpoint makes up as many as it likes."""
    called = [calling(GATEWAY_AT, told(b"one"), 2)] * 128
    assert events_of(transaction((calling(GATEWAY_AT), called), (calling(GATEWAY_AT), called))) == [b"one"] * 256
    with pytest.raises(RpcUnavailable):
        events_of(transaction((calling(GATEWAY_AT), called), (calling(GATEWAY_AT), called * 2)))


@pytest.mark.parametrize("height", [None, 0, 1, 3, "2", 2.0, True])
def test_security_who_called_is_known_or_nothing_is_believed(height: Any) -> None:
    """SECURITY: without its caller a call to the gateway could be anybody's."""
    with pytest.raises(RpcUnavailable):
        events_of(transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, told(b"one"), height)])))


def spoil(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    answer = deepcopy(HONEST)
    place: Any = answer
    for step in path[:-1]:
        place = place[step]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return answer


GROUPS = ("meta", "innerInstructions")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("slot",), 8),
        (("slot",), KeyError),
        (("transaction", "signatures"), []),
        (("transaction", "signatures", 0), format_signature(b"\x52" * 64)),
        (("transaction", "message", "accountKeys"), None),
        (("transaction", "message", "accountKeys"), [str(WALLET)]),
        (("transaction", "message", "instructions"), []),
        (("transaction", "message", "instructions", 0), "no instruction"),
        (("transaction", "message", "instructions", 0, "programIdIndex"), 9),
        (("meta",), None),
        (("meta", "err"), KeyError),
        (("meta", "loadedAddresses"), {"writable": []}),
        (GROUPS, None),
        (GROUPS, [None]),
        ((*GROUPS, 0, "index"), 1),
        ((*GROUPS, 0, "index"), -1),
        ((*GROUPS, 0, "instructions"), None),
        ((*GROUPS, 0, "instructions", 0), None),
        ((*GROUPS, 0, "instructions", 0, "programIdIndex"), -1),
        ((*GROUPS, 0, "instructions", 0, "programIdIndex"), "1"),
        ((*GROUPS, 0, "instructions", 0, "data"), None),
        ((*GROUPS, 0, "instructions", 0, "data"), "0OIl"),
    ],
)
def test_a_malformed_transaction_is_no_answer(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(RpcUnavailable):
        events_of(spoil(path, value))


def test_groups_come_once_and_in_order() -> None:
    answer = transaction((calling(GATEWAY_AT), [calling(GATEWAY_AT, told(b"one"), 2)]), (calling(OTHER_AT), []))
    (group,) = answer["meta"]["innerInstructions"]
    answer["meta"]["innerInstructions"] = [group, group]
    with pytest.raises(RpcUnavailable):
        events_of(answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(HONEST)), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_whatever_is_answered_is_parsed_or_refused(value: Any) -> None:
    if value is None:
        return
    with pytest.raises(RpcUnavailable):
        events_of(value)
