from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from attestation.address import evm_account
from attestation.keccak import keccak256
from attestation.request import Mode, Request, RequestId, request_id, route_of
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from attestation.statement import OutcomeKind
from relayer.domain.blocks import BlockRef, Location
from relayer.domain.observations import (
    CallbackDelivered,
    CallConcluded,
    CallRequested,
    CancelSettled,
    EpochApplied,
    FeeAdded,
    Observation,
    RequestCancelled,
)
from relayer.vms.evm import interface
from relayer.vms.evm.block_reader import BlockContents
from relayer.vms.evm.codec import LogCodec, decode_signer_set
from relayer.vms.evm.logs import Log, PlacedLog
from relayer.vms.evm.words import MalformedAbi
from relayer.vms.jsonrpc.stamps import Stamp
from tests.factories import SENDER, SOURCE_GATEWAY, make_query, make_request, make_signer_set
from tests.unit.evm.gateway_logs import (
    CHAIN_ID,
    GATEWAY,
    SIGNER_SET_TYPE,
    VERIFIER,
    cancelled_concluded_log,
    cancelled_log,
    concluded_log,
    delivered_log,
    epoch_log,
    fee_added_log,
    reclaimed_log,
    requested_data,
    requested_log,
    signer_set_tuple,
)

BLOCK = BlockRef(9, b"\x09" * 32)
IDENTIFIER = RequestId(b"\x1d" * 32)

accounts = st.builds(
    lambda chain_id, address: evm_account(chain_id, address).to_bytes(),
    st.integers(1, 2**256 - 1),
    st.binary(min_size=20, max_size=20),
)
uint64s = st.integers(0, 2**64 - 1)
requests = st.builds(
    Request,
    source_gateway=st.just(SOURCE_GATEWAY),
    sender=st.just(SENDER),
    destination_gateway=accounts,
    target=accounts,
    nonce=uint64s,
    mode=st.just(Mode.CALL),
    own_account=st.booleans(),
    payload=st.binary(max_size=200),
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=st.integers(0, 2**32 - 1),
    expiry=uint64s,
    ordered_after=st.integers(0, 2**256 - 1),
    origin=st.integers(0, 2**256 - 1),
    code_hash=st.binary(min_size=32, max_size=32),
    dispute_blocks=st.integers(0, 2**32 - 1),
    metadata=st.binary(max_size=70),
)
queries = st.builds(lambda request: replace(request, mode=Mode.QUERY, destination_gateway=b"", expiry=0), requests)
signers = st.lists(st.builds(Signer, st.binary(max_size=40), uint64s, st.binary(min_size=32, max_size=32)), max_size=5)
signer_sets = st.builds(SignerSet, st.integers(0, 255), uint64s, uint64s, uint64s, signers.map(tuple))


def location(log_index: int = 0) -> Location:
    return Location(BLOCK, 3, log_index, b"\x77" * 32)


def decode(*logs: Log) -> tuple[tuple[Observation, ...], int]:
    """What the codec sees in a block with these logs, and how many it dropped."""
    codec = LogCodec(CHAIN_ID, GATEWAY, VERIFIER)
    placed = tuple(PlacedLog(log, b"\x77" * 32, 3, index) for index, log in enumerate(logs))
    with capture_logs() as captured:
        observations = codec.decode(BlockContents(Stamp(BLOCK, bytes(32), 1), placed))
    assert [entry["event"] for entry in captured] == ["gateway_log_dropped"] * codec.dropped
    return observations, codec.dropped


@given(requests | queries, st.integers(0, 2**256 - 1), uint64s)
def test_every_request_that_a_gateway_logs_is_read_back(request: Request, fee: int, deadline: int) -> None:
    expected = CallRequested(request_id(request), request, route_of(request), fee, deadline, location())
    assert decode(requested_log(request, fee, deadline)) == ((expected,), 0)


@given(st.binary(max_size=700), st.binary(max_size=100))
def test_addresses_of_any_length_are_read_back_and_those_that_come_again_too(target: bytes, gateway: bytes) -> None:
    for nonce in range(2):
        request = make_request(nonce, target=target, destination_gateway=gateway)
        ((observation,), dropped) = decode(requested_log(request))
        assert isinstance(observation, CallRequested)
        assert (observation.request, dropped) == (request, 0)


receipts = st.builds(
    CallConcluded,
    request_id=st.just(IDENTIFIER),
    source_gateway=accounts,
    kind=st.sampled_from(OutcomeKind),
    cut=st.booleans(),
    return_data=st.binary(max_size=100),
    payee=st.binary(min_size=32, max_size=32),
    location=st.builds(location),
)


@given(receipts)
def test_every_receipt_is_read_back(receipt: CallConcluded) -> None:
    assert decode(encoded(receipt, Log(b"", (), b""))) == ((receipt,), 0)


@given(signer_sets, uint64s)
def test_every_signer_set_is_read_back(signer_set: SignerSet, epoch: int) -> None:
    expected = EpochApplied(epoch, signer_set, signer_set.valid_until, location())
    assert decode(epoch_log(epoch, signer_set)) == ((expected,), 0)
    data = encode([SIGNER_SET_TYPE, "uint64"], [signer_set_tuple(signer_set), epoch])
    assert decode_signer_set(data) == (signer_set, epoch)


def test_the_other_events_are_read_in_log_order() -> None:
    logs = [
        fee_added_log(IDENTIFIER, 3, 10),
        delivered_log(IDENTIFIER),
        delivered_log(IDENTIFIER, is_handler_failed=True),
        cancelled_log(IDENTIFIER, 5),
        cancelled_concluded_log(IDENTIFIER, kind=3),
        reclaimed_log(IDENTIFIER, 7),
    ]
    assert decode(*logs) == (
        (
            FeeAdded(IDENTIFIER, 10, location(0)),
            CallbackDelivered(IDENTIFIER, False, location(1), return_data_hash=bytes(32)),  # noqa: FBT003
            CallbackDelivered(IDENTIFIER, is_handler_failed=True, location=location(2)),
            RequestCancelled(IDENTIFIER, 5, location(3)),
            CancelSettled(IDENTIFIER, location(4)),
            CancelSettled(IDENTIFIER, location(5)),
        ),
        0,
    )


def test_security_an_id_that_is_not_the_requests_hash_is_dropped() -> None:
    """SECURITY: the id is what gets signed; everybody acts on the request."""
    honest = requested_log()
    forged = honest._replace(topics=(honest.topics[0], request_id(make_request(1)), *honest.topics[2:]))
    assert decode(forged) == ((), 1)


def test_security_a_gateway_speaks_for_itself_only() -> None:
    """SECURITY: a registered gateway could otherwise forge the requests of another."""
    other = evm_account(CHAIN_ID + 1, GATEWAY).to_bytes()
    assert decode(requested_log(make_request(source_gateway=other))) == ((), 1)


@pytest.mark.parametrize("place", [2, 3])
def test_topics_that_contradict_the_request_are_dropped(place: int) -> None:
    log = requested_log()
    for wrong in (bytes(32), b"\xff" + log.topics[place][1:]):
        topics = tuple(wrong if index == place else topic for index, topic in enumerate(log.topics))
        assert decode(log._replace(topics=topics)) == ((), 1)


def test_a_sender_elsewhere_is_dropped() -> None:
    assert decode(requested_log(make_request(sender=evm_account(CHAIN_ID + 1, b"\x5e" * 20).to_bytes()))) == ((), 1)


def test_a_query_whose_target_names_no_chain_is_dropped() -> None:
    log = requested_log(make_query())
    request = make_query(target=b"\x00\x01")
    topics = (log.topics[0], request_id(request), *log.topics[2:])
    assert decode(log._replace(topics=topics, data=requested_data(request))) == ((), 1)


@pytest.mark.parametrize("field", [5, 6])
def test_a_mode_and_a_bool_are_no_more_than_one(field: int) -> None:
    data = bytearray(requested_data(make_request()))
    data[96 + field * 32 + 31] = 2
    assert decode(requested_log(data=bytes(data))) == ((), 1)


@pytest.mark.parametrize("kind", [5, 255])
def test_an_unknown_kind_is_dropped(kind: int) -> None:
    assert decode(concluded_log(IDENTIFIER, kind=kind)) == ((), 1)
    assert decode(delivered_log(IDENTIFIER, kind=kind)) == ((), 1)


def test_a_receipt_whose_topic_is_not_its_source_gateways_is_dropped() -> None:
    log = concluded_log(IDENTIFIER)
    assert decode(log._replace(topics=(*log.topics[:2], bytes(32)))) == ((), 1)


def test_a_signer_set_that_is_not_the_hashed_one_is_dropped() -> None:
    log = epoch_log(1, make_signer_set())
    assert decode(log._replace(topics=(*log.topics[:2], bytes(32)))) == ((), 1)
    assert decode(log._replace(topics=(log.topics[0], b"\xff" * 32, log.topics[2]))) == ((), 1)


def test_a_list_of_signers_beyond_the_bound_is_not_built() -> None:
    signer_set = SignerSet(1, 1, 1, 1, (Signer(b"\x01", 1, bytes(32)),) * 257)
    log = Log(
        VERIFIER,
        (interface.topic(interface.EPOCH_APPLIED), bytes(32), signer_set_hash(signer_set)),
        encode(["uint64", SIGNER_SET_TYPE], [1, signer_set_tuple(signer_set)]),
    )
    assert decode(log) == ((), 1)


def test_one_bad_log_hides_no_other() -> None:
    good = requested_log(make_request(5))
    observations, dropped = decode(requested_log(data=b""), good, concluded_log(IDENTIFIER, kind=9))
    assert dropped == 2
    assert [observation.location.log_index for observation in observations] == [1]


def test_events_of_ours_from_another_emitter_are_not_ours() -> None:
    assert decode(requested_log(emitter=VERIFIER)) == ((), 1)
    assert decode(requested_log(topics=())) == ((), 1)


SAMPLES = [
    requested_log(make_request(payload=b"\x01" * 37, metadata=b"m")),
    requested_log(make_query()),
    concluded_log(IDENTIFIER, return_data=b"\x2a" * 45),
    epoch_log(3, make_signer_set()),
    fee_added_log(IDENTIFIER, 1, 2),
    delivered_log(IDENTIFIER),
    cancelled_log(IDENTIFIER, 7),
    cancelled_concluded_log(IDENTIFIER),
    reclaimed_log(IDENTIFIER, 7),
]


@given(st.sampled_from(SAMPLES), st.data())
def test_security_a_log_reads_as_what_it_is_or_not_at_all(log: Log, data: st.DataObject) -> None:
    """SECURITY: bytes that are not the one canonical encoding of a meaning are never given a meaning."""
    mutated = data.draw(mutations(log))
    observations, dropped = decode(mutated)
    assert len(observations) + dropped == 1
    for observation in observations:
        assert encoded(observation, mutated) == mutated


@given(st.sampled_from(SAMPLES), st.integers(0, 2000), st.binary(max_size=64))
def test_cut_and_lengthened_logs_are_dropped(log: Log, length: int, tail: bytes) -> None:
    changed = log.data[:length] + tail
    # Of the same length it may be another log that is as good.
    if len(changed) != len(log.data):
        assert decode(log._replace(data=changed)) == ((), 1)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.binary(max_size=300))
def test_garbage_never_crashes(rest: Sequence[bytes], data: bytes) -> None:
    for signature in interface.EVENTS:
        for emitter in (GATEWAY, VERIFIER):
            decode(Log(emitter, (interface.topic(signature), *rest[:3]), data))


@given(st.binary(max_size=400))
def test_a_signer_set_of_garbage_is_malformed(data: bytes) -> None:
    try:
        decoded, valid_until = decode_signer_set(data)
    except MalformedAbi:
        return
    assert encode([SIGNER_SET_TYPE, "uint64"], [signer_set_tuple(decoded), valid_until]) == data


@st.composite
def mutations(draw: st.DrawFn, log: Log) -> Log:
    """The log with some bytes or words of its data changed, or one topic."""
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(1, len(log.topics) - 1))
        topic = bytearray(log.topics[place])
        topic[draw(st.integers(0, 31))] ^= draw(st.integers(1, 255))
        return log._replace(topics=(*log.topics[:place], bytes(topic), *log.topics[place + 1 :]))
    data = bytearray(log.data)
    for _ in range(draw(st.integers(1, 3))):
        word = 32 * draw(st.integers(0, len(data) // 32 - 1))
        if draw(st.booleans()):
            data[word + draw(st.integers(0, 31))] ^= draw(st.integers(1, 255))
        else:
            value = draw(st.sampled_from([0, 1, 31, 32, 64, len(data), 2**32, 2**64, 2**255, 2**256 - 1]))
            data[word : word + 32] = value.to_bytes(32, "big")
    return log._replace(data=bytes(data))


def encoded(observation: Observation, log: Log) -> Log:  # noqa: PLR0911 - one case an event
    """What a gateway that means the observation logs. Fields that an observation leaves out are taken from `log`."""
    match observation:
        case CallRequested(_, request, _, fee, deadline, _):
            return requested_log(request, fee, deadline)
        case CallConcluded(identifier, gateway, kind, cut, return_data, payee, _):
            return concluded_log(identifier, gateway, kind, cut=cut, return_data=return_data, payee=payee)
        case EpochApplied(epoch, signer_set, valid_until, _):
            fresh = epoch_log(epoch, signer_set)
            return fresh._replace(data=valid_until.to_bytes(32, "big") + fresh.data[32:])
        case FeeAdded(identifier, fee, _):
            return fee_added_log(identifier, int.from_bytes(log.data[:32], "big"), fee)
        case RequestCancelled(identifier, returned, _):
            return cancelled_log(identifier, returned)
        case CancelSettled(identifier, _):
            return reclaimed_log(identifier)._replace(topics=log.topics, data=log.data)
        case CallbackDelivered(identifier, is_handler_failed, _):
            return delivered_log(identifier, is_handler_failed=is_handler_failed)._replace(data=log.data)
    raise AssertionError(observation)


def test_security_the_topics_of_a_request_are_bound_to_it() -> None:
    """SECURITY: route and sender in the topics are what filters and indexers go by."""
    request = make_request()
    log = requested_log(request)
    assert log.topics[3] == keccak256(route_of(request))
    observations, _ = decode(log)
    (observation,) = observations
    assert isinstance(observation, CallRequested)
    assert observation.route == route_of(request)
