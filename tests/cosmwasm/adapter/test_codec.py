"""The gateway's events become observations, and what is not exactly an event of ours becomes nothing."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.json_object import hex_text
from attestation.keccak import keccak256
from attestation.request import Request, request_id, route_of
from attestation.signer_set import MAXIMUM_SIGNER_COUNT, Signer, SignerSet
from attestation.statement import OutcomeKind
from relayer.domain.blocks import Location
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    CallRequested,
    CancelSettled,
    EpochApplied,
    FeeAdded,
    RequestCancelled,
)
from tests.cosmwasm.adapter.comet_chain import COSMOS, GATEWAY, text_of
from tests.cosmwasm.adapter.gateway_events import (
    REMOTE_GATEWAY,
    SOURCE_GATEWAY,
    STAMP,
    TX_HASH,
    applied_fields,
    base64_text,
    decode,
    kinds,
    make_codec,
    outbound_request,
    outbound_requests,
    request_json,
    requested_fields,
    set_json,
    signer_sets,
    uint64s,
    words,
)

HERE = Location(STAMP.ref, 3, 0, TX_HASH)
ID = b"\x1d" * 32


def concluded_fields(
    identifier: bytes, gateway: bytes, kind: int, return_data: bytes, payee: bytes, *, cut: bool
) -> dict[str, str]:
    return {
        "request_id": hex_text(identifier),
        "source_gateway_hash": hex_text(keccak256(gateway)),
        "source_gateway": hex_text(gateway),
        "kind": str(kind),
        "cut": "true" if cut else "false",
        "return_data": base64_text(return_data),
        "payee": hex_text(payee),
    }


def every_event() -> dict[str, dict[str, str]]:
    """One well-formed event of each kind that is watched."""
    identifier, word = hex_text(ID), hex_text(b"\x0c" * 32)
    signer_set = SignerSet(1, 2, 3, 4, (Signer(b"\x0a" * 20, 1, b"\x0b" * 32),))
    ran = {"request_id": identifier, "kind": "0", "success": "true", "deliverer": text_of(b"\x01" * 20)}
    return {
        "XVMCallRequested": requested_fields(outbound_request()),
        "XVMFeeAdded": {"request_id": identifier, "amount": "1", "fee": "2"},
        "XVMCallConcluded": concluded_fields(ID, REMOTE_GATEWAY, 0, b"yes", b"\xfe" * 32, cut=False),
        "XVMCallbackDelivered": ran | {"return_data_hash": word},
        "XVMHandlerFailed": ran | {"outcome_hash": word},
        "XVMCancelled": {"request_id": identifier, "returned": "9"},
        "XVMCancelledConcluded": {"request_id": identifier, "kind": "2", "deliverer": text_of(b"\x01" * 20)},
        "XVMReclaimed": {"request_id": identifier, "returned": "9"},
        "XVMEpochApplied": applied_fields(signer_set),
    }


READ_ALOUD = {"deliverer"}
"""Attributes that are for people alone."""


@given(outbound_requests, st.integers(0, 2**128 - 1), uint64s)
def test_a_request_is_observed_with_what_its_id_commits_to(request: Request, fee: int, deadline: int) -> None:
    fields = requested_fields(request, fee, deadline)
    expected = CallRequested(request_id(request), request, route_of(request), fee, deadline, HERE)
    assert decode(("XVMCallRequested", fields)) == (expected,)


@given(
    identifier=words,
    gateway=st.binary(max_size=90),
    kind=kinds,
    return_data=st.binary(max_size=1_024),
    payee=words,
    cut=st.booleans(),
)
def test_a_receipt_is_observed(
    *, identifier: bytes, gateway: bytes, kind: int, return_data: bytes, payee: bytes, cut: bool
) -> None:
    fields = concluded_fields(identifier, gateway, kind, return_data, payee, cut=cut)
    expected = CallConcluded(identifier, gateway, OutcomeKind(kind), cut, return_data, payee, HERE)  # type: ignore[arg-type]
    assert decode(("XVMCallConcluded", fields)) == (expected,)


def test_what_becomes_of_a_request_is_observed_in_order() -> None:
    names = ("XVMFeeAdded", "XVMCallbackDelivered", "XVMHandlerFailed", "XVMCancelled", "XVMCancelledConcluded")
    events = every_event()
    places = [replace(HERE, log_index=index) for index in range(6)]
    assert decode(*((name, events[name]) for name in names), ("XVMReclaimed", events["XVMReclaimed"])) == (
        FeeAdded(ID, 2, places[0]),  # type: ignore[arg-type]
        CallbackDelivered(ID, False, places[1], b"\x0c" * 32),  # type: ignore[arg-type] # noqa: FBT003
        CallbackDelivered(ID, True, places[2]),  # type: ignore[arg-type] # noqa: FBT003
        RequestCancelled(ID, 9, places[3]),  # type: ignore[arg-type]
        CancelSettled(ID, places[4]),  # type: ignore[arg-type]
        CancelSettled(ID, places[5]),  # type: ignore[arg-type]
    )


@given(signer_sets, uint64s)
def test_a_signer_set_is_observed_whole(signer_set: SignerSet, epoch: int) -> None:
    expected = EpochApplied(epoch, signer_set, signer_set.valid_until, HERE)
    assert decode(("XVMEpochApplied", applied_fields(signer_set, epoch))) == (expected,)


@pytest.mark.parametrize("name", every_event())
def test_an_event_says_everything_and_may_say_more(name: str) -> None:
    fields = every_event()[name]
    codec = make_codec()
    assert len(decode((name, fields | {"msg_index": "0", "new": "later"}), codec=codec)) == 1
    for missing in fields.keys() - READ_ALOUD:
        rest = {key: value for key, value in fields.items() if key != missing}
        assert decode((name, rest), codec=codec) == ()
    assert codec.dropped == len(fields.keys() - READ_ALOUD)


@pytest.mark.parametrize("name", every_event())
@given(
    junk=st.sampled_from(["", "0x", "-1", "+1", "01", " 1", "1 ", "0X00", "0xAB", "True", "1.0", "null", "{}", "[]"])
)
def test_security_a_value_has_one_text(name: str, junk: str) -> None:
    """SECURITY: two readers of one event must not disagree."""
    fields = every_event()[name]
    for key in fields.keys() - READ_ALOUD - {"return_data"}:
        if junk != fields[key]:
            assert decode((name, fields | {key: junk})) == ()


@pytest.mark.parametrize("text", ["eWVz\n", "eWV", "eWU", "eWV=", "eWX=", "e-_z", "eW Vz", "ë"])
def test_security_data_has_one_text(text: str) -> None:
    """SECURITY: what padding leaves over could say anything."""
    fields = every_event()["XVMCallConcluded"]
    assert decode(("XVMCallConcluded", fields | {"return_data": text})) == ()


def test_an_unknown_event_is_dropped_and_keeps_its_place_in_the_count() -> None:
    codec = make_codec()
    known = every_event()["XVMReclaimed"]
    (observation,) = decode(("XVMOther", {}), ("XVMReclaimed", known), codec=codec)
    assert (observation.location.log_index, codec.dropped) == (1, 1)


def test_security_an_id_commits_to_its_request() -> None:
    """SECURITY: relayers sign the id, and act on the request."""
    request = outbound_request()
    other = replace(request, payload=b"other")
    fields = requested_fields(request)
    assert decode(("XVMCallRequested", fields | {"request_id": hex_text(request_id(other))})) == ()
    assert decode(("XVMCallRequested", fields | {"request": request_json(other)})) == ()


def test_security_a_gateway_speaks_for_itself_only() -> None:
    """SECURITY: one gateway could forge another's requests."""
    elsewhere = Chain(Namespace.COSMOS, b"elsewhere-1")
    for gateway in (
        REMOTE_GATEWAY,
        InteroperableAddress(elsewhere, GATEWAY).to_bytes(),
        InteroperableAddress(COSMOS, b"\xbb" * 32).to_bytes(),
    ):
        fields = requested_fields(outbound_request(source_gateway=gateway))
        assert decode(("XVMCallRequested", fields)) == ()


@pytest.mark.parametrize(
    "sender",
    [
        text_of(b"\x5f" * 20),
        text_of(b"\x5e" * 32),
        InteroperableAddress(COSMOS, b"\x5e" * 20).account_text("osmo"),
        text_of(b"\x5e" * 20).upper(),
        text_of(b"\x5e" * 20)[:-1] + "q",
        "0x" + "5e" * 20,
        "",
    ],
)
def test_security_the_sender_is_who_the_request_names(sender: str) -> None:
    """SECURITY: targets elsewhere trust the sender by its whole address."""
    fields = requested_fields(outbound_request())
    assert len(decode(("XVMCallRequested", fields))) == 1
    assert decode(("XVMCallRequested", fields | {"sender": sender})) == ()


@pytest.mark.parametrize(
    "sender", [b"", REMOTE_GATEWAY, evm_account(1, b"\x5e" * 20).to_bytes(), SOURCE_GATEWAY + b"\0"]
)
def test_security_a_sender_is_an_account_of_the_gateways_chain(sender: bytes) -> None:
    """SECURITY: targets elsewhere trust the sender by its whole address."""
    request = outbound_request(sender=sender)
    fields = requested_fields(outbound_request()) | {
        "request_id": hex_text(request_id(request)),
        "request": request_json(request),
    }
    assert decode(("XVMCallRequested", fields)) == ()


def test_a_request_that_names_another_route_is_dropped() -> None:
    fields = requested_fields(outbound_request()) | {"route_hash": hex_text(keccak256(b"elsewhere"))}
    assert decode(("XVMCallRequested", fields)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": 2},
        {"mode": -1},
        {"mode": True},
        {"mode": "0"},
        {"nonce": 3},
        {"nonce": "03"},
        {"nonce": str(2**64)},
        {"own_account": 0},
        {"payload": "EjRWeA"},
        {"payload": "EjRWeB=="},
        {"payload": "EjRW eA=="},
        {"return_limit": 2**32},
        {"return_limit": "1024"},
        {"code_hash": "0x00"},
        {"origin": "0"},
        {"extra": 1},
    ],
)
def test_a_request_that_is_not_written_in_its_one_form_is_dropped(changes: dict[str, object]) -> None:
    fields = requested_fields(outbound_request())
    assert len(decode(("XVMCallRequested", fields))) == 1
    assert decode(("XVMCallRequested", fields | {"request": request_json(outbound_request(), **changes)})) == ()


def test_security_a_name_stands_once_in_a_request() -> None:
    """SECURITY: parsers differ in which of two equal names they keep."""
    fields = requested_fields(outbound_request())
    doubled = '{"mode":0,' + fields["request"][1:]
    assert orjson.loads(doubled) == orjson.loads(fields["request"])
    assert decode(("XVMCallRequested", fields | {"request": doubled})) == ()


def test_security_a_request_may_be_nested_however_deep() -> None:
    """SECURITY: a parser that runs out of stack ends the process."""
    fields = requested_fields(outbound_request())
    assert decode(("XVMCallRequested", fields | {"request": "[" * 100_000})) == ()


def test_a_set_that_is_not_its_hash_is_dropped() -> None:
    fields = applied_fields(SignerSet(1, 2, 3, 4, ()))
    assert decode(("XVMEpochApplied", fields | {"signer_set_hash": hex_text(bytes(32))})) == ()


def test_a_set_of_more_signers_than_any_gateway_holds_is_dropped() -> None:
    signers = tuple(Signer(b"", 1, bytes(32)) for _ in range(MAXIMUM_SIGNER_COUNT + 1))
    signer_set = SignerSet(1, 2, 3, 4, signers)
    assert len(set_json(signer_set)["signers"]) > MAXIMUM_SIGNER_COUNT
    assert decode(("XVMEpochApplied", applied_fields(signer_set))) == ()


def test_unknown_kinds_are_dropped() -> None:
    for name in ("XVMCallConcluded", "XVMCallbackDelivered", "XVMHandlerFailed", "XVMCancelledConcluded"):
        assert decode((name, every_event()[name] | {"kind": "5"})) == ()
