"""SECURITY: a message means one thing, or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attestation.textcodecs import bech32_encode
from tests.cosmwasm.contract.ledger import PAYEE, Ledger, Refused, b64, compact, hexed, request_json

ID = b'"0x' + b"00" * 32 + b'"'


def query_name(ledger: Ledger, message: bytes) -> str:
    """By what a query is refused; nothing if it is answered."""
    try:
        ledger.ask(ledger.gateway, message)
    except Refused as refused:
        return refused.name
    return ""


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (b'{"consumed":{"request_id":' + ID + b"}}", ""),
        (b' { "consumed" :\n{\t"request_id" :\r' + ID + b"} } ", ""),
        (b'{"c\\u006fnsumed":{"request_id":' + ID + b"}}", ""),
        (b'{"consumed":{"request_id":' + ID + b',"request_id":' + ID + b"}}", "DuplicateField"),
        (b'{"consumed":{"request_id":' + ID + b',"request_\\u0069d":' + ID + b"}}", "DuplicateField"),
        (b'{"consumed":{"request_id":' + ID + b',"more":1}}', "UnknownField"),
        (b'{"consumed":{}}', "MissingField"),
        (b'{"consumed":{"request_id":null}}', "MissingField"),
        (b'{"consumed":{"request_id":0}}', "MalformedField"),
        (b'{"consumed":{"request_id":"0x00"}}', "MalformedField"),
        (b'{"consumed":{"request_id":"0x' + b"0A" * 32 + b'"}}', "MalformedField"),
        (b'{"consumed":{"request_id":"' + b"00" * 32 + b'"}}', "MalformedField"),
        (b'{"consumed":[]}', "MalformedField"),
        (b'{"consumed":{"request_id":' + ID + b'},"config":{}}', "NotOneMessage"),
        (b"{}", "NotOneMessage"),
        (b"[]", "MalformedField"),
        (b'"consumed"', "MalformedField"),
        (b"", "MalformedJson"),
        (b"{", "MalformedJson"),
        (b'{"consumed":{"request_id":' + ID + b"}} x", "MalformedJson"),
        (b'{"consumed":{"request_id":' + ID + b",}}", "MalformedJson"),
        (b"{'consumed':{}}", "MalformedJson"),
        (b'{"consumed":{"request_id":nul}}', "MalformedJson"),
        (b'{"consumed":{"request_id":01}}', "MalformedJson"),
        (b'{"consumed":{"request_id":1.0}}', "MalformedJson"),
        (b'{"consumed":{"request_id":1e3}}', "MalformedJson"),
        (b'{"consumed":{"request_id":-1}}', "MalformedJson"),
        (b'{"consumed":{"request_id":9007199254740993}}', "NumberTooLarge"),
        (b'{"consumed":{"request_id":99999999999999999999999999}}', "NumberTooLarge"),
        (b'{"consumed":{"request_id":"\x01"}}', "MalformedJson"),
        (b'{"consumed":{"request_id":"\\x41"}}', "MalformedJson"),
        (b'{"consumed":{"request_id":"\\ud800"}}', "MalformedJson"),
        (b'{"consumed":{"request_id":"\\udc00\\ud800"}}', "MalformedJson"),
        (b'{"consumed":{"request_id":"\xff"}}', "NotUtf8"),
        (b'{"consumed":{"request_id":"\xed\xa0\x80"}}', "NotUtf8"),
        (b'{"consumed":' + b"[" * 15 + b"]" * 15 + b"}", "MalformedField"),
        (b'{"consumed":' + b"[" * 16 + b"]" * 16 + b"}", "TooDeep"),
        (b"[" * 100_000, "TooDeep"),
        (b"{" + b",".join(b'"%d":1' % number for number in range(65)) + b"}", "TooManyFields"),
        (b'{"unheard_of":{}}', "UnknownQuery"),
    ],
    ids=lambda value: value[:60].decode(errors="replace") if isinstance(value, bytes) else value,
)
def test_a_query_is_one_json_object_read_to_its_last_field(ledger: Ledger, message: bytes, name: str) -> None:
    """SECURITY: readers that disagree about a message could be made to sign what another does."""
    assert query_name(ledger, message) == name


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("nonce", 0, "MalformedField: nonce"),
        ("nonce", "00", "MalformedField: nonce"),
        ("nonce", "+1", "MalformedField: nonce"),
        ("nonce", "-1", "MalformedField: nonce"),
        ("nonce", " 1", "MalformedField: nonce"),
        ("nonce", "", "MalformedField: nonce"),
        ("nonce", "18446744073709551616", "MalformedField: nonce"),
        ("nonce", "340282366920938463463374607431768211456", "MalformedField: nonce"),
        ("mode", 256, "MalformedField: mode"),
        ("mode", "0", "MalformedField: mode"),
        ("return_limit", 1 << 32, "MalformedField: return_limit"),
        ("own_account", 1, "MalformedField: own_account"),
        ("payload", "aGk", "MalformedField: payload"),
        ("payload", "aGl=", "MalformedField: payload"),
        ("payload", "a-k=", "MalformedField: payload"),
        ("target", "0xABCD", "MalformedField: target"),
        ("target", "0xabc", "MalformedField: target"),
        ("target", "abcd", "MalformedField: target"),
        ("code_hash", "0x00", "MalformedField: code_hash"),
        ("payload_hash", hexed(bytes(32)), "UnknownField: payload_hash"),
        ("memo", "hi", "UnknownField: memo"),
    ],
)
def test_a_request_s_fields_have_one_text_each(ledger: Ledger, field: str, value: Any, name: str) -> None:
    """SECURITY: whatever is read as a request is the request whose id was signed."""
    asked = ledger.request()
    batch = ledger.batch([asked])
    batch["items"][0]["request"][field] = value
    with pytest.raises(Refused, match=name):
        ledger.act(ledger.relayer, "execute", {"batches": [batch], "payee": hexed(PAYEE)})


def test_a_payload_comes_whole_to_execute_and_by_hash_to_expire(ledger: Ledger) -> None:
    asked = ledger.request()
    body = {"batches": [ledger.batch([asked], by_hash=True)], "payee": hexed(PAYEE)}
    with pytest.raises(Refused, match="MissingField: payload"):
        ledger.act(ledger.relayer, "execute", body)
    body = {"batches": [ledger.batch([asked])], "payee": hexed(PAYEE)}
    with pytest.raises(Refused, match="MissingField: payload_hash"):
        ledger.act(ledger.relayer, "expire", body)
    with pytest.raises(Refused, match="MissingField: payload_hash"):
        ledger.act(ledger.asker, "show_lapsed", {"requests": [request_json(asked)]})


@pytest.mark.parametrize("office", ["owner", "guardian", "treasury"])
def test_offices_are_accounts_of_this_chain_in_their_normal_form(office: str) -> None:
    """SECURITY: an account of another chain, or with another text, would never be a sender here."""
    ledger = Ledger()
    address = ledger.keeper.addresses.parse(ledger.owner)
    for text in (bech32_encode("osmo", address), ledger.owner.upper(), ledger.owner[:-1], "", hexed(address)):
        with pytest.raises(Refused, match="InvalidAddress"):
            ledger.instantiate(b"another", **{office: text})


def test_messages_bring_no_money_but_where_they_pay(ledger: Ledger) -> None:
    """SECURITY: coins that nobody counts would be lost."""
    asked = ledger.request()
    body = {"batches": [ledger.batch([asked])], "payee": hexed(PAYEE)}
    with pytest.raises(Refused):
        ledger.act(ledger.relayer, "execute", body, funds=1)
    assert ledger.consumed(asked) == bytes(32)


def test_a_payload_of_the_greatest_length_is_executed(ledger: Ledger) -> None:
    call = compact({"answer": {"data": b64(bytes(49_100))}})
    assert 65_400 < len(call) <= 65_536
    sent = ledger.run(ledger.request(0, call=call, execution_gas_limit=5_000_000))
    assert sent.event("XVMCallConcluded")["kind"] == "0"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(
        ["execute", "expire", "show_lapsed", "rotate", "install", "xvm_execute", "deliver", "migrate"]
    ),
    value=json_values,
)
def test_whatever_is_sent_is_refused_by_a_name(ledger: Ledger, name: str, value: Any) -> None:
    """SECURITY: no message makes the gateway panic."""
    with pytest.raises(Refused) as refused:
        ledger.act(ledger.asker, name, value)
    assert "aborted" not in refused.value.log.lower()
    assert "unreachable" not in refused.value.log.lower()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_whatever_bytes_are_asked_are_refused_by_a_name(ledger: Ledger, message: bytes) -> None:
    """SECURITY: no bytes make the gateway panic."""
    assert query_name(ledger, message)[:1].isupper()
