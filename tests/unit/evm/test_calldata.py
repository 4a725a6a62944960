from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from attestation.keccak import keccak256
from attestation.request import Mode, Request, RequestId
from attestation.signer_set import Signer, SignerSet
from attestation.statement import Execute, Outcome, OutcomeKind
from relayer.vms.evm import interface
from relayer.vms.evm.calldata import (
    EXECUTE,
    EXPIRE,
    encode_batch,
    encode_consumption,
    encode_delivery,
    encode_execute_item,
    encode_expire_item,
    encode_outcome_item,
    encode_rotation,
)
from tests.factories import make_request
from tests.unit.evm.contract_abi import types_of
from tests.unit.evm.gateway_logs import request_tuple

words = st.binary(min_size=32, max_size=32)
uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)
uint256s = st.integers(0, 2**256 - 1)
short = st.binary(max_size=70)

requests = st.builds(
    Request,
    source_gateway=short,
    sender=short,
    destination_gateway=short,
    target=short,
    nonce=uint64s,
    mode=st.sampled_from(Mode),
    own_account=st.booleans(),
    payload=short,
    execution_gas_limit=uint64s,
    callback_gas_limit=uint64s,
    return_limit=uint32s,
    expiry=uint64s,
    ordered_after=uint256s,
    origin=uint256s,
    code_hash=words,
    dispute_blocks=uint32s,
    metadata=short,
)
executes = st.builds(Execute, words.map(RequestId), uint64s, words, uint32s, uint32s)
outcomes = st.builds(
    Outcome,
    request_id=words.map(RequestId),
    kind=st.sampled_from(OutcomeKind),
    cut=st.booleans(),
    return_data_hash=words,
    height=uint64s,
    block_hash=words,
    tx_index=uint32s,
    log_index=uint32s,
    payee=words,
    round=uint32s,
)
batches = st.lists(
    st.tuples(uint256s, st.lists(words, max_size=3), st.lists(st.tuples(requests, executes), max_size=3), short),
    max_size=3,
)
outcome_batches = st.lists(
    st.tuples(uint256s, st.lists(words, max_size=3), st.lists(st.tuples(outcomes, short), max_size=3), short),
    max_size=3,
)


def place_tuple(statement: Execute) -> tuple[Any, ...]:
    return (statement.height, statement.block_hash, statement.tx_index, statement.log_index)


def request_by_hash_tuple(request: Request) -> tuple[Any, ...]:
    fields = request_tuple(request)
    return (*fields[:7], keccak256(request.payload), *fields[8:])


@given(batches, words)
def test_execute_is_encoded_as_by_eth_abi(given_batches: list[Any], payee: bytes) -> None:
    ours = encode_consumption(
        EXECUTE,
        [
            encode_batch(bits, bare, [encode_execute_item(*item) for item in items], certificate)
            for bits, bare, items, certificate in given_batches
        ],
        payee,
    )
    values = [
        (bits, bare, [(request_tuple(request), *place_tuple(statement)) for request, statement in items], certificate)
        for bits, bare, items, certificate in given_batches
    ]
    oracle = encode(types_of("XvmGateway", "execute"), [values, payee])
    assert ours == interface.selector(interface.EXECUTE) + oracle


@given(batches, words)
def test_expire_is_encoded_as_by_eth_abi(given_batches: list[Any], payee: bytes) -> None:
    ours = encode_consumption(
        EXPIRE,
        [
            encode_batch(bits, bare, [encode_expire_item(*item) for item in items], certificate)
            for bits, bare, items, certificate in given_batches
        ],
        payee,
    )
    values = [
        (bits, bare, [(request_by_hash_tuple(request), *place_tuple(statement)) for request, statement in items], cert)
        for bits, bare, items, cert in given_batches
    ]
    oracle = encode(types_of("XvmGateway", "expire"), [values, payee])
    assert ours == interface.selector(interface.EXPIRE) + oracle


@given(outcome_batches)
def test_deliver_is_encoded_as_by_eth_abi(given_batches: list[Any]) -> None:
    ours = encode_delivery(
        [
            encode_batch(bits, bare, [encode_outcome_item(*item) for item in items], certificate)
            for bits, bare, items, certificate in given_batches
        ]
    )
    values = [
        (bits, bare, [outcome_tuple(outcome, data) for outcome, data in items], certificate)
        for bits, bare, items, certificate in given_batches
    ]
    oracle = encode(types_of("XvmGateway", "deliver"), [values])
    assert ours == interface.selector(interface.DELIVER) + oracle


@given(
    st.lists(st.builds(Signer, st.binary(max_size=200), uint64s, words), max_size=4),
    st.integers(0, 255),
    uint64s,
    short,
)
def test_a_rotation_is_encoded_as_by_eth_abi(
    signers: list[Signer], scheme: int, number: int, certificate: bytes
) -> None:
    signer_set = SignerSet(scheme, number, number // 2, number // 3, tuple(signers))
    members = [(signer.key, signer.weight, signer.operator) for signer in signers]
    oracle = encode(
        types_of("EcdsaVerifier", "rotate"), [(scheme, number, number // 2, number // 3, members), certificate]
    )
    assert encode_rotation(signer_set, certificate) == interface.selector(interface.ROTATE) + oracle


def outcome_tuple(outcome: Outcome, return_data: bytes) -> tuple[Any, ...]:
    return (
        int.from_bytes(outcome.request_id, "big"),
        int(outcome.kind),
        outcome.cut,
        outcome.height,
        outcome.block_hash,
        outcome.tx_index,
        outcome.log_index,
        outcome.payee,
        outcome.round,
        return_data,
    )


def test_the_payload_of_an_expiring_request_travels_as_its_hash() -> None:
    request = replace(make_request(), payload=b"\xab" * 1_000)
    statement = Execute(RequestId(bytes(32)), 1, bytes(32), 0, 0)
    whole, by_hash = encode_execute_item(request, statement), encode_expire_item(request, statement)
    assert request.payload in whole
    assert request.payload not in by_hash
    assert keccak256(request.payload) in by_hash
