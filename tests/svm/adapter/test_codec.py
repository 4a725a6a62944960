"""The gateway's events become observations, and what is not exactly an event of ours becomes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.address import Chain, InteroperableAddress, Namespace
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
from tests.svm.adapter.events import (
    SIGNATURE,
    STAMP,
    applied_fields,
    decode,
    event_data,
    kinds,
    make_codec,
    outbound_request,
    outbound_requests,
    request_args,
    requested_fields,
    signer_sets,
    uint64s,
    words,
)
from tests.svm.program.ledger import REMOTE_GATEWAY, SOLANA

HERE = Location(STAMP.ref, 3, 0, SIGNATURE)


def requested_data(asked: Request, **changes: Any) -> bytes:
    return event_data("XVMCallRequested", requested_fields(asked) | changes)


def delivered_fields(identifier: bytes, kind: int, *, success: bool) -> dict[str, Any]:
    return {
        "request_id": identifier,
        "kind": kind,
        "success": success,
        "return_data_hash": b"\x0c" * 32,
        "deliverer": bytes(32),
    }


def recorded_fields(identifier: bytes, kind: int, *, was_cancelled: bool) -> dict[str, Any]:
    return {
        "request_id": identifier,
        "kind": kind,
        "was_cancelled": was_cancelled,
        "return_data_hash": b"\x0c" * 32,
        "deliverer": bytes(32),
    }


def every_event() -> dict[str, bytes]:
    """One well-formed event of each kind."""
    identifier = b"\x1d" * 32
    signer_set = SignerSet(1, 2, 3, 4, (Signer(b"\x0a" * 20, 1, b"\x0b" * 32),))
    concluded = {
        "request_id": identifier,
        "source_gateway": REMOTE_GATEWAY,
        "kind": 0,
        "cut": False,
        "return_data": b"yes",
        "payee": b"\xfe" * 32,
    }
    return {
        "XVMCallRequested": requested_data(outbound_request()),
        "XVMFeeAdded": event_data("XVMFeeAdded", {"request_id": identifier, "amount": 1, "fee": 2}),
        "XVMOutcomeRecorded": event_data("XVMOutcomeRecorded", recorded_fields(identifier, 0, was_cancelled=False)),
        "XVMCallbackDelivered": event_data("XVMCallbackDelivered", delivered_fields(identifier, 0, success=True)),
        "XVMCancelled": event_data("XVMCancelled", {"request_id": identifier, "returned": 9}),
        "XVMReclaimed": event_data("XVMReclaimed", {"request_id": identifier, "amount": 9}),
        "XVMCallConcluded": event_data("XVMCallConcluded", concluded),
        "XVMEpochApplied": event_data("XVMEpochApplied", applied_fields(signer_set)),
    }


@given(outbound_requests, uint64s, uint64s)
def test_a_request_is_observed_with_what_its_id_commits_to(request: Request, fee: int, deadline: int) -> None:
    data = requested_data(request, fee=fee, deadline=deadline)
    assert decode(data) == (CallRequested(request_id(request), request, route_of(request), fee, deadline, HERE),)


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
    fields = {
        "request_id": identifier,
        "source_gateway": gateway,
        "kind": kind,
        "cut": cut,
        "return_data": return_data,
        "payee": payee,
    }
    expected = CallConcluded(identifier, gateway, OutcomeKind(kind), cut, return_data, payee, HERE)
    assert decode(event_data("XVMCallConcluded", fields)) == (expected,)


@given(identifier=words, kind=kinds, ran=st.booleans())
def test_what_is_recorded_is_undelivered_until_its_callback_has_run(*, identifier: bytes, kind: int, ran: bool) -> None:
    recorded = event_data("XVMOutcomeRecorded", recorded_fields(identifier, kind, was_cancelled=False))
    delivered = event_data("XVMCallbackDelivered", delivered_fields(identifier, kind, success=ran))
    assert decode(recorded, delivered) == (
        CallbackDelivered(identifier, True, HERE, b"\x0c" * 32),  # noqa: FBT003
        CallbackDelivered(identifier, False, replace(HERE, log_index=1), b"\x0c" * 32),  # noqa: FBT003
    )


@given(words, kinds)
def test_the_outcome_of_a_cancelled_request_settles_it(identifier: bytes, kind: int) -> None:
    recorded = event_data("XVMOutcomeRecorded", recorded_fields(identifier, kind, was_cancelled=True))
    assert decode(recorded) == (CancelSettled(identifier, HERE),)


@given(words, uint64s, uint64s)
def test_fees_cancels_and_reclaims_are_observed(identifier: bytes, one: int, other: int) -> None:
    events = (
        event_data("XVMFeeAdded", {"request_id": identifier, "amount": one, "fee": other}),
        event_data("XVMCancelled", {"request_id": identifier, "returned": one}),
        event_data("XVMReclaimed", {"request_id": identifier, "amount": one}),
    )
    assert decode(*events) == (
        FeeAdded(identifier, other, HERE),
        RequestCancelled(identifier, one, replace(HERE, log_index=1)),
        CancelSettled(identifier, replace(HERE, log_index=2)),
    )


@given(signer_sets, uint64s)
def test_a_signer_set_is_observed_whole(signer_set: SignerSet, epoch: int) -> None:
    data = event_data("XVMEpochApplied", applied_fields(signer_set, epoch))
    assert decode(data) == (EpochApplied(epoch, signer_set, signer_set.valid_until, HERE),)


@pytest.mark.parametrize("name", every_event())
def test_security_an_event_has_one_encoding(name: str) -> None:
    """SECURITY: two readers of one event must not disagree: nothing may be cut, and nothing may follow."""
    data = every_event()[name]
    assert len(decode(data)) == 1
    codec = make_codec()
    for length in range(len(data)):
        assert decode(data[:length], codec=codec) == ()
    assert decode(data + b"\0", codec=codec) == ()
    assert codec.dropped == len(data) + 1


@given(st.sampled_from(sorted(every_event())), st.binary(max_size=400))
def test_whatever_follows_a_discriminator_is_an_observation_or_nothing(name: str, body: bytes) -> None:
    codec = make_codec()
    assert len(decode(every_event()[name][:8] + body, codec=codec)) + codec.dropped == 1


def test_an_unknown_event_is_dropped_and_keeps_its_place_in_the_count() -> None:
    codec = make_codec()
    known = every_event()["XVMReclaimed"]
    (observation,) = decode(b"\xee" * 40, known, codec=codec)
    assert (observation.location.log_index, codec.dropped) == (1, 1)


def test_security_an_id_commits_to_its_request() -> None:
    """SECURITY: relayers sign the id, and act on the request."""
    request = outbound_request()
    other = replace(request, payload=b"other")
    assert decode(requested_data(request, request_id=request_id(other))) == ()
    assert decode(requested_data(request, request=request_args(other))) == ()


def test_security_a_gateway_speaks_for_itself_only() -> None:
    """SECURITY: one gateway could forge another's requests."""
    assert decode(requested_data(outbound_request(source_gateway=REMOTE_GATEWAY))) == ()
    elsewhere = Chain(Namespace.SOLANA, b"\xaa" * 32)
    for chain, program in ((elsewhere, outbound_request().source_gateway[-32:]), (SOLANA, b"\xbb" * 32)):
        gateway = InteroperableAddress(chain, program).to_bytes()
        assert decode(requested_data(outbound_request(source_gateway=gateway))) == ()


@pytest.mark.parametrize(
    "sender",
    [
        b"",
        REMOTE_GATEWAY,
        InteroperableAddress(Chain(Namespace.SOLANA, b"\xaa" * 32), b"\x5e" * 32).to_bytes(),
        InteroperableAddress(SOLANA, b"\x5e" * 32).to_bytes() + b"\0",
    ],
)
def test_security_a_sender_is_an_account_of_the_gateways_chain(sender: bytes) -> None:
    """SECURITY: targets elsewhere trust the sender by its whole address."""
    assert decode(requested_data(outbound_request(sender=sender))) == ()


def test_a_request_that_names_another_route_is_dropped() -> None:
    assert decode(requested_data(outbound_request(), route_hash=keccak256(b"elsewhere"))) == ()


def test_a_set_that_is_not_its_hash_is_dropped() -> None:
    fields = applied_fields(SignerSet(1, 2, 3, 4, ()))
    assert decode(event_data("XVMEpochApplied", fields | {"signer_set_hash": bytes(32)})) == ()


def test_a_set_of_more_signers_than_any_verifier_holds_is_dropped() -> None:
    signers = tuple(Signer(b"", 1, bytes(32)) for _ in range(MAXIMUM_SIGNER_COUNT + 1))
    assert decode(event_data("XVMEpochApplied", applied_fields(SignerSet(1, 2, 3, 4, signers)))) == ()


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("XVMOutcomeRecorded", 8 + 32, 5),
        ("XVMOutcomeRecorded", 8 + 33, 2),
        ("XVMCallbackDelivered", 8 + 32, 255),
        ("XVMCallbackDelivered", 8 + 33, 3),
    ],
)
def test_unknown_kinds_and_bools_that_are_none_are_dropped(name: str, place: int, value: int) -> None:
    data = bytearray(every_event()[name])
    data[place] = value
    assert decode(bytes(data)) == ()


def test_an_unknown_mode_is_dropped() -> None:
    request = outbound_request()
    assert decode(requested_data(request, request=request_args(request) | {"mode": 2})) == ()
