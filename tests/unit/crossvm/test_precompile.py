"""Call data of the precompile, in its forms."""

from __future__ import annotations

from contextlib import suppress

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from relayer.crossvm.precompile import Form, MalformedCall, PrecompileCall, encode_call, parse_call

ALL = (Form.CALL, Form.EXECUTE, Form.PLAIN, Form.BARE)


def test_the_documented_form_is_the_selector_and_the_packed_call_as_bytes() -> None:
    packed = encode(["string", "string", "uint256"], ["wasm1x", '{"go":{}}', 7])
    data = encode_call(PrecompileCall("wasm1x", b'{"go":{}}', 7))
    assert data == bytes.fromhex("5a6535fc") + encode(["bytes"], [packed])
    assert parse_call(data) == PrecompileCall("wasm1x", b'{"go":{}}', 7)


@pytest.mark.parametrize("form", list(Form))
def test_each_form_is_read_where_it_is_named_and_nowhere_else(form: Form) -> None:
    call = PrecompileCall("wasm1x", b'{"go":{}}')
    data = encode_call(call, form)
    assert parse_call(data, ALL) == call
    if form is not Form.CALL:
        with pytest.raises(MalformedCall):
            parse_call(data)


@pytest.mark.parametrize("form", [Form.EXECUTE, Form.PLAIN])
def test_forms_without_coins_take_none(form: Form) -> None:
    with pytest.raises(ValueError, match="takes no coins"):
        encode_call(PrecompileCall("wasm1x", b"{}", 1), form)


def test_another_vms_number_is_refused() -> None:
    data = Form.EXECUTE.selector + encode(["uint8", "string", "bytes"], [2, "x", b"{}"])
    with pytest.raises(MalformedCall):
        parse_call(data, (Form.EXECUTE,))


@given(st.binary(max_size=300), st.sampled_from(list(Form)))
def test_security_whatever_stands_there_is_a_call_or_refused(data: bytes, form: Form) -> None:
    """SECURITY: call data is anybody's."""
    with suppress(MalformedCall):
        parse_call(form.selector + data, ALL)
