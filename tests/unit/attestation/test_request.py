from dataclasses import replace
from typing import Any

import pytest

from attestation.address import Chain, evm_account
from attestation.errors import MalformedAddress, MalformedRequest
from attestation.keccak import keccak256
from attestation.request import (
    MAXIMUM_METADATA_LENGTH,
    MAXIMUM_PAYLOAD_LENGTH,
    Mode,
    RequestId,
    encode_request_struct,
    format_request_id,
    parse_request_id,
    request_id,
    route_of,
    struct_hash_of_request,
    validate_request,
)
from tests.vectors.examples import DESTINATION_GATEWAY, SOURCE_GATEWAY
from tests.vectors.message_vectors import example_requests

CALL = example_requests()["simple call"]
QUERY = example_requests()["query"]

WIDTHS = {
    "nonce": 64,
    "execution_gas_limit": 64,
    "callback_gas_limit": 64,
    "return_limit": 32,
    "expiry": 64,
    "ordered_after": 256,
    "origin": 256,
    "dispute_blocks": 32,
}


@pytest.mark.parametrize(("field", "bits"), WIDTHS.items())
def test_numbers_fit_their_widths(field: str, bits: int) -> None:
    for value in (0, 2**bits - 1):
        assert getattr(replace(CALL, **{field: value}), field) == value
    for value in (-1, 2**bits):
        with pytest.raises(MalformedRequest) as caught:
            replace(CALL, **{field: value})
        assert caught.value.field == field
        assert caught.value.reason == f"is not a uint{bits}"


@pytest.mark.parametrize("mode", [-1, 2, 255])
def test_a_mode_that_does_not_exist_is_refused(mode: Any) -> None:
    with pytest.raises(MalformedRequest) as caught:
        replace(CALL, mode=mode)
    assert caught.value.field == "mode"
    assert caught.value.reason == f"{mode} is unknown"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_security_a_code_hash_is_a_word(length: int) -> None:
    """SECURITY: packing would pad or cut it, and two requests would share an id."""
    with pytest.raises(MalformedRequest) as caught:
        replace(CALL, code_hash=bytes(length))
    assert caught.value.field == "code_hash"
    assert caught.value.reason == f"is {length} bytes long, not 32"


CHANGES: dict[str, Any] = {
    "source_gateway": b"\x01",
    "sender": b"\x01",
    "destination_gateway": b"\x01",
    "target": b"\x01",
    "nonce": 7,
    "mode": Mode.QUERY,
    "own_account": True,
    "payload": b"\x01",
    "execution_gas_limit": 7,
    "callback_gas_limit": 7,
    "return_limit": 7,
    "expiry": 7,
    "ordered_after": 7,
    "origin": 7,
    "code_hash": b"\x07" * 32,
    "dispute_blocks": 7,
    "metadata": b"\x01",
}


def test_the_id_commits_to_every_field() -> None:
    assert list(CHANGES) == list(CALL.__dataclass_fields__)
    changed = {request_id(replace(CALL, **{field: value})) for field, value in CHANGES.items()}
    assert len(changed | {request_id(CALL)}) == len(CHANGES) + 1


def test_the_id_is_the_hash_of_eighteen_words() -> None:
    assert len(encode_request_struct(CALL)) == 18 * 32
    assert request_id(CALL) == struct_hash_of_request(CALL) == keccak256(encode_request_struct(CALL))


def test_the_route_of_a_call_joins_the_gateways() -> None:
    assert route_of(CALL) == SOURCE_GATEWAY + DESTINATION_GATEWAY


def test_the_route_of_a_query_ends_in_the_targets_chain() -> None:
    assert route_of(QUERY) == SOURCE_GATEWAY + Chain.evm(31338).to_bytes()


def test_the_route_of_a_query_needs_a_target() -> None:
    with pytest.raises(MalformedAddress):
        route_of(replace(QUERY, target=b""))


def test_references_are_ids_or_nothing() -> None:
    assert CALL.predecessor is None
    assert replace(CALL, ordered_after=1).predecessor is None
    assert replace(CALL, ordered_after=2).predecessor == RequestId((2).to_bytes(32, "big"))
    assert CALL.first_attempt is None
    assert replace(CALL, origin=1).first_attempt == RequestId((1).to_bytes(32, "big"))


def test_ids_have_one_text() -> None:
    identifier = request_id(CALL)
    assert format_request_id(identifier) == "0x" + identifier.hex()
    assert parse_request_id(format_request_id(identifier)) == identifier
    assert parse_request_id("0x" + identifier.hex().upper()) == identifier


@pytest.mark.parametrize(
    "text",
    ["", "0x", "ab" * 32, "0x" + "ab" * 31, "0x" + "ab" * 33, "0X" + "ab" * 32, "0x" + "a " * 32, "0x" + "g" * 64],
)
def test_other_text_is_no_id(text: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_request_id(text)
    assert caught.value.field == "request_id"
    assert caught.value.reason == "is not 0x and 64 hex digits"


def test_what_a_gateway_emits_is_valid() -> None:
    validate_request(CALL)
    validate_request(QUERY)
    validate_request(replace(CALL, payload=bytes(MAXIMUM_PAYLOAD_LENGTH), metadata=bytes(MAXIMUM_METADATA_LENGTH)))


OTHER_CHAIN = evm_account(5, bytes(20)).to_bytes()
CHAIN_ALONE = Chain.evm(31337).to_bytes()


@pytest.mark.parametrize(
    ("field", "request_", "changes"),
    [
        ("source_gateway", CALL, {"source_gateway": b""}),
        ("source_gateway", CALL, {"source_gateway": CHAIN_ALONE}),
        ("sender", CALL, {"sender": CHAIN_ALONE}),
        ("sender", CALL, {"sender": OTHER_CHAIN}),
        ("sender", QUERY, {"sender": OTHER_CHAIN}),
        ("target", CALL, {"target": b"\x00"}),
        ("target", CALL, {"target": OTHER_CHAIN}),
        ("target", QUERY, {"target": CHAIN_ALONE}),
        ("destination_gateway", CALL, {"destination_gateway": b""}),
        ("destination_gateway", CALL, {"destination_gateway": CHAIN_ALONE}),
        ("destination_gateway", QUERY, {"destination_gateway": DESTINATION_GATEWAY}),
        ("expiry", QUERY, {"expiry": 1}),
        ("payload", CALL, {"payload": bytes(MAXIMUM_PAYLOAD_LENGTH + 1)}),
        ("metadata", CALL, {"metadata": bytes(MAXIMUM_METADATA_LENGTH + 1)}),
    ],
)
def test_a_request_that_can_never_end_is_named(field: str, request_: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequest) as caught:
        validate_request(replace(request_, **changes))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} ")
    assert "None" not in str(caught.value)


def test_the_bounds_are_the_protocols() -> None:
    assert (MAXIMUM_PAYLOAD_LENGTH, MAXIMUM_METADATA_LENGTH) == (65_536, 256)
    assert list(Mode) == [0, 1]
