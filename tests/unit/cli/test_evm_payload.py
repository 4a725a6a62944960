"""Calls and results of EVM contracts between text and bytes. The ABI library and Solidity are the oracles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import parse_account_text
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.cli.asking import TypedCall
from relayer.cli.evm.payload import EvmPayloadCodec
from relayer.errors import ConfigError

ASKER = parse_account_text("eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8")


def typed_call(**fields: Any) -> TypedCall:
    return TypedCall(target=ASKER, asker=ASKER, **fields)


CODEC = EvmPayloadCodec(typed_call(data=b""))
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

SCALARS = (
    st.tuples(st.just("uint256"), st.integers(0, 2**256 - 1))
    | st.tuples(st.just("int64"), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.just("bool"), st.booleans())
    | st.tuples(st.just("string"), st.text(st.characters(codec="utf-8"), max_size=40))
    | st.tuples(st.just("bytes"), st.binary(max_size=70))
    | st.tuples(st.just("bytes4"), st.binary(min_size=4, max_size=4))
    | st.tuples(st.just("address"), st.binary(min_size=20, max_size=20).map(lambda data: f"0x{data.hex()}"))
)


def arrays(inner: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    tuples = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: (f"({','.join(kind for kind, _ in items)})", tuple(value for _, value in items))
    )
    return (
        tuples
        | inner.map(lambda item: (f"{item[0]}[]", [item[1], item[1]]))
        | inner.map(lambda item: (f"{item[0]}[1]", [item[1]]))
    )


VALUES = st.recursive(SCALARS, arrays, max_leaves=6)


def encode_call(function: str, arguments: Sequence[str]) -> bytes:
    return EvmPayloadCodec(typed_call(function=function, arguments=tuple(arguments))).encode(Mode.CALL)


def selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]


@given(st.lists(VALUES, max_size=4))
def test_what_a_result_shows_can_be_typed_as_arguments(items: list[tuple[str, Any]]) -> None:
    types = [kind for kind, _ in items]
    data = encode(types, [value for _, value in items])
    shown = CODEC.decode_result(f"({','.join(types)})", data)
    typed = [item if isinstance(item, str) else json.dumps(item) for item in json.loads(json.dumps(shown))]
    signature = f"f({','.join(types)})"
    assert encode_call(signature, typed) == selector(signature) + data


def test_a_call_is_selector_and_arguments() -> None:
    call = encode_call("transfer(address,uint256)", [ADDRESS, "5"])
    assert call.hex() == f"a9059cbb{'0' * 24}{ADDRESS[2:].lower()}{5:064x}"
    assert encode_call("count()", []) == selector("count()")


def test_shortened_types_and_spaces_mean_the_same() -> None:
    assert encode_call("f( uint, (int,bytes)[] )", ["1", '[[-2,"0x03"]]']) == encode_call(
        "f(uint256,(int256,bytes)[])", ["1", '[[-2,"0x03"]]']
    )


@pytest.mark.parametrize("text", ["255", "0xff"])
def test_integers_are_decimal_or_hex(text: str) -> None:
    assert encode_call("f(uint8)", [text])[-1] == 255


@pytest.mark.parametrize(
    ("types", "values", "words"),
    [
        ("uint8", ["256"], "--args: number 1, uint8: "),
        ("uint8", ["x"], "number 1, uint8: "),
        ("uint256", ["1.5"], "number 1, uint256: "),
        ("bool", ["maybe"], "neither true nor false"),
        ("address", ["0x70997970c51812dc3A010C7d01b50e0d17dc79C8"], "fails its EIP-55 checksum"),
        ("address", ["0x12"], "number 1, address: "),
        ("bytes", ["12"], "no hex that begins with 0x"),
        ("bytes4", ["0x123456"], "3 bytes, not 4"),
        ("uint8[]", ["1,2"], "write it as JSON"),
        ("uint8[2]", ["[1]"], "number 1, uint8[2]: "),
        ("uint8[]", ["[true]"], "True is no integer"),
        ("(uint8,bool)", ["[1]"], "no JSON array of 2 values"),
        ("uint8,uint8", ["300", "x"], "number 2, uint8: "),
        ("uint8", [], "takes 1 arguments, not 0"),
        ("fixed128x18", ["1"], "give the whole call as --data"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(types: str, values: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        encode_call(f"f({types})", values)
    assert words in str(caught.value)


@pytest.mark.parametrize("function", ["increment", "f(uint257)", "f(uint8", "(uint8)", "f(uint8)(bool)", "f(foo)"])
def test_what_is_no_signature_is_refused(function: str) -> None:
    with pytest.raises(ConfigError, match="--fn: "):
        encode_call(function, [])


@pytest.mark.parametrize("types", ["uint256,bool", "(uint256,bool)", "( uint256, bool )"])
def test_types_of_a_result_may_stand_in_brackets(types: str) -> None:
    assert CODEC.decode_result(types, encode(["uint256", "bool"], [2**200, True])) == [str(2**200), True]


def test_one_tuple_is_one_value_if_two_brackets_say_so() -> None:
    data = encode(["(uint8,bool)"], [(1, True)])
    assert CODEC.decode_result("((uint8,bool))", data) == [["1", True]]
    assert CODEC.decode_result("(uint8,bool)[]", encode(["(uint8,bool)[]"], [[(1, True)]])) == [[["1", True]]]


def test_data_that_is_not_of_these_types_is_refused() -> None:
    with pytest.raises(ConfigError, match="--returns: the data is none of uint256"):
        CODEC.decode_result("uint256", b"\x01")
    with pytest.raises(ConfigError, match="--returns: 'nonsense' is no list of ABI types"):
        CODEC.decode_result("nonsense", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no reason given, or out of gas"),
        (selector("Error(string)") + encode(["string"], ["too late"]), "too late"),
        (selector("Panic(uint256)") + encode(["uint256"], [0x11]), "Panic 0x11: an arithmetic overflow"),
        (selector("Panic(uint256)") + encode(["uint256"], [0x99]), "Panic 0x99: see the Solidity manual"),
        (
            selector("InsufficientFee(uint256,uint256)") + encode(["uint256"] * 2, [7, 5]),
            "InsufficientFee (required 7, paid 5)",
        ),
        (selector("EmptyBatch()"), "EmptyBatch"),
        (
            selector("ExpiryOutOfBounds(uint256,uint256,uint256)") + encode(["uint256"] * 3, [5, 7, 9]),
            "ExpiryOutOfBounds (expiry 5, earliest 7, latest 9): these are Unix seconds; choose another --expires-in",
        ),
        (selector("Error(string)") + b"\x01", f"0x{selector('Error(string)').hex()}01"),
        (b"\xde\xad\xbe\xef\x01", "0xdeadbeef01"),
        (b"\x01", "0x01"),
    ],
)
def test_a_failure_is_explained_as_far_as_it_is_known(data: bytes, words: str) -> None:
    assert CODEC.explain_failure(data) == words


def test_data_is_the_call_as_it_is() -> None:
    assert EvmPayloadCodec(typed_call(data=b"\1\2")).encode(Mode.CALL) == b"\1\2"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (typed_call(), "name the call either by --fn"),
        (typed_call(data=b"", arguments=("1",)), "name the call either by --fn"),
        (typed_call(data=b"", accounts=(ADDRESS,)), "--accounts: "),
        (typed_call(function="count()", interface=Path("x")), "--idl: "),
    ],
)
def test_what_no_call_is_made_of_is_refused(call: TypedCall, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EvmPayloadCodec(call)
