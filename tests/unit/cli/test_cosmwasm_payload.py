"""Messages of CosmWasm contracts between text and JSON, checked against what cosmwasm-schema writes of a contract."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.request import Mode
from relayer.cli.asking import TypedCall
from relayer.cli.cosmwasm.payload import CosmWasmPayloadCodec
from relayer.cli.usage import WrongUsage
from relayer.errors import ConfigError

CW20 = Path(__file__).with_name("cw20.schema.json")
TARGET = InteroperableAddress(Chain(Namespace.COSMOS, b"xvm-cosmwasm-1"), b"\x7a" * 32)
ASKER = evm_account(31337, b"\x5e" * 20)


def codec(**fields: Any) -> CosmWasmPayloadCodec:
    return CosmWasmPayloadCodec(TypedCall(target=TARGET, asker=ASKER, **fields))


def encoded(mode: Mode = Mode.CALL, **fields: Any) -> Any:
    return json.loads(codec(**fields).encode(mode))


def faults(mode: Mode = Mode.CALL, **fields: Any) -> str:
    with pytest.raises(WrongUsage) as refused:
        codec(**fields).encode(mode)
    return str(refused.value)


def test_a_message_is_a_name_with_fields_that_are_json_or_text() -> None:
    fields = ("by=5", "memo=hello there", 'tags=["a",1]', 'amount="5"')
    message = {"increment": {"by": 5, "memo": "hello there", "tags": ["a", 1], "amount": "5"}}
    assert encoded(function="increment", arguments=fields) == message
    assert encoded(function="increment", arguments=('{"by":5}',)) == {"increment": {"by": 5}}
    assert encoded(function="increment") == {"increment": {}}


def test_data_are_a_message_as_it_is_and_numbers_of_any_size_stay() -> None:
    assert codec(data=b'{ "set": {"to": 340282366920938463463374607431768211456} }').encode(Mode.CALL) == (
        b'{"set":{"to":340282366920938463463374607431768211456}}'
    )
    assert "a message here is JSON" in faults(data=b"\xd0\x9d\xe0\x8a")
    assert "a message here is JSON" in faults(data=b"[" * 100_000)


def test_the_schema_says_which_fields_are_text() -> None:
    call = {"interface": CW20, "function": "transfer", "arguments": ("amount=5", "recipient=wasm1x")}
    assert encoded(**call) == {"transfer": {"amount": "5", "recipient": "wasm1x"}}
    allowance = ("amount=7", "spender=s", 'expires={"at_height":12}')
    assert encoded(interface=CW20, function="increase_allowance", arguments=allowance) == {
        "increase_allowance": {"amount": "7", "spender": "s", "expires": {"at_height": 12}}
    }
    marketing = ("description=12", "project=null")
    assert encoded(interface=CW20, function="update_marketing", arguments=marketing) == {
        "update_marketing": {"description": "12", "project": None}
    }


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (
            {"function": "transfre"},
            "'transfre' is none of its messages: transfer, increase_allowance, update_marketing",
        ),
        ({"function": "transfer", "arguments": ("amount=5",)}, "transfer: 'recipient' is a required property"),
        (
            {"function": "transfer", "arguments": ("amount=5", "recipient=w", "memo=m")},
            "transfer: Additional properties are not allowed ('memo' was unexpected)",
        ),
        ({"data": b'{"transfer":{"amount":5,"recipient":"w"}}'}, "transfer.amount: 5 is not of type 'string'"),
        ({"data": b'{"transfer":{},"burn":{}}'}, "'burn' was unexpected"),
        ({"function": "balance", "arguments": ("address=w",)}, "'balance' is none of its messages"),
    ],
)
def test_what_the_schema_does_not_know_is_named_before_it_is_asked(typed: dict[str, Any], fault: str) -> None:
    assert fault in faults(interface=CW20, **typed)


def test_a_query_is_held_against_the_queries() -> None:
    assert encoded(Mode.QUERY, interface=CW20, function="balance", arguments=("address=w",)) == {
        "balance": {"address": "w"}
    }
    assert encoded(Mode.QUERY, interface=CW20, function="version") == "version"
    assert "'transfer' is none of its messages" in faults(Mode.QUERY, interface=CW20, function="transfer")


def test_a_plain_json_schema_is_that_of_the_message(tmp_path: Path) -> None:
    plain = tmp_path / "execute.json"
    plain.write_text(json.dumps(json.loads(CW20.read_text("utf-8"))["execute"]), "utf-8")
    fields = ("amount=5", "recipient=w")
    assert encoded(interface=plain, function="transfer", arguments=fields)["transfer"]["amount"] == "5"
    object_schema = tmp_path / "object.json"
    object_schema.write_text('{"type":"object","required":["ping"]}', "utf-8")
    assert encoded(interface=object_schema, data=b'{"ping":{}}') == {"ping": {}}
    assert "'ping' is a required property" in faults(interface=object_schema, data=b'{"pong":{}}')


@pytest.mark.parametrize("text", ["", "[]", "{", '{"oneOf":5}', '{"contract_name":"a","execute":null}', "[" * 100_000])
def test_what_is_no_schema_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"schema\.json"):
        codec(interface=path, function="transfer").encode(Mode.CALL)


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd", "#/definitions/none", "#"]
)
def test_a_schema_has_nothing_fetched_for_it(tmp_path: Path, reference: str) -> None:
    """SECURITY: whoever made the file must not learn who reads it, nor have files read."""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"type": "object", "properties": {"a": {"$ref": reference}}}), "utf-8")
    if reference == "#":
        assert encoded(interface=path, data=b'{"a":{"a":{}}}')
    else:
        assert "names what is not in it" in faults(interface=path, data=b'{"a":{}}')


def _message_schema(field: Any, **more: Any) -> str:
    message = {"type": "object", "required": ["set"], "properties": {"set": {"properties": {"to": field}}}}
    return json.dumps({"oneOf": [{"required": ["unnamed"]}, message], **more})


@pytest.mark.parametrize("field", [True, {"anyOf": [True]}])
def test_a_field_may_be_anything(tmp_path: Path, field: Any) -> None:
    """So cosmwasm-schema writes a field that is any JSON."""
    path = tmp_path / "schema.json"
    path.write_text(_message_schema(field), "utf-8")
    assert encoded(interface=path, function="set", arguments=("to=[5]",)) == {"set": {"to": [5]}}


@pytest.mark.parametrize(
    ("field", "definitions"),
    [
        ({"$ref": "#/definitions/A"}, {"A": {"anyOf": [{"$ref": "#/definitions/A"}]}}),
        ({"$ref": "#/definitions/A"}, {"A": {"$ref": "#/definitions/A"}}),
        (
            {"$ref": "#/definitions/A"},
            {"A": {"not": {"$ref": "#/definitions/B"}}, "B": {"allOf": [{"$ref": "#/definitions/A"}]}},
        ),
        ({"if": {"$ref": "#/definitions/A"}}, {"A": {"dependencies": {"x": {"$ref": "#/definitions/A"}}}}),
    ],
)
def test_security_a_schema_that_goes_round_is_named(tmp_path: Path, field: Any, definitions: Mapping[str, Any]) -> None:
    """SECURITY: where a library has raised the bound of nested calls, following it ends the process."""
    path = tmp_path / "schema.json"
    path.write_text(_message_schema(field, definitions=definitions), "utf-8")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(ConfigError, match="that it is what it is: a definition names itself"):
            encoded(interface=path, function="set", arguments=("to=5",))
    finally:
        sys.setrecursionlimit(limit)


def test_a_schema_whose_values_nest_is_none_that_goes_round(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    tree = {"type": "object", "properties": {"inner": {"anyOf": [{"$ref": "#/definitions/A"}, {"type": "null"}]}}}
    path.write_text(_message_schema({"$ref": "#/definitions/A"}, definitions={"A": tree}), "utf-8")
    arguments = ('to={"inner":{"inner":null}}',)
    assert encoded(interface=path, function="set", arguments=arguments) == {"set": {"to": {"inner": {"inner": None}}}}


def test_contradictions_are_named() -> None:
    assert "either by --fn and --args, or by --data alone" in faults()
    assert "either by --fn and --args, or by --data alone" in faults(function="a", data=b"{}")
    assert "--accounts" in faults(function="a", accounts=("x:w",))
    assert "is no message's name" in faults(function="increment(uint256)")
    assert "write NAME=VALUE" in faults(function="increment", arguments=("5",))
    assert "by is there twice" in faults(function="increment", arguments=("by=5", "by=6"))


def test_results_are_shown_in_the_form_that_fits() -> None:
    call = codec(function="a")
    assert call.result_types == "any"
    assert call.decode_result("any", b'{"count":"5"}') == [{"count": "5"}]
    assert call.decode_result("any", b"moved 5") == ["moved 5"]
    assert call.decode_result("any", b"\x00\x01") == ["0x0001"]
    assert call.decode_result("any", b"") == ["0x"]
    assert call.decode_result("hex", b"{}") == ["0x7b7d"]
    assert call.decode_result("any", b"[" * 100_000) == ["[" * 100_000]
    with pytest.raises(ConfigError, match="the data is no json"):
        call.decode_result("json", b"moved 5")
    with pytest.raises(WrongUsage, match="none of any, json, text, hex"):
        call.check_result_types("uint256")


def test_failures_say_what_the_chain_tells_of_them() -> None:
    call = codec(function="a")
    assert call.explain_failure(b"codespace: sdk, code: 11").startswith("codespace: sdk, code: 11: out of gas")
    assert call.explain_failure(b"codespace: other, code: 4") == "codespace: other, code: 4"
    assert call.explain_failure(b"Overflow: 3 - 5: execute wasm contract failed") == "Overflow: 3 - 5"
    assert call.explain_failure(b"") == "the contract refused it; of a query nobody is told why"
